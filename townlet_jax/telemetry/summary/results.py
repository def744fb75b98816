"""What a summary says, as records. Owns the form of `summary.json`: version 1."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from townlet_jax.telemetry.summary.chronicle import Category, Departure, Perturbed, Story
from townlet_jax.telemetry.summary.curves import Figure
from townlet_jax.telemetry.summary.people import Often, Ranking
from townlet_jax.telemetry.summary.problems import Problem
from townlet_jax.telemetry.summary.transport import Channel, Sequence, Speed

FORM, FORM_VERSION = "townlet_jax summary", 1


@dataclass(frozen=True, kw_only=True)
class Header:
    """What the run is, from its first record; None where that record is missing."""

    config_id: str
    config_hash: str
    policy: str
    seed: int
    towns: int
    agents: int
    watched: tuple[int, ...]
    planned_ticks: int
    ticks_per_day: int
    every_ticks: int
    privacy: str
    started: str
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class EventCount:
    """How often an event happened in the watched towns."""

    event: str
    count: int
    per_day: float  # a town
    per_agent_day: float | None  # None without frames
    most: tuple[Often, ...]  # to whom most often


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One run."""

    run_id: str
    header: Header | None
    resumed: int  # how often it went on from a snapshot
    ended: str | None  # why; None while it runs, or where it was killed
    first_tick: int
    last_tick: int
    days: float
    town_days: float  # of the watched towns
    records: dict[str, int]  # read, by kind
    of_frames: bool  # figures are those of frames, not of all towns
    kpis: dict[str, Figure]
    terms: dict[str, Figure]  # of the reward, a tick
    counts: dict[str, float]  # sums over all towns, such as exits.faint
    events: tuple[EventCount, ...]
    people: int
    rankings: tuple[Ranking, ...]
    categories: tuple[Category, ...]
    stories: tuple[Story, ...]
    perturbations: tuple[Perturbed, ...]
    reasons: dict[str, int]  # of departures from watched towns
    departures: tuple[Departure, ...]  # the newest
    speed: Speed | None
    channels: tuple[Channel, ...]
    sequence: Sequence
    stale_frames: int  # diffs whose whole frame is missing: their figures are left out
    left_out: dict[str, int]  # what bounded memory had no room for
    published: dict[str, int]  # counters of the last record


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """One training log, or one member of a population."""

    name: str
    updates: int
    first_update: int
    last_update: int
    agent_steps: int
    seconds: float | None
    figures: dict[str, Figure]
    unlearned: dict[str, int]  # rows in which a figure was no number, by figure


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Everything that was read."""

    files: tuple[str, ...]
    runs: tuple[RunSummary, ...]
    training: tuple[TrainingSummary, ...]
    problems: tuple[Problem, ...]  # the first few
    bad_lines: int
    remarks: tuple[str, ...]


def as_data(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain data for JSON; figures have their change with them."""
    data = dataclasses.asdict(summary)
    made = [(run, name) for run in data["runs"] for name in ("kpis", "terms")]
    made += [(training, "figures") for training in data["training"]]
    for owner, name in made:
        for figure in owner[name].values():
            both = figure["first"] is not None and figure["last"] is not None
            figure["change"] = figure["last"] - figure["first"] if both else None
    return {"form": FORM, "version": FORM_VERSION, **_finite(data)}


def _finite(value: Any) -> Any:
    """Return plain data with null for what JSON has no number for: sums of numbers that were too large."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
