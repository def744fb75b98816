"""Running mean and variance of what a learner sees, and scaling by them.

Moments of parts (chunks, minibatches) `merge` in any order; those of devices are brought together by
`across_devices`. All is measured from a mean, so that float32 keeps a small variance beside a large mean.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from townlet_jax.core.struct import Pytree

_FLOOR = 1e-6  # added to the variance: what never varied is not blown up without end


class Moments(Pytree):
    """What is known of a quantity. Without samples it is scaled by mean 0 and deviation 1."""

    count: Float[Array, ""]  # samples, empty 0
    mean: Float[Array, "*d"]  # empty 0
    square_sum: Float[Array, "*d"]  # of the deviations from the mean, empty 0


def nothing_seen(shape: tuple[int, ...] = ()) -> Moments:
    """Return the moments before any sample; `shape` is that of one sample."""
    zero = jnp.zeros(shape, jnp.float32)
    return Moments(count=jnp.zeros((), jnp.float32), mean=zero, square_sum=zero)


def moments_of(values: Float[Array, "*n_d"], live: Bool[Array, "*n"]) -> Moments:
    """Return the moments of a batch: axes of the samples first, those of one sample last. Only the live count."""
    axes = tuple(range(live.ndim))
    kept = live.reshape(live.shape + (1,) * (values.ndim - live.ndim))
    count = jnp.sum(live).astype(jnp.float32)
    mean = jnp.sum(jnp.where(kept, values, 0.0), axis=axes) / jnp.maximum(count, 1.0)
    return Moments(count=count, mean=mean, square_sum=jnp.sum(jnp.where(kept, values - mean, 0.0) ** 2, axis=axes))


def merge(one: Moments, other: Moments) -> Moments:
    """Return the moments of the samples of both (Chan et al. 1979).

    With n and m samples and d = the difference of the means: `mean = mean_n + d m / (n + m)`,
    `square_sum = square_sum_n + square_sum_m + d^2 n m / (n + m)`.
    """
    count = one.count + other.count
    part = other.count / jnp.maximum(count, 1.0)
    shift = other.mean - one.mean
    return Moments(
        count=count,
        mean=one.mean + shift * part,
        square_sum=one.square_sum + other.square_sum + shift**2 * one.count * part,
    )


def across_devices(part: Moments, axis_name: str) -> Moments:
    """Return the moments of the samples of all devices along a mesh axis, each of which holds a part."""
    count = jax.lax.psum(part.count, axis_name)
    mean = jax.lax.psum(part.count * part.mean, axis_name) / jnp.maximum(count, 1.0)
    square_sum = jax.lax.psum(part.square_sum + part.count * (part.mean - mean) ** 2, axis_name)
    return Moments(count=count, mean=mean, square_sum=square_sum)


def deviation(moments: Moments) -> Float[Array, "*d"]:
    """Return the standard deviation to divide by: `sqrt(variance + 1e-6)`, 1 before any sample."""
    spread = jnp.sqrt(moments.square_sum / jnp.maximum(moments.count, 1.0) + _FLOOR)
    return jnp.where(moments.count > 0, spread, 1.0)


def normalise(
    moments: Moments, values: Float[Array, "*n_d"], *, clip: Float[Array, ""] | float
) -> Float[Array, "*n_d"]:
    """Return `clip((value - mean) / deviation, ±clip)`."""
    return jnp.clip((values - moments.mean) / deviation(moments), -clip, clip)


def restore(moments: Moments, values: Float[Array, "*n_d"]) -> Float[Array, "*n_d"]:
    """Return normalised values in their own unit again (what was clipped stays so)."""
    return values * deviation(moments) + moments.mean
