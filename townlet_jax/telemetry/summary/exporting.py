"""Records as tables for other programs: agents of frames, events, measures; to CSV, JSON lines or Parquet, row by row.

`frames` has a row for each agent of each frame, `events` one for each event, `measures` one for each figure of each
chunk, with its group (kpis, terms, counts, sums, last). What came twice is there once.
"""

import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from townlet_jax.core.enums import Need
from townlet_jax.telemetry import events as catalogue
from townlet_jax.telemetry.parts import Real, Whole, Yes
from townlet_jax.telemetry.summary import reading
from townlet_jax.telemetry.summary.found import Found
from townlet_jax.telemetry.summary.frames import Stream
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.sources import Source
from townlet_jax.telemetry.summary.tabled import SPREADS
from townlet_jax.telemetry.summary.tally import Choice

What = Literal["frames", "events", "measures"]
Row = dict[str, Any]
Columns = dict[str, type]  # name to int, float, bool or str
HEAD: Columns = {"run_id": str, "sequence": int}
FRAMES: Columns = {
    **HEAD, "tick": int, "town": int, "agent": str, "slot": int, "uid": int, "generation": int, "alive": bool, "x": int,
    "y": int, "home": str, "profile": str, "job": str, **{need.name.lower(): float for need in Need}, "wallet": float,
    "reward": float, "age_ticks": int, "option": str, "action": str, "action_object": str, "action_affordance": str,
    "action_target": str, "action_ok": bool, "action_reason": str, "activity": str, "holding": str, "waits_for": str,
    "queue_position": int, "possessed": bool,
}  # fmt: skip
MEASURES: Columns = {
    **HEAD, "first_tick": int, "last_tick": int, "towns": int, "agent_ticks": int, "group": str, "name": str,
    "value": float, "p5": float, "p50": float, "p95": float,
}  # fmt: skip
MORE = "more"  # column of what an event says beyond the catalogue, as JSON
MOST_RUNS = 1_000


def _event_columns() -> Columns:
    """Return a column for each field of any event; lists, maps and fields of several types are text."""
    kinds: dict[str, set[type]] = {}
    for model in catalogue.MODELS:
        for name, hint in typing.get_type_hints(model, include_extras=True).items():
            if name in model.model_fields:
                kinds.setdefault(name, set()).add(_column_type(hint))
    named = {name: found.pop() if len(found) == 1 else str for name, found in kinds.items()}
    first = ("tick", "town", "event", "agent")
    order = {name: named[name] for name in first} | named
    return {**HEAD, **order, MORE: str}


def _column_type(hint: Any) -> type:
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    is_optional = typing.get_origin(hint) is not typing.Annotated and type(None) in typing.get_args(hint)
    plain = parts[0] if is_optional and len(parts) == 1 else hint
    return {Whole: int, Real: float, Yes: bool}.get(plain, str)


COLUMNS: dict[What, Columns] = {"frames": FRAMES, "events": _event_columns(), "measures": MEASURES}


def rows(sources: Sequence[Source], what: What, choice: Choice, problems: Problems) -> Iterator[Row]:
    """Go through the rows of a table; raises `ReadError`."""
    streams: dict[str, Stream] = {}
    for found in reading.records(sources, problems):
        if found.kind == "training":
            continue
        run_id = found.data["run_id"]
        if run_id not in streams and len(streams) >= MOST_RUNS:
            streams.pop(next(iter(streams)))
        stream = streams.setdefault(run_id, Stream())
        if stream.is_new(found):
            yield from _rows_of(found, what, choice, stream)


def _rows_of(found: Found, what: What, choice: Choice, stream: Stream) -> Iterator[Row]:
    data = found.data
    head = {name: data.get(name) for name in HEAD}
    if found.kind in ("snapshot", "diff"):
        taken = stream.frame(found) if choice.town in (None, data["town"]) else None
        if taken is None:
            return
        frame, fresh = taken
        if what == "events":
            yield from (head | event_row(event) for event in fresh.get("events", ()) if _within(choice, event["tick"]))
        elif what == "frames" and frame.is_whole and _within(choice, frame.tick):
            place = {"tick": frame.tick, "town": data["town"]}
            yield from (head | place | _agent(name, one) for name, one in frame.sections.get("agents", {}).items())
    elif found.kind == "event" and what == "events":
        if choice.town in (None, data["town"]) and _within(choice, data["tick"]):
            yield head | event_row({name: value for name, value in data.items() if name not in HEAD})
    elif found.kind == "measures" and what == "measures" and choice.holds(data["first_tick"], data["last_tick"]):
        yield from (head | row for row in _figures(data))


def _within(choice: Choice, tick: int) -> bool:
    return choice.holds(tick, tick)


def event_row(event: Mapping[str, Any]) -> Row:
    """Return an event by column; what has no column goes into `more`."""
    columns = COLUMNS["events"]
    row = {name: _cell(event.get(name), kind) for name, kind in columns.items() if name not in HEAD}
    more = {name: value for name, value in event.items() if name not in columns}
    return row | {MORE: json.dumps(more, ensure_ascii=False) if more else None}


def _cell(value: Any, kind: type) -> Any:
    if value is None or value == []:
        return None
    if kind is str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return kind(value) if isinstance(value, int | float) else None


def _agent(name: str, agent: Mapping[str, Any]) -> Row:
    """Return one agent of a frame by column."""
    action, activity, queue = agent["action"], agent["activity"] or {}, agent["queue"] or {}
    plain = {column: agent[column] for column in FRAMES if column in agent and column not in ("action", "activity")}
    return plain | {
        "agent": name,
        "x": agent["position"][0],
        "y": agent["position"][1],
        **{need.name.lower(): agent["needs"].get(need.name.lower()) for need in Need},
        "action": action["kind"],
        **{f"action_{part}": action[part] for part in ("object", "affordance", "target", "ok", "reason")},
        "activity": activity.get("affordance"),
        "waits_for": queue.get("object"),
        "queue_position": queue.get("position"),
    }


def _figures(data: Mapping[str, Any]) -> Iterator[Row]:
    """Go through the figures of a chunk."""
    head = {name: data[name] for name in ("first_tick", "last_tick", "towns", "agent_ticks")}
    for group in SPREADS:
        for name, spread in data[group].items():
            values = {part: spread.get(part) for part in ("p5", "p50", "p95")}
            yield {**head, "group": group, "name": name, "value": spread.get("mean"), **values}
    for group in ("counts", "sums", "last"):
        for name, value in data[group].items():
            inner = value.items() if isinstance(value, dict) else [(None, value)]
            for label, number in inner:
                full = name if label is None else f"{name}.{label}"
                yield {**head, "group": group, "name": full, "value": number, "p5": None, "p50": None, "p95": None}
