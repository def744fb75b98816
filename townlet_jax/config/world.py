"""What the routes tell: distance fields, nearest objects, sinks, meeting tiles (MECHANICS 3.4).

Owns the order of route targets: objects, jobs, homes, places.
"""

from dataclasses import dataclass

import numpy as np

from townlet_jax.config.errors import Path, ProblemError, unknown
from townlet_jax.config.layout import ROWS, Layout, Placed, Point, is_solid, site_tile
from townlet_jax.config.routes import Mask, TooLongError, access_mask, fields, reachable, tile_mask
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.economy import Affordance
from townlet_jax.config.schema.town import ObjectType
from townlet_jax.config.tables import Columns, Index, size
from townlet_jax.core.enums import NOBODY

MAX_CELLS = 2**23  # targets x tiles: 25 MB of routes
FAR = 2**30


@dataclass(frozen=True)
class Target:
    """Something that routes lead to."""

    name: str
    goal: Mask
    path: Path


@dataclass(frozen=True)
class World:
    """Map tables and routes."""

    columns: Columns
    steps: np.ndarray
    direction: np.ndarray


def world(config: Config, layout: Layout, index: Index) -> World:
    """Compute everything that depends on ways; raises `ProblemError` where a way is missing."""
    sites = [site_tile(config, layout, job) for job in index.jobs]
    for name, tile in layout.places.items():
        layout.demand_free(tile, ROWS, f"the place {name}")
    targets = _targets(config, layout, index, sites)
    height, width = layout.blocked.shape
    if len(targets) * height * width > MAX_CELLS:
        raise ProblemError(
            ("town",),
            f"has {len(targets)} objects, jobs, homes and places on {width} x {height} tiles; the product must stay "
            f"below {MAX_CELLS}, because each has a route map; use a smaller map or fewer of them",
        )
    try:
        steps, direction = fields(layout.blocked, [target.goal for target in targets])
    except TooLongError:
        raise ProblemError(
            ROWS, "has a way of more than 32767 steps, which fits no table; make the map less of a maze"
        ) from None
    _demand_ways(layout, targets, steps)
    columns = {
        **_map_columns(config, layout, index, sites),
        "link": _links(config, layout, index, targets, steps),
        **_home_columns(config, layout, index, steps),
        "meet_tile": _meet_tiles(config, layout, index, targets),
    }
    return World(columns, steps, direction)


def _targets(config: Config, layout: Layout, index: Index, sites: list[Point]) -> list[Target]:
    """List all route targets; an empty kind has one without goal tiles."""
    blocked, reach = layout.blocked, config.world.interaction_range
    nothing = [Target("nothing", np.zeros_like(blocked), ROWS)]
    objects = [
        Target(f"{item.id} at {list(item.tile)}", access_mask(blocked, item.tile, reach), item.path)
        for item in layout.objects
    ]
    jobs = [
        Target(f"the site of {name} at {list(tile)}", tile_mask(blocked, tile), ("jobs", name, "site"))
        for name, tile in zip(index.jobs, sites, strict=True)
    ]
    homes = [
        Target(f"home_{place} at {list(tile)}", tile_mask(blocked, tile), ROWS)
        for place, tile in enumerate(layout.homes)
    ]
    places = [
        Target(f"the place {name} at {list(tile)}", tile_mask(blocked, tile), ROWS)
        for name, tile in layout.places.items()
    ]
    return [target for group in (objects, jobs, homes, places) for target in group or nothing]


def _demand_ways(layout: Layout, targets: list[Target], steps: np.ndarray) -> None:
    """Raise `ProblemError` for the first target that cannot be reached from some home."""
    for home, (x, y) in enumerate(layout.homes):
        lost = np.flatnonzero(steps[:, y, x] < 0)
        for place in lost:
            target = targets[place]
            if target.name == "nothing":
                continue
            hint = "open a way between them" if target.goal.any() else "free a tile next to it"
            raise ProblemError(target.path, f"{target.name} cannot be reached from home_{home} at {[x, y]}; {hint}")


def _map_columns(config: Config, layout: Layout, index: Index, sites: list[Point]) -> Columns:
    """Return the tables of ground and objects."""
    items = layout.objects
    kinds = [config.object_types.get(item.type, ObjectType()) for item in items]
    inert: list[Point] = [(0, 0)]
    reach = min(config.world.interaction_range, max(layout.blocked.shape))
    capacity = [
        kind.capacity if item.capacity is None else item.capacity for item, kind in zip(items, kinds, strict=True)
    ]
    return {
        "walkable": layout.walkable,
        "blocked": layout.blocked,
        "object_type": np.array([index.object_types.index(item.type) for item in items] or [0], np.int32),
        "tile": np.array([item.tile for item in items] or inert, np.int32),
        "present": np.array([True for _ in items] or [False], bool),
        "solid": np.array([is_solid(config, item) for item in items] or [False], bool),
        "domestic": np.array([kind.domestic for kind in kinds] or [False], bool),
        "capacity": np.array(capacity or [0], np.int32),
        "stock_start": _stocks(items, kinds, index),
        "site_tile": np.array(sites or inert, np.int32),
        "place_tile": np.array(list(layout.places.values()) or inert, np.int32),
        "home_tile": np.array(layout.homes or inert, np.int32),
        "reachable": reachable((layout.height, layout.width), [item.tile for item in items], reach),
    }


