"""Ties: events, profiles, capacity, decay, shared meals (MECHANICS 4.4.7, 8.3; 16.1 V12, V18-V21)."""

import numpy as np
import pytest

from core.worlds import (
    BALANCED,
    BENCH,
    EAT_MEAL,
    FRIDGE,
    FRIDGE_B,
    INDUSTRIOUS,
    REST_BENCH,
    SHOWER,
    SOCIALITE,
    STOIC,
    WASH,
    World,
    talking,
)
from townlet_jax.core.enums import NEVER, Kind, TieEvent


@pytest.mark.parametrize(("ticks", "rivalry"), [(1, 0.22), (10, 0.175), (44, 0.005), (45, 0)])
def test_v12_rivalry_decays(ticks: int, rivalry: float) -> None:
    world = World()
    world.tie(0, 1, rivalry=0.225)
    world.run(ticks)
    assert world.bond(0, 1)[2] == pytest.approx(rivalry, abs=1e-5)


def test_a_tie_without_any_value_fades() -> None:
    world = World()
    world.tie(0, 1, rivalry=0.008)
    world.tie(0, 2, rivalry=0.008, trust=0.1)
    assert not world.run().tie_changes.faded.any()
    assert world.out.measures.known_ties == 2
    outcomes = world.run()
    assert np.argwhere(outcomes.tie_changes.faded).tolist() == [[0, 1]]
    assert outcomes.tie_changes.rivalry_delta[0, 1] == pytest.approx(-0.003)
    assert world.bond(0, 1) == (0, 0, 0)
    assert world.out.measures.known_ties == 1


def test_trust_and_familiarity_decay_toward_zero_without_crossing_it() -> None:
    world = World()
    world.params.ties.trust_decay[...] = 0.1
    world.params.ties.familiarity_decay[...] = 0.2
    world.tie(0, 1, trust=-0.25, familiarity=0.35)
    world.run()
    assert world.bond(0, 1) == pytest.approx((-0.15, 0.15, 0))
    outcomes = world.run(2)
    assert world.bond(0, 1) == (0, 0, 0)
    assert bool(outcomes.tie_changes.faded[0, 1])


@pytest.mark.parametrize(("profile", "trust"), [(SOCIALITE, -0.095), (INDUSTRIOUS, -0.105), (STOIC, -0.075)])
def test_v18_losses_are_softened_by_forgiveness(profile: int, trust: float) -> None:
    world = World()
    world.params.conflict.rivalry_decay[...] = 0
    world.state.employment.job[:2] = 0
    world.state.employment.phase[0] = 4
    world.at(900)
    world.state.employment.shift_start_tick[:2] = 840
    world.state.employment.flags[1] = 1
    world.state.roster.profile[0] = profile
    world.put(1, *world.params.world.site_tile[0])
    outcomes = world.run()
    assert bool(outcomes.shifts.took_shift[0, 1])
    assert world.bond(0, 1) == pytest.approx((trust, 0, 0.3))
    assert world.bond(1, 0) == pytest.approx((-0.1, 0, 0.3))


@pytest.mark.parametrize(
    ("profile", "rivalry"), [(BALANCED, 0.225), (SOCIALITE, 0.21825), (INDUSTRIOUS, 0.25875), (STOIC, 0.2115)]
)
def test_v19_conflicts_are_heated_by_ambition(profile: int, rivalry: float) -> None:
    world = World()
    world.params.conflict.rivalry_decay[...] = 0
    world.state.roster.profile[0] = profile
    world.hold(0, SHOWER)
    world.state.queues.stalls[0] = 2
    world.queue(1, SHOWER, ticket=0)
    world.run()
    assert world.bond(0, 1)[2] == pytest.approx(rivalry)
    assert world.bond(1, 0)[2] == pytest.approx(0.225)


def test_modifiers_can_be_off() -> None:
    world = talking()
    world.params.personality.modify_ties[...] = False
    world.state.roster.profile[0] = SOCIALITE
    world.ask(0, Kind.CHAT, target=1, quality=0.6)
    world.run()
    assert world.bond(0, 1) == pytest.approx((0.03, 0.06, 0))


def test_v20_deltas_are_summed_then_clipped_then_decayed() -> None:
    world = talking()
    world.params.conflict.rivalry_decay[...] = 0.005
    world.at(30)
    world.tie(0, 1, trust=0.97, familiarity=0.30, rivalry=0.02)
    world.ask(0, Kind.CHAT, target=1, quality=0.8)
    world.ask(1, Kind.CHAT, target=0, quality=0.5)
    world.hold(0, BENCH, REST_BENCH, remaining=1)  # a polite handover to 1, who is impatient in the same tick
    world.queue(1, BENCH, ticket=0, joined=20)
    world.run()
    assert world.bond(0, 1) == pytest.approx((1, 0.48, 0.025), abs=1e-5)


