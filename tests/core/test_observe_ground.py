"""Hints, landmarks and neighbours, worked out by hand on drawn maps (MECHANICS 6.1 rows 25-44, 6.2)."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from core.views import OBSERVE, View, look
from core.worlds import CAFE, SINK, World, editable
from townlet_jax.config import Built, build, from_mapping
from townlet_jax.core import rng, town

ADA, BEN, CLEO, DAN, EVA, FINN = range(6)
NORTH, SOUTH, EAST, WEST = [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]
NOWHERE = [0, 0, 0, 0]
HUNGER, HYGIENE, ENERGY = range(3)
approx = pytest.approx


def alone_at(x: int, y: int, needs: tuple[float, float, float] = (0.2, 0.5, 0.8)) -> World:
    """Return a world in which only ada lives, somewhere."""
    world = World(living=1)
    world.put(ADA, x, y)
    world.state.needs.level[ADA] = needs
    return world


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ((0.2, 0.5, 0.8), WEST),  # fridge 4, two steps; fridge 0 is four steps away
        ((0.8, 0.2, 0.5), EAST),  # shower 6 at (9, 4)
        ((0.8, 0.5, 0.2), EAST),  # bed 7 at (12, 4)
        ((0.2, 0.2, 0.8), WEST),  # the first of equal needs
        ((0.8, 0.3, 0.3), EAST),
    ],
)
def test_hints_follow_routes(needs: tuple[float, float, float], expected: list[int]) -> None:
    assert look(alone_at(6, 5, needs)).block(ADA, "path_hint") == expected


def test_hints_go_around_things_and_end_on_arrival() -> None:
    assert look(alone_at(4, 3)).block(ADA, "path_hint") == NOWHERE  # beside both fridges
    assert look(alone_at(4, 1)).block(ADA, "path_hint") == NOWHERE
    assert look(alone_at(3, 7)).block(ADA, "path_hint") == EAST  # the cafe is in the way; east before west
    assert look(alone_at(2, 7)).block(ADA, "path_hint") == NORTH


def test_landmarks_along_routes() -> None:
    view = look(alone_at(6, 5))
    assert view.block(ADA, "landmark_fridge") == approx([-1, 0, 2 / 64])
    assert view.block(ADA, "landmark_stove") == approx([1, 0, 3 / 64])  # north is the sink: east before west
    assert view.block(ADA, "landmark_bed") == approx([1, 0, 5 / 64])
    assert view.block(ADA, "landmark_shower") == approx([1, 0, 2 / 64])
    assert look(alone_at(4, 3)).block(ADA, "landmark_fridge") == [0, 0, 0]
    assert look(alone_at(6, 5), distance_scale=4.0).block(ADA, "landmark_bed") == [1, 0, 1.25]


def test_hints_as_the_crow_flies() -> None:
    for x, y, expected in (
        (6, 3, [1 / 4, 0, 0, 3 / 4]),  # fridge 0 at (3, 2), fridge 4 as far: lowest index
        (6, 7, [3 / 6, 0, 0, 3 / 6]),  # fridge 4 at (3, 4)
        (3, 3, NORTH),
        (3, 2, NOWHERE),
        (1, 1, [0, 1 / 3, 2 / 3, 0]),
    ):
        assert look(alone_at(x, y), "full").block(ADA, "path_hint") == approx(expected), (x, y)


def test_landmarks_as_the_crow_flies() -> None:
    view = look(alone_at(6, 3), "full")
    assert view.block(ADA, "landmark_fridge") == approx([-3 / math.sqrt(10), -1 / math.sqrt(10), math.sqrt(10) / 64])
    assert view.block(ADA, "landmark_stove") == approx([0, -1, 1 / 64])
    assert view.block(ADA, "landmark_bed") == approx([6 / math.sqrt(37), -1 / math.sqrt(37), math.sqrt(37) / 64])
    assert look(alone_at(6, 2), "full").block(ADA, "landmark_stove") == [0, 0, 0]


LEGEND: dict[str, Any] = {
    ".": {"tile": "floor", "walkable": True},
    "#": {"tile": "wall", "walkable": False},
    "H": {"home": True},
    "b": {"object": "bed"},
}


@functools.cache
def lane(hints: str) -> Built:
    """Return a lane between two beds, a cell without a way out, and nothing to eat."""
    rows = ["##########", "#b.H.b##.#", "##########"]
    mapping = {"town": {"rows": rows, "legend": LEGEND}, "agents": [{"name": "a", "home": 0}], "spec": {"hints": hints}}
    return build(from_mapping(mapping))


def in_the_lane(x: int, hints: str, needs: tuple[float, float, float]) -> View:
    """Return what the agent of the lane sees at a tile."""
    spec, params, _ = lane(hints)
    state = editable(town.init(spec, params, rng.town_key(0, 0)))
    state.roster.position[0], state.needs.level[0] = (x, 1), needs
    return View(spec, OBSERVE(spec, params, state, state, jnp.zeros(1, jnp.int32)))


@pytest.mark.parametrize("hints", ["bfs", "straight"])
def test_equally_near_beds_go_by_index(hints: str) -> None:
    view = in_the_lane(3, hints, (0.8, 0.8, 0.1))
    assert view.block(0, "path_hint") == WEST
    assert view(0, "landmark_bed_dx", "landmark_bed_dy") == [-1, 0]
    assert view(0, "landmark_bed_dist") == approx((1 if hints == "bfs" else 2) / 64)


@pytest.mark.parametrize("hints", ["bfs", "straight"])
def test_things_the_town_lacks_are_nowhere(hints: str) -> None:
    view = in_the_lane(3, hints, (0.1, 0.8, 0.8))
    assert view.block(0, "path_hint") == NOWHERE
    for name in ("fridge", "stove", "shower"):
        assert view.block(0, f"landmark_{name}") == [0, 0, 0]


def test_things_out_of_reach_are_nowhere() -> None:
    view = in_the_lane(8, "bfs", (0.8, 0.8, 0.1))
    assert view.block(0, "path_hint") == NOWHERE
    assert view.block(0, "landmark_bed") == [0, 0, 0]
    assert view.block(0, "home_") == [0, 0, 0, 0, 0]
    view = in_the_lane(8, "straight", (0.8, 0.8, 0.1))
    assert view.block(0, "path_hint") == WEST
    assert view.block(0, "landmark_bed") == approx([-1, 0, 3 / 64])


def test_a_town_without_objects() -> None:
    spec, params, _ = build(from_mapping({"town": {"size": [3, 2]}, "agents": [{"name": "a", "position": [0, 0]}]}))
    state = jax.jit(town.init, static_argnums=0)(spec, params, rng.town_key(0, 0))
    view = View(spec, OBSERVE(spec, params, state, state, jnp.zeros(1, jnp.int32)))
    assert not any(view.block(0, "landmark_") + view.block(0, "path_hint"))
    assert view(0, "neighbor_object_ratio", "has_job", "power_on") == [0, 0, 1]
    assert not view.all.map[0, view.layout.channel("objects")].any()
    assert view.all.map[0, view.layout.channel("walls")].sum() == 11 * 11 - 3 * 2


def test_neighbours_in_the_window() -> None:
    world = World()  # the window is 5 wide: two tiles in each direction
    for slot, tile in ((ADA, (5, 5)), (BEN, (7, 7)), (CLEO, (5, 5)), (DAN, (8, 5)), (EVA, (5, 6)), (FINN, (1, 1))):
        world.put(slot, *tile)
    view = look(world)
    names = ("neighbor_agent_ratio", "nearest_agent_distance")
    assert view(ADA, *names) == approx([3 / 24, 0.5])
    assert view(BEN, *names) == approx([4 / 24, 1])  # dan and eva are sqrt(5) tiles away: at most 1
    assert view(DAN, *names) == approx([1 / 24, 1])
    assert view(FINN, *names) == [0, 0]
    world.put(EVA, 14, 1)
    world.put(BEN, 14, 1)
    assert look(world)(ADA, *names) == approx([1 / 24, 0])  # on the own tile: no distance


def test_objects_in_the_window() -> None:
    world = World()
    world.put(ADA, 5, 5)  # fridge (3, 4), sink (6, 4), cafe (3, 6), till (6, 6)
    world.put(BEN, 1, 1)  # fridge (3, 2); the rim of the map counts as empty
    world.hold(CLEO, SINK)
    world.hold(DAN, CAFE)
    world.queue(EVA, SINK, ticket=0)
    view = look(world)
    names = ("neighbor_object_ratio", "reserved_tile_ratio")
    assert view(ADA, *names) == approx([4 / 25, 2 / 25])
    assert view(BEN, *names) == approx([1 / 25, 0])
    assert look(world, "compact")(ADA, *names) == approx([4 / 25, 2 / 25])
