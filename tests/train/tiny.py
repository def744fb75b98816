"""Tiny networks and random observations for them, of one layout and few shapes, so that little is compiled."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from townlet_jax.core.observe.layout import Layout
from townlet_jax.core.observe.observation import Observation
from townlet_jax.policy import network
from townlet_jax.policy.network import Network, NetworkConfig, Parameters

SMALL = Layout(
    features=tuple(f"feature_{index}" for index in range(6)),
    channels=("self", "agents"),
    window=5,
    path_channels=("path_dx", "path_dy"),
    num_actions=4,
    num_options=0,
)
WIDTHS: dict[str, Any] = {"map_width": 8, "feature_width": 8, "trunk_width": 8, "core_width": 6, "critic_width": 8}
UNROLL = jax.jit(network.unroll, static_argnums=0)
APPLY = jax.jit(network.apply, static_argnums=0)


def made(layout: Layout = SMALL, **kind: Any) -> tuple[Network, Parameters]:
    """Return a tiny network with random parameters, larger than fresh ones, to tell inputs apart."""
    net = Network(NetworkConfig(**{**WIDTHS, **kind}), layout)
    random = np.random.default_rng(1)
    return net, jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(scale=0.4, size=leaf.shape), leaf.dtype), shapes_of(net)
    )


def shapes_of(net: Network) -> Parameters:
    """Return the parameters' shapes and dtypes."""
    return jax.eval_shape(lambda: network.init(net, jax.random.key(0)))


def unrolled(
    net: Network, parameters: Parameters, seen: Observation, reset: Array | None = None, memory: Any = None
) -> tuple[Array, Array, Any]:
    """Return logits, values and memory of ticks in a row, by default from no memory and without resets."""
    start = network.no_memory(net.config, seen.valid.shape[1:]) if memory is None else memory
    return UNROLL(net, parameters, seen, start, jnp.zeros_like(seen.valid) if reset is None else reset)


def changed(seen: Observation, **fields: Array) -> Observation:
    """Return observations with some fields replaced, whatever their leading axes."""
    names = [field.name for field in dataclasses.fields(seen)]
    return jax.tree.unflatten(jax.tree.structure(seen), [fields.get(name, getattr(seen, name)) for name in names])


def each_agent(change: Callable[[Array], Array], seen: Observation) -> Observation:
    """Return observations in which every array with an agent axis is changed."""
    return changed(jax.tree.map(change, changed(seen, path=seen.valid)), path=seen.path)


def close(actual: Any, expected: Any, atol: float = 1e-5) -> None:
    """Assert agreement of two trees."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=atol), actual, expected)


def sights(shape: tuple[int, ...], layout: Layout = SMALL, seed: int = 0) -> Observation:
    """Return random observations with any axes, the agents' last; about one slot in four is vacant."""
    random = np.random.default_rng(seed)
    side = layout.window

    def one(index: int) -> Observation:
        del index
        valid = random.random(shape[-1]) < 0.75
        mask = random.random((shape[-1], layout.num_actions)) < 0.5
        options = random.random((shape[-1], layout.num_options)) < 0.5
        return Observation(
            features=jnp.asarray(random.normal(size=(shape[-1], len(layout.features))), jnp.float32),
            map=jnp.asarray(random.integers(0, 2, (shape[-1], len(layout.channels), side, side)), jnp.uint8),
            path=jnp.asarray(np.full((len(layout.path_channels), side, side), 0.5), jnp.float32),
            mask=jnp.asarray(mask),
            option_mask=jnp.asarray(options),
            valid=jnp.asarray(valid),
        )

    towns = [one(index) for index in range(int(np.prod(shape[:-1])))]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *towns)
    return jax.tree.map(lambda leaf: leaf.reshape(*shape[:-1], *leaf.shape[1:]), stacked)