def test_v21_the_weakest_ties_of_a_full_row_are_lost() -> None:
    world = World(living=9)
    strengths = (0.5, 0.125, 0.125, 0.125, 1.125, 0.125, 0.375, 1.75)
    for slot, strength in enumerate(strengths, start=1):
        world.tie(0, slot, trust=-strength / 2, familiarity=strength / 2)
    outcomes = world.run()
    assert outcomes.tie_changes.evicted[0].nonzero()[0].tolist() == [4, 6]
    assert world.bond(0, 4) == world.bond(0, 6) == (0, 0, 0)
    assert not outcomes.tie_changes.faded[0].any()
    assert world.bond(0, 2) == (-0.0625, 0.0625, 0)
    assert outcomes.tie_changes.evicted.sum() == 2


def test_capacity_counts_rivalry_and_comes_before_decay() -> None:
    world = World()
    world.params.conflict.max_edges[...] = 1
    world.tie(0, 1, rivalry=0.004)  # would fade in this tick
    world.tie(0, 2, trust=0.01)
    outcomes = world.run()
    assert bool(outcomes.tie_changes.evicted[0, 1])
    assert not outcomes.tie_changes.faded[0, 1]
    assert world.bond(0, 2)[0] == pytest.approx(0.01)


def dinner(places: tuple[int, int], *, last: int = NEVER, both: bool = True, length: int = 1) -> World:
    """Return a world in which agent 0 finishes a meal in tick 100, and agent 1 finishes or has finished one."""
    world = World()
    world.at(100)
    world.hold(0, places[0], EAT_MEAL, remaining=length)
    if both:
        world.hold(1, places[1], EAT_MEAL, remaining=length)
    else:
        world.put(1, places[1], 3)
    world.state.ties.last_meal_tick[1] = last
    return world


def test_a_shared_meal_of_two_that_finish_together() -> None:
    world = dinner((FRIDGE, FRIDGE_B))
    outcomes = world.run()
    assert np.argwhere(outcomes.tie_changes.shared_meal).tolist() == [[0, 1]]
    assert world.bond(0, 1) == pytest.approx((0.1, 0.25, 0))
    assert world.bond(1, 0) == pytest.approx((0.1, 0.25, 0))
    assert world.state.ties.last_meal_tick[:2].tolist() == [100, 100]
    assert world.out.measures.shared_meals == 1


@pytest.mark.parametrize(
    ("last", "x", "shared"),
    [(85, 3, True), (84, 3, False), (NEVER, 3, False), (85, 6, True), (85, 7, False), (0, 3, False)],
)
def test_the_window_and_range_of_shared_meals(last: int, x: int, shared: bool) -> None:
    world = dinner((FRIDGE, x), last=last, both=False)
    outcomes = world.run()
    assert bool(outcomes.tie_changes.shared_meal.any()) is shared
    assert world.state.ties.last_meal_tick[1] == last


@pytest.mark.parametrize("length", [-1, 0])
def test_shared_meals_off_or_of_the_same_tick_only(length: int) -> None:
    world = dinner((FRIDGE, FRIDGE_B))
    world.params.ties.shared_meal_ticks[...] = length
    assert bool(world.run().tie_changes.shared_meal.any()) is (length == 0)
    world = dinner((FRIDGE, 3), last=99, both=False)
    world.params.ties.shared_meal_ticks[...] = length
    assert not world.run().tie_changes.shared_meal.any()


def test_what_is_no_meal_is_not_shared() -> None:
    world = dinner((FRIDGE, FRIDGE_B))
    world.state.activities.affordance[1] = WASH
    outcomes = world.run()
    assert not outcomes.tie_changes.shared_meal.any()
    assert world.state.ties.last_meal_tick[:2].tolist() == [100, NEVER]


def test_single_deltas_are_clipped() -> None:
    world = talking()
    world.params.ties.delta[TieEvent.CHAT_SUCCESS] = (-1, 0, 0)
    world.params.personality.trait[BALANCED] = (0, -1, 0)  # unforgiving: losses count one and a half times
    world.tie(0, 1, trust=0.9)
    world.ask(0, Kind.CHAT, target=1, quality=1.0)
    world.run()
    assert world.bond(0, 1)[0] == pytest.approx(-0.1)


def test_ties_of_leavers_are_forgotten_on_both_sides() -> None:
    world = World()
    world.tie(0, 1, trust=0.5)
    world.tie(1, 0, familiarity=0.5)
    world.tie(1, 2, trust=0.5)
    world.state.ties.last_meal_tick[0], world.state.ties.chat_ready_tick[0] = 3, 99
    world.state.lifecycle.condemned[0] = 1
    world.run()
    assert world.bond(0, 1) == world.bond(1, 0) == (0, 0, 0)
    assert world.bond(1, 2)[0] == pytest.approx(0.5)
    assert (world.state.ties.last_meal_tick[0], world.state.ties.chat_ready_tick[0]) == (NEVER, 0)
