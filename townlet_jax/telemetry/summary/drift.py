"""How far a run is from a baseline: each figure's difference, and whether it is more than its threshold allows.

A threshold is a share of the baseline (`0.2`), or a difference (`0.05abs`). Where the baseline is 0, a share of it is
no measure, and any difference is a drift. A figure that only one side has a value for is a drift too, but one whose
name only the run knows is new. Of training logs the last tenth of the updates is compared.
"""

import difflib
import fnmatch
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from townlet_jax.telemetry.sinks.sentences import reason, shown
from townlet_jax.telemetry.summary.results import FORM, FORM_VERSION, RunSummary, Summary, TrainingSummary
from townlet_jax.telemetry.summary.sheets import Sheet
from townlet_jax.telemetry.summary.sources import ReadError
from townlet_jax.telemetry.summary.words import clean, number, share

DEFAULT_THRESHOLD = 0.2
MOST_BYTES = 64 * 2**20  # of a summary that is read
LEVEL = re.compile(r"(?P<amount>[0-9.eE+-]+)(?P<absolute>abs)?")
Verdict = Literal["within", "drift", "missing", "new"]
Values = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """How much the figures that fit a pattern may differ. Relative to the baseline unless `absolute`."""

    pattern: str
    amount: float
    absolute: bool = False

    def __str__(self) -> str:
        return f"{self.amount:g}" if self.absolute else f"{self.amount:.4g} x"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure of both sides. `relative` is None where the baseline is 0 or has no value."""

    figure: str
    baseline: float | None
    value: float | None
    absolute: float | None
    relative: float | None
    threshold: str
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Drift:
    """All figures against the baseline."""

    baseline: str
    differences: tuple[Difference, ...]

    @property
    def found(self) -> tuple[Difference, ...]:
        """Return what drifted or is missing."""
        return tuple(one for one in self.differences if one.verdict in ("drift", "missing"))


def thresholds(texts: Sequence[str], default: float) -> tuple[Threshold, ...]:
    """Return what `name=0.1` and `name=0.1abs` say after the default, the last one first; raises `ReadError`."""
    if not (math.isfinite(default) and default >= 0):
        raise ReadError(f"--default-threshold is {default}, but must be 0 or more; give a share such as 0.2.")
    found = [Threshold(pattern="*", amount=default)]
    for text in texts:
        name, _, level = text.rpartition("=")
        form = LEVEL.fullmatch(level.strip())
        amount = _amount(form["amount"]) if form is not None else None
        if not name or form is None or amount is None:
            raise ReadError(
                f"--threshold {shown(text)} is not NAME=SHARE; write for example wallet_mean=0.1, or alive=0.5abs."
            )
        found.append(Threshold(pattern=name.strip(), amount=amount, absolute=form["absolute"] is not None))
    return tuple(reversed(found))


def _amount(text: str) -> float | None:
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def compare(baseline: Values, values: Values, levels: Sequence[Threshold], *, name: str) -> Drift:
    """Compare figures; raises `ReadError` for a threshold that fits none."""
    figures = list(dict.fromkeys((*baseline, *values)))
    _demand_used(levels, figures)
    differences = (_difference(figure, baseline, values, _level(figure, levels)) for figure in figures)
    return Drift(baseline=name, differences=tuple(differences))


def _level(figure: str, levels: Sequence[Threshold]) -> Threshold:
    return next(level for level in levels if fnmatch.fnmatchcase(figure, level.pattern))


def _demand_used(levels: Sequence[Threshold], figures: Sequence[str]) -> None:
    for level in levels:
        if level.pattern != "*" and not fnmatch.filter(figures, level.pattern):
            near = difflib.get_close_matches(level.pattern, figures, 1)
            hint = f"did you mean {near[0]}?" if near else "see the key figures of the summary."
            raise ReadError(f"--threshold {shown(level.pattern)} fits no figure; {hint}")


def _difference(figure: str, baseline: Values, values: Values, level: Threshold) -> Difference:
    before, now = baseline.get(figure), values.get(figure)
    absolute = None if before is None or now is None else now - before
    relative = absolute / abs(before) if absolute is not None and before else None
    verdict: Verdict
    if figure not in baseline:
        verdict = "new"
    elif before is not None and now is None:
        verdict = "missing"
    elif absolute is None:
        verdict = "within" if before is None and now is None else "drift"
    elif level.absolute:
        verdict = "drift" if abs(absolute) > level.amount else "within"
    elif relative is None:
        verdict = "drift" if absolute else "within"
    else:
        verdict = "drift" if abs(relative) > level.amount else "within"
    return Difference(
        figure=figure,
        baseline=before,
        value=now,
        absolute=absolute,
        relative=relative,
        threshold=str(level),
        verdict=verdict,
    )


def values_of(summary: Summary, *, name: str) -> Values:
    """Return the figures of the one run or log of a summary; raises `ReadError` where there is not one."""
    both: list[RunSummary | TrainingSummary] = [*summary.runs, *summary.training]
    if len(both) != 1:
        raise ReadError(
            f"{name} holds {len(both)} runs, but a baseline compares one with one; give the file of one run."
        )
    one = both[0]
    if isinstance(one, TrainingSummary):
        return {figure: value.last if value.last is not None else value.mean for figure, value in one.figures.items()}
    return {figure: value.mean for figure, value in one.kpis.items()} | {
        f"terms.{figure}": value.mean for figure, value in one.terms.items()
    }


def values_of_file(path: Path) -> Values | None:
    """Return the figures in a summary that was saved as JSON; None if the file is none. Raises `ReadError`."""
    data = _json(path)
    if data is None or data.get("form") != FORM:
        return None
    if data.get("version") != FORM_VERSION:
        raise ReadError(
            f"{shown(path)} is a summary of version {data.get('version')!r}; make it again with this program."
        )
    runs, training = data.get("runs"), data.get("training")
    both = [*runs, *training] if isinstance(runs, list) and isinstance(training, list) else []
    if len(both) != 1:
        raise ReadError(
            f"{shown(path)} holds {len(both)} runs, but a baseline compares one with one; summarise one run."
        )
    try:
        if training:
            return {clean(name): _value(one["last"], one["mean"]) for name, one in both[0]["figures"].items()}
        kpis = {clean(name): _value(one["mean"]) for name, one in both[0]["kpis"].items()}
        return kpis | {f"terms.{clean(name)}": _value(one["mean"]) for name, one in both[0]["terms"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ReadError(f"{shown(path)} is a damaged summary ({reason(error)} is wrong); make it again.") from error


def _json(path: Path) -> dict[str, Any] | None:
    """Return the object a file holds as a whole, None if it does not."""
    try:
        if path.suffix != ".json" or path.stat().st_size > MOST_BYTES:
            return None
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _value(*values: Any) -> float | None:
    """Return the first value that there is."""
    for value in values:
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    return None


def sheet(drift: Drift) -> Sheet:
    """Return the differences as a table, those that matter first."""
    order = {"drift": 0, "missing": 1, "new": 2, "within": 3}
    told = sorted(drift.differences, key=lambda one: order[one.verdict])
    rows = tuple(
        (
            one.figure,
            one.verdict,
            *map(number, (one.baseline, one.value, one.absolute)),
            share(one.relative),
            one.threshold,
        )
        for one in told
        if one.verdict != "within" or one.absolute
    )
    count, of = len(drift.found), len(drift.differences)
    said = f"{count:,} of {of:,} figures drifted." if count else f"All {of:,} figures are within their thresholds."
    return Sheet(
        title=f"Against the baseline {drift.baseline}",
        columns=("figure", "verdict", "baseline", "here", "difference", "relative", "threshold"),
        rows=rows,
        texts=2,
        notes=(said,),
    )
