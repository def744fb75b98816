"""Small tools over arrays: guarded gathers and scatters, first-true, ranks, the tolerant comparisons.

XLA's CPU backend vectorises integer and bool reductions along the last axis but neither float reductions nor
argmin/argmax; choosing "the best, lowest index on ties" therefore goes through order-preserving integer keys.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core.enums import EPSILON, NOBODY

_LARGEST = jnp.iinfo(jnp.int32).max
_SMALLEST = jnp.iinfo(jnp.int32).min
Carry = TypeVar("Carry")


def at_least(x: Float[Array, "*n"], bound: Float[Array, "*#n"] | float) -> Bool[Array, "*n"]:
    """The rules' `x >=e bound`: true within 1e-5 below."""
    return x >= bound - jnp.float32(EPSILON)


def at_most(x: Float[Array, "*n"], bound: Float[Array, "*#n"] | float) -> Bool[Array, "*n"]:
    """The rules' `x <=e bound`: true within 1e-5 above."""
    return x <= bound + jnp.float32(EPSILON)


def indices(like: Shaped[Array, "n *rest"]) -> Int[Array, "n"]:
    """Return 0..n-1 along the leading axis."""
    return jnp.arange(like.shape[0], dtype=jnp.int32)


def take(table: Shaped[Array, "n *rest"], index: Int[Array, "*i"], default: float | int | bool) -> Shaped[Array, "..."]:
    """Gather rows; rows of indices outside 0..n-1 are `default`."""
    size = table.shape[0]
    rows = table[jnp.clip(index, 0, size - 1)]
    inside = (index >= 0) & (index < size)
    inside = inside.reshape(inside.shape + (1,) * (rows.ndim - inside.ndim))
    return jnp.where(inside, rows, jnp.asarray(default, table.dtype))


def drop_unless(mask: Bool[Array, "*n"], index: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """Return indices to scatter with `mode="drop"`: far out of range where the mask is false."""
    return jnp.where(mask, index, _LARGEST)


def first_true(mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Return the lowest index that is true along the last axis, NOBODY if none is."""
    places = jnp.arange(mask.shape[-1], dtype=jnp.int32)
    best = jnp.min(jnp.where(mask, places, _LARGEST), axis=-1)
    return jnp.where(best == _LARGEST, NOBODY, best)


def first_min(values: Int[Array, "*n k"], mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Return the index of the smallest masked value along the last axis, lowest index on ties, NOBODY if none."""
    best = jnp.min(jnp.where(mask, values, _LARGEST), axis=-1, keepdims=True)
    return first_true(mask & (values == best))


def first_max(values: Float[Array, "*n k"], mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Return the index of the largest masked value along the last axis, lowest index on ties, NOBODY if none."""
    keys = sortable(values)
    best = jnp.max(jnp.where(mask, keys, _SMALLEST), axis=-1, keepdims=True)
    return first_true(mask & (keys == best))


def sortable(values: Float[Array, "*n"]) -> Int[Array, "*n"]:
    """Map floats to integers of the same order (both zeros alike; no NaN)."""
    bits = jax.lax.bitcast_convert_type(jnp.where(values == 0, 0.0, values.astype(jnp.float32)), jnp.int32)
    return bits ^ ((bits >> 31) & jnp.int32(0x7FFFFFFF))


def count(mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Count trues along the last axis."""
    return jnp.sum(mask, axis=-1, dtype=jnp.int32)


def rank(mask: Bool[Array, "n"]) -> Int[Array, "n"]:
    """Return how many true entries stand before each entry."""
    places = indices(mask)
    return count(mask[None, :] & (places[None, :] < places[:, None]))


def total(columns: Float[Array, "*n k"]) -> Float[Array, "*n"]:
    """Sum along a short last axis, left to right, without a float reduction."""
    return functools.reduce(jnp.add, (columns[..., i] for i in range(columns.shape[-1])))


def wrap(x: Int[Array, "*n"], period: Int[Array, "*#n"]) -> Int[Array, "*n"]:
    """Return `x mod period` for x in (-period, 2 period), without a division."""
    x = jnp.where(x < 0, x + period, x)
    return jnp.where(x >= period, x - period, x)


def has_bit(flags: Int[Array, "*n"], bit: int) -> Bool[Array, "*n"]:
    """Tell whether a flag bit is set."""
    return (flags & jnp.int32(bit)) != 0


def where_rows(
    mask: Bool[Array, "n"], value: Shaped[Array, "..."] | float, rows: Shaped[Array, "n *rest"]
) -> Shaped[Array, "n *rest"]:
    """Replace whole rows by a value (a scalar, or one row) where the mask is true."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (rows.ndim - 1)), value, rows)


def while_pending(
    pending: Bool[Array, "n"], step: Callable[[Int[Array, ""], Carry], Carry], carry: Carry
) -> Carry:
    """Call `step(index, carry)` for each pending index, in ascending order.

    Work that most ticks do not need costs nothing here: under `vmap` the loop runs as often as the town with the
    most pending entries needs, usually not at all, while `lax.cond` would run both sides in every tick.
    """

    def body(loop: tuple[Bool[Array, "n"], Carry]) -> tuple[Bool[Array, "n"], Carry]:
        left, value = loop
        index = first_true(left)
        return left & (indices(left) != index), step(index, value)

    _, result = jax.lax.while_loop(lambda loop: jnp.any(loop[0]), body, (pending, carry))
    return result


def only_if(needed: Bool[Array, ""], step: Callable[[Carry], Carry], carry: Carry) -> Carry:
    """Apply `step` once if needed; skipped by a whole batch in which no town needs it."""
    return while_pending(needed[None], lambda _, value: step(value), carry)
