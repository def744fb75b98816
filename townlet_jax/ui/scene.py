"""A town at a moment as shapes: the one description that every graphical back end draws.

Owns the order of layers: what never changes, the dark of the night over the map, and what changes from tick to tick.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from townlet_jax.core.enums import NOBODY
from townlet_jax.ui import ground, icons, panel, signs
from townlet_jax.ui.layout import Layout
from townlet_jax.ui.shapes import Box, Disc, Line, Point, Shape, Words, placed
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame, View

SHADES = len(signs.SKIES) - 1  # steps from day to night
WEAKEST_TIE, MOST_TIES = 0.05, 200
ICON_TILE = 9  # pixels of a tile from which on people carry a sign


def still(stage: Stage, layout: Layout) -> list[Shape]:
    """Return what is the same in all pictures of a film."""
    return [
        Box(0, 0, layout.width, layout.height, signs.PAPER),
        *ground.ground(stage, layout),
        *ground.objects(stage, layout),
        *ground.marks(stage, layout),
        *panel.still(stage, layout),
    ]


def shade_of(stage: Stage, frame: Frame) -> int:
    """Return how dark it is, from 0 to `SHADES`."""
    tick = int(frame.view.tick) % stage.ticks_per_day
    return round(stage.darkness(tick / stage.ticks_per_day) * SHADES)


def night(stage: Stage, layout: Layout, shade: int) -> list[Shape]:
    """Return the dark over the map, the sky behind the clock, and the captions, which stay readable."""
    sky = Box(0, 0, layout.width, layout.top - layout.left, signs.SKIES[shade])
    captions = ground.captions(stage, layout, at_night=shade > SHADES // 2)
    if not shade:
        return [sky, *captions]
    dark = signs.NIGHT_OPACITY * shade / SHADES
    map_box = Box(layout.left, layout.top, layout.map_width, layout.map_height, signs.NIGHT, opacity=dark)
    return [sky, map_box, *captions]


def moving(stage: Stage, layout: Layout, frame: Frame) -> list[Shape]:
    """Return what changes: events, queues, ties, people, clock, side panel."""
    places = spots(layout, frame.view)
    return [
        *_closed(stage, layout, frame.view),
        *(_ties(frame.view, places) if layout.overlay == "ties" else ()),
        *_trails(layout, frame, places),
        *_queues(stage, layout, frame.view, places),
        *_people(stage, layout, frame.view, places),
        *panel.head(stage, layout, frame.view, shade_of(stage, frame)),
        *panel.people(stage, layout, frame.view),
    ]


def spots(layout: Layout, view: View) -> dict[int, Point]:
    """Return the middle of each living agent's disc; those on one tile stand in a ring."""
    crowd: dict[tuple[int, int], list[int]] = {}
    for slot in np.flatnonzero(view.people.alive).tolist():
        x, y = (int(part) for part in view.people.position[slot])
        crowd.setdefault((x, y), []).append(slot)
    found: dict[int, Point] = {}
    for tile, slots in crowd.items():
        middle_x, middle_y = layout.centre(*tile)
        reach = 0.0 if len(slots) == 1 else layout.tile * min(1.5, 0.5 / math.sin(math.pi / len(slots)))
        for turn, slot in enumerate(slots):
            angle = 2 * math.pi * turn / len(slots) - math.pi
            found[slot] = (middle_x + reach * math.cos(angle), middle_y + reach * math.sin(angle))
    return dict(sorted(found.items()))


def radius(layout: Layout) -> float:
    """Return the size of an agent's disc."""
    return max(3.5, layout.tile * 0.56)


def _people(stage: Stage, layout: Layout, view: View, places: dict[int, Point]) -> Iterator[Shape]:
    size = radius(layout)
    for slot, (x, y) in places.items():
        colour = signs.level_colour(float(np.min(view.people.level[slot])))
        yield Disc(x, y, size, colour, signs.INK, max(1.0, size * 0.16))
        if layout.tile >= ICON_TILE:
            letters = "#ffffff" if signs.is_dark(colour) else signs.INK
            yield Words(x, y + size * 0.46, signs.mark(slot), size * 1.3, letters, "middle", bold=True)
    if layout.tile >= ICON_TILE:
        for slot, (x, y) in places.items():
            tile_x, tile_y = layout.centre(*(int(part) for part in view.people.position[slot]))
            aside = math.hypot(x - tile_x, y - tile_y)
            out = ((x - tile_x) / aside, (y - tile_y) / aside) if aside else (0.74, 0.69)
            yield from _carried(stage.sign(view, slot), x + 1.15 * size * out[0], y + 1.15 * size * out[1], size)
    talkers = _talkers(view)
    for slot, (x, y) in places.items():
        if slot in talkers:
            icon = icons.CHAT if talkers[slot] else icons.FAILED_CHAT
            yield from placed(icon, x - size * 0.2, y - size * 2.7, size * 1.9)
        if view.doing.quarrelled[slot]:
            yield from placed(icons.QUARREL, x - size * 1.9, y - size * 1.5, size * 1.2)


