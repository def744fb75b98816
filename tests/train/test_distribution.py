"""Masked categorical distributions: values by hand, draws at the edges, gradients that stay numbers."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from jaxtyping import Array

from townlet_jax.policy import distribution

PROBS = [0.2, 0.3, 0.5]
LARGEST_DRAW = 1 - 2**-24


def logits_of(probs: list[float], *, mask: list[bool] | None = None) -> Array:
    """Return masked logits, moved by a constant that must not matter."""
    return distribution.masked(jnp.log(jnp.asarray(probs)) + 3.0, jnp.asarray(mask or [True] * len(probs)))


def test_log_probabilities_are_those_of_the_legal_actions() -> None:
    logits = jnp.stack([logits_of(PROBS)] * 3)
    np.testing.assert_allclose(distribution.log_prob(logits, jnp.arange(3)), np.log(PROBS), rtol=1e-6)
    barred = logits_of(PROBS, mask=[True, False, True])
    assert distribution.log_prob(barred, jnp.int32(2)) == pytest.approx(math.log(0.5 / 0.7))
    assert distribution.log_prob(barred, jnp.int32(1)) < -1e8


def test_entropy_is_that_of_the_legal_actions() -> None:
    expected = -sum(prob * math.log(prob) for prob in PROBS)
    assert distribution.entropy(logits_of(PROBS)) == pytest.approx(expected)
    assert distribution.entropy(logits_of([0.25] * 4, mask=[True, False, True, True])) == pytest.approx(math.log(3))


def test_waiting_is_legal_whatever_the_mask_says() -> None:
    logits = distribution.masked(jnp.asarray([-5.0, 9.0, 9.0]), jnp.zeros(3, bool))
    assert distribution.legal(logits).tolist() == [True, False, False]
    assert distribution.log_prob(logits, jnp.int32(0)) == 0
    assert distribution.entropy(logits) == 0
    assert distribution.mode(logits) == 0
    assert distribution.sample(logits, jnp.float32(LARGEST_DRAW)) == 0


def test_a_draw_falls_into_the_part_of_its_action() -> None:
    draws = jnp.asarray([0.0, 0.199, 0.201, 0.499, 0.501, 0.999, LARGEST_DRAW])
    logits = jnp.broadcast_to(logits_of(PROBS), (len(draws), 3))
    assert distribution.sample(logits, draws).tolist() == [0, 0, 1, 1, 2, 2, 2]


def test_draws_are_never_illegal_and_as_frequent_as_probable() -> None:
    random = np.random.default_rng(5)
    mask = jnp.asarray(random.random((300, 15)) < 0.3)
    logits = distribution.masked(jnp.asarray(random.normal(scale=3, size=(300, 15)), jnp.float32), mask)
    draws = jnp.concatenate([jnp.linspace(0, 1, 4001)[:-1], jnp.asarray([LARGEST_DRAW])])
    actions = jax.vmap(lambda unit: distribution.sample(logits, jnp.full(300, unit)))(draws)
    chosen = jax.nn.one_hot(actions, 15)
    assert not np.any(np.asarray(chosen) * ~np.asarray(distribution.legal(logits)))
    np.testing.assert_allclose(jnp.mean(chosen, axis=0), jax.nn.softmax(logits), atol=1e-3)


def test_the_likeliest_action_is_legal_and_ties_go_to_the_lowest_id() -> None:
    logits = jnp.asarray([[1.0, 2.0, 2.0, 9.0], [-7.0, -8.0, -9.0, 9.0]])
    mask = jnp.asarray([[True, True, True, False]] * 2)
    assert distribution.mode(distribution.masked(logits, mask)).tolist() == [1, 0]


def test_logits_that_are_no_numbers_wait() -> None:
    assert distribution.sample(jnp.full(4, jnp.nan), jnp.float32(0.5)) == 0


def action_two(logits: Array) -> Array:
    """Return the log probability of action 2."""
    return distribution.log_prob(logits, jnp.int32(2))


@pytest.mark.parametrize("function", [action_two, distribution.entropy])
def test_gradients_are_those_of_finite_differences(function: Callable[[Array], Array]) -> None:
    mask = jnp.asarray([True, False, True, True])
    check_grads(
        lambda logits: function(distribution.masked(jnp.asarray(logits), mask)),
        (jnp.asarray([0.3, 5.0, -1.0, 0.7]),),
        order=1,
        modes=["rev"],
        eps=1e-2,
        atol=1e-3,
        rtol=1e-3,
    )


@pytest.mark.parametrize("legal", range(4))
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_gradients_are_numbers_when_all_but_one_action_are_masked(legal: int, size: float) -> None:
    mask = jnp.arange(4) == legal

    def both(raw: Array) -> Array:
        logits = distribution.masked(raw, mask)
        return distribution.log_prob(logits, jnp.int32(legal)) + distribution.entropy(logits)

    gradient = jax.grad(both)(size * jnp.asarray([3.0, -2.0, 0.5, 1.0]))
    assert np.all(np.isfinite(gradient))
    assert np.all(np.asarray(gradient)[~np.asarray(mask) & (np.arange(4) != 0)] == 0)
    if legal == 0:
        assert np.all(gradient == 0)
