"""Possession: orders are played in order, judged like other intents, and travel with the policy's memory (5.6.3)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core.worlds import SLOTS, hamlet

from townlet_jax.core import actions, batch
from townlet_jax.core.actions import FLAT_WAIT, Intents
from townlet_jax.core.enums import NOBODY, Direction, Kind
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.core.tick import tick
from townlet_jax.policy import interface
from townlet_jax.policy.interface import Policy, given, idle
from townlet_jax.policy.possessed import FIELDS, MOST_ORDERS, Possessed, cleared, possessed, queued

TOWNS = 2


class Counting(Pytree):
    """The memory of a policy that counts the ticks it heard of."""

    heard: Any


@functools.cache
def hearing() -> Policy:
    """Return a policy that waits and counts what it hears."""

    def init(params: Params, state: TownState) -> Counting:
        del params, state
        return Counting(heard=jnp.int32(0))

    def act(params: Params, state: TownState, memory: Counting, given: None) -> tuple[Intents, Counting]:
        return idle().act(params, state, (), given)[0], memory

    def hear(params: Params, memory: Counting, *what: Any) -> Counting:
        del params, what
        return Counting(heard=memory.heard + 1)

    return Policy(init, act, hear)


@functools.cache
def towns() -> tuple[TownState, Any]:
    """Return two hamlets in which ada is possessed, and the memory of everybody walking by flat ids."""
    states = batch.init_batch(hamlet().spec, hamlet().params, 3, TOWNS)
    taken = states.controls.possessed.at[:, 0].set(True)
    controls = jax.tree.map(lambda leaf: leaf, states.controls)
    object.__setattr__(controls, "possessed", taken)
    object.__setattr__(states, "controls", controls)
    return states, batch.init_memory(possessed(given()), hamlet().params, states)


def order(**said: Any) -> dict[str, Any]:
    """Return one order; what is left out is empty."""
    whole = {
        "flat": NOBODY, "kind": Kind.WAIT, "direction": NOBODY, "object": NOBODY, "affordance": NOBODY,
        "target": NOBODY, "success": True, "quality": -1.0,
    } | said  # fmt: skip
    types = {"success": np.bool_, "quality": np.float32}
    return {name: types.get(name, np.int32)(whole[name]) for name in FIELDS}


def give(memory: Any, slot: int, times: int = 1, town: int = 0, **said: Any) -> Any:
    """Queue an order in one town."""
    return queued(memory, np.arange(TOWNS) == town, np.int32(slot), order(**said), np.int32(times))


@functools.cache
def acting() -> Any:
    """Return one step of the policy over all towns, compiled once."""
    policy = possessed(given())
    return jax.jit(jax.vmap(lambda state, memory, ids: policy.act(hamlet().params, state, memory, ids)))


def play(memory: Any, states: TownState, action: int = 1) -> tuple[Intents, Any]:
    """Ask everybody for an intent; the policy wants `action` for all."""
    intents, after = acting()(states, memory, jnp.full((TOWNS, SLOTS), action, jnp.int32))
    return jax.device_get(intents), after


def test_orders_are_played_in_order_and_then_the_agent_waits() -> None:
    states, memory = towns()
    memory = give(memory, 0, 2, kind=Kind.MOVE, direction=Direction.EAST)
    memory = give(memory, 0, kind=Kind.CHAT, target=3, quality=0.5)
    memory = give(memory, 0, flat=7)
    seen = []
    for _ in range(6):
        intents, memory = play(memory, states)
        seen.append(tuple(int(getattr(intents, name)[0, 0]) for name in ("flat", "kind", "direction", "target")))
        assert intents.flat[0, 1:].tolist() == [1] * (SLOTS - 1), "nobody else obeys"
    east = (NOBODY, Kind.MOVE, Direction.EAST, NOBODY)
    assert seen[:4] == [east, east, (NOBODY, Kind.CHAT, NOBODY, 3), (7, Kind.WAIT, NOBODY, NOBODY)]
    assert seen[4:] == [(NOBODY, Kind.WAIT, NOBODY, NOBODY)] * 2
    assert intents.flat[1, 0] == NOBODY, "ada of the other town has no orders"
    assert intents.kind[1, 0] == Kind.WAIT


def test_the_queue_holds_its_most_and_played_orders_make_room() -> None:
    states, memory = towns()
    for number in range(MOST_ORDERS):
        memory = give(memory, 0, flat=number)
    for number in range(5):
        intents, memory = play(memory, states)
        assert intents.flat[0, 0] == number
    memory = give(memory, 0, 5, flat=100)
    assert (memory.taken[0, 0], memory.count[0, 0]) == (0, MOST_ORDERS)
    assert memory.orders.flat[0, 0].tolist() == [*range(5, MOST_ORDERS), *[100] * 5]
    played = []
    for _ in range(MOST_ORDERS):
        intents, memory = play(memory, states)
        played.append(int(intents.flat[0, 0]))
    assert played == [*range(5, MOST_ORDERS), *[100] * 5]


def test_orders_of_who_is_free_or_dead_are_forgotten() -> None:
    states, memory = towns()
    memory = give(give(memory, 1, flat=9), 0, flat=9)
    intents, memory = play(memory, states)
    assert intents.flat[0, :2].tolist() == [9, 1], "ben is not possessed"
    assert memory.count[0].tolist()[:2] == [1, 0]
    memory = give(memory, 0, flat=9)
    roster = states.roster
    gone = jax.tree.map(lambda leaf: leaf, states)
    object.__setattr__(gone, "roster", jax.tree.map(lambda leaf: leaf, roster))
    object.__setattr__(gone.roster, "alive", roster.alive.at[:, 0].set(False))
    intents, memory = play(memory, gone)
    assert intents.flat[0, 0] == NOBODY
    assert memory.count[0, 0] == 0


@pytest.mark.parametrize("here", [[True, False], [True, True]])
def test_a_queue_is_emptied_in_some_towns(here: list[bool]) -> None:
    _, memory = towns()
    memory = give(give(give(memory, 0, flat=1), 0, flat=1, town=1), 2, flat=1)
    memory = cleared(memory, np.asarray(here), np.int32(0))
    assert [int(memory.count[town, 0]) for town in range(TOWNS)] == [0, 0 if here[1] else 1]
    assert memory.count[0, 2] == 1


def test_memories_inside_and_outside_are_found() -> None:
    states, memory = towns()
    assert interface.within(memory, Possessed) is memory
    assert memory.inner.shape == (TOWNS, SLOTS)
    _, memory = play(memory, states, action=2)
    assert memory.inner[0].tolist()[:7] == [FLAT_WAIT, *[2] * 5, FLAT_WAIT], "the living who are free"
    plain = batch.init_memory(given(), hamlet().params, states)
    assert give(plain, 0, flat=3) is not None, "a policy without queues is left as it is"
    np.testing.assert_array_equal(give(plain, 0, flat=3), plain)


def test_a_wrapped_policy_hears_what_came_of_a_tick() -> None:
    state = jax.tree.map(lambda leaf: leaf[0], towns()[0])
    policy = possessed(hearing())
    assert possessed(hearing()) is policy, "programs compiled for it are found again"
    memory = policy.init(hamlet().params, state)
    assert policy.hear is not None
    _, output = jax.eval_shape(tick, hamlet().params, state, actions.waiting(SLOTS))  # nobody reads it
    after = policy.hear(hamlet().params, memory, state, state, output)
    assert int(after.inner.heard) == 1
    assert possessed(idle()).hear is None
