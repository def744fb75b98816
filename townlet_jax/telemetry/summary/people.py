"""Who fared how: figures of each individual of the watched towns, and who is at the top and at the bottom."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from townlet_jax.telemetry.summary.words import clean

MOST_PEOPLE = 20_000
TOP = 5
CONFLICT = "queue_conflict"
SUBJECTS = ("agent", "actor", "rival", "speaker", "listener", "owner")  # fields of events that name who it is about


@dataclass(frozen=True, kw_only=True)
class Person:
    """One individual. What comes from frames is None where none showed it."""

    name: str
    town: int
    days: float  # watched
    return_a_day: float | None  # mean reward of the ticks with a frame, times the ticks of a day
    wallet: float | None  # mean, coins
    need: float | None  # mean over its needs and time
    need_lowest: float | None  # lowest need in any frame
    conflicts: int
    events: int


@dataclass(frozen=True, kw_only=True)
class Often:
    """Somebody to whom an event happened so many times."""

    name: str
    town: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Who has most of a figure, highest first, and who has least, lowest first."""

    figure: str
    top: tuple[Person, ...]
    bottom: tuple[Person, ...]


@dataclass
class _Seen:
    ticks: float = 0.0
    reward: float = 0.0
    wallet: float = 0.0
    need: float = 0.0
    lowest: float = 1.0
    events: Counter[str] = field(default_factory=Counter)


class People:
    """Figures of individuals; those beyond `MOST_PEOPLE` are only counted."""

    def __init__(self) -> None:
        self.left_out = 0
        self._seen: dict[tuple[int, str], _Seen] = {}

    def frame(self, town: int, agents: Mapping[str, Mapping[str, Any]], ticks: float) -> None:
        """Add a frame that stands for so many ticks."""
        for name, agent in agents.items():
            seen = self._of(town, name) if agent["alive"] else None
            if seen is None:
                continue
            needs = agent["needs"].values()
            seen.ticks += ticks
            seen.reward += agent["reward"] * ticks
            seen.wallet += agent["wallet"] * ticks
            seen.need += sum(needs) / max(len(needs), 1) * ticks
            seen.lowest = min(seen.lowest, *needs) if needs else seen.lowest

    def event(self, town: int, event: Mapping[str, Any]) -> None:
        """Count an event for everybody it names."""
        for name in subjects(event):
            seen = self._of(town, name)
            if seen is not None:
                seen.events[event["event"]] += 1

    @property
    def ticks(self) -> float:
        """Return the ticks of all individuals together."""
        return sum(seen.ticks for seen in self._seen.values())

    def most(self, count: int) -> dict[str, tuple[Often, ...]]:
        """Return by event who it happened to most often."""
        by_event: dict[str, list[Often]] = {}
        for (town, name), seen in self._seen.items():
            for event, times in seen.events.items():
                by_event.setdefault(event, []).append(Often(name=clean(name), town=town, count=times))
        order = {
            event: sorted(found, key=lambda one: (-one.count, one.name, one.town)) for event, found in by_event.items()
        }
        return {clean(event): tuple(found[:count]) for event, found in order.items()}

    def people(self, ticks_per_day: int) -> list[Person]:
        """Return everybody, in the order of their coming."""
        return [_person(town, name, seen, ticks_per_day) for (town, name), seen in self._seen.items()]

    def _of(self, town: int, name: str) -> _Seen | None:
        found = self._seen.get((town, name))
        if found is None and len(self._seen) < MOST_PEOPLE:
            found = self._seen[town, name] = _Seen()
        if found is None:
            self.left_out += 1
        return found


def subjects(event: Mapping[str, Any]) -> Iterator[str]:
    """Go through the names of those whom an event is about, each once."""
    said = [event.get(name) for name in SUBJECTS]
    several = event.get("agents")
    said += several if isinstance(several, list | tuple) else ()
    yield from dict.fromkeys(name for name in said if isinstance(name, str))


def _person(town: int, name: str, seen: _Seen, ticks_per_day: int) -> Person:
    is_seen = seen.ticks > 0
    return Person(
        name=clean(name),
        town=town,
        days=seen.ticks / ticks_per_day,
        return_a_day=seen.reward / seen.ticks * ticks_per_day if is_seen else None,
        wallet=seen.wallet / seen.ticks if is_seen else None,
        need=seen.need / seen.ticks if is_seen else None,
        need_lowest=seen.lowest if is_seen else None,
        conflicts=seen.events[CONFLICT],
        events=seen.events.total(),
    )


FIGURES: dict[str, Callable[[Person], float | None]] = {
    "return a day": lambda person: person.return_a_day,
    "wallet": lambda person: person.wallet,
    "needs": lambda person: person.need,
    "conflicts": lambda person: person.conflicts,
}


def rankings(people: Iterable[Person], count: int) -> tuple[Ranking, ...]:
    """Return who has most and least of each figure; nobody is in both."""
    found = []
    everybody = list(people)
    for name, value_of in FIGURES.items():
        valued = [(value, person) for person in everybody if (value := value_of(person)) is not None]
        ordered = [person for _, person in sorted(valued, key=lambda one: (-one[0], one[1].town, one[1].name))]
        top = ordered[: min(count, (len(ordered) + 1) // 2)]
        bottom = ordered[::-1][: min(count, len(ordered) // 2)]
        if ordered:
            found.append(Ranking(figure=name, top=tuple(top), bottom=tuple(bottom)))
    return tuple(found)
