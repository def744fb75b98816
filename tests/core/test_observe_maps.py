"""Map channels drawn by hand: windows in the open, at the rim, with crowds (MECHANICS 6.4)."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from core.views import OBSERVE, View, look
from core.worlds import BENCH, CAFE, SINK, World, editable
from townlet_jax.config import build, from_mapping
from townlet_jax.core import rng, town

ADA, BEN, CLEO, DAN, EVA, FINN = range(6)
NOTHING = ["....."] * 5


def square() -> World:
    """Return a world seen from (5, 5): fridge (3, 4), sink (6, 4), cafe (3, 6), till (6, 6) are in the window."""
    world = World()
    for slot, tile in ((ADA, (5, 5)), (BEN, (7, 7)), (CLEO, (5, 5)), (DAN, (4, 3)), (EVA, (8, 5)), (FINN, (1, 1))):
        world.put(slot, *tile)
    world.state.queues.holding[[EVA, FINN]] = (SINK, CAFE)
    return world


def test_hybrid_maps_say_whether_there_is_any() -> None:
    view = look(square())
    assert view.layout.channels == ("self", "agents", "objects", "reservations", "walls")
    assert view.drawn(ADA, "self") == [".....", ".....", "..1..", ".....", "....."]
    assert view.drawn(ADA, "agents") == [".1...", ".....", "..1..", ".....", "....1"]
    assert view.drawn(ADA, "objects") == [".....", "1..1.", ".....", "1..1.", "....."]
    assert view.drawn(ADA, "reservations") == [".....", "...1.", ".....", "1....", "....."]
    assert view.drawn(ADA, "walls") == [".....", "1..1.", ".....", "1..1.", "....."]
    assert view.drawn(BEN, "self") == view.drawn(ADA, "self")
    assert view.drawn(BEN, "agents") == ["1..1.", ".....", "..1..", ".....", "....."]


def test_two_agents_on_a_tile_are_one_mark() -> None:
    world = square()
    world.put(DAN, 7, 7)
    view = look(world)
    assert view.drawn(ADA, "agents") == [".....", ".....", "..1..", ".....", "....1"]
    assert view.drawn(CLEO, "agents") == view.drawn(ADA, "agents")


def test_the_rim_of_the_map_is_wall_and_otherwise_empty() -> None:
    world = square()
    world.put(BEN, 14, 8)
    view = look(world)
    assert view.drawn(FINN, "walls") == ["11111", "11111", "11...", "11..1", "11..."]
    assert view.drawn(FINN, "objects") == [".....", ".....", ".....", "....1", "....."]
    assert view.drawn(BEN, "walls") == ["...11", "...11", "...11", "11111", "11111"]
    assert view.drawn(BEN, "objects") == NOTHING
    world.put(FINN, 0, 0)
    assert look(world).drawn(FINN, "walls") == ["11111", "11111", "11111", "111..", "111.."]


def test_full_maps_add_the_way_from_the_centre() -> None:
    view = look(square(), "full")
    assert view.layout.channels == ("self", "agents", "objects", "reservations")
    assert view.drawn(ADA, "agents") == [".1...", ".....", "..1..", ".....", "....1"]
    assert view.layout.path_channels == ("path_dx", "path_dy")
    assert view.all.path.shape == (2, 5, 5)
    for dx in range(-2, 3):
        for dy in range(-2, 3):
            far = math.hypot(dx, dy) or 1
            np.testing.assert_allclose(view.all.path[:, dy + 2, dx + 2], (dx / far, dy / far), atol=1e-7)
    assert look(square()).all.path.shape == (0, 5, 5)


def crowd() -> World:
    """Return a world seen from (10, 5): shower (9, 4), bed (12, 4), bench (9, 6); two at (8, 7) and (10, 5)."""
    world = World()
    for slot, tile in ((ADA, (10, 5)), (BEN, (8, 7)), (CLEO, (8, 7)), (DAN, (10, 5)), (EVA, (1, 1)), (FINN, (2, 8))):
        world.put(slot, *tile)
    world.state.queues.holding[FINN] = BENCH
    return world


def test_compact_maps_count() -> None:
    view = look(crowd(), "compact", normalize_counts=False)
    assert view.layout.channels == (
        "self", "agents", "objects", "reservations", "object:bed", "object:bench", "walkable",
    )  # fmt: skip
    assert view.drawn(ADA, "self") == [".....", ".....", "..1..", ".....", "....."]
    assert view.drawn(ADA, "agents") == [".....", ".....", "..1..", ".....", "2...."]
    assert view.drawn(BEN, "agents") == ["....2", ".....", "..1..", ".....", "....."]
    assert view.drawn(ADA, "objects") == [".....", ".1..1", ".....", ".1...", "....."]
    assert view.drawn(ADA, "reservations") == [".....", ".....", ".....", ".1...", "....."]
    assert view.drawn(ADA, "object:bed") == [".....", "....1", ".....", ".....", "....."]
    assert view.drawn(ADA, "object:bench") == [".....", ".....", ".....", ".1...", "....."]
    assert view.drawn(ADA, "walkable") == ["11111", "1.11.", "11.11", "1.111", ".1111"]
    assert view.drawn(EVA, "agents") == NOTHING


def test_counts_stop_at_one_when_normalised() -> None:
    view = look(crowd(), "compact", normalize_counts=True)
    assert view.drawn(ADA, "agents") == [".....", ".....", "..1..", ".....", "1...."]
    assert view.drawn(BEN, "agents") == ["....1", ".....", "..1..", ".....", "....."]


def test_walls_are_not_walkable_if_they_are_shown() -> None:
    assert look(crowd(), "compact").drawn(EVA, "walkable") == [".....", ".....", "...11", "..11.", "..111"]
    view = look(crowd(), "open")
    assert view.layout.channels == ("self", "agents", "objects", "reservations", "walkable")
    assert view.drawn(EVA, "walkable") == ["11111", "11111", "11.11", "1111.", "11111"]
    assert view.drawn(ADA, "walkable") == ["11111", "1.11.", "11.11", "1.111", ".1111"]


def test_large_crowds_stop_at_255() -> None:
    slots = 300
    mapping = {
        "town": {"size": [2, 1]},
        "agents": [{"name": "a", "position": [0, 0]}],
        "spec": {"num_agents": slots, "embedding_slots": slots, "variant": "compact", "compact_window": 3},
    }
    spec, params, _ = build(from_mapping(mapping))
    params = editable(params)
    state = editable(jax.jit(town.init, static_argnums=0)(spec, params, rng.town_key(0, 0)))
    state.roster.alive[:], state.embeddings.slot[:] = True, range(slots)
    state.roster.position[1:] = (1, 0)
    state.roster.position[0] = (0, 0)
    for normalize, most in ((False, 255), (True, 1)):
        params.observation.normalize_counts[...] = normalize
        view = View(spec, OBSERVE(spec, params, state, state, jnp.zeros(slots, jnp.int32)))
        assert view.all.map[0, 1].tolist() == [[0, 0, 0], [0, 0, most], [0, 0, 0]]
        assert view.all.map[1, 1].tolist() == [[0, 0, 0], [1, most, 0], [0, 0, 0]]
        assert view(0, "neighbor_agent_ratio") == 1
