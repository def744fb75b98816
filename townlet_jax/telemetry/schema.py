"""Telemetry schema 1.0: every record that leaves a run, and how a line is read (MECHANICS 11).

A record is one JSON object on one line. `parse` accepts version 1.x: a newer minor version is read with a warning and
keeps what it does not know, another major version is an error.
"""

import json
import re
import warnings
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from townlet_jax.telemetry.events import Event, EventBase
from townlet_jax.telemetry.parts import NEWER, Part, Real, Spread, Text, Whole, Yes, told
from townlet_jax.telemetry.sections import NAMES, ChannelStatus, Narration, Sections

VERSION = "1.0"
MAJOR, MINOR = (int(part) for part in VERSION.split("."))
VERSION_FORM = re.compile(r"^(\d{1,6})\.(\d{1,6})$")
SECTIONS = NAMES
MOST_SHOWN = 80  # characters of a strange value in a message


class SchemaError(ValueError):
    """A line is not a record that can be read; the text is one sentence."""


class SchemaWarning(UserWarning):
    """A record comes from a newer version and may say more than is understood."""


class Envelope(Part):
    """What every record says."""

    schema_version: Text = told("version of this schema, major.minor")
    run_id: Text = told("names the run; a resumed run keeps it")
    sequence: Whole = told("counts the records of a run from 0; a gap means lost records")
    tick: Whole = told("last tick it speaks of", "ticks")


class Ground(Part):
    """The map without people and things."""

    rows: tuple[Text, ...] = told("the map, one character a tile, from the top")
    legend: dict[Text, Text] = told("what each character means")


class Run(Envelope):
    """The first record of a run, and again when it is resumed."""

    payload_type: Literal["run"]
    config_id: Text = told("name of the configuration")
    config_hash: Text = told("SHA-256 of the merged configuration")
    towns: Whole = told("number of towns", "towns")
    agents: tuple[Text, ...] = told("names of the slots")
    ticks_per_day: Whole = told("length of a day", "ticks")
    watched: tuple[Whole, ...] = told("towns of which frames are published")
    planned_ticks: Whole = told("length of the run", "ticks")
    seed: Whole = told("seed of the run")
    policy: Text = told("name of the policy")
    every_ticks: Whole = told("a frame every so many ticks", "ticks")
    snapshot_every: Whole = told("a whole frame every so many ticks", "ticks")
    privacy: Literal["none", "hashed"] = told("whether names of agents are hashes")
    versions: dict[Text, Text] = told("of the program and its libraries")
    started: Text = told("ISO 8601, UTC")
    resumed: Yes = told("goes on from a snapshot")
    ground: Ground | None = told("map of the towns; null if it is not told", default=None)


class Snapshot(Envelope, Sections):
    """A whole frame: one watched town after one tick."""

    payload_type: Literal["snapshot"]
    town: Whole = told("index of the town")


class Diff(Envelope):
    """What is different from the frame before of the same town."""

    payload_type: Literal["diff"]
    town: Whole = told("index of the town")
    changes: dict[Text, Any] = told("whole new value by section; of `relationships` only the ties that changed")
    removed: tuple[Text, ...] = told("sections that are no longer there")


class Trouble(Part):
    """How many of all towns are in trouble after the chunk: shares, 0 to 1."""

    alerts: dict[Text, Real] = told("share of towns in which each alert stands")
    any_alert: Real = told("share of towns in which any alert stands")
    candidate_ready: Real = told("share of towns that passed enough promotion windows in a row")
    windows_passed: Real = told("share of towns whose last promotion window passed")
    windows_failed: Real = told("share of towns whose last promotion window failed")


class MeasuresRecord(Envelope):
    """All towns over one chunk of ticks."""

    payload_type: Literal["measures"]
    first_tick: Whole = told("first tick of the chunk", "ticks")
    last_tick: Whole = told("last tick of the chunk", "ticks")
    towns: Whole = told("number of towns", "towns")
    agent_ticks: Whole = told("living agents summed over ticks and towns", "agent-ticks")
    kpis: dict[Text, Spread] = told("report figures of the chunk: mean, p5, p50, p95 over towns; null = no meaning")
    terms: dict[Text, Spread] = told("reward terms a tick, mean over agents: mean, p5, p50, p95 over towns")
    counts: dict[Text, Real | dict[Text, Real]] = told("sums over all towns and ticks of the chunk, by name")
    sums: dict[Text, Real] = told("sums over towns from which figures of several chunks are made")
    last: dict[Text, Real | dict[Text, Real]] = told("measures of the last tick, mean over towns")
    stability: Trouble | None = told("shares of towns in trouble; null without analysers", default=None)


