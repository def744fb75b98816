"""When a chunk fails or leaves faults: what is kept of it, and the one sentence that says so (MECHANICS 13.4)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from townlet_jax.core.state import TownState
from townlet_jax.flights import Flight
from townlet_jax.plans import RunError
from townlet_jax.report import Figures, printable
from townlet_jax.snapshots import StoreError
from townlet_jax.town_snapshots import FailureLog, Moment, faulty

SHOWN = 160  # characters of a failure that are repeated
FAILURES = (  # what a chunk, its listeners and its devices raise
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
Totals = Mapping[str, Figures]
MakeMoment = Callable[[int, TownState, Any, Totals], Moment]


class FailureError(RunError):
    """A chunk failed, or a town reported a fault; the text is one sentence."""


class Guard:
    """Knows which faults are known already, and keeps the state before a chunk that failed, if there is a log."""

    def __init__(self, log: FailureLog | None, moment: MakeMoment, *, towns: int) -> None:
        self._log = log
        self._moment = moment
        self._known = np.zeros(towns, np.int32)

    def accept(self, states: TownState) -> None:
        """Take the faults of these towns for known."""
        self._known = np.array(states.faults)

    def fault(self, flight: Flight, totals: Totals) -> FailureError | None:
        """Return the error for faults that a chunk left, None if there are no new ones; `totals` are from before it."""
        bits = np.asarray(flight.faults)
        fresh = bits & ~self._known
        if not fresh.any():
            return None
        self._known = self._known | bits
        about = f"left faults ({faulty(fresh)}), so the figures of these towns are not to be trusted"
        return self._captured(about, flight, totals)

    def failure(self, error: Exception, flight: Flight | None, totals: Totals) -> Exception:
        """Return the error that says which ticks failed and why; what happened outside any chunk stays as it is."""
        if flight is None:
            return error
        reason = printable(" ".join(str(error).split()))[:SHOWN]
        return self._captured(f"failed ({type(error).__name__}: {reason})", flight, totals, error)

    def _captured(self, about: str, flight: Flight, totals: Totals, error: Exception | None = None) -> FailureError:
        """Keep the state before a chunk, and return the sentence that says where it is."""
        told = f"Ticks {flight.first_tick} to {flight.last_tick} {about}"
        if self._log is None or flight.before is None:
            return FailureError(f"{told}; set snapshot.capture_on_failure=true to keep the state before them.")
        try:
            moment = self._moment(flight.first_tick - 1, *flight.before, totals)
            folder = self._log.capture(moment, flight.last_tick, error or FailureError(f"{told}."))
        except (StoreError, *FAILURES) as trouble:
            reason = printable(" ".join(str(trouble).split()))[:SHOWN]
            return FailureError(f"{told}; the state before them could not be kept ({reason}).")
        kept = printable(str(folder))
        return FailureError(f"{told}; the state before them is in {kept}, look at it with townlet snapshot inspect.")
