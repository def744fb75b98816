"""Running moments against NumPy over everything seen, whatever the order, the parts and the devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float

from train import normalise
from train.normalise import Moments


def absorbed(moments: Moments, values: np.ndarray, live: np.ndarray) -> Moments:
    """Return the moments with one batch in them."""
    return normalise.merge(moments, normalise.moments_of(jnp.asarray(values), jnp.asarray(live)))


def samples(seed: int, *, mean: float = 0.0, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return values [50, 4, 3] and which of the [50, 4] samples are live; the others are NaN."""
    random = np.random.default_rng(seed)
    live = random.random((50, 4)) < 0.7
    values = (mean + scale * random.normal(size=(50, 4, 3))).astype(np.float32)
    return np.where(live[..., None], values, np.float32("nan")), live


def agree(moments: Moments, seen: np.ndarray, *, rtol: float = 1e-5) -> None:
    """Assert that moments are those of `seen` [samples, d]."""
    assert moments.count == len(seen)
    np.testing.assert_allclose(moments.mean, seen.mean(axis=0), rtol=rtol, atol=1e-6)
    np.testing.assert_allclose(moments.square_sum / moments.count, seen.var(axis=0), rtol=rtol)


def test_batches_add_up_to_all_live_samples() -> None:
    moments = normalise.nothing_seen((3,))
    batches = [samples(seed, mean=seed, scale=1 + seed) for seed in range(4)]
    for values, live in batches:
        moments = absorbed(moments, values, live)
    agree(moments, np.concatenate([values[live] for values, live in batches]).astype(np.float64))


def test_a_small_variance_beside_a_large_mean_is_kept() -> None:
    moments = normalise.nothing_seen((3,))
    batches = [samples(seed, mean=1000.0, scale=0.1) for seed in range(8)]
    for values, live in batches:
        moments = absorbed(moments, values, live)
    agree(moments, np.concatenate([values[live] for values, live in batches]).astype(np.float64), rtol=2e-3)


def test_a_batch_without_live_samples_changes_nothing() -> None:
    values, live = samples(0)
    before = absorbed(normalise.nothing_seen((3,)), values, live)
    after = absorbed(before, np.full_like(values, np.nan), np.zeros_like(live))
    jax.tree.map(np.testing.assert_array_equal, after, before)
    empty = absorbed(normalise.nothing_seen((3,)), np.full_like(values, np.nan), np.zeros_like(live))
    jax.tree.map(np.testing.assert_array_equal, empty, normalise.nothing_seen((3,)))


def test_moments_of_two_merge_either_way() -> None:
    (values, live), (others, awake) = samples(1, mean=5.0), samples(2, scale=3.0)
    one = absorbed(normalise.nothing_seen((3,)), values, live)
    two = absorbed(normalise.nothing_seen((3,)), others, awake)
    seen = np.concatenate([values[live], others[awake]]).astype(np.float64)
    agree(normalise.merge(one, two), seen)
    agree(normalise.merge(two, one), seen)


def test_devices_with_a_part_each_know_the_whole() -> None:
    mesh = jax.make_mesh((8,), ("towns",), axis_types=(jax.sharding.AxisType.Auto,))
    split, whole = PartitionSpec("towns"), PartitionSpec()
    values, live = (part[:48] for part in samples(7, mean=2.0))

    @functools.partial(jax.shard_map, mesh=mesh, in_specs=(split, split), out_specs=whole)
    def together(values: Float[Array, "n m d"], live: Bool[Array, "n m"]) -> Moments:
        return normalise.across_devices(normalise.moments_of(values, live), "towns")

    agree(jax.jit(together)(jnp.asarray(values), jnp.asarray(live)), values[live].astype(np.float64))


def test_scaling_by_hand() -> None:
    moments = normalise.moments_of(jnp.asarray([1.0, 3.0, 99.0]), jnp.asarray([True, True, False]))
    values = jnp.asarray([2.0, 4.0, -100.0])
    scaled = normalise.normalise(moments, values, clip=5.0)
    np.testing.assert_allclose(scaled, [0.0, 2.0, -5.0], atol=1e-5)
    np.testing.assert_allclose(normalise.restore(moments, scaled), [2.0, 4.0, -3.0], atol=1e-4)


def test_before_any_sample_nothing_is_scaled() -> None:
    values = jnp.asarray([2.0, -7.0])
    nothing = normalise.nothing_seen()
    assert normalise.normalise(nothing, values, clip=5.0).tolist() == [2.0, -5.0]
    assert normalise.restore(nothing, values).tolist() == [2.0, -7.0]


def test_what_never_varied_stays_finite() -> None:
    moments = normalise.moments_of(jnp.full(10, 0.3), jnp.ones(10, bool))
    scaled = normalise.normalise(moments, jnp.asarray([0.3, 0.4, 1e9]), clip=10.0)
    assert scaled[0] == pytest.approx(0.0, abs=1e-3)
    assert scaled[1:].tolist() == [10.0, 10.0]
