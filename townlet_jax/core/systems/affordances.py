"""What runs on held objects (MECHANICS 4.2.3, 4.2.6, 4.3.1-4.3.3). Owns `state.activities`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, choose, preconditions
from townlet_jax.core.enums import NOBODY, Kind, Reason, Sink
from townlet_jax.core.outcomes import EarlyFinishes, Finishes, Starts
from townlet_jax.core.params import AffordanceParams, Params
from townlet_jax.core.preconditions import Facts
from townlet_jax.core.state import Activities
from townlet_jax.core.struct import Pytree

_RELEASING = (
    Reason.CLOSED,
    Reason.UTILITY_OFF,
    Reason.NO_CAPACITY,
    Reason.NO_GOODS,
    Reason.NO_MONEY,
    Reason.PRECONDITION,
)


class StartVerdicts(Pytree):
    """What the tests of a start came to."""

    tried: Bool[Array, "A"]  # START, or USE by a holder
    reason: Int[Array, "A"]
    detail: Int[Array, "A"]  # first false clause, -1
    loses_hold: Bool[Array, "A"]  # refused in a way that frees the object


def costs(affordances: AffordanceParams, price_now: Float[Array, "P"]) -> Float[Array, "K"]:
    """Return the price of each affordance in coins: cost[k] = sum_p price_weight[k, p] * price_now[p]."""
    return arrays.total(affordances.price_weight * price_now)


def stop(activities: Activities, who: Bool[Array, "A"]) -> Activities:
    """End what some agents run, without effect."""
    return Activities(
        affordance=jnp.where(who, NOBODY, activities.affordance), remaining=jnp.where(who, 0, activities.remaining)
    )


@arrays.unit
def finish_early(
    params: AffordanceParams, activities: Activities, *, early: Bool[Array, "A"], object: Int[Array, "A"]
) -> tuple[EarlyFinishes, Float[Array, "A N"]]:
    """Tell what a successful release in the middle gives: the effect in proportion to the time spent."""
    row = jnp.clip(activities.affordance, 0, params.duration.shape[0] - 1)
    duration = params.duration[row]
    fraction = (duration - activities.remaining).astype(jnp.float32) / duration.astype(jnp.float32)
    fraction = jnp.where(early, fraction, 0.0)
    outcome = EarlyFinishes(
        object=jnp.where(early, object, NOBODY),
        affordance=jnp.where(early, activities.affordance, NOBODY),
        fraction=fraction,
    )
    return outcome, params.need_effect[row] * fraction[:, None]


@arrays.unit
def start(
    params: Params,
    activities: Activities,
    *,
    kind: Int[Array, "A"],
    object: Int[Array, "A"],
    affordance: Int[Array, "A"],
    holding: Int[Array, "A"],
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    facts: Facts,
) -> tuple[Activities, Starts, StartVerdicts]:
    """Start affordances on held objects; the first failing test of 4.2.6 gives the reason."""
    tried = (kind == Kind.START) | ((kind == Kind.USE) & (holding == object))
    reason, detail = _refusal(
        params,
        activities,
        object=object,
        affordance=affordance,
        holding=holding,
        position=position,
        closed=closed,
        facts=facts,
    )
    reason = jnp.where(tried, reason, Reason.NONE)
    begun = tried & (reason == Reason.NONE)
    row = jnp.clip(affordance, 0, params.affordances.duration.shape[0] - 1)
    frees = jnp.zeros_like(tried)
    for code in _RELEASING:
        frees = frees | (reason == code)
    starts = Starts(
        affordance=jnp.where(begun, affordance, NOBODY),
        object=jnp.where(begun, object, NOBODY),
        cost=jnp.where(begun, facts.cost[row], 0.0),
    )
    verdicts = StartVerdicts(
        tried=tried,
        reason=reason,
        detail=jnp.where(reason == Reason.PRECONDITION, detail, NOBODY),
        loses_hold=frees,
    )
    return (
        Activities(
            affordance=jnp.where(begun, affordance, activities.affordance),
            remaining=jnp.where(begun, jnp.maximum(1, params.affordances.duration[row]), activities.remaining),
        ),
        starts,
        verdicts,
    )


def _refusal(
    params: Params,
    activities: Activities,
    *,
    object: Int[Array, "A"],
    affordance: Int[Array, "A"],
    holding: Int[Array, "A"],
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    facts: Facts,
) -> tuple[Int[Array, "A"], Int[Array, "A"]]:
    """Return the reason of the first failing test, tests written last to first, and the failing clause."""
    table, world = params.affordances, params.world
    row = jnp.clip(affordance, 0, table.duration.shape[0] - 1)
    target = jnp.clip(object, 0, closed.shape[0] - 1)
    conditions, detail = preconditions.hold(params, facts, object=object, affordance=affordance)
    in_range = choose.chebyshev(position, world.tile[target]) <= world.interaction_range
    tests = (
        (Reason.PRECONDITION, conditions),
        (Reason.NO_MONEY, arrays.at_least(facts.wallet, facts.cost[row])),
        (Reason.NO_GOODS, jnp.all(facts.stock[target] >= table.consume[row], axis=-1)),
        (Reason.NO_CAPACITY, world.capacity[target] >= table.slot_use[row]),
        (Reason.UTILITY_OFF, powered(table, facts.utility_on)[row]),
        (Reason.OUT_OF_RANGE, in_range),
        (Reason.CLOSED, ~closed[target]),
        (Reason.BUSY, activities.affordance == NOBODY),
        (Reason.NOT_HOLDER, holding == object),
        (Reason.WRONG_TYPE, world.object_type[target] == table.object_type[row]),
        (Reason.BAD_INDEX, world.present[target]),
    )
    reason = jnp.zeros_like(object)
    for code, passed in tests:
        reason = jnp.where(passed, reason, code)
    return reason, detail


def powered(table: AffordanceParams, utility_on: Bool[Array, "U"]) -> Bool[Array, "K"]:
    """Tell which affordances have all their utilities."""
    return jnp.all(utility_on | ~table.utility, axis=-1)


def interrupted(params: AffordanceParams, activities: Activities, *, utility_on: Bool[Array, "U"]) -> Bool[Array, "A"]:
    """Tell whose affordance lacks a utility (4.3.1)."""
    return ~arrays.take(powered(params, utility_on), activities.affordance, True)


@arrays.unit
def run(
    params: Params,
    activities: Activities,
    *,
    holding: Int[Array, "A"],
    home: Int[Array, "A"],
    early_delta: Float[Array, "A N"],
) -> tuple[Activities, Finishes]:
    """Let a tick pass; finish what is over: effects on needs, goods to their sinks (4.3.2, 4.3.3)."""
    running = choose.busy(activities)
    remaining = jnp.where(running, activities.remaining - 1, 0)
    done = running & (remaining <= 0)
    table = params.affordances
    row = jnp.clip(activities.affordance, 0, table.duration.shape[0] - 1)
    produced = jnp.where(done[:, None], table.produce[row], 0.0)
    target = jnp.clip(holding, 0, params.world.link.shape[0] - 1)
    where_to = table.sink[row][:, None]
    sink = jnp.where(where_to == Sink.SELF, holding[:, None], NOBODY)
    sink = jnp.where(where_to == Sink.LINKED, params.world.link[target], sink)
    sink = jnp.where(where_to == Sink.HOME, params.world.home_store[home], sink)
    sink = jnp.where(produced > 0, sink, NOBODY)
    finishes = Finishes(
        affordance=jnp.where(done, activities.affordance, NOBODY),
        object=jnp.where(done, holding, NOBODY),
        need_delta=early_delta + jnp.where(done[:, None], table.need_effect[row], 0.0),
        produced=jnp.where(sink != NOBODY, produced, 0.0),
        sink=sink,
    )
    return stop(activities.replace(remaining=remaining), done), finishes
