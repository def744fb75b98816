"""The words around the map as shapes: clock and events above, people and legend on the right."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from townlet_jax.core.enums import Need
from townlet_jax.ui import icons, signs
from townlet_jax.ui.layout import MOST_ROW, ROW, SHORT_ROW, Layout
from townlet_jax.ui.shapes import CHARACTER_WIDTH, Box, Disc, Line, Shape, Words, placed, shortened
from townlet_jax.ui.stage import Stage, in_words
from townlet_jax.ui.view import View

NEED_SIGNS = {Need.HUNGER: "eat", Need.HYGIENE: "wash", Need.ENERGY: "sleep"}
MOST_THINGS = 15  # in the legend: types of objects and the three kinds of places


def still(stage: Stage, layout: Layout) -> list[Shape]:
    """Return the panel's ground and the legend."""
    left, top, unit = layout.panel_left, layout.legend_top, layout.unit
    return [
        Line(((left, top), (left + layout.panel_width, top)), signs.RULE, unit),
        *_legend(stage, layout, top),
    ]


def head(stage: Stage, layout: Layout, view: View, shade: int) -> Iterator[Shape]:
    """Yield sun or moon, clock, the day as a bar, and the events of the town."""
    unit, middle = layout.unit, (layout.top - layout.left) / 2
    sky = signs.SKIES[shade]
    ink = "#ffffff" if signs.is_dark(sky) else signs.INK
    tick = int(view.tick)
    side = 30 * unit
    icon = icons.SUN if shade < 3 else icons.moon(sky)
    yield from placed(icon, layout.left, middle - side / 2, side)
    day, time = stage.clock(tick).rsplit(" ", 1)
    x = layout.left + 38 * unit
    yield Words(x, middle + 9 * unit, time, 25 * unit, ink, bold=True)
    yield Words(x + 84 * unit, middle - 3 * unit, day, 13 * unit, ink)
    yield Words(x + 84 * unit, middle + 12 * unit, f"tick {tick:,}", 11 * unit, ink)
    yield Words(layout.width - layout.left, middle + 5 * unit, stage.title, 13 * unit, ink, "end")
    yield from _weather(stage, layout, view, x + 166 * unit, ink)


def _weather(stage: Stage, layout: Layout, view: View, left: float, ink: str) -> Iterator[Shape]:
    """Yield a chip an event, as many as fit."""
    unit, middle = layout.unit, (layout.top - layout.left) / 2
    size, height = 12.5 * unit, 26 * unit
    weather = stage.weather(view)
    if not weather:
        yield Words(left, middle + size * 0.36, "no special events", size, ink)
    right = layout.width - layout.left - (len(stage.title) + 4) * 13 * unit * CHARACTER_WIDTH
    for place, (kind, words) in enumerate(weather):
        colour, icon = icons.EVENTS[kind]
        room = (right - left) / (len(weather) - place) - 46 * unit
        text = shortened(words, size, max(room, 3 * size))
        width = 42 * unit + len(text) * size * 0.52
        if left + width > right:
            return
        yield Box(left, middle - height / 2, width, height, colour, "#ffffff", unit, radius=height / 2)
        yield from placed(icon, left + 9 * unit, middle - 9 * unit, 18 * unit)
        yield Words(left + 31 * unit, middle + size * 0.36, text, size, "#ffffff", bold=True)
        left += width + 8 * unit


def people(stage: Stage, layout: Layout, view: View) -> Iterator[Shape]:
    """Yield an entry an agent: disc, name, what it does, needs, coins; of many only the living, in short."""
    unit, slots = layout.unit, list(range(len(stage.names.agents)))
    if len(slots) * ROW * unit <= layout.people_height:
        height = min(MOST_ROW * unit, layout.people_height / len(slots))
        for slot in slots:
            yield from _entry(stage, layout, view, slot, layout.top + slot * height)
        return
    height = SHORT_ROW * unit
    living = [slot for slot in slots if view.people.alive[slot]]
    fitting = int(layout.people_height / height) - 1
    for place, slot in enumerate(living[:fitting]):
        yield from _short_entry(stage, layout, view, slot, layout.top + place * height)
    more, away = max(0, len(living) - fitting), len(slots) - len(living)
    words = ", ".join(f"{amount} {what}" for amount, what in ((more, "more"), (away, "away")) if amount)
    top = layout.top + min(fitting, len(living)) * height
    yield Words(layout.panel_left + 30 * unit, top + 15 * unit, words, 12 * unit, signs.FAINT)


