"""Layers of the networks: from what an agent sees to a vector, and the initialisation that all of them share.

Matrices are orthogonal (Saxe et al. 2014), biases zero; parameters are float32, whatever the layers compute in.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Shaped, UInt8

HIDDEN_GAIN = 2**0.5  # keeps the scale of a layer's output under relu
Activation = Literal["relu", "tanh"]
MapEncoder = Literal["embed", "mlp", "cnn"]
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": jax.nn.relu, "tanh": jnp.tanh}


def dense(
    width: int, dtype: jax.typing.DTypeLike, *, gain: float = HIDDEN_GAIN, bias: bool = True, name: str | None = None
) -> nn.Dense:
    """Return an orthogonal layer that computes in `dtype`."""
    initial = nn.initializers.orthogonal(gain)
    return nn.Dense(width, use_bias=bias, dtype=dtype, kernel_init=initial, name=name)


class Embed(nn.Module):
    """Encode a map as the sum of learned vectors, one for each (channel, cell), weighted by the numbers on it.

    The sum is a product of the flat map with the table of vectors. Although most cells are 0, that is the fastest
    way to have it on CPU: gathering the vectors of occupied cells, or of columns of cells, is over 10 times slower.
    """

    width: int
    dtype: jax.typing.DTypeLike
    activation: Activation

    @nn.compact
    def __call__(
        self, maps: UInt8[Array, "*n A channels w w"], path: Float[Array, "*n axes w w"]
    ) -> Float[Array, "*n A width"]:
        """Return one vector an agent. `path` is the same for all and would be a constant."""
        del path
        layer = dense(self.width, self.dtype, bias=False, name="table")
        return ACTIVATIONS[self.activation](layer(_flat(maps, 3).astype(self.dtype)))


class Mlp(nn.Module):
    """Encode a map by two dense layers."""

    width: int
    dtype: jax.typing.DTypeLike
    activation: Activation

    @nn.compact
    def __call__(
        self, maps: UInt8[Array, "*n A channels w w"], path: Float[Array, "*n axes w w"]
    ) -> Float[Array, "*n A width"]:
        """Return one vector an agent. `path` is the same for all and would be a constant."""
        del path
        activation = ACTIVATIONS[self.activation]
        hidden = activation(dense(self.width, self.dtype, name="first")(_flat(maps, 3).astype(self.dtype)))
        return activation(dense(self.width, self.dtype, name="second")(hidden))


class Cnn(nn.Module):
    """Encode a map by two 3x3 convolutions with stride 2, padded with zeros, and a dense layer.

    The path tensor of variant full stands beside the channels: it says where on the map a filter is.
    """

    width: int
    dtype: jax.typing.DTypeLike
    activation: Activation
    filters: tuple[int, int] = (16, 32)

    @nn.compact
    def __call__(
        self, maps: UInt8[Array, "*n A channels w w"], path: Float[Array, "*n axes w w"]
    ) -> Float[Array, "*n A width"]:
        """Return one vector an agent."""
        activation = ACTIVATIONS[self.activation]
        paths = jnp.broadcast_to(path[..., None, :, :, :], (*maps.shape[:-3], *path.shape[-3:]))
        channels = jnp.concatenate([maps.astype(self.dtype), paths.astype(self.dtype)], axis=-3)
        image = jnp.moveaxis(channels, -3, -1)
        for name, filters in zip(("first", "second"), self.filters, strict=True):
            layer = nn.Conv(
                filters,
                (3, 3),
                strides=(2, 2),
                dtype=self.dtype,
                kernel_init=nn.initializers.orthogonal(HIDDEN_GAIN),
                name=name,
            )
            image = activation(layer(image))
        return activation(dense(self.width, self.dtype, name="dense")(_flat(image, 3)))


def map_encoder(
    kind: MapEncoder, width: int, dtype: jax.typing.DTypeLike, activation: Activation, name: str
) -> nn.Module:
    """Return the encoder of a name."""
    modules = {"embed": Embed, "mlp": Mlp, "cnn": Cnn}
    return modules[kind](width=width, dtype=dtype, activation=activation, name=name)


def _flat(x: Shaped[Array, "..."], axes: int) -> Shaped[Array, "..."]:
    """Join the last axes."""
    return x.reshape(*x.shape[:-axes], -1)
