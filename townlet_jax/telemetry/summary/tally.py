"""The records of one run, added up in bounded memory. Owns what is counted once, and what a frame stands for.

A resumed run tells some ticks again: the first telling counts. After a gap the figures of a town's frames are left
out until it sends a whole one; events count in any case.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from townlet_jax.telemetry.summary.chronicle import Chronicle
from townlet_jax.telemetry.summary.curves import Curves
from townlet_jax.telemetry.summary.found import Found
from townlet_jax.telemetry.summary.frames import MOST_TOWNS, Frame, Stream
from townlet_jax.telemetry.summary.people import People
from townlet_jax.telemetry.summary.results import Header
from townlet_jax.telemetry.summary.spans import Spans
from townlet_jax.telemetry.summary.transport import Health
from townlet_jax.telemetry.summary.words import clean

USUAL_DAY = 1_440  # ticks, where no record says how many
MOST_COUNTS = 2_000
REWARD_PARTS = ("homeostasis", "work", "social", "total", "clip_adjustment")  # of a breakdown, and no terms


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which part of a run is looked at. Ticks are inclusive; a chunk of measures counts if it lies within them."""

    town: int | None = None
    first: int | None = None
    last: int | None = None

    def holds(self, first: int, last: int) -> bool:
        """Tell whether ticks lie within the choice."""
        return (self.first is None or first >= self.first) and (self.last is None or last <= self.last)


@dataclass
class Span:
    """Ticks of a watched town that its frames and events spoke of."""

    first: int
    last: int


