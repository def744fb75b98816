"""Sizes, flags, time and the map: what a town is made of (MECHANICS 1.3, 3.1, 14.2, 14.3)."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from townlet_jax.config.schema.fields import (
    REQUIRED,
    Name,
    Section,
    Tile,
    Units,
    entries,
    flag,
    given,
    table,
    whole,
)

MAX_AGENTS = 2048
MAX_SIDE = 512


class SpecSection(Section):
    """Sizes and structural flags: static, a change recompiles."""

    num_agents: int | None = whole(
        None, 1, MAX_AGENTS, "count", "agent slots; default is one for each listed agent",
        "relationships are stored for every pair, so memory grows with the square",
    )  # fmt: skip
    embedding_slots: int = whole(
        64, 1, 8192, "count", "identity slots; at least one an agent slot", "each slot has a row in the identity table"
    )
    attendance_window: int = whole(3, 1, 32, "count", "finished shifts whose attendance is remembered")
    absence_ring: int = whole(
        8, 2, 64, "count", "days with an absence that are remembered; above employment.absence_days"
    )
    fired_ring: int = whole(4, 1, 64, "count", "starts of a perturbation that are remembered")
    stability_bucket: int = whole(50, 1, 10_000, "ticks", "width of the buckets the stability windows are counted in")
    variant: Literal["hybrid", "full", "compact"] = given("hybrid", "which maps an observation holds")
    action_space: Literal["flat", "options"] = given("flat", "what a learner chooses: single actions or options")
    hints: Literal["bfs", "straight"] = given("bfs", "how hints point: along routes or as the crow flies")
    landmarks: bool = flag(True, "observe the way to fridge, stove, bed and shower")
    personality_channels: bool = flag(True, "observe the own traits")
    aggregates: bool = flag(True, "observe means and maxima of the social slots; off when both tops are 0")
    extended_features: bool = flag(True, "observe job, routes, utilities, queue place and walls")
    object_channels: tuple[Name, ...] = entries(
        "object types with a map channel of their own (variant compact only)", 32, "each is a map of its own"
    )
    local_window: int = whole(11, 3, 31, "tiles", "side of the hybrid and full maps, odd", "an odd window has a centre")
    compact_window: int = whole(7, 3, 31, "tiles", "side of the compact maps, odd", "an odd window has a centre")
    top_friends: int = whole(2, 0, 8, "count", "friends in the social slots; with top_rivals at most 8")
    top_rivals: int = whole(2, 0, 8, "count", "rivals in the social slots; with top_friends at most 8")


class ClockSection(Section):
    """Time."""

    ticks_per_day: int = whole(
        1440, 2, 100_000, "ticks", "length of a day", "a day has a start and an end and fits the tables"
    )
    horizon_ticks: int = whole(0, 0, 1_000_000_000, "ticks", "truncate every so many ticks, 0 = never")


class WorldSection(Section):
    """Reach and movement."""

    interaction_range: int = whole(1, 0, 1_000_000, "tiles", "Chebyshev reach of objects")
    busy_lock: bool = flag(True, "agents that run an affordance cannot move")


class LegendEntry(Section):
    """What one character of the map means: exactly one of tile, object, home, site, place."""

    tile: Name | None = given(None, "name of the ground, with walkable")
    walkable: bool | None = flag(None, "whether agents can stand on that ground")
    object: Name | None = given(None, "an object of this type stands here, on floor")
    home: bool | None = flag(None, "a home is here, on floor; write true")
    site: Name | None = given(None, "the site of a job by this name is here, on floor")
    place: Name | None = given(None, "a named place is here, on floor")


class ObjectType(Section):
    """What objects of a type have in common."""

    solid: bool | None = flag(None, "nobody stands on its tile; default is town.solid_objects")
    capacity: int = whole(1, 0, 1000, "count", "slots that affordances with slot_use take")
    stock: dict[Name, Units] = table("units of each good at the start", 64, "one entry a good")
    domestic: bool = flag(False, "belongs to a home: the scripted policy prefers the own one")
    decorative: bool = flag(False, "stands there for the looks: no warning that nothing uses it")


class ObjectEntry(Section):
    """An object named, added or overridden by hand."""

    id: Name = given(REQUIRED, "unique name; of an object of the map it changes that one")
    type: Name | None = given(None, "object type; not needed for an object of the map")
    at: Tile | None = given(None, "tile [x, y]; on the tile of an object of the map it renames that one")
    stock: dict[Name, Units] = table("units at the start instead of those of the type", 64, "one entry a good")
    link: dict[Name, Name] = table("good -> id of the object that stores what is made here", 64, "one entry a good")
    capacity: int | None = whole(None, 0, 1000, "count", "slots instead of those of the type")
    solid: bool | None = flag(None, "solidity instead of that of the type")


def _lines(value: Any) -> Any:
    """Split a block of text into map rows."""
    return tuple(value.rstrip("\n").split("\n")) if isinstance(value, str) else value


Row = Annotated[str, StringConstraints(strict=True, max_length=MAX_SIDE)]
Rows = Annotated[
    tuple[Row, ...],
    Field(max_length=MAX_SIDE),
    BeforeValidator(_lines),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Side = Annotated[int, Field(strict=True, ge=1, le=MAX_SIDE)]
Character = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\s]$")]


class TownSection(Section):
    """The map: rows with a legend, or an open field of a size."""

    rows: Rows | None = given(None, "the map, one line a row of tiles, top row first, at most 512 x 512")
    legend: dict[Character, LegendEntry] = table("meaning of each character of the rows", 256, "one a character")
    size: tuple[Side, Side] | None = given(None, "[width, height] of an open map instead of rows, each 1 to 512 tiles")
    fill: Name = given("floor", "name of the ground of an open map")
    solid_objects: bool = flag(True, "whether objects are solid where neither type nor object says so")
    objects: tuple[ObjectEntry, ...] = entries(
        "objects named, added or overridden", 4096, "each has a row in every table"
    )
