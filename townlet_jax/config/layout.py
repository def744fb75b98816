"""The map on the host: ground, objects, homes, sites and places with their names (MECHANICS 14.2, 14.3).

Owns numbering (row-major), ids, solidity and the checks of a map that need no routes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from townlet_jax.config.errors import Path, ProblemError, listed, shown, unknown
from townlet_jax.config.routes import Mask
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.town import LegendEntry, ObjectEntry, ObjectType

Point = tuple[int, int]
ROWS: Path = ("town", "rows")
SIZE: Path = ("town", "size")


@dataclass(frozen=True)
class Placed:
    """An object on its tile."""

    id: str
    type: str
    tile: Point
    path: Path
    stock: Mapping[str, int] = field(default_factory=dict)
    link: Mapping[str, str] = field(default_factory=dict)
    capacity: int | None = None
    solid: bool | None = None


@dataclass(frozen=True)
class Layout:
    """What the map says, in index order."""

    walkable: Mask
    blocked: Mask
    objects: tuple[Placed, ...]
    object_types: tuple[str, ...]
    homes: tuple[Point, ...]
    sites: Mapping[str, Point]  # by name, from the map
    places: Mapping[str, Point]
    rows: tuple[str, ...]
    legend: Mapping[str, str]

    @property
    def width(self) -> int:
        """Tiles from west to east."""
        return int(self.walkable.shape[1])

    @property
    def height(self) -> int:
        """Tiles from north to south."""
        return int(self.walkable.shape[0])

    def is_inside(self, tile: Point) -> bool:
        """Tell whether a tile lies on the map."""
        return 0 <= tile[0] < self.width and 0 <= tile[1] < self.height

    def demand_free(self, tile: Point, path: Path, what: str) -> None:
        """Raise `ProblemError` unless somebody can stand on the tile."""
        if not self.is_inside(tile):
            raise ProblemError(
                path,
                f"{what} at {list(tile)} lies outside the map of {self.width} x {self.height}; "
                f"use [0..{self.width - 1}, 0..{self.height - 1}]",
            )
        if self.blocked[tile[1], tile[0]]:
            raise ProblemError(
                path,
                f"{what} at {list(tile)} is on a tile that is blocked by ground or by a solid object; use a free tile",
            )


@dataclass(frozen=True)
class _Drawn:
    """What the rows alone say."""

    walkable: Mask
    objects: tuple[Placed, ...]
    homes: tuple[Point, ...]
    sites: Mapping[str, Point]
    places: Mapping[str, Point]
    rows: tuple[str, ...]
    legend: Mapping[str, str]


def lay_out(config: Config) -> Layout:
    """Read the map, put the objects on it and give homes to towns without any; raises `ProblemError`."""
    town = config.town
    if town.rows is not None and town.size is not None:
        raise ProblemError(SIZE, "stands beside town.rows, but a map is either drawn or open; delete one of the two")
    if town.rows is None and town.size is None:
        raise ProblemError(
            ("town",),
            "has neither rows nor size, so there is no map; draw town.rows or write town.size: [width, height]",
        )
    drawn = _draw(config) if town.rows is not None else _open(config)
    objects = _objects(config, drawn)
    types = _types(config, objects)
    blocked = ~drawn.walkable
    for item in objects:
        blocked[item.tile[1], item.tile[0]] |= is_solid(config, item)
    layout = Layout(
        walkable=drawn.walkable,
        blocked=blocked,
        objects=objects,
        object_types=types,
        homes=drawn.homes,
        sites=drawn.sites,
        places=drawn.places,
        rows=drawn.rows,
        legend=drawn.legend,
    )
    return _with_homes(config, layout)


def is_solid(config: Config, item: Placed) -> bool:
    """Tell whether an object blocks its tile: its own word, else that of its type, else that of the town."""
    if item.solid is not None:
        return item.solid
    kind = config.object_types.get(item.type, ObjectType())
    return config.town.solid_objects if kind.solid is None else kind.solid


def _open(config: Config) -> _Drawn:
    """Make an open field."""
    assert config.town.size is not None
    width, height = config.town.size
    return _Drawn(np.ones((height, width), bool), (), (), {}, {}, ("." * width,) * height, {".": config.town.fill})


def _draw(config: Config) -> _Drawn:
    """Read the rows by the legend."""
    rows = config.town.rows
    assert rows is not None
    _demand_rectangle(rows)
    meaning = {character: _meaning(character, entry) for character, entry in config.town.legend.items()}
    walkable = np.ones((len(rows), len(rows[0])), bool)
    objects: list[Placed] = []
    homes: list[Point] = []
    sites: dict[str, Point] = {}
    places: dict[str, Point] = {}
    count: dict[str, int] = {}
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            if character not in meaning:
                raise ProblemError(
                    ROWS,
                    f"{shown(character)} in row {y + 1}, column {x + 1} is not in town.legend; "
                    f"use one of: {listed(meaning)}, or add it there",
                )
            entry = config.town.legend[character]
            if entry.object is not None:
                count[entry.object] = count.get(entry.object, 0) + 1
                objects.append(Placed(f"{entry.object}_{count[entry.object]}", entry.object, (x, y), ROWS))
            elif entry.home:
                homes.append((x, y))
            elif entry.site is not None:
                _once(sites, entry.site, (x, y), "site")
            elif entry.place is not None:
                _once(places, entry.place, (x, y), "place")
            else:
                walkable[y, x] = bool(entry.walkable)
    return _Drawn(walkable, tuple(objects), tuple(homes), sites, places, rows, meaning)


def _demand_rectangle(rows: tuple[str, ...]) -> None:
    """Raise `ProblemError` unless all rows have the same width."""
    if not rows or not rows[0]:
        raise ProblemError(ROWS, "is empty, but a map has at least one tile; draw it or use town.size")
    for index, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ProblemError(
                ROWS,
                f"row {index + 1} has {len(row)} characters but row 1 has {len(rows[0])}; make all rows equally wide",
            )


def _meaning(character: str, entry: LegendEntry) -> str:
    """Return the word for a character; it means exactly one thing."""
    path: Path = ("town", "legend", character)
    said = [key for key in ("tile", "object", "home", "site", "place") if getattr(entry, key) is not None]
    if len(said) != 1:
        what = f"says {' and '.join(said)}" if said else "says nothing"
        raise ProblemError(
            path, f"{what}, but a character means one thing; write one of tile, object, home, site, place"
        )
    if said == ["tile"] and entry.walkable is None:
        raise ProblemError((*path, "walkable"), "is missing; add walkable: true or walkable: false")
    if said != ["tile"] and entry.walkable is not None:
        raise ProblemError((*path, "walkable"), "belongs to tiles only, the rest stands on floor; delete it")
    if entry.home is False:
        raise ProblemError((*path, "home"), "is false, which means nothing; write home: true or name something else")
    return "home" if entry.home else str(entry.tile or entry.object or entry.site or entry.place)


def _once(found: dict[str, Point], name: str, tile: Point, what: str) -> None:
    """Note a site or place; a second one of the same name is a problem."""
    if name in found:
        raise ProblemError(
            ROWS, f"the {what} {name} is drawn at {list(found[name])} and at {list(tile)}; keep one of the two tiles"
        )
    found[name] = tile


def _objects(config: Config, drawn: _Drawn) -> tuple[Placed, ...]:
    """Combine the objects of the map with the listed ones: those that match change it, the others are added."""
    found = list(drawn.objects)
    ids = {item.id: index for index, item in enumerate(found)}
    tiles = {item.tile: index for index, item in enumerate(found)}
    listings: list[tuple[Path, ObjectEntry]] = [
        *((("town", "objects", index), entry) for index, entry in enumerate(config.town.objects)),
        *((("objects", index), entry) for index, entry in enumerate(config.objects)),
    ]
    for path, entry in listings:
        by_id, by_tile = ids.get(entry.id), tiles.get(entry.at) if entry.at is not None else None
        match = by_tile if by_id is None else by_id
        if by_id is not None and entry.at is not None and by_tile != by_id:
            tile = list(found[by_id].tile)
            raise ProblemError(
                path, f"{shown(entry.id)} already stands at {tile}; give the new object another id or delete at"
            )
        if match is None:
            item = _added(drawn, entry, path)
            match = len(found)
            found.append(item)
        else:
            del ids[found[match].id]
            found[match] = _changed(found[match], entry, path)
        ids[entry.id] = match
        tiles[found[match].tile] = match
    return tuple(found)


def _changed(item: Placed, entry: ObjectEntry, path: Path) -> Placed:
    """Apply an entry to an object that exists."""
    if item.path != ROWS:
        raise ProblemError(
            path, f"repeats {item.id} or its tile {list(item.tile)}; give each object an id and a tile of its own"
        )
    if entry.type not in (None, item.type):
        raise ProblemError(
            (*path, "type"), f"is {shown(entry.type)}, but the map shows a {item.type} there; delete type"
        )
    return replace(
        item,
        id=entry.id,
        path=path,
        stock=entry.stock,
        link=entry.link,
        capacity=entry.capacity,
        solid=entry.solid,
    )


def _added(drawn: _Drawn, entry: ObjectEntry, path: Path) -> Placed:
    """Make an object the map does not show."""
    if entry.type is None or entry.at is None:
        missing = "type" if entry.type is None else "at"
        raise ProblemError(
            (*path, missing),
            f"is missing, and no object of the map is called {shown(entry.id)}; add type and at: [x, y]",
        )
    height, width = drawn.walkable.shape
    x, y = entry.at
    if x >= width or y >= height:
        raise ProblemError(
            (*path, "at"), f"{list(entry.at)} lies outside the map of {width} x {height}; use a tile of the map"
        )
    if not drawn.walkable[y, x]:
        raise ProblemError(
            (*path, "at"), f"{list(entry.at)} is not walkable ground; objects stand on floor, use another tile"
        )
    return Placed(entry.id, entry.type, (x, y), path, entry.stock, entry.link, entry.capacity, entry.solid)


def _types(config: Config, objects: tuple[Placed, ...]) -> tuple[str, ...]:
    """Return the object types: listed ones first, then as they are first met."""
    met = list(config.object_types)
    met += [entry.object for entry in config.town.legend.values() if entry.object is not None]
    met += [item.type for item in objects]
    for affordance in config.affordances:
        met.append(affordance.object_type)
        if affordance.output_to.startswith("linked:"):
            met.append(affordance.output_to.removeprefix("linked:"))
    return tuple(dict.fromkeys(met))


def _with_homes(config: Config, layout: Layout) -> Layout:
    """In a town without homes every agent with a position is at home there."""
    if layout.homes:
        for index, tile in enumerate(layout.homes):
            layout.demand_free(tile, ROWS, f"home_{index}")
        return layout
    homes = tuple(agent.position for agent in config.cast if agent.position is not None)
    return replace(layout, homes=homes)


def site_tile(config: Config, layout: Layout, job: str) -> Point:
    """Return the tile of a job's site; raises `ProblemError` if it has none or nobody can stand there."""
    path: Path = ("jobs", job, "site")
    site = config.jobs[job].site
    if isinstance(site, str):
        if site not in layout.sites:
            raise unknown(path, "a site on the map", site, layout.sites, "town.legend as {site: name} and draw it once")
        tile = layout.sites[site]
    else:
        tile = site
    layout.demand_free(tile, path, f"the site of {job}")
    return tile
