"""The same turbulent hamlets lived alone, in batches of several sizes, and with other numbers in each town.

Compiled once each, for all tests that compare them.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from core.worlds import ADVANCE, Chaos, editable, hamlet, is_key, turbulent
from townlet_jax.core import batch, rng, town
from townlet_jax.core.actions import Intents
from townlet_jax.core.outcomes import Measures
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.totals import Totals

SEED, TICKS = 5, 60
MANY = 1024


@functools.cache
def numbers() -> Params:
    """Return turbulent numbers, on the device."""
    made: Params = jax.tree.map(jnp.asarray, turbulent(hamlet().params))
    return made


@functools.cache
def starts(num_towns: int) -> TownState:
    """Return towns 0..n-1 of the seed at tick 0."""
    return batch.init_batch(hamlet().spec, numbers(), SEED, num_towns)


INIT = jax.jit(functools.partial(town.init, hamlet().spec))


@functools.cache
def alone(index: int) -> tuple[Any, Any, Any]:
    """Return what one town of the seed lives through, tick by tick."""
    return live_alone(numbers(), INIT(numbers(), rng.town_key(SEED, index)))


def live_alone(params: Params, state: TownState) -> tuple[Any, Any, Any]:
    """Let one town live, a call a tick: final state, states before each tick, outputs, in NumPy."""
    states, outputs = [], []
    state = editable(state)
    for _ in range(TICKS):
        states.append(editable(state))
        state, output, _ = ADVANCE(params, state, DECIDE(params, state), np.int32(1), np.bool_(False))
        outputs.append(editable(output))
    return editable(state), stacked(states), stacked(outputs)


def _decide(params: Params, state: TownState) -> Intents:
    return Chaos().act(params, state, jnp.zeros_like(state.clock.tick), None)[0]


DECIDE = jax.jit(_decide)


def stacked(records: list[Any]) -> Any:
    """Return records of one kind with a leading time axis."""
    return jax.tree.map(lambda *leaves: (jnp if is_key(leaves[0]) else np).stack(leaves), *records)


@functools.cache
def few() -> TownState:
    """Return seven towns after a chunk."""
    return chunk(7, measure=False)[0]


@functools.cache
def many() -> tuple[TownState, Totals, Measures]:
    """Return all towns after a chunk that was run on all devices, in several blocks each, with totals and series."""
    states, _, totals, series = chunk(MANY, block=64, mesh=batch.town_mesh())
    assert totals is not None
    assert series is not None
    return states, totals, series


@functools.cache
def runner(*, measure: bool = True, block: int = 256, mesh: Mesh | None = None) -> batch.Runner:
    """Return one runner for each set of options, so that its programs are compiled once."""
    return batch.Runner(Chaos(), TICKS, measure=measure, block=block, mesh=mesh)


def chunk(num_towns: int, **options: Any) -> tuple[TownState, Any, Totals | None, Measures | None]:
    """Run a chunk of the first towns of the seed."""
    states = jax.tree.map(lambda leaf: leaf.copy(), starts(num_towns))  # the runner takes what it is given
    memory = batch.init_memory(Chaos(), numbers(), states)
    if "mesh" in options:
        states, memory = batch.shard(options["mesh"], (states, memory))
    return runner(**options)(numbers(), states, memory)


def bits(tree: Any) -> list[Any]:
    """Return the leaves in NumPy, keys as their words."""
    return [np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf) for leaf in jax.tree.leaves(tree)]


def differences(left: Any, right: Any) -> list[str]:
    """Return the names of the leaves that are not the same, bit for bit."""
    named = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(left)]
    assert str(jax.tree.structure(left)) == str(jax.tree.structure(right))
    pairs = zip(named, bits(left), bits(right), strict=True)
    return [name for name, one, other in pairs if one.dtype != other.dtype or one.tobytes() != other.tobytes()]


def variants(count: int) -> list[Params]:
    """Return numbers that differ between towns in many places."""
    made = []
    for index in range(count):
        params = editable(numbers())
        params.clock.ticks_per_day[...] = 55 + index
        params.needs.decay_rate[:] *= 1 + 0.2 * index
        params.economy.price[:] *= 1 + 0.1 * index
        params.queue.ghost_step_after[...] = index
        params.conflict.max_edges[...] = 1 + index
        params.perturbation.prob_per_day[:] *= index
        params.lifecycle.daily_exit_cap[...] = index
        params.personality.modify_ties[...] = index % 2 == 0
        params.world.blocked[5, 3 + index] = True
        params.affordances.duration[:] += index
        made.append(jax.tree.map(jnp.asarray, params))
    return made
