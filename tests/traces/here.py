"""This simulator's side of the comparison: a played tick told in the same cells as `traces.recordings`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from townlet_jax.core.enums import NEVER, NOBODY, Abort, Counter, Exit, ExitRoute, Kind, Phase, ShiftFlag
from townlet_jax.core.state import TownState
from traces.recordings import COUNTERS, GOODS, METRICS, PRICES, SHIFT_FLAGS, SPECS, TERMS, Cell, Cells, Recording
from traces.replay import Moment, Replay
from traces.translate import OBJECTS

NEEDS = ("hunger", "hygiene", "energy")


class Teller:
    """Tells one tick of a replay."""

    def __init__(self, recording: Recording, replay: Replay, tick: int) -> None:
        self.recording, self.replay, self.tick = recording, replay, tick
        self.moment: Moment = replay.moments[tick - 1]
        self.state: TownState = self.moment.before_leave
        self.outcomes = self.moment.output.outcomes
        roster = self.state.roster
        self.names = tuple(self.name(slot) if roster.alive[slot] else None for slot in range(len(replay.names.agents)))
        self.living = [slot for slot, name in enumerate(self.names) if name is not None]

    def name(self, slot: int) -> str:
        """Return the name of the individual of a slot, as the original would write it."""
        generation = int(self.state.roster.generation[slot])
        return self.replay.names.agents[slot] + (f"#{generation}" if generation else "")

    def cells(self) -> Cells:
        """Tell everything."""
        cells: Cells = {}
        for slot in self.living:
            cells |= dict(self._agent(slot))
            cells |= dict(self._employment(slot))
            cells |= dict(self._reward(slot))
        for name in self.recording.objects:
            cells |= dict(self._object(name))
        cells |= dict(self._ties())
        cells |= dict(self._town())
        cells |= {(f"events.{kind}", ""): tuple(sorted(rows)) for kind, rows in self._events().items()}
        return cells

    def _agent(self, slot: int) -> Iterator[tuple[Cell, Any]]:
        state, agent = self.state, self.name(slot)
        roster = state.roster
        yield ("position", agent), _tile(roster.position[slot])
        yield ("home", agent), _tile(self.replay.params.world.home_tile[roster.home[slot]])
        for need, level in zip(NEEDS, state.needs.level[slot], strict=True):
            yield (f"needs.{need}", agent), float(level)
        yield ("wallet", agent), float(state.economy.wallet[slot])
        yield ("profile", agent), self.replay.names.profiles[roster.profile[slot]]
        yield ("traits", agent), tuple(map(float, self.replay.params.personality.trait[roster.profile[slot]]))
        ticks = int(roster.last_ticks[slot])
        yield ("last_action.kind", agent), Kind(int(roster.last_kind[slot])).name.lower() if ticks else ""
        yield ("last_action.ok", agent), bool(roster.last_ok[slot])
        yield ("last_action.ticks", agent), ticks
        yield ("episode_tick", agent), int(state.clock.episode_tick[slot])
        for counter in COUNTERS.values():
            yield (f"count.{counter}", agent), int(state.tally.count[slot, Counter[counter]])

    def _employment(self, slot: int) -> Iterator[tuple[Cell, Any]]:
        state, agent = self.state, self.name(slot)
        work, params = state.employment, self.replay.params
        samples = [round(float(sample), 5) for sample in work.attendance[slot] if sample >= 0]
        day = self.tick // int(params.clock.ticks_per_day)
        recent = (work.absence_day[slot] != NEVER) & (day - work.absence_day[slot] < params.employment.absence_days)
        flags = int(work.flags[slot])
        yield ("job", agent), self.replay.names.jobs[work.job[slot]]
        yield ("phase", agent), Phase(int(work.phase[slot])).name
        yield ("on_shift", agent), bool(flags & ShiftFlag.ON_SHIFT)
        yield ("late_shifts", agent), int(state.tally.count[slot, Counter.LATE_SHIFTS])
        yield ("late_today", agent), int(work.late_today[slot])
        yield ("attendance_ratio", agent), float(np.mean(samples)) if samples else 0.0
        yield ("absent_shifts", agent), int(recent.sum())
        yield ("withheld", agent), float(state.tally.withheld[slot])
        yield ("exit_pending", agent), bool(state.exits.asked_tick[slot] != NEVER)
        yield ("shift.paid", agent), float(work.shift_paid[slot])
        yield ("shift.late_ticks", agent), int(work.late_ticks[slot])
        yield ("shift.on_time_ticks", agent), int(work.on_time_ticks[slot])
        yield ("shift.start_tick", agent), _tick(work.shift_start_tick[slot])
        yield ("shift.last_present_tick", agent), _tick(work.last_present_tick[slot])
        yield ("shift.samples", agent), tuple(samples)
        yield ("absence_days", agent), tuple(int(day) for day in work.absence_day[slot] if day != NEVER)
        for flag in SHIFT_FLAGS:
            yield (f"flag.{flag}", agent), bool(flags & ShiftFlag[flag])

    def _reward(self, slot: int) -> Iterator[tuple[Cell, Any]]:
        agent, rewards = self.name(slot), self.outcomes.rewards
        yield ("reward.total", agent), float(self.moment.output.reward[slot])
        yield ("reward.terminal", agent), float(rewards.terminal[slot])
        yield ("reward.guard", agent), bool(rewards.guard[slot])
        for term in TERMS:
            yield (f"reward.{term}", agent), float(getattr(rewards, term)[slot])
        yield ("terminated", agent), bool(self.moment.output.terminated[slot])
        yield ("reason", agent), Exit(int(self.outcomes.departures.reason[slot])).name

    def _object(self, name: str) -> Iterator[tuple[Cell, Any]]:
        state, queues, index = self.state, self.state.queues, list(OBJECTS).index(name)
        holder = next((slot for slot in self.living if queues.holding[slot] == index), None)
        waiting = sorted(
            (slot for slot in self.living if queues.waiting[slot] == index), key=lambda slot: queues.ticket[slot]
        )
        running = NOBODY if holder is None else int(state.activities.affordance[holder])
        world = self.replay.params.world
        yield ("type", name), self.replay.names.object_types[world.object_type[index]]
        yield ("tile", name), _tile(world.tile[index])
        yield ("holder", name), None if holder is None else self.names[holder]
        yield ("queue", name), tuple(self.names[slot] for slot in waiting)
        yield ("joined_ticks", name), tuple(int(queues.joined_tick[slot]) for slot in waiting)
        yield ("stalls", name), 0 if holder is None else int(queues.stalls[holder])
        yield ("running", name), None
        yield ("remaining", name), 0
        if holder is not None and running != NOBODY:
            yield ("running", name), (self.names[holder], self.replay.names.affordances[running])
            yield ("remaining", name), int(state.activities.remaining[holder])
        for slot in self.living:
            until = int(queues.cooldown_until[index, slot])
            yield ("cooldown_until", f"{name}, {self.names[slot]}"), until if until > self.tick else 0
        for good in GOODS:
            yield (f"stock.{good}", name), float(state.economy.stock[index, self.replay.names.goods.index(good)])

    def _ties(self) -> Iterator[tuple[Cell, Any]]:
        for owner in self.living:
            for other in self.living:
                if owner != other:
                    pair = f"{self.names[owner]} -> {self.names[other]}"
                    for field in ("trust", "familiarity", "rivalry"):
                        yield (field, pair), float(getattr(self.state.ties, field)[owner, other])

    def _town(self) -> Iterator[tuple[Cell, Any]]:
        state, names = self.moment.after, self.replay.names
        for metric in METRICS:
            yield (f"queues.{metric}", ""), int(getattr(self.state.queues, metric))
        for price in PRICES.values():
            yield ("price", price), float(self.outcomes.trades.price_now[names.prices.index(price)])
        for index, utility in enumerate(names.utilities):
            yield ("utility_on", utility), bool(self.outcomes.shocks.utility_on[index])
        runs = {spec for spec, until in zip(names.perturbations, self._until(), strict=True) if until != NEVER}
        for spec in SPECS:
            yield ("perturbed", spec), spec in runs
        yield ("exits_today", ""), int(state.exits.exits_today)
        asked = [self.name(slot) for slot in self.living if state.exits.asked_tick[slot] != NEVER]
        yield ("exit_queue", ""), tuple(asked)
        work = self.replay.params.employment
        rules = (state.controls.daily_exit_cap, work.exit_queue_limit, work.review_ticks)
        yield ("exit_rules", ""), tuple(map(int, rules))
        after = [slot for slot in self.living if state.roster.alive[slot]]
        yield ("alive_after", ""), tuple(sorted(self.name(slot) for slot in after))
        held = {name: state.queues.holding == index for index, name in enumerate(OBJECTS)}
        holders = [(name, self.name(int(np.argmax(row)))) for name, row in held.items() if row.any()]
        yield ("holders_after", ""), tuple(sorted(holders))
        known = (state.ties.trust != 0) | (state.ties.familiarity != 0)
        pairs = [f"{self.name(a)} -> {self.name(b)}" for a in self.living for b in self.living if known[a, b]]
        yield ("known_ties_after", ""), tuple(sorted(pairs))

    def _until(self) -> list[int]:
        return [int(tick) for tick in self.state.perturbations.until_tick]

    def _events(self) -> dict[str, list[Any]]:
        """Tell the outcomes that are events in the original."""
        out, shifts, changes = self.outcomes, self.outcomes.shifts, self.outcomes.tie_changes
        return {
            "start": self._activities(out.starts.affordance, out.starts.object),
            "finish": self._activities(out.finishes.affordance, out.finishes.object)
            + self._activities(out.early_finishes.affordance, out.early_finishes.object),
            "abort": [
                row
                for row in self._activities(out.aborts.affordance, out.aborts.object)
                if out.aborts.reason[self.names.index(row[0])] in (Abort.RELEASED, Abort.UTILITY_OFF)
            ],
            "conflict": self._conflicts(),
            "handover": [
                (self.names[a], self.names[b], list(OBJECTS)[out.handovers.object[a]])
                for a, b in enumerate(out.handovers.successor)
                if b != NOBODY
            ],
            "chat": [
                (self.names[a], self.names[b], round(float(out.chats.quality[a]), 5))
                for a, b in enumerate(out.chats.listener)
                if b != NOBODY and out.chats.ok[a]
            ],
            "failed_chat": [
                (self.names[a], self.names[b])
                for a, b in enumerate(out.chats.listener)
                if b != NOBODY and not out.chats.ok[a]
            ],
            "shared_meal": [(self._group(row),) for row in changes.shared_meal if row.any()],
            "late_start": self._agents(shifts.late_told),
            "absent": self._agents(shifts.absent_told),
            "departed_early": self._agents(shifts.departed),
            "helped": self._groups(shifts.helped),
            "took_shift": self._groups(shifts.took_shift),
            "exit": [
                (self.names[slot], ExitRoute(int(route)).name)
                for slot, route in enumerate(out.exit_queue.route)
                if route != ExitRoute.NONE
            ],
            "arrival": self._agents(out.arrivals.arrived),
            "relocated": self._agents(out.shocks.relocated != NOBODY),
        }

    def _activities(self, affordances: Any, objects: Any) -> list[Any]:
        words = self.replay.names.affordances
        return [
            (self.names[slot], list(OBJECTS)[objects[slot]], words[k])
            for slot, k in enumerate(affordances)
            if k != NOBODY
        ]

    def _conflicts(self) -> list[Any]:
        ghosts = self.outcomes.conflicts
        return [
            (
                self.names[slot], self.names[rival], list(OBJECTS)[ghosts.object_ghost[slot]],
                round(float(ghosts.intensity_ghost[slot]), 5), int(ghosts.length_ghost[slot]),
            )
            for slot, rival in enumerate(ghosts.rival_ghost)
            if rival != NOBODY
        ]  # fmt: skip

    def _agents(self, mask: Any) -> list[Any]:
        return [(self.names[slot],) for slot in np.flatnonzero(mask)]

    def _group(self, row: Any) -> tuple[Any, ...]:
        return tuple(sorted(str(self.names[slot]) for slot in np.flatnonzero(row)))

    def _groups(self, matrix: Any) -> list[Any]:
        return [(self.names[slot], self._group(row)) for slot, row in enumerate(matrix) if row.any()]


def cells_here(recording: Recording, replay: Replay, tick: int) -> Cells:
    """Tell what the town is like at the end of a tick, before those who leave are taken out."""
    return Teller(recording, replay, tick).cells()


def _tile(position: Any) -> tuple[int, int]:
    return int(position[0]), int(position[1])


def _tick(value: Any) -> int | None:
    return None if value == NEVER else int(value)
