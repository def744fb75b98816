"""What is worth telling of the watched towns: stories, departures and their reasons, events of the town."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from townlet_jax.telemetry.summary.words import clean

MOST_STORIES = 50  # of each category
MOST_DEPARTURES = 200
MOST_NAMES = 200  # categories, reasons, specs
OTHER = "(other)"
LONGEST_STORY = 200
FEW = 3  # stories of a category before those of the next one


@dataclass(frozen=True, kw_only=True)
class Story:
    """Something that was told."""

    tick: int
    town: int
    category: str
    message: str
    priority: bool


@dataclass(frozen=True, kw_only=True)
class Category:
    """How often stories of a kind were told, and how many of them were urgent."""

    category: str
    count: int
    priority: int


@dataclass(frozen=True, kw_only=True)
class Departure:
    """Somebody left a watched town."""

    tick: int
    town: int
    agent: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Perturbed:
    """Events of the town of one spec."""

    spec: str
    kind: str
    started: int
    ended: int
    cancelled: int
    planned_ticks: float | None  # mean length they were started with


class Chronicle:
    """Bounded memory of what was told: the newest stories of each category, all of them counted."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.departures: deque[Departure] = deque(maxlen=MOST_DEPARTURES)
        self._told: Counter[str] = Counter()
        self._urgent: Counter[str] = Counter()
        self._stories: dict[tuple[str, bool], deque[Story]] = {}
        self._specs: dict[str, Counter[str]] = {}
        self._kinds: dict[str, str] = {}

    def story(self, town: int, told: Mapping[str, Any]) -> None:
        """Take a narration of a frame."""
        category = _bounded(clean(told["category"]), self._told)
        urgent = told["priority"]
        self._told[category] += 1
        self._urgent[category] += urgent
        kept = self._stories.setdefault((category, urgent), deque(maxlen=MOST_STORIES))
        message = clean(told["message"], LONGEST_STORY)
        kept.append(Story(tick=told["tick"], town=town, category=category, message=message, priority=urgent))

    def event(self, event: Mapping[str, Any]) -> None:
        """Take an event that is told here; others are passed over."""
        name = event["event"]
        if name == "agent_removed":
            reason = _bounded(clean(str(event.get("reason", "unknown"))), self.reasons)
            self.reasons[reason] += 1
            agent = clean(str(event.get("agent", "")))
            self.departures.append(Departure(tick=event["tick"], town=event["town"], agent=agent, reason=reason))
        elif name.startswith("perturbation_"):
            self._perturbation(name.removeprefix("perturbation_"), event)

    def categories(self) -> tuple[Category, ...]:
        """Return how often what was told, the most frequent first."""
        return tuple(
            Category(category=name, count=count, priority=self._urgent[name])
            for name, count in self._told.most_common()
        )

    def stories(self, most: int) -> tuple[Story, ...]:
        """Return stories of note by tick: the newest few of each category, urgent ones and rare categories first."""
        kept = [
            (age >= FEW, not urgent, age, self._told[category], story)
            for (category, urgent), stories in self._stories.items()
            for age, story in enumerate(reversed(stories))
        ]
        kept.sort(key=lambda one: one[:4])
        return tuple(sorted((story for *_, story in kept[:most]), key=lambda story: (story.tick, story.town)))

    def perturbations(self) -> tuple[Perturbed, ...]:
        """Return the events of the towns by spec, the most frequent first."""
        found = [
            Perturbed(
                spec=spec,
                kind=self._kinds.get(spec, ""),
                started=counts["started"],
                ended=counts["ended"],
                cancelled=counts["cancelled"],
                planned_ticks=counts["ticks"] / counts["started"] if counts["started"] else None,
            )
            for spec, counts in self._specs.items()
        ]
        return tuple(sorted(found, key=lambda one: (-one.started, one.spec)))

    def _perturbation(self, edge: str, event: Mapping[str, Any]) -> None:
        spec = _bounded(clean(str(event.get("spec", ""))), self._specs)
        counts = self._specs.setdefault(spec, Counter())
        counts[edge] += 1
        if "kind" in event:
            self._kinds[spec] = clean(str(event["kind"]))
        if edge == "started" and isinstance(event.get("ends_at"), int):
            counts["ticks"] += event["ends_at"] - event["tick"]


def _bounded(name: str, known: Mapping[str, Any]) -> str:
    """Return a name, or that of all others where there are too many."""
    return name if name in known or len(known) < MOST_NAMES else OTHER