def _entry(stage: Stage, layout: Layout, view: View, slot: int, top: float) -> Iterator[Shape]:
    unit, left = layout.unit, layout.panel_left
    alive = bool(view.people.alive[slot])
    yield from _name(stage, layout, view, slot, top + 20 * unit, 11 * unit)
    sign = stage.sign(view, slot)
    words = shortened(stage.occupation(view, slot), 12 * unit, layout.panel_width - 166 * unit)
    yield from placed(icons.DOING[sign][1], left + 92 * unit, top + 3 * unit, 15 * unit)
    yield Words(left + 113 * unit, top + 15 * unit, words, 12 * unit, signs.INK if alive else signs.FAINT)
    if not alive:
        return
    yield from _coins(view, slot, left + layout.panel_width, top + 15 * unit, unit)
    width = (layout.panel_width - 30 * unit) / len(Need)
    for need in Need:
        x = left + 30 * unit + need * width
        yield from placed(icons.DOING[NEED_SIGNS[need]][1], x, top + 24 * unit, 11 * unit)
        level = float(view.people.level[slot, need])
        yield from _bar(x + 15 * unit, top + 24 * unit, width - 50 * unit, 11 * unit, level)
        number = f"{100 * level:.0f}%"
        yield Words(x + width - 32 * unit, top + 33.5 * unit, number, 10.5 * unit, signs.INK)


def _short_entry(stage: Stage, layout: Layout, view: View, slot: int, top: float) -> Iterator[Shape]:
    """Yield one line: disc, name, sign, three bars, coins."""
    unit, left = layout.unit, layout.panel_left
    yield from _name(stage, layout, view, slot, top + 11 * unit, 8.5 * unit)
    yield from placed(icons.DOING[stage.sign(view, slot)][1], left + 98 * unit, top + 4 * unit, 14 * unit)
    for need in Need:
        x = left + (120 + 42 * need) * unit
        yield from _bar(x, top + 7 * unit, 36 * unit, 8 * unit, float(view.people.level[slot, need]))
    yield from _coins(view, slot, left + layout.panel_width, top + 15 * unit, unit)


def _name(stage: Stage, layout: Layout, view: View, slot: int, middle: float, radius: float) -> Iterator[Shape]:
    """Yield the disc of an agent and its name; both pale if it is away."""
    unit, left = layout.unit, layout.panel_left
    alive = bool(view.people.alive[slot])
    colour = signs.level_colour(float(np.min(view.people.level[slot]))) if alive else signs.PAPER
    letters = "#ffffff" if signs.is_dark(colour) else signs.INK
    x, ink = left + 12 * unit, signs.INK if alive else signs.FAINT
    yield Disc(x, middle, radius, colour, signs.INK if alive else signs.RULE, 1.5 * unit)
    sign = signs.mark(slot)
    yield Words(x, middle + radius * 0.42, sign, radius * 1.2, letters if alive else ink, "middle", bold=True)
    text = shortened(stage.person(view, slot), 13 * unit, 64 * unit)
    baseline = middle + (4 * unit if radius < 10 * unit else -5 * unit)
    yield Words(left + 30 * unit, baseline, text, 13 * unit, ink, bold=True)


def _coins(view: View, slot: int, right: float, baseline: float, unit: float) -> Iterator[Shape]:
    yield from placed(icons.COIN, right - 13 * unit, baseline - 11 * unit, 13 * unit)
    amount = float(view.people.wallet[slot])
    text = f"{amount:.2f}" if amount < 1000 else f"{amount:,.0f}"
    yield Words(right - 16 * unit, baseline, text, 12 * unit, signs.INK, "end")


def _bar(x: float, y: float, width: float, height: float, level: float) -> Iterator[Shape]:
    """Yield a level as a bar."""
    share = min(1.0, max(0.0, level))
    yield Box(x, y, width, height, "#e9e6dc")
    if share > 0:
        yield Box(x, y, max(1.0, round(width * share)), height, signs.level_colour(level))
    yield Box(x, y, width, height, "", signs.FAINT, 0.8)


