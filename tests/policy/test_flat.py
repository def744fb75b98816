"""Idle, given and uniform play: flat ids, their draw and the switch report (MECHANICS 1.6, 5.5)."""

import jax
import jax.numpy as jnp
import numpy as np

from policy.places import ADA, BEN, NOON, Place, put
from townlet_jax.core import rng
from townlet_jax.core.enums import NOBODY, Stream
from townlet_jax.policy import interface, uniform


def test_idle_waits(place: Place) -> None:
    policy = interface.idle()
    intents, memory = policy.act(place.params, place.start, policy.init(place.params, place.start), None)
    assert np.asarray(intents.flat).tolist() == [0] * 8
    assert memory == ()


def test_given_plays_what_it_is_given_legal_or_not(place: Place) -> None:
    policy = interface.given()
    memory = policy.init(place.params, place.start)
    intents, memory = policy.act(place.params, place.start, memory, jnp.asarray([1, 14, 6, -1, 99, 0, 3, 13]))
    assert np.asarray(intents.flat).tolist() == [1, 14, 6, NOBODY - 1, 99, 0, 3, 13]
    assert not np.asarray(intents.switched).any()
    intents, memory = policy.act(place.params, place.start, memory, jnp.asarray([4, 13, 6, 5, 0, 5, 5, 13]))
    assert np.asarray(intents.switched).tolist() == [False, True, False, True, False, False, True, False]


def test_switches_compare_classes_of_actions() -> None:
    before = jnp.asarray([1, 1, 5, 5, 13, 0, 6, 14])
    after = jnp.asarray([4, 5, 6, 5, 14, 9, 0, 13])
    expected = [False, True, True, False, True, False, False, True]
    assert np.asarray(interface.changed_course(before, after)).tolist() == expected


def test_possession_silences_flat_policies(place: Place) -> None:
    state = put(place.start, "controls", "possessed", ADA, True)
    policy = interface.given()
    intents, memory = policy.act(place.params, state, policy.init(place.params, state), jnp.full(8, 3))
    assert (int(intents.flat[ADA]), int(intents.flat[BEN])) == (NOBODY, 3)
    assert (int(memory[ADA]), int(memory[BEN])) == (0, 3)


def test_pick_is_the_inverse_of_the_cumulated_probabilities() -> None:
    legal = jnp.asarray([[True, False, True, False, True, True]] * 6)
    unit = jnp.asarray([0.0, 0.2499, 0.25, 0.5, 0.75, 0.9999999])
    assert np.asarray(uniform.pick(legal, unit)).tolist() == [0, 0, 2, 4, 5, 5]


def test_uniform_uses_the_first_column_of_the_policy_draw(place: Place) -> None:
    policy = uniform.uniform()
    intents, _ = jax.jit(policy.act)(place.params, place.start, policy.init(place.params, place.start), None)
    draws = np.asarray(rng.uniform(rng.stream(place.start.key, NOON + 1, Stream.POLICY), 8, 2))[:, 0]
    mask = np.asarray(place.mask(place.params, place.start))
    expected = [np.flatnonzero(row)[int(draw * row.sum())] for row, draw in zip(mask, draws, strict=True)]
    assert np.asarray(intents.flat).tolist() == expected


def test_dead_slots_wait(place: Place) -> None:
    policy = uniform.uniform()
    state = put(place.start, "roster", "alive", ADA, False)
    intents, _ = jax.jit(policy.act)(place.params, state, policy.init(place.params, state), None)
    assert int(intents.flat[ADA]) == 0
