"""The one table of icons that all pictures share: shapes of the unit square.

Owns what people do and its words, objects from above, homes, sites, places, events. A type of object that the table
does not know gets a box with its first letter.
"""

import math
from typing import NamedTuple

from townlet_jax.report import printable
from townlet_jax.ui import signs
from townlet_jax.ui.shapes import Box, Disc, Line, Patch, Shape, Words


class Look(NamedTuple):
    """How a type of object is shown."""

    colour: str
    letter: str
    icon: tuple[Shape, ...] = ()


def _stroke(*points: tuple[float, float], thickness: float = 0.12, colour: str = signs.INK) -> Line:
    return Line(points, colour, thickness)


DOING: dict[str, tuple[str, tuple[Shape, ...]]] = {  # what somebody does: word, icon
    "sleep": ("sleeps", (_stroke((0.22, 0.2), (0.78, 0.2), (0.22, 0.8), (0.78, 0.8), thickness=0.14),)),
    "eat": (
        "eats",
        (
            *(_stroke((x, 0.1), (x, 0.4), thickness=0.08) for x in (0.18, 0.32, 0.46)),
            _stroke((0.18, 0.4), (0.46, 0.4), thickness=0.1),
            _stroke((0.32, 0.4), (0.32, 0.92)),
            Patch(((0.66, 0.08), (0.84, 0.2), (0.84, 0.55), (0.66, 0.55)), signs.INK),
            _stroke((0.71, 0.5), (0.71, 0.92)),
        ),
    ),
    "wash": (
        "washes",
        (
            Patch(((0.5, 0.05), (0.73, 0.48), (0.27, 0.48)), "#1f7fc0"),
            Disc(0.5, 0.62, 0.285, "#1f7fc0"),
            Disc(0.41, 0.66, 0.08, "#d8eefb"),
        ),
    ),
    "cook": (
        "cooks",
        (
            Box(0.2, 0.45, 0.6, 0.42, signs.INK, radius=0.08),
            _stroke((0.08, 0.38), (0.92, 0.38), thickness=0.1),
            Disc(0.5, 0.26, 0.08, signs.INK),
        ),
    ),
    "shop": (
        "shops",
        (
            Patch(((0.12, 0.4), (0.88, 0.4), (0.76, 0.92), (0.24, 0.92)), signs.INK),
            _stroke((0.28, 0.4), (0.38, 0.12), (0.62, 0.12), (0.72, 0.4), thickness=0.09),
        ),
    ),
    "rest": ("rests", (Box(0.26, 0.18, 0.16, 0.64, signs.INK), Box(0.58, 0.18, 0.16, 0.64, signs.INK))),
    "use": ("uses", (_stroke((0.5, 0.15), (0.5, 0.85)), _stroke((0.15, 0.5), (0.85, 0.5)))),
    "work": (
        "works",
        (
            Box(0.1, 0.34, 0.8, 0.5, "#7a4a1e", radius=0.08),
            _stroke((0.35, 0.34), (0.35, 0.18), (0.65, 0.18), (0.65, 0.34), thickness=0.09, colour="#7a4a1e"),
            Box(0.44, 0.5, 0.12, 0.14, "#f3d9b0"),
        ),
    ),
    "wait": (
        "waits",
        (
            Patch(((0.22, 0.14), (0.78, 0.14), (0.5, 0.5)), signs.INK),
            Patch(((0.22, 0.86), (0.78, 0.86), (0.5, 0.5)), signs.INK),
            _stroke((0.18, 0.1), (0.82, 0.1), thickness=0.08),
            _stroke((0.18, 0.9), (0.82, 0.9), thickness=0.08),
        ),
    ),
    "hold": ("holds", (Box(0.18, 0.18, 0.64, 0.64, "", signs.INK, 0.13, radius=0.1),)),
    "walk": (
        "walks",
        (_stroke((0.1, 0.5), (0.7, 0.5)), Patch(((0.55, 0.22), (0.92, 0.5), (0.55, 0.78)), signs.INK)),
    ),
    "idle": ("stands", tuple(Disc(x, 0.5, 0.09, signs.FAINT) for x in (0.2, 0.5, 0.8))),
    "away": ("away", (_stroke((0.2, 0.5), (0.8, 0.5), colour=signs.FAINT),)),
}
CHAT: tuple[Shape, ...] = (
    Patch(((0.28, 0.6), (0.56, 0.6), (0.2, 0.98)), signs.INK),
    Box(0.04, 0.08, 0.92, 0.6, "#ffffff", signs.INK, 0.08, radius=0.2),
    *(Disc(x, 0.38, 0.075, signs.INK) for x in (0.28, 0.5, 0.72)),
)
FAILED_CHAT: tuple[Shape, ...] = (
    Patch(((0.28, 0.6), (0.56, 0.6), (0.2, 0.98)), signs.BAD),
    Box(0.04, 0.08, 0.92, 0.6, "#ffffff", signs.BAD, 0.08, radius=0.2),
    _stroke((0.36, 0.24), (0.64, 0.52), colour=signs.BAD),
    _stroke((0.36, 0.52), (0.64, 0.24), colour=signs.BAD),
)
QUARREL: tuple[Shape, ...] = (
    Disc(0.5, 0.5, 0.48, signs.BAD),
    _stroke((0.5, 0.2), (0.5, 0.56), thickness=0.16, colour="#ffffff"),
    Disc(0.5, 0.75, 0.09, "#ffffff"),
)
COIN: tuple[Shape, ...] = (
    Disc(0.5, 0.5, 0.42, "#e8b923", "#8a6a10", 0.1),
    _stroke((0.5, 0.3), (0.5, 0.7), colour="#8a6a10"),
)
SUN: tuple[Shape, ...] = (
    Disc(0.5, 0.5, 0.26, "#f6b21b", "#c47f08", 0.05),
    *(
        _stroke(
            (0.5 + 0.34 * math.cos(turn), 0.5 + 0.34 * math.sin(turn)),
            (0.5 + 0.48 * math.cos(turn), 0.5 + 0.48 * math.sin(turn)),
            thickness=0.07,
            colour="#c47f08",
        )
        for turn in (i * math.pi / 4 for i in range(8))
    ),
)
BADGES: dict[str, tuple[str, tuple[Shape, ...]]] = {  # marks on the map: colour, icon in white
    "home": (
        signs.HOME,
        (
            Patch(((0.5, 0.18), (0.86, 0.5), (0.14, 0.5)), "#ffffff"),
            Box(0.26, 0.48, 0.48, 0.32, "#ffffff"),
        ),
    ),
    "site": (
        signs.SITE,
        (
            Box(0.22, 0.4, 0.56, 0.36, "#ffffff", radius=0.05),
            _stroke((0.38, 0.42), (0.38, 0.27), (0.62, 0.27), (0.62, 0.42), thickness=0.08, colour="#ffffff"),
        ),
    ),
    "place": (
        signs.PLACE,
        (
            _stroke((0.34, 0.2), (0.34, 0.84), thickness=0.09, colour="#ffffff"),
            Patch(((0.36, 0.2), (0.8, 0.36), (0.36, 0.54)), "#ffffff"),
        ),
    ),
}
OBJECTS = {  # by type; icons are seen from above, on a rounded box of the colour
    "bed": Look(
        "#6d83c4",
        "b",
        (
            Box(0.16, 0.08, 0.68, 0.84, "#fdfdf8", radius=0.08),
            Box(0.26, 0.13, 0.48, 0.2, "#d9dde8", radius=0.06),
            Box(0.16, 0.4, 0.68, 0.52, "#6d83c4", radius=0.08),
        ),
    ),
    "fridge": Look(
        "#5aa9a3",
        "f",
        (
            Box(0.16, 0.06, 0.68, 0.88, "#f4f8f8", "#5aa9a3", 0.07, radius=0.08),
            _stroke((0.16, 0.4), (0.84, 0.4), thickness=0.07, colour="#5aa9a3"),
            _stroke((0.7, 0.16), (0.7, 0.3), (0.7, 0.3), colour="#5aa9a3"),
            _stroke((0.7, 0.5), (0.7, 0.72), colour="#5aa9a3"),
        ),
    ),
    "stove": Look(
        "#d1605a",
        "s",
        (
            Box(0.08, 0.08, 0.84, 0.84, "#4a4644", radius=0.08),
            *(Disc(x, y, 0.14, "#d1605a") for x in (0.31, 0.69) for y in (0.31, 0.69)),
        ),
    ),
    "sink": Look(
        "#7fa6cf",
        "k",
        (
            Box(0.08, 0.14, 0.84, 0.72, "#dfe6ec", "#7b8a99", 0.06, radius=0.1),
            Disc(0.5, 0.54, 0.24, "#7fb8e6"),
            _stroke((0.5, 0.14), (0.5, 0.44), colour="#7b8a99"),
        ),
    ),
    "shower": Look(
        "#4b9cd3",
        "w",
        (
            Box(0.06, 0.06, 0.88, 0.88, "#d3ebf8", "#4b9cd3", 0.06, radius=0.1),
            _stroke((0.24, 0.24), (0.76, 0.24), thickness=0.14, colour="#4b6a80"),
            *(
                _stroke((x, y), (x, y + 0.14), thickness=0.08, colour="#2a86c8")
                for x, y in ((0.28, 0.42), (0.5, 0.42), (0.72, 0.42), (0.39, 0.66), (0.61, 0.66))
            ),
        ),
    ),
    "cafe_counter": Look(
        "#b3773f",
        "c",
        (
            Box(0.0, 0.1, 1.0, 0.8, "#b3773f", "#7d4f24", 0.06),
            Box(0.24, 0.28, 0.4, 0.42, "#fffaf0", radius=0.1),
            _stroke((0.64, 0.36), (0.8, 0.36), (0.8, 0.54), (0.64, 0.54), thickness=0.08, colour="#fffaf0"),
        ),
    ),
    "till": Look(
        "#8d6ab8",
        "g",
        (
            Box(0.08, 0.08, 0.84, 0.84, "#8d6ab8", radius=0.1),
            Box(0.22, 0.2, 0.56, 0.22, "#d9f2d0"),
            *(Box(x, y, 0.13, 0.1, "#ffffff") for x in (0.22, 0.435, 0.65) for y in (0.52, 0.7)),
        ),
    ),
    "desk": Look(
        "#a08c6a",
        "d",
        (
            Box(0.02, 0.18, 0.96, 0.64, "#a8844f", "#6e5430", 0.06, radius=0.06),
            Box(0.3, 0.26, 0.4, 0.26, "#33414f"),
            Box(0.34, 0.6, 0.32, 0.1, "#f4f1e6"),
        ),
    ),
    "bench": Look(
        "#9a7b4f",
        "p",
        tuple(Box(0.04, y, 0.92, 0.16, "#9a6b35", "#6b4a22", 0.04) for y in (0.22, 0.42, 0.62)),
    ),
}
EVENTS: dict[str, tuple[str, tuple[Shape, ...]]] = {  # by kind of perturbation: colour, icon in white
    "price_spike": (
        "#8a5a00",
        (
            _stroke((0.12, 0.8), (0.42, 0.5), (0.58, 0.64), (0.84, 0.26), thickness=0.13, colour="#ffffff"),
            Patch(((0.6, 0.16), (0.95, 0.1), (0.9, 0.46)), "#ffffff"),
        ),
    ),
    "blackout": (
        "#3a3a3a",
        (Patch(((0.56, 0.04), (0.2, 0.58), (0.46, 0.58), (0.38, 0.96), (0.78, 0.4), (0.52, 0.4)), "#ffd84d"),),
    ),
    "outage": (
        "#1f5f8f",
        (
            Patch(((0.5, 0.08), (0.71, 0.48), (0.29, 0.48)), "#ffffff"),
            Disc(0.5, 0.6, 0.26, "#ffffff"),
            _stroke((0.1, 0.1), (0.9, 0.9), colour="#ff6a5e"),
        ),
    ),
    "arranged_meet": (
        "#6a3d9a",
        (
            *(Disc(x, 0.34, 0.17, "#ffffff") for x in (0.3, 0.7)),
            *(
                Patch(((x - 0.24, 0.86), (x - 0.16, 0.56), (x + 0.16, 0.56), (x + 0.24, 0.86)), "#ffffff")
                for x in (0.3, 0.7)
            ),
        ),
    ),
    "queue_bottleneck": (
        signs.BAD,
        (Box(0.12, 0.4, 0.76, 0.2, "#ffffff"),),
    ),
}
HELD: tuple[Shape, ...] = (  # around an object
    Box(-0.12, -0.12, 1.24, 1.24, "", signs.INK, 0.2, radius=0.22),
    Box(-0.08, -0.08, 1.16, 1.16, "", "#ffb400", 0.12, radius=0.18),
)
CLOSED: tuple[Shape, ...] = (
    Disc(0.5, 0.5, 0.46, signs.BAD, "#ffffff", 0.08),
    Box(0.2, 0.42, 0.6, 0.16, "#ffffff"),
)


