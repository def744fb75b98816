"""Evictions: every route, the cap, quiet times, overflow, rent and age (MECHANICS 4.6.1)."""

import pytest

from core.worlds import BLACKOUT, MEET, World
from townlet_jax.core.enums import NEVER, Exit, ExitRoute


def absent(world: World, *slots: int, days: tuple[int, ...] = (0, 0, 0)) -> None:
    """Note absences of some slots."""
    for slot in slots:
        world.state.employment.absence_day[slot, : len(days)] = days


def asked(world: World, **ticks: int) -> None:
    """Put slots (s0, s1, ...) into the exit queue."""
    for name, moment in ticks.items():
        world.state.exits.asked_tick[int(name[1:])] = moment


def test_three_absences_ask_for_an_exit() -> None:
    world = World()
    world.at(100)
    absent(world, 0)
    absent(world, 1, days=(0, 0))
    outcomes = world.run()
    assert outcomes.exit_queue.pending[:3].tolist() == [True, False, False]
    assert outcomes.exit_queue.route[0] == ExitRoute.DAILY_CAP  # there is room: it leaves at once
    assert outcomes.departures.reason[0] == Exit.EVICTION_JOB
    assert not world.state.roster.alive[0]
    assert int(world.state.exits.exits_today) == 1
    assert world.state.exits.asked_tick[0] == NEVER
    assert world.out.terminated[:2].tolist() == [True, False]


@pytest.mark.parametrize("field", ["enforce_job_loop", "max_absent_shifts"])
def test_the_job_loop_can_be_off(field: str) -> None:
    world = World()
    getattr(world.params.employment, field)[...] = 0
    absent(world, 0)
    assert not world.run().exit_queue.pending.any()


def test_old_absences_do_not_count() -> None:
    world = World()
    world.at(1440 * 8 + 5)
    absent(world, 0, days=(8, 2, 1))  # the last is 7 days old
    assert not world.run().exit_queue.pending.any()
    absent(world, 0, days=(8, 2, 2))
    assert bool(world.run().exit_queue.pending[0])


def test_the_cap_takes_the_earliest_first_then_the_lowest_slot() -> None:
    world = World()
    world.at(100)
    asked(world, s0=50, s1=40, s2=50, s4=60)
    outcomes = world.run()
    assert outcomes.departures.gone.nonzero()[0].tolist() == [0, 1]
    assert outcomes.exit_queue.route[:5].tolist() == [ExitRoute.DAILY_CAP, ExitRoute.DAILY_CAP, 0, 0, 0]
    assert not world.run().departures.gone.any()  # no room left today
    assert world.state.exits.asked_tick[[2, 4]].tolist() == [50, 60]


def test_no_cap() -> None:
    world = World()
    world.state.controls.daily_exit_cap[...] = 0
    world.at(100)
    asked(world, s0=50, s1=40, s2=50, s3=50, s4=60)
    assert world.run().departures.gone.sum() == 5


def test_approved_and_reviewed_exits_ignore_the_cap_but_take_its_room() -> None:
    world = World()
    world.at(2000)
    asked(world, s0=1999, s1=560, s2=561, s3=1990)
    world.state.exits.approved[[0, 4]] = True
    outcomes = world.run()
    assert outcomes.exit_queue.route[:5].tolist() == [
        ExitRoute.MANUAL,
        ExitRoute.AUTO_REVIEW,
        ExitRoute.NONE,
        ExitRoute.NONE,
        ExitRoute.MANUAL,
    ]
    assert (outcomes.departures.reason[[0, 1, 4]] == Exit.EVICTION_JOB).all()
    assert int(world.state.exits.exits_today) == 3  # one more than the cap
    assert not world.state.exits.approved.any()


def test_room_left_by_manual_exits_goes_to_the_queue() -> None:
    world = World()
    world.at(100)
    asked(world, s0=90, s1=91, s2=92)
    world.state.exits.approved[2] = True
    outcomes = world.run()
    assert outcomes.exit_queue.route[:3].tolist() == [ExitRoute.DAILY_CAP, ExitRoute.NONE, ExitRoute.MANUAL]


def test_rent_and_age_in_slot_order_while_there_is_room() -> None:
    world = World()
    world.at(2000)
    world.state.controls.daily_exit_cap[...] = 3
    world.params.lifecycle.max_age_days[...] = 1
    world.state.roster.born_tick[:6] = (561, 560, 0, 0, 0, 0)
    world.state.economy.unpaid_days[[2, 5]] = 2
    outcomes = world.run()
    assert outcomes.departures.reason[:6].tolist() == [
        Exit.NONE,  # a tick too young
        Exit.AGE_OUT,
        Exit.EVICTION_RENT,
        Exit.NONE,  # no room
        Exit.NONE,
        Exit.EVICTION_RENT,
    ]
    assert (outcomes.exit_queue.route == 0).all()
    assert int(world.state.exits.exits_today) == 3


def test_exits_from_the_queue_take_the_room_of_rent_and_rent_that_of_age() -> None:
    world = World()
    world.at(1500)
    world.params.lifecycle.max_age_days[...] = 1
    asked(world, s5=1400)
    world.state.economy.unpaid_days[[3, 4]] = 2
    world.state.roster.born_tick[:6] = (0, 1490, 1490, 1490, 1490, 1490)
    outcomes = world.run()
    assert outcomes.departures.gone.nonzero()[0].tolist() == [3, 5]
    assert outcomes.departures.reason[[3, 5]].tolist() == [Exit.EVICTION_RENT, Exit.EVICTION_JOB]


