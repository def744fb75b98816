"""How well a network acts like the policy of a dataset, on towns that it has not learned from; and how well it could.

Owns the figures: accuracy against the gate, the table of what was taken for what, and the best accuracy that any
policy of these observations could have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from train.cloning import Cloner
from train.lessons import Lessons, Part, joined
from train.shards import Records

SEEN = ("features", "map", "mask")  # fields of a row that a network sees
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The best that can be known of a label: where rows look alike, the one that most of them have."""

    accuracy: float
    twins: int  # rows that look like another one
    rows: int


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What held-out rows say."""

    rows: int
    accuracy: float
    cross_entropy: float  # nats
    explained_variance: float  # of the returns to go
    majority: float  # accuracy of always doing what is done most
    confusion: Counts  # [label, guess]
    by_stress: dict[str, float]  # accuracy
    ceiling: Ceiling


def taken(cloner: Cloner, parameters: Any, lessons: Lessons, part: Part, *, batch: int, scaled: bool = True) -> Exam:
    """Let a network guess the labels of some rows."""
    columns: list[tuple[Any, ...]] = []
    for piece in lessons.in_turn(part, batch):
        rows = lessons.rows(piece, fill=batch, scaled=scaled)
        found = cloner.guess(parameters, rows)
        arrays = (rows.label, found.action, found.surprise, found.value, rows.target)
        columns.append(tuple(np.asarray(array)[: len(piece)] for array in arrays))
    return judged(lessons, [part], columns)


def judged(lessons: Lessons, parts: Sequence[Part], columns: Sequence[tuple[Any, ...]]) -> Exam:
    """Return what guesses come to: pieces of label, guess, surprise, value and target, in the order of the rows."""
    part = joined(parts)
    label, guess, surprise, value, goal = (np.concatenate(column) for column in zip(*columns, strict=True))
    choices = len(lessons.choices)
    right = label == guess
    stress = lessons.stress_of(part)
    return Exam(
        rows=len(label),
        accuracy=float(right.mean()),
        cross_entropy=float(surprise.astype(np.float64).mean()),
        explained_variance=explained(value, goal),
        majority=float(np.bincount(label, minlength=choices).max() / len(label)),
        confusion=table(label, guess, choices),
        by_stress={str(kind): float(right[stress == kind].mean()) for kind in np.unique(stress)},
        ceiling=ceiling(lessons.read(part)),
    )


def table(label: npt.NDArray[np.int32], guess: npt.NDArray[np.int32], choices: int) -> Counts:
    """Return how often each label was taken for each action."""
    pairs = label.astype(np.int64) * choices + guess
    return np.bincount(pairs, minlength=choices * choices).reshape(choices, choices)


def explained(value: npt.NDArray[np.float32], target: npt.NDArray[np.float32]) -> float:
    """Return `1 - Var(target - value) / Var(target)`, 0 where targets are all alike."""
    total = float(np.var(target, dtype=np.float64))
    return 1.0 - float(np.var(target - value, dtype=np.float64)) / total if total else 0.0


def ceiling(records: Records) -> Ceiling:
    """Return the accuracy of whoever knows the commonest label of every observation.

    Below 1 where rows that look alike have different labels: what decided between them cannot be seen. It is the best
    for these very rows; a row without a twin says nothing about what is hidden from it.
    """
    looks = _looks(records)
    _, place, times = np.unique(looks, return_inverse=True, return_counts=True)
    pairs, amounts = np.unique(np.stack([place, records["action"].astype(np.int64)]), axis=1, return_counts=True)
    best = np.zeros(len(times), np.int64)
    np.maximum.at(best, pairs[0], amounts)
    return Ceiling(accuracy=float(best.sum() / len(looks)), twins=int((times[place] > 1).sum()), rows=len(looks))


def _looks(records: Records) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of what is seen in every row: features, map and mask."""
    parts = [np.ascontiguousarray(records[name]).reshape(len(records), -1).view(np.uint8) for name in SEEN]
    whole = np.concatenate(parts, axis=1)
    whole = np.pad(whole, ((0, 0), (0, -whole.shape[1] % 8)))
    words = whole.view(np.uint64)
    odd = np.random.default_rng(0).integers(0, 2**63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = (words ^ (words >> np.uint64(29))) * odd
    looks: npt.NDArray[np.uint64] = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)
    return looks


def as_json(exam: Exam, choices: Sequence[str]) -> dict[str, Any]:
    """Return the figures as JSON."""
    rows = exam.confusion.sum(axis=1)
    guessed = exam.confusion.sum(axis=0)
    hits = np.diag(exam.confusion)
    return {
        "rows": exam.rows,
        "accuracy": exam.accuracy,
        "cross_entropy": exam.cross_entropy,
        "explained_variance": exam.explained_variance,
        "majority": exam.majority,
        "ceiling": {"accuracy": exam.ceiling.accuracy, "twins": exam.ceiling.twins, "rows": exam.ceiling.rows},
        "by_stress": exam.by_stress,
        "by_action": {
            name: {
                "rows": int(rows[place]),
                "recall": float(hits[place] / rows[place]) if rows[place] else None,
                "precision": float(hits[place] / guessed[place]) if guessed[place] else None,
            }
            for place, name in enumerate(choices)
        },
        "confusion": {"actions": list(choices), "counts": exam.confusion.tolist()},
    }


def shown(exam: Exam, choices: Sequence[str]) -> Table:
    """Return what was taken for what, in percent of each label; actions that never come up are left out."""
    present = [place for place in range(len(choices)) if exam.confusion[place].any() or exam.confusion[:, place].any()]
    drawn = Table(title="of what was done (rows), % that the network would do so", box=box.SIMPLE, padding=(0, 1, 0, 0))
    drawn.add_column("action", no_wrap=True)
    drawn.add_column("rows", justify="right", no_wrap=True)
    for place in present:
        drawn.add_column(str(place), justify="right", no_wrap=True)
    for place in present:
        total = int(exam.confusion[place].sum())
        cells = [_percent(int(exam.confusion[place, other]), total) for other in present]
        drawn.add_row(f"{place} {choices[place]}", str(total), *cells)
    return drawn


def _percent(part: int, whole: int) -> str:
    """Return a share in at most three letters."""
    share = 100 * part / whole if whole else 0.0
    return "·" if part == 0 else "<1" if share < 0.5 else f"{share:.0f}"
