"""The map channels, tile by tile (MECHANICS 6.4)."""

from reference import legal
from reference.sight import Sight, unit
from townlet_jax.core.spec import Spec

MOST = 255
Grid = list[list[int]]


def channels(spec: Spec) -> list[str]:
    """Return the names of the map channels in order."""
    common = ["self", "agents", "objects", "reservations"]
    if spec.variant == "compact":
        kinds = list(dict.fromkeys(kind.lower() for kind in spec.object_channels))
        return [*common, *(f"object:{kind}" for kind in kinds), "walkable"]
    return [*common, "walls"] if spec.extended_features else common


def map_of(sight: Sight, a: int) -> list[Grid]:
    """Return the map of one agent: channels of rows of tiles, the agent in the centre."""
    x, y = sight.scene.state.roster.position[a]
    tile = tile_of_compact if sight.spec.variant == "compact" else tile_of_hybrid
    values = [tile(sight, a, x + dx, y + dy) for dx, dy in sight.offsets()]
    rows = [values[first : first + sight.side] for first in range(0, len(values), sight.side)]
    return [[[value[name] for value in row] for row in rows] for name in channels(sight.spec)]


def tile_of_hybrid(sight: Sight, a: int, x: int, y: int) -> dict[str, int]:
    """Return what hybrid and full maps show of a tile: whether there is any."""
    scene = sight.scene
    return {
        "self": int([x, y] == scene.state.roster.position[a]),
        "agents": int(any(scene.state.roster.position[b] == [x, y] for b in scene.living)),
        "objects": int(any(scene.params.world.tile[o] == [x, y] for o in sight.present())),
        "reservations": int((x, y) in sight.held_tiles()),
        "walls": int(legal.is_wall(scene, x, y)),
    }


def tile_of_compact(sight: Sight, a: int, x: int, y: int) -> dict[str, int]:
    """Return what compact maps show of a tile: how many there are."""
    scene, world = sight.scene, sight.scene.params.world
    others = sum(b != a and scene.state.roster.position[b] == [x, y] for b in scene.living)
    here = [o for o in sight.present() if world.tile[o] == [x, y]]
    reserved = (x, y) in sight.held_tiles()
    own = [x, y] == scene.state.roster.position[a]
    wall = sight.spec.extended_features and legal.is_wall(scene, x, y)
    kinds = {
        f"object:{name}": clamped(sight, sum(world.object_type[o] == kind for o in here))
        for kind, name in enumerate(sight.words.object_types)
    }
    return {
        **kinds,
        "self": int(own),
        "agents": clamped(sight, others),
        "objects": clamped(sight, len(here)),
        "reservations": int(reserved),
        "walkable": int(not (others or here or reserved or own or wall)),
    }


def clamped(sight: Sight, count: int) -> int:
    """Return a count as a map shows it."""
    return min(count, 1 if sight.scene.params.observation.normalize_counts else MOST)


def path(sight: Sight) -> list[list[list[float]]]:
    """Return the unit vectors from the centre, one grid an axis; nothing but with variant full."""
    if sight.spec.variant != "full":
        return []
    vectors = [unit(dx, dy) for dx, dy in sight.offsets()]
    rows = [vectors[first : first + sight.side] for first in range(0, len(vectors), sight.side)]
    return [[[vector[axis] for vector in row] for row in rows] for axis in (0, 1)]
