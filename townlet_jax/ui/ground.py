"""The unchanging part of the map as shapes: ground, trees, furniture, objects, homes, sites, places."""

from townlet_jax.ui import icons, signs
from townlet_jax.ui.layout import Layout
from townlet_jax.ui.shapes import CHARACTER_WIDTH, Box, Shape, Words, placed, shortened
from townlet_jax.ui.stage import Stage

FURNITURE = ("table", "shelf")
MOST_CHEQUERED = 4096  # tiles of a map
READABLE = 10  # pixels of a tile from which on there are captions


def ground(stage: Stage, layout: Layout) -> list[Shape]:
    """Return runs of equal tiles as one box each, then what grows and stands there."""
    shapes: list[Shape] = []
    for y, row in enumerate(stage.tiles):
        grounds = [_colour(stage, x, y) for x in range(len(row))]
        start = 0
        for x in range(1, len(row) + 1):
            if x == len(row) or grounds[x] != grounds[start]:
                left, top = layout.tile_at(start, y)
                shapes.append(Box(left, top, (x - start) * layout.tile, layout.tile, grounds[start]))
                start = x
    for y, row in enumerate(stage.tiles):
        for x, meaning in enumerate(row):
            if meaning == "tree":
                shapes += placed(icons.tree(), *layout.tile_at(x, y), layout.tile)
            elif meaning in FURNITURE:
                shapes += placed(icons.furniture(meaning), *layout.tile_at(x, y), layout.tile)
    return shapes


def _colour(stage: Stage, x: int, y: int) -> str:
    """Return the colour of a tile; floors are chequered, unless the map is so large that nobody would see it."""
    meaning = stage.ground(x, y)
    chequered = signs.TILES[meaning] == signs.TILES["floor"]
    if chequered and (x + y) % 2 and stage.width * stage.height <= MOST_CHEQUERED:
        return signs.SECOND_FLOOR
    return signs.TILES[meaning]


def objects(stage: Stage, layout: Layout, *, letters: bool = False) -> list[Shape]:
    """Return the objects, as pictures or as boxes with the letters of text maps."""
    sign = icons.lettered if letters else icons.object_icon
    return [
        shape
        for object_type, x, y in stage.objects
        for shape in placed(sign(object_type), *layout.tile_at(x, y), layout.tile)
    ]


def marks(stage: Stage, layout: Layout) -> list[Shape]:
    """Return the signs of homes, work sites and places."""
    return [
        shape
        for kind, _, x, y in stage.marks
        for shape in placed(icons.badge(kind), *layout.tile_at(x, y), layout.tile)
    ]


def captions(stage: Stage, layout: Layout, *, at_night: bool = False) -> list[Shape]:
    """Return whose homes, which sites and which places they are; above the sign where something stands below it."""
    taken = {(x, y) for _, x, y in stage.objects}
    size = min(max(9.0, layout.tile * 0.62), 14 * layout.unit)
    ink, halo = ("#ffffff", "#4a4a58") if at_night else (signs.INK, signs.TILES["floor"])
    shapes: list[Shape] = []
    for _, caption, x, y in stage.marks:
        if caption and layout.tile >= READABLE:
            left, top = layout.tile_at(x, y)
            below = not taken & {(x + aside, y + 1) for aside in (-1, 0, 1)}
            baseline = top + layout.tile + size if below else top - size * 0.3
            text = shortened(caption, size, 7 * layout.tile)
            reach = len(text) * size * CHARACTER_WIDTH / 2
            middle = min(max(left + layout.tile / 2, layout.left + reach), layout.left + layout.map_width - reach)
            shapes.append(Words(middle, baseline, text, size, ink, "middle", halo=halo))
    return shapes
