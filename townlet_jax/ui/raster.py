"""Shapes as pixels, by Pillow (extra `plots`), which is imported when it is first needed; still pictures as PNG.

Everything is drawn twice as large and halved, which smooths every edge.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from townlet_jax.ui import scene, signs
from townlet_jax.ui.layout import Layout, PictureError
from townlet_jax.ui.shapes import Box, Disc, Line, Patch, Point, Shape, Words
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

SMOOTHING = 2  # pixels drawn for each pixel of the picture, along one side
MISSING = "Pictures as png and gif need Pillow, which is not installed: pip install 'townlet_jax[plots]'."


def demand_pillow() -> None:
    """Raise `PictureError` if there is no Pillow."""
    try:
        import PIL.Image  # noqa: F401  # only asked for
    except ImportError:
        raise PictureError(MISSING) from None


class Easel:
    """Draws the pictures of a film; what does not change is drawn once for each depth of night."""

    def __init__(self, stage: Stage, layout: Layout) -> None:
        self._stage = stage
        self._layout = layout
        self._grounds: dict[int, Image.Image] = {}

    def picture(self, frame: Frame) -> Image.Image:
        """Return the picture of a moment."""
        image = self.ground(scene.shade_of(self._stage, frame)).copy()
        draw(image, scene.moving(self._stage, self._layout, frame))
        return image.reduce(SMOOTHING)

    def ground(self, shade: int) -> Image.Image:
        """Return what does not change, at one depth of night, `SMOOTHING` times as large as the picture."""
        from PIL import Image

        if shade not in self._grounds:
            size = (self._layout.width * SMOOTHING, self._layout.height * SMOOTHING)
            image = Image.new("RGB", size, signs.PAPER)
            draw(image, [*scene.still(self._stage, self._layout), *scene.night(self._stage, self._layout, shade)])
            self._grounds[shade] = image
        return self._grounds[shade]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of `#rrggbb`, 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def draw(image: Image.Image, shapes: Iterable[Shape]) -> None:
    """Draw shapes onto an image that is `SMOOTHING` times as large as their pixels."""
    from PIL import ImageDraw

    pen = ImageDraw.Draw(image, "RGBA")
    for shape in shapes:
        match shape:
            case Box():
                _box(pen, shape)
            case Disc():
                _disc(pen, shape)
            case Line():
                _line(pen, shape)
            case Patch():
                pen.polygon([_scaled(point) for point in shape.points], fill=_ink(shape.fill, shape.opacity))
            case Words():
                _words(pen, shape)


def _scaled(point: Point) -> Point:
    return point[0] * SMOOTHING, point[1] * SMOOTHING


def _ink(colour: str, opacity: float) -> tuple[int, int, int, int] | None:
    return (*rgb(colour), round(255 * opacity)) if colour else None


def _width(thickness: float) -> int:
    return max(1, round(thickness * SMOOTHING))


def _box(pen: ImageDraw.ImageDraw, box: Box) -> None:
    left, top = (round(value) for value in _scaled((box.x, box.y)))
    right, bottom = (round(value) - 1 for value in _scaled((box.x + box.width, box.y + box.height)))
    if right < left or bottom < top:
        return
    fill, stroke = _ink(box.fill, box.opacity), _ink(box.stroke, box.opacity)
    width = _width(box.thickness) if stroke else 0
    if box.radius:
        pen.rounded_rectangle((left, top, right, bottom), box.radius * SMOOTHING, fill, stroke, width)
    else:
        pen.rectangle((left, top, right, bottom), fill, stroke, width)


def _disc(pen: ImageDraw.ImageDraw, disc: Disc) -> None:
    x, y = _scaled((disc.x, disc.y))
    reach = disc.radius * SMOOTHING
    stroke = _ink(disc.stroke, disc.opacity)
    width = _width(disc.thickness) if stroke else 0
    pen.ellipse((x - reach, y - reach, x + reach, y + reach), _ink(disc.fill, disc.opacity), stroke, width)


def _line(pen: ImageDraw.ImageDraw, line: Line) -> None:
    width, ink = _width(line.thickness), _ink(line.colour, line.opacity)
    points = [_scaled(point) for point in line.points]
    for piece in _dashes(points, 4 * width) if line.dashed else [points]:
        pen.line(piece, ink, width, joint="curve")


def _dashes(points: Sequence[Point], length: float) -> Iterator[list[Point]]:
    """Yield the dashes of a line of one piece, gaps a little shorter than dashes."""
    (x1, y1), (x2, y2) = points[0], points[-1]
    whole = float(np.hypot(x2 - x1, y2 - y1))
    at = 0.0
    while at < whole:
        ends = [share / whole for share in (at, min(at + length, whole))]
        yield [(x1 + share * (x2 - x1), y1 + share * (y2 - y1)) for share in ends]
        at += 1.7 * length


def _words(pen: ImageDraw.ImageDraw, words: Words) -> None:
    font = _font(round(words.size * SMOOTHING * 2) / 2)
    x, y = _scaled((words.x, words.y))
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[words.anchor]
    if words.halo:
        pen.text((x, y), words.text, words.halo, font, anchor, stroke_width=SMOOTHING + 1, stroke_fill=words.halo)
    pen.text((x, y), words.text, words.colour, font, anchor)
    if words.bold:  # the font that Pillow carries has one weight only
        pen.text((x + max(1.0, words.size * SMOOTHING / 24), y), words.text, words.colour, font, anchor)


@functools.lru_cache(maxsize=64)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def write_png(file: IO[bytes], stage: Stage, layout: Layout, frame: Frame, about: str) -> None:
    """Write one picture, with a text that says what it shows."""
    from PIL.PngImagePlugin import PngInfo

    note = PngInfo()
    note.add_text("Description", about)
    Easel(stage, layout).picture(frame).save(file, "PNG", optimize=True, pnginfo=note)
