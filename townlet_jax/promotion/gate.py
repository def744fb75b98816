"""The gate: candidate and release live in the same towns, and the candidate may not be worse (MECHANICS 9.4).

Owns the metrics and the rules. Differences are taken town by town; a metric passes by the end of its interval, never
by its mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from townlet_jax import evaluate
from townlet_jax.config.schema.stability import Gate
from townlet_jax.report import Figures

RETURN, FAINTS = "return_mean", "faints"
GUARDS = (FAINTS, "ghost_steps", "conflict_intensity", "late_ticks", "absences")
METRICS = (RETURN, *GUARDS)
SEED = 20_240_229  # of the towns of the gate, always the same
Metrics = Mapping[str, Figures]  # by name, one value a town, rates an agent-day


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a metric may lose or gain: `low` of the interval at least, or `high` at most `limit`."""

    side: Literal["low", "high"]
    limit: float

    def passes(self, low: float | None, high: float | None) -> bool:
        """Tell whether an interval is on the right side; nothing known passes nothing."""
        end = low if self.side == "low" else high
        if end is None:
            return False
        return end >= self.limit if self.side == "low" else end <= self.limit


def rule_of(metric: str, release: float, gate: Gate) -> Rule:
    """Return the rule for a metric whose mean under the release is known."""
    if metric == RETURN:
        return Rule(side="low", limit=-gate.tolerance * abs(release))
    return Rule(side="high", limit=0.0 if metric == FAINTS else gate.guard_tolerance * release)


def compared(release: Metrics, candidate: Metrics, gate: Gate) -> dict[str, dict[str, Any]]:
    """Return every metric with its difference, interval, limit and verdict."""
    differences = {name: candidate[name] - release[name] for name in METRICS}
    found = evaluate.estimates(differences, seed=SEED, resamples=gate.resamples, level=gate.confidence)
    judged = {}
    for name, estimate in found.items():
        base = mean(release[name])
        rule = rule_of(name, 0.0 if base is None else base, gate)
        judged[name] = {
            "release": base,
            "candidate": mean(candidate[name]),
            "mean": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "towns": estimate.towns,
            "limit": rule.limit,
            "pass": rule.passes(estimate.low, estimate.high),
        }
    return judged


def mean(values: Figures) -> float | None:
    """Return the mean over the towns in which the figure has a meaning."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def failures(scenario: str, judged: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which metrics did not pass, one clause each."""
    told = []
    for name, metric in judged.items():
        if not metric["pass"]:
            end = metric["low"] if name == RETURN else metric["high"]
            word = "at least" if name == RETURN else "at most"
            shown = "unknown" if end is None else f"{end:.4g}"
            told.append(f"{name} in {scenario}: the interval ends at {shown}, but must be {word} {metric['limit']:.4g}")
    return told
