"""How the records came: gaps, repetitions, sinks, and how the run itself did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from townlet_jax.telemetry.summary.words import clean

MOST_GAPS = 5
MOST_FAULTS = 100  # names


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Records that are missing before a record."""

    file: str
    line: int
    lost: int


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """What the sequence numbers say. `first` is above 0 where older files are gone."""

    first: int | None
    last: int | None
    gaps: int
    lost: int  # records in all gaps
    first_gaps: tuple[Gap, ...]
    repeated: int  # records that came before, passed over


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How the run did, over the chunks that told."""

    seconds: float
    ticks_per_second: float  # of all towns together
    tick_ms: float
    publish_ms: float  # a chunk
    skipped_chunks: int
    failures: int
    faults: dict[str, int]  # most towns that had it at once, by fault


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A sink, as the last record of health saw it."""

    name: str
    connected: bool
    sent: int
    dropped: int
    retries: int
    restarts: int
    last_error: str | None


class Sequences:
    """Follows the sequence numbers of a run."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.next: int | None = None
        self.gaps = self.lost = self.repeated = 0
        self._first_gaps: list[Gap] = []

    def take(self, number: int, *, resumed: bool, file: str, line: int) -> tuple[bool, int]:
        """Return whether a record is new, and how many are missing before it."""
        if self.first is None or self.next is None:
            self.first, self.next = number, number + 1
            return True, 0
        if number < self.next and not resumed:
            self.repeated += 1
            return False, 0
        lost = max(0, number - self.next)
        if lost:
            self.gaps, self.lost = self.gaps + 1, self.lost + lost
            if len(self._first_gaps) < MOST_GAPS:
                self._first_gaps.append(Gap(file=file, line=line, lost=lost))
        self.next = number + 1
        return True, lost

    def result(self) -> Sequence:
        """Return what was found."""
        return Sequence(
            first=self.first,
            last=None if self.next is None else self.next - 1,
            gaps=self.gaps,
            lost=self.lost,
            first_gaps=tuple(self._first_gaps),
            repeated=self.repeated,
        )


class Health:
    """Adds up the records of health."""

    def __init__(self) -> None:
        self.channels: tuple[Channel, ...] = ()
        self._chunks = 0
        self._sums = dict.fromkeys(("seconds", "town_ticks", "ticks", "publish_ms"), 0.0)
        self._last: Mapping[str, Any] = {}
        self._faults: dict[str, int] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        seconds = record["seconds"]
        self._chunks += 1
        self._last = record
        self._sums["seconds"] += seconds
        self._sums["town_ticks"] += record["ticks_per_second"] * seconds
        self._sums["ticks"] += 1e3 * seconds / record["tick_ms"] if record["tick_ms"] > 0 else 0.0
        self._sums["publish_ms"] += record["publish_ms"]
        for name, towns in record["faults"].items():
            if clean(name) in self._faults or len(self._faults) < MOST_FAULTS:
                self._faults[clean(name)] = max(towns, self._faults.get(clean(name), 0))
        self.channels = tuple(
            Channel(
                name=clean(one["name"]),
                connected=one["connected"],
                sent=one["sent"],
                dropped=one["dropped"],
                retries=one["retries"],
                restarts=one["restarts"],
                last_error=None if one["last_error"] is None else clean(one["last_error"]),
            )
            for one in record["channels"]
        )

    def result(self) -> Speed | None:
        """Return what was found, None without any record."""
        if not self._chunks:
            return None
        sums = self._sums
        seconds = max(sums["seconds"], 1e-9)
        return Speed(
            seconds=sums["seconds"],
            ticks_per_second=sums["town_ticks"] / seconds,
            tick_ms=1e3 * sums["seconds"] / max(sums["ticks"], 1e-9),
            publish_ms=sums["publish_ms"] / self._chunks,
            skipped_chunks=self._last["skipped_chunks"],
            failures=self._last["failures"],
            faults=dict(self._faults),
        )
