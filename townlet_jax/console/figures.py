"""Key figures of the watched towns over the last ticks: what the command `kpis` answers with (MECHANICS 9.1)."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from townlet_jax import report
from townlet_jax.stretch import Stretch

SPAN = 60  # ticks that are added up, unless a chunk is longer
LONGEST = 14_400  # ticks that are remembered


@dataclass(frozen=True)
class Sums:
    """Totals of the watched towns over some ticks; each has one entry a town."""

    first_tick: int
    last_tick: int
    towns: tuple[int, ...]
    totals: Mapping[str, report.Figures]


class Figures:
    """Remembers the totals of the watched towns, span by span."""

    def __init__(self) -> None:
        self._spans: deque[Sums] = deque()
        self._lock = threading.Lock()

    def hear(self, stretch: Stretch) -> None:
        """Add a chunk to the last span, or begin one."""
        if stretch.totals is None or not stretch.watched:
            return
        towns = tuple(sorted(stretch.watched))
        rows = {name: values[list(towns)] for name, values in report.arrays(stretch.totals).items()}
        heard = Sums(stretch.first_tick, stretch.last_tick, towns, rows)
        with self._lock:
            last = self._spans[-1] if self._spans else None
            if last is not None and last.last_tick + 1 != heard.first_tick:
                self._spans.clear()  # the session went back
            elif last is not None and last.towns == towns and last.last_tick - last.first_tick + 1 < SPAN:
                self._spans.pop()
                heard = Sums(last.first_tick, heard.last_tick, towns, report.add(last.totals, rows))
            self._spans.append(heard)
            while heard.last_tick - self._spans[0].last_tick >= LONGEST:
                self._spans.popleft()

    def over(self, town: int, ticks: int) -> Sums | None:
        """Return the totals of a town over at least so many of the last ticks; None if it was not watched."""
        found: Sums | None = None
        with self._lock:
            spans = list(self._spans)
        for span in reversed(spans):
            if town not in span.towns:
                break
            row = span.towns.index(town)
            totals = {name: values[row : row + 1] for name, values in span.totals.items()}
            last_tick = span.last_tick if found is None else found.last_tick
            found = Sums(
                span.first_tick, last_tick, (town,), report.add(None if found is None else found.totals, totals)
            )
            if last_tick - span.first_tick + 1 >= ticks:
                break
        return found

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._spans.clear()


def report_of(sums: Sums, *, affordances: list[str], ticks_per_day: int) -> dict[str, float | None]:
    """Return the key figures; those without a meaning are None."""
    found = report.key_figures(sums.totals, affordances=affordances, ticks_per_day=ticks_per_day)
    return {name: round(float(value[0]), 6) if np.isfinite(value[0]) else None for name, value in found.items()}
