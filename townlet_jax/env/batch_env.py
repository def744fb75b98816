"""Many towns to act in: the town axis leads everywhere."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Shaped

from townlet_jax.core import batch
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.env import arguments
from townlet_jax.env.records import Environment, TimeStep, choices

TOWNS = PartitionSpec(batch.AXIS)


class BatchEnv:
    """An environment over many towns that share parameters, or have some of their own (`params_per_town`).

    `params_per_town` is False (all shared), True (every leaf has a town axis) or the tree of a `core.batch.sweep`.
    With a mesh (`core.batch.town_mesh`) the towns are split over its devices, and nothing is sent between them.
    Both functions are compiled once for each shape, and may be called within other compiled functions.
    """

    def __init__(self, env: Environment, *, params_per_town: Any = False, mesh: Mesh | None = None) -> None:
        self.env = env
        self.mesh = mesh
        self.params_axes = batch.params_axes(params_per_town)
        reset = jax.vmap(env.reset, in_axes=(0, self.params_axes))
        step = jax.vmap(env.step, in_axes=(0, 0, self.params_axes))
        self._reset = self._compiled(reset, (TOWNS, self.params_specs))
        self._step = self._compiled(step, (TOWNS, TOWNS, self.params_specs))

    @property
    def params_specs(self) -> Any:
        """Return how parameters lie on the devices of a mesh: split like their towns, or all of them everywhere."""

        def lie(axis: int | None) -> PartitionSpec:
            return PartitionSpec() if axis is None else TOWNS

        return jax.tree.map(lie, self.params_axes, is_leaf=lambda axis: axis is None)

    def _compiled(self, function: Callable[..., Any], given: tuple[Any, ...]) -> Callable[..., Any]:
        mesh = self.mesh
        if mesh is None:
            return jax.jit(function)
        placed = jax.tree.map(lambda spec: NamedSharding(mesh, spec), given)
        return jax.jit(self.over_devices(function, given, TOWNS), in_shardings=placed)

    def over_devices(self, function: Callable[..., Any], given: Any, made: Any) -> Callable[..., Any]:
        """Return the function as each device runs it on its own towns; `given` and `made` are partition specs."""
        if self.mesh is None:
            return function
        return jax.shard_map(function, mesh=self.mesh, in_specs=given, out_specs=made, check_vma=False)

    @property
    def spec(self) -> Spec:
        """Return the sizes and flags of the towns."""
        return self.env.spec

    def mask(self, timestep: TimeStep) -> Bool[Array, "T A n"]:
        """Return which actions may succeed next."""
        return choices(timestep.observation)

    def reset(self, key: Shaped[Array, "..."] | int, params: Params, num_towns: int) -> tuple[Any, TimeStep]:
        """Return new towns; town i has the key fold_in(key, i). A seed stands for its key."""
        devices = 1 if self.mesh is None else self.mesh.size
        if num_towns < 1 or num_towns % devices:
            raise ValueError(
                f"{num_towns} towns cannot be split evenly over {devices} devices; ask for a multiple of {devices}."
            )
        base = jax.random.key(key, impl="threefry2x32") if isinstance(key, int) else arguments.checked_key(key)
        keys = jax.vmap(lambda index: jax.random.fold_in(base, index))(jnp.arange(num_towns, dtype=jnp.uint32))
        state, timestep = self._reset(keys, params)
        return state, timestep

    def step(self, state: Any, actions: Shaped[Array, "..."], params: Params) -> tuple[Any, TimeStep]:
        """Execute one tick in every town."""
        num_towns = state.town.clock.tick.shape[0]
        actions = arguments.checked_actions(actions, (num_towns, self.spec.num_agents))
        state, timestep = self._step(state, actions, params)
        return state, timestep
