"""Many towns: the only file of the core that knows a town axis (always leading).

Towns never read each other, so a chunk of ticks is run block by block: a block of some hundred towns stays in
the processor's cache for the whole chunk. With a mesh the towns are sharded over its devices and nothing is sent.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.interpreters import partial_eval
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from townlet_jax.core import rng, totals, town
from townlet_jax.core.actions import Intents
from townlet_jax.core.outcomes import Measures, TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.tick import tick
from townlet_jax.core.totals import Totals

AXIS = "towns"
BLOCK_BYTES = 1_350_000  # of state in a block: a level-2 cache holds it beside what a tick computes


@runtime_checkable
class Policy(Protocol):
    """Decides for one town. `memory` and `given` are any trees of arrays, or None."""

    def init(self, params: Params, state: TownState) -> Any:
        """Return the memory before the first tick."""

    def act(self, params: Params, state: TownState, memory: Any, given: Any) -> tuple[Intents, Any]:
        """Return what everybody intends in tick `state.clock.tick + 1`."""


@runtime_checkable
class Hearing(Protocol):
    """A policy that may be told what came of a tick: `hear(params, memory, before, after, output)` gives its memory."""

    hear: Callable[..., Any] | None


def hear_of(policy: Policy) -> Callable[..., Any] | None:
    """Return how a policy is told of ticks, None if it wants to hear nothing."""
    return policy.hear if isinstance(policy, Hearing) else None


def sweep(params: Params, values: Any, vary: Callable[[Params, Any], Params]) -> tuple[Params, Any]:
    """Return parameters that differ from town to town, and which of them do: a tree of 0 (own) and None (shared).

    `vary(params, value)` gives the numbers of one town; `values` is a tree of arrays with a leading town axis. What
    `vary` hands on untouched stays shared, so a sweep over a few numbers copies no maps. The tree is what other
    functions take as `params_per_town`.
    """
    leaves, tree = jax.tree.flatten(params)
    first = jax.tree.leaves(vary(params, _at(values, 0)))
    is_own = [after is not before for after, before in zip(first, leaves, strict=True)]

    def own(value: Any) -> list[Array]:
        return [leaf for leaf, wanted in zip(jax.tree.leaves(vary(params, value)), is_own, strict=True) if wanted]

    stacked = iter(jax.vmap(own)(values))
    swept = [next(stacked) if wanted else leaf for leaf, wanted in zip(leaves, is_own, strict=True)]
    axes = [0 if wanted else None for wanted in is_own]
    return jax.tree.unflatten(tree, swept), jax.tree.unflatten(tree, axes)


def params_axes(params_per_town: Any) -> Any:
    """Return the `in_axes` of parameters: for False, True, or the tree of a `sweep`."""
    return {True: 0, False: None}[params_per_town] if isinstance(params_per_town, bool) else params_per_town


def _leaf_axes(axes: Any, params: Params) -> list[int | None]:
    """Spell out `in_axes` for every leaf."""
    if axes is None or axes == 0:
        return [axes] * len(jax.tree.leaves(params))
    return jax.tree.leaves(axes, is_leaf=lambda axis: axis is None)


def split_params(axes: Any, params: Params) -> tuple[list[Array], Callable[[list[Array]], Params]]:
    """Return the leaves that differ from town to town, and what puts such leaves back among the shared ones."""
    leaves, tree = jax.tree.flatten(params)
    chosen = _leaf_axes(axes, params)

    def restore(some: list[Array]) -> Params:
        own = iter(some)
        filled = [leaf if axis is None else next(own) for leaf, axis in zip(leaves, chosen, strict=True)]
        restored: Params = jax.tree.unflatten(tree, filled)
        return restored

    return [leaf for leaf, axis in zip(leaves, chosen, strict=True) if axis == 0], restore


def init_batch(spec: Spec, params: Params, seed: int, num_towns: int, *, params_per_town: Any = False) -> TownState:
    """Return towns 0..num_towns-1 of a seed; town i has the key fold_in(key(seed), i)."""
    keys = jax.vmap(lambda index: rng.town_key(seed, index))(jnp.arange(num_towns, dtype=jnp.uint32))
    axes = (params_axes(params_per_town), 0)
    states: TownState = jax.jit(jax.vmap(functools.partial(town.init, spec), in_axes=axes))(params, keys)
    return states


def init_memory(policy: Policy, params: Params, states: TownState, *, params_per_town: Any = False) -> Any:
    """Return the memory of a policy for every town."""
    return jax.vmap(policy.init, in_axes=(params_axes(params_per_town), 0))(params, states)


def step_batch(
    params: Params, states: TownState, intents: Intents, *, params_per_town: Any = False
) -> tuple[TownState, TickOutput]:
    """Advance every town by one tick; the town axis leads everywhere."""
    return jax.vmap(tick, in_axes=(params_axes(params_per_town), 0, 0))(params, states, intents)


def town_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """Return a one-dimensional mesh over devices (default: all of this host) for sharding towns."""
    chosen = jax.devices() if devices is None else devices
    return jax.make_mesh((len(chosen),), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,), devices=chosen)


def shard(mesh: Mesh, tree: Any) -> Any:
    """Place a batch on the mesh, towns split over its devices."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec(AXIS)))


