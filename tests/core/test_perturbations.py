"""Perturbations: every kind, random and ordered, their limits and shocks (MECHANICS 4.1.3; 16.1 V44, V45)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from core.worlds import (
    BENCH,
    BLACKOUT,
    BOTTLENECK,
    CAFE_MEAL,
    GROCERIES,
    MEAL,
    MEET,
    OUTAGE,
    PARK,
    PARTY,
    POWER,
    REST_BENCH,
    ROADWORKS,
    SHOWER,
    SHOWER_B,
    SPIKE,
    SPIKE_B,
    WATER,
    World,
    editable,
)
from townlet_jax.config import build, load
from townlet_jax.core import town
from townlet_jax.core.enums import NEVER, NOBODY, Perturb, Phase
from townlet_jax.core.params import Params
from townlet_jax.core.state import Perturbations
from townlet_jax.core.systems import perturbations

CERTAIN = 1e9  # events a day


@functools.cache
def _history() -> list[tuple[float, ...]]:
    """Return the starts of the default specs in ticks 1..10000 of key(0): tick, spec, length, until, cooldown."""
    spec, params, _ = build(load("default"))
    state = town.init(spec, params, jax.random.key(0))
    idle = jnp.zeros(spec.num_agents, jnp.int32)
    guests = perturbations.Guests(
        alive=state.roster.alive, busy=idle != 0, phase=idle, rivalry=jnp.zeros((spec.num_agents,) * 2)
    )

    @jax.jit
    def run(params: Params, slice_: Perturbations) -> Any:
        def step(before: Perturbations, moment: jax.Array) -> Any:
            rested = before.replace(agent_cooldown_until=idle)  # candidates are always there
            after, shocks = perturbations.advance(params, rested, guests=guests, tick=moment, key=state.key)
            return after, (shocks.started, after.until_tick, after.cooldown_until, after.magnitude)

        return jax.lax.scan(step, slice_, jnp.arange(1, 10001, dtype=jnp.int32))[1]

    started, until, cooldown, magnitude = (np.asarray(column) for column in run(params, state.perturbations))
    starts: list[tuple[float, ...]] = []
    for row, v in np.argwhere(started):
        start = (int(row) + 1, int(v), int(until[row, v] - row - 1), int(until[row, v]), int(cooldown[row, v]))
        starts.append((*start, round(float(magnitude[row, v]), 5)) if v == SPIKE else start)
    return starts


def test_v44_random_starts() -> None:
    assert _history() == [
        (2340, MEET, 31, 2371, 3211),
        (3008, BOTTLENECK, 45, 3053, 4013),
        (7433, SPIKE, 82, 7515, 8235, 1.69531),
        (9303, MEET, 36, 9339, 10179),
        (9832, BOTTLENECK, 46, 9878, 10838),
    ]


def eager(*specs: int) -> World:
    """Return a world in which some specs start whenever they may."""
    world = World()
    rules = world.params.perturbation
    rules.prob_per_day[list(specs)] = CERTAIN
    rules.cooldown_ticks[:], rules.global_cooldown_ticks[...] = 0, 0
    rules.max_events_per_window[...] = 0
    return world


@pytest.mark.parametrize(("moment", "starts"), [(1539, False), (1540, True)])
def test_v45_window(moment: int, starts: bool) -> None:
    world = eager(BLACKOUT)
    world.params.perturbation.max_events_per_window[...] = 2
    world.state.perturbations.fired_tick[BLACKOUT] = (900, 100, NEVER, NEVER)
    world.at(moment)
    assert bool(world.run().shocks.started[BLACKOUT]) is starts
    ring = world.state.perturbations.fired_tick[BLACKOUT].tolist()
    assert ring == ([1540, 900, 100, NEVER] if starts else [900, 100, NEVER, NEVER])


@pytest.mark.parametrize(("limit", "started"), [(1, [BLACKOUT]), (2, [BLACKOUT, OUTAGE]), (8, [1, 2, 4, 5])])
def test_concurrency_takes_specs_in_index_order(limit: int, started: list[int]) -> None:
    world = eager(BLACKOUT, OUTAGE, BOTTLENECK, SPIKE_B)
    world.params.perturbation.max_concurrent[...] = limit
    outcomes = world.run()
    assert outcomes.shocks.started.nonzero()[0].tolist() == started
    assert world.out.measures.active_perturbations == len(started)


def test_running_and_ordered_events_take_room() -> None:
    world = eager(SPIKE_B)
    world.params.perturbation.max_concurrent[...] = 2
    world.begin(BLACKOUT, until=50)
    world.order(OUTAGE, due=1, ticks=5)
    assert world.run().shocks.started.nonzero()[0].tolist() == [OUTAGE]


@pytest.mark.parametrize(("moment", "starts"), [(99, False), (100, True)])
def test_cooldown_blocks_random_starts_only(moment: int, starts: bool) -> None:
    world = eager(OUTAGE)
    world.state.perturbations.cooldown_until[[BLACKOUT, OUTAGE]] = 100
    world.order(BLACKOUT, due=moment)
    world.at(moment)
    assert world.run().shocks.started[[BLACKOUT, OUTAGE]].tolist() == [True, starts]


def test_cooldowns_add_up() -> None:
    world = eager(BLACKOUT)
    rules = world.params.perturbation
    rules.cooldown_ticks[BLACKOUT], rules.global_cooldown_ticks[...] = 720, 240
    rules.duration_min[BLACKOUT] = rules.duration_max[BLACKOUT] = 30
    world.at(7)
    world.run()
    events = world.state.perturbations
    assert (events.until_tick[BLACKOUT], events.started_tick[BLACKOUT]) == (37, 7)
    assert events.cooldown_until[BLACKOUT] == 37 + 720 + 240


def test_an_event_is_active_from_its_start_to_before_its_end() -> None:
    world = World()
    world.at(10)
    world.order(BLACKOUT, due=12, ticks=3)
    on = []
    for _ in range(8):
        outcomes = world.run()
        on.append(bool(outcomes.shocks.utility_on[POWER]))
        assert bool(outcomes.shocks.utility_on[WATER])
        assert bool(outcomes.shocks.city_event) is not on[-1]
    assert on == [True, True, False, False, False, True, True, True]
    assert world.state.perturbations.until_tick[BLACKOUT] == NEVER
    assert world.state.perturbations.started_tick[BLACKOUT] == 12
    assert int(world.state.perturbations.quiet_until) == 15 + 60


def test_the_start_and_end_of_an_event_are_told_once() -> None:
    world = World()
    world.order(OUTAGE, due=1, ticks=1)
    first = world.run().shocks
    second = world.run().shocks
    assert (bool(first.started[OUTAGE]), bool(first.ended[OUTAGE])) == (True, False)
    assert (bool(second.started[OUTAGE]), bool(second.ended[OUTAGE])) == (False, True)
    assert (bool(first.utility_on[WATER]), bool(second.utility_on[WATER])) == (False, True)


def test_an_event_may_start_again_in_the_tick_in_which_it_ends() -> None:
    world = eager(BLACKOUT)
    world.begin(BLACKOUT, until=1)
    shocks = world.run().shocks
    assert (bool(shocks.ended[BLACKOUT]), bool(shocks.started[BLACKOUT])) == (True, True)


def test_price_spikes() -> None:
    world = World()
    world.order(SPIKE, due=1, ticks=2, magnitude=1.5)
    world.order(SPIKE_B, due=1, ticks=1, magnitude=1.2)
    factor = world.run().shocks.price_factor
    assert factor[[MEAL, CAFE_MEAL, GROCERIES]] == pytest.approx([1.8, 1.5, 1.5])
    assert (factor[[1, 2, 3, 4, 7]] == 1).all()
    assert world.run().shocks.price_factor[MEAL] == pytest.approx(1.5)
    outcomes = world.run()
    assert (outcomes.shocks.price_factor == 1).all()
    np.testing.assert_array_equal(outcomes.trades.price_now, world.state.controls.price)
    assert (world.state.perturbations.magnitude == 1).all()


def test_drawn_duration_and_magnitude_follow_the_stream() -> None:
    world = World()
    world.seed(jax.random.key(3))
    world.at(77)
    world.order(SPIKE, due=77)
    world.run()
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(3), 77), 2)
    draw = np.asarray(jax.random.uniform(key, (8, 4)))[SPIKE]
    assert world.state.perturbations.until_tick[SPIKE] == 77 + 60 + int(draw[1] * 61)
    assert world.state.perturbations.magnitude[SPIKE] == pytest.approx(1.2 + 0.6 * draw[2])


def test_an_order_is_used_up() -> None:
    world = World()
    world.order(SPIKE, due=1, ticks=0, magnitude=3.0)  # lasts at least a tick
    world.run()
    events = world.state.perturbations
    assert (events.queued_tick[SPIKE], events.queued_ticks[SPIKE], events.queued_magnitude[SPIKE]) == (NEVER, -1, -1)
    assert (events.until_tick[SPIKE], events.magnitude[SPIKE]) == (2, 3)


def test_an_order_for_a_running_event_waits_and_blocks_random_starts() -> None:
    world = eager(BLACKOUT)
    world.begin(BLACKOUT, until=3)
    world.order(BLACKOUT, due=1, ticks=9)
    assert not world.run(2).shocks.started.any()
    assert bool(world.run().shocks.started[BLACKOUT])
    assert world.state.perturbations.until_tick[BLACKOUT] == 12
    world = eager(OUTAGE)
    world.order(OUTAGE, due=5, ticks=9)
    assert not world.run(4).shocks.started.any()
    assert bool(world.run().shocks.started[OUTAGE])


@pytest.mark.parametrize("seed", range(4))
def test_bottlenecks_close_one_object_of_their_type(seed: int) -> None:
    world = World()
    world.seed(jax.random.key(seed))
    world.order(BOTTLENECK, due=1, ticks=2)
    outcomes = world.run()
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), 2)
    pick = (SHOWER, SHOWER_B)[int(np.asarray(jax.random.uniform(key, (8, 4)))[BOTTLENECK, 3] * 2)]
    assert outcomes.shocks.closed.nonzero()[0].tolist() == [pick]
    assert world.state.perturbations.object[BOTTLENECK] == pick
    assert not world.run(2).shocks.closed.any()
    assert world.state.perturbations.object[BOTTLENECK] == NOBODY


def test_fixed_and_ordered_objects() -> None:
    world = World()
    world.order(ROADWORKS, due=1, ticks=2)
    assert world.run().shocks.closed.nonzero()[0].tolist() == [BENCH]
    world = World()
    world.order(ROADWORKS, due=1, ticks=2)
    world.order(BOTTLENECK, due=1, ticks=2)
    world.state.perturbations.object[[ROADWORKS, BOTTLENECK]] = (SHOWER, SHOWER_B)
    assert world.run().shocks.closed.nonzero()[0].tolist() == [SHOWER, SHOWER_B]


def test_a_bottleneck_without_objects() -> None:
    world = eager(BOTTLENECK)
    world.params.world.present[[SHOWER, SHOWER_B]] = False
    assert not world.run().shocks.started.any()
    world.order(BOTTLENECK, due=2, ticks=2)
    outcomes = world.run()
    assert bool(outcomes.shocks.started[BOTTLENECK])
    assert not outcomes.shocks.closed.any()


def test_the_greatest_rivals_meet() -> None:
    world = eager(MEET)
    world.tie(1, 4, rivalry=0.5)
    world.tie(4, 1, rivalry=0.2)
    world.tie(2, 3, rivalry=0.6)
    outcomes = world.run()
    assert world.state.perturbations.member[MEET].nonzero()[0].tolist() == [1, 4]
    assert outcomes.shocks.relocated.tolist()[:6] == [NOBODY, MEET, NOBODY, NOBODY, MEET, NOBODY]
    until = world.state.perturbations.until_tick[MEET]
    assert world.state.perturbations.agent_cooldown_until[[1, 4]].tolist() == [until + 360] * 2
    assert world.state.perturbations.agent_cooldown_until[[0, 2, 3]].tolist() == [0, 0, 0]
    assert not bool(outcomes.shocks.city_event)


def test_without_rivalry_the_first_pair_meets_and_guests_join_by_rivalry() -> None:
    world = eager(MEET)
    world.params.perturbation.max_participants[MEET] = 4
    world.tie(5, 0, rivalry=0.1)  # the pair
    world.tie(0, 2, rivalry=0.05)
    world.tie(4, 5, rivalry=0.05)
    world.tie(3, 1, rivalry=0.09)
    world.run()
    assert world.state.perturbations.member[MEET].nonzero()[0].tolist() == [0, 2, 4, 5]
    world = eager(MEET)
    world.run()
    assert world.state.perturbations.member[MEET].nonzero()[0].tolist() == [0, 1]


def test_busy_working_and_tired_guests_are_spared() -> None:
    world = eager(MEET)
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.state.employment.phase[1:4] = (Phase.AWAIT, Phase.ON_TIME, Phase.LATE)
    world.state.employment.phase[4] = Phase.ABSENT
    world.state.perturbations.agent_cooldown_until[5] = 2
    assert not world.run().shocks.started.any()  # one candidate is too few
    world.at(2)
    world.state.employment.phase[1:5] = (Phase.AWAIT, Phase.ON_TIME, Phase.LATE, Phase.ABSENT)
    world.run()
    assert world.state.perturbations.member[MEET].nonzero()[0].tolist() == [4, 5]


def test_meets_may_disturb_the_busy() -> None:
    world = eager(MEET)
    world.params.perturbation.spare_busy[MEET] = False
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.run()
    assert world.state.perturbations.member[MEET].nonzero()[0].tolist() == [0, 1]


def test_random_guests_come_by_their_draw() -> None:
    world = World()
    world.seed(jax.random.key(11))
    world.order(PARTY, due=1)
    world.run()
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(11), 1), 3)
    draws = np.asarray(jax.random.uniform(key, (24, 4)))[:6, 3]
    guests = sorted(np.argsort(draws, kind="stable")[:3].tolist())
    assert world.state.perturbations.member[PARTY].nonzero()[0].tolist() == guests
    assert tuple(world.state.roster.position[guests[0]]) in {(x, y) for x in (12, 13, 14) for y in (5, 6, 7)}
    assert world.params.world.place_tile[0].tolist() == list(PARK)


def test_guests_named_by_the_operator_pass_all_tests_but_life() -> None:
    world = World()
    world.state.perturbations.member[MEET, [0, 3, 9]] = True
    world.state.perturbations.agent_cooldown_until[0] = 99
    world.state.employment.phase[3] = Phase.ON_TIME
    world.order(MEET, due=1, ticks=5)
    world.run()
    assert world.state.perturbations.member[MEET].nonzero()[0].tolist() == [0, 3]
    assert world.state.perturbations.agent_cooldown_until[[0, 3]].tolist() == [366, 366]


def test_a_meet_ordered_for_too_few_is_empty() -> None:
    world = World(living=1)
    world.order(MEET, due=1, ticks=5)
    outcomes = world.run()
    assert bool(outcomes.shocks.started[MEET])
    assert not world.state.perturbations.member.any()
    assert (outcomes.shocks.relocated == NOBODY).all()


def test_two_meets_of_one_tick_share_nobody() -> None:
    world = World()
    world.state.perturbations.member[MEET, [0, 1]] = True
    world.state.perturbations.member[PARTY, [1, 2]] = True
    world.order(MEET, due=1, ticks=5)
    world.order(PARTY, due=1, ticks=5)
    outcomes = world.run()
    assert outcomes.shocks.relocated[:3].tolist() == [MEET, MEET, PARTY]
    assert world.state.roster.position[:3].tolist() == world.params.world.meet_tile[[MEET, MEET, PARTY]].tolist()


def test_members_are_forgotten_at_the_end() -> None:
    world = World()
    world.state.perturbations.member[MEET, [0, 1]] = True
    world.order(MEET, due=1, ticks=1)
    world.run(2)
    assert not world.state.perturbations.member.any()


def test_a_probability_of_zero_never_fires_and_draws_decide() -> None:
    world = World()
    world.params.perturbation.prob_per_day[BLACKOUT] = 1440 * 0.5
    world.params.perturbation.max_events_per_window[...] = 0
    world.params.perturbation.cooldown_ticks[:] = 0
    world.params.perturbation.global_cooldown_ticks[...] = 0
    world.params.perturbation.duration_min[:] = world.params.perturbation.duration_max[:] = 1
    expected = []
    fired = []
    for moment in range(1, 21):
        outcomes = world.run()
        key = jax.random.fold_in(jax.random.fold_in(world.state.key, moment), 2)
        expected.append(bool(np.asarray(jax.random.uniform(key, (8, 4)))[BLACKOUT, 0] < 0.5))
        fired.append(bool(outcomes.shocks.started[BLACKOUT]))
        assert outcomes.shocks.started.sum() == fired[-1]
    assert fired == expected
    assert 0 < sum(fired) < 20


def test_kinds_of_the_hamlet() -> None:
    kinds = editable(World().params).perturbation.kind.tolist()
    assert kinds == [
        Perturb.PRICE_SPIKE,
        Perturb.BLACKOUT,
        Perturb.OUTAGE,
        Perturb.ARRANGED_MEET,
        Perturb.QUEUE_BOTTLENECK,
        Perturb.PRICE_SPIKE,
        Perturb.ARRANGED_MEET,
        Perturb.QUEUE_BOTTLENECK,
    ]
