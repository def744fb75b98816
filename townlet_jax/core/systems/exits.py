"""Evictions: the exit queue, unpaid rent, old age (MECHANICS 4.6.1). Owns `state.exits`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NEVER, ExitRoute
from townlet_jax.core.enums import Exit as ExitReason
from townlet_jax.core.outcomes import ExitQueue
from townlet_jax.core.params import Params
from townlet_jax.core.state import Exits
from townlet_jax.core.struct import Pytree


class Standing(Pytree):
    """What the judge knows of each agent."""

    alive: Bool[Array, "A"]
    condemned: Bool[Array, "A"]  # an operator's kill takes no room in the queue
    absent_shifts: Int[Array, "A"]
    unpaid_days: Int[Array, "A"]
    age_ticks: Int[Array, "A"]


class _Cases(Pytree):
    """Who may have to leave, and why."""

    queued: Bool[Array, "A"]
    approved: Bool[Array, "A"]
    broke: Bool[Array, "A"]
    old: Bool[Array, "A"]


class _Verdict(Pytree):
    """Reasons and routes while they are being decided."""

    reason: Int[Array, "A"]
    route: Int[Array, "A"]


@arrays.unit
def judge(
    params: Params,
    exits: Exits,
    *,
    standing: Standing,
    daily_exit_cap: Int[Array, ""],
    quiet: Bool[Array, ""],
    tick: Int[Array, ""],
) -> tuple[Exits, ExitQueue, Int[Array, "A"]]:
    """Fill the exit queue and decide who is evicted; also return the Exit reason of each agent, NONE for most."""
    exits, pending, overflow = _ask(params, exits, standing=standing, tick=tick)
    free_to_judge = standing.alive & ~standing.condemned & ~quiet
    queued = free_to_judge & (exits.asked_tick != NEVER)
    approved = free_to_judge & exits.approved
    broke = free_to_judge & (params.economy.rent_per_day > 0)
    broke = broke & (standing.unpaid_days >= params.economy.max_unpaid_days)
    max_age = params.lifecycle.max_age_days
    old = free_to_judge & (max_age > 0) & (standing.age_ticks >= max_age * params.clock.ticks_per_day)
    none = jnp.zeros_like(standing.unpaid_days)

    def decide(_: _Verdict, cases: _Cases) -> _Verdict:
        return _decide(params, exits, cases, cap=daily_exit_cap, tick=tick)

    verdict = _Verdict(reason=none, route=none)
    cases = _Cases(queued=queued, approved=approved, broke=broke, old=old)
    verdict = arrays.only_if(jnp.any(queued | approved | broke | old), decide, verdict, cases)
    amount = arrays.count(verdict.reason != ExitReason.NONE)
    queue = ExitQueue(pending=pending, overflow=overflow, route=verdict.route)
    return exits.replace(exits_today=exits.exits_today + amount), queue, verdict.reason


def _ask(
    params: Params, exits: Exits, *, standing: Standing, tick: Int[Array, ""]
) -> tuple[Exits, Bool[Array, "A"], Bool[Array, "A"]]:
    """Enter agents with too many absences into the queue, even while it is quiet."""
    rules = params.employment
    asked = standing.alive & (exits.asked_tick != NEVER)
    bad = rules.enforce_job_loop & (rules.max_absent_shifts > 0) & (standing.absent_shifts >= rules.max_absent_shifts)
    pending = standing.alive & bad & ~asked
    length = arrays.count(asked) + arrays.rank(pending) + 1
    overflow = pending & (rules.exit_queue_limit > 0) & (length > rules.exit_queue_limit)
    return exits.replace(asked_tick=jnp.where(pending, tick, exits.asked_tick)), pending, overflow


def _decide(
    params: Params,
    exits: Exits,
    cases: _Cases,
    *,
    cap: Int[Array, ""],
    tick: Int[Array, ""],
) -> _Verdict:
    """Go through sub-steps 2 to 6; every exit takes room of the daily cap, manual and review exits never lack it."""
    queued, approved = cases.queued, cases.approved
    reviewed = queued & ~approved & (tick - exits.asked_tick >= params.employment.review_ticks)
    unlimited = arrays.LARGEST
    room = jnp.where(cap == 0, unlimited, cap - exits.exits_today)
    room = room - arrays.count(approved | reviewed)
    line = queued & ~approved & ~reviewed
    slots = arrays.indices(line)
    earlier = (exits.asked_tick[None, :] < exits.asked_tick[:, None]) | (
        (exits.asked_tick[None, :] == exits.asked_tick[:, None]) & (slots[None, :] < slots[:, None])
    )
    capped = line & (arrays.count(line[None, :] & earlier) < room)
    room = room - arrays.count(capped)
    fired = approved | reviewed | capped
    rent = cases.broke & ~fired
    rent = rent & (arrays.rank(rent) < room)
    room = room - arrays.count(rent)
    age = cases.old & ~fired & ~rent
    age = age & (arrays.rank(age) < room)
    reason = jnp.where(age, ExitReason.AGE_OUT, ExitReason.NONE)
    reason = jnp.where(rent, ExitReason.EVICTION_RENT, reason)
    reason = jnp.where(fired, ExitReason.EVICTION_JOB, reason)
    route = jnp.where(capped, ExitRoute.DAILY_CAP, ExitRoute.NONE)
    route = jnp.where(reviewed, ExitRoute.AUTO_REVIEW, route)
    route = jnp.where(approved, ExitRoute.MANUAL, route)
    return _Verdict(reason=reason, route=route)


def midnight(exits: Exits, *, is_night: Bool[Array, ""]) -> Exits:
    """Start a new day of exits."""
    return exits.replace(exits_today=jnp.where(is_night, 0, exits.exits_today))


def clear(exits: Exits, *, gone: Bool[Array, "A"]) -> Exits:
    """Empty the slots of those that left."""
    return exits.replace(asked_tick=jnp.where(gone, NEVER, exits.asked_tick), approved=exits.approved & ~gone)
