"""A recorded run: plays it, and goes to any place of it. A file that grows is followed.

Owns the index of the file (where each record begins, its kind, tick and town) and the models kept along the way, so
that going back need not read from the beginning.
"""

import os
import re
import time
import warnings
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from townlet_jax.telemetry import schema
from townlet_jax.telemetry.sinks.sentences import reason, shown
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.control import Wish
from townlet_jax.ui.dashboard.look import Standing
from townlet_jax.ui.dashboard.model import Model
from townlet_jax.ui.dashboard.source import Answer, SourceError, checked

TICKS_A_SECOND = 4  # at speed 1
SPEEDS = (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 250, 500, 1000)
KINDS = ("run", "snapshot", "diff", "measures", "health", "end")
FRAMES = (KINDS.index("snapshot"), KINDS.index("diff"))
HEAD = re.compile(
    rb'\{"schema_version":"[0-9.]{1,15}","payload_type":"([a-z]{1,16})","run_id":"[^"\\]{0,100}",'
    rb'"sequence":(\d{1,18}),"tick":(\d{1,18})(?:,"town":(\d{1,9}))?[,}]'
)
LONGEST = 64 * 2**20  # bytes of a line
READ_SECONDS, PLAY_SECONDS = 0.03, 0.03  # at most, of one refresh
FIRST_SECONDS = 0.5  # that are spent on the index before the first picture
KEPT_EVERY, MOST_KEPT = 100, 80  # models, in records
CHUNKS = 60  # records about all towns that are read again after a jump