class RunTally:
    """One run on the way; `of_frames` is true until a record of measures comes, or where one town was chosen."""

    def __init__(self, run_id: str, choice: Choice) -> None:
        self.run_id = clean(run_id)
        self.header: Header | None = None
        self.resumed = 0
        self.ended: str | None = None
        self.records: Counter[str] = Counter()
        self.first_tick: int | None = None
        self.last_tick = -1
        self.of_frames = True
        self.kpis, self.terms = Curves(), Curves()
        self.counts: dict[str, float] = {}
        self.people, self.chronicle = People(), Chronicle()
        self.health, self.stream = Health(), Stream()
        self.towns: dict[int, Span] = {}
        self.stale_frames = self.counts_left_out = 0
        self.published: dict[str, int] = {}
        self.choice = choice
        self._measured = -1  # last tick of measures
        self._told_until = -1  # tick up to which a resumed run tells frames again
        self._spans: Spans | None = None
        self._day: int | None = None

    @property
    def ticks_per_day(self) -> int:
        """Return the length of a day, as far as it is known."""
        return self._day or USUAL_DAY

    @property
    def spans(self) -> Spans:
        """Return the events by day."""
        if self._spans is None:
            self._spans = Spans(self.ticks_per_day)
        return self._spans

    def take(self, found: Found) -> None:
        """Add a record."""
        data, kind = found.data, found.kind
        if not self.stream.is_new(found):
            return
        self.records[kind] += 1
        if kind == "run":
            self._begin(data)
        elif kind in ("snapshot", "diff"):
            self._frame(found)
        elif kind == "measures":
            self._measures(data)
        elif kind == "event":
            self._event(data["town"], data)
        elif kind == "health":
            if self.choice.holds(data["tick"], data["tick"]):
                self.health.take(data)
        elif kind == "end":
            self.ended = clean(data["why"])
            self.published = data["counters"]

    def _begin(self, data: Mapping[str, Any]) -> None:
        self.resumed += data["resumed"]
        self._told_until = max((town.last for town in self.towns.values()), default=-1) if data["resumed"] else -1
        self.ended = None
        self._day = max(1, data["ticks_per_day"])
        self.header = Header(
            config_id=clean(data["config_id"]),
            config_hash=clean(data["config_hash"]),
            policy=clean(data["policy"]),
            seed=data["seed"],
            towns=data["towns"],
            agents=len(data["agents"]),
            watched=tuple(data["watched"]),
            planned_ticks=data["planned_ticks"],
            ticks_per_day=self._day,
            every_ticks=data["every_ticks"],
            privacy=data["privacy"],
            started=clean(data["started"]),
            versions={clean(name): clean(version) for name, version in data["versions"].items()},
        )

    def _measures(self, data: Mapping[str, Any]) -> None:
        first, last = data["first_tick"], data["last_tick"]
        if last <= self._measured or not self.choice.holds(first, last):
            return
        self._measured = last
        self._cover(first, last)
        for name, value in flat_counts(data["counts"]):
            if name in self.counts or len(self.counts) < MOST_COUNTS:
                self.counts[name] = self.counts.get(name, 0.0) + value
            else:
                self.counts_left_out += 1
        if self.choice.town is not None:
            return
        if self.of_frames:
            self.of_frames = False
            self.kpis, self.terms = Curves(), Curves()
        self.kpis.add(first, last, data["kpis"])
        self.terms.add(first, last, data["terms"])

    def _frame(self, found: Found) -> None:
        data = found.data
        town, tick = data["town"], data["tick"]
        taken = self.stream.frame(found) if self.choice.town in (None, town) else None
        if taken is None:
            return
        frame, fresh = taken
        for event in fresh.get("events", ()):
            self._event(town, event)
        for story in fresh.get("narrations", ()):
            if story["tick"] > self._told_until and self.choice.holds(story["tick"], story["tick"]):
                self.chronicle.story(town, story)
        if found.kind == "snapshot" and self._day is None and data["day"] > 0:
            self._day = max(1, (tick - data["tick_of_day"]) // data["day"])
        if tick <= self._told_until or not self.choice.holds(tick, tick):
            return
        self._spoken(town, tick)
        if frame.is_whole:
            self._show(town, frame)
        else:
            self.stale_frames += 1

    def _show(self, town: int, frame: Frame) -> None:
        """Take the figures of a frame; it stands for the ticks since the one before it, not for those of a gap."""
        since = frame.tick - frame.before if frame.before >= 0 else 1
        every = self.header.every_ticks if self.header is not None else since
        ticks = max(1, min(since, max(every, 1)))
        self.people.frame(town, frame.sections.get("agents", {}), ticks)
        if self.of_frames:
            first = frame.tick - ticks + 1
            measures = frame.sections.get("kpis", {}).get("measures", {})
            self.kpis.add(first, frame.tick, {name: {"mean": value} for name, value in flat_counts(measures)})
            self.terms.add(first, frame.tick, _mean_terms(frame.sections.get("rewards", {})))

    def _event(self, town: int, event: Mapping[str, Any]) -> None:
        tick = event["tick"]
        if self.choice.town not in (None, town) or tick <= self._told_until or not self.choice.holds(tick, tick):
            return
        self._spoken(town, tick)
        self.spans.add(tick, clean(event["event"]))
        self.people.event(town, event)
        self.chronicle.event({**event, "town": town})

    def _spoken(self, town: int, tick: int) -> None:
        span = self.towns.get(town)
        if span is not None:
            span.first, span.last = min(span.first, tick), max(span.last, tick)
        elif len(self.towns) < MOST_TOWNS:
            self.towns[town] = Span(tick, tick)
        self._cover(tick, tick)

    def _cover(self, first: int, last: int) -> None:
        self.first_tick = first if self.first_tick is None else min(self.first_tick, first)
        self.last_tick = max(self.last_tick, last)


def flat_counts(counts: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return numbers by name; those of a map as `exits.faint`."""
    found: list[tuple[str, float]] = []
    for name, value in counts.items():
        if isinstance(value, dict):
            found += ((f"{name}.{inner}", one) for inner, one in value.items() if _is_number(one))
        elif _is_number(value):
            found.append((name, value))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mean_terms(rewards: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the reward terms of a frame, mean over agents."""
    rows = list(rewards.values())
    names = [name for name, value in rows[0].items() if name not in REWARD_PARTS and _is_number(value)] if rows else []
    return {name: {"mean": sum(row[name] for row in rows) / len(rows)} for name in names}
