"""A cloning run from its first batch to its last exam: what `train.bc` and the clone stages of an anneal share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from townlet_jax.config import Built
from townlet_jax.core import batch
from townlet_jax.core.observe import maps
from townlet_jax.policy import network
from townlet_jax.policy.network import Network, Parameters
from townlet_jax.run import RunError
from train import exams, normalise, sequences
from train.cloning import CloneHyper, Cloner, Rows, demand_own
from train.exams import Exam
from train.learner import Knowledge
from train.lessons import Lessons, Moments
from train.losses import CloneTerms
from train.recipes import CloneSettings
from train.sequences import Rehearsal, SequenceCloner
from train.update import OPTIMISER
from train.writers import Row

AnyCloner = Cloner | SequenceCloner
MOST_COUNTED = 2.0**16  # what the returns of a dataset weigh at most against those of later rollouts


@dataclass(frozen=True, kw_only=True)
class Studied:
    """How a cloning run ended."""

    knowledge: Knowledge
    exam: Exam | None  # the last one; None where none was taken
    steps: int  # done in this run
    seconds: float  # without the first call, which compiles
    compile_seconds: float
    lost: list[str]  # figures that are no numbers any more


@runtime_checkable
class Course(Protocol):
    """A run over some lessons."""

    def step(self, hyper: CloneHyper, knowledge: Knowledge) -> tuple[Knowledge, CloneTerms, jax.Array]:
        """Take the steps of a call; `knowledge` is donated."""

    def exam(self, parameters: Parameters) -> Exam:
        """Look at held-out rows."""


class RowCourse:
    """A run in which every row is read by itself."""

    def __init__(self, cloner: Cloner, lessons: Lessons, clone: CloneSettings, *, scaled: bool) -> None:
        self._cloner, self._lessons, self._clone, self._scaled = cloner, lessons, clone, scaled

    def step(self, hyper: CloneHyper, knowledge: Knowledge) -> tuple[Knowledge, CloneTerms, jax.Array]:
        """Take the steps of a call; `knowledge` is donated."""
        return self._cloner.step(hyper, knowledge, drawn(self._lessons, self._clone, scaled=self._scaled))

    def exam(self, parameters: Parameters) -> Exam:
        """Look at held-out rows."""
        lessons, size = self._lessons, self._clone.batch_rows
        return exams.taken(self._cloner, parameters, lessons, lessons.held, batch=size, scaled=self._scaled)


def devices_for(number: int) -> list[jax.Device]:
    """Return as many devices as can share a number of rows or lanes evenly."""
    devices: list[jax.Device] = jax.local_devices()
    return devices[: max(size for size in range(1, len(devices) + 1) if number % size == 0)]


def cloner_for(net: Network, built: Built, clone: CloneSettings, mesh: Mesh | None = None) -> AnyCloner:
    """Return what compiles the steps, row by row or through time; raises `RunError` for a network of neither kind."""
    demand_own(net)
    path = maps.path(built.spec)
    if net.config.core == "none":
        return Cloner(net, path, mesh or batch.town_mesh(devices_for(clone.batch_rows)))
    return SequenceCloner(net, path, mesh or batch.town_mesh(devices_for(sequences.lanes_of(clone))))


def course_of(cloner: AnyCloner, lessons: Lessons, clone: CloneSettings, *, scaled: bool) -> Course:
    """Begin a run over some lessons."""
    if isinstance(cloner, Cloner):
        return RowCourse(cloner, lessons, clone, scaled=scaled)
    return Rehearsal(cloner, lessons, clone, scaled=scaled)


def newborn(net: Network, seed: int) -> Knowledge:
    """Return what a network knows before its first step."""
    key = jax.random.key(seed, impl="threefry2x32")
    return fresh(jax.jit(network.init, static_argnums=0)(net, jax.random.fold_in(key, 0)), key)


def fresh(parameters: Parameters, key: jax.Array) -> Knowledge:
    """Return weights with an optimiser that has seen nothing."""
    with jax.numpy_dtype_promotion("standard"):
        optimiser = OPTIMISER.init(parameters)
    moments = jax.tree.map(jnp.copy, normalise.nothing_seen())
    return Knowledge(
        parameters=parameters, optimiser=optimiser, returns=moments, key=jax.random.fold_in(key, 1), update=jnp.int32(0)
    )


def with_moments(knowledge: Knowledge, moments: Moments) -> Knowledge:
    """Return what is known, with the returns of a dataset as those that values are measured in."""
    count = min(float(moments.count), MOST_COUNTED)
    seen = normalise.Moments(
        count=jnp.float32(count),
        mean=jnp.float32(moments.mean),
        square_sum=jnp.float32(moments.square_sum / max(moments.count, 1) * count),
    )
    return knowledge.replace(returns=seen)


def without(knowledge: Knowledge, columns: list[int]) -> Knowledge:
    """Return what is known with weights of 0 for some features: while these read 0, no gradient changes that."""
    if not columns:
        return knowledge
    layer = knowledge.parameters["features"]
    deaf = layer | {"kernel": layer["kernel"].at[jnp.asarray(columns)].set(0.0)}
    return knowledge.replace(parameters=knowledge.parameters | {"features": deaf})


def in_place_of(old: Knowledge, new: Knowledge) -> Knowledge:
    """Return a learner with the weights and the moments of returns of another one; the rest stays, Adam begins anew."""
    begun = fresh(new.parameters, old.key)
    wanted = old.replace(parameters=begun.parameters, optimiser=begun.optimiser, returns=new.returns)
    placed: Knowledge = jax.tree.map(lambda leaf, place: jax.device_put(leaf, place.sharding), wanted, old)
    return placed


def study(
    cloner: AnyCloner,
    lessons: Lessons,
    clone: CloneSettings,
    knowledge: Knowledge,
    *,
    steps: int,
    scaled: bool = True,
    on_row: Callable[[Row], None] = lambda row: None,
    keep: Callable[[Knowledge, Row], None] = lambda knowledge, row: None,
    stop: Callable[[], bool] = lambda: False,
) -> Studied:
    """Take steps of Adam until they are done or somebody asks to stop; a row of the log is one call of the device.

    Steps are rounded up to whole calls. `keep` hears of what is known after each look at held-out rows, the last time
    at the end. Stops where a loss is no number any more: then what is known is good for nothing.
    """
    blind = without(knowledge, lessons.hidden)
    known = cloner.placed(with_moments(blind, lessons.moments) if scaled else blind)
    course = course_of(cloner, lessons, clone, scaled=scaled)
    steps = -(-steps // clone.steps_a_call) * clone.steps_a_call
    done, lost, ends = 0, list[str](), stop()
    began, compile_seconds, exam = time.perf_counter(), 0.0, None
    while done < steps and not ends:
        started = time.perf_counter()
        hyper = hyper_of(clone, done, steps)
        known, terms, norms = course.step(hyper, known)
        figures = row_of(terms, norms, hyper)
        now = time.perf_counter()
        if not done:
            compile_seconds = now - started
            began += compile_seconds
        before, done = done, done + clone.steps_a_call
        lost = [name for name, value in figures.items() if not np.isfinite(value)]
        ends = bool(lost) or stop()
        row = {
            "update": done - 1,
            "rows_total": done * clone.batch_rows,
            "seconds": now - began,
            "rows_per_s": clone.steps_a_call * clone.batch_rows / max(now - started, 1e-9),
            **figures,
        }
        is_due = done // clone.check_every > before // clone.check_every
        if not lost and (is_due or ends or done >= steps):
            exam = course.exam(known.parameters)
            row |= {"held_out_accuracy": exam.accuracy, "held_out_cross_entropy": exam.cross_entropy}
            keep(known, row)
        on_row(row)
    seconds = time.perf_counter() - began
    return Studied(knowledge=known, exam=exam, steps=done, seconds=seconds, compile_seconds=compile_seconds, lost=lost)


def drawn(lessons: Lessons, clone: CloneSettings, *, scaled: bool) -> Rows:
    """Return the batches of a call, beside each other."""
    steps, batch_rows = clone.steps_a_call, clone.batch_rows
    flat = lessons.rows(lessons.drawn(batch_rows * steps), scaled=scaled)
    shaped: Rows = jax.tree.map(lambda leaf: leaf.reshape(steps, batch_rows, *leaf.shape[1:]), flat)
    return shaped


def hyper_of(clone: CloneSettings, done: int, steps: int) -> CloneHyper:
    """Return the settings of a call after so many steps: the learning rate falls in a straight line."""
    places = done + np.arange(clone.steps_a_call)
    falling = 1.0 - places / steps if clone.anneal else np.ones(clone.steps_a_call)
    return CloneHyper(
        learning_rate=jnp.asarray(clone.learning_rate * falling, jnp.float32),
        value_weight=jnp.float32(clone.value_weight),
        max_grad_norm=jnp.float32(clone.max_grad_norm),
    )


def row_of(terms: CloneTerms, norms: jax.Array, hyper: CloneHyper) -> Row:
    """Return the figures of a call, means over its steps."""
    found = jax.device_get(terms)
    return {
        "loss": float(np.mean(found.loss)),
        "cross_entropy": float(np.mean(found.cross_entropy)),
        "value_loss": float(np.mean(found.value)),
        "accuracy": float(np.mean(found.accuracy)),
        "grad_norm": float(np.mean(np.asarray(norms))),
        "learning_rate": float(hyper.learning_rate[-1]),
    }


def demand_batch(clone: CloneSettings, lessons: Lessons, *, recurrent: bool = False) -> None:
    """Raise `RunError` for a batch with more rows than there are, or one that windows do not fill."""
    if recurrent:
        sequences.demand_windows(clone, lessons)
    if clone.batch_rows > len(lessons.taught):
        raise RunError(
            f"clone.batch_rows is {clone.batch_rows}, but there are {len(lessons.taught)} decisions to learn from; set "
            "clone.batch_rows lower, or record more."
        )
