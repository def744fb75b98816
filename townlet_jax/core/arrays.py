"""Small tools over arrays: guarded gathers and scatters, first-true, ranks, the tolerant comparisons.

XLA's CPU backend vectorises integer and bool reductions along the last axis but neither float reductions nor
argmin/argmax; choosing "the best, lowest index on ties" therefore goes through order-preserving integer keys.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core.enums import EPSILON, NOBODY

LARGEST = 2**31 - 1  # of int32
SMALLEST = -(2**31)
Carry = TypeVar("Carry")
Operands = TypeVar("Operands")
Function = TypeVar("Function", bound=Callable[..., Any])


def at_least(x: Float[Array, "*n"], bound: Float[Array, "*#n"] | float) -> Bool[Array, "*n"]:
    """The rules' `x >=e bound`: true within 1e-5 below."""
    reached: Bool[Array, "*n"] = x >= bound - jnp.float32(EPSILON)
    return reached


def at_most(x: Float[Array, "*n"], bound: Float[Array, "*#n"] | float) -> Bool[Array, "*n"]:
    """The rules' `x <=e bound`: true within 1e-5 above."""
    reached: Bool[Array, "*n"] = x <= bound + jnp.float32(EPSILON)
    return reached


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
    return jnp.where(mask, index, LARGEST)


