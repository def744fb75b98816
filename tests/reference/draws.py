"""The random numbers of a tick as section 1.6 defines them, for one tick or for many at once."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.core.enums import Stream


def stream(town_key: jax.Array, tick: Any, member: Stream) -> jax.Array:
    """Return the key of one stream of one tick (1.6)."""
    return jax.random.fold_in(jax.random.fold_in(town_key, tick), int(member))


@partial(jax.jit, static_argnums=(2, 3))
def tick_draws(
    town_keys: jax.Array, ticks: jax.Array, num_agents: int, num_perturbations: int
) -> tuple[jax.Array, jax.Array]:
    """Return `ua` [towns, ticks, A, 4] and `uv` [towns, ticks, V, 4] of several towns and ticks."""

    def one(town_key: jax.Array, tick: jax.Array) -> tuple[jax.Array, jax.Array]:
        agent = jax.random.uniform(stream(town_key, tick, Stream.AGENT), (num_agents, 4))
        perturbation = jax.random.uniform(stream(town_key, tick, Stream.PERTURB), (num_perturbations, 4))
        return agent, perturbation

    return jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None))(town_keys, ticks)


def draws_of(key_words: list[int], tick: int, num_agents: int, num_perturbations: int) -> SimpleNamespace:
    """Return the draws of one tick of one town as lists: `agent` [A][4], `perturbation` [V][4]."""
    key = jax.random.wrap_key_data(jnp.asarray(key_words, jnp.uint32))
    agent, perturbation = tick_draws(key[None], jnp.asarray([tick], jnp.int32), num_agents, num_perturbations)
    return SimpleNamespace(agent=np.asarray(agent[0, 0]).tolist(), perturbation=np.asarray(perturbation[0, 0]).tolist())


def integer(u: float, low: int, high: int) -> int:
    """Return `low + min(floor(u * (high - low + 1)), high - low)`, the product in float32 (1.6)."""
    return low + min(int(float(np.float32(u) * np.float32(high - low + 1))), high - low)
