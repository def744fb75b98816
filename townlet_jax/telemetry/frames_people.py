"""Frame sections about agents: `agents`, `rewards`, `employment` (MECHANICS 11.1)."""

from typing import Any

import numpy as np

from townlet_jax.core.enums import NEVER, NOBODY, Counter, Kind, Need, Option, Phase, ShiftFlag, Trait
from townlet_jax.telemetry import decode_people
from townlet_jax.telemetry.decode_people import ON_AFFORDANCE, ON_OBJECT
from townlet_jax.telemetry.frames_base import Section, Shot
from townlet_jax.telemetry.lived import absent_shifts, attendance_ratio
from townlet_jax.telemetry.naming import named
from townlet_jax.telemetry.text import NULL, dumps, entry, listing, mapping, quote, quoted, rounded, truth

NEEDS = tuple(need.name.lower() for need in Need)
KINDS = tuple(map(quote, decode_people.KINDS))
REASONS = tuple(map(quote, decode_people.REASONS))
OPTIONS = tuple(quote(option.name.lower()) for option in Option)
PHASES = tuple(quote(phase.name.lower()) for phase in Phase)
TERMS = (
    "total", "survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage", "punctuality",
    "shaping", "terminal", "homeostasis", "work", "social", "clip_adjustment",
)  # fmt: skip
_REWARD = "{" + ",".join(f'"{name}":%r' for name in TERMS) + ',"guard":%s,"clipped":%s}'
_AGENT = (
    '{%s,"alive":%s,"position":[%d,%d],"needs":{' + ",".join(f'"{need}":%r' for need in NEEDS) + "}"
    ',"wallet":%r,"option":%s,"action":{%s},"activity":%s,"holding":%s,"queue":%s,"age_ticks":%d,"reward":%r}'
)
_WORKER = (
    '{"phase":%s,"on_shift":%s,"late_today":%d,"late_shifts":%d,"attendance_ratio":%r,"absent_shifts":%d,'
    '"shift_paid":%r,"shift_withheld":%r,"earned":%r,"withheld":%r,"exit_pending":%s}'
)