def test_rent_evictions_wait_for_room() -> None:
    world = World()
    world.at(100)
    world.state.exits.exits_today[...] = 2
    world.state.economy.unpaid_days[0] = 5
    assert not world.run().departures.gone.any()
    world.at(1440)
    world.state.economy.wallet[1:6] = 50
    world.state.economy.wallet[0] = 0
    assert world.run().departures.reason[0] == Exit.EVICTION_RENT  # midnight comes before judge


def test_without_rent_nobody_is_evicted_for_it() -> None:
    world = World()
    world.params.economy.rent_per_day[...] = 0
    world.state.economy.unpaid_days[0] = 5
    assert not world.run().departures.gone.any()


def unrest(world: World) -> None:
    """Give everybody a reason to leave: queue, approval, rent, age."""
    world.state.controls.daily_exit_cap[...] = 0
    world.params.lifecycle.max_age_days[...] = 1
    asked(world, s0=50, s1=50)
    world.state.exits.approved[1] = True
    world.state.economy.unpaid_days[2] = 2
    world.state.roster.born_tick[3] = 0
    world.state.roster.born_tick[[0, 1, 2, 4, 5]] = 2990
    absent(world, 4, days=(2, 2, 2))


def test_city_events_and_their_aftermath_are_quiet() -> None:
    world = World()
    world.at(2999)
    unrest(world)
    world.begin(BLACKOUT, until=3001)
    outcomes = world.run()
    assert not outcomes.departures.gone.any()
    assert bool(outcomes.exit_queue.pending[4])  # asking goes on
    assert bool(outcomes.shocks.city_event)
    for _ in range(2):
        assert not world.run().departures.gone.any()
    assert int(world.state.perturbations.quiet_until) == 3061
    world.at(3060)
    assert not world.run().departures.gone.any()
    assert world.run().departures.gone.nonzero()[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("quiet", ["off", "meet"])
def test_exits_go_on_without_the_rule_and_during_meets(quiet: str) -> None:
    world = World()
    world.at(3000)
    unrest(world)
    if quiet == "off":
        world.params.lifecycle.suppress_exits[...] = False
    world.begin(BLACKOUT if quiet == "off" else MEET, until=3050)
    assert world.run().departures.gone.sum() == 5


def test_killing_and_fainting_do_not_wait_for_quiet() -> None:
    world = World()
    world.begin(BLACKOUT, until=50)
    world.state.lifecycle.condemned[0] = 1
    world.state.needs.level[1, 0] = 0
    world.state.lifecycle.faint_streak[1] = 29
    outcomes = world.run()
    assert outcomes.departures.reason[:3].tolist() == [Exit.KILLED, Exit.FAINT, Exit.NONE]
    assert int(world.state.exits.exits_today) == 0


def test_overflow_is_counted_in_slot_order() -> None:
    world = World(living=12)
    world.at(100)
    world.state.exits.exits_today[...] = 2
    asked(world, **{f"s{slot}": 99 for slot in (0, 3, 5, 7, 8, 9)})
    absent(world, 1, 2, 4, 10)
    outcomes = world.run()
    assert outcomes.exit_queue.pending.nonzero()[0].tolist() == [1, 2, 4, 10]
    assert outcomes.exit_queue.overflow.nonzero()[0].tolist() == [4, 10]  # the queue may be 8 long
    world.params.employment.exit_queue_limit[...] = 0
    absent(world, 11)
    outcomes = world.run()
    assert bool(outcomes.exit_queue.pending[11])
    assert not outcomes.exit_queue.overflow.any()


def test_asking_once() -> None:
    world = World()
    world.state.exits.exits_today[...] = 2
    absent(world, 0)
    assert bool(world.run().exit_queue.pending[0])
    assert not world.run().exit_queue.pending.any()
    assert world.state.exits.asked_tick[0] == 1


def test_strongest_reason_wins() -> None:
    world = World()
    world.at(3000)
    world.state.controls.daily_exit_cap[...] = 0
    world.params.lifecycle.max_age_days[...] = 1
    world.state.roster.born_tick[:6] = 0
    world.state.lifecycle.condemned[0] = 1
    asked(world, s0=1, s1=1)
    world.state.economy.unpaid_days[:3] = 2
    world.state.needs.level[:4, 0] = 0
    world.state.lifecycle.faint_streak[:4] = 29
    outcomes = world.run()
    assert outcomes.departures.reason[:5].tolist() == [
        Exit.KILLED,
        Exit.EVICTION_JOB,
        Exit.EVICTION_RENT,
        Exit.FAINT,
        Exit.AGE_OUT,
    ]
    assert outcomes.exit_queue.route[:2].tolist() == [ExitRoute.NONE, ExitRoute.AUTO_REVIEW]
    assert world.out.measures.exits.tolist() == [0, 1, 1, 1, 2, 1]
    assert int(world.state.exits.exits_today) == 5  # the old one that fainted has taken its room, the killed one not
