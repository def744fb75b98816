"""A town as a drawing: `python -m townlet_jax.ui.svg_map CONFIG [OUT]` writes an SVG with a legend.

Owns colours and icons. Drawn from the configuration alone, so the picture cannot drift from the map.
"""

import sys
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from townlet_jax.config import build, load
from townlet_jax.config.errors import ConfigError
from townlet_jax.config.names import Names
from townlet_jax.core.params import Params
from townlet_jax.report import printable

TILE = 16  # side of a tile
MARGIN = 8
LEGEND_WIDTH = 178
PAPER, INK = "#f7f4ea", "#3b3a36"
TILES = {
    "grass": "#c7dfa0",
    "tree": "#c7dfa0",
    "wall": "#7d6f63",
    "floor": "#efe3cb",
    "road": "#b8b4ac",
    "path": "#ddd0ab",
    "door": "#c98f4e",
    "pond": "#8fc3e0",
    "table": "#efe3cb",
    "shelf": "#efe3cb",
}
OBJECTS = {  # by type, its colour and letter
    "bed": ("#6d83c4", "b"),
    "fridge": ("#5aa9a3", "f"),
    "stove": ("#d1605a", "s"),
    "sink": ("#7fa6cf", "k"),
    "shower": ("#4b9cd3", "w"),
    "cafe_counter": ("#b3773f", "c"),
    "till": ("#8d6ab8", "g"),
    "desk": ("#a08c6a", "d"),
    "bench": ("#9a7b4f", "p"),
}
FURNITURE = ("table", "shelf", "tree")
OTHER_OBJECT = "#999999"
HOME, SITE, PLACE = "#e0b23e", "#c2459a", "#3f8f4f"


def draw(names: Names, params: Params, *, title: str) -> str:
    """Return the SVG of a town at the start: ground, furniture, homes, sites, places, legend."""
    height, width = len(names.map_rows), len(names.map_rows[0])
    total_width = width * TILE + LEGEND_WIDTH + 3 * MARGIN
    total_height = height * TILE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" '
        f'width="{total_width}" height="{total_height}" font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        f'<g transform="translate({MARGIN} {MARGIN})" shape-rendering="crispEdges">',
        *_ground(names),
        "</g>",
        f'<g transform="translate({MARGIN} {MARGIN})">',
        *_trees_and_furniture(names),
        *_objects(names, params),
        *_marks(names, params),
        "</g>",
        f'<g transform="translate({width * TILE + 2 * MARGIN} {MARGIN})">',
        *_legend(names, title),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _meaning(names: Names, x: int, y: int) -> str:
    return names.map_legend.get(names.map_rows[y][x], "floor")


