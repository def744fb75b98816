"""Where to go for what: which object serves a wish with the least effort (MECHANICS 5.4 `usable`, `effort`, `seek`).

Effort is kept in thousandths of a tick, as an integer: float noise never decides a tie, and XLA vectorises integer
reductions. What depends on agent and object, on affordance and object, on agent and affordance is worked out apart;
only additions and comparisons are left for the [A, K, O] combinations.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from townlet_jax.core import arrays, legality
from townlet_jax.core.enums import NOBODY, UNREACHABLE
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree

NEVER_WORTH_IT = 1 << 30  # effort of what cannot be used
_FALLBACK = 1 << 29  # added to what is second choice; above every effort that can occur
_SCALE = 1000  # units of effort in a tick
_LONGEST_WAIT = 100_000  # ticks that count; keeps efforts below _FALLBACK
_LARGEST_PRICE = 1e8  # units of effort that coins or a bonus may amount to
_WORD = 32  # bits


class Prospects(Pytree):
    """The best object of each agent for each affordance."""

    object: Int[Array, "A K"]  # NOBODY if none is usable
    effort: Int[Array, "A K"]  # thousandths of a tick, NEVER_WORTH_IT if none is usable


class _Ways(Pytree):
    """What agents and objects have to do with each other, whatever the affordance."""

    effort: Int[Array, "A O"]  # way, rest of a running use, home bonus; NEVER_WORTH_IT if out of the question
    queue: Int[Array, "A O"]  # others to wait for
    asked: Bool[Array, "A O"]  # held by the agent or free: preconditions count


@arrays.unit
def survey(params: Params, state: TownState, look: legality.Outlook) -> Prospects:
    """Find for every agent and affordance the usable object of least effort; ties to the lowest object."""
    offered, met = _offered(params, state, look), legality.conditions(params, look)
    ways = _ways(params, state, look)
    num_agents, num_affordances = met.shape[:2]
    affordable = arrays.at_least(
        jnp.broadcast_to(state.economy.wallet[:, None], (num_agents, num_affordances)),
        jnp.broadcast_to(look.cost, (num_agents, num_affordances)),
    )
    coins = effort_units(params.behaviour.coin_weight * look.cost)
    turns = params.affordances.duration[:, None] * ways.queue[:, None, :]
    usable = offered & affordable[:, :, None] & (met | ~ways.asked[:, None, :])
    effort = ways.effort[:, None, :] + coins[:, None] + _SCALE * jnp.minimum(turns, _LONGEST_WAIT)
    effort = jnp.where(usable & (ways.effort[:, None, :] < NEVER_WORTH_IT), effort, NEVER_WORTH_IT)
    least = jnp.min(effort, axis=-1)
    first = arrays.first_true(effort == least[:, :, None])
    return Prospects(object=jnp.where(least == NEVER_WORTH_IT, NOBODY, first), effort=least)


def best(
    prospects: Prospects, menu: Bool[Array, "K"], fallback: Bool[Array, "K"], limit: Int[Array, ""] | None = None
) -> Int[Array, "A"]:
    """Return the affordance of least effort on the menu, else on the fallback menu; NOBODY if nothing is usable.

    Ties go to the lowest affordance. `limit` takes dishes that need more effort off the menu (not off the fallback).
    """
    usable = prospects.effort < NEVER_WORTH_IT
    wanted = usable & menu
    if limit is not None:
        wanted = wanted & (prospects.effort <= limit)
    effort = jnp.where(wanted, prospects.effort, prospects.effort + _FALLBACK)
    return arrays.first_min(effort, wanted | (usable & fallback))


def effort_units(ticks: Float[Array, "*n"]) -> Int[Array, "*n"]:
    """Convert an effort in ticks to the units in which efforts are compared."""
    units = jnp.rint(ticks * jnp.float32(_SCALE))
    return jnp.clip(units, -_LARGEST_PRICE, _LARGEST_PRICE).astype(jnp.int32)


@arrays.unit
def _offered(params: Params, state: TownState, look: legality.Outlook) -> Bool[Array, "K O"]:
    """Tell where each affordance could start for anybody with coins."""
    num_objects, num_affordances = params.world.present.shape[0], params.affordances.duration.shape[0]
    target = jnp.broadcast_to(arrays.indices(params.world.present), (num_affordances, num_objects))
    affordance = jnp.broadcast_to(jnp.arange(num_affordances, dtype=jnp.int32)[:, None], target.shape)
    fits = params.world.object_type == params.affordances.object_type[:, None]
    open_for_all = params.world.present & ~look.closed
    return fits & open_for_all & legality.in_stock(params, state, look, target, affordance)


@arrays.unit
def _ways(params: Params, state: TownState, look: legality.Outlook) -> _Ways:
    world, behaviour = params.world, params.behaviour
    objects = arrays.indices(world.present)
    x, y = state.roster.position[:, 0], state.roster.position[:, 1]
    steps = params.routes.steps[objects, y[:, None], x[:, None]].astype(jnp.int32)
    engaged = look.engaged[:, None] == objects
    ready = engaged | (state.queues.cooldown_until.T - state.clock.tick <= jnp.maximum(steps, 1))
    held = arrays.drop_unless(state.queues.holding != NOBODY, state.queues.holding)
    left = jnp.zeros_like(objects).at[held].set(state.activities.remaining, mode="drop")
    wait = jnp.where(engaged, 0, jnp.clip(left - steps, 0, _LONGEST_WAIT))
    own = world.domestic & (world.home_object[:, world.object_type] == objects)
    bonus = jnp.where(own, effort_units(behaviour.home_bonus), 0)[state.roster.home]
    possible = (steps != UNREACHABLE) & ready & ~_rivals_at(look)
    return _Ways(
        effort=jnp.where(possible, _SCALE * (steps + wait) - bonus, NEVER_WORTH_IT),
        queue=jnp.where(engaged, 0, look.facts.queue_length),
        asked=(look.crowd == 0) | (state.queues.holding[:, None] == objects),
    )


def _rivals_at(look: legality.Outlook) -> Bool[Array, "A O"]:
    """Tell whether somebody whom the agent avoids holds or waits for an object; agents are bits of words."""
    num_agents, num_objects = look.engaged.shape[0], look.closed.shape[0]
    words = -(-num_agents // _WORD)
    slots = jnp.arange(num_agents, dtype=jnp.int32)
    bit = jnp.uint32(1) << (slots % _WORD).astype(jnp.uint32)
    users = jnp.zeros((num_objects, words), jnp.uint32)
    users = users.at[arrays.drop_unless(look.engaged != NOBODY, look.engaged), slots // _WORD].add(bit, mode="drop")
    padded = jnp.pad(jnp.where(look.avoids, bit, jnp.uint32(0)), ((0, 0), (0, words * _WORD - num_agents)))
    avoided: UInt32[Array, "A words"] = jnp.sum(padded.reshape(num_agents, words, _WORD), axis=-1, dtype=jnp.uint32)
    return jnp.any((users & avoided[:, None, :]) != 0, axis=-1)
