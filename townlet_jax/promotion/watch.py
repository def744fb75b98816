"""What is remembered of promotion windows: the last ones, their colours, and what the release before was like."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from townlet_jax.core.enums import NEVER
from townlet_jax.promotion import canaries
from townlet_jax.promotion.canaries import Canary, Sums
from townlet_jax.stability import Sum

KEPT = 8  # windows of the acting release


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Windows of the acting release, newest last, and what its predecessor's were like."""

    evaluated_tick: int = NEVER  # last tick of the newest window
    windows: tuple[Sums, ...] = ()
    baseline: float | None = None  # intensity of conflicts in a window of the release before; None: not known
    red_before: frozenset[str] = frozenset()  # key figures that were red when it was replaced
    canaries: Mapping[str, Canary] = field(default_factory=dict)  # of the newest window

    def heard(self, tick: int, sums: Sums, *, ticks_per_day: int) -> "Watch":
        """Return the watch after a window that was judged."""
        found = canaries.canaries(sums, before=self.windows, baseline=self.baseline, ticks_per_day=ticks_per_day)
        windows = (*self.windows, tuple(sums))[-KEPT:]
        return replace(self, evaluated_tick=tick, windows=windows, canaries=found)

    def replaced(self) -> "Watch":
        """Return the watch over another release: what was seen so far is what it is compared with."""
        intensities = [window[Sum.CONFLICT_INTENSITY] for window in self.windows]
        return Watch(
            evaluated_tick=self.evaluated_tick,
            baseline=sum(intensities) / len(intensities) if intensities else None,
            red_before=canaries.reds(self.canaries),
        )

    def figures(self) -> dict[str, Any]:
        """Return what a snapshot keeps, as JSON."""
        return {
            "evaluated_tick": self.evaluated_tick,
            "windows": [list(window) for window in self.windows],
            "baseline": self.baseline,
            "red_before": sorted(self.red_before),
        }

    @classmethod
    def restored(cls, figures: Mapping[str, Any]) -> "Watch":
        """Return the watch from what `figures` returned."""
        return cls(
            evaluated_tick=figures["evaluated_tick"],
            windows=tuple(tuple(window) for window in figures["windows"]),
            baseline=figures["baseline"],
            red_before=frozenset(figures["red_before"]),
        )


def trouble(watch: Watch, *, failed: float, allowed: float) -> list[str]:
    """Return why a promoted release must go: too many towns failed the window, or a key figure turned red.

    What was red before the promotion is not the new release's doing.
    """
    reasons = []
    if failed > allowed + 1e-6:
        reasons.append(f"{failed:.0%} of the towns failed a promotion window")
    turned = sorted(canaries.reds(watch.canaries) - watch.red_before)
    reasons += [f"{name} turned red ({watch.canaries[name].value:.4g})" for name in turned]
    return reasons
