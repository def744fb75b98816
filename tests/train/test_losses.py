"""Losses against numbers worked out by hand; what is dead leaves no trace in them or in their gradients."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from jaxtyping import Array

from townlet_jax.policy import distribution
from train import losses
from train.losses import Decisions, PpoWeights

WEIGHTS = PpoWeights(
    clip=jnp.float32(0.2), value_clip=jnp.float32(0.3), value_weight=jnp.float32(0.5), entropy_weight=jnp.float32(0.01)
)
NAN = float("nan")


def batch(seed: int = 0, size: int = 12) -> tuple[Array, Array, Decisions]:
    """Return masked logits of 5 actions, values, and decisions of a policy near by; one sample in three is dead."""
    random = np.random.default_rng(seed)
    raw, before = random.normal(size=(2, size, 5))
    mask = random.random((size, 5)) < 0.6
    old = distribution.masked(jnp.asarray(raw + 0.1 * before, jnp.float32), jnp.asarray(mask))
    action = distribution.sample(old, jnp.asarray(random.random(size), jnp.float32))
    values = jnp.asarray(random.normal(size=(4, size)), jnp.float32)
    share = losses.shares(jnp.asarray(np.arange(size) % 3 > 0))
    decisions = Decisions(
        action=action,
        log_prob=distribution.log_prob(old, action),
        value=values[1],
        advantage=values[2],
        target=values[3],
        share=share,
        chosen=share,
    )
    return distribution.masked(jnp.asarray(raw, jnp.float32), jnp.asarray(mask)), values[0], decisions


def close(actual: Any, expected: Any, *, atol: float = 1e-6) -> None:
    """Assert agreement of two trees."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=atol), actual, expected)


def test_a_mean_is_over_the_live_samples() -> None:
    share = losses.shares(jnp.asarray([[True, False], [True, True]]))
    np.testing.assert_allclose(share, [[1 / 3, 0], [1 / 3, 1 / 3]])
    assert losses.mean(jnp.asarray([[1.0, NAN], [2.0, 6.0]]), share) == pytest.approx(3.0)
    assert losses.mean(jnp.full(3, NAN), losses.shares(jnp.zeros(3, bool))) == 0


def test_surrogate_takes_the_worse_of_clipped_and_unclipped() -> None:
    ratio = jnp.asarray([1.0, 1.5, 1.5, 0.5, 0.5, 1.1])
    advantage = jnp.asarray([2.0, 2.0, -2.0, 2.0, -2.0, -1.0])
    expected = [2.0, 2.4, -3.0, 1.0, -1.6, -1.1]
    np.testing.assert_allclose(losses.surrogate(jnp.log(ratio), advantage, 0.2), expected, rtol=1e-6)


def test_value_error_takes_the_worse_of_clipped_and_unclipped() -> None:
    value, old = jnp.asarray([1.0, 1.0, 0.1, -1.0]), jnp.zeros(4)
    target = jnp.asarray([2.0, 0.0, 1.0, 0.0])
    expected = [0.5 * 1.7**2, 0.5, 0.5 * 0.9**2, 0.5]  # the first one is held at 0.3
    np.testing.assert_allclose(losses.value_error(value, old, target, 0.3), expected, rtol=1e-6)
    unclipped = losses.value_error(value, old, target, jnp.inf)
    np.testing.assert_allclose(unclipped, [0.5, 0.5, 0.405, 0.5], rtol=1e-6)


def test_divergence_is_the_mean_of_its_estimates() -> None:
    old, new = jnp.asarray([0.5, 0.3, 0.2]), jnp.asarray([0.4, 0.4, 0.2])
    estimate = losses.divergence(jnp.log(new / old))
    assert jnp.all(estimate >= 0)
    exact = 0.5 * math.log(0.5 / 0.4) + 0.3 * math.log(0.3 / 0.4)
    assert jnp.sum(old * estimate) == pytest.approx(exact, abs=1e-6)
    assert losses.divergence(jnp.zeros(1)) == 0


