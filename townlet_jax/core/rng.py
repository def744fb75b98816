"""Random numbers of a town: counter based, so that any tick can be replayed alone (MECHANICS 1.6).

The numbers are those of `jax.random` (threefry2x32, partitionable): `uniform_column(k, rows, columns, c)` equals
`jax.random.uniform(k, (rows, columns))[:, c]`, and `stream` equals two `fold_in`s. They are computed here because
jax rolls the cipher's rounds into loops on CPU, which costs an order of magnitude on arrays as short as a town's.
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer, Key, UInt32

from townlet_jax.core.enums import Stream

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA  # key schedule constant of Threefry (Salmon et al. 2011)


def town_key(seed: int | Integer[Array, ""], town_index: int | Integer[Array, ""]) -> Key[Array, ""]:
    """Return the key of one town of a run."""
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), town_index)


def stream(key: Key[Array, ""], tick: Int[Array, ""] | int, member: Stream) -> Key[Array, ""]:
    """Return the key of one stream in one tick; `Stream.RESET` uses tick 0."""
    words = jax.random.key_data(key)
    at_tick = _cipher(words[0], words[1], _word(0), _word(tick))
    at_stream = _cipher(*at_tick, _word(0), _word(int(member)))
    folded: Key[Array, ""] = jax.random.wrap_key_data(jnp.stack(at_stream), impl="threefry2x32")
    return folded


def uniform(key: Key[Array, ""], rows: int, columns: int) -> Float[Array, "rows columns"]:
    """Draw float32 in [0, 1); element [i, j] does not depend on the number of rows."""
    return _floats(key, jnp.arange(rows * columns, dtype=jnp.uint32).reshape(rows, columns))


def uniform_column(key: Key[Array, ""], rows: int, columns: int, column: int) -> Float[Array, "rows"]:
    """Draw one column of `uniform(key, rows, columns)` without the others."""
    return _floats(key, jnp.arange(rows, dtype=jnp.uint32) * jnp.uint32(columns) + jnp.uint32(column))


def uniform_row(key: Key[Array, ""], row: Int[Array, ""], columns: int) -> Float[Array, "columns"]:
    """Draw one row of `uniform(key, rows, columns)`."""
    return _floats(key, row.astype(jnp.uint32) * jnp.uint32(columns) + jnp.arange(columns, dtype=jnp.uint32))


def uniform_integer(unit: Float[Array, "*n"], low: Int[Array, "*#n"], high: Int[Array, "*#n"]) -> Int[Array, "*n"]:
    """Map draws in [0, 1) to integers in [low, high]."""
    span = (high - low + 1).astype(jnp.float32)
    return low + jnp.minimum(jnp.floor(unit * span).astype(jnp.int32), high - low)


def _word(value: Int[Array, ""] | int) -> UInt32[Array, ""]:
    return jnp.asarray(value).astype(jnp.uint32)


def _floats(key: Key[Array, ""], counter: UInt32[Array, "*n"]) -> Float[Array, "*n"]:
    words = jax.random.key_data(key)
    high, low = _cipher(words[0], words[1], jnp.zeros_like(counter), counter)
    mantissa = ((high ^ low) >> jnp.uint32(9)) | jnp.uint32(0x3F800000)  # a float in [1, 2)
    unit: Float[Array, "*n"] = jax.lax.bitcast_convert_type(mantissa, jnp.float32) - jnp.float32(1)
    return unit


def _rotate(x: UInt32[Array, "*n"], bits: int) -> UInt32[Array, "*n"]:
    rotated: UInt32[Array, "*n"] = (x << jnp.uint32(bits)) | (x >> jnp.uint32(32 - bits))
    return rotated


def _rounds(x0: UInt32[Array, "*n"], x1: UInt32[Array, "*n"], bits: Iterable[int]) -> tuple[Array, Array]:
    for rotation in bits:
        x0 = x0 + x1
        x1 = x0 ^ _rotate(x1, rotation)
    return x0, x1


def _cipher(
    k0: UInt32[Array, ""], k1: UInt32[Array, ""], x0: UInt32[Array, "*n"], x1: UInt32[Array, "*n"]
) -> tuple[UInt32[Array, "*n"], UInt32[Array, "*n"]]:
    """Threefry-2x32 with 20 rounds."""
    schedule = (k0, k1, k0 ^ k1 ^ jnp.uint32(_PARITY))
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    for i in range(5):
        x0, x1 = _rounds(x0, x1, _ROTATIONS[i % 2])
        x0 = x0 + schedule[(i + 1) % 3]
        x1 = x1 + schedule[(i + 2) % 3] + jnp.uint32(i + 1)
    return x0, x1
