"""A town as a plan: `python -m townlet_jax.ui.svg_map CONFIG [OUT]` writes an SVG with a legend.

Drawn from the configuration alone, so the plan cannot drift from the map. Objects carry the letters of text maps.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from townlet_jax.config import build, load
from townlet_jax.config.errors import ConfigError
from townlet_jax.config.names import Names
from townlet_jax.core.params import Params
from townlet_jax.report import printable
from townlet_jax.ui import ground, icons, signs, vector
from townlet_jax.ui.layout import Layout
from townlet_jax.ui.shapes import Box, Shape, Words, placed
from townlet_jax.ui.stage import Stage, in_words

TILE = 16  # side of a tile
MARGIN = 8
LEGEND_WIDTH = 178
GROUNDS = ("door", "road", "path", "pond", "wall", "floor", "grass")
Sign = Sequence[Shape]


def draw(names: Names, params: Params, *, title: str) -> str:
    """Return the SVG of a town at the start: ground, furniture, homes, sites, places, legend."""
    stage = Stage(names, params, title)
    layout = _lay_out(stage)
    shapes = [
        Box(0, 0, layout.width, layout.height, signs.PAPER),
        *ground.ground(stage, layout),
        *ground.objects(stage, layout, letters=True),
        *ground.marks(stage, layout),
        *ground.captions(stage, layout),
        *_legend(stage, layout),
    ]
    return vector.document(vector.drawn(shapes), width=layout.width, height=layout.height, title=title)


def _lay_out(stage: Stage) -> Layout:
    width, height = stage.width * TILE, stage.height * TILE
    return Layout(
        tile=TILE,
        unit=1.0,
        left=MARGIN,
        top=MARGIN,
        map_width=width,
        map_height=height,
        panel_left=width + 2 * MARGIN,
        panel_width=LEGEND_WIDTH,
        width=width + LEGEND_WIDTH + 3 * MARGIN,
        height=height + 2 * MARGIN,
        overlay="none",
    )


def _legend(stage: Stage, layout: Layout) -> list[Shape]:
    """Return the column that says what the signs mean, with how many there are."""
    left, top = layout.panel_left, layout.top
    shapes: list[Shape] = [Words(left, top + 16, stage.title, 17, signs.INK, bold=True)]
    for index, (sign, words) in enumerate([*_things(stage), *_places(stage), *_grounds(stage)]):
        y = top + 34 + index * 23
        shapes += placed(sign, left, y, TILE)
        shapes.append(Words(left + TILE + 8, y + 12.5, words, 13, signs.INK))
    return shapes


def _things(stage: Stage) -> list[tuple[Sign, str]]:
    types = [object_type for object_type, _, _ in stage.objects]
    return [
        (icons.lettered(name), f"{in_words(name)} × {types.count(name)}" if name in types else in_words(name))
        for name in stage.names.object_types
    ]


def _places(stage: Stage) -> list[tuple[Sign, str]]:
    rows: list[tuple[Sign, str]] = [(icons.badge("home"), f"home × {len(stage.names.homes)}")]
    for kind, caption, _, _ in stage.marks:
        if kind != "home":
            rows.append((icons.badge(kind), f"{caption}'s site" if kind == "site" else caption))
    return rows


def _grounds(stage: Stage) -> list[tuple[Sign, str]]:
    meanings = set(stage.names.map_legend.values())
    rows: list[tuple[Sign, str]] = [
        ((Box(0, 0, 1, 1, signs.TILES[name], signs.INK, 0.04, radius=0.19),), name)
        for name in GROUNDS
        if name in meanings
    ]
    rows += [(icons.furniture(thing), thing) for thing in ground.FURNITURE if thing in meanings]
    return [*rows, *([(icons.tree(), "tree")] if "tree" in meanings else [])]


def main(arguments: list[str]) -> int:
    """Write the plan to a file, or print it."""
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
