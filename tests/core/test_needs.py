"""Levels: decay, effects, night, vacancy (MECHANICS 4.3.6, 4.5.2; 16.1 V1-V2)."""

import numpy as np
import pytest

from core.worlds import BED, INDUSTRIOUS, REST_SLEEP, SOCIALITE, STOIC, World
from townlet_jax.core.enums import Need


def test_v1_decay() -> None:
    world = World()
    world.state.needs.level[0] = 1
    world.run(100)
    np.testing.assert_allclose(world.state.needs.level[0], [0.9, 0.95, 0.93], atol=1e-5)


@pytest.mark.parametrize(
    ("profile", "need", "level"),
    [(STOIC, Need.HUNGER, 0.405), (SOCIALITE, Need.HYGIENE, 0.445), (INDUSTRIOUS, Need.ENERGY, 0.437)],
)
def test_v2_decay_of_profiles(profile: int, need: Need, level: float) -> None:
    world = World()
    world.state.roster.profile[0] = profile
    world.state.needs.level[0] = 0.5
    world.run(100)
    assert world.state.needs.level[0, need] == pytest.approx(level, abs=1e-5)


def test_profiles_count_only_while_the_switch_is_on() -> None:
    world = World()
    world.params.personality.modify_needs[...] = False
    world.state.roster.profile[0] = STOIC
    world.state.needs.level[0] = 0.5
    world.run(100)
    assert world.state.needs.level[0, 0] == pytest.approx(0.4, abs=1e-5)


def test_effects_are_clipped_before_decay() -> None:
    world = World()
    world.state.needs.level[0] = 0.9
    world.hold(0, BED, REST_SLEEP, remaining=1)
    outcomes = world.run()
    assert outcomes.finishes.need_delta[0] == pytest.approx([0, 0, 0.7])
    assert world.state.needs.level[0, Need.ENERGY] == pytest.approx(1 - 0.0007, abs=1e-6)


def test_levels_end_at_zero_and_vacant_slots_stay_there() -> None:
    world = World()
    world.state.needs.level[0] = 0.0002
    world.run()
    assert world.state.needs.level[0].tolist() == [0, 0, 0]
    assert (world.state.needs.level[6:] == 0).all()


def test_midnight_lifts_to_the_floor() -> None:
    world = World()
    world.freeze_needs()
    world.params.needs.night_floor[:] = (0.5, 0.6, 0.7)
    world.state.needs.level[0] = (0.55, 0.55, 0.7)
    world.at(1439)
    assert not world.run().night.lifted.any()
    outcomes = world.run()
    assert bool(outcomes.night.is_night)
    assert world.state.needs.level[0] == pytest.approx([0.55, 0.6, 0.7])
    assert outcomes.night.lifted[:2].tolist() == [True, False]  # the second was above the floor everywhere
    assert not outcomes.night.lifted[6:].any()
    assert (world.state.needs.level[6:] == 0).all()
    assert not bool(world.run().night.is_night)
