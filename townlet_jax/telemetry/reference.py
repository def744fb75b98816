"""Writes the telemetry schema down for people: a Markdown table of every field, generated from the models."""

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from townlet_jax.telemetry import events, schema
from townlet_jax.telemetry.parts import Empty, Part

RECORDS: tuple[tuple[str, type[Part]], ...] = (
    ("Envelope (in every record)", schema.Envelope),
    ("run", schema.Run),
    ("snapshot", schema.Snapshot),
    ("diff", schema.Diff),
    ("measures", schema.MeasuresRecord),
    ("health", schema.Health),
    ("end", schema.End),
)
WORDS = {int: "whole number", float: "number", str: "text", bool: "flag", Any: "anything", type(None): "null"}
SHARED = frozenset(schema.Envelope.model_fields)


def markdown() -> str:
    """Return the reference of all records, sections and events."""
    lines: list[str] = []
    later: list[type[BaseModel]] = []
    for title, record in RECORDS:
        shared = frozenset() if record is schema.Envelope else SHARED
        lines += ["", f"### {title}", "", record.__doc__ or "", "", *_table(record, later, without=shared)]
    lines += ["", "## Parts of records", ""]
    done: set[type[BaseModel]] = set()
    while later:
        model = later.pop(0)
        if model in done or issubclass(model, events.EventBase):
            continue
        done.add(model)
        lines += ["", f"### {model.__name__}", "", model.__doc__ or "", "", *_table(model, later)]
    lines += ["", "## Events", "", "Every event has `event` (its name), `tick` and `town`."]
    shared = frozenset(events.EventBase.model_fields) | {"event"}
    for event in events.MODELS:
        names = ", ".join(f"`{name}`" for name in get_args(event.model_fields["event"].annotation))
        lines += ["", f"{names}: {event.__doc__}", "", *_table(event, [], without=shared)]
    return "\n".join(lines).strip() + "\n"


def _table(model: type[BaseModel], later: list[type[BaseModel]], without: frozenset[str] = frozenset()) -> list[str]:
    """Return the rows of a model and remember the models below it."""
    lines = ["| key | type | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if name not in without:
            lines.append(f"| `{name}` | {_kind(field.annotation, later)} | {_meaning(field)} |")
    return lines


def _kind(annotation: Any, later: list[type[BaseModel]]) -> str:
    """Return the words for a type."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in (Union, types.UnionType):
        if any(_is_event(part) for part in parts):
            return "[event](#events)"
        return " or ".join(dict.fromkeys(_kind(part, later) for part in parts))
    if origin is tuple:
        return f"list of {_kind(parts[0], later)}" if parts[-1] is Ellipsis else f"list of {len(parts)}"
    if origin is dict:
        return f"map of {_kind(parts[1], later)}"
    if hasattr(annotation, "__metadata__"):
        empty = annotation is Empty
        return "`{}`" if empty else _kind(annotation.__origin__, later)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        later.append(annotation)
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return WORDS[annotation]


def _is_event(annotation: Any) -> bool:
    bare = annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation
    return isinstance(bare, type) and issubclass(bare, events.EventBase)


def _meaning(field: FieldInfo) -> str:
    """Return the description with its unit."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = f" [{extra['unit']}]" if extra.get("unit") else ""
    return f"{field.description or ''}{unit}".replace("|", "\\|")
