"""Chunks under way: sent to the device, waited for in the order in which they were sent.

Owns what is remembered of a chunk until it has landed, such as the state before it, should it fail.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from townlet_jax.core.outcomes import Measures
from townlet_jax.core.state import TownState
from townlet_jax.core.totals import Totals
from townlet_jax.fleet import Fleet
from townlet_jax.spotlight import Spotlight
from townlet_jax.stability import Standing
from townlet_jax.stretch import Edited, Watched

FIRST_WAIT, LONGEST_WAIT = 0.0001, 0.002  # seconds between two looks at the device


@dataclass(frozen=True, kw_only=True)
class Flight:
    """A chunk that was sent out; its arrays may still be in the making."""

    first_tick: int
    length: int
    edits: tuple[Edited, ...]  # applied right before it
    before: tuple[TownState, Any] | None  # states and memory, None if they are not kept
    began: float
    totals: Totals | None = None
    series: Measures | None = None
    faults: jax.Array | None = None
    standing: Standing | None = None  # of all towns after it
    watched: Mapping[int, Watched] = field(default_factory=dict)
    seconds: float = 0.0  # of the device's time, known when it has landed

    @property
    def last_tick(self) -> int:
        """Return the last tick of the chunk."""
        return self.first_tick + self.length - 1


class Flights:
    """Sends chunks out, at most a few at a time, and waits for them."""

    def __init__(self, fleet: Fleet, spotlight: Spotlight, *, keeps_before: bool) -> None:
        self._fleet = fleet
        self._spotlight = spotlight
        self._keeps_before = keeps_before
        self._flying: deque[Flight] = deque()
        self._landed_at = 0.0

    def __len__(self) -> int:
        return len(self._flying)

    def twin(self) -> "Flights":
        """Return flights of copies of the towns; what is compiled for one of the two is compiled for both."""
        fleet = self._fleet.twin()
        return Flights(fleet, self._spotlight.beside(fleet), keeps_before=self._keeps_before)

    @property
    def fleet(self) -> Fleet:
        """Return the towns."""
        return self._fleet

    @property
    def oldest(self) -> Flight | None:
        """Return the chunk that lands next."""
        return self._flying[0] if self._flying else None

    def compile(self, length: int) -> None:
        """Compile what a chunk of that length needs."""
        self._fleet.compiled()
        self._spotlight.compiled(length)

    def send(self, first_tick: int, length: int, edits: tuple[Edited, ...]) -> None:
        """Send out a chunk, without waiting for it."""
        self.compile(length)
        before = self._fleet.copied() if self._keeps_before else None
        flight = Flight(first_tick=first_tick, length=length, edits=edits, before=before, began=time.perf_counter())
        self._flying.append(flight)
        aimed = self._spotlight.aimed()
        totals, series = self._fleet.advance(length)
        self._flying[-1] = replace(
            flight,
            totals=totals,
            series=series,
            faults=self._fleet.faults(),
            standing=self._fleet.standing(),
            watched=self._spotlight.followed(length, aimed),
        )

    def land(self) -> Flight:
        """Wait for the oldest chunk and return it."""
        flight = self._flying[0]
        assert flight.faults is not None, "every chunk that was sent has them"
        settle(flight.faults)
        now = time.perf_counter()
        seconds = now - max(flight.began, self._landed_at)
        self._landed_at = now
        self._flying.popleft()
        return replace(flight, seconds=seconds, series=_until(flight.length, flight.series))

    def forget(self) -> None:
        """Let go of chunks that nobody waits for any more."""
        self._flying.clear()


def _until(length: int, series: Measures | None) -> Measures | None:
    """Return the rows of a series that were lived, on the host: to cut them on the device would compile something."""
    rows: Measures | None = jax.tree.map(lambda leaf: np.asarray(leaf)[:length], series)
    return rows


def settle(array: jax.Array) -> None:
    """Wait in the interpreter, so that signals are heard while the device works."""
    wait = FIRST_WAIT
    while not array.is_ready():  # type: ignore[attr-defined]  # every concrete array has it, the type does not say so
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
