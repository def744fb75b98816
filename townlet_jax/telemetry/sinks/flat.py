"""JSON records as flat rows: what tables and meters can hold."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from townlet_jax.telemetry.sinks.contracts import Item, SinkError


def record_of(item: Item) -> dict[str, Any]:
    """Return the record of an item; raises `SinkError` if it is none."""
    try:
        record = json.loads(item.data)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise SinkError(f"A {item.kind} record of tick {item.tick} is no JSON object; it was dropped.", refused=True)
    return record


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Go through the values with their paths, `kpis.need_mean.p50`; a list becomes its JSON text."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value) if isinstance(value, list) else value


def scalars(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Go through the finite numbers with their paths; switches count as 0 and 1."""
    for path, value in flat(record):
        if isinstance(value, bool | int | float) and math.isfinite(value):
            yield path, float(value)
