"""Checkpoints of a learner: all that it needs to go on bit for bit, kept by the project's one store.

Owns what is saved, whose it is, and when. A checkpoint stands between two updates; its step is the number of updates
done. Its metrics are means of the log since the checkpoint before it.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from townlet_jax.core.observe.layout import layout
from townlet_jax.env import Standing
from townlet_jax.run import RunError
from townlet_jax.snapshots import (
    Best,
    DamagedError,
    Identity,
    MissingError,
    Store,
    identity,
    like,
    processes,
    sources,
    weights,
)
from townlet_jax.snapshots.errors import shown
from townlet_jax.snapshots.identity import Match
from train import logging
from train.building import Setup
from train.learner import Knowledge
from train.writers import Row

BEST = "return_per_agent_day"
FREE = ("updates", "town.config", "town.overrides")  # settings that may differ when a run goes on; config_hash has both


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where a run stands between two updates. The next one consumes its arrays."""

    update: int  # updates done
    knowledge: Knowledge
    standing: Standing
    agent_steps: tuple[int, ...]  # so far, of each member
    seconds: float = 0.0  # so far, without compiling


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How often checkpoints are made, and which stay."""

    every: int = 10
    latest: int = 3
    multiples: int = 0  # those whose step is a multiple of it stay, 0: none
    best: Best = field(default_factory=lambda: Best(BEST))


def begun(setup: Setup) -> Course:
    """Return a learner that knows nothing, in new towns."""
    seeds = [setup.settings.seed + member for member in range(setup.members)]
    knowledge, standing = setup.learner.begin(seeds or setup.settings.seed)
    return Course(update=0, knowledge=knowledge, standing=standing, agent_steps=(0,) * max(1, setup.members))


def identity_of(setup: Setup) -> Identity:
    """Return whose checkpoints these are: town, network, and every setting on which the numbers depend."""
    named = flat(setup.settings.model_dump(mode="json")) | {"population": setup.members}
    kept = {name: value for name, value in named.items() if name not in FREE}
    return weights.identity_of(setup.built, setup.network.config, kept)


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return settings by dotted name."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


class Checkpoints:
    """Saves a run; use it in a `with`. Raises `StoreError` for a folder that cannot be had."""

    def __init__(self, folder: Path, setup: Setup, rules: Rules) -> None:
        self._setup = setup
        self._rules = rules
        self._since: list[Row] = []  # of the log, since the last checkpoint
        self.store = Store(
            folder,
            identity=identity_of(setup),
            keep_latest=rules.latest,
            keep_best=rules.best,
            keep_every=rules.multiples,
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()

    def demand_room(self, update: int) -> None:
        """Raise `RunError` if there are checkpoints of later updates than the one that a run begins after."""
        newest = self.store.latest()
        if newest is not None and newest > update:
            raise RunError(
                f"{shown(self.store.root)} holds checkpoint {newest}, but this run begins after update {update}; "
                "go on from the newest with --resume, or give another --checkpoints."
            )

    def note(self, rows: Sequence[Row]) -> None:
        """Take note of what an update was like; raises what went wrong with the last save."""
        wanted = self._rules.best.metric
        if wanted not in means(rows):
            known = ", ".join(means(rows))
            raise RunError(f"--keep-best goes by {shown(wanted)}, but the figures of the log are {known}; choose one.")
        self._since += rows
        self.store.check()

    def is_due(self, update: int) -> bool:
        """Tell whether a checkpoint is to be made after so many updates."""
        return update % self._rules.every == 0

    def save(self, course: Course) -> list[str]:
        """Begin to save where a run stands, unless that has been done; its arrays may be donated at once.

        Return what is no number any more: then nothing is saved.
        """
        self.store.wait()
        newest = self.store.latest()
        if processes.same(-1 if newest is None else newest) >= course.update:  # others may not see it yet
            return []
        if not is_finite(course.knowledge):
            return ["a weight"]
        settings = self._setup.settings.model_dump(mode="json")
        meta = {
            "kind": sources.KIND,
            "format": sources.FORMAT,
            "members": self._setup.members,
            "network": dataclasses.asdict(self._setup.network.config),
            "settings": settings,
            "agent_steps": course.agent_steps,
            "seconds": course.seconds,
            "best": {"metric": self._rules.best.metric, "mode": self._rules.best.mode},
        }
        tree = {"learner": course.knowledge, "towns": course.standing}
        self.store.save(course.update, tree, meta=meta, metrics=means(self._since))
        self._since = []
        return []


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean of every figure over some lines of the log, and over all members of a population."""
    names = [name for name in rows[0] if name not in logging.COUNTERS] if rows else []
    return {name: float(np.mean([row[name] for row in rows])) for name in names}


