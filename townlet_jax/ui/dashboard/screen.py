"""The picture on the terminal: draws what changed, within a budget of time. Knows no terminal, only a way to write.

A panel is drawn again when something it may read was replaced; the panels that wait longest go first, and what does
not fit into the budget of one refresh comes with the next. Rows that look as before are not sent.
"""

import functools
import time
from dataclasses import dataclass

from rich.color import ColorSystem
from rich.style import Style

from townlet_jax.ui.dashboard.block import Piece
from townlet_jax.ui.dashboard.catalogue import same
from townlet_jax.ui.dashboard.layout import LEAST_HEIGHT, LEAST_WIDTH, Place, arrange
from townlet_jax.ui.dashboard.look import Look

BUDGET = 0.0025  # seconds of one core; the panel that runs over it is finished
CLEAR, BEGIN, END = "\x1b[0m\x1b[2J", "\x1b[?2026h", "\x1b[?2026l"  # the last two: show it all at once
ASCII = str.maketrans(
    "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉─├┤┿◆▲▼→←↑↓·…●○♥✗☀☾‖▶‹–",
    '_.,-=+*#||||###-[]|*^v><^v..ox*!*)"><-',
)


@dataclass
class Shown:
    """What stands at a place."""

    reads: tuple[object, ...]
    lines: list[str]
    drawn: float  # when


class Screen:
    """Turns looks into the text that brings a terminal from the last picture to the next."""

    def __init__(self, *, colours: ColorSystem | None, has_unicode: bool = True) -> None:
        self._colours, self._has_unicode = colours, has_unicode
        self._shown: dict[Place, Shown] = {}
        self._places: list[Place] = []
        self._size = (0, 0)

    def forget(self) -> None:
        """Draw everything anew: the terminal may show something else."""
        self._shown, self._places = {}, []

    def refresh(self, look: Look, width: int, height: int, *, at_once: bool = False) -> str:
        """Return what to write; empty if nothing changed. `at_once` draws every panel that waits."""
        if width < LEAST_WIDTH or height < LEAST_HEIGHT:
            return self._too_small(width, height)
        places = arrange(look, width, height)
        begin = ""
        if (width, height) != self._size or places != self._places:
            if (width, height) != self._size or not set(self._places) <= set(places):
                begin = CLEAR
            self._shown = {} if begin else {place: self._shown[place] for place in places if place in self._shown}
            self._size, self._places, at_once = (width, height), places, True
        text = begin + self._draw(look, places, at_once=at_once)
        return f"{BEGIN}{text}{END}" if text else ""

    def _draw(self, look: Look, places: list[Place], *, at_once: bool) -> str:
        """Draw the panels that wait, the oldest first; what lies under another one waits until that is gone."""
        late = [place for place in places if self._is_stale(place, look, places)]
        if not at_once:
            late.sort(key=lambda place: self._shown[place].drawn if place in self._shown else 0.0)
        began, found = time.thread_time(), []
        for place in late:
            found.append(self._panel(look, place))
            if not at_once and time.thread_time() - began > BUDGET:
                break
        return "".join(found)

    def _is_stale(self, place: Place, look: Look, places: list[Place]) -> bool:
        shown = self._shown.get(place)
        if shown is None:
            return True
        if any(_overlap(place, other) for other in places[places.index(place) + 1 :]):
            return False
        return not same(shown.reads, place.panel.reads(look))

    def _panel(self, look: Look, place: Place) -> str:
        """Return the rows of a panel that look different now, each with where it goes."""
        rows = place.panel.draw(look, place.width, place.height).lines(place.width, place.height)
        lines = [self._line(row) for row in rows]
        old = self._shown[place].lines if place in self._shown else []
        self._shown[place] = Shown(reads=place.panel.reads(look), lines=lines, drawn=time.monotonic())
        return "".join(
            f"\x1b[{place.y + number + 1};{place.x + 1}H{line}"
            for number, line in enumerate(lines)
            if number >= len(old) or old[number] != line
        )

    def _line(self, row: list[Piece]) -> str:
        found = []
        for text, style in row:
            begin, end = codes(style, self._colours)
            found.append(f"{begin}{text if self._has_unicode else _plain(text)}{end}")
        return "".join(found)

    def _too_small(self, width: int, height: int) -> str:
        if (width, height) == self._size and not self._places:
            return ""
        self._size, self._places, self._shown = (width, height), [], {}
        said = f"{width}x{height} is too small; make the window {LEAST_WIDTH}x{LEAST_HEIGHT} or larger."
        return f"{CLEAR}\x1b[1;1H{said[: max(0, width * height - 1)]}"


def _plain(text: str) -> str:
    return text.translate(ASCII).encode("ascii", "replace").decode()


@functools.lru_cache(maxsize=4096)
def codes(style: str, colours: ColorSystem | None) -> tuple[str, str]:
    """Return what begins and what ends a style on a terminal."""
    if not style or colours is None:
        return "", ""
    begin, end = Style.parse(style).render("\0", color_system=colours).split("\0")
    return begin, end


def _overlap(one: Place, other: Place) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )
