"""Measures in words: of one town and tick, and of all towns over a chunk (MECHANICS 9.1)."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from townlet_jax import report
from townlet_jax.core.enums import Abort, Exit, Kind, Need, Reason
from townlet_jax.core.outcomes import Measures
from townlet_jax.core.totals import Totals
from townlet_jax.report import Figures
from townlet_jax.stability import NAMES, Standing
from townlet_jax.telemetry.lived import Lived, Table, fields
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.text import quote, rounded

TERMS = (
    "survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage", "punctuality",
    "shaping", "terminal",
)  # fmt: skip
COUNTS = (  # measures whose sums mean something: events, coins, goods
    "conflicts", "conflict_intensity", "ghost_steps", "impatience", "handovers", "rotations", "cooldown_refusals",
    "chats_ok", "chats_failed", "shared_meals", "late_help", "shifts_taken", "late_starts", "absences",
    "departures_early", "on_shift", "wages_paid", "wages_withheld", "fines", "coins_spent", "rent_paid", "rent_unpaid",
    "starts", "finishes", "aborts", "refusals", "restocked", "exits", "arrivals", "forced_reuses", "switches",
    "actions",
)  # fmt: skip
SUMS = ("ticks", "on_time_ticks", "shift_ticks", "faint_age_ticks", "rents_paid")


def labels(words: Words) -> dict[str, tuple[str, ...]]:
    """Return what the entries of each measure that is a vector are called; inert entries have no name."""
    named: dict[str, type[Need] | type[Abort] | type[Reason] | type[Exit] | type[Kind]]
    named = {
        "need_mean": Need, "need_min": Need, "aborts": Abort, "refusals": Reason, "exits": Exit, "actions": Kind,
    }  # fmt: skip
    found = {name: tuple(code.name.lower() for code in kind) for name, kind in named.items()}
    found |= dict.fromkeys(("starts", "finishes"), words.affordances)
    return found | dict.fromkeys(("restocked", "stock"), words.names.goods) | {"terms": TERMS}


def of_town(words: Words, lived: Lived, rows: list[int]) -> list[str]:
    """Return the measures of one town in some ticks as JSON text."""
    called, columns, parts = labels(words), [], []
    for name in fields(lived.measures):
        column = np.asarray(getattr(lived.measures, name))[rows]
        form = "%r" if column.dtype.kind == "f" else "%d"
        if column.ndim == 1:
            parts.append(f"{quote(name)}:{form}")
            columns.append(column[:, None])
        else:
            inner = [f"{quote(label)}:{form}" for label in called[name]]
            parts.append(f"{quote(name)}:{{{','.join(inner)}}}")
            columns.append(column[:, : len(inner)])
    template = "{" + ",".join(parts) + "}"
    values = rounded(np.concatenate(columns, axis=1, dtype=np.float64))
    return [template % tuple(row) for row in values.tolist()]


def of_all(words: Words, totals: Totals, series: Measures | None, standing: Standing | None = None) -> dict[str, Any]:
    """Return the fields of a record of measures about a chunk, but for its ticks."""
    sums = report.arrays(jax.device_get(totals))
    figures = report.key_figures(
        sums, affordances=[report.printable(name) for name in words.affordances], ticks_per_day=words.ticks_per_day
    )
    per_tick = {name: sums["sums.terms"][:, column] / sums["ticks"] for column, name in enumerate(TERMS)}
    counted = {name: sums[f"sums.{name}"] for name in COUNTS}
    return {
        "towns": len(sums["ticks"]),
        "agent_ticks": int(sums["sums.alive"].sum()),
        "kpis": {name: _published(report.spread(values)) for name, values in figures.items()},
        "terms": {name: _published(report.spread(values)) for name, values in per_tick.items()},
        "counts": _in_words(words, {name: value.sum(axis=0) for name, value in counted.items()}),
        "sums": {name: _real(sums[name].sum()) for name in SUMS},
        "last": {} if series is None else _in_words(words, _last(series)),
        "stability": None if standing is None else trouble(standing),
    }


def trouble(standing: Standing) -> dict[str, Any]:
    """Return the shares of towns in trouble."""
    found = jax.device_get(standing)
    return {
        "alerts": {name: _real(share) for name, share in zip(NAMES, found.alerts, strict=True)},
        "any_alert": _real(found.any_alert),
        "candidate_ready": _real(found.ready),
        "windows_passed": _real(found.passed),
        "windows_failed": _real(found.failed),
    }


def _last(series: Measures) -> Mapping[str, Figures]:
    return {name: column[-1] for name, column in report.arrays(jax.device_get(series)).items()}


def _published(spread: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else _real(value) for name, value in spread.items()}


def _real(value: Any) -> float:
    return float(rounded(value))


def _in_words(words: Words, columns: Mapping[str, Table]) -> dict[str, Any]:
    called = labels(words)
    return {
        name: dict(zip(called[name], rounded(value).tolist(), strict=False)) if np.ndim(value) else _real(value)
        for name, value in columns.items()
    }