def _stocks(items: tuple[Placed, ...], kinds: list[ObjectType], index: Index) -> np.ndarray:
    """Return the goods at the start: those of the type, replaced good by good by those of the object."""
    stock = np.zeros((size(items), size(index.goods)), np.float32)
    for row, (item, kind) in enumerate(zip(items, kinds, strict=True)):
        for good, amount in {**kind.stock, **item.stock}.items():
            stock[row, index.goods.index(good)] = amount
    return stock


def _nearest(steps: np.ndarray, candidates: list[int], at: Mask) -> int:
    """Return the candidate with the fewest steps from any of the tiles, ties to the lowest index, NOBODY if none."""
    best, found = FAR, NOBODY
    for candidate in candidates:
        ways = steps[candidate][at]
        ways = ways[ways >= 0]
        if ways.size and int(ways.min()) < best:
            best, found = int(ways.min()), candidate
    return found


def _of_type(layout: Layout, kind: str) -> list[int]:
    return [place for place, item in enumerate(layout.objects) if item.type == kind]


def _links(config: Config, layout: Layout, index: Index, targets: list[Target], steps: np.ndarray) -> np.ndarray:
    """Return where each object puts what is made on it with a linked sink."""
    link = np.full((size(layout.objects), size(index.goods)), NOBODY, np.int32)
    for affordance in config.affordances:
        if not affordance.output_to.startswith("linked:"):
            continue
        kind = affordance.output_to.removeprefix("linked:")
        for place in _of_type(layout, affordance.object_type):
            for good in affordance.produce:
                found = _nearest(steps, _of_type(layout, kind), targets[place].goal)
                if found == NOBODY and good not in layout.objects[place].link:
                    raise _lost(config, affordance, kind, layout.objects[place].id)
                link[place, index.goods.index(good)] = found
    for place, item in enumerate(layout.objects):
        for good, name in item.link.items():
            if name not in index.objects:
                raise unknown((*item.path, "link", good), "an object", name, index.objects, "objects")
            link[place, index.goods.index(good)] = index.objects.index(name)
    return link


def _lost(config: Config, affordance: Affordance, kind: str, item: str) -> ProblemError:
    row = config.affordances.index(affordance)
    return ProblemError(
        ("affordances", row, "output_to"),
        f"sends what {affordance.id} makes on {item} to a {kind}, but there is none; add one or use output_to: self",
    )


def _home_columns(config: Config, layout: Layout, index: Index, steps: np.ndarray) -> Columns:
    """Return the nearest object of each type and the stores of each home."""
    home_object = np.full((size(layout.homes), size(index.object_types)), NOBODY, np.int32)
    home_store = np.full((size(layout.homes), size(index.goods)), NOBODY, np.int32)
    for home, tile in enumerate(layout.homes):
        at = tile_mask(layout.blocked, tile)
        for column, kind in enumerate(index.object_types):
            home_object[home, column] = _nearest(steps, _of_type(layout, kind), at)
        for good, kind in config.goods.home_store.items():
            if good in index.goods and kind in index.object_types:
                home_store[home, index.goods.index(good)] = home_object[home, index.object_types.index(kind)]
    return {"home_object": home_object, "home_store": home_store}


def _meet_tiles(config: Config, layout: Layout, index: Index, targets: list[Target]) -> np.ndarray:
    """Return the first access tile, row by row, of each meeting place."""
    tiles = np.zeros((size(index.perturbations), 2), np.int32)
    for row, (name, spec) in enumerate(config.perturbations.specs.items()):
        if spec.kind != "arranged_meet" or spec.at is None:
            continue
        path: Path = ("perturbations", "specs", name, "at")
        if spec.at in index.objects:
            goal = targets[index.objects.index(spec.at)].goal
        elif spec.at in index.object_types:
            chosen = [targets[place].goal for place in _of_type(layout, spec.at)]
            goal = np.any(chosen, axis=0) if chosen else np.zeros_like(layout.blocked)
        elif spec.at in layout.places:
            goal = tile_mask(layout.blocked, layout.places[spec.at])
        else:
            known = [*index.objects, *index.object_types, *layout.places]
            raise unknown(path, "an object, object type or place", spec.at, known, "objects or town.legend")
        free = np.argwhere(goal)
        if not len(free):
            raise ProblemError(
                path, f"is {spec.at}, of which the town has none; add one or name another object, type or place"
            )
        tiles[row] = (free[0][1], free[0][0])
    return tiles
