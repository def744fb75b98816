"""What panels are made of: rows of styled pieces, fitted to a width.

A `Block` is a renderable of rich, but knows its cells without being measured, so a screen of them costs little.
Owns that only printable text leaves: every piece passes `clean` here, whoever made it (ECOSYSTEM R16).
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import get_character_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from townlet_jax.report import printable

TITLE, DIM, BOLD, GOOD, WARN, BAD, HIGH = (
    "bold #e8edf7 on #2b3550", "#8d95a5", "bold", "#6fbf73", "#e8b339", "bold #f0604d", "#f3dd9c",
)  # fmt: skip
MARKED = "bold #14181f on #f3dd9c"  # what is chosen
MORE = "…"


class Piece(NamedTuple):
    """Some text in a style of rich."""

    text: str
    style: str = ""


Row = Sequence[Piece]


@functools.lru_cache(maxsize=8192)
def clean(text: str) -> str:
    """Return text without characters that a terminal obeys, or that turn the direction of what follows."""
    return text if text.isprintable() else printable(" ".join(text.split()))


def cells(text: str) -> int:
    """Return how many columns clean text takes."""
    return len(text) if text.isascii() else _cells(text)


@functools.lru_cache(maxsize=8192)
def _cells(text: str) -> int:
    return sum(map(get_character_cell_size, text))


def cut(text: str, width: int) -> str:
    """Return clean text of at most a width, with a mark where something is missing."""
    text = clean(text)
    if cells(text) <= width:
        return text
    rest = text.rstrip()  # spaces are not missed
    if cells(rest) <= width:
        return rest + " " * (width - cells(rest))
    return _begin(text, width - 1) + MORE if width > 0 else ""


@functools.lru_cache(maxsize=4096)
def _begin(text: str, width: int) -> str:
    """Return the beginning of text, filled up to a width where a wide letter does not fit."""
    taken, used = 0, 0
    for letter in text:
        size = get_character_cell_size(letter)
        if used + size > width:
            break
        taken, used = taken + 1, used + size
    return text[:taken] + " " * (width - used)


def left(text: str, width: int) -> str:
    """Return text filled up to a width on its right."""
    text = cut(text, width)
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    """Return text filled up to a width on its left."""
    text = cut(text, width)
    return " " * (width - cells(text)) + text


def fitted(row: Row, width: int) -> list[Piece]:
    """Return the pieces of a row that fill exactly a width; what does not fit is cut."""
    found, room = [], width
    for text, style in row:
        shown = cut(text, room)
        if shown:
            found.append(Piece(shown, style))
            room -= cells(shown)
        if not room:
            return found
    found.append(Piece(" " * room))
    return found


def size(row: Row) -> int:
    """Return the columns of a row."""
    return sum(cells(clean(piece.text)) for piece in row)


def plain(text: str, style: str = "") -> Row:
    """Return a row of one piece."""
    return (Piece(text, style),)


def spread(begin: Row, end: Row, width: int) -> Row:
    """Return a row with one part on each side; the right part wins where both do not fit."""
    room = max(0, width - size(end))
    return (*fitted(begin, room), *end) if room else tuple(end)


def folded(text: str, width: int, style: str = "") -> list[Row]:
    """Return text in rows of at most a width, each with a blank before, broken between words where possible."""
    rows: list[Row] = []
    line = ""
    for word in clean(text).split():
        longer = f"{line} {word}"
        if cells(longer) <= width:
            line = longer
            continue
        if line:
            rows.append(plain(line, style))
        line = cut(f" {word}", width)
    return [*rows, plain(line, style)] if line else rows


@dataclass(frozen=True)
class Block:
    """Rows under a title; an empty title takes no row."""

    rows: Sequence[Row]
    title: str = ""
    note: str = ""  # at the right end of the title

    def lines(self, width: int, height: int | None = None) -> list[list[Piece]]:
        """Return exactly `height` rows of exactly `width` cells; all rows if no height is given."""
        rows: list[Row] = [*self._head(width), *self.rows]
        if height is not None:
            rows = [*rows[:height], *[()] * (height - len(rows))]
        return [fitted(row, width) for row in rows]

    def _head(self, width: int) -> Iterator[Row]:
        if self.title:
            has_room = cells(clean(self.title)) + cells(clean(self.note)) + 3 <= width
            note = (Piece(f"{self.note} ", TITLE),) if self.note and has_room else ()
            yield spread((Piece(f" {self.title}", TITLE), Piece(" " * width, TITLE)), note, width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the rows as segments, as rich wants them."""
        for row in self.lines(options.max_width, options.height):
            for text, style in row:
                yield Segment(text, Style.parse(style) if style else None)
            yield Segment.line()


def nothing(words: str) -> list[Row]:
    """Return the row of a panel that has nothing to show."""
    return [plain(words, DIM)]


def beside(blocks: Iterable[tuple[Sequence[Row], int]], gap: int = 1) -> list[Row]:
    """Return columns of rows as rows; each column with its width."""
    columns = list(blocks)
    height = max((len(rows) for rows, _ in columns), default=0)
    found: list[Row] = []
    for line in range(height):
        row: list[Piece] = []
        for rows, width in columns:
            row += [*fitted(rows[line] if line < len(rows) else (), width), Piece(" " * gap)]
        found.append(row[:-1])
    return found