def _legend(stage: Stage, layout: Layout, top: float) -> Iterator[Shape]:
    """Yield what the signs mean, in three blocks."""
    unit, left = layout.unit, layout.panel_left
    y = top + 17 * unit
    yield Words(left, y, "Colour of a person: the lowest need", 11.5 * unit, signs.INK, bold=True)
    step = layout.panel_width / len(signs.LEVELS)
    for place, colour in enumerate(signs.LEVELS):
        yield Box(left + place * step, y + 6 * unit, step, 10 * unit, colour)
    for anchor, x, words in (("start", 0.0, "0% empty"), ("middle", 0.5, "50%"), ("end", 1.0, "100% full")):
        at = left + x * layout.panel_width
        yield Words(at, y + 28 * unit, words, 10.5 * unit, signs.INK, anchor)  # type: ignore[arg-type]  # literals above
    y += 46 * unit
    doings = [*_doings(stage), *_talk()]
    yield from _columns(layout, y, 4, doings)
    y += (8 + 20 * math.ceil(len(doings) / 4)) * unit
    badges = _marks(stage)
    things = [(icons.object_icon(name), in_words(name)) for name in _types(stage)][: MOST_THINGS - len(badges)]
    yield from _columns(layout, y, 3, [*things, *badges])
    yield from _lines(layout, layout.height - layout.left - 5 * unit)


def _doings(stage: Stage) -> list[tuple[Sequence[Shape], str]]:
    usual = ["sleep", "eat", "wash", "cook", "shop", "rest", "work", "wait"]
    known = {*stage.uses, "wait", *(("work",) if stage.names.jobs else ())}
    return [(icons.DOING[key][1], key) for key in [*usual, "use"] if key in known]


def _talk() -> list[tuple[Sequence[Shape], str]]:
    return [(icons.CHAT, "chat"), (icons.FAILED_CHAT, "rebuff"), (icons.QUARREL, "quarrel"), (icons.CLOSED, "closed")]


def _types(stage: Stage) -> list[str]:
    """Return the types of which there are objects."""
    used = {object_type for object_type, _, _ in stage.objects}
    return [name for name in stage.names.object_types if name in used]


def _marks(stage: Stage) -> list[tuple[Sequence[Shape], str]]:
    used = {kind for kind, _, _, _ in stage.marks}
    words = {"home": "home", "site": "work site", "place": "place"}
    return [(icons.badge(kind), word) for kind, word in words.items() if kind in used]


def _columns(
    layout: Layout, top: float, columns: int, entries: Sequence[tuple[Sequence[Shape], str]]
) -> Iterator[Shape]:
    unit, width = layout.unit, layout.panel_width / columns
    for place, (icon, words) in enumerate(entries):
        x = layout.panel_left + place % columns * width
        y = top + place // columns * 20 * unit
        yield from placed(icon, x, y, 15 * unit)
        text = shortened(words, 11 * unit, width - 20 * unit)
        yield Words(x + 20 * unit, y + 11.5 * unit, text, 11 * unit, signs.INK)


def _lines(layout: Layout, y: float) -> Iterator[Shape]:
    """Yield what lines and frames mean."""
    unit, left = layout.unit, layout.panel_left
    size = 11 * unit
    yield from placed(icons.HELD, left + 1.5 * unit, y - 9.5 * unit, 12 * unit)
    yield Words(left + 20 * unit, y, "in use", size, signs.INK)
    x = left + 0.25 * layout.panel_width
    yield Line(((x, y - 4 * unit), (x + 18 * unit, y - 4 * unit)), signs.BAD, 1.8 * unit, dashed=True)
    yield Words(x + 23 * unit, y, "waits", size, signs.INK)
    if layout.overlay == "ties":
        for place, colour, words in ((0.5, signs.FRIENDS, "friends"), (0.75, signs.RIVALS, "rivals")):
            x = left + place * layout.panel_width
            dashed = colour == signs.RIVALS
            yield Line(((x, y - 4 * unit), (x + 18 * unit, y - 4 * unit)), colour, 3 * unit, dashed=dashed)
            yield Words(x + 23 * unit, y, words, size, signs.INK)
