"""From the frames of a town to a file: text, PNG, GIF or SVG by the name's suffix."""

import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from townlet_jax.files import check_target, replacing
from townlet_jax.report import printable
from townlet_jax.ui import gif, raster, text_map, vector
from townlet_jax.ui.layout import Layout, PictureError, lay_out
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame

STDOUT = Path("-")
FILMS, STILLS, TEXTS, PILLOWED = (".gif", ".svg"), (".png",), (".txt", ".ansi"), (".gif", ".png")
SUFFIXES = (*TEXTS, *STILLS, *FILMS)
USUAL_FRAMES, MOST_FRAMES = 150, 1000
MILLISECONDS, HOLD_MILLISECONDS = 100, 1500  # of a picture of a film, and of the last one besides
TEXT_WIDTH = 160  # columns of a text in a file


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is wanted: which ticks of a town, how large, with what on top, where to."""

    out: Path
    first: int | None = None
    every: int | None = None
    scale: int | None = None
    overlay: str = "none"

    @property
    def suffix(self) -> str:
        """Return the format, `-` for text on the terminal."""
        return "-" if self.out == STDOUT else self.out.suffix.lower()

    @property
    def is_film(self) -> bool:
        """Tell whether there is more than one picture; an SVG is a film if somebody says which ticks."""
        some_ticks_named = self.every is not None or self.first is not None
        return self.suffix == ".gif" or (self.suffix == ".svg" and some_ticks_named)


def check(order: Order, stage: Stage) -> Layout:
    """Raise `PictureError` or `RunError` for what cannot be had, before anything is simulated; return the layout."""
    if order.suffix not in (*SUFFIXES, "-"):
        raise PictureError(
            f"--out {printable(str(order.out))} has no suffix that names a format; "
            f"end it with one of {', '.join(SUFFIXES)}, or give - for text on the terminal."
        )
    if order.suffix in PILLOWED:
        raster.demand_pillow()
    if order.suffix != "-":
        check_target(order.out)
    return lay_out(stage, scale=order.scale, overlay=order.overlay)


def ticks_of(order: Order, last: int) -> list[int]:
    """Return the ticks that are shown, the last one always; only that one unless it is a film."""
    first = 1 if order.first is None else order.first
    if not 1 <= first <= last:
        raise PictureError(f"--from is {first}, but must be a tick from 1 to {last}, the last one; change it.")
    if order.every is not None and order.every < 1:
        raise PictureError(f"--every is {order.every}, but must be at least 1 tick; change it.")
    if not order.is_film:
        return [last]
    every = order.every or -(-(last - first + 1) // USUAL_FRAMES)
    shown = sorted(range(last, first - 1, -every))
    if len(shown) > MOST_FRAMES:
        raise PictureError(
            f"A film of {len(shown):,} pictures was asked for, but the most are {MOST_FRAMES:,}; "
            "show fewer with --every, or a shorter stretch."
        )
    return shown


def write(order: Order, stage: Stage, layout: Layout, frames: Iterable[Frame]) -> int:
    """Draw the frames and put the file in place; returns the number of pictures."""
    about = f"townlet_jax: {stage.title}"
    if order.suffix == "-":
        frame = _last(frames)
        console = Console(file=sys.stdout)
        console.print(text_map.picture(stage, frame, width=console.width, overlay=order.overlay))
        return 1
    with replacing(order.out) as file:
        match order.suffix:
            case ".gif":
                return gif.write(file, stage, layout, frames, milliseconds=MILLISECONDS, hold=HOLD_MILLISECONDS)
            case ".png":
                raster.write_png(file, stage, layout, _last(frames), about)
            case ".svg" if order.is_film:
                shown = list(frames)
                film = vector.film(stage, layout, shown, about, milliseconds=MILLISECONDS, hold=HOLD_MILLISECONDS)
                file.write(film.encode())
                return len(shown)
            case ".svg":
                file.write(vector.still(stage, layout, _last(frames), about).encode())
            case _:
                text = as_text(stage, _last(frames), overlay=order.overlay, coloured=order.suffix == ".ansi")
                file.write(text.encode())
    return 1


def as_text(stage: Stage, frame: Frame, *, overlay: str = "none", coloured: bool) -> str:
    """Return a picture in characters, with ANSI colours or without; lines end without blanks."""
    console = Console(
        file=io.StringIO(),
        width=TEXT_WIDTH,
        force_terminal=coloured,
        color_system="truecolor" if coloured else None,
    )
    with console.capture() as captured:
        console.print(text_map.picture(stage, frame, width=TEXT_WIDTH, overlay=overlay))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _last(frames: Iterable[Frame]) -> Frame:
    *_, frame = frames
    return frame
