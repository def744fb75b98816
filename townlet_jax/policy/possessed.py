"""Possession: agents that an operator has taken over play what is queued for them, and wait when nothing is (5.6.3).

A policy around a policy. The queues travel as its memory, so snapshots, branches and watched towns carry them. What is
asked for is judged like any other intent: the town refuses what cannot be.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core import actions, arrays
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.policy import guardrail, interface
from townlet_jax.policy.interface import Policy

MOST_ORDERS = 64  # that wait for one agent


class Orders(Pytree):
    """Intents in the order in which they are played; the fields are those of `Intents`."""

    flat: Int[Array, "A queue"]
    kind: Int[Array, "A queue"]
    direction: Int[Array, "A queue"]
    object: Int[Array, "A queue"]
    affordance: Int[Array, "A queue"]
    target: Int[Array, "A queue"]
    success: Bool[Array, "A queue"]
    quality: Float[Array, "A queue"]


class Possessed(Pytree):
    """What the wrapped policy remembers, and what is queued; orders `taken` to `count` - 1 are still to be played."""

    inner: Any
    orders: Orders
    taken: Int[Array, "A"]
    count: Int[Array, "A"]


FIELDS = tuple(field.name for field in dataclasses.fields(Orders))


@functools.lru_cache(maxsize=32)
def possessed(policy: Policy) -> Policy:
    """Return the policy in which possessed agents play their orders; the same one for the same policy."""

    def init(params: Params, state: TownState) -> Possessed:
        return beside(policy.init(params, state), state.roster.alive.shape[0])

    def act(params: Params, state: TownState, memory: Possessed, given: Any) -> tuple[Intents, Possessed]:
        intents, inner = policy.act(params, state, memory.inner, given)
        taken_over = state.controls.possessed & state.roster.alive
        due = taken_over & (memory.taken < memory.count)
        intents = guardrail.obey(state.controls.possessed, intents, orders=_next(memory, due))
        taken = jnp.where(taken_over, memory.taken + due.astype(jnp.int32), 0)
        count = jnp.where(taken_over, memory.count, 0)
        return intents, memory.replace(inner=inner, taken=taken, count=count)

    return Policy(init, act, interface.inner_hear(policy))


def beside(inner: Any, num_agents: int) -> Possessed:
    """Return a memory in which nothing is queued."""
    nobody = jnp.full((num_agents, MOST_ORDERS), NOBODY, jnp.int32)
    zero = jnp.zeros(num_agents, jnp.int32)
    orders = Orders(
        flat=nobody,
        kind=jnp.zeros_like(nobody),
        direction=nobody,
        object=nobody,
        affordance=nobody,
        target=nobody,
        success=jnp.ones(nobody.shape, bool),
        quality=jnp.full(nobody.shape, -1.0, jnp.float32),
    )
    return Possessed(inner=inner, orders=orders, taken=zero, count=zero)


def _next(memory: Possessed, due: Bool[Array, "A"]) -> Intents:
    """Return the order of everybody whose turn it is; the others wait."""
    column = jnp.minimum(memory.taken, MOST_ORDERS - 1)[:, None]
    waiting = actions.waiting(due.shape[0])

    def chosen(name: str) -> Shaped[Array, "A"]:
        order = jnp.take_along_axis(getattr(memory.orders, name), column, axis=1)[:, 0]
        return jnp.where(due, order, getattr(waiting, name))

    asked: Intents = waiting.replace(**{name: chosen(name) for name in FIELDS})
    return asked


def _queued(
    memory: Any,
    here: Bool[Array, ""],
    slot: Int[Array, ""],
    order: Mapping[str, Shaped[Array, ""]],
    times: Int[Array, ""],
) -> Any:
    def appended(own: Possessed) -> Possessed:
        rows = here & (arrays.indices(own.count) == slot)
        left = own.count - own.taken
        place = jnp.arange(MOST_ORDERS, dtype=jnp.int32)
        is_new = (place >= left[:, None]) & (place < left[:, None] + times)
        source = (place + own.taken[:, None]) % MOST_ORDERS
        queues = {}
        for name in FIELDS:
            old = getattr(own.orders, name)
            waiting = jnp.take_along_axis(old, source, axis=1)
            queues[name] = jnp.where(rows[:, None], jnp.where(is_new, order[name], waiting), old)
        taken, count = jnp.where(rows, 0, own.taken), jnp.where(rows, left + times, own.count)
        return own.replace(orders=own.orders.replace(**queues), taken=taken, count=count)

    return interface.changing(memory, Possessed, appended)


def _cleared(memory: Any, here: Bool[Array, ""], slot: Int[Array, ""]) -> Any:
    def emptied(own: Possessed) -> Possessed:
        rows = here & (arrays.indices(own.count) == slot)
        return own.replace(taken=jnp.where(rows, 0, own.taken), count=jnp.where(rows, 0, own.count))

    return interface.changing(memory, Possessed, emptied)


# Both take the memory of many towns, and `here` marks which of them are meant. `queued` appends an order (a scalar for
# each of `FIELDS`) so many times; the caller sees to it that there is room. `cleared` forgets what a slot was to do.
queued = jax.jit(jax.vmap(_queued, in_axes=(0, 0, None, None, None)))
cleared = jax.jit(jax.vmap(_cleared, in_axes=(0, 0, None)))
