"""Which snapshots stay. Owns the rule; it looks at numbers and metrics only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Best:
    """Keep the snapshots with the best value of a metric; of equal ones the later."""

    metric: str
    mode: Literal["max", "min"] = "max"
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Keep:
    """What is kept: the newest always, and whatever any of these rules keeps."""

    latest: int | None = 3  # None: all
    best: Best | None = None
    every: int = 0  # snapshots whose step is a multiple of it, 0: none


def best_of(steps: Sequence[int], metrics: Callable[[int], Mapping[str, float]], rule: Best) -> list[int]:
    """Return the best snapshots, best first; those without the metric do not take part."""
    sign = 1 if rule.mode == "max" else -1
    values = {step: sign * found[rule.metric] for step in steps if rule.metric in (found := metrics(step))}
    return sorted(values, key=lambda step: (values[step], step), reverse=True)[: rule.count]


def removable(steps: Sequence[int], metrics: Callable[[int], Mapping[str, float]], keep: Keep) -> list[int]:
    """Return the snapshots that no rule keeps, oldest first."""
    if keep.latest is None:
        return []
    ordered = sorted(steps)
    kept = set(ordered[-max(keep.latest, 1) :])
    if keep.every:
        kept |= {step for step in ordered if step % keep.every == 0}
    if keep.best is not None:
        kept |= set(best_of(ordered, metrics, keep.best))
    return [step for step in ordered if step not in kept]
