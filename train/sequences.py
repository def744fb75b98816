"""Cloning with a recurrent core: windows of whole lives, read in their order with the memory carried on.

Owns the compiled step. A batch is the next window of every lane (`train.lanes`): gradients end where the window
begins, but what is remembered does not; it is dropped where an individual is new, as in a town. Lanes stand beside each
other as if they were the agents of one town, and are split over the devices of a mesh.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float

from townlet_jax.core.batch import AXIS
from townlet_jax.core.struct import Pytree
from townlet_jax.policy import distribution, network
from townlet_jax.policy.cores import Memory
from townlet_jax.policy.network import Network, Parameters
from townlet_jax.run import RunError
from train import cloning, exams, lanes, losses
from train.cloning import CloneHyper, Guess, Rows
from train.exams import Exam
from train.lanes import Window
from train.learner import Knowledge
from train.lessons import Lessons, Part
from train.losses import CloneTerms
from train.recipes import CloneSettings
from train.update import adam


class Windows(Pytree):
    """Windows of a dataset: axes steps (or none), ticks, lanes."""

    rows: Rows
    fresh: Bool[Array, "*steps time lanes"]


class SequenceCloner:
    """Compiles the step and the look at held-out lives, each once."""

    def __init__(self, net: Network, path: Float[Array, "axes w w"], mesh: Mesh) -> None:
        self._net, self._path = net, path
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._lanes = NamedSharding(mesh, PartitionSpec(AXIS))
        self._windows = NamedSharding(mesh, PartitionSpec(None, AXIS))
        self._steps = NamedSharding(mesh, PartitionSpec(None, None, AXIS))
        self.traces = 0  # how often the step was traced
        known = (self._everywhere, self._lanes)
        self._step = jax.jit(self._learned, donate_argnums=(1, 2), out_shardings=(*known, self._everywhere))
        self._guess = jax.jit(self._guessed, out_shardings=known)

    def placed(self, knowledge: Knowledge) -> Knowledge:
        """Return what is known on all devices."""
        there: Knowledge = jax.device_put(knowledge, self._everywhere, may_alias=False)  # it will be donated
        return there

    def nothing(self, number: int) -> Memory:
        """Return what so many lanes remember at first."""
        memory: Memory = jax.device_put(network.no_memory(self._net.config, (number,)), self._lanes, may_alias=False)
        return memory

    def step(
        self, hyper: CloneHyper, knowledge: Knowledge, memory: Memory, windows: Windows
    ) -> tuple[Knowledge, Memory, CloneTerms, Array]:
        """Take one step of Adam for each of `windows`; `knowledge` and `memory` are donated."""
        placed = jax.device_put(windows, self._steps)
        known, after, (terms, norms) = self._step(hyper, knowledge, memory, placed)
        return known, after, terms, norms

    def guess(self, parameters: Parameters, memory: Memory, windows: Windows) -> tuple[Guess, Memory]:
        """Return what the network makes of a window, and what it remembers then."""
        made: tuple[Guess, Memory] = self._guess(parameters, memory, jax.device_put(windows, self._windows))
        return made

    def _learned(
        self, hyper: CloneHyper, knowledge: Knowledge, memory: Memory, windows: Windows
    ) -> tuple[Knowledge, Memory, tuple[CloneTerms, Array]]:
        self.traces += 1

        def once(
            learned: tuple[Parameters, Any, Memory], given: tuple[Array, Windows]
        ) -> tuple[tuple[Parameters, Any, Memory], tuple[CloneTerms, Array]]:
            rate, window = given
            parameters, optimiser, before = learned
            gradients, (terms, after) = gradient_of(
                self._net, self._path, parameters, before, window, hyper.value_weight
            )
            parameters, optimiser, norm = adam(
                gradients, parameters, optimiser, learning_rate=rate, max_grad_norm=hyper.max_grad_norm
            )
            return (parameters, optimiser, after), (terms, norm)

        start = (knowledge.parameters, knowledge.optimiser, memory)
        (parameters, optimiser, memory), found = jax.lax.scan(once, start, (hyper.learning_rate, windows))
        update = knowledge.update + jnp.int32(hyper.learning_rate.shape[0])
        return knowledge.replace(parameters=parameters, optimiser=optimiser, update=update), memory, found

    def _guessed(self, parameters: Parameters, memory: Memory, windows: Windows) -> tuple[Guess, Memory]:
        logits, value, after = read(self._net, self._path, parameters, memory, windows)
        surprise = -distribution.log_prob(logits, windows.rows.label)
        return Guess(action=distribution.mode(logits), surprise=surprise, value=value), after


def gradient_of(
    net: Network,
    path: Float[Array, "axes w w"],
    parameters: Parameters,
    memory: Memory,
    windows: Windows,
    value_weight: Float[Array, ""],
) -> tuple[Parameters, tuple[CloneTerms, Memory]]:
    """Return the gradient, the terms of the loss over a window, and the memory after it."""
    rows = windows.rows

    def loss(candidate: Parameters) -> tuple[Float[Array, ""], tuple[CloneTerms, Memory]]:
        logits, value, after = read(net, path, candidate, memory, windows)
        share = losses.shares(rows.count)
        total, terms = losses.clone(
            logits, value, label=rows.label, target=rows.target, share=share, value_weight=value_weight
        )
        return total, (terms, after)

    gradients, found = jax.grad(loss, has_aux=True)(parameters)
    return gradients, found


def read(
    net: Network, path: Float[Array, "axes w w"], parameters: Parameters, memory: Memory, windows: Windows
) -> tuple[Float[Array, "time lanes X"], Float[Array, "time lanes"], Memory]:
    """Return masked logits and values of a window, and the memory after it."""
    seen = jax.vmap(functools.partial(cloning.seen_in, net, path))(windows.rows)
    return network.unroll(net, parameters, seen, memory, windows.fresh)


class Rehearsal:
    """A run over some lessons: which windows come next, and what the lanes remember."""

    def __init__(self, cloner: SequenceCloner, lessons: Lessons, clone: CloneSettings, *, scaled: bool) -> None:
        self._cloner, self._lessons, self._clone, self._scaled = cloner, lessons, clone, scaled
        self._number = lanes_of(clone)
        self._endless = lanes.Endless(lessons.taught_spans, self._number, seed=lessons.seed)
        self._memory = cloner.nothing(self._number)

    def step(self, hyper: CloneHyper, knowledge: Knowledge) -> tuple[Knowledge, CloneTerms, Array]:
        """Take the steps of a call; `knowledge` is donated."""
        steps, ticks = self._clone.steps_a_call, self._clone.window
        flat = self._windows(self._endless.taken(steps * ticks))
        windows: Windows = jax.tree.map(lambda leaf: leaf.reshape(steps, ticks, *leaf.shape[1:]), flat)
        known, self._memory, terms, norms = self._cloner.step(hyper, knowledge, self._memory, windows)
        return known, terms, norms

    def exam(self, parameters: Parameters) -> Exam:
        """Let the network go through the lives of all held-out towns, each from its beginning."""
        memory = self._cloner.nothing(self._number)
        parts, columns = list[Part](), list[tuple[Any, ...]]()
        for window in lanes.once(self._lessons.held_spans, self._number, self._clone.window):
            windows = self._windows(window)
            found, memory = self._cloner.guess(parameters, memory, windows)
            rows = windows.rows
            count = np.asarray(rows.count)
            arrays = (rows.label, found.action, found.surprise, found.value, rows.target)
            columns.append(tuple(np.asarray(array)[count] for array in arrays))
            parts.append(Part(window.part.shard[count], window.part.row[count]))
        return exams.judged(self._lessons, parts, columns)

    def _windows(self, window: Window) -> Windows:
        rows = self._lessons.decisions(window.part, window.real, scaled=self._scaled)
        return Windows(rows=rows, fresh=jnp.asarray(window.fresh))


def lanes_of(clone: CloneSettings) -> int:
    """Return how many lives are read side by side."""
    return clone.batch_rows // clone.window


def demand_windows(clone: CloneSettings, lessons: Lessons) -> None:
    """Raise `RunError` unless a batch is whole windows, and some episode is as long as one."""
    rows, ticks = clone.batch_rows, clone.window
    if rows % ticks:
        below = rows - rows % ticks
        near = f"{below} or {below + ticks}" if below else str(ticks)
        raise RunError(
            f"clone.batch_rows is {rows}, but must be a multiple of clone.window ({ticks}), because a recurrent "
            f"network reads whole windows; set clone.batch_rows={near}."
        )
    longest = max(span.length for span in lessons.taught_spans)
    if ticks > longest:
        raise RunError(
            f"clone.window is {ticks} ticks, but the longest episode to learn from has {longest}; set clone.window "
            f"to {longest} or less, or record longer."
        )
