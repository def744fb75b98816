"""What the dashboard knows of a run, from its records alone. Pure: `take` returns the model after a record.

A model is never changed, so that a recording can be looked at from any place without reading it again.
Owns how much of the past is kept.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from townlet_jax.telemetry import joining

Record = Mapping[str, Any]
MOST_EVENTS, MOST_ACTIONS, MOST_STORIES, MOST_RESULTS = 400, 200, 200, 100
MOST_CHUNKS, MOST_SAMPLES = 60, 60
SAMPLES_A_DAY = 96  # so that the samples show five eighths of a day
ACTORS = ("agent", "actor", "rival", "speaker", "listener", "owner")  # fields of events that name somebody
QUIET = frozenset({"affordance_start", "agent_nightly_reset"})  # too common to be somebody's last event
UPDATED = "relationship_updated"  # kept apart: nearly every tick has one


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is kept of an earlier frame for curves."""

    tick: int
    agents: Mapping[str, Any]
    measures: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Town:
    """A watched town: its last whole frame, and what happened before; newest last."""

    frame: Record
    past: tuple[Sample, ...] = ()
    events: tuple[Record, ...] = ()
    actions: tuple[Record, ...] = ()  # what people asked for
    updates: tuple[Record, ...] = ()  # of known ties
    stories: tuple[Record, ...] = ()
    last_event: Mapping[str, Record] = field(default_factory=dict)  # by name of who took part
    is_behind: bool = False  # records were lost: nothing is shown until a whole frame comes

    @property
    def tick(self) -> int:
        """Return the tick of the frame."""
        return int(self.frame["tick"])


@dataclass(frozen=True, kw_only=True)
class Model:
    """A run as far as it was told."""

    run: Record = field(default_factory=dict)
    towns: Mapping[int, Town] = field(default_factory=dict)
    measures: tuple[Record, ...] = ()  # one a chunk, newest last
    health: Record = field(default_factory=dict)
    end: Record | None = None
    results: tuple[Record, ...] = ()  # of the console, newest last
    run_id: str = ""
    sequence: int = -1  # of the last record
    tick: int = 0
    lost: int = 0  # records
    taken: int = 0

    @property
    def ticks_per_day(self) -> int:
        """Return the length of a day; that of the default town until it is told."""
        return int(self.run.get("ticks_per_day", 1440))


def take(model: Model, record: Record) -> Model:
    """Return the model after one more record of any kind; another run starts anew."""
    if record["run_id"] != model.run_id:
        model = Model(run_id=record["run_id"], taken=model.taken)
    missing = record["sequence"] - model.sequence - 1 if model.sequence >= 0 and model.taken else 0
    if missing > 0 and model.towns:
        behind = {index: dataclasses.replace(town, is_behind=True) for index, town in model.towns.items()}
        model = dataclasses.replace(model, towns=behind, lost=model.lost + missing)
    known = {"sequence": record["sequence"], "tick": max(model.tick, record["tick"]), "taken": model.taken + 1}
    return dataclasses.replace(_understood(model, record), **known)


def _understood(model: Model, record: Record) -> Model:
    match record["payload_type"]:
        case "run":
            return dataclasses.replace(model, run=record, end=None)
        case "snapshot" | "diff":
            return _with_frame(model, record)
        case "measures":
            return dataclasses.replace(model, measures=(*model.measures, record)[-MOST_CHUNKS:])
        case "health":
            return dataclasses.replace(model, health=record)
        case "end":
            return dataclasses.replace(model, end=record)
        case _:
            return model


def _with_frame(model: Model, record: Record) -> Model:
    index = record["town"]
    before = model.towns.get(index)
    if record["payload_type"] == "snapshot":
        frame, told = record, record
    elif before is None or before.is_behind:
        return model
    else:
        frame, told = joining.apply(before.frame, record), record["changes"]
    events, stories = told.get("events", ()), told.get("narrations", ())
    town = Town(frame=frame) if before is None else dataclasses.replace(before, frame=frame, is_behind=False)
    town = _with_sample(_with_events(town, events), model.ticks_per_day)
    if stories:
        town = dataclasses.replace(town, stories=(*town.stories, *stories)[-MOST_STORIES:])
    model = dataclasses.replace(model, towns={**model.towns, index: town})
    return with_results(model, told.get("console", ()))


def with_results(model: Model, results: Iterable[Record]) -> Model:
    """Add results of the console that are not known yet: every watched town tells them, and who asked hears them."""
    for result in results:
        sent = result.get("cmd_id")
        if not any(known == result or (sent and known.get("cmd_id") == sent) for known in model.results):
            model = dataclasses.replace(model, results=(*model.results, result)[-MOST_RESULTS:])
    return model


def _with_events(town: Town, events: Any) -> Town:
    if not events:
        return town
    actions = [event for event in events if event["event"].startswith("action.")]
    updates = [event for event in events if event["event"] == UPDATED]
    others = [event for event in events if event["event"] != UPDATED and not event["event"].startswith("action.")]
    last = {
        event[role]: event
        for event in others
        if event["event"] not in QUIET
        for role in ACTORS
        if isinstance(event.get(role), str)
    }
    return dataclasses.replace(
        town,
        events=(*town.events, *others)[-MOST_EVENTS:],
        actions=(*town.actions, *actions)[-MOST_ACTIONS:],
        updates=(*town.updates, *updates)[-MOST_ACTIONS:],
        last_event={**town.last_event, **last} if last else town.last_event,
    )


def _with_sample(town: Town, ticks_per_day: int) -> Town:
    """Keep a sample if the last one is long enough ago; of a time that comes again, the later ones go."""
    past = town.past
    while past and past[-1].tick > town.tick:
        past = past[:-1]
    if past and town.tick - past[-1].tick < max(1, ticks_per_day // SAMPLES_A_DAY):
        return town if past is town.past else dataclasses.replace(town, past=past)
    measures = town.frame["kpis"].get("measures", {})
    sample = Sample(tick=town.tick, agents=town.frame["agents"], measures=measures)
    return dataclasses.replace(town, past=(*past, sample)[-MOST_SAMPLES:])


def watched(model: Model) -> tuple[int, ...]:
    """Return the towns that can be looked at, in order."""
    return tuple(sorted({*model.towns, *model.run.get("watched", ())}))


def behind_of(model: Model) -> tuple[int, ...]:
    """Return the towns of which a whole frame is awaited."""
    return tuple(index for index, town in sorted(model.towns.items()) if town.is_behind)


def people(town: Town) -> list[tuple[str, Record]]:
    """Return names and agents by slot; of a slot the one that lives there now, else the last one."""
    by_slot: dict[int, tuple[str, Record]] = {}
    for name, agent in town.frame["agents"].items():
        known = by_slot.get(agent["slot"])
        if known is None or (agent["alive"], agent["generation"]) > (known[1]["alive"], known[1]["generation"]):
            by_slot[agent["slot"]] = (name, agent)
    return [by_slot[slot] for slot in sorted(by_slot)]


def ties_of(town: Town, name: str) -> list[Record]:
    """Return what somebody feels for the others."""
    return [tie for tie in town.frame["relationships"].get("ties", ()) if tie["owner"] == name]
