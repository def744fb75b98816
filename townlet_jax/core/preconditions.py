"""Preconditions: facts compared with constants, in disjunctive normal form (MECHANICS 14.5). Owns nothing.

Only the facts that a town's preconditions mention are ever computed (`AffordanceParams.facts`).
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import EPSILON, NOBODY, NUM_COUNTERS, NUM_NEEDS, Operator
from townlet_jax.core.params import Params
from townlet_jax.core.struct import Pytree

FIRST_COUNTER = 14
FIRST_GOOD = FIRST_COUNTER + NUM_COUNTERS


class Facts(Pytree):
    """What preconditions may read."""

    level: Float[Array, "A N"]
    wallet: Float[Array, "A"]
    on_shift: Bool[Array, "A"]
    attendance_ratio: Float[Array, "A"]
    withheld: Float[Array, "A"]
    phase: Int[Array, "A"]
    job: Int[Array, "A"]
    born_tick: Int[Array, "A"]
    unpaid_days: Int[Array, "A"]
    home: Int[Array, "A"]
    count: Int[Array, "A C"]
    stock: Float[Array, "O G"]
    queue_length: Int[Array, "O"]
    holder: Int[Array, "O"]
    cost: Float[Array, "K"]
    utility_on: Bool[Array, "U"]
    tick: Int[Array, ""]
    tick_of_day: Int[Array, ""]
    day: Int[Array, ""]


def hold(
    params: Params, facts: Facts, *, object: Int[Array, "A"], affordance: Int[Array, "A"]
) -> tuple[Bool[Array, "A"], Int[Array, "A"]]:
    """Tell whether the preconditions of (object[a], affordance[a]) hold for each agent a.

    The second result is the index of the first false clause of the first alternative, -1 if there is none.
    Indices outside the tables count as object 0, affordance 0: callers mask those rows.
    """
    table = params.affordances
    row = jnp.clip(affordance, 0, table.duration.shape[0] - 1)
    target = jnp.clip(object, 0, facts.holder.shape[0] - 1)
    which = table.clause_fact[row].astype(jnp.int32)
    value = jnp.zeros(which.shape, jnp.float32)
    for i, fact in enumerate(table.facts):
        column = _fact(params, facts, fact, target, row).astype(jnp.float32)
        value = jnp.where(which == i, column[:, None, None], value)
    used = table.clause_used[row]
    true = _compare(value, table.clause_operator[row].astype(jnp.int32), table.clause_constant[row])
    alternative = jnp.all(true | ~used, axis=-1) & used[..., 0]
    unconditional = ~jnp.any(used[..., 0], axis=-1)
    return jnp.any(alternative, axis=-1) | unconditional, arrays.first_true(used[:, 0] & ~true[:, 0])


def _compare(
    x: Float[Array, "A alternatives clauses"],
    operator: Int[Array, "A alternatives clauses"],
    constant: Float[Array, "A alternatives clauses"],
) -> Bool[Array, "A alternatives clauses"]:
    equal = jnp.abs(x - constant) <= jnp.float32(EPSILON)
    results = (
        (Operator.EQ, equal),
        (Operator.NE, ~equal),
        (Operator.LT, x < constant),
        (Operator.LE, arrays.at_most(x, constant)),
        (Operator.GT, x > constant),
        (Operator.GE, arrays.at_least(x, constant)),
    )
    outcome = jnp.zeros(x.shape, bool)
    for code, result in results:
        outcome = outcome | ((operator == code) & result)
    return outcome


def _fact(params: Params, facts: Facts, fact: int, object: Int[Array, "A"], affordance: Int[Array, "A"]) -> Array:
    """Return one fact, a value for each agent; ids as in the table of 14.5."""
    num_goods = facts.stock.shape[1]
    if fact < FIRST_COUNTER:
        return _agent_fact(params, facts, fact, object)
    if fact < FIRST_GOOD:
        return facts.count[:, fact - FIRST_COUNTER]
    if fact < FIRST_GOOD + num_goods:
        return facts.stock[object, fact - FIRST_GOOD]
    return _place_fact(params, facts, fact - FIRST_GOOD - num_goods, object, affordance)


def _agent_fact(params: Params, facts: Facts, fact: int, object: Int[Array, "A"]) -> Array:
    if fact == 0:
        return jnp.ones_like(facts.wallet)
    if fact <= NUM_NEEDS:
        return facts.level[:, fact - 1]
    kind = params.world.object_type[object]
    columns: dict[int, Array] = {
        4: facts.wallet,
        5: facts.on_shift,
        6: facts.count[:, 7],
        7: facts.attendance_ratio,
        8: facts.withheld,
        9: facts.phase,
        10: facts.job,
        11: facts.tick - facts.born_tick,
        12: facts.unpaid_days,
        13: params.world.home_object[facts.home, kind] == object,
    }
    return columns[fact]


def _place_fact(params: Params, facts: Facts, fact: int, object: Int[Array, "A"], affordance: Int[Array, "A"]) -> Array:
    holder = facts.holder[object]
    everybody = jnp.zeros_like(object)
    columns: dict[int, Array] = {
        0: params.world.capacity[object],
        1: facts.queue_length[object],
        2: holder != NOBODY,
        3: (holder != NOBODY) & (holder != arrays.indices(object)),
        4: everybody + facts.tick,
        5: everybody + facts.tick_of_day,
        6: everybody + facts.day,
        7: facts.cost[affordance],
    }
    return columns[fact] if fact in columns else jnp.broadcast_to(facts.utility_on[fact - 8], object.shape)
