"""Watched towns: they live a second time beside the others, from a copy of their state, and everything is kept.

A town alone has the bits that it has in a batch, so nobody can tell the two lives apart, and the program that runs
all towns is the same whoever is watched.
"""

import copy
import functools
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from townlet_jax.core import batch
from townlet_jax.core.params import Params
from townlet_jax.core.tick import tick
from townlet_jax.fleet import Fleet
from townlet_jax.stretch import Watched

Mind = tuple[Callable[..., Any], Callable[..., Any] | None]  # how a policy acts, and how it is told of ticks


class Spotlight:
    """Follows some towns of a fleet. Compiled once for each length and number of towns, not for which towns."""

    def __init__(self, fleet: Fleet, policy: batch.Policy, towns: Sequence[int]) -> None:
        self.towns = tuple(towns)
        self._fleet = fleet
        self._policy = policy
        self._calls: dict[tuple[int, int], jax.stages.Compiled] = {}
        self.compile_seconds = 0.0

    def beside(self, fleet: Fleet) -> "Spotlight":
        """Return one for the twin of the fleet; what is compiled for one of the two is compiled for both."""
        twin = copy.copy(self)
        twin._fleet = fleet
        return twin

    def turn(self, towns: Sequence[int]) -> None:
        """Watch other towns from now on."""
        self.towns = tuple(towns)

    def compiled(self, length: int) -> None:
        """Compile what a chunk of that length needs."""
        if self.towns and (length, len(self.towns)) not in self._calls:
            self._call(length, self.aimed())

    def aimed(self) -> Any:
        """Return states and memory of the watched towns before a chunk, on one device; None if nobody is watched."""
        if not self.towns:
            return None
        rows = np.asarray(self.towns, np.int32)
        mesh = self._fleet.mesh
        some = _rows_for(mesh)((self._fleet.states, self._fleet.memory), rows)
        return some if mesh is None else jax.tree.map(lambda leaf: leaf.addressable_data(0), some)

    def followed(self, length: int, aimed: Any) -> Mapping[int, Watched]:
        """Let the towns live through a chunk, without waiting for them."""
        if aimed is None:
            return {}
        lives = self._call(length, aimed)(self._params(), *aimed)
        return {town: Watched(**lived) for town, lived in zip(self.towns, lives, strict=True)}

    def _call(self, length: int, aimed: Any) -> jax.stages.Compiled:
        wanted = (length, len(self.towns))
        if wanted not in self._calls:
            began = time.perf_counter()
            mind = (self._policy.act, batch.hear_of(self._policy))
            self._calls[wanted] = _lives.lower(mind, length, self._params(), *aimed).compile()
            self.compile_seconds += time.perf_counter() - began
        return self._calls[wanted]

    def _params(self) -> Params:
        if self._fleet.mesh is None:
            return self._fleet.params
        here: Params = jax.tree.map(lambda leaf: leaf.addressable_data(0), self._fleet.params)
        return here


def _rows(tree: Any, rows: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[rows], tree)


@functools.lru_cache(maxsize=16)
def _rows_for(mesh: Mesh | None) -> Any:
    """Return what takes rows of all towns, with the result on every device."""
    return jax.jit(_rows, out_shardings=None if mesh is None else NamedSharding(mesh, PartitionSpec()))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _lives(mind: Mind, length: int, params: Params, states: Any, memory: Any) -> tuple[dict[str, Any], ...]:
    """Return what is to be known of every town, by the fields of `Watched`."""
    act, hear = mind

    def alone(state: Any, remembered: Any) -> dict[str, Any]:
        def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], dict[str, Any]]:
            before, known = carry
            intents, after_known = act(params, before, known, None)
            after, output = tick(params, before, intents)
            if hear is not None:
                after_known = hear(params, after_known, before, after, output)
            seen = {"before": before, "intents": intents, "outputs": output, "memory": known}
            return (after, after_known), seen

        (after, afterwards), seen = jax.lax.scan(step, (state, remembered), None, length=length)
        return seen | {"after": after, "remembered": afterwards}

    together = jax.vmap(alone)(states, memory)
    number = states.clock.tick.shape[0]
    return tuple(jax.tree.map(operator.itemgetter(town), together) for town in range(number))