class Health(Envelope):
    """How the run does, once a chunk."""

    payload_type: Literal["health"]
    seconds: Real = told("wall time of the chunk", "seconds")
    tick_ms: Real = told("wall time of a tick of all towns", "milliseconds")
    ticks_per_second: Real = told("of all towns together")
    faults: dict[Text, Whole] = told("towns known to have a fault, by its name")
    channels: tuple[ChannelStatus, ...] = told("sinks")
    queue: Whole = told("chunks that wait to be published", "chunks")
    records: Whole = told("records published in this run, resumed ones included")
    skipped_chunks: Whole = told("chunks thrown away because publishing was too slow", "chunks")
    failures: Whole = told("chunks that could not be published", "chunks")
    publish_ms: Real = told("time spent on the chunk's records", "milliseconds")
    extra: dict[Text, Any] = told("what the session adds")


class End(Envelope):
    """The last record of a run."""

    payload_type: Literal["end"]
    why: Text = told("why it ended: finished, interrupted, or a sentence")
    ticks: Whole = told("ticks published", "ticks")
    counters: dict[Text, Whole] = told("records by kind, events by name, skipped_chunks, failures")


Record = Run | Snapshot | Diff | MeasuresRecord | Health | End
_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="payload_type")])
_SECTION = {name: TypeAdapter(field.rebuild_annotation()) for name, field in Sections.model_fields.items()}
KINDS = ("run", "snapshot", "diff", "measures", "health", "end")

__all__ = [
    "KINDS", "SECTIONS", "VERSION", "Diff", "End", "Envelope", "Event", "EventBase", "Health", "MeasuresRecord",
    "Narration", "Part", "Record", "Run", "SchemaError", "SchemaWarning", "Snapshot", "json_schema", "parse", "read",
]  # fmt: skip


def parse(line: str | bytes) -> Record:
    """Read one line; raises `SchemaError`, warns with `SchemaWarning` about a newer minor version."""
    return check(read(line))


def read(line: str | bytes) -> dict[str, Any]:
    """Read one line as plain data of a version that can be read, without looking at its fields."""
    try:
        data = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise SchemaError("the line is not a JSON object; it may have been cut off") from None
    if not isinstance(data, dict):
        raise SchemaError(f"the line holds {_shown(data)}, but a record is a JSON object")
    major, minor = _version(data)
    if major != MAJOR:
        raise SchemaError(f"its schema_version is {major}.{minor}, but this program reads {MAJOR}.x; use another one")
    if minor > MINOR:
        text = f"a record has schema_version {major}.{minor}, newer than {VERSION}: what is not known is passed over"
        warnings.warn(text, SchemaWarning, stacklevel=2)
    return data


def check(data: dict[str, Any]) -> Record:
    """Turn plain data into a record; raises `SchemaError`."""
    context = {NEWER} if _version(data)[1] > MINOR else set()
    try:
        record = _ADAPTER.validate_python(data, context=context)
        if isinstance(record, Diff):
            _check_changes(record, context)
    except ValidationError as error:
        raise SchemaError(_sentence(error)) from None
    return record


def _check_changes(diff: Diff, context: set[str]) -> None:
    for name, value in diff.changes.items():
        if name in _SECTION:
            try:
                _SECTION[name].validate_python(value, context=context)
            except ValidationError as error:
                raise SchemaError(_sentence(error, f"changes.{name}")) from None
        elif not context:
            raise SchemaError(f"changes.{_shown(name)} is not a section of a frame")


def _version(data: dict[str, Any]) -> tuple[int, int]:
    said = data.get("schema_version")
    form = VERSION_FORM.match(said) if isinstance(said, str) else None
    if form is None:
        raise SchemaError(f"its schema_version is {_shown(said)}, but must read like {VERSION!r}")
    return int(form[1]), int(form[2])


def _sentence(error: ValidationError, *above: str) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join((*above, *(str(part) for part in first["loc"])))
    return f"it is wrong at {_shown(place or 'the top')[1:-1]} ({first['msg']})"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}...'"


def _no_constant(name: str) -> None:
    raise ValueError(name)


def json_schema() -> str:
    """Return the JSON Schema of a record, for other languages."""
    schema = _ADAPTER.json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = f"townlet_jax telemetry {VERSION}"
    return json.dumps(schema, indent=1) + "\n"
