"""Key figures of a promotion window in colours, and which of them turned red (MECHANICS 9.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from townlet_jax.stability import Sum

Colour = Literal["green", "amber", "red"]
AMBER_CHANGE, RED_CHANGE = 0.15, 0.30  # of the intensity of queue conflicts, relative to its baseline
AMBER_LATE, RED_LATE = 3.0, 5.0  # late ticks an agent-day
LEAST_HELP = 0.5  # a window
NAMES = ("queue_conflict_intensity", "late_ticks", "late_help", "faints")
Sums = Sequence[float]  # of a window, by Sum, mean over towns


@dataclass(frozen=True, kw_only=True)
class Canary:
    """One key figure of a window; no colour where there is nothing to compare with."""

    value: float
    colour: Colour | None

    @property
    def published(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"value": self.value, "colour": self.colour}


def canaries(window: Sums, *, before: Sequence[Sums], baseline: float | None, ticks_per_day: int) -> dict[str, Canary]:
    """Return the key figures of a window. `before` are the windows before it under the same release, newest last.

    `baseline` is the intensity of conflicts in a window of the release before, None if it is not known.
    """
    agent_days = window[Sum.AGENT_TICKS] / ticks_per_day
    late = window[Sum.LATE_TICKS] / agent_days if agent_days > 0 else 0.0
    helped = window[Sum.LATE_HELP]
    help_colour: Colour = "green" if helped >= LEAST_HELP else "amber"
    if helped == 0 and before and before[-1][Sum.LATE_HELP] == 0:
        help_colour = "red"
    values = (window[Sum.CONFLICT_INTENSITY], late, helped, window[Sum.FAINTS])
    colours: tuple[Colour | None, ...] = (
        _conflict(values[0], baseline),
        "red" if late > RED_LATE else "amber" if late > AMBER_LATE else "green",
        help_colour,
        "red" if window[Sum.FAINTS] > 0 else "green",
    )
    return {
        name: Canary(value=float(value), colour=colour)
        for name, value, colour in zip(NAMES, values, colours, strict=True)
    }


def _conflict(value: float, baseline: float | None) -> Colour | None:
    if not baseline:
        return None
    change = abs(value / baseline - 1)
    return "red" if change > RED_CHANGE else "amber" if change > AMBER_CHANGE else "green"


def reds(found: Mapping[str, Canary]) -> frozenset[str]:
    """Return the key figures that are red."""
    return frozenset(name for name, canary in found.items() if canary.colour == "red")