class Agents(Section):
    """Everybody who lives here, or was the last to live in a slot."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        states, told = shot.lived.states, shot.lived.outcomes.verdicts
        roster, line, running = states.roster, states.queues, states.activities
        after, during = shot.after, shot.during
        self.uid = after(roster.uid).tolist()
        self.alive = after(roster.alive).tolist()
        self.position = after(roster.position).tolist()
        self.level = rounded(after(states.needs.level)).tolist()
        self.wallet = rounded(after(states.economy.wallet)).tolist()
        self.reward = rounded(during(shot.lived.outcomes.rewards.total)).tolist()
        self.holding, self.waiting = after(line.holding).tolist(), after(line.waiting).tolist()
        self.joined, self.place = after(line.joined_tick).tolist(), _places(after(line.waiting), after(line.ticket))
        self.affordance, self.remaining = after(running.affordance).tolist(), after(running.remaining).tolist()
        born = after(roster.born_tick)
        self.age = np.where(born == NEVER, 0, shot.ticks[:, None] - born).tolist()
        self.option = None if shot.lived.option is None else during(shot.lived.option).tolist()
        asked = (told.kind, told.object, told.affordance, told.target, told.ok, told.reason)
        self.asked = np.stack([during(column).astype(np.int64) for column in asked], axis=-1).tolist()
        still = (
            roster.uid, roster.generation, roster.home, roster.profile, states.employment.job, states.embeddings.slot,
            states.controls.possessed,
        )  # fmt: skip
        self.still = np.stack([after(column).astype(np.int64) for column in still], axis=-1).tolist()

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        parts = [self._agent(k, slot) for slot, uid in enumerate(self.uid[k]) if uid != NOBODY]
        return mapping(parts)

    def _agent(self, k: int, slot: int) -> str:
        shot, words = self.shot, self.shot.words
        affordance, holding, waiting = self.affordance[k][slot], self.holding[k][slot], self.waiting[k][slot]
        held = quoted(named(words.objects, holding))
        activity = NULL
        if affordance != NOBODY:
            name = quote(words.affordances[affordance])
            activity = f'{{"object":{held},"affordance":{name},"remaining":{self.remaining[k][slot]}}}'
        queue = NULL
        if waiting != NOBODY:
            wait = int(shot.ticks[k]) - self.joined[k][slot]
            place = f'"position":{self.place[k][slot]},"wait":{wait}'
            queue = f'{{"object":{quote(words.objects[waiting])},{place}}}'
        dynamic = _AGENT % (
            self._still(slot, self.still[k][slot]),
            truth(self.alive[k][slot]),
            *self.position[k][slot],
            *self.level[k][slot],
            self.wallet[k][slot],
            NULL if self.option is None else OPTIONS[self.option[k][slot]],
            self._asked(k, self.asked[k][slot]),
            activity,
            held,
            queue,
            self.age[k][slot],
            self.reward[k][slot],
        )
        return f"{quote(shot.person(k, slot))}:{dynamic}"

    def _still(self, slot: int, row: list[int]) -> str:
        """Return what hardly ever changes."""
        words, cache = self.shot.words, self.shot.cache
        key = ("still", slot, *row)
        text = cache.get(key)
        if text is None:
            uid, generation, home, profile, job, embedding, possessed = row
            traits = rounded(words.params.personality.trait[profile]).tolist()
            known = {
                "slot": slot,
                "uid": uid,
                "generation": generation,
                "home": words.names.homes[home],
                "profile": words.names.profiles[profile],
                "traits": {trait.name.lower(): traits[trait] for trait in Trait},
                "job": named(words.jobs, job),
                "embedding_slot": None if embedding == NOBODY else embedding,
                "possessed": bool(possessed),
            }
            text = cache[key] = dumps(known)[1:-1]
        return text

    def _asked(self, k: int, row: list[int]) -> str:
        kind, place, affordance, target, ok, reason = row
        words = self.shot.words
        where = named(words.objects, place) if kind in ON_OBJECT else None
        what = named(words.affordances, affordance) if kind in ON_AFFORDANCE else None
        whom = None
        if kind == Kind.CHAT and 0 <= target < len(words.slots):
            whom = self.shot.person(k, target)
        return (
            f'"kind":{KINDS[kind]},"object":{quoted(where)},"affordance":{quoted(what)},"target":{quoted(whom)},'
            f'"ok":{truth(ok)},"reason":{REASONS[reason]}'
        )


def _places(waiting: Any, ticket: Any) -> list[list[int]]:
    """Return the place of each waiting agent in its queue, for each frame."""
    same = (waiting[:, :, None] == waiting[:, None, :]) & (waiting != NOBODY)[:, :, None]
    places: list[list[int]] = (same & (ticket[:, None, :] < ticket[:, :, None])).sum(axis=-1).tolist()
    return places


class Rewards(Section):
    """What the tick was worth to those that acted."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        told = shot.lived.outcomes.rewards
        self.terms = rounded(np.stack([shot.during(getattr(told, name)) for name in TERMS], axis=-1)).tolist()
        self.flags = np.stack([shot.during(told.guard), shot.during(told.clipped)], axis=-1).tolist()
        self.acting = shot.during(shot.lived.acting).tolist()

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        parts = []
        for slot, acting in enumerate(self.acting[k]):
            if acting:
                flags = [truth(flag) for flag in self.flags[k][slot]]
                parts.append(f"{quote(self.shot.person(k, slot))}:{_REWARD % (*self.terms[k][slot], *flags)}")
        return mapping(parts)


