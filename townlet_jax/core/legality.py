"""Which flat actions may succeed in the next tick (MECHANICS 5.3).

Read at the end of tick t for application in t + 1: utilities, closures and prices are those of t.
Functions with an axis `n` answer n questions an agent at once.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, choose, facts, preconditions
from townlet_jax.core.actions import FLAT_MOVE, FLAT_USE, FLAT_WAIT
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.core.systems import affordances, perturbations, queues

_IS_HOME = 13  # fact ids that depend on the object: this one, the goods, and the first after the goods
_OBJECT_FACTS = 4
_UNROLLED = 8  # objects in reach that are compared without a loop
STEP_X = (0, 1, 0, -1)  # by Direction
STEP_Y = (-1, 0, 1, 0)


class Outlook(Pytree):
    """What legality rests on besides the state itself, worked out once for all who ask."""

    tick: Int[Array, ""]  # tick of application, t + 1
    cost: Float[Array, "K"]  # coins
    supplied: Bool[Array, "K"]  # every utility that the affordance needs works
    closed: Bool[Array, "O"]
    crowd: Int[Array, "O"]  # agents that hold or wait
    engaged: Int[Array, "A"]  # object held or waited for, NOBODY
    busy: Bool[Array, "A"]
    asleep: Bool[Array, "A"]
    avoids: Bool[Array, "A A"]
    partner: Int[Array, "A"]  # best partner for a chat, NOBODY
    facts: preconditions.Facts


@arrays.unit
def outlook(params: Params, state: TownState) -> Outlook:
    """Read the town at the end of a tick."""
    factor, utility_on, closed, _ = perturbations.effective(params, state.perturbations)
    cost = affordances.costs(params.affordances, state.controls.price * factor)
    return Outlook(
        tick=state.clock.tick + 1,
        cost=cost,
        supplied=affordances.powered(params.affordances, utility_on),
        closed=closed,
        crowd=choose.crowd(state.queues, closed.shape[0]),
        engaged=queues.engaged_object(state.queues),
        busy=choose.busy(state.activities),
        asleep=choose.asleep(params, state.activities),
        avoids=choose.avoids(params, state.roster.profile, state.ties.rivalry),
        partner=choose.best_partner(params, state.roster, state.ties, state.activities),
        facts=facts.gather(
            params, state, held=state.queues, cost=cost, utility_on=utility_on, tick=state.clock.tick + 1
        ),
    )


def mask(params: Params, state: TownState, look: Outlook) -> Bool[Array, "A X"]:
    """Tell for each slot which flat actions are legal; waiting always is, for a dead slot nothing else is."""
    num_agents = state.roster.alive.shape[0]
    directions = jnp.broadcast_to(jnp.arange(4, dtype=jnp.int32), (num_agents, 4))
    return jnp.concatenate(
        [
            jnp.ones((num_agents, 1), bool),
            can_move(params, state, look, directions),
            uses(params, state, look),
            can_leave(state, look)[:, None],
            can_chat(state, look)[:, None],
        ],
        axis=1,
    )


def uses(params: Params, state: TownState, look: Outlook) -> Bool[Array, "A K"]:
    """Tell which affordances may be used, each on its best object: `can_use` for all of them in one pass.

    The objects in reach of an agent are taken one after the other; each is held against all affordances, and the
    best so far stays, so that nothing is looked up for pairs that do not meet.
    """
    table, near = params.affordances, choose.reachable(params, state.roster.position)
    keys, open_type, ready = choose.object_keys(
        params, state.queues, state.roster.position, look.closed, near, look.tick
    )
    wanted = jnp.where(table.object_type == NOBODY, NOBODY - 1, table.object_type)
    asked = (near == state.queues.holding[:, None]) | (arrays.take(look.crowd, near, 0) == 0)
    met = _met(params, look, near)
    target = jnp.maximum(near, 0)
    found = (
        keys,
        jnp.where(ready, open_type, NOBODY),
        asked,
        params.world.capacity[target],
        state.economy.stock[target],
        met,
    )

    def hold_against(best: tuple[Array, Array], item: tuple[Array, ...]) -> tuple[tuple[Array, Array], None]:
        key, kind, is_asked, capacity, stock, conditions = item
        stocked = capacity[:, None] >= table.slot_use
        for good in range(table.consume.shape[1]):
            stocked = stocked & (stock[:, None, good] >= table.consume[:, good])
        better = (kind[:, None] == wanted) & (key[:, None] < best[0])
        fits = stocked & (conditions | ~is_asked[:, None])
        return (jnp.where(better, key[:, None], best[0]), jnp.where(better, fits, best[1])), None

    shape = (near.shape[0], wanted.shape[0])
    nothing = (jnp.full(shape, arrays.LARGEST, jnp.int32), jnp.zeros(shape, bool))
    items = jax.tree.map(lambda column: jnp.swapaxes(column, 0, 1), found)
    (_, fits), _ = jax.lax.scan(hold_against, nothing, items, unroll=min(near.shape[1], _UNROLLED))
    able = (state.roster.alive & ~look.busy)[:, None] & look.supplied
    return able & fits & _affords(state, jnp.broadcast_to(look.cost, shape))


def _met(params: Params, look: Outlook, near: Int[Array, "A R"]) -> Bool[Array, "A R K"]:
    """Tell for which objects in reach and affordances the preconditions hold."""
    shape = (*near.shape, params.affordances.duration.shape[0])
    if not params.affordances.facts:
        return jnp.ones(shape, bool)
    if not concern_objects(params):
        return jnp.broadcast_to(conditions(params, look)[:, None, :, 0], shape)
    rows = jnp.arange(shape[2], dtype=jnp.int32)

    def at(target: Int[Array, "A"], k: Int[Array, ""]) -> Bool[Array, "A"]:
        return _conditions(params, look, target, jnp.full_like(target, k))

    return jax.vmap(lambda target: jax.vmap(lambda k: at(target, k), out_axes=1)(rows), in_axes=1, out_axes=1)(near)


def best_object(params: Params, state: TownState, look: Outlook, affordance: Int[Array, "A"]) -> Int[Array, "A"]:
    """Return o* of each agent for one affordance each, when applied in the next tick; NOBODY if there is none."""
    return choose.best_object(params, state.queues, state.roster.position, look.closed, affordance, look.tick)


def is_legal(
    params: Params, state: TownState, look: Outlook, action: Int[Array, "A"], target: Int[Array, "A"]
) -> Bool[Array, "A"]:
    """Tell whether one flat action of each agent is legal; `target` is o* of a use, else ignored."""
    num_affordances = params.affordances.duration.shape[0]
    moves = (action >= FLAT_MOVE) & (action < FLAT_USE)
    uses = (action >= FLAT_USE) & (action < FLAT_USE + num_affordances)
    affordance = jnp.where(uses, action - FLAT_USE, NOBODY)
    may_move = can_move(params, state, look, (action - FLAT_MOVE)[:, None])[:, 0]
    may_use = can_use(params, state, look, target[:, None], affordance[:, None])[:, 0]
    return (
        (action == FLAT_WAIT)
        | (moves & may_move)
        | (uses & may_use)
        | ((action == FLAT_USE + num_affordances) & can_leave(state, look))
        | ((action == FLAT_USE + num_affordances + 1) & can_chat(state, look))
    )


def can_move(params: Params, state: TownState, look: Outlook, direction: Int[Array, "A n"]) -> Bool[Array, "A n"]:
    """Tell whether the neighbouring tile is free ground and the agent may walk."""
    may_walk = state.roster.alive & ~(look.busy & params.world.busy_lock)
    return may_walk[:, None] & open_ground(params, state.roster.position[:, None], direction)


def open_ground(params: Params, position: Int[Array, "*n 2"], direction: Int[Array, "*m"]) -> Bool[Array, "*m"]:
    """Tell whether the tile one step away lies on the grid and is not blocked."""
    height, width = params.world.blocked.shape
    x, y = neighbour(position, direction)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside & ~params.world.blocked[jnp.clip(y, 0, height - 1), jnp.clip(x, 0, width - 1)]


def neighbour(position: Int[Array, "*n 2"], direction: Int[Array, "*m"]) -> tuple[Int[Array, "*m"], Int[Array, "*m"]]:
    """Return x and y of the tile one step away; directions outside 0..3 count as the nearest of them."""
    step = jnp.clip(direction, 0, 3)
    x = position[..., 0] + jnp.asarray(STEP_X, jnp.int32)[step]
    y = position[..., 1] + jnp.asarray(STEP_Y, jnp.int32)[step]
    return x, y


def can_use(
    params: Params, state: TownState, look: Outlook, target: Int[Array, "A n"], affordance: Int[Array, "A n"]
) -> Bool[Array, "A n"]:
    """Tell whether an agent may use its best object (`target`, NOBODY: never legal) for an affordance."""
    able = (state.roster.alive & ~look.busy)[:, None] & (target != NOBODY)
    return able & startable(params, state, look, target, affordance)


def startable(
    params: Params, state: TownState, look: Outlook, target: Int[Array, "A n"], affordance: Int[Array, "A n"]
) -> Bool[Array, "A n"]:
    """Tell whether a start would find utilities, capacity, goods and coins, and its preconditions true.

    Preconditions count only where the agent holds the object or nobody holds or waits for it: they may change
    before a queue has moved on.
    """
    affordable = _affords(state, arrays.take(look.cost, affordance, 0.0))
    stocked = in_stock(params, state, look, target, affordance)
    if not params.affordances.facts:
        return stocked & affordable
    if concern_objects(params):
        met = jax.vmap(lambda o, k: _conditions(params, look, o, k), in_axes=1, out_axes=1)(target, affordance)
    else:
        met = jnp.take_along_axis(conditions(params, look)[:, :, 0], jnp.maximum(affordance, 0), axis=1)
    asked = (state.queues.holding[:, None] == target) | (arrays.take(look.crowd, target, 0) == 0)
    return stocked & affordable & (met | ~asked)


def _affords(state: TownState, cost: Float[Array, "A n"]) -> Bool[Array, "A n"]:
    return arrays.at_least(jnp.broadcast_to(state.economy.wallet[:, None], cost.shape), cost)


def concern_objects(params: Params) -> bool:
    """Tell whether any precondition of the town reads the object at hand."""
    after_goods = preconditions.FIRST_GOOD + params.affordances.consume.shape[1]
    return any(
        fact == _IS_HOME or preconditions.FIRST_GOOD <= fact < after_goods + _OBJECT_FACTS
        for fact in params.affordances.facts
    )


def conditions(params: Params, look: Outlook) -> Bool[Array, "A K places"]:
    """Tell for which (agent, affordance, object) preconditions hold; one place for all objects if none reads them."""
    nothing, rows, objects = jnp.zeros_like(look.engaged), arrays.indices(look.cost), arrays.indices(look.closed)
    if not params.affordances.facts:
        return jnp.ones((nothing.shape[0], rows.shape[0], 1), bool)
    places = objects if concern_objects(params) else objects[:1]

    def at(k: Int[Array, ""], o: Int[Array, ""]) -> Bool[Array, "A"]:
        return _conditions(params, look, nothing + o, nothing + k)

    return jax.vmap(lambda k: jax.vmap(lambda o: at(k, o), out_axes=-1)(places), out_axes=1)(rows)


def _conditions(
    params: Params, look: Outlook, target: Int[Array, "A"], affordance: Int[Array, "A"]
) -> Bool[Array, "A"]:
    return preconditions.hold(params, look.facts, object=target, affordance=affordance)[0]


def in_stock(
    params: Params, state: TownState, look: Outlook, target: Int[Array, "*n"], affordance: Int[Array, "*n"]
) -> Bool[Array, "*n"]:
    """Tell whether utilities work, the object has the slots, and the goods are there: the part common to all agents."""
    table = params.affordances
    capacity = arrays.take(params.world.capacity, target, 0)
    slots = capacity >= arrays.take(table.slot_use, affordance, 0)
    stock, consume = arrays.take(state.economy.stock, target, 0.0), arrays.take(table.consume, affordance, 0.0)
    return arrays.take(look.supplied, affordance, False) & slots & jnp.all(stock >= consume, axis=-1)


def can_leave(state: TownState, look: Outlook) -> Bool[Array, "A"]:
    """Tell who has a place or an idle hold to give up."""
    return state.roster.alive & (look.engaged != NOBODY) & ~look.busy


def can_chat(state: TownState, look: Outlook) -> Bool[Array, "A"]:
    """Tell who may speak to somebody."""
    ready = look.tick >= state.ties.chat_ready_tick
    return state.roster.alive & ~look.asleep & ready & (look.partner != NOBODY)
