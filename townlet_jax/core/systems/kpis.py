"""Lifetime counters and the measures of a tick (MECHANICS 2.2, 9.1). Owns `state.tally`."""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import (
    NEVER,
    NOBODY,
    NUM_ABORTS,
    NUM_COUNTERS,
    NUM_EXITS,
    NUM_KINDS,
    NUM_REASONS,
    Counter,
    Reason,
    ShiftFlag,
)
from townlet_jax.core.outcomes import Conflicts, Measures, Outcomes, Rewards
from townlet_jax.core.params import AffordanceParams, Params
from townlet_jax.core.state import Employment, Tally, TownState


@arrays.unit
def count_up(
    table: AffordanceParams,
    tally: Tally,
    *,
    acting: Bool[Array, "A"],
    employment: Employment,
    outcomes: Outcomes,
) -> Tally:
    """Add the tick to the lifetime counters of each individual (2.2)."""
    shifts, trades, chats, verdicts = outcomes.shifts, outcomes.trades, outcomes.chats, outcomes.verdicts
    refused = acting & (verdicts.reason != Reason.NONE) & (verdicts.reason != Reason.WAITING)
    talked = chats.listener != NOBODY
    begun = arrays.take(table.count_start, outcomes.starts.affordance, NOBODY)
    ended = arrays.take(table.count_finish, outcomes.finishes.affordance, NOBODY)
    made = jnp.rint(arrays.total(outcomes.finishes.produced)).astype(jnp.int32)
    amount = jnp.where(ended == Counter.MEALS_COOKED, made, 1)
    conflicts = _conflicts(outcomes.conflicts)
    events = (
        (Counter.WAGE_TICKS, arrays.has_bit(employment.flags, ShiftFlag.ON_SHIFT)),
        (Counter.LATE_SHIFTS, shifts.fined),
        (Counter.ABSENT_SHIFTS, shifts.absent_told),
        (Counter.CHATS_OK, talked & chats.ok),
        (Counter.CHATS_FAILED, talked & ~chats.ok),
        (Counter.HELPED, jnp.any(shifts.helped, axis=-1)),
        (Counter.REFUSED, refused),
        (Counter.BUMPED, outcomes.moves.bumped),
    )
    bits = functools.reduce(jnp.bitwise_or, (jnp.where(event, 1 << counter, 0) for counter, event in events))
    bits, begun, ended, amount, conflicts = arrays.settled((bits, begun, ended, amount, conflicts))
    counters = jnp.arange(NUM_COUNTERS, dtype=jnp.int32)
    count = tally.count + ((bits[:, None] >> counters) & 1)
    count = count + jnp.where(begun[:, None] == counters, 1, 0)
    count = count + jnp.where(ended[:, None] == counters, amount[:, None], 0)
    count = count + jnp.where(counters == Counter.CONFLICTS, conflicts[:, None], 0)
    return Tally(
        count=count,
        earned=tally.earned + shifts.paid,
        withheld=tally.withheld + shifts.withheld,
        spent=tally.spent + outcomes.starts.cost + trades.rent_paid,
    )


def _conflicts(conflicts: Conflicts) -> Int[Array, "A"]:
    """Count the conflict records each agent appears in, as actor or as rival."""
    amount = jnp.zeros_like(conflicts.rival_ghost)
    for rival in (conflicts.rival_ghost, conflicts.rival_wait):
        there = rival != NOBODY
        amount = (amount + there.astype(jnp.int32)).at[arrays.drop_unless(there, rival)].add(1, mode="drop")
    return amount


def clear(tally: Tally, *, gone: Bool[Array, "A"]) -> Tally:
    """Empty the slots of those that left."""

    def forget(count: Int[Array, "A C"], who: Bool[Array, "A"]) -> Int[Array, "A C"]:
        return arrays.where_rows(who, 0, count)

    return Tally(
        count=arrays.only_if(jnp.any(gone), forget, tally.count, gone),
        earned=jnp.where(gone, 0.0, tally.earned),
        withheld=jnp.where(gone, 0.0, tally.withheld),
        spent=jnp.where(gone, 0.0, tally.spent),
    )


