"""Where a run is cut into calls of the device, so that watched towns need few programs. Owns the lengths of chunks."""

import itertools
import math
from collections.abc import Iterable, Sequence


def pieces(ticks: int, chunk: int, event_ticks: Sequence[int] = ()) -> list[int]:
    """Cut a run into calls of at most two different lengths, with a cut before each tick that has an event."""
    cuts = Cuts(ticks, chunk, event_ticks)
    lengths: list[int] = []
    tick = 0
    while tick < ticks:
        lengths.append(cuts.length(tick))
        tick += lengths[-1]
    return lengths


class Cuts:
    """The ticks after which a run stands still: its end, those before an event, and multiples of `every`.

    A stretch between two of them is cut into whole chunks and then into units, the greatest common divisor of all
    rests. Cuts depend on the tick alone, so a resumed run is cut as if it had never stopped.
    """

    def __init__(self, ticks: int, chunk: int, event_ticks: Iterable[int] = (), every: int | None = None) -> None:
        self._single = sorted({ticks, *(tick - 1 for tick in event_ticks if 1 < tick <= ticks)})
        self._every = every
        self._chunk = chunk
        rests = [stretch % chunk for stretch in self._stretches() if stretch % chunk]
        self._unit = math.gcd(*rests) if rests else chunk

    @property
    def lengths(self) -> list[int]:
        """Return the lengths of calls that the whole run needs, longest first."""
        whole = any(stretch >= self._chunk for stretch in self._stretches())
        return sorted({self._unit, *([self._chunk] if whole else [])}, reverse=True)

    def room(self, tick: int) -> int:
        """Return how many ticks may run after `tick` before the next cut."""
        cuts = [cut for cut in self._single if cut > tick][:1]
        if self._every is not None:
            cuts.append(tick - tick % self._every + self._every)
        return min(cuts, default=tick) - tick

    def length(self, tick: int) -> int:
        """Return the length of the call after `tick`."""
        room = self.room(tick)
        return next((length for length in (self._chunk, self._unit) if length <= room), min(room, 1))

    def _stretches(self) -> list[int]:
        """Return the distances between cuts, each that occurs at least once."""
        if self._every is None:
            return [end - start for start, end in itertools.pairwise([0, *self._single])]
        every = self._every
        around = {tick - tick % every for tick in self._single}
        cuts = sorted(
            {0, *self._single, *around, *(tick + every for tick in around if tick + every < self._single[-1])}
        )
        stretches = [end - start for start, end in itertools.pairwise(cuts)]
        return [stretch if stretch < every else every for stretch in stretches]
