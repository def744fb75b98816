"""Which steps of a rollout an update learns from, if not from all: the decisions, and some of the others.

Options are kept for many ticks in which nothing can be chosen. A network without memory need not read all of those:
the policy learns nothing from them, and the value function sees enough of them in a sample.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, Shaped

from townlet_jax.core.struct import Pytree
from train.update import Material


class Selected(Pytree):
    """What an update learns from, and how many decisions it leaves out."""

    material: Material
    left_out: Int[Array, ""]  # on this device


def rows_of_town(steps: int, num_agents: int, share: float) -> int:
    """Return how many steps of a town are learned from."""
    return math.ceil(share * steps * num_agents)


def select(key: Key[Array, ""], material: Material, rows: int) -> Selected:
    """Return `rows` steps of every town, drawn among those with a choice, then among the other valid ones.

    The result has the axes `1, towns, rows`: no time, and a row where agents stood. It is for networks that read every
    agent and tick by itself and has no memory.
    """
    chosen, valid = material.chosen, material.experience.valid
    priority = jax.random.uniform(key, chosen.shape) + jnp.where(chosen, 2.0, jnp.where(valid, 1.0, 0.0))
    _, places = jax.lax.top_k(_by_town(priority), rows)

    experience = material.experience
    whole = {id(leaf) for leaf in jax.tree.leaves((experience.observation.path, experience.events))}  # no agent's own

    def taken(leaf: Shaped[Array, "time T ..."]) -> Shaped[Array, "1 T ..."]:
        if id(leaf) in whole:
            return leaf[:1]
        time, agent = jnp.divmod(places, jnp.int32(leaf.shape[2]))
        town = jnp.arange(leaf.shape[1], dtype=jnp.int32)[:, None]
        return leaf[time, town, agent][None]

    selected: Material = jax.tree.map(taken, material)
    left_out = jnp.sum(chosen, dtype=jnp.int32) - jnp.sum(selected.chosen, dtype=jnp.int32)
    return Selected(material=selected, left_out=left_out)


def _by_town(values: Float[Array, "time T A"]) -> Float[Array, "T steps"]:
    return jnp.swapaxes(values, 0, 1).reshape(values.shape[1], -1)