def test_ppo_by_hand() -> None:
    """Two live samples and a dead one; ratios 1.5 (advantage 1, clipped to 1.2) and 0.9 (advantage -2)."""
    logits = jnp.log(jnp.asarray([[0.75, 0.25], [0.1, 0.9], [NAN, NAN]]))
    decisions = Decisions(
        action=jnp.asarray([0, 1, 7]),
        log_prob=jnp.log(jnp.asarray([0.5, 1.0, NAN])),
        value=jnp.asarray([0.0, 0.0, NAN]),
        advantage=jnp.asarray([1.0, -2.0, NAN]),
        target=jnp.asarray([2.0, 0.0, NAN]),
        share=losses.shares(jnp.asarray([True, True, False])),
        chosen=losses.shares(jnp.asarray([True, True, False])),
    )
    loss, terms = losses.ppo(logits, jnp.asarray([1.0, 1.0, NAN]), decisions, WEIGHTS)
    policy = -(1.2 - 1.8) / 2
    value = (0.5 * 1.7**2 + 0.5) / 2
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)) / 2
    assert terms.policy == pytest.approx(policy)
    assert terms.value == pytest.approx(value)
    assert terms.entropy == pytest.approx(entropy)
    assert terms.kl == pytest.approx((0.5 - math.log(1.5) - 0.1 - math.log(0.9)) / 2, abs=1e-6)
    assert terms.clip_fraction == 0.5
    assert loss == terms.loss == pytest.approx(policy + 0.5 * value - 0.01 * entropy)


def test_an_option_held_counts_for_the_value_only() -> None:
    logits, value, decisions = batch()
    held = decisions.replace(chosen=losses.shares((decisions.share > 0) & (jnp.arange(12) < 6)))
    _, terms = losses.ppo(logits, value, held, WEIGHTS)
    _, all_terms = losses.ppo(logits, value, decisions, WEIGHTS)
    _, chosen_terms = losses.ppo(logits, value, held.replace(share=held.chosen), WEIGHTS)
    close(terms.value, all_terms.value)
    close((terms.policy, terms.entropy, terms.kl), (chosen_terms.policy, chosen_terms.entropy, chosen_terms.kl))


def loss_of(logits: Array, value: Array, decisions: Decisions) -> Array:
    """Return PPO's loss alone."""
    return losses.ppo(logits, value, decisions, WEIGHTS)[0]


def test_the_first_gradient_is_the_policy_gradient() -> None:
    """Where the policy has not moved, the gradient of the policy term is -mean(advantage * grad log p)."""
    logits, value, decisions = batch()
    fresh = decisions.replace(log_prob=distribution.log_prob(logits, decisions.action))

    def term(x: Array) -> Array:
        return losses.ppo(x, value, fresh, WEIGHTS)[1].policy

    def plain(x: Array) -> Array:
        return -losses.mean(fresh.advantage * distribution.log_prob(x, fresh.action), fresh.share)

    close(jax.grad(term)(logits), jax.grad(plain)(logits))


def test_gradients_are_those_of_finite_differences() -> None:
    logits, value, decisions = batch(size=6)
    mask = distribution.legal(logits)

    def loss(raw: Any, values: Any) -> Array:
        return loss_of(distribution.masked(jnp.asarray(raw), mask), jnp.asarray(values), decisions)

    raw = jnp.where(mask, logits, 0.5)
    check_grads(loss, (raw, value), order=1, modes=["rev"], eps=5e-3, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("garbage", [NAN, math.inf, 1e30])
def test_what_is_dead_changes_no_loss_and_no_gradient(garbage: float) -> None:
    logits, value, decisions = batch()
    dead = decisions.share == 0

    def spoil(leaf: Array) -> Array:
        return jnp.where(dead, jnp.float32(garbage), leaf)

    spoilt = decisions.replace(
        action=jnp.where(dead, 99, decisions.action),
        log_prob=spoil(decisions.log_prob),
        value=spoil(decisions.value),
        advantage=spoil(decisions.advantage),
        target=spoil(decisions.target),
    )
    before = jax.value_and_grad(loss_of, argnums=(0, 1))(logits, value, decisions)
    bad_logits = jnp.where(dead[:, None], garbage, logits)
    after = jax.value_and_grad(loss_of, argnums=(0, 1))(bad_logits, spoil(value), spoilt)
    jax.tree.map(np.testing.assert_array_equal, after, before)
    assert np.all(np.asarray(before[1][0])[np.asarray(dead)] == 0)
    assert np.all(np.asarray(before[1][1])[np.asarray(dead)] == 0)


def test_dead_samples_appended_change_nothing() -> None:
    logits, value, decisions = batch()
    longer = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.zeros_like(leaf)]), (logits, value, decisions))
    close(losses.ppo(*longer, WEIGHTS), losses.ppo(logits, value, decisions, WEIGHTS))


def test_the_order_of_agents_does_not_matter() -> None:
    logits, value, decisions = batch()
    order = np.random.default_rng(1).permutation(12)
    moved = jax.tree.map(lambda leaf: leaf[order], (logits, value, decisions))
    close(losses.ppo(*moved, WEIGHTS), losses.ppo(logits, value, decisions, WEIGHTS))


