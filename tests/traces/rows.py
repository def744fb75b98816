"""The form of an exclusion: what the recording says in some cells, and what this simulator must say instead.

No row switches a comparison off: it replaces the recorded value by the value that the deviation predicts, worked out
from the recording and the rules alone, and that value is asserted. `docs/deviations.md` explains the ids.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from traces.recordings import Cell, Cells, Recording

CLIP = 0.2
EVERY = "every recording"
EVERYBODY = ("*",)


@dataclass(frozen=True)
class Sight:
    """What a prediction may look at: the recording, and the cells predicted so far for this and the last tick."""

    recording: Recording
    tick: int
    recorded: Cells
    cells: Cells
    previous: Cells
    written: set[Cell] = field(default_factory=set)

    def of(self, field: str, subject: str) -> Any:
        """Return a predicted cell of this tick."""
        return self.cells[field, subject]

    def before(self, field: str, subject: str) -> Any:
        """Return a predicted cell of the last tick, or of this one for somebody who was not there."""
        return self.previous.get((field, subject), 0)


Value = Callable[[Sight, str], Any]
When = Callable[[Sight, str], bool]


@dataclass(frozen=True, eq=False)
class Row:
    """One exclusion: in these ticks the field of these subjects is `value` instead of the recorded one."""

    deviation: str
    recording: str
    field: str
    subjects: tuple[str, ...]
    ticks: Iterable[int] | None  # None = all
    value: Value
    when: When | None = None  # only the cells in which this holds
    always: bool = True  # every cell must differ from the recording; otherwise some cell of each subject

    def covers(self, sight: Sight) -> list[str]:
        """Return the subjects the row speaks of in this tick."""
        if self.recording not in (EVERY, sight.recording.name) or not (self.ticks is None or sight.tick in self.ticks):
            return []
        subjects = [subject for name, subject in sight.recorded if name == self.field]
        chosen = [subject for subject in subjects if self.subjects == EVERYBODY or subject in self.subjects]
        return [subject for subject in chosen if self.when is None or self.when(sight, subject)]


def through(first: int, last: int) -> range:
    """Return the ticks from first to last, both included."""
    return range(first, last + 1)


def constant(value: Any) -> Value:
    """Predict one value."""
    return lambda sight, subject: value


def shifted(field: str, amount: float) -> Value:
    """Predict the recorded value and something on top."""
    return lambda sight, subject: sight.recorded[field, subject] + amount


def pairs(*names: tuple[str, str]) -> tuple[str, ...]:
    """Return both directions of pairs of agents."""
    return tuple(f"{a} -> {b}" for one, other in names for a, b in ((one, other), (other, one)))


def needs_penalty(sight: Sight, subject: str) -> float:
    """Work the needs penalty out of the predicted levels."""
    weights = sight.recording.header["config"]["rewards"]["needs_weights"]
    return -float(sum(weight * (1 - sight.of(f"needs.{need}", subject)) ** 2 for need, weight in weights.items()))


def _sum(*terms: str) -> Value:
    """Add up reward terms."""
    return lambda sight, subject: sum(sight.of(f"reward.{term}", subject) for term in terms)


_raw = _sum("homeostasis", "work", "social", "shaping", "terminal")


def _total(sight: Sight, subject: str) -> float:
    return float(min(max(_raw(sight, subject), -CLIP), CLIP))


def _adjustment(sight: Sight, subject: str) -> float:
    return float(sight.of("reward.total", subject) - _raw(sight, subject))


SUMS: dict[str, Value] = {
    "homeostasis": _sum("survival", "needs_penalty"),
    "work": _sum("wage", "punctuality"),
    "social": _sum("social_bonus", "social_penalty", "social_avoidance"),
    "total": _total,
    "clip_adjustment": _adjustment,
}


def reward_rows(
    deviation: str, recording: str, subjects: tuple[str, ...], ticks: Iterable[int], fields: tuple[str, ...]
) -> tuple[Row, ...]:
    """Return the rows of reward sums that move because their terms do."""
    return tuple(
        Row(deviation, recording, f"reward.{field}", subjects, ticks, SUMS[field], always=False) for field in fields
    )
