"""Shapes as SVG: a still, or a film in which every picture is shown in its turn, for ever."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.sax.saxutils import escape

from townlet_jax.ui import scene
from townlet_jax.ui.layout import Layout
from townlet_jax.ui.shapes import Box, Disc, Line, Patch, Shape, Words
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    'font-family="Helvetica, Arial, sans-serif"><style>.c{{shape-rendering:crispEdges}}</style>'
)


def document(parts: Iterable[str], *, width: float, height: float, title: str) -> str:
    """Return a whole SVG file."""
    head = HEAD.format(width=_number(width), height=_number(height))
    return "\n".join((head, f"<title>{escape(title)}</title>", *parts, "</svg>")) + "\n"


def still(stage: Stage, layout: Layout, frame: Frame, about: str) -> str:
    """Return one picture."""
    shapes = [
        *scene.still(stage, layout),
        *scene.night(stage, layout, scene.shade_of(stage, frame)),
        *scene.moving(stage, layout, frame),
    ]
    return document(drawn(shapes), width=layout.width, height=layout.height, title=about)


def film(stage: Stage, layout: Layout, frames: Sequence[Frame], about: str, *, milliseconds: int, hold: int) -> str:
    """Return a film that repeats for ever and shows its last picture longer."""
    length = milliseconds * len(frames) + hold
    starts = [milliseconds * place / length for place in range(len(frames))] + [1.0]
    parts = drawn(scene.still(stage, layout))
    for shade, group in groupby(range(len(frames)), lambda place: scene.shade_of(stage, frames[place])):
        places = list(group)
        parts += _shown(drawn(scene.night(stage, layout, shade)), starts[places[0]], starts[places[-1] + 1], length)
    for place, frame in enumerate(frames):
        parts += _shown(drawn(scene.moving(stage, layout, frame)), starts[place], starts[place + 1], length)
    return document(parts, width=layout.width, height=layout.height, title=about)


def _shown(parts: list[str], start: float, end: float, length: int) -> list[str]:
    """Show a group from one share of the film's length to another."""
    times, values = [0.0], ["hidden"]
    if start == 0.0:
        values = ["visible"]
    else:
        times.append(start)
        values.append("visible")
    if end < 1.0:
        times.append(end)
        values.append("hidden")
    animation = (
        f'<animate attributeName="visibility" calcMode="discrete" dur="{length}ms" repeatCount="indefinite" '
        f'keyTimes="{";".join(f"{time:.6f}".rstrip("0").rstrip(".") for time in times)}" '
        f'values="{";".join(values)}"/>'
    )
    return [f'<g visibility="{"visible" if end == 1.0 else "hidden"}">', animation, *parts, "</g>"]


def drawn(shapes: Iterable[Shape]) -> list[str]:
    """Return the elements of shapes."""
    return [_element(shape) for shape in shapes]


def _element(shape: Shape) -> str:
    match shape:
        case Box():
            inside = shape.thickness / 2 if shape.stroke else 0.0  # the stroke lies within the box
            place = f'x="{_number(shape.x + inside)}" y="{_number(shape.y + inside)}"'
            width, height = max(0.0, shape.width - 2 * inside), max(0.0, shape.height - 2 * inside)
            size = f'width="{_number(width)}" height="{_number(height)}"'
            corner = f' rx="{_number(shape.radius)}"' if shape.radius else ' class="c"'
            return f"<rect {place} {size}{corner}{_paint(shape)}/>"
        case Disc():
            radius = shape.radius - (shape.thickness / 2 if shape.stroke else 0.0)
            return f'<circle cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(radius)}"{_paint(shape)}/>'
        case Line():
            ink = f'stroke="{shape.colour}" stroke-width="{_number(shape.thickness)}"'
            dash = (
                f' stroke-dasharray="{_number(4 * shape.thickness)} {_number(2.8 * shape.thickness)}"'
                if shape.dashed
                else ""
            )
            opacity = f' opacity="{_number(shape.opacity)}"' if shape.opacity < 1 else ""
            return f'<polyline points="{_points(shape.points)}" fill="none" {ink}{dash}{opacity}/>'
        case Patch():
            opacity = f' opacity="{_number(shape.opacity)}"' if shape.opacity < 1 else ""
            return f'<polygon points="{_points(shape.points)}" fill="{shape.fill}"{opacity}/>'
        case Words():
            return _text(shape)


def _text(words: Words) -> str:
    """Return a line of text; halos are left out, because not every viewer paints a stroke under its letters."""
    anchor = f' text-anchor="{words.anchor}"' if words.anchor != "start" else ""
    weight = ' font-weight="bold"' if words.bold else ""
    return (
        f'<text x="{_number(words.x)}" y="{_number(words.y)}" font-size="{_number(words.size)}"{anchor}{weight} '
        f'fill="{words.colour}">{escape(words.text)}</text>'
    )


def _paint(shape: Box | Disc) -> str:
    """Return fill, stroke and opacity."""
    fill = f' fill="{shape.fill or "none"}"'
    stroke = f' stroke="{shape.stroke}" stroke-width="{_number(shape.thickness)}"' if shape.stroke else ""
    opacity = f' opacity="{_number(shape.opacity)}"' if shape.opacity < 1 else ""
    return fill + stroke + opacity


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    """Return a number with at most two digits behind the point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