def test_parts_of_a_batch_add_up() -> None:
    logits, value, decisions = batch()
    whole = jax.value_and_grad(loss_of, argnums=1)(logits, value, decisions)
    parts = []
    for rows in (slice(0, 2), slice(2, 12)):
        some = jax.tree.map(lambda leaf, rows=rows: leaf[rows], (logits, value, decisions))
        parts.append(jax.value_and_grad(loss_of, argnums=1)(*some))
    close(sum(part[0] for part in parts), whole[0])
    close(jnp.concatenate([part[1] for part in parts]), whole[1])


def test_advantages_are_standardised_over_the_live() -> None:
    advantage = jnp.asarray([1.0, NAN, 3.0, 5.0, NAN])
    live = jnp.asarray([True, False, True, True, False])
    scale = math.sqrt(8 / 3)
    np.testing.assert_allclose(losses.standardised(advantage, live), [-2 / scale, 0, 0, 2 / scale, 0], rtol=1e-5)
    assert losses.standardised(advantage, jnp.asarray([True, *[False] * 4])).tolist() == [0] * 5
    assert losses.standardised(advantage, jnp.zeros(5, bool)).tolist() == [0] * 5
    alike = losses.standardised(jnp.full(1000, 0.3), jnp.ones(1000, bool))
    np.testing.assert_allclose(alike, 0, atol=0.1)


def test_explained_variance() -> None:
    target = jnp.asarray([1.0, 2.0, 3.0, 4.0, NAN])
    live = jnp.asarray([True] * 4 + [False])
    assert losses.explained_variance(target, target, live) == 1
    assert losses.explained_variance(target + 7, target, live) == pytest.approx(1)
    assert losses.explained_variance(jnp.zeros(5), target, live) == pytest.approx(0)
    assert losses.explained_variance(-target, target, live) == pytest.approx(-3)
    half = jnp.asarray([1.0, 2.0, 3.0, 3.0, NAN])  # rests 0 0 0 1: variance 3/16 of 20/16
    assert losses.explained_variance(half, target, live) == pytest.approx(1 - 3 / 20)
    assert losses.explained_variance(target, jnp.ones(5), live) == 0


def test_clone_by_hand() -> None:
    """Four live samples: two right, one wrong, one with a label that the mask forbids; and a dead one."""
    probs = jnp.asarray([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.5, 0.5, 0.0], [NAN, NAN, NAN]])
    mask = jnp.ones((5, 3), bool).at[3, 2].set(False)
    loss, terms = losses.clone(
        distribution.masked(jnp.log(probs), mask),
        jnp.asarray([0.0, 1.0, 0.0, 0.0, NAN]),
        label=jnp.asarray([0, 1, 1, 2, 9]),
        target=jnp.asarray([1.0, 1.0, 2.0, 0.0, NAN]),
        share=losses.shares(jnp.asarray([True, True, True, True, False])),
        value_weight=0.5,
    )
    cross_entropy = -(math.log(0.7) + math.log(0.5) + math.log(0.3)) / 4
    assert terms.cross_entropy == pytest.approx(cross_entropy)
    assert terms.value == pytest.approx(0.5 * (1 + 4) / 4)
    assert terms.accuracy == 0.5
    assert terms.illegal == 0.25
    assert loss == terms.loss == pytest.approx(cross_entropy + 0.5 * 0.625)


def test_gradients_of_clone_are_finite_differences_and_blind_to_the_dead() -> None:
    logits, value, decisions = batch(size=6)
    mask = distribution.legal(logits)

    def loss(raw: Any, values: Any, label: Array, target: Array) -> Array:
        masked = distribution.masked(jnp.asarray(raw), mask)
        share = decisions.share
        return losses.clone(masked, jnp.asarray(values), label=label, target=target, share=share, value_weight=0.7)[0]

    raw = jnp.where(mask, logits, 0.5)
    check_grads(
        lambda x, y: loss(x, y, decisions.action, decisions.target),
        (raw, value),
        order=1,
        modes=["rev"],
        eps=5e-3,
        atol=2e-3,
        rtol=2e-3,
    )
    dead = decisions.share == 0
    before = jax.value_and_grad(loss, argnums=(0, 1))(raw, value, decisions.action, decisions.target)
    after = jax.value_and_grad(loss, argnums=(0, 1))(
        jnp.where(dead[:, None], NAN, raw),
        jnp.where(dead, NAN, value),
        jnp.where(dead, 99, decisions.action),
        jnp.where(dead, NAN, decisions.target),
    )
    jax.tree.map(np.testing.assert_array_equal, after, before)