@arrays.unit
def measure(
    params: Params, state: TownState, *, outcomes: Outcomes, acting: Bool[Array, "A"], switched: Bool[Array, "A"]
) -> Measures:
    """Sum the tick up over the town; `state` is the town after judge and before leave (9.1)."""
    alive = state.roster.alive
    amount = arrays.count(alive)
    conflicts, chats, shifts, trades = outcomes.conflicts, outcomes.chats, outcomes.shifts, outcomes.trades
    ghost, wait = conflicts.rival_ghost != NOBODY, conflicts.rival_wait != NOBODY
    talked_well = (chats.listener != NOBODY) & chats.ok
    lengths = _queue_lengths(params, state)
    num_present = jnp.maximum(jnp.sum(params.world.present, dtype=jnp.int32), 1)
    pairs = alive[:, None] & alive[None, :] & ~jnp.eye(alive.shape[0], dtype=bool)
    ties = state.ties
    known = (ties.trust != 0) | (ties.familiarity != 0) | (ties.rivalry != 0)
    num_affordances = params.affordances.duration.shape[0]
    rewards = outcomes.rewards
    return Measures(
        alive=amount,
        need_mean=jnp.stack([_mean(column, alive) for column in state.needs.level.T]),
        need_min=_least(state.needs.level, alive),
        wallet_mean=_mean(state.economy.wallet, alive),
        wallet_min=_least(state.economy.wallet[:, None], alive)[0],
        wallet_gini=_gini(state.economy.wallet, alive),
        conflicts=arrays.count(ghost) + arrays.count(wait),
        conflict_intensity=jnp.sum(conflicts.intensity_ghost) + jnp.sum(conflicts.intensity_wait),
        ghost_steps=arrays.count(ghost),
        impatience=arrays.count(wait),
        handovers=arrays.count(outcomes.handovers.successor != NOBODY),
        rotations=arrays.count(outcomes.handovers.rotated) + arrays.count(ghost),
        cooldown_refusals=_amount(outcomes.verdicts.reason == Reason.COOLDOWN),
        queue_length_mean=jnp.sum(lengths).astype(jnp.float32) / num_present.astype(jnp.float32),
        queue_length_max=jnp.max(lengths),
        chats_ok=_amount(talked_well),
        chats_failed=_amount((chats.listener != NOBODY) & ~chats.ok),
        chat_quality=_mean(chats.quality, talked_well),
        shared_meals=jnp.sum(outcomes.tie_changes.shared_meal, dtype=jnp.int32),
        late_help=jnp.sum(shifts.helped, dtype=jnp.int32),
        shifts_taken=jnp.sum(shifts.took_shift, dtype=jnp.int32),
        late_starts=_amount(shifts.late_told),
        absences=_amount(shifts.absent_told),
        departures_early=_amount(shifts.departed),
        on_shift=_amount(arrays.has_bit(state.employment.flags, ShiftFlag.ON_SHIFT)),
        wages_paid=jnp.sum(shifts.paid),
        wages_withheld=jnp.sum(shifts.withheld),
        fines=jnp.sum(shifts.fine_taken),
        coins_spent=jnp.sum(outcomes.starts.cost),
        rent_paid=jnp.sum(trades.rent_paid),
        rent_unpaid=_amount(trades.rent_unpaid),
        starts=_histogram(outcomes.starts.affordance, num_affordances),
        finishes=_histogram(outcomes.finishes.affordance, num_affordances),
        aborts=_events(outcomes.aborts.reason, NUM_ABORTS),
        refusals=_events(jnp.where(acting, outcomes.verdicts.reason, Reason.NONE), NUM_REASONS),
        restocked=jnp.sum(trades.restocked, axis=0),
        stock=jnp.sum(state.economy.stock, axis=0),
        basket_cost=trades.basket_cost,
        exits=_events(outcomes.departures.reason, NUM_EXITS),
        arrivals=_amount(outcomes.arrivals.arrived),
        forced_reuses=outcomes.arrivals.forced_reuses,
        active_perturbations=_amount(state.perturbations.until_tick != NEVER),
        reward_mean=_mean(rewards.total, acting),
        reward_min=_least(rewards.total[:, None], acting)[0],
        reward_max=-_least(-rewards.total[:, None], acting)[0],
        terms=jnp.stack([_mean(term, acting) for term in _terms(rewards)]),
        trust_mean=_mean(ties.trust, pairs),
        familiarity_mean=_mean(ties.familiarity, pairs),
        rivalry_mean=_mean(ties.rivalry, pairs),
        rivalry_max=jnp.max(jnp.where(pairs, ties.rivalry, 0.0)),
        known_ties=jnp.sum(pairs & known, dtype=jnp.int32),
        switches=_amount(acting & switched),
        actions=_histogram(jnp.where(acting, outcomes.verdicts.kind, NOBODY), NUM_KINDS),
    )


def _terms(rewards: Rewards) -> tuple[Float[Array, "A"], ...]:
    """The nine terms in the order of 4.6.2."""
    return (
        rewards.survival,
        rewards.needs_penalty,
        rewards.social_bonus,
        rewards.social_penalty,
        rewards.social_avoidance,
        rewards.wage,
        rewards.punctuality,
        rewards.shaping,
        rewards.terminal,
    )


def _amount(mask: Bool[Array, "n"]) -> Int[Array, ""]:
    return arrays.count(mask)


def _mean(values: Float[Array, "*n"], mask: Bool[Array, "*n"]) -> Float[Array, ""]:
    amount = jnp.sum(mask, dtype=jnp.int32).astype(jnp.float32)
    return jnp.sum(jnp.where(mask, values, 0.0)) / jnp.maximum(amount, 1.0)


def _least(values: Float[Array, "A n"], mask: Bool[Array, "A"]) -> Float[Array, "n"]:
    least = jnp.min(jnp.where(mask[:, None], values, jnp.inf), axis=0)
    return jnp.where(jnp.any(mask), least, 0.0)


def _gini(wallet: Float[Array, "A"], alive: Bool[Array, "A"]) -> Float[Array, ""]:
    """Return sum_ij |w_i - w_j| / (2 n^2 mean), 0 if the mean is 0."""
    both = alive[:, None] & alive[None, :]
    gaps = jnp.sum(jnp.where(both, jnp.abs(wallet[:, None] - wallet[None, :]), 0.0))
    amount = arrays.count(alive).astype(jnp.float32)
    scale = 2.0 * amount * amount * _mean(wallet, alive)
    return jnp.where(scale > 0, gaps / jnp.where(scale > 0, scale, 1.0), 0.0)


def _events(codes: Int[Array, "A"], size: int) -> Int[Array, "size"]:
    """Count codes; code 0 means that nothing happened and stays 0."""
    return _histogram(jnp.where(codes == 0, NOBODY, codes), size)


def _histogram(codes: Int[Array, "A"], size: int) -> Int[Array, "size"]:
    bins = jnp.arange(size, dtype=jnp.int32)
    return arrays.count(codes[None, :] == bins[:, None])


def _queue_lengths(params: Params, state: TownState) -> Int[Array, "O"]:
    waiting = state.queues.waiting
    lengths = jnp.zeros(params.world.present.shape[0], jnp.int32)
    return lengths.at[arrays.drop_unless(waiting != NOBODY, waiting)].add(1, mode="drop")
