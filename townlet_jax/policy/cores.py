"""Recurrent cores of the networks: GRU and LSTM over a leading time axis, with the memory in the caller's hands.

What the input contributes to the gates is one product for all ticks; only the memory's part stands in the scan.
Memory and gates are float32, whatever the products are computed in.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from townlet_jax.policy.encoders import dense

CoreKind = Literal["none", "gru", "lstm"]
Memory = tuple[Float[Array, "... width"], ...]  # none: (), gru: (hidden,), lstm: (hidden, cell)
PARTS: dict[str, int] = {"none": 0, "gru": 1, "lstm": 2}


class Core(nn.Module):
    """A GRU or LSTM that forgets where it is told to."""

    kind: Literal["gru", "lstm"]
    width: int
    dtype: jax.typing.DTypeLike

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "time *n features"],
        memory: Memory,
        fresh: Bool[Array, "time *n"],
        vacant: Bool[Array, "time *n"],
    ) -> tuple[Float[Array, "time *n width"], Memory]:
        """Return the output of every tick and the memory after the last one.

        Where `fresh`, the memory is zero before the tick's input is read; where `vacant`, before and after it.
        """
        gates, cell = (3, gru) if self.kind == "gru" else (4, lstm)
        projected = dense(gates * self.width, self.dtype, gain=1.0, name="input")(inputs).astype(jnp.float32)
        kernel = self.param("hidden", _orthogonal_blocks, (self.width, gates * self.width)).astype(self.dtype)

        def step(
            before: Memory, given: tuple[Float[Array, "*n gates"], Bool[Array, "*n"], Bool[Array, "*n"]]
        ) -> tuple[Memory, Float[Array, "*n width"]]:
            contribution, is_fresh, is_vacant = given
            kept = _zero_where(is_fresh | is_vacant, before)
            recalled = (kept[0].astype(self.dtype) @ kernel).astype(jnp.float32)
            after = _zero_where(is_vacant, cell(kept, contribution, recalled))
            return after, after[0]

        after, outputs = jax.lax.scan(step, memory, (projected, fresh, vacant))
        return outputs.astype(self.dtype), after


def gru(memory: Memory, given: Float[Array, "*n gates"], recalled: Float[Array, "*n gates"]) -> Memory:
    """Return the memory after a tick (Cho et al. 2014, with the reset gate behind the product).

    With x = `given` = W input + b and u = `recalled` = U h in the blocks r, z, n:
    `r = sigmoid(x_r + u_r)`, `z = sigmoid(x_z + u_z)`, `n = tanh(x_n + r u_n)`, `h' = n + z (h - n)`.
    """
    x_reset, x_update, x_candidate = jnp.split(given, 3, axis=-1)
    u_reset, u_update, u_candidate = jnp.split(recalled, 3, axis=-1)
    candidate = jnp.tanh(x_candidate + jax.nn.sigmoid(x_reset + u_reset) * u_candidate)
    return (candidate + jax.nn.sigmoid(x_update + u_update) * (memory[0] - candidate),)


def lstm(memory: Memory, given: Float[Array, "*n gates"], recalled: Float[Array, "*n gates"]) -> Memory:
    """Return the memory after a tick (Hochreiter and Schmidhuber 1997, with the gate of Gers et al. 2000).

    With the blocks i, f, g, o of `given + recalled`: `c' = sigmoid(f + 1) c + sigmoid(i) tanh(g)`,
    `h' = sigmoid(o) tanh(c')`. The 1 makes a new network remember.
    """
    write, keep, candidate, show = jnp.split(given + recalled, 4, axis=-1)
    cell = jax.nn.sigmoid(keep + 1.0) * memory[1] + jax.nn.sigmoid(write) * jnp.tanh(candidate)
    return jax.nn.sigmoid(show) * jnp.tanh(cell), cell


def no_memory(kind: CoreKind, width: int, shape: tuple[int, ...]) -> Memory:
    """Return the memory of agents that have seen nothing; `shape` is that of the axes before the width."""
    return tuple(jnp.zeros((*shape, width), jnp.float32) for _ in range(PARTS[kind]))


def _zero_where(mask: Bool[Array, "*n"], memory: Memory) -> Memory:
    return tuple(jnp.where(mask[..., None], 0.0, part) for part in memory)


def _orthogonal_blocks(key: Array, shape: tuple[int, int]) -> Float[Array, "width gates"]:
    width, gates = shape
    square = nn.initializers.orthogonal()
    return jnp.concatenate([square(one, (width, width)) for one in jax.random.split(key, gates // width)], axis=-1)
