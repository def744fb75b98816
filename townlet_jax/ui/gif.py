"""A film as an animated GIF, by Pillow.

One palette serves all pictures. Of each picture the file holds only the rectangle that changed, with the unchanged
pixels in it left out, which is what makes a film of a town small.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from townlet_jax.ui import icons, scene, signs
from townlet_jax.ui.layout import Layout
from townlet_jax.ui.raster import SMOOTHING, Easel, draw, rgb
from townlet_jax.ui.shapes import Box, Shape
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame

UNCHANGED = 255  # the entry that means "as before"; those below it are colours
LEVELS = 64  # shades a channel that are told apart
Pixels = npt.NDArray[np.uint8]


def write(
    file: IO[bytes], stage: Stage, layout: Layout, frames: Iterable[Frame], *, milliseconds: int, hold: int
) -> int:
    """Write a film that repeats for ever and shows its last picture longer; returns the number of pictures."""
    easel = Easel(stage, layout)
    nearest: Pixels | None = None
    before: Pixels | None = None
    count = 0
    for frame, is_last in _marked(frames):
        if nearest is None:
            palette = choose_palette(easel, layout, stage, frame)
            nearest = nearest_entries(palette)
            file.write(_head(layout, palette))
        fine = np.asarray(easel.picture(frame)) // (256 // LEVELS)
        index = nearest[fine[..., 0], fine[..., 1], fine[..., 2]]
        file.write(_picture(index, before, milliseconds + (hold if is_last else 0)))
        before, count = index, count + 1
    file.write(b";")
    return count


def _marked(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Yield every frame and whether it is the last one."""
    waiting: Frame | None = None
    for frame in frames:
        if waiting is not None:
            yield waiting, False
        waiting = frame
    if waiting is not None:
        yield waiting, True


def choose_palette(easel: Easel, layout: Layout, stage: Stage, frame: Frame) -> Pixels:
    """Return the colours [UNCHANGED, 3] of a film, chosen from one moment at all depths of night."""
    from PIL import Image

    sheet = Image.new("RGB", (layout.width, layout.height * (scene.SHADES + 1)))
    for shade in range(scene.SHADES + 1):
        image = easel.ground(shade).copy()
        draw(image, [*scene.moving(stage, layout, frame), *_swatches(layout)])
        sheet.paste(image.reduce(SMOOTHING), (0, shade * layout.height))
    exact = np.asarray(_exact(), np.uint8)
    room = UNCHANGED - len(exact)
    chosen = np.asarray(sheet.quantize(room, Image.Quantize.MEDIANCUT).getpalette(), np.uint8).reshape(-1, 3)[:room]
    blank = np.zeros((room - len(chosen), 3), np.uint8)
    return np.concatenate([exact, chosen, blank])


@functools.cache
def _exact() -> tuple[tuple[int, int, int], ...]:
    """Return the colours that mean something and so are never approximated."""
    grounds = [*dict.fromkeys(signs.TILES.values()), signs.SECOND_FLOOR]
    words = [signs.PAPER, signs.INK, signs.BAD, signs.FRIENDS, signs.RIVALS, "#ffffff"]
    return tuple(rgb(colour) for colour in (*signs.LEVELS, *signs.SKIES, *grounds, *words))


def _swatches(layout: Layout) -> list[Shape]:
    """Return patches of the colours that may come up later, large enough to be noticed."""
    side = layout.tile
    return [Box(i * side, 0, side, side, colour) for i, (colour, _) in enumerate(icons.EVENTS.values())]


def nearest_entries(palette: Pixels) -> Pixels:
    """Return the entry of the palette nearest to each colour, [LEVELS, LEVELS, LEVELS]; exact colours keep theirs."""
    step = 256 // LEVELS
    axis = np.arange(LEVELS, dtype=np.int32) * step + step // 2
    colours = palette.astype(np.int32)
    found = np.empty((LEVELS, LEVELS, LEVELS), np.uint8)
    for red in range(LEVELS):
        away = (axis[:, None, None] - colours[:, 1]) ** 2 + (axis[None, :, None] - colours[:, 2]) ** 2
        found[red] = (away + (axis[red] - colours[:, 0]) ** 2).argmin(axis=-1)
    for entry, (red, green, blue) in enumerate(_exact()):
        found[red // step, green // step, blue // step] = entry
    return found


def _head(layout: Layout, palette: Pixels) -> bytes:
    """Return the header: size, one palette of 256 colours, "repeat for ever"."""
    table = palette.tobytes().ljust(3 * 256, b"\0")
    screen = struct.pack("<HHBBB", layout.width, layout.height, 0b11110111, 0, 0)
    return b"GIF89a" + screen + table + b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def _picture(index: Pixels, before: Pixels | None, milliseconds: int) -> bytes:
    """Return one picture: the rectangle that changed, its unchanged pixels transparent; one pixel if none did."""
    from PIL import GifImagePlugin, Image

    left, top, content = 0, 0, index
    if before is not None:
        changed = index != before
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 1)
        left, right = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 1)
        content = np.where(changed, index, np.uint8(UNCHANGED))[top:bottom, left:right]
    image = Image.fromarray(np.ascontiguousarray(content), "L")
    image.putpalette(bytes(768))  # makes it an image of indices; the table is the one of the header
    options = {"transparency": UNCHANGED, "duration": milliseconds, "disposal": 1, "include_color_table": False}
    return b"".join(GifImagePlugin.getdata(image, (left, top), **options))
