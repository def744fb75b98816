"""What is shown of those who come, leave and lie vacant, and of the tick just over (MECHANICS 4.6.5, 5.3, 6; V47)."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from core.views import OBSERVE, View, look
from core.worlds import ADVANCE, BED, BLACKOUT, PARTY, REST_SLEEP, SHOWER, World, editable
from townlet_jax.config import build, load
from townlet_jax.core import actions, rng, town
from townlet_jax.core.enums import Kind

ADA, BEN, CLEO, DAN, EVA, FINN = range(6)
VACANT = 10
WAIT, NORTH, EAST, SOUTH, WEST = range(5)
LEAVE, CHAT = 13, 14
approx = pytest.approx


@pytest.mark.parametrize("view", ["hybrid", "full", "compact", "open"])
def test_vacant_slots_are_blank(view: str) -> None:
    seen = look(World(), view)
    for slot in range(6, 24):
        assert not seen.all.features[slot].any()
        assert not seen.all.map[slot].any()
        assert seen.all.mask[slot].tolist() == [True] + [False] * 14
    assert seen.all.valid.tolist() == [slot < 6 for slot in range(24)]
    assert seen.all.features[:6].any(axis=1).all()
    assert seen.all.option_mask.shape == (24, 0)


def test_the_mask_is_that_of_the_next_tick() -> None:
    world = World()  # ada and dan are at home at (1, 1), north and west of them is wall
    world.hold(BEN, BED, REST_SLEEP, remaining=5)
    world.hold(CLEO, SHOWER)
    world.state.ties.chat_ready_tick[:2] = (int(world.state.clock.tick) + 1, 99)
    view = look(world)
    assert view.all.mask[ADA, [WAIT, NORTH, EAST, SOUTH, WEST, LEAVE, CHAT]].tolist() == [1, 0, 1, 1, 0, 0, 1]
    assert view.all.mask[BEN].tolist() == [True] + [False] * 14  # asleep
    assert view.all.mask[CLEO, LEAVE]


def test_who_leaves_sees_the_last_tick_once_more() -> None:
    world = World()
    for slot, tile in ((ADA, (7, 5)), (BEN, (8, 5)), (CLEO, (14, 8))):
        world.put(slot, *tile)
    world.tie(BEN, ADA, trust=0.5)
    world.tie(ADA, BEN, trust=0.5)
    world.state.lifecycle.condemned[ADA] = 1
    world.run()
    seen = look(world, seen=world.out.seen)
    assert world.out.terminated[ADA]
    assert not world.state.roster.alive[ADA]
    assert seen.all.valid[[ADA, BEN]].all()
    assert [seen(slot, "ctx_reset_flag") for slot in (ADA, BEN)] == [1, 0]
    assert seen(ADA, "social_0_trust", "social_trust_max") == [0.5, 0.5]
    assert seen(ADA, "need_hunger", "wallet") == approx([0.699, 0.3])
    assert seen.all.mask[ADA].tolist() == [True] + [False] * 14
    assert seen(BEN, "neighbor_agent_ratio") == approx(1 / 24)
    assert seen.drawn(BEN, "agents")[2] == ".11.."
    assert seen(BEN, "social_0_trust") == 0.5
    assert not seen.all.mask[BEN, CHAT]  # nobody is there any more
    world.run()
    seen = look(world, seen=world.out.seen)
    assert not seen.all.valid[ADA]
    assert seen(BEN, "neighbor_agent_ratio", "social_0_trust") == [0, 0]


def test_who_arrives_is_told_so_once() -> None:
    world = World()
    world.state.lifecycle.respawn_tick[VACANT] = 1
    world.run()
    seen = look(world, seen=world.out.seen)
    assert seen.all.valid[VACANT]
    assert not world.out.valid[VACANT]  # it did not act
    assert [seen(slot, "ctx_reset_flag") for slot in (VACANT, ADA)] == [1, 0]
    assert seen(VACANT, "last_action_id_hash", "episode_progress", "wallet") == approx([0, 0, 0.3])
    assert seen(VACANT, "embedding_slot_norm") == approx(6 / 64)
    assert seen.all.mask[VACANT, EAST]
    world.run()
    seen = look(world, seen=world.out.seen)
    assert seen(VACANT, "ctx_reset_flag") == 0
    assert seen(VACANT, "last_action_id_hash") == approx(0.238998859)


def test_who_is_called_to_a_meet_is_told_so() -> None:
    world = World()
    world.state.perturbations.member[PARTY, [BEN, EVA]] = True
    world.order(PARTY, due=1)
    world.run()
    seen = look(world, seen=world.out.seen)
    assert [seen(slot, "ctx_reset_flag") for slot in range(6)] == [0, 1, 0, 0, 1, 0]
    assert seen(BEN, "neighbor_agent_ratio") == approx(1 / 24)


def test_everything_of_the_tick_is_seen_at_once() -> None:
    world = World()
    world.at(361)
    world.order(BLACKOUT, due=361)
    world.ask(ADA, Kind.MOVE, direction=1)
    world.ask(BEN, Kind.MOVE, direction=3)
    world.run()
    seen = look(world, seen=world.out.seen)
    assert seen(ADA, "time_sin") == approx(np.sin(2 * np.pi * 361 / 1440), abs=1e-6)
    assert seen(ADA, "power_on", "water_on") == [0, 1]
    assert seen.block(ADA, "last_action") == approx([0.704875165, 1, 1 / 60])
    assert seen.block(BEN, "last_action") == approx([0.704875165, 0, 1 / 60])  # into the wall
    assert seen(ADA, "episode_progress") == approx(1 / 1440)
    assert seen.drawn(ADA, "agents")[2] == ".11.."  # dan, whom ada left behind


def test_the_core_ticks_as_if_nobody_watched() -> None:
    world = World()
    waiting = actions.waiting(world.spec.num_agents)
    after, output, _ = ADVANCE(world.params, world.state, waiting, np.int32(1), np.bool_(False))
    assert int(output.seen.clock.tick) == int(after.clock.tick) == 1
    np.testing.assert_array_equal(output.seen.roster.position, after.roster.position)
    np.testing.assert_array_equal(output.seen.needs.level, after.needs.level)


@functools.cache
def default_at_reset() -> tuple[View, Any]:
    """Return what the default town looks like at reset, and its state."""
    spec, params, _ = build(load("default"))
    state = jax.jit(town.init, static_argnums=0)(spec, params, rng.town_key(0, 0))
    return View(spec, OBSERVE(spec, params, state, state, np.zeros(8, np.int32))), editable(state)


def test_v47_ada_at_reset() -> None:
    view, state = default_at_reset()
    assert view(ADA, "time_sin", "time_cos") == [0, 1]
    assert view(ADA, "wallet") == approx(0.3)
    assert [view(ADA, f"landmark_{name}_dist") for name in ("fridge", "stove", "bed", "shower")] == [
        0.0625, 0.0625, 0.015625, 0.40625,
    ]  # fmt: skip
    assert view(ADA, "neighbor_object_ratio") == approx(4 / 121)
    assert view.all.map[ADA, view.layout.channel("walls")].sum() == 39
    assert view(ADA, "shift_starts_in", "has_job") == approx([0.25, 1])
    assert view.block(ADA, "work_") == approx([0, 1, 0, 0, 0.375])
    assert view.block(ADA, "home_") == [0, 0, 0, 0, 0]
    assert view.block(ADA, "need_") == approx(state.needs.level[ADA].tolist())


def test_steps_to_work_are_those_of_the_default_town() -> None:
    view, _ = default_at_reset()
    assert [view(slot, "work_distance") * 64 for slot in range(8)] == approx([24, 24, 36, 36, 35, 39, 33, 22])
    assert [view(slot, "landmark_shower_dist") * 64 for slot in range(8)] == approx([26] * 8)
