"""What must be true of a town between two ticks, whatever happened in it (MECHANICS 16.2, as far as a state tells).

Owns the names of the invariants and one jitted function that looks at all towns at once. What needs outcomes (coins,
goods, verdicts, steps: 6, 7, 12, 14) is proved tick by tick by `tests/test_invariants.py`.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Shaped

from townlet_jax.core.enums import NEVER, NOBODY, Kind, Phase
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState

Truth = Bool[Array, ""]
_SHOWN = 5  # towns that are named


@dataclass(frozen=True, kw_only=True)
class Violation:
    """An invariant that some towns broke during the ticks of a chunk."""

    invariant: str
    towns: tuple[int, ...]
    first_tick: int
    last_tick: int

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.towns[:_SHOWN]))
        more = f" and {len(self.towns) - _SHOWN:,} more" if len(self.towns) > _SHOWN else ""
        towns = f"town{'s' * (len(self.towns) > 1)} {shown}{more}"
        ticks = f"ticks {self.first_tick} to {self.last_tick}"
        return f"the invariant '{self.invariant}' (MECHANICS 16.2) is broken in {towns} after {ticks}"


def violations(
    params: Params,
    states: TownState,
    *,
    first_tick: int,
    last_tick: int,
    ordered_until: Int[np.ndarray, "T V"],
) -> list[Violation]:
    """Return what is broken in any town after a chunk; `ordered_until` as in `holding`."""
    answers = jax.device_get(_over_towns(params, states, np.int32(last_tick), ordered_until))
    return [
        Violation(
            invariant=name, towns=tuple(np.flatnonzero(~kept).tolist()), first_tick=first_tick, last_tick=last_tick
        )
        for name, kept in answers.items()
        if not kept.all()
    ]


@jax.jit
def _over_towns(
    params: Params, states: TownState, tick: Int[Array, ""], ordered_until: Int[Array, "T V"]
) -> Mapping[str, Bool[Array, "T"]]:
    return jax.vmap(holding, in_axes=(None, 0, None, 0))(params, states, tick, ordered_until)


def holding(
    params: Params, state: TownState, tick: Int[Array, ""], ordered_until: Int[Array, "V"]
) -> Mapping[str, Truth]:
    """Return which invariants hold in one town after `tick`.

    `ordered_until` is the last tick at which an event that an operator ordered may still run, NEVER if there is none:
    such events do not count for the limit of concurrent ones.
    """
    parts = (_bounds, _engagements, _queues, _places, _vacancies, _ties, _identities, _work)
    kept = functools.reduce(lambda found, part: {**found, **part(params, state)}, parts, dict[str, Truth]())
    return kept | _events(params, state, ordered_until) | {"clock": jnp.all(state.clock.tick == tick)}


def _bounds(params: Params, state: TownState) -> dict[str, Truth]:
    numbers = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    ledger, clock, day = state.ledger, state.clock, params.clock.ticks_per_day
    cap = params.reward.clip_per_episode
    return {
        "no NaN": ~functools.reduce(jnp.logical_or, [jnp.any(jnp.isnan(leaf)) for leaf in numbers]),
        "needs in [0, 1]": _within(state.needs.level, 0.0, 1.0),
        "wallets at least 0": jnp.all(state.economy.wallet >= 0),
        "stock at least 0": jnp.all(state.economy.stock >= 0),
        "returns within the cap": jnp.all(jnp.abs(ledger.episode_return) <= cap),
        "episode ticks within the day": jnp.all((clock.episode_tick >= 0) & (clock.episode_tick < day)),
        "counters at least 0": jnp.all(state.tally.count >= 0),
        "no faults": state.faults == 0,
    }


def _engagements(params: Params, state: TownState) -> dict[str, Truth]:
    line, running, alive = state.queues, state.activities, state.roster.alive
    holds, waits, runs = line.holding != NOBODY, line.waiting != NOBODY, running.affordance != NOBODY
    row = jnp.maximum(running.affordance, 0)
    length = params.affordances.duration[row]
    fits = params.affordances.object_type[row] == params.world.object_type[jnp.maximum(line.holding, 0)]
    remaining = jnp.where(runs, (running.remaining >= 1) & (running.remaining <= length), running.remaining == 0)
    return {
        "one holder an object": _distinct(line.holding, holds),
        "engaged with one object": ~jnp.any(holds & waits),
        "the engaged live": ~jnp.any((holds | waits) & ~alive),
        "running means holding": ~jnp.any(runs & ~holds),
        "remaining ticks within the duration": jnp.all(remaining),
        "affordance fits its object": jnp.all(fits | ~runs),
        "stalls only of holders": jnp.all((line.stalls >= 0) & (holds | (line.stalls == 0))),
    }


def _queues(params: Params, state: TownState) -> dict[str, Truth]:
    del params
    line, tick = state.queues, state.clock.tick
    waits = line.waiting != NOBODY
    pair = _pairs(line.waiting, waits) & (line.ticket[:, None] == line.ticket[None, :])
    joined = jnp.where(waits, (line.joined_tick != NEVER) & (line.joined_tick <= tick), line.joined_tick == NEVER)
    return {
        "distinct tickets": ~jnp.any(pair),
        "joined in the past": jnp.all(joined),
        "tickets only of the waiting": jnp.all(waits | (line.ticket == 0)),
    }


def _places(params: Params, state: TownState) -> dict[str, Truth]:
    roster, blocked = state.roster, params.world.blocked
    height, width = blocked.shape
    x, y = roster.position[:, 0], roster.position[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    free = inside & ~blocked[jnp.clip(y, 0, height - 1), jnp.clip(x, 0, width - 1)]
    home = params.world.home_tile[roster.home]
    return {
        "the living stand on free tiles": jnp.all(free | ~roster.alive),
        "vacant slots are at home": jnp.all((roster.position == home).all(axis=-1) | roster.alive),
    }


def _vacancies(params: Params, state: TownState) -> dict[str, Truth]:
    """Compare vacant slots with the empty values of 2.3."""
    del params
    roster, line, jobs, events = state.roster, state.queues, state.employment, state.perturbations
    empty = {
        "needs": ((state.needs.level, 0.0),),
        "economy": ((state.economy.wallet, 0.0), (state.economy.unpaid_days, 0)),
        "queues": (
            (line.holding, NOBODY), (line.waiting, NOBODY), (line.joined_tick, NEVER), (line.ticket, 0),
            (line.away_ticks, 0), (line.cooldown_until.T, 0),
        ),
        "activities": ((state.activities.affordance, NOBODY),),
        "employment": (
            (jobs.phase, Phase.IDLE), (jobs.shift_start_tick, NEVER), (jobs.last_present_tick, NEVER), (jobs.flags, 0),
            (jobs.on_time_ticks, 0), (jobs.late_ticks, 0), (jobs.late_today, 0), (jobs.shift_paid, 0.0),
            (jobs.shift_withheld, 0.0), (jobs.attendance, -1.0), (jobs.absence_day, NEVER),
        ),
        "exits": ((state.exits.asked_tick, NEVER), (state.exits.approved, False)),
        "ties": (
            (state.ties.chat_ready_tick, 0), (state.ties.last_meal_tick, NEVER),
            *((side, 0.0) for tie in _feelings(state) for side in (tie, tie.T)),
        ),
        "lifecycle": ((state.lifecycle.faint_streak, 0), (state.lifecycle.condemned, 0)),
        "embeddings": ((state.embeddings.slot, NOBODY),),
        "ledger": ((state.ledger.episode_return, 0.0), (state.ledger.potential, 0.0)),
        "tally": (
            (state.tally.count, 0), (state.tally.earned, 0.0), (state.tally.withheld, 0.0), (state.tally.spent, 0.0),
        ),
        "clock": ((state.clock.episode_tick, 0),),
        "roster": (
            (roster.profile, 0), (roster.born_tick, NEVER), (roster.last_kind, Kind.WAIT), (roster.last_ok, False),
            (roster.last_ticks, 0),
        ),
        "perturbations": ((events.agent_cooldown_until, 0), (events.member.T, False)),
    }  # fmt: skip
    return {
        f"vacant slots are empty in {part}": functools.reduce(
            jnp.logical_and, [_all_at(~roster.alive, values == value) for values, value in pairs]
        )
        for part, pairs in empty.items()
    }


def _ties(params: Params, state: TownState) -> dict[str, Truth]:
    trust, familiarity, rivalry = _feelings(state)
    known = (trust != 0) | (familiarity != 0) | (rivalry != 0)
    return {
        "trust in [-1, 1]": _within(trust, -1.0, 1.0),
        "familiarity in [-1, 1]": _within(familiarity, -1.0, 1.0),
        "rivalry in [0, 1]": _within(rivalry, 0.0, 1.0),
        "nobody is tied to itself": ~jnp.any(jnp.diagonal(known)),
        "known ties within max_edges": jnp.all(known.sum(axis=-1) <= params.conflict.max_edges),
    }


def _identities(params: Params, state: TownState) -> dict[str, Truth]:
    unborn = jnp.sum(~params.start.alive, dtype=jnp.int32)  # slots that had a uid to give and nobody to have it
    roster, slot = state.roster, state.embeddings.slot
    named = roster.uid != NOBODY
    return {
        "distinct embedding slots": _distinct(slot, slot != NOBODY),
        "embedding slots of the living": jnp.all((slot != NOBODY) == roster.alive),
        "distinct individuals": _distinct(roster.uid, named),
        "individuals are counted": jnp.all((roster.uid < roster.next_uid) & (named | ~roster.alive)),
        "allocations are arrivals": state.embeddings.allocations + unborn == roster.next_uid,
    }


def _work(params: Params, state: TownState) -> dict[str, Truth]:
    jobs = state.employment
    samples = jnp.all((jobs.attendance == -1) | ((jobs.attendance >= 0) & (jobs.attendance <= 1)))
    length = jnp.where(jobs.job == NOBODY, 0, params.jobs.length[jnp.maximum(jobs.job, 0)])
    counted = jobs.on_time_ticks + jobs.late_ticks
    return {
        "attendance in [0, 1]": samples,
        "no more ticks at work than a shift has": jnp.all((counted <= length) | (jobs.job == NOBODY)),
        "phases exist": jnp.all((jobs.phase >= min(Phase)) & (jobs.phase <= max(Phase))),
    }


def _events(params: Params, state: TownState, ordered_until: Int[Array, "V"]) -> dict[str, Truth]:
    events, tick = state.perturbations, state.clock.tick
    active, queued = events.until_tick != NEVER, events.queued_tick != NEVER
    drawn = active & (ordered_until < tick)
    return {
        "perturbations within max_concurrent": jnp.sum(drawn) <= params.perturbation.max_concurrent,
        "perturbations end in the future": jnp.all(~active | (events.until_tick > tick)),
        "perturbations began in the past": jnp.all(~active | (events.started_tick <= tick)),
        "magnitude 1 when nothing runs": jnp.all(active | (events.magnitude == 1)),
        "members only of events": jnp.all(active[:, None] | queued[:, None] | ~events.member),
    }


def _feelings(state: TownState) -> tuple[Array, Array, Array]:
    return state.ties.trust, state.ties.familiarity, state.ties.rivalry


def _within(values: Shaped[Array, "..."], low: float, high: float) -> Truth:
    return jnp.all((values >= low) & (values <= high))


def _pairs(ids: Int[Array, "A"], counted: Bool[Array, "A"]) -> Bool[Array, "A A"]:
    """Mark pairs of different slots with the same id."""
    same = (ids[:, None] == ids[None, :]) & counted[:, None] & counted[None, :]
    return same & ~jnp.eye(ids.shape[0], dtype=bool)


def _distinct(ids: Int[Array, "A"], counted: Bool[Array, "A"]) -> Truth:
    return ~jnp.any(_pairs(ids, counted))


def _all_at(slots: Bool[Array, "A"], kept: Bool[Array, "A *rest"]) -> Truth:
    """Tell whether everything is kept in the rows of some slots."""
    return jnp.all(kept | ~slots.reshape(slots.shape + (1,) * (kept.ndim - 1)))
