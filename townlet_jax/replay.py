"""Recording a town and living it again, bit for bit."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax import runtime, watch
from townlet_jax.config import Built, Config, ConfigError, build, from_mapping
from townlet_jax.config.plan import as_data, config_hash
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.core import batch
from townlet_jax.core.actions import Intents, waiting
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.policy import timeline
from townlet_jax.policy.arguments import CommandError
from townlet_jax.recording import FIELDS, FORMAT, Description, Recording, RecordingError, Table, digest
from townlet_jax.run import Plan, events_of
from townlet_jax.watch import Chunk, Keep


class DifferenceError(Exception):
    """A replay left the recording."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"The replay differs from the recording somewhere in ticks {first} to {last}.")
        self.first = first
        self.last = last


def nothing(state: TownState, output: TickOutput, intents: Intents) -> tuple[()]:
    """Keep nothing of a tick."""
    del state, output, intents
    return ()


def record(
    config: Config,
    built: Built,
    plan: Plan,
    policy: batch.Policy,
    *,
    town: int,
    every: int,
    on_ticks: Callable[[int], None] = lambda ticks: None,
) -> tuple[Recording, TownState]:
    """Let one town live and return its recording and its end; `on_ticks` hears how many ticks are done."""
    edits = events_of(built, plan)
    state = watch.begin(built, seed=plan.seed, index=town)
    key = np.asarray(jax.random.key_data(state.key))
    intents: dict[str, list[Table]] = {field: [] for field in FIELDS}
    checkpoints: dict[int, str] = {}
    checked = 0
    chunks = watch.follow(built, policy, state, ticks=plan.ticks, keep=nothing, chunk=every, edits=edits)
    for chunk in chunks:
        for field, tables in intents.items():
            tables.append(np.asarray(getattr(chunk.intents, field)))
        if chunk.last_tick - checked >= every or chunk.last_tick == plan.ticks:
            checkpoints[chunk.last_tick] = digest(chunk.state)
            checked = chunk.last_tick
        state = chunk.state
        on_ticks(chunk.last_tick)
    description = Description(
        format=FORMAT,
        config_id=built.names.config_id,
        config_hash=built.names.config_hash,
        config=as_data(config),
        spec=spec_data(built.spec),
        policy=plan.policy,
        seed=plan.seed,
        town=town,
        agents=built.spec.num_agents,
        ticks=plan.ticks,
        every=every,
        edits=list(itertools.chain.from_iterable(edits[tick] for tick in sorted(edits))),
        versions=runtime.versions(),
    )
    joined = {field: np.concatenate(tables) for field, tables in intents.items()}
    return Recording(description=description, key=key, intents=joined, checkpoints=checkpoints), state


def spec_data(spec: Spec) -> dict[str, Any]:
    """Return the sizes of a town as JSON holds them."""
    data: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(spec)))
    return data


def rebuild(recording: Recording, name: str) -> Built:
    """Return the town of a recording; raises `RecordingError` if its configuration does not give it any more."""
    about = recording.description
    if "base" in about.config:
        raise RecordingError(f"{name} holds a configuration that refers to another file; a recording is complete.")
    try:
        config = from_mapping(about.config, source="its configuration")
        built = build(config)
    except ConfigError as error:
        raise RecordingError(f"{name} holds a configuration that this program refuses: {error}") from error
    if config_hash(config) != about.config_hash:
        raise RecordingError(f"{name} holds a configuration that is not the recorded one; it was changed or damaged.")
    here = spec_data(built.spec)
    for field in sorted({*here, *about.spec}):
        if here.get(field) != about.spec.get(field):
            raise RecordingError(
                f"{name} was made by another version of the program: spec.{field} is {about.spec.get(field)} there "
                f"and {here.get(field)} here; replay it with townlet_jax {about.versions.get('townlet_jax', '?')}."
            )
    if built.spec.num_agents != about.agents:
        raise RecordingError(f"{name} says {about.agents} agents, but its configuration has {built.spec.num_agents}.")
    _demand_edits(recording, built, name)
    return built


def _demand_edits(recording: Recording, built: Built, name: str) -> None:
    """Raise `RecordingError` unless every edit can be understood and every checkpoint is met."""
    about = recording.description
    for entry in about.edits:
        try:
            timeline.interpret(entry.command, entry.args, built.names, built.spec, built.params)
        except CommandError as error:
            raise RecordingError(f"{name}: the edit before tick {entry.tick}: {error}") from error
    ends = itertools.accumulate(watch.lengths(about.ticks, about.every, edits_of(about)))
    missed = sorted(set(recording.checkpoints) - set(ends))
    if missed:
        raise RecordingError(f"{name} has a checkpoint at tick {missed[0]}, where no replay stops; it is damaged.")


def edits_of(about: Description) -> Mapping[int, Sequence[TimelineEntry]]:
    """Return the edits of a recorded run by the tick before which they happened."""
    found: dict[int, list[TimelineEntry]] = {}
    for entry in about.edits:
        found.setdefault(entry.tick, []).append(entry)
    return found


def replay(recording: Recording, built: Built, *, keep: Keep = nothing) -> Iterator[Chunk]:
    """Live a recorded run again; raises `DifferenceError` at the first checkpoint that is not met."""
    about = recording.description
    key = jax.random.wrap_key_data(jnp.asarray(recording.key), impl="threefry2x32")
    chunks = watch.follow(
        built,
        watch.replayed(),
        watch.begin_with(built, key),
        ticks=about.ticks,
        keep=keep,
        chunk=about.every,
        edits=edits_of(about),
        given=jax.tree.unflatten(jax.tree.structure(waiting(1)), [recording.intents[field] for field in FIELDS]),
    )
    checked = 0
    for chunk in chunks:
        if chunk.last_tick in recording.checkpoints:
            if digest(chunk.state) != recording.checkpoints[chunk.last_tick]:
                raise DifferenceError(checked + 1, chunk.last_tick)
            checked = chunk.last_tick
        yield chunk