def first_true(mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Return the lowest index that is true along the last axis, NOBODY if none is."""
    places = jnp.arange(mask.shape[-1], dtype=jnp.int32)
    best = jnp.min(jnp.where(mask, places, LARGEST), axis=-1)
    return jnp.where(best == LARGEST, NOBODY, best)


def first_min(values: Int[Array, "*n k"], mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Return the index of the smallest masked value along the last axis, lowest index on ties, NOBODY if none."""
    best = jnp.min(jnp.where(mask, values, LARGEST), axis=-1, keepdims=True)
    return first_true(mask & (values == best))


def first_max(values: Float[Array, "*n k"], mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Return the index of the largest masked value along the last axis, lowest index on ties, NOBODY if none."""
    keys = sortable(values)
    best = jnp.max(jnp.where(mask, keys, SMALLEST), axis=-1, keepdims=True)
    return first_true(mask & (keys == best))


def sortable(values: Float[Array, "*n"]) -> Int[Array, "*n"]:
    """Map floats to integers of the same order (both zeros alike; no NaN)."""
    bits = jax.lax.bitcast_convert_type(jnp.where(values == 0, 0.0, values.astype(jnp.float32)), jnp.int32)
    ordered: Int[Array, "*n"] = bits ^ ((bits >> 31) & jnp.int32(0x7FFFFFFF))
    return ordered


def count(mask: Bool[Array, "*n k"]) -> Int[Array, "*n"]:
    """Count trues along the last axis."""
    return jnp.sum(mask, axis=-1, dtype=jnp.int32)


def rank(mask: Bool[Array, "n"]) -> Int[Array, "n"]:
    """Return how many true entries stand before each entry."""
    places = indices(mask)
    return count(mask[None, :] & (places[None, :] < places[:, None]))


def wrap(x: Int[Array, "*n"], period: Int[Array, "*#n"]) -> Int[Array, "*n"]:
    """Return `x mod period` for x in (-period, 2 period), without a division."""
    x = jnp.where(x < 0, x + period, x)
    return jnp.where(x >= period, x - period, x)


def has_bit(flags: Int[Array, "*n"], bit: int) -> Bool[Array, "*n"]:
    """Tell whether a flag bit is set."""
    is_set: Bool[Array, "*n"] = (flags & jnp.int32(bit)) != 0
    return is_set


def where_rows(
    mask: Bool[Array, "n"], value: Shaped[Array, "..."] | float, rows: Shaped[Array, "n *rest"]
) -> Shaped[Array, "n *rest"]:
    """Replace whole rows by a value (a scalar, or one row) where the mask is true."""
    return jnp.where(mask.reshape(mask.shape + (1,) * (rows.ndim - 1)), value, rows)


def unit(function: Function) -> Function:
    """Make a function one unit of compilation: its results are computed once and stored.

    Left alone, XLA's CPU backend fuses a chain of cheap [A] operations into every [A, A] consumer and computes it
    A times over (an optimization barrier is dropped before fusion). A call that may not be inlined stops that.
    Other backends weigh that by themselves and get the plain function. Arguments that are not arrays are static.
    Masks cross the border as integers: LLVM's AVX-512 backend fails on some broadcasts of stored 8-byte rows.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if jax.default_backend() != "cpu":
            return function(*args, **kwargs)
        leaves, tree = jax.tree.flatten((args, kwargs))
        traced = [isinstance(leaf, jax.Array) for leaf in leaves]
        masks: list[bool] = []

        def body(*values: Array) -> tuple[Array, ...]:
            given = iter(values)
            filled = [
                _unpack(next(given), leaf.dtype == bool) if is_traced else leaf
                for leaf, is_traced in zip(leaves, traced, strict=True)
            ]
            some_args, some_kwargs = jax.tree.unflatten(tree, filled)
            results, shape = jax.tree.flatten(function(*some_args, **some_kwargs))
            masks[:] = [result.dtype == bool for result in results]
            shapes[:] = [shape]
            return tuple(_pack(result) for result in results)

        shapes: list[Any] = []
        body.__name__ = f"{function.__module__.rpartition('.')[2]}_{function.__name__}"
        packed = jax.jit(body)(*(_pack(leaf) for leaf, is_traced in zip(leaves, traced, strict=True) if is_traced))
        packed = set_xla_metadata(packed, inlineable="false")  # marks the call that made them
        return jax.tree.unflatten(shapes[0], [_unpack(*pair) for pair in zip(packed, masks, strict=True)])

    return cast(Function, call)


def _pack(leaf: Array) -> Array:
    return leaf.astype(jnp.int32) if leaf.dtype == bool else leaf


def _unpack(leaf: Array, is_mask: bool) -> Array:
    return leaf != 0 if is_mask else leaf


@unit
def _same(tree: Any) -> Any:
    return tree


def settled(tree: Carry) -> Carry:
    """Have arrays computed once, here, because several others are made from them (see `unit`)."""
    return cast(Carry, _same(tree))


def total(columns: Float[Array, "*n k"]) -> Float[Array, "*n"]:
    """Sum along a short last axis, left to right, without a float reduction."""
    return settled(functools.reduce(jnp.add, (columns[..., i] for i in range(columns.shape[-1]))))


def while_pending(
    pending: Bool[Array, "n"],
    step: Callable[[Int[Array, ""], Carry, Operands], Carry],
    carry: Carry,
    operands: Operands,
) -> Carry:
    """Replace `carry` by `step(index, carry, operands)` for each pending index, in ascending order.

    Work that most ticks do not need costs nothing here: under `vmap` the loop runs as often as the town with the
    most pending entries needs, usually not at all, while `lax.cond` would run both sides in every tick.
    What `step` computes from anything but its arguments, XLA may compute in every tick (loop-invariant code
    motion), so arrays that heavy work reads belong in `operands`.
    """

    def body(loop: tuple[Bool[Array, "n"], Carry]) -> tuple[Bool[Array, "n"], Carry]:
        left, value = loop
        index = first_true(left)
        live = jnp.any(left)
        awake = jax.tree.map(lambda leaf: jnp.where(live, leaf, jnp.zeros_like(leaf)), operands)
        return left & (indices(left) != index), step(index, value, awake)

    _, result = jax.lax.while_loop(lambda loop: jnp.any(loop[0]), body, (pending, carry))
    return result


def only_if(
    needed: Bool[Array, ""], step: Callable[[Carry, Operands], Carry], carry: Carry, operands: Operands
) -> Carry:
    """Replace `carry` by `step(carry, operands)` if needed (see `while_pending`)."""
    return while_pending(needed[None], lambda _, value, given: step(value, given), carry, operands)
