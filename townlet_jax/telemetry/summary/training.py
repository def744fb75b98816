"""Training logs: one row an update, figures over updates instead of ticks."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from townlet_jax.telemetry.summary.curves import Curves
from townlet_jax.telemetry.summary.results import TrainingSummary
from townlet_jax.telemetry.summary.words import clean

COUNTERS = ("update", "member", "agent_steps_total", "seconds")  # where a row stands, no figures of its update
MOST_UNLEARNED = 200  # names


class TrainingTally:
    """One log, or one member of a population, on the way."""

    def __init__(self, name: str) -> None:
        self.name = clean(name)
        self.curves = Curves()
        self._updates = 0
        self._first = self._last = self._steps = 0
        self._seconds: float | None = None
        self._unlearned: Counter[str] = Counter()

    def take(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        update = row["update"]
        self._first = update if not self._updates else min(self._first, update)
        self._last = max(self._last, update)
        self._updates += 1
        self._steps = row["agent_steps_total"]
        seconds = row.get("seconds")
        self._seconds = float(seconds) if isinstance(seconds, int | float) else self._seconds
        figures = {name: value for name, value in row.items() if name not in COUNTERS}
        for name in (name for name, value in figures.items() if value is None):
            if name in self._unlearned or len(self._unlearned) < MOST_UNLEARNED:
                self._unlearned[name] += 1
        self.curves.add(update, update, {name: {"mean": value} for name, value in figures.items()})

    def result(self) -> TrainingSummary:
        """Return what was found."""
        return TrainingSummary(
            name=self.name,
            updates=self._updates,
            first_update=self._first,
            last_update=self._last,
            agent_steps=self._steps,
            seconds=self._seconds,
            figures={clean(name): figure for name, figure in self.curves.figures().items()},
            unlearned={clean(name): count for name, count in self._unlearned.items()},
        )
