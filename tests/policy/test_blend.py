"""A mixture of the script and a network: its ends are the two, in between each decision has one author."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from env.places import seeded

from policy.test_learned import FLAT, OPTIONS, TICKS, actor, as_a_policy, bits, born, calm, weights
from townlet_jax.core import batch
from townlet_jax.policy import blend, learned
from townlet_jax.policy.learned import Actor
from townlet_jax.policy.scripted import scripted

pytestmark = pytest.mark.slow  # compiles five programs


@functools.cache
def mixed(one: Actor) -> Any:
    """Return a compiled life under a mixture; its share is an input."""

    def live(params: learned.Equipped, key: jax.Array, share: jax.Array) -> tuple[Any, Any, Any]:
        policy = blend.mixture(one, share)

        def step(carry: Any, _: None) -> tuple[Any, Any]:
            state, memory = carry
            after, remembered, _, outputs = batch.record(policy, params, state, memory, 1)
            told = (remembered, outputs.measures.switches[0], blend.networks_turn(state, share))
            return (after, remembered), told

        state = born(params, key, one)
        (end, memory), told = jax.lax.scan(step, (state, policy.init(params, state)), None, length=TICKS)
        return end, memory, told

    return jax.jit(live)


@functools.cache
def by_the_script(one: Actor) -> Any:
    """Return a compiled life under the scripted policy."""
    policy = scripted()

    def live(params: learned.Equipped, key: jax.Array) -> Any:
        state = born(params, key, one)
        return batch.record(policy, params, state, policy.init(params, state), TICKS)[:2]

    return jax.jit(live)


def equipped(kind: Any) -> learned.Equipped:
    """Return the calm hamlet with random weights."""
    return learned.equip(calm(kind[0]), weights(actor(*kind)))


@pytest.mark.parametrize("kind", [OPTIONS, FLAT])
def test_a_share_of_nothing_is_the_script_and_a_share_of_all_the_network(kind: Any) -> None:
    one, params = actor(*kind), equipped(kind)
    none, memory, _ = mixed(one)(params, seeded(5), jnp.float32(0))
    state, commitments = by_the_script(one)(params, seeded(5))
    assert bits(none) == bits(state)
    assert bits(memory.commitments) == bits(commitments)
    whole, memory, _ = mixed(one)(params, seeded(5), jnp.float32(1))
    state, remembered = as_a_policy(one)(params, seeded(5))
    assert bits(whole) == bits(state)
    assert bits(memory.network) == bits(remembered.network)
    assert bits(none) != bits(whole)


def test_who_decided_carries_it_out_until_the_next_decision() -> None:
    one, params = actor(*OPTIONS), equipped(OPTIONS)
    _, _, (memory, _, turn) = mixed(one)(params, seeded(5), jnp.float32(0.3))
    until, author, turn = (np.asarray(part) for part in (memory.commitments.until_tick, memory.by_network, turn))
    assert 0.1 < author.mean() < 0.6
    renewed = until[1:] != until[:-1]
    np.testing.assert_array_equal(author[1:][renewed], turn[1:][renewed], "a new commitment is that of the turn")
    changed = author[1:] != author[:-1]
    assert changed.sum() > 10
    assert not np.any(changed & (author[1:] != turn[1:])), "nobody decides out of turn"
    assert changed.sum() < 0.5 * np.count_nonzero(turn[1:] != turn[:-1]), "a decision outlasts its tick"


def test_flat_actions_are_the_networks_in_its_turns() -> None:
    one, params = actor(*FLAT), equipped(FLAT)
    state, memory, (_, _, turn) = mixed(one)(params, seeded(5), jnp.float32(0.5))
    assert 0.4 < np.asarray(turn).mean() < 0.6
    ends = [mixed(one)(params, seeded(5), jnp.float32(share))[0] for share in (0, 1)]
    assert bits(state) not in [bits(end) for end in ends]
    assert memory.previous.shape == turn.shape[1:]