def town_bytes(states: TownState) -> int:
    """Return the bytes of state of one town of a batch."""
    sizes = (leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(states))
    return int(sum(sizes) // states.clock.tick.shape[0])


def block_size(num_towns: int, most: int) -> int:
    """Return the largest divisor of num_towns that is at most `most`."""
    return max(size for size in range(1, min(num_towns, most) + 1) if num_towns % size == 0)


class Runner:
    """Runs chunks of up to `num_ticks` ticks in one jitted call; compiled once for each shape, not for each length.

    Call it with `(params, states, memory, given=None, length=None)`; `given` is a tree with leading axes
    [num_ticks, towns], `length` the number of ticks, by default `num_ticks`.
    It returns `(states, memory, totals, series)`: totals per town over the chunk, and measures averaged over towns,
    [num_ticks] with zeros after the last tick; both are None with `measure=False`. `block` is the number of towns
    that run together, by default as many as a level-2 cache holds. `states` and `memory` are donated: use the returned
    ones. `params_per_town` is False (all towns share the parameters), True (every leaf has a town axis) or the tree
    of a `sweep`.
    """

    def __init__(
        self,
        policy: Policy,
        num_ticks: int,
        *,
        measure: bool = True,
        block: int | None = None,
        mesh: Mesh | None = None,
        params_per_town: Any = False,
    ) -> None:
        self.num_ticks = num_ticks
        self._policy = policy
        self._hear = hear_of(policy)
        self._measure = measure
        self._block = block
        self._params_axes = params_axes(params_per_town)
        run: Callable[..., Any] = self._run
        if mesh is not None:
            towns, everywhere = PartitionSpec(AXIS), PartitionSpec()
            run = jax.shard_map(
                self._run,
                mesh=mesh,
                in_specs=(self._params_specs(), towns, towns, PartitionSpec(None, AXIS), everywhere),
                out_specs=(towns, towns, towns, everywhere),
                check_vma=False,
            )
        self._num_devices = 1 if mesh is None else mesh.size
        self._jitted = jax.jit(run, donate_argnums=(1, 2))

    def __call__(
        self, params: Params, states: TownState, memory: Any, given: Any = None, length: int | None = None
    ) -> tuple[TownState, Any, Totals | None, Measures | None]:
        """Run one chunk."""
        ticks = self.num_ticks if length is None else length
        assert 0 <= ticks <= self.num_ticks, f"a chunk has at most {self.num_ticks} ticks, not {ticks}"
        return self._jitted(params, states, memory, given, jnp.int32(ticks))  # type: ignore[no-any-return]  # jit hides the type

    def compile(self, params: Params, states: TownState, memory: Any, given: Any = None) -> jax.stages.Compiled:
        """Return the compiled chunk; it is called with all that `__call__` takes, the length as an int32 array."""
        return self._jitted.lower(params, states, memory, given, jnp.int32(self.num_ticks)).compile()

    def _params_specs(self) -> Any:
        """Return how the parameters lie on the mesh: by town where they differ, everywhere where they are shared."""

        def spec(axis: int | None) -> PartitionSpec:
            return PartitionSpec() if axis is None else PartitionSpec(AXIS)

        return jax.tree.map(spec, self._params_axes, is_leaf=lambda axis: axis is None)

    def _run(self, params: Params, states: TownState, memory: Any, given: Any, length: Any) -> tuple[Any, ...]:
        num_towns = states.clock.tick.shape[0]
        most = self._block or max(1, BLOCK_BYTES // town_bytes(states))
        size = block_size(num_towns, most)

        def split(leaf: Array) -> Array:
            return leaf.reshape((num_towns // size, size, *leaf.shape[1:]))

        def join(leaf: Array) -> Array:
            return leaf.reshape((num_towns, *leaf.shape[2:]))

        def block(part: tuple[Any, ...]) -> tuple[Any, ...]:
            index, some_params, some_states, some_memory = part
            here = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, index * size, size, axis=1), given)
            return self._run_block(restore(some_params), some_states, some_memory, here, length)

        per_town, restore = split_params(self._params_axes, params)
        per_town = jax.tree.map(split, per_town)
        blocks = jnp.arange(num_towns // size, dtype=jnp.int32)
        parts = (blocks, per_town, jax.tree.map(split, states), jax.tree.map(split, memory))
        states, memory, sums, series = jax.lax.map(block, parts)
        if not self._measure:
            return jax.tree.map(join, states), jax.tree.map(join, memory), None, None
        series = jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0) / (num_towns * self._num_devices), series)
        if self._num_devices > 1:
            series = jax.lax.psum(series, AXIS)
        return jax.tree.map(join, states), jax.tree.map(join, memory), jax.tree.map(join, sums), series

    def _run_block(self, params: Params, states: TownState, memory: Any, given: Any, length: Any) -> tuple[Any, ...]:
        """Run the ticks of one block of towns."""
        together = jax.vmap(self._step, in_axes=(self._params_axes, 0, 0, 0))
        step, (_, _, shape) = traced(together, params, states, memory, _at(given, 0))
        sums = None
        if self._measure:
            sums = jax.vmap(lambda _: totals.nothing(_one(shape.measures)))(states.clock.tick)

        def advance(carry: tuple[Any, ...], now: Any) -> tuple[tuple[Any, ...], Any]:
            before, remembered, summed = carry
            after, remembered, output = step(params, before, remembered, now)
            if summed is None:
                return (after, remembered, None), None
            summed = jax.vmap(totals.add)(summed, before, output)
            tick_sums = jax.tree.map(lambda leaf: jnp.sum(leaf.astype(jnp.float32), axis=0), output.measures)
            return (after, remembered, summed), tick_sums

        carry = (states, memory, sums)
        needed, (_, row) = traced(advance, carry, _at(given, 0), is_pruned=True)
        series = jax.tree.map(lambda leaf: jnp.zeros((self.num_ticks, *leaf.shape), leaf.dtype), row)

        def go_on(index: Array, both: tuple[Any, Any]) -> tuple[Any, Any]:
            carry, series = both
            carry, tick_sums = needed(carry, _at(given, index))
            return carry, jax.tree.map(lambda rows, row: rows.at[index].set(row), series, tick_sums)

        carry, series = jax.lax.fori_loop(0, length, go_on, (carry, series))
        return (*carry, series)

    def _step(self, params: Params, state: TownState, memory: Any, given: Any) -> tuple[TownState, Any, TickOutput]:
        with jax.named_scope("policy"):
            intents, memory = self._policy.act(params, state, memory, given)
        after, output = tick(params, state, intents)
        if self._hear is not None:
            with jax.named_scope("hear"):
                memory = self._hear(params, memory, state, after, output)
        return after, memory, output


def traced(function: Callable[..., Any], *examples: Any, is_pruned: bool = False) -> tuple[Callable[..., Any], Any]:
    """Return the same function, traced once however often it is called, and the shapes of its result.

    With `is_pruned` it does no work whose results it throws away. XLA removes dead work by itself, but not across the
    calls that `arrays.unit` keeps apart.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*examples)
    jaxpr, used = closed.jaxpr, [True] * len(closed.in_avals)
    if is_pruned:
        jaxpr, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(closed.out_avals))

    def call(*args: Any) -> Any:
        leaves = [leaf for leaf, keep in zip(jax.tree.leaves(args), used, strict=True) if keep]
        return jax.tree.unflatten(jax.tree.structure(shape), jax.core.eval_jaxpr(jaxpr, closed.consts, *leaves))

    return call, shape


def _at(given: Any, index: int | Array) -> Any:
    """Return what is given for one tick."""
    return jax.tree.map(lambda leaf: leaf[index], given)


def _one(measures: Measures) -> Measures:
    """Shapes of the measures of one town of a batch."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), measures)  # type: ignore[no-any-return]  # tree.map keeps the type


def record(
    policy: Policy, params: Params, state: TownState, memory: Any, num_ticks: int, given: Any = None
) -> tuple[TownState, Any, TownState, TickOutput]:
    """Run one town and keep everything: returns (state, memory, states before each tick, outputs of each tick).

    A town alone gives the same bits as in a batch, so this is how a town of a batch is watched.
    """
    hear = hear_of(policy)

    def step(carry: tuple[TownState, Any], now: Any) -> tuple[tuple[TownState, Any], tuple[TownState, TickOutput]]:
        before, remembered = carry
        intents, remembered = policy.act(params, before, remembered, now)
        after, output = tick(params, before, intents)
        if hear is not None:
            remembered = hear(params, remembered, before, after, output)
        return (after, remembered), (before, output)

    (state, memory), (states, outputs) = jax.lax.scan(step, (state, memory), given, length=num_ticks)
    return state, memory, states, outputs


def town_of(states: TownState, index: int | Int[Array, ""]) -> TownState:
    """Take one town out of a batch."""
    return jax.tree.map(lambda leaf: leaf[index], states)  # type: ignore[no-any-return]  # tree.map keeps the type
