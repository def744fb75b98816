"""Named figures over a run of any length in bounded memory: their means, their spread, and how they went on.

A figure of a chunk is a mean and percentiles over towns. Over chunks all four are averaged, weighted by ticks; the
deviation is that of the chunks' means, so it says how much a figure moves in time.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float64]

PARTS = ("mean", "p5", "p50", "p95")
MOST_POINTS = 256  # stretches that are kept; beyond it neighbours are joined
MOST_NAMES = 1_000
TENTH = 0.1
LARGEST = 1e100  # numbers beyond it could not be squared and added up


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure over a run. None where it has no meaning: punctuality without shifts, a trend of one chunk."""

    mean: float | None
    p5: float | None = None  # percentiles over towns
    p50: float | None = None
    p95: float | None = None
    deviation: float | None = None  # over time, standard deviation of the chunks' means
    first: float | None = None  # mean of the first tenth of the ticks, at least of one chunk
    last: float | None = None  # of the last tenth

    @property
    def change(self) -> float | None:
        """Return how much it rose from the first tenth to the last."""
        return None if self.first is None or self.last is None else self.last - self.first


@dataclass(frozen=True, kw_only=True)
class Series:
    """One figure over time; NaN where it has no meaning."""

    at: Table  # middle of each stretch
    mean: Table
    p5: Table
    p95: Table


@dataclass
class _Stretch:
    first: int
    last: int
    chunks: int
    sums: Table  # names x parts
    weights: Table


class Curves:
    """What chunks say, added up. Names beyond `MOST_NAMES` are counted in `left_out`, nothing more."""

    def __init__(self, most_points: int = MOST_POINTS) -> None:
        self.left_out = 0
        self._most = most_points
        self._rows: dict[str, int] = {}
        self._stretches: list[_Stretch] = []
        self._chunks_each = 1
        self._weight = np.zeros(0)
        self._mean = np.zeros(0)
        self._square = np.zeros(0)  # weighted squared deviations from the mean

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the figures, in the order in which they came."""
        return tuple(self._rows)

    def add(self, first: int, last: int, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Add a chunk: ticks (or updates) from first to last."""
        weight = float(max(last - first + 1, 1))
        table = self._table(values)
        known = np.isfinite(table)
        self._follow(np.where(known, table, 0.0)[:, 0], known[:, 0], weight)
        sums, weights = np.where(known, table, 0.0) * weight, known * weight
        newest = self._stretches[-1] if self._stretches else None
        if newest is None or newest.chunks >= self._chunks_each:
            self._stretches.append(_Stretch(first, last, 1, sums, weights))
        else:
            self._stretches[-1] = _joined(newest, _Stretch(first, last, 1, sums, weights))
        if len(self._stretches) > self._most:
            pairs = [self._stretches[i : i + 2] for i in range(0, len(self._stretches), 2)]
            self._stretches = [_joined(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
            self._chunks_each *= 2

    def figures(self) -> dict[str, Figure]:
        """Return all figures by name."""
        sums, weights = self._stacked()
        totals = _divided(sums.sum(axis=0), weights.sum(axis=0))
        early, late = (_divided(sums[part].sum(axis=0), weights[part].sum(axis=0))[:, 0] for part in self._tenths())
        with np.errstate(invalid="ignore", divide="ignore"):
            deviation = np.sqrt(self._square / self._weight)
        has_trend = len(self._stretches) > 1
        return {
            name: Figure(
                **{part: _known(totals[row, column]) for column, part in enumerate(PARTS)},
                deviation=_known(deviation[row]) if has_trend else None,
                first=_known(early[row]) if has_trend else None,
                last=_known(late[row]) if has_trend else None,
            )
            for name, row in self._rows.items()
        }

    def series(self, name: str) -> Series:
        """Return one figure over time."""
        sums, weights = self._stacked()
        row = self._rows[name]
        values = _divided(sums[:, row], weights[:, row])
        at = np.array([(stretch.first + stretch.last) / 2 for stretch in self._stretches])
        return Series(at=at, mean=values[:, 0], p5=values[:, 1], p95=values[:, 3])

    def _table(self, values: Mapping[str, Mapping[str, Any]]) -> Table:
        """Return the values of a chunk, names x parts, NaN where there is none."""
        for name in values:
            if name not in self._rows and len(self._rows) < MOST_NAMES:
                self._rows[name] = len(self._rows)
        more = np.zeros(len(self._rows) - len(self._weight))
        self._weight, self._mean, self._square = (
            np.concatenate((held, more)) for held in (self._weight, self._mean, self._square)
        )
        table = np.full((len(self._rows), len(PARTS)), np.nan)
        for name, spread in values.items():
            row = self._rows.get(name)
            if row is None:
                self.left_out += 1
            else:
                table[row] = [_number(spread.get(part)) for part in PARTS]
        return table

    def _follow(self, value: Table, known: npt.NDArray[np.bool_], weight: float) -> None:
        """Bring mean and squared deviations up to date."""
        weights = known * weight
        self._weight = self._weight + weights
        share = np.divide(weights, self._weight, out=np.zeros_like(weights), where=self._weight > 0)
        apart = np.where(known, value - self._mean, 0.0)
        self._mean = self._mean + share * apart
        self._square = self._square + weights * apart * np.where(known, value - self._mean, 0.0)

    def _stacked(self) -> tuple[Table, Table]:
        """Return sums and weights: stretches x names x parts."""
        size = len(self._rows)
        if not self._stretches:
            return np.zeros((0, size, len(PARTS))), np.zeros((0, size, len(PARTS)))
        sums = np.stack([_padded(stretch.sums, size) for stretch in self._stretches])
        return sums, np.stack([_padded(stretch.weights, size) for stretch in self._stretches])

    def _tenths(self) -> tuple[slice, slice]:
        """Return which stretches are the first and the last tenth of the ticks."""
        if not self._stretches:
            return slice(0, 0), slice(0, 0)
        begin, end = self._stretches[0].first, self._stretches[-1].last
        middles = np.array([(stretch.first + stretch.last) / 2 for stretch in self._stretches])
        span = (end - begin + 1) * TENTH
        early = max(1, int((middles < begin + span).sum()))
        late = max(1, int((middles > end - span).sum()))
        return slice(0, early), slice(len(middles) - late, len(middles))


def _joined(one: _Stretch, other: _Stretch) -> _Stretch:
    size = max(len(one.sums), len(other.sums))
    return _Stretch(
        min(one.first, other.first),
        max(one.last, other.last),
        one.chunks + other.chunks,
        _padded(one.sums, size) + _padded(other.sums, size),
        _padded(one.weights, size) + _padded(other.weights, size),
    )


def _padded(table: Table, size: int) -> Table:
    return table if len(table) == size else np.pad(table, ((0, size - len(table)), (0, 0)))


def _divided(sums: Table, weights: Table) -> Table:
    return np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)


def _number(value: Any) -> float:
    """Return a number that can be added up, NaN for everything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return float(value) if is_number else math.nan


def _known(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
