"""What only the order of the tick decides: faults, coins, aborts, days (MECHANICS 4; core.tick)."""

import numpy as np
import pytest

from core.worlds import ADVANCE, BARISTA, BENCH, BLACKOUT, FRIDGE, MEET, REST_BENCH, SHOWER, USE_SHOWER, World, editable
from townlet_jax.core.enums import Abort, Fault, Kind


def broken(world: World) -> int:
    """Live one tick and return the fault bits."""
    return int(ADVANCE(world.params, world.state, world.intents, np.int32(1), np.bool_(False))[0].faults)


def test_faults_are_told() -> None:
    world = World()
    assert broken(world) == 0
    world.state.needs.level[0, 1] = np.nan
    assert broken(world) == Fault.NAN_NEED
    world = World()
    world.state.economy.stock[FRIDGE, 0] = -1
    assert broken(world) == Fault.NEGATIVE_STOCK
    world = World()
    world.state.queues.holding[[0, 1]] = BENCH
    world.beside(0, BENCH)
    world.beside(1, BENCH)
    assert broken(world) == Fault.DOUBLE_HOLD


def test_faults_are_sticky_and_add_up() -> None:
    world = World()
    world.flat(0, 99)
    world.run()
    assert int(world.state.faults) == Fault.BAD_INTENT
    world.state.economy.stock[FRIDGE, 0] = -1
    assert broken(world) == Fault.BAD_INTENT | Fault.NEGATIVE_STOCK


def test_coins_go_cost_fine_pay_rent() -> None:
    world = World()
    world.state.employment.job[0] = BARISTA
    world.params.jobs.start[BARISTA] = 1430
    world.state.employment.shift_start_tick[0], world.state.employment.phase[0] = 1430, 1
    world.params.employment.site_range[...] = 20
    world.params.world.interaction_range[...] = 20
    world.params.economy.rent_per_day[...] = 0.02
    world.at(1440)
    world.state.economy.wallet[0] = 0.45
    world.put(0, *world.params.world.site_tile[BARISTA])
    world.ask(0, Kind.USE, object=FRIDGE, affordance=1)
    outcomes = world.run()
    assert outcomes.starts.cost[0] == pytest.approx(0.4)
    assert outcomes.shifts.fine_taken[0] == pytest.approx(0.05, abs=1e-6)  # of .1, what the meal has left
    assert outcomes.shifts.paid[0] == pytest.approx(0.02)
    assert outcomes.trades.rent_paid[0] == pytest.approx(0.02)
    assert world.state.economy.wallet[0] == pytest.approx(0, abs=1e-6)


def test_what_starts_in_a_dark_tick_is_refused_and_what_runs_is_cut() -> None:
    world = World()
    world.order(BLACKOUT, due=1, ticks=1)
    world.hold(0, SHOWER)
    world.ask(0, Kind.START, object=SHOWER, affordance=USE_SHOWER)
    outcomes = world.run()
    assert outcomes.starts.affordance[0] == -1
    assert not outcomes.aborts.reason.any()


def test_the_last_abort_of_a_tick_counts() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.state.perturbations.member[MEET, 0] = True
    world.order(MEET, due=1, ticks=3)
    world.state.lifecycle.condemned[0] = 1
    outcomes = world.run()
    assert outcomes.aborts.reason[0] == Abort.RELOCATED  # nothing runs any more when it leaves
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.state.lifecycle.condemned[0] = 1
    assert world.run().aborts.reason[0] == Abort.DEPARTED


def test_a_released_object_is_free_for_requests_of_the_same_tick() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.beside(1, BENCH)
    world.ask(0, Kind.RELEASE, object=BENCH)
    world.ask(1, Kind.USE, object=BENCH, affordance=REST_BENCH)
    outcomes = world.run()
    assert outcomes.starts.affordance[1] == REST_BENCH
    assert outcomes.handovers.successor[0] == -1  # nobody waited when it was released


def test_moving_into_range_comes_before_asking() -> None:
    world = World()
    world.put(0, 11, 6)
    world.put(1, 11, 7)
    world.ask(0, Kind.USE, object=BENCH, affordance=REST_BENCH)
    world.run()
    assert world.state.activities.affordance[0] == -1
    world.put(0, 10, 6)
    world.ask(0, Kind.USE, object=BENCH, affordance=REST_BENCH)
    world.run()
    assert world.state.activities.affordance[0] == REST_BENCH


def test_a_quiet_tick_changes_only_clocks_and_needs() -> None:
    world = World()
    before = editable(world.state)
    world.run()
    after = world.state
    assert int(after.clock.tick) == 1
    for name in ("queues", "activities", "ties", "employment", "exits", "economy", "lifecycle", "embeddings", "tally"):
        for one, other in zip(vars(getattr(before, name)).values(), vars(getattr(after, name)).values(), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert (after.needs.level[:6] < before.needs.level[:6]).all()