class Recording:
    """Records of one file."""

    def __init__(self, path: Path, *, speed: float = 10) -> None:
        self._path, self._file = path, _opened(path)
        self._offsets, self._ticks = array("q"), array("q")
        self._kinds, self._towns = array("b"), array("i")
        self._wholes: dict[int, list[int]] = {}  # places of whole frames by town
        self._others: list[int] = []  # places of records that are no frames
        self._end = self._bad = 0
        self._at = -1  # the last record taken
        self._model = Model()
        self._kept: OrderedDict[int, Model] = OrderedDict()
        self._speed = speed
        self._is_paused = False
        self._clock: tuple[float, float] | None = None  # when, and at which tick playing began
        self._answers: list[Answer] = []
        self._read(FIRST_SECONDS)
        if not self._offsets:
            self._file.close()
            raise SourceError(f"{shown(path)} holds no records; give a file of JSON lines that telemetry wrote.")
        self._go(self._first_frame())

    @property
    def model(self) -> Model:
        """Return the run as far as it was played."""
        return self._model

    def standing(self) -> Standing:
        """Return where the viewer is."""
        last = max(1, len(self._offsets) - 1)
        trouble = f"{self._bad} lines are no records" if self._bad else ""
        return Standing(
            name=self._path.name, kind="recording", is_paused=self._is_paused, speed=f"{self._speed:g}x",
            place=max(0, self._at) / last, trouble=trouble,
        )  # fmt: skip

    def advance(self, now: float) -> None:
        """Play on as far as the time has gone."""
        self._read(READ_SECONDS)
        if self._is_paused:
            return
        if self._clock is None:
            self._clock = (now, self._model.tick)
        due = self._clock[1] + (now - self._clock[0]) * TICKS_A_SECOND * self._speed
        until = time.monotonic() + PLAY_SECONDS
        while self._at + 1 < len(self._offsets) and self._ticks[self._at + 1] <= due:
            self._take(self._at + 1)
            if time.monotonic() > until:
                self._clock = (now, self._model.tick)
                return
        if self._at + 1 >= len(self._offsets):
            self._clock = (now, self._model.tick)

    def grant(self, wish: Wish, now: float) -> None:
        """Pause, change speed, go somewhere."""
        del now
        self._clock = None
        match wish.name:
            case "pause":
                self._is_paused = not self._is_paused
            case "faster" | "slower":
                place = SPEEDS.index(self._speed) + (1 if wish.name == "faster" else -1)
                self._speed = SPEEDS[max(0, min(len(SPEEDS) - 1, place))]
            case "step" | "back":
                self._is_paused = True
                self._go(self._neighbour(wish.town, 1 if wish.name == "step" else -1))
            case "hour on" | "hour back":
                hour = max(1, self._model.ticks_per_day // 24)
                self.go_to_tick(self._model.tick + (hour if wish.name == "hour on" else -hour))
            case "begin":
                self._go(self._first_frame())
            case "end":
                self._go(len(self._offsets) - 1)
            case _:
                self._answers.append(Answer("A recording takes no commands; watch a running session for that.", True))

    def answers(self) -> list[Answer]:
        """Return what came of wishes."""
        found, self._answers = self._answers, []
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def go_to_tick(self, tick: int) -> None:
        """Go to the last record of a tick or before it."""
        self._clock = None
        self._go(max(self._first_frame(), bisect_right(self._ticks, tick) - 1))

    @property
    def last_tick(self) -> int:
        """Return the last tick that is known."""
        return self._ticks[-1]

    @property
    def towns(self) -> list[int]:
        """Return the towns of which there are whole frames."""
        return sorted(self._wholes)

    def pause(self) -> None:
        """Stand still."""
        self._is_paused = True

    def read_all(self) -> None:
        """Index the whole file."""
        self._read(float("inf"))

    def _read(self, seconds: float) -> None:
        """Index what the file has more, for at most so long."""
        until = time.monotonic() + seconds
        try:
            if os.fstat(self._file.fileno()).st_size <= self._end:
                return
            self._file.seek(self._end)
            for count, line in enumerate(iter(lambda: self._file.readline(LONGEST), b"")):
                if not line.endswith(b"\n") and len(line) < LONGEST:
                    return  # half written
                self._index(line)
                self._end += len(line)
                if count % 64 == 63 and time.monotonic() > until:
                    return
        except OSError as error:
            self._answers.append(Answer(f"{shown(self._path)} cannot be read any further ({reason(error)}).", True))

    def _index(self, line: bytes) -> None:
        head = HEAD.match(line)
        if head is not None and head[1].decode() in KINDS:
            kind, tick, town = head[1].decode(), int(head[3]), int(head[4] or 0)
        else:
            try:
                record = _record(line)
            except schema.SchemaError:
                self._bad += bool(line.strip())
                return
            kind, tick, town = record["payload_type"], record["tick"], record.get("town", 0)
        place = len(self._offsets)
        self._offsets.append(self._end)
        self._ticks.append(max(tick, self._ticks[-1] if place else 0))  # so that they can be searched
        self._kinds.append(KINDS.index(kind))
        self._towns.append(town)
        if kind == "snapshot":
            self._wholes.setdefault(town, []).append(place)
        elif kind != "diff":
            self._others.append(place)

    def _first_frame(self) -> int:
        """Return the place at which every watched town has been seen, from the beginning."""
        first = [places[0] for places in self._wholes.values()]
        return max(first) if first else len(self._offsets) - 1

    def _neighbour(self, town: int | None, steps: int) -> int:
        """Return the place of the next or last frame of a town."""
        place = self._at + steps
        while 0 <= place < len(self._offsets):
            if self._kinds[place] in FRAMES and (town is None or self._towns[place] == town):
                return place
            place += steps
        return self._first_frame() if steps < 0 else len(self._offsets) - 1

    def _go(self, place: int) -> None:
        """Take records so that `place` is the last one, from the best model that is kept."""
        place = max(0, min(place, len(self._offsets) - 1))
        begin = self._beginning(place)
        kept = max((known for known in self._kept if known <= place), default=-1)
        if begin <= self._at <= place:
            pass
        elif kept >= begin:
            self._at, self._model = kept, self._kept[kept]
        else:
            self._jump(begin)
        while self._at < place:
            self._take(self._at + 1)

    def _beginning(self, place: int) -> int:
        """Return from where records must be taken, so that every town is whole at `place`."""
        begins = []
        for places in self._wholes.values():
            number = bisect_right(places, place)
            if number:
                begins.append(places[max(0, number - 2)])  # one more, for a past to show
        return min(begins, default=0)

    def _jump(self, begin: int) -> None:
        """Start anew before `begin`, with what was said of the run and of all towns until there."""
        self._model, self._at = Model(), begin - 1
        number = bisect_left(self._others, begin)
        runs = [place for place in self._others[:number] if KINDS[self._kinds[place]] == "run"][-1:]
        for place in sorted({*runs, *self._others[max(0, number - CHUNKS) : number]}):
            self._put(place)
        self._model = replace(self._model, sequence=-1, end=None)

    def _take(self, place: int) -> None:
        self._put(place)
        self._at = place
        if place % KEPT_EVERY == 0:
            self._kept[place] = self._model
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def _put(self, place: int) -> None:
        try:
            self._file.seek(self._offsets[place])
            self._model = models.take(self._model, _record(self._file.readline(LONGEST)))
        except schema.SchemaError:
            self._bad += 1
        except OSError as error:
            self._answers.append(Answer(f"{shown(self._path)} cannot be read any further ({reason(error)}).", True))


def _record(line: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", schema.SchemaWarning)  # a newer version is shown as far as it is understood
        return checked(schema.read(line))


def _opened(path: Path) -> IO[bytes]:
    try:
        if path.is_dir():
            raise SourceError(f"{shown(path)} is a folder; give the file of JSON lines in it.")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise SourceError(f"{shown(path)} cannot be read ({reason(error)}); give a recording that can be.") from None
