"""A hamlet of six and its environments, compiled once for all tests that step through it.

One program serves a town with and without time limit: `STEP` resets in the same step, never where the horizon is 0.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core.worlds import HAMLET, editable, is_key, on_device

from townlet_jax.config import Built, build, from_mapping
from townlet_jax.core.observe.layout import layout
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.env import AutoReset, EnvState, EpisodeState, TimeStep, TownEnv

AGENTS = 6
ADA, BEN, CLEO, DAN, EVA, FINN = range(AGENTS)
WAIT, NORTH, EAST, SOUTH, WEST = range(5)
EAT, CHAT = 6, 14


@functools.cache
def small(action_space: str = "flat", variant: str = "hybrid") -> Built:
    """Return the hamlet with six slots, all of them taken, and no events."""
    data: dict[str, Any] = HAMLET | {
        "spec": {"num_agents": AGENTS, "action_space": action_space, "variant": variant},
        "perturbations": {"specs": {}},
    }
    return build(from_mapping(data))


SPEC = small().spec
LAYOUT = layout(SPEC)
ENV = AutoReset(TownEnv(SPEC), "same_step")
RESET = jax.jit(ENV.reset)
STEP = jax.jit(ENV.step)
WAITING = jnp.zeros(AGENTS, jnp.int32)


def still(horizon: int = 0, edit: Callable[[Any], None] | None = None) -> Params:
    """Return the hamlet's parameters, `edit`ed in NumPy: nothing happens by chance, nobody decays."""
    params = editable(small().params)
    params.clock.horizon_ticks[...] = horizon
    params.perturbation.prob_per_day[:] = 0
    params.needs.decay_rate[:] = 0
    if edit is not None:
        edit(params)
    made: Params = on_device(params)
    return made


def seeded(seed: int = 0) -> jax.Array:
    """Return a key."""
    return jax.random.key(seed, impl="threefry2x32")


def begun(params: Params | None = None, seed: int = 0, key: jax.Array | None = None) -> tuple[EpisodeState, TimeStep]:
    """Return the first episode."""
    state, timestep = RESET(seeded(seed) if key is None else key, still() if params is None else params)
    return state, timestep


def edited(state: EpisodeState, change: Callable[[Any], None]) -> EpisodeState:
    """Return the state with its town changed in place by `change`."""
    town = editable(state.town)
    change(town)
    altered: TownState = on_device(town)
    inner = EnvState(town=altered, memory=state.inner.memory)
    return state.replace(inner=inner)


def acting(**choices: int) -> jax.Array:
    """Return actions by the names of the residents; everybody else waits."""
    names = ("ada", "ben", "cleo", "dan", "eva", "finn")
    return jnp.asarray([choices.get(name, WAIT) for name in names], jnp.int32)


def feature(timestep: TimeStep, name: str, slot: int = ADA) -> float:
    """Return a feature of an agent by its name."""
    return float(timestep.observation.features[slot, LAYOUT.index(name)])


def shapes(tree: Any) -> list[tuple[Any, ...]]:
    """Return shape, dtype and weakness of every leaf."""
    return [(leaf.shape, leaf.dtype, getattr(leaf, "weak_type", False)) for leaf in jax.tree.leaves(tree)]


def starving(town: Any, slot: int) -> None:
    """Put an agent one tick before it faints."""
    town.needs.level[slot, 0] = 0
    town.lifecycle.faint_streak[slot] = 29


def plain(tree: Any) -> Any:
    """Return the arrays in NumPy, keys as their words."""
    return jax.tree.map(lambda leaf: np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf), tree)