def is_finite(knowledge: Knowledge) -> bool:
    """Tell whether all weights are numbers."""
    return all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(knowledge.parameters))


def resumed(setup: Setup, store: Store, step: int | None) -> tuple[Course, list[str]]:
    """Return where a run stood at its newest whole checkpoint or a certain one, and remarks on damaged ones.

    Raises `StoreError`: `IdentityError` names every setting that is not the same.
    """
    demand_same(setup, store, step)
    start = begun(setup)
    target = like({"learner": start.knowledge, "towns": start.standing})
    del start
    found = store.restore(target, step=step)
    steps, seconds = found.manifest.meta["agent_steps"], found.manifest.meta["seconds"]
    assert isinstance(steps, list), "it has been saved so"
    course = Course(
        update=found.manifest.step,
        knowledge=found.tree["learner"],
        standing=found.tree["towns"],
        agent_steps=tuple(int(number) for number in steps),  # type: ignore[arg-type]  # of JSON
        seconds=float(seconds),  # type: ignore[arg-type]  # of JSON
    )
    return course, [str(error) for error in found.refused]


def demand_same(setup: Setup, store: Store, step: int | None) -> None:
    """Raise `IdentityError` before anything is compiled, if the checkpoint that will be used is not this run's."""
    chosen = store.latest() if step is None else step
    if chosen is None:
        raise MissingError(f"There are no checkpoints in {shown(store.root)}; leave --resume out, or give a folder.")
    try:
        about = store.manifest(chosen)
    except DamagedError:
        return  # `restore` takes an older one
    sources.demand_learner(about, f"{shown(store.root)}@{chosen}")
    assert about.identity is not None, "demand_learner has seen it"
    identity.demand(about.identity, identity_of(setup), Match(), f"Checkpoint {chosen} in {shown(store.root)}")


def taught(setup: Setup, course: Course, place: str) -> Course:
    """Return a new learner with the weights and the moments of returns from a place; the rest begins anew.

    Raises `StoreError` unless the network reads and chooses the same things in arrays of the same shapes. Every member
    of a population gets the same weights.
    """
    known = sources.read(place)
    weights.demand_reading(known, setup.built, setup.network.config)
    weights.demand_shapes(known, weights.shapes_of(setup.network.config, layout(setup.built.spec)))
    knowledge = course.knowledge
    place_all = functools.partial(jax.tree.map, functools.partial(_in_place_of, members=setup.members))
    parameters = place_all(knowledge.parameters, known.parameters)
    moments = {name: getattr(knowledge.returns, name) for name in ("count", "mean", "square_sum")}
    if known.returns.keys() == moments.keys():
        moments = place_all(moments, known.returns)
    taken = knowledge.replace(parameters=parameters, returns=knowledge.returns.replace(**moments))
    return dataclasses.replace(course, knowledge=taken)


def _in_place_of(old: jax.Array, new: npt.NDArray[Any], *, members: int) -> jax.Array:
    """Return an array where another one lies, for every member of a population."""
    shape = (members, *new.shape) if members else new.shape
    placed: jax.Array = jax.device_put(np.broadcast_to(new, shape).astype(old.dtype), old.sharding)
    return placed
