"""What frame sections stand on: the ticks of a chunk that are shown, and which sections changed between them."""

from typing import Any

import numpy as np

from townlet_jax.telemetry.lived import Lived, Table
from townlet_jax.telemetry.naming import Words


class Shot:
    """The ticks of a chunk of which frames are made."""

    def __init__(self, words: Words, lived: Lived, rows: list[int], cache: dict[Any, str]) -> None:
        self.words, self.lived, self.cache = words, lived, cache
        self.rows = np.asarray(rows, np.int64)
        self.ticks = self.rows + lived.first_tick
        self._people = [lived.generations[row] for row in rows]

    def after(self, column: Any) -> Table:
        """Return a column of the states as it was after each shown tick."""
        return np.asarray(column)[self.rows + 1]

    def during(self, column: Any) -> Table:
        """Return a column of the outcomes of each shown tick."""
        return np.asarray(column)[self.rows]

    def person(self, k: int, slot: int) -> str:
        """Return the name of who lives in a slot, or was the last to live there."""
        return self.words.person(slot, self._people[k][slot])


class Section:
    """One section of the frames of a shot, as JSON text.

    `sources` are arrays with a leading axis of frames: where none of them differs from the frame before, the text is
    the same. None means that it is different every time.
    """

    sources: tuple[Table, ...] | None = None

    def __init__(self, shot: Shot) -> None:
        self.shot = shot

    def text(self, k: int) -> str:
        """Return the section of frame k."""
        raise NotImplementedError

    def changed(self) -> list[bool]:
        """Tell for each frame whether the section may be another one than in the frame before; the first one may."""
        found = np.ones(len(self.shot.rows), bool)
        if self.sources is not None and len(found) > 1:
            found[1:] = False
            for column in self.sources:
                different = column[1:] != column[:-1]
                found[1:] |= different.reshape(len(different), -1).any(axis=1)
        flags: list[bool] = found.tolist()
        return flags
