"""Which rows come next where whole lives are learned from: episodes one behind the other, in lanes side by side.

Owns the order. A window is the next ticks of all lanes; nothing is left out between two windows, so that what a
network remembers after one is what it needs for the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from train.lessons import Part, Span


class Window(NamedTuple):
    """Rows with the axes ticks, lanes."""

    part: Part
    fresh: npt.NDArray[np.bool_]  # the first row of an individual, or of what is read of it
    real: npt.NDArray[np.bool_]  # no filling


@dataclass
class _Lane:
    """What a lane has left of its episode."""

    span: Span
    place: int
    begins: bool


class Endless:
    """Lanes that never end: episodes come in shuffled orders, each as often as the others.

    At first each lane is somewhere in its episode, so that a window shows all hours of the day.
    """

    def __init__(self, spans: Sequence[Span], lanes: int, *, seed: int) -> None:
        self._spans = spans
        self._random = np.random.default_rng(seed)
        self._waiting: list[int] = []
        self._lanes = [self._next() for _ in range(lanes)]
        for lane in self._lanes:
            lane.place = int(self._random.integers(lane.span.length))

    def taken(self, ticks: int) -> Window:
        """Return the next window."""
        pieces = [self._of(number, ticks) for number in range(len(self._lanes))]
        return _side_by_side(pieces)

    def _next(self) -> _Lane:
        if not self._waiting:
            self._waiting = self._random.permutation(len(self._spans)).tolist()
        return _Lane(self._spans[self._waiting.pop()], 0, True)

    def _of(self, number: int, ticks: int) -> Window:
        found = []
        while ticks:
            if self._lanes[number].place == self._lanes[number].span.length:
                self._lanes[number] = self._next()
            lane = self._lanes[number]
            length = min(ticks, lane.span.length - lane.place)
            found.append(_rows(lane.span, lane.place, length, begins=lane.begins))
            lane.place, lane.begins, ticks = lane.place + length, False, ticks - length
        return _behind(found)


def once(spans: Sequence[Span], lanes: int, ticks: int) -> list[Window]:
    """Return windows that hold every row of all episodes once; the long ones first, each in the emptiest lane."""
    pieces: list[list[Window]] = [[] for _ in range(lanes)]
    filled = np.zeros(lanes, np.int64)
    for span in sorted(spans, key=lambda one: -one.length):
        lane = int(filled.argmin())
        pieces[lane].append(_rows(span, 0, span.length, begins=True))
        filled[lane] += span.length
    whole = -(-int(filled.max()) // ticks) * ticks
    blank = [_filling(whole - int(number)) for number in filled]
    together = _side_by_side([_behind([*lane, rest]) for lane, rest in zip(pieces, blank, strict=True)])
    return [_cut(together, first, ticks) for first in range(0, whole, ticks)]


def _rows(span: Span, place: int, length: int, *, begins: bool) -> Window:
    """Return some rows of an episode."""
    ticks = span.first + place + np.arange(length)
    fresh = np.zeros(length, bool)
    fresh[:1] = begins
    part = Part(np.full(length, span.shard, np.int64), (ticks * span.slots + span.slot).astype(np.int64))
    return Window(part, fresh, np.ones(length, bool))


def _filling(length: int) -> Window:
    zeros = np.zeros(length, np.int64)
    return Window(Part(zeros, zeros), np.ones(length, bool), np.zeros(length, bool))


def _behind(pieces: Sequence[Window]) -> Window:
    return _together(pieces, np.concatenate)


def _side_by_side(pieces: Sequence[Window]) -> Window:
    return _together(pieces, lambda columns: np.stack(columns, axis=1))


def _together(pieces: Sequence[Window], how: Callable[[list[npt.NDArray[Any]]], npt.NDArray[Any]]) -> Window:
    return Window(
        Part(how([one.part.shard for one in pieces]), how([one.part.row for one in pieces])),
        how([one.fresh for one in pieces]),
        how([one.real for one in pieces]),
    )


def _cut(window: Window, first: int, ticks: int) -> Window:
    rows = slice(first, first + ticks)
    part = Part(window.part.shard[rows], window.part.row[rows])
    return Window(part, window.fresh[rows], window.real[rows])