def look(object_type: str) -> Look:
    """Return how a type of object is shown, by its letter if the table does not know it."""
    known = OBJECTS.get(object_type)
    return known or Look(signs.OTHER_OBJECT, printable(object_type)[:1] or "?")


def object_icon(object_type: str) -> tuple[Shape, ...]:
    """Return the picture of a type of object."""
    return look(object_type).icon or lettered(object_type)


def lettered(object_type: str) -> tuple[Shape, ...]:
    """Return a box with the letter that the type has in text maps."""
    colour, letter, _ = look(object_type)
    return (
        Box(0.06, 0.06, 0.88, 0.88, colour, signs.INK, 0.04, radius=0.19),
        Words(0.5, 0.74, letter, 0.68, "#ffffff", "middle", bold=True),
    )


def moon(sky: str) -> tuple[Shape, ...]:
    """Return a crescent before a sky of that colour."""
    return (Disc(0.46, 0.5, 0.4, "#f4ecc4"), Disc(0.64, 0.4, 0.34, sky))


def badge(kind: str) -> tuple[Shape, ...]:
    """Return the round mark of a home, a work site or a place."""
    colour, icon = BADGES[kind]
    return (Disc(0.5, 0.5, 0.5, colour, signs.INK, 0.05), *icon)


def tree() -> tuple[Shape, ...]:
    """Return a tree from above."""
    return (Disc(0.5, 0.5, 0.42, "#5f9a4a"), Disc(0.38, 0.38, 0.17, "#7db564"))


def furniture(thing: str) -> tuple[Shape, ...]:
    """Return a table or a shelf from above."""
    if thing == "table":
        return (Disc(0.5, 0.5, 0.36, "#b98d5b", "#8a653c", 0.06),)
    return (Box(0.12, 0.06, 0.76, 0.88, "#a9815a", "#8a653c", 0.06),)
