"""One thing that was read, and where it stood."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

MOST_TICKS = 2**53  # counters beyond it are no counters: floats could not hold them
Kind = Literal["run", "snapshot", "diff", "measures", "health", "end", "event", "training"]


class Found(NamedTuple):
    """A record. Kind `event` is a row of a table of events, `training` a row of a training log."""

    kind: Kind
    data: dict[str, Any]
    file: str
    line: int
    is_counted: bool = True  # all records of its run are there, so that a gap in their numbers means a loss


def is_training(data: Mapping[str, Any]) -> bool:
    """Tell a row of a training log by its fields."""
    update, steps = data.get("update"), data.get("agent_steps_total")
    is_counted = isinstance(update, int) and isinstance(steps, int) and 0 <= update < MOST_TICKS
    return is_counted and "schema_version" not in data