def _colour(names: Names, x: int, y: int) -> str:
    """Return the ground's colour; what stands on floor takes the ground of its neighbours."""
    meaning = _meaning(names, x, y)
    if meaning in TILES:
        return TILES[meaning]
    around = [(x + dx, y + dy) for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    height, width = len(names.map_rows), len(names.map_rows[0])
    grounds = [_meaning(names, i, j) for i, j in around if 0 <= j < height and 0 <= i < width]
    return TILES["grass" if grounds.count("grass") > grounds.count("floor") else "floor"]


def _ground(names: Names) -> list[str]:
    """Return runs of equal tiles as one rectangle each."""
    parts = []
    for y, row in enumerate(names.map_rows):
        start = 0
        for x in range(1, len(row) + 1):
            if x == len(row) or _colour(names, x, y) != _colour(names, start, y):
                place = f'x="{start * TILE}" y="{y * TILE}" width="{(x - start) * TILE}" height="{TILE}"'
                parts.append(f'<rect {place} fill="{_colour(names, start, y)}"/>')
                start = x
    return parts


def _trees_and_furniture(names: Names) -> list[str]:
    parts = []
    for y, row in enumerate(names.map_rows):
        for x in range(len(row)):
            cx, cy = x * TILE + TILE / 2, y * TILE + TILE / 2
            match _meaning(names, x, y):
                case "tree":
                    parts.append(f'<circle cx="{cx}" cy="{cy}" r="6.5" fill="#5f9a4a"/>')
                    parts.append(f'<circle cx="{cx - 2}" cy="{cy - 2}" r="2.5" fill="#7db564"/>')
                case "table" | "shelf" as thing:
                    parts.append(_furniture(x * TILE, y * TILE, thing))
                case _:
                    pass
    return parts


def _furniture(x: float, y: float, thing: str) -> str:
    """Draw a table or a shelf into a tile."""
    if thing == "table":
        return f'<circle cx="{x + TILE / 2}" cy="{y + TILE / 2}" r="5.5" fill="#b98d5b" stroke="#8a653c"/>'
    return f'<rect x="{x + 2}" y="{y + 1}" width="12" height="14" fill="#a9815a" stroke="#8a653c"/>'


def _box(x: float, y: float, colour: str, letter: str) -> str:
    centre = TILE / 2
    return (
        f'<rect x="{x + 1}" y="{y + 1}" width="{TILE - 2}" height="{TILE - 2}" rx="3" fill="{colour}" stroke="{INK}" '
        f'stroke-width="0.6"/><text x="{x + centre}" y="{y + centre + 3.8}" font-size="11" font-weight="bold" '
        f'text-anchor="middle" fill="white">{escape(letter)}</text>'
    )


def _object_look(name: str) -> tuple[str, str]:
    return OBJECTS.get(name, (OTHER_OBJECT, printable(name)[:1] or "?"))


def _objects(names: Names, params: Params) -> list[str]:
    tiles, types = np.asarray(params.world.tile), np.asarray(params.world.object_type)
    return [
        _box(int(tiles[o, 0]) * TILE, int(tiles[o, 1]) * TILE, *_object_look(names.object_types[int(types[o])]))
        for o in range(len(names.objects))
    ]


def _badge(x: float, y: float, colour: str, letter: str) -> str:
    cx, cy = x + TILE / 2, y + TILE / 2
    return (
        f'<circle cx="{cx}" cy="{cy}" r="8" fill="{colour}" stroke="{INK}" stroke-width="0.8"/>'
        f'<text x="{cx}" y="{cy + 3.8}" font-size="11" font-weight="bold" text-anchor="middle" fill="white">'
        f"{escape(letter)}</text>"
    )


def _marks(names: Names, params: Params) -> list[str]:
    """Return homes with their residents' names, work sites and places."""
    world, parts = params.world, []
    home_of, alive = np.asarray(params.start.home), np.asarray(params.start.alive)
    for home, (x, y) in enumerate(np.asarray(world.home_tile)[: len(names.homes)]):
        parts.append(_badge(int(x) * TILE, int(y) * TILE, HOME, str(home)))
        who = [printable(name) for slot, name in enumerate(names.agents) if alive[slot] and home_of[slot] == home]
        parts.append(_caption(int(x), int(y), ", ".join(who[:2])))
    for name, (x, y) in zip(names.jobs, np.asarray(world.site_tile), strict=False):
        parts.append(_badge(int(x) * TILE, int(y) * TILE, SITE, printable(name)[:1].upper()))
    for name, (x, y) in zip(names.places, np.asarray(world.place_tile), strict=False):
        parts.append(_badge(int(x) * TILE, int(y) * TILE, PLACE, printable(name)[:1].upper()))
    return parts


def _caption(x: int, y: int, text: str) -> str:
    return (
        f'<text x="{x * TILE + TILE / 2}" y="{y * TILE + TILE + 9}" font-size="9" text-anchor="middle" '
        f'fill="{INK}">{escape(text)}</text>'
    )


def _swatch(colour: str) -> str:
    return f'<rect width="{TILE}" height="{TILE}" rx="3" fill="{colour}" stroke="{INK}" stroke-width="0.6"/>'


def _legend(names: Names, title: str) -> list[str]:
    """Return the column that says what the signs mean, with how many there are."""
    rows: list[tuple[str, str]] = []
    for name in names.object_types:
        amount = sum(thing.startswith(f"{name}_") for thing in names.objects)
        words = f"{printable(name).replace('_', ' ')} × {amount}" if amount else printable(name)
        rows.append((_box(0, 0, *_object_look(name)), words))
    rows.append((_badge(0, 0, HOME, "0"), f"home × {len(names.homes)}"))
    rows += [(_badge(0, 0, SITE, printable(job)[:1].upper()), f"{printable(job)}'s site") for job in names.jobs]
    rows += [(_badge(0, 0, PLACE, printable(place)[:1].upper()), printable(place)) for place in names.places]
    meanings = set(names.map_legend.values())
    swatches = [tile for tile in ("door", "road", "path", "pond", "wall", "floor", "grass") if tile in meanings]
    rows += [(_swatch(TILES[tile]), tile) for tile in swatches]
    rows += [(_furniture(0, 0, thing), thing) for thing in FURNITURE if thing in meanings]
    parts = [f'<text x="0" y="16" font-size="17" font-weight="bold" fill="{INK}">{escape(title)}</text>']
    for index, (sign, words) in enumerate(rows):
        parts.append(
            f'<g transform="translate(0 {34 + index * 23})">{sign}<text x="{TILE + 8}" y="12.5" font-size="13" '
            f'fill="{INK}">{escape(words)}</text></g>'
        )
    return parts


def main(arguments: list[str]) -> int:
    """Write the drawing to a file, or print it."""
    if not 1 <= len(arguments) <= 2:
        print("Usage: python -m townlet_jax.ui.svg_map CONFIG [OUT.svg]", file=sys.stderr)
        return 2
    try:
        built = build(load(arguments[0]))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    text = draw(built.names, built.params, title=f"{printable(built.names.config_id)} town")
    if len(arguments) == 1:
        print(text, end="")
    else:
        Path(arguments[1]).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
