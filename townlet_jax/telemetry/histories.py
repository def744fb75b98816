"""What a watched town remembers of itself on the host: recent events and series (MECHANICS 11.4)."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from townlet_jax.core.enums import Counter
from townlet_jax.telemetry.frames_things import QUEUE_COUNTERS
from townlet_jax.telemetry.lived import Lived, Table
from townlet_jax.telemetry.text import entry, listing, mapping, rounded

LENGTHS = {
    "queue_increments": 120,
    "conflicts": 120,
    "social_events": 60,
    "console_results": 200,
    "promotion": 50,
    "alerts": 120,
}
SERIES_LENGTH = 50
SERIES = (
    "queue_conflict_intensity",
    "employment_lateness",
    "late_help_events",
    "queue_rotation_events",
    "queue_ghost_step_events",
    "need_min",
)
KEPT_IN = {
    "queue_conflict": "conflicts",
    **dict.fromkeys(
        (
            "chat_success", "chat_failure", "shared_meal", "rivalry_avoidance", "employment_helped_when_late",
            "employment_took_my_shift",
        ),
        "social_events",
    ),
    "console.result": "console_results",
    **dict.fromkeys(
        ("promotion_window", "policy.promoted", "policy.rolled_back", "policy.swapped"), "promotion"
    ),
    **dict.fromkeys(("alert_raised", "alert_cleared", "fault"), "alerts"),
}  # fmt: skip


class Histories:
    """Bounded memories of one town; the newest entry is the last one."""

    def __init__(self) -> None:
        self.lists: dict[str, deque[Any]] = {name: deque(maxlen=length) for name, length in LENGTHS.items()}
        self._texts: dict[str, list[str]] = {name: [] for name in SERIES}  # of a chunk, and of the ticks before it
        self._earlier = 0  # values from before the chunk

    def note(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Remember the events of a tick that belong to a history."""
        for event in events:
            kept = KEPT_IN.get(event["event"])
            if kept is not None:
                self.lists[kept].append(event)

    def note_queues(self, lived: Lived) -> None:
        """Remember the ticks of a chunk in which a counter of the queues rose."""
        line = lived.states.queues
        totals = np.stack([np.asarray(getattr(line, name)) for name in QUEUE_COUNTERS], axis=-1)
        rose = np.diff(totals, axis=0)
        for i in np.flatnonzero(rose.any(axis=1)).tolist():
            counts = dict(zip(QUEUE_COUNTERS, rose[i].tolist(), strict=True))
            self.lists["queue_increments"].append({"tick": lived.first_tick + i, **counts})

    def extend(self, lived: Lived) -> None:
        """Add the values of a chunk to the series."""
        values = samples(lived)
        self._earlier = min(SERIES_LENGTH, len(self._texts[SERIES[0]]))
        for name, column in zip(SERIES, values, strict=True):
            self._texts[name] = [*self._texts[name][-SERIES_LENGTH:], *map(repr, column)]

    def text(self, row: int) -> str:
        """Return the series as they were after a row of the chunk, as JSON text."""
        end = self._earlier + row + 1
        start = max(0, end - SERIES_LENGTH)
        return mapping([entry(name, listing(texts[start:end])) for name, texts in self._texts.items()])

    def series(self) -> dict[str, list[float]]:
        """Return the last values of each series."""
        return {name: [float(text) for text in texts[-SERIES_LENGTH:]] for name, texts in self._texts.items()}

    def figures(self) -> dict[str, Any]:
        """Return what a snapshot keeps, as JSON."""
        return {"lists": {name: list(values) for name, values in self.lists.items()}, "series": self.series()}

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` returned."""
        for name, kept in self.lists.items():
            kept.clear()
            kept.extend(figures["lists"].get(name, ()))
        self._texts = {name: [repr(float(value)) for value in figures["series"].get(name, ())] for name in SERIES}


def samples(lived: Lived) -> list[list[float]]:
    """Return the values of a chunk's ticks, series by series in the order of `SERIES`."""
    told = lived.measures
    alive = np.asarray(lived.states.roster.alive)[1:]
    late = np.asarray(lived.states.tally.count)[1:, :, Counter.LATE_SHIFTS]
    lateness: Table = np.where(alive, late, 0).sum(axis=1) / np.maximum(alive.sum(axis=1), 1)
    columns = (
        told.conflict_intensity, lateness, told.late_help, told.rotations, told.ghost_steps,
        np.asarray(told.need_min).min(axis=1),
    )  # fmt: skip
    found: list[list[float]] = rounded(np.stack(columns)).tolist()
    return found