class Employment(Section):
    """Jobs, who is at them, who has to go."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        states, after = shot.lived.states, shot.after
        work, exits, tally = states.employment, states.exits, states.tally
        look_back = int(shot.words.params.employment.absence_days)
        days = shot.ticks // shot.words.ticks_per_day
        self.alive, self.job, self.phase = after(states.roster.alive), after(work.job), after(work.phase)
        self.on_shift = (after(work.flags) & int(ShiftFlag.ON_SHIFT)) != 0
        self.asked = after(exits.asked_tick)
        self.today, self.cap = after(exits.exits_today), after(states.controls.daily_exit_cap)
        self.counts = np.stack(
            [
                after(work.late_today),
                after(tally.count)[..., Counter.LATE_SHIFTS],
                absent_shifts(after(work.absence_day), np.broadcast_to(days[:, None], self.alive.shape), look_back),
            ],
            axis=-1,
        )
        coins = (work.shift_paid, work.shift_withheld, tally.earned, tally.withheld)
        self.coins = rounded(np.stack([after(column) for column in coins], axis=-1))
        self.ratio = rounded(attendance_ratio(after(work.attendance)))
        self.sources = (
            self.alive, self.job, self.phase, self.on_shift, self.asked, self.today, self.cap,
            self.counts, self.coins, self.ratio, after(states.roster.generation),
        )  # fmt: skip

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        living = np.flatnonzero(self.alive[k]).tolist()
        names = {slot: self.shot.person(k, slot) for slot in living}
        phase, on_shift, asked = self.phase[k].tolist(), self.on_shift[k].tolist(), self.asked[k].tolist()
        ratio, counts, coins = self.ratio[k].tolist(), self.counts[k].tolist(), self.coins[k].tolist()
        people = []
        for slot, name in names.items():
            late_today, late_shifts, absent = counts[slot]
            worker = _WORKER % (
                PHASES[phase[slot]],
                truth(on_shift[slot]),
                late_today,
                late_shifts,
                ratio[slot],
                absent,
                *coins[slot],
                truth(asked[slot] != NEVER),
            )
            people.append(f"{quote(name)}:{worker}")
        jobs = self._jobs(self.job[k].tolist(), phase, on_shift, names)
        return f'{{"jobs":{jobs},"agents":{mapping(people)},"exit_queue":{self._exit_queue(k, asked)}}}'

    def _jobs(self, job: list[int], phase: list[int], on_shift: list[bool], names: dict[int, str]) -> str:
        parts = []
        for row, name in enumerate(self.shot.words.jobs):
            mine = [slot for slot in names if job[slot] == row]
            groups = (
                [quote(names[slot]) for slot in mine if on_shift[slot]],
                [quote(names[slot]) for slot in mine if phase[slot] == Phase.LATE],
                [quote(names[slot]) for slot in mine if phase[slot] == Phase.ABSENT],
            )
            paid, late, absent = map(listing, groups)
            who = f'"on_shift":{paid},"late":{late},"absent":{absent}'
            parts.append(entry(name, f"{{{self._job(row)},{who}}}"))
        return mapping(parts)

    def _job(self, row: int) -> str:
        """Return what never changes of a job, without braces."""
        words, key = self.shot.words, ("job", row)
        text = self.shot.cache.get(key)
        if text is None:
            start, length = int(words.params.jobs.start[row]), int(words.params.jobs.length[row])
            about = {
                "start": start,
                "end": (start + length - 1) % words.ticks_per_day,
                "wage": float(rounded(words.params.jobs.wage_rate[row])),
                "site": words.params.world.site_tile[row].tolist(),
            }
            text = self.shot.cache[key] = dumps(about)[1:-1]
        return text

    def _exit_queue(self, k: int, asked: list[int]) -> str:
        rules = self.shot.words.params.employment
        line = sorted((tick, slot) for slot, tick in enumerate(asked) if tick != NEVER)
        pending = [f'{{"agent":{quote(self.shot.person(k, slot))},"asked_tick":{tick}}}' for tick, slot in line]
        return (
            f'{{"pending":{listing(pending)},"exits_today":{self.today[k]},"cap":{self.cap[k]},'
            f'"limit":{rules.exit_queue_limit},"review_ticks":{rules.review_ticks}}}'
        )
