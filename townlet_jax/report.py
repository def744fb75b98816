"""What a run was like: totals of the towns turned into key figures, their spread, JSON and a table (MECHANICS 9.1).

Owns the names and formulas of the report values. A figure is one float64 a town; NaN where it has no meaning
(punctuality of a town where no shift ended). Everything here runs on the host.
"""

import dataclasses
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from townlet_jax.core.enums import Exit, Need, Reason

Figures = npt.NDArray[np.float64]

SMALLEST = frozenset({"need_min", "wallet_min"})  # of the totals: the lowest value ever, not a sum
PER_AGENT_DAY = {  # figure: measure
    "chats_ok": "chats_ok",
    "chats_failed": "chats_failed",
    "shared_meals": "shared_meals",
    "conflicts": "conflicts",
    "conflict_intensity": "conflict_intensity",
    "ghost_steps": "ghost_steps",
    "impatience": "impatience",
    "handovers": "handovers",
    "rotations": "rotations",
    "cooldown_refusals": "cooldown_refusals",
    "late_starts": "late_starts",
    "absences": "absences",
    "departures_early": "departures_early",
    "late_help": "late_help",
    "shifts_taken": "shifts_taken",
    "wages_paid": "wages_paid",
    "wages_withheld": "wages_withheld",
    "fines": "fines",
    "coins_spent": "coins_spent",
    "rent_paid": "rent_paid",
    "arrivals": "arrivals",
}
PER_TICK = {
    "alive": "alive",
    "wallet_mean": "wallet_mean",
    "wallet_gini": "wallet_gini",
    "queue_length": "queue_length_mean",
    "basket_cost": "basket_cost",
    "active_perturbations": "active_perturbations",
    "reward_mean": "reward_mean",
    "trust_mean": "trust_mean",
    "familiarity_mean": "familiarity_mean",
    "rivalry_mean": "rivalry_mean",
    "known_ties": "known_ties",
}


def printable(name: str) -> str:
    """Return a name without control, format and bidirectional characters, fit for a terminal."""
    return "".join(letter for letter in name if unicodedata.category(letter)[0] != "C")


def arrays(record: Any, prefix: str = "") -> dict[str, Figures]:
    """Return the leaves of a record of arrays by dotted name, in float64 on the host."""
    found: dict[str, Figures] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if dataclasses.is_dataclass(value):
            found |= arrays(value, f"{prefix}{field.name}.")
        else:
            found[f"{prefix}{field.name}"] = np.asarray(value, np.float64)
    return found


def add(before: Mapping[str, Figures] | None, chunk: Mapping[str, Figures]) -> dict[str, Figures]:
    """Return the totals of a longer stretch: sums, and the lower one of the lowest values."""
    if before is None:
        return dict(chunk)
    return {
        name: np.minimum(before[name], value) if name in SMALLEST else before[name] + value
        for name, value in chunk.items()
    }


def _ratio(part: Figures, whole: Figures) -> Figures:
    """Divide; NaN where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def key_figures(totals: Mapping[str, Figures], *, affordances: Sequence[str], ticks_per_day: int) -> dict[str, Figures]:
    """Return the report values of every town, one array [T] each, from the totals of a run.

    Rates are per agent-day: the sum divided by the living agents summed over the ticks, in days.
    """
    measures = {name.removeprefix("sums."): value for name, value in totals.items() if name.startswith("sums.")}
    agent_days = measures["alive"] / ticks_per_day
    ticks = totals["ticks"]
    figures = {
        "punctuality": _ratio(totals["on_time_ticks"], totals["shift_ticks"]),
        "solvency": 1.0 - _ratio(measures["rent_unpaid"], totals["rents_paid"] + measures["rent_unpaid"]),
        "survival_days": _ratio(totals["faint_age_ticks"] / ticks_per_day, measures["exits"][:, Exit.FAINT]),
    }
    figures |= {figure: measures[measure] / ticks for figure, measure in PER_TICK.items()}
    figures |= {
        f"{figure}_per_agent_day": _ratio(measures[measure], agent_days) for figure, measure in PER_AGENT_DAY.items()
    }
    figures["wallet_min"] = totals["wallet_min"]
    figures["reward_per_agent_day"] = figures["reward_mean"] * ticks_per_day
    for need in Need:
        figures[f"{need.name.lower()}_mean"] = measures["need_mean"][:, need] / ticks
        figures[f"{need.name.lower()}_min"] = totals["need_min"][:, need]
    for reason in Exit:
        if reason != Exit.NONE:
            figures[f"exits_{reason.name.lower()}_per_agent_day"] = _ratio(measures["exits"][:, reason], agent_days)
    for index, affordance in enumerate(affordances):
        figures[f"starts_{affordance}_per_agent_day"] = _ratio(measures["starts"][:, index], agent_days)
        figures[f"finishes_{affordance}_per_agent_day"] = _ratio(measures["finishes"][:, index], agent_days)
    figures["aborts_per_agent_day"] = _ratio(measures["aborts"][:, 1:].sum(axis=1), agent_days)
    counted = [reason for reason in Reason if reason not in (Reason.NONE, Reason.WAITING)]
    figures["refused_per_agent_day"] = _ratio(measures["refusals"][:, counted].sum(axis=1), agent_days)
    return figures


def spread(values: Figures) -> dict[str, float | None]:
    """Return mean and percentiles over the towns in which the figure has a meaning; None where there is none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return {"mean": None, "p5": None, "p50": None, "p95": None}
    low, middle, high = np.percentile(known, (5, 50, 95))
    return {"mean": float(known.mean()), "p5": float(low), "p50": float(middle), "p95": float(high)}