def _carried(sign: str, x: float, y: float, size: float) -> Iterator[Shape]:
    """Yield the small sign at a disc's edge that says what somebody does."""
    if sign not in ("idle", "away", "walk"):
        side = size * 1.25
        yield Disc(x, y, side * 0.58, "#ffffff", signs.INK, max(0.7, side * 0.06))
        yield from placed(icons.DOING[sign][1], x - side * 0.4, y - side * 0.4, side * 0.8)


def _talkers(view: View) -> dict[int, bool]:
    """Return who took part in a chat and whether it went well."""
    found: dict[int, bool] = {}
    for slot in np.flatnonzero(np.asarray(view.doing.spoke_to) != NOBODY):
        well = bool(view.doing.spoke_well[slot])
        for one in (int(slot), int(view.doing.spoke_to[slot])):
            if view.people.alive[one]:
                found[one] = found.get(one, False) or well
    return found


def _trails(layout: Layout, frame: Frame, places: dict[int, Point]) -> Iterator[Shape]:
    """Yield the way everybody came since the picture before; nobody jumps."""
    for slot in places:
        way = [tuple(int(part) for part in position) for position in frame.trail[:, slot]]
        corners = [place for i, place in enumerate(way) if i == 0 or place != way[i - 1]]
        steps = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in itertools.pairwise(corners)]
        if steps and max(steps) == 1:
            points = tuple(layout.centre(x, y) for x, y in corners)
            yield Line(points, "#ffffff", max(1.5, layout.tile * 0.22), opacity=0.75)


def _queues(stage: Stage, layout: Layout, view: View, places: dict[int, Point]) -> Iterator[Shape]:
    """Yield a frame around each held object, and from everybody who waits a line to the object with their number."""
    edge = max(1.5, layout.tile * 0.13)
    for slot in places:
        held = int(view.doing.holding[slot])
        if held != NOBODY:
            _, x, y = stage.objects[held]
            left, top = layout.tile_at(x, y)
            yield from placed(icons.HELD, left, top, layout.tile)
    for slot, spot in places.items():
        awaited = int(view.doing.waiting[slot])
        if awaited != NOBODY:
            _, x, y = stage.objects[awaited]
            yield Line((spot, layout.centre(x, y)), signs.BAD, edge * 0.8, dashed=True)
    for row, length in _lengths(view).items():
        _, x, y = stage.objects[row]
        left, top = layout.tile_at(x, y)
        size = layout.tile * 0.36
        yield Disc(left, top, size, signs.BAD, "#ffffff", edge * 0.5)
        if layout.tile >= ICON_TILE:
            yield Words(left, top + size * 0.5, str(length), size * 1.45, "#ffffff", "middle", bold=True)


def _lengths(view: View) -> dict[int, int]:
    rows, amounts = np.unique(np.asarray(view.doing.waiting), return_counts=True)
    return {int(row): int(amount) for row, amount in zip(rows, amounts, strict=True) if row != NOBODY}


def _closed(stage: Stage, layout: Layout, view: View) -> Iterator[Shape]:
    for row in stage.closed(view):
        _, x, y = stage.objects[row]
        yield from placed(icons.CLOSED, *layout.tile_at(x, y), layout.tile)


class Tie(NamedTuple):
    """A tie between two living agents."""

    strength: float
    is_rival: bool
    one: int
    other: int


def strongest_ties(view: View) -> list[Tie]:
    """Return the ties worth showing, strongest first: the mean warmth, and the worse of the two rivalries."""
    alive, warmth, rivalry = (np.asarray(part) for part in (view.people.alive, view.bonds.warmth, view.bonds.rivalry))
    both = np.triu(alive[:, None] & alive[None, :], 1)
    found = []
    for is_rival, strength in ((False, (warmth + warmth.T) / 2), (True, np.maximum(rivalry, rivalry.T))):
        for one, other in np.argwhere(both & (strength >= WEAKEST_TIE)):
            found.append(Tie(float(strength[one, other]), is_rival, int(one), int(other)))
    return sorted(found, reverse=True)[:MOST_TIES]


def _ties(view: View, places: dict[int, Point]) -> Iterator[Shape]:
    """Yield friendship in one colour, rivalry dashed in another, the stronger the wider; the strongest lie on top."""
    for tie in reversed(strongest_ties(view)):
        (x1, y1), (x2, y2) = places[tie.one], places[tie.other]
        aside = 2.5 if tie.is_rival else 0.0  # both ties of a pair are seen
        line = ((x1, y1 + aside), (x2, y2 + aside))
        width = 1.2 + 5.0 * tie.strength
        yield Line(line, "#ffffff", width + 1.6, opacity=0.6)
        yield Line(line, signs.RIVALS if tie.is_rival else signs.FRIENDS, width, dashed=tie.is_rival)
