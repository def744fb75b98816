"""Towns on their devices with a policy: what is compiled, where it lies, and how it is watched.

Owns the states. Watched towns live a second time beside the others, from a copy of their state: a town alone has the
bits that it has in a batch, and the big program stays the same whoever is watched.
"""

import copy
import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from townlet_jax.core import batch
from townlet_jax.core.outcomes import Measures
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.totals import Totals
from townlet_jax.policy import interface
from townlet_jax.stability import Standing, shares


def mesh_for(towns: int) -> Mesh | None:
    """Return a mesh over the largest number of devices that divides the towns evenly, None for a single device."""
    devices = jax.local_devices()
    number = max(size for size in range(1, len(devices) + 1) if towns % size == 0)
    return batch.town_mesh(devices[:number]) if number > 1 else None


def block_for(states: TownState, towns: int) -> int:
    """Return how many towns of a device run together: as many as its cache holds, all of them on an accelerator."""
    most = max(1, batch.BLOCK_BYTES // batch.town_bytes(states))
    return batch.block_size(towns, most) if jax.default_backend() == "cpu" else towns


def _copy(tree: Any) -> Any:
    return jax.tree.map(jnp.copy, tree)


def _take(tree: Any, index: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _put(tree: Any, index: Any, one: Any) -> Any:
    return jax.tree.map(lambda leaf, changed: leaf.at[index].set(changed), tree, one)


COPY, TAKE, PUT = jax.jit(_copy), jax.jit(_take), jax.jit(_put)


@functools.lru_cache(maxsize=16)
def _runner(act: Any, hear: Any, most: int, measure: bool, block: int, mesh: Mesh | None) -> batch.Runner:
    """Return one runner for each way to run, so that fleets of a kind share their programs.

    How a memory begins is no part of it: it is an input.
    """
    policy = interface.Policy(interface.idle().init, act, hear)
    return batch.Runner(policy, most, measure=measure, block=block, mesh=mesh)


class Fleet:
    """Towns on their devices with a policy: the compiled call, and the one place that holds what changes.

    A call runs any number of ticks up to `chunk`.
    """

    def __init__(
        self,
        spec: Spec,
        params: Params,
        policy: batch.Policy,
        *,
        towns: int,
        seed: int,
        chunk: int,
        measure: bool = True,
    ) -> None:
        self.mesh = mesh_for(towns)
        self.chunk = chunk
        self.params = self._everywhere(params)
        self._policy = policy
        self._measure = measure
        self._call: jax.stages.Compiled | None = None
        self.compile_seconds = 0.0
        self.states: TownState = self._placed(batch.init_batch(spec, params, seed, towns))
        self.block = block_for(self.states, towns // (1 if self.mesh is None else self.mesh.size))
        self.memory = self._placed(jax.jit(lambda p, s: batch.init_memory(policy, p, s))(self.params, self.states))
        self.standing()  # compiled now rather than in the first chunk

    def twin(self) -> "Fleet":
        """Return a fleet with copies of the towns; what is compiled for one of the two is compiled for both."""
        twin = copy.copy(self)
        twin.states, twin.memory = self.copied()
        return twin

    def placed_ticks(self, tree: Any) -> Any:
        """Place what is given tick by tick (leading axes ticks, towns) where its towns are."""
        return (
            tree
            if self.mesh is None
            else jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec(None, batch.AXIS)))
        )

    def adopt(self, states: TownState, memory: Any, params: Params) -> None:
        """Go on from other towns of the same number and shape."""
        self.states, self.memory, self.params = self._placed(states), self._placed(memory), self._everywhere(params)

    def compiled(self, given: Any = None) -> jax.stages.Compiled:
        """Return the call, compiled once."""
        if self._call is None:
            began = time.perf_counter()
            hear = batch.hear_of(self._policy)
            runner = _runner(self._policy.act, hear, self.chunk, self._measure, self.block, self.mesh)
            self._call = runner.compile(self.params, self.states, self.memory, given)
            self.compile_seconds += time.perf_counter() - began
        return self._call

    def advance(self, ticks: int, given: Any = None) -> tuple[Totals | None, Measures | None]:
        """Run that many ticks and return their totals and series, without waiting for them.

        The series has `chunk` rows; those after the last tick are zeros. What is `given` has as many.
        """
        assert 0 < ticks <= self.chunk, f"a call runs 1 to {self.chunk} ticks, not {ticks}"
        call, length = self.compiled(given), np.asarray(ticks, np.int32)
        self.states, self.memory, totals, series = call(self.params, self.states, self.memory, given, length)
        return totals, series

    def edit(self, change: Callable[[Params, TownState], TownState], *, town: int | None = None) -> None:
        """Let an operator change all towns between two ticks, or one."""
        if town is None:
            self.states = self._placed(change(self.params, self.states))
        else:
            index = jnp.int32(town)
            self.states = self._placed(PUT(self.states, index, change(self.params, TAKE(self.states, index))))

    def copied(self) -> tuple[TownState, Any]:
        """Return states and memory as they are now, safe from the calls that follow."""
        return COPY((self.states, self.memory))  # type: ignore[no-any-return]  # jit hides the type

    def standing(self) -> Standing | None:
        """Return the shares of towns in trouble, safe from the calls that follow; None without analysers."""
        return shares(self.memory)

    def take(self, params: Params) -> None:
        """Go on under other numbers or weights of the same shapes, which compiles nothing."""
        self.params = self._everywhere(params)

    def faults(self) -> jax.Array:
        """Return the fault bits of every town as they are now, safe from the calls that follow."""
        return COPY(self.states.faults)  # type: ignore[no-any-return]  # jit hides the type

    def _placed(self, tree: Any) -> Any:
        return tree if self.mesh is None else batch.shard(self.mesh, tree)

    def _everywhere(self, params: Params) -> Params:
        return params if self.mesh is None else jax.device_put(params, NamedSharding(self.mesh, PartitionSpec()))
