"""Many towns for many ticks, from beginning to end. What `townlet run`, `townlet evaluate` and tests stand on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from townlet_jax.config import Built
from townlet_jax.core.enums import Fault
from townlet_jax.core.state import TownState
from townlet_jax.cuts import pieces
from townlet_jax.fleet import Fleet, mesh_for
from townlet_jax.plans import DEFAULT_CHUNK, MOST_TICKS, MOST_TOWNS, Plan, RunError, events_of, plan_for, policy_of
from townlet_jax.report import Figures
from townlet_jax.session import Session
from townlet_jax.stretch import Stretch

__all__ = [
    "DEFAULT_CHUNK",
    "MOST_TICKS",
    "MOST_TOWNS",
    "Fleet",
    "Plan",
    "Progress",
    "Result",
    "RunError",
    "Teller",
    "events_of",
    "faults_of",
    "mesh_for",
    "pieces",
    "plan_for",
    "policy_of",
    "result_of",
    "simulate",
]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands after a chunk; `ticks` done for every town, `agent_ticks` of living agents."""

    ticks: int
    agent_ticks: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run gave. `ticks` can be lower than planned: then somebody asked to stop."""

    ticks: int
    agent_ticks: int
    seconds: float  # compiling excluded
    compile_seconds: float
    totals: Mapping[str, Figures]  # by dotted name, one row a town
    states: TownState
    faults: Mapping[str, int]  # towns in which the fault was seen


class Teller:
    """A listener that says how far a run is; it keeps nothing."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self._on_progress = on_progress
        self._agent_ticks = 0
        self._seconds = 0.0

    def hear(self, stretch: Stretch) -> None:
        """Tell how far the run is."""
        assert stretch.totals is not None, "a session measures"
        self._agent_ticks += int(np.asarray(stretch.totals.sums.alive, np.float64).sum())
        self._seconds += stretch.seconds
        self._on_progress(Progress(ticks=stretch.last_tick, agent_ticks=self._agent_ticks, seconds=self._seconds))

    def close(self) -> None:
        """Do nothing."""

    def figures(self) -> Mapping[str, Any]:
        """Return nothing: a resumed run tells its own speed."""
        return {}

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Do nothing."""
        del figures


def simulate(
    built: Built,
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Run a plan; `on_progress` hears of each chunk, `stop` is asked after each."""
    with Session(built, plan, listeners=[Teller(on_progress)], stop_at_faults=False) as session:
        session.run(plan.ticks, asked=stop)
        return result_of(session)


def result_of(session: Session) -> Result:
    """Return what a session came to so far."""
    return Result(
        ticks=session.tick,
        agent_ticks=int(session.totals["sums.alive"].sum()) if session.totals else 0,
        seconds=session.seconds,
        compile_seconds=session.compile_seconds,
        totals=session.totals,
        states=session.states,
        faults=faults_of(session.states),
    )


def faults_of(states: TownState) -> dict[str, int]:
    """Return in how many towns each fault was seen; none if all went well."""
    bits = np.asarray(states.faults)
    return {fault.name: int(amount) for fault in Fault if (amount := np.count_nonzero(bits & fault))}
