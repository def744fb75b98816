"""What pictures are made of: flat shapes in pixels, y grows downwards. Every back end draws all of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
CHARACTER_WIDTH = 0.54  # of the size; what a letter takes on average


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `x`, `y` is its upper left corner."""

    x: float
    y: float
    width: float
    height: float
    fill: str  # #rrggbb, empty = none
    stroke: str = ""
    thickness: float = 1.0
    radius: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Disc:
    """A circle."""

    x: float
    y: float
    radius: float
    fill: str
    stroke: str = ""
    thickness: float = 1.0
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """Straight pieces from point to point; dashes are about four thicknesses long."""

    points: tuple[Point, ...]
    colour: str
    thickness: float = 1.0
    opacity: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """A filled polygon."""

    points: tuple[Point, ...]
    fill: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; `y` is its baseline, `halo` the colour of a rim that lifts it off the ground."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: Anchor = "start"
    bold: bool = False
    halo: str = ""


Shape = Box | Disc | Line | Patch | Words


def placed(shapes: Iterable[Shape], x: float, y: float, side: float = 1.0) -> list[Shape]:
    """Move shapes of the unit square to (x, y), `side` pixels large."""
    return [_placed(shape, x, y, side) for shape in shapes]


def _placed(shape: Shape, x: float, y: float, side: float) -> Shape:
    match shape:
        case Line(points=points, thickness=thickness):
            return replace(shape, points=_moved(points, x, y, side), thickness=thickness * side)
        case Patch(points=points):
            return replace(shape, points=_moved(points, x, y, side))
        case Words():
            return replace(shape, x=x + shape.x * side, y=y + shape.y * side, size=shape.size * side)
        case Disc():
            return replace(
                shape,
                x=x + shape.x * side,
                y=y + shape.y * side,
                radius=shape.radius * side,
                thickness=shape.thickness * side,
            )
        case Box():
            return replace(
                shape,
                x=x + shape.x * side,
                y=y + shape.y * side,
                width=shape.width * side,
                height=shape.height * side,
                radius=shape.radius * side,
                thickness=shape.thickness * side,
            )


def _moved(points: tuple[Point, ...], x: float, y: float, side: float) -> tuple[Point, ...]:
    return tuple((x + px * side, y + py * side) for px, py in points)


def shortened(text: str, size: float, width: float) -> str:
    """Return the text, cut with an ellipsis if it would be wider than `width` pixels."""
    most = max(1, int(width / (size * CHARACTER_WIDTH)))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
