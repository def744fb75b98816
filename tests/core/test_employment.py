"""The employment machine (MECHANICS 4.4.1-4.4.6; 16.1 V22-V29)."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest

from core.worlds import BARISTA, CLERK, GROCER, GUARD, World, on_device
from townlet_jax.core.enums import NEVER, Counter, Phase, ShiftFlag
from townlet_jax.core.systems import employment

START = 360  # the barista's shift, 360-599
FAR = (14, 1)


class Day:
    """One barista (slot 0) at work from some ticks of the shift to others; sums of what the shift came to."""

    def __init__(self, *presence: tuple[int, int]) -> None:
        self.world = world = World()
        world.freeze_needs()
        world.state.employment.job[0] = BARISTA
        world.at(START)
        self.sums: dict[str, float] = {}
        edges = sorted({0, 240, *(edge for stay in presence for edge in stay)})
        for begin, end in pairwise(edges):
            here = any(first <= begin < last for first, last in presence)
            world.put(0, *(world.params.world.site_tile[BARISTA] if here else FAR))
            world.run(end - begin)
            for name, amounts in world.sums.items():
                self.sums[name] = self.sums.get(name, 0.0) + float(amounts[0])
        self.last = world.run()

    def check(self, **expected: float) -> None:
        """Compare sums with what they must be."""
        assert {name: self.sums[name] for name in expected} == pytest.approx(expected, abs=1e-4)

    @property
    def net(self) -> float:
        """Return what the shift brought."""
        return float(self.world.state.economy.wallet[0]) - 3.0

    @property
    def attendance(self) -> float:
        """Return the newest sample."""
        return float(self.world.state.employment.attendance[0, 0])


def test_v22_punctual() -> None:
    day = Day((0, 240))
    day.check(paid=4.8, fine=0, withheld=0, ON_TIME=240, wage=4.8)
    assert day.sums["punctuality"] == pytest.approx(6.025, abs=1e-3)
    assert day.attendance == pytest.approx(1)
    assert bool(day.last.shifts.finalised[0])
    assert day.world.state.employment.phase[0] == Phase.POST
    assert day.world.state.tally.count[0, Counter.WAGE_TICKS] == 240
    assert day.world.state.tally.earned[0] == pytest.approx(4.8, abs=1e-4)
    assert day.world.state.employment.shift_paid[0] == pytest.approx(4.8, abs=1e-4)


def test_v23_late() -> None:
    day = Day((12, 240))
    day.check(AWAIT=6, LATE=234, paid=4.56, withheld=0.12, fine=0.13, fined=1, late_told=1, punctuality=0)
    assert day.net == pytest.approx(4.43, abs=1e-4)
    assert day.attendance == 0
    assert day.world.state.tally.count[0, Counter.LATE_SHIFTS] == 1
    assert day.world.state.employment.late_ticks[0] == 234
    assert day.world.state.employment.late_today[0] == 234


def test_v23_erin() -> None:
    """Of the scenario employment_punctuality: shift 10-30 at .03 a tick, there from tick 19 on."""
    world = World()
    world.freeze_needs()
    world.params.employment.arrival_buffer[...] = 5
    world.params.jobs.start[BARISTA], world.params.jobs.length[BARISTA] = 10, 21
    world.params.jobs.wage_rate[BARISTA], world.params.jobs.lateness_penalty[BARISTA] = 0.03, 0.2
    world.state.employment.job[0], world.state.economy.wallet[0] = BARISTA, 1
    world.put(0, *FAR)
    world.run(18)
    fine = world.sums["fine"][0]
    world.put(0, *world.params.world.site_tile[BARISTA])
    world.run(22)
    assert fine == pytest.approx(0.215, abs=1e-5)
    assert world.sums["paid"][0] == pytest.approx(0.36, abs=1e-5)
    assert world.state.economy.wallet[0] == pytest.approx(1.145, abs=1e-5)


def test_v24_absent() -> None:
    day = Day()
    day.check(AWAIT=6, LATE=25, ABSENT=209, paid=0, withheld=4.68, fine=0.425, absent_told=1, departed=1)
    assert day.world.state.tally.withheld[0] == pytest.approx(4.68, abs=1e-3)
    assert day.world.state.tally.count[0, Counter.ABSENT_SHIFTS] == 1
    assert day.world.state.employment.absence_day[0].tolist() == [0, *[NEVER] * 7]


def test_v25_goes_away_in_the_middle() -> None:
    day = Day((0, 100), (110, 240))
    day.check(ABSENT=10, fine=0.2, withheld=0.2, paid=4.6, departed=1, fined=0)
    assert day.net == pytest.approx(4.4, abs=1e-4)
    assert day.attendance == pytest.approx(0.958333, abs=1e-5)


def test_v26_goes_away_early_for_a_while() -> None:
    day = Day((0, 10), (30, 240))
    day.check(LATE=20, fined=0, fine=0.1, paid=4.4)
    assert day.attendance == pytest.approx(0.916667, abs=1e-5)


def test_v26_leaves_for_good() -> None:
    Day((0, 8)).check(LATE=20, ABSENT=212, paid=0.16, withheld=4.64, fine=0.3, departed=1)


def test_v27_within_grace() -> None:
    day = Day((5, 240))
    day.check(AWAIT=5, ON_TIME=235, paid=4.7, fine=0)
    assert day.attendance == pytest.approx(0.979167, abs=1e-5)


def test_v28_a_shift_that_crosses_midnight() -> None:
    world = World()
    assert int(world.params.jobs.length[GUARD]) == 240
    world.state.employment.job[0] = GUARD
    world.put(0, *world.params.world.site_tile[GUARD])
    world.at(1380)
    assert bool(world.run().shifts.begun[0])
    assert world.state.employment.shift_start_tick[0] == 1380
    world.state.employment.late_today[0] = 7
    assert not world.run(59).night.is_night
    outcomes = world.run()
    assert bool(outcomes.night.is_night)
    assert world.state.employment.on_time_ticks[0] == 61
    assert world.state.employment.phase[0] == Phase.ON_TIME
    assert world.state.employment.late_today[0] == 0
    world.run(179)
    assert int(world.state.clock.tick) == 1440 + 179
    assert world.state.employment.on_time_ticks[0] == 240
    shifts = world.run().shifts
    assert bool(shifts.finalised[0])
    assert shifts.sample[0] == pytest.approx(1)
    assert (shifts.on_time_ticks[0], shifts.length[0]) == (240, 240)
    assert world.state.employment.phase[0] == Phase.POST


def test_v29_attendance_keeps_the_newest_samples() -> None:
    world = World()
    world.state.employment.job[0] = BARISTA
    world.state.employment.attendance[0] = (1, 0.958333, 0.25)
    world.state.employment.shift_start_tick[0] = START
    world.at(600)
    assert bool(world.run().shifts.finalised[0])
    assert world.state.employment.attendance[0] == pytest.approx([0, 1, 0.958333])
    ratio = employment.attendance_ratio(on_device(world.state.employment))
    assert ratio[:2].tolist() == pytest.approx([0.652778, 0], abs=1e-6)


def test_shifts_happen_every_day_and_midnight_ends_the_last_one() -> None:
    world = World()
    world.state.employment.job[0] = BARISTA
    world.state.employment.phase[0] = Phase.POST
    world.at(1439)
    world.run()
    assert world.state.employment.phase[0] == Phase.POST
    world.run()
    assert world.state.employment.phase[0] == Phase.IDLE
    world.at(1440 + START)
    assert bool(world.run().shifts.begun[0])


def test_the_arrival_window() -> None:
    world = World()
    world.state.employment.job[0] = BARISTA
    for moment, phase in ((START - 21, Phase.IDLE), (START - 20, Phase.AWAIT), (START - 1, Phase.AWAIT)):
        world.at(moment)
        world.run()
        assert world.state.employment.phase[0] == phase


def test_who_comes_inside_a_shift_skips_the_rest() -> None:
    world = World()
    world.state.employment.job[0] = BARISTA
    world.at(START + 1)
    world.put(0, *world.params.world.site_tile[BARISTA])
    shifts = world.run().shifts
    assert (shifts.paid[0], bool(shifts.begun[0])) == (0, False)
    assert world.state.employment.phase[0] == Phase.IDLE


def test_being_here_is_a_matter_of_range() -> None:
    for distance, paid in ((1, 0.02), (2, 0)):
        world = World()
        world.state.employment.job[0] = BARISTA
        x, y = world.params.world.site_tile[BARISTA]
        world.put(0, x + distance, y - 1)
        world.at(START)
        assert world.run().shifts.paid[0] == pytest.approx(paid)


def test_a_new_shift_forgets_the_old_one() -> None:
    world = World()
    jobs = world.state.employment
    jobs.job[0] = BARISTA
    jobs.on_time_ticks[0], jobs.late_ticks[0], jobs.flags[0] = 9, 9, 511
    jobs.shift_paid[0], jobs.shift_withheld[0] = 4, 4
    world.at(START)
    world.run()
    jobs = world.state.employment
    assert (jobs.on_time_ticks[0], jobs.late_ticks[0], jobs.flags[0]) == (0, 0, 0)
    assert (jobs.shift_paid[0], jobs.shift_withheld[0]) == (0, 0)
    assert (jobs.shift_start_tick[0], jobs.last_present_tick[0]) == (START, NEVER)


def team(moment: int, phases: tuple[Phase, ...], *, here: tuple[bool, ...]) -> World:
    """Return a world in which the first agents are baristas in an open shift."""
    world = World()
    world.params.conflict.rivalry_decay[...] = 0
    world.at(moment)
    for slot, (phase, present) in enumerate(zip(phases, here, strict=True)):
        jobs = world.state.employment
        jobs.job[slot], jobs.phase[slot], jobs.shift_start_tick[slot] = BARISTA, phase, START
        jobs.flags[slot] = ShiftFlag.WAS_ON_TIME if phase == Phase.ON_TIME else 0
        world.put(slot, *(world.params.world.site_tile[BARISTA] if present else FAR))
    return world


def test_coworkers_help_who_is_late_once() -> None:
    world = team(START + 8, (Phase.AWAIT, Phase.ON_TIME, Phase.ON_TIME), here=(False, True, True))
    world.state.employment.job[3] = CLERK
    outcomes = world.run()
    assert np.argwhere(outcomes.shifts.helped).tolist() == [[0, 1], [0, 2]]
    assert world.bond(0, 1) == pytest.approx((0.2, 0.1, 0))
    assert world.bond(1, 0) == pytest.approx((0.2, 0.1, 0))
    assert world.bond(1, 2) == (0, 0, 0)
    assert world.state.tally.count[:2, Counter.HELPED].tolist() == [1, 0]
    assert world.out.measures.late_help == 2
    assert not world.run().shifts.helped.any()


def test_late_coworkers_help_each_other() -> None:
    world = team(START + 8, (Phase.AWAIT, Phase.AWAIT), here=(False, False))
    outcomes = world.run()
    assert np.argwhere(outcomes.shifts.helped).tolist() == [[0, 1], [1, 0]]
    assert world.bond(0, 1) == pytest.approx((0.4, 0.2, 0))


def test_coworkers_take_the_shift_of_who_is_absent_once() -> None:
    world = team(START + 31, (Phase.LATE, Phase.ON_TIME), here=(False, True))
    world.state.employment.flags[0] = ShiftFlag.LATE_TOLD | ShiftFlag.FINED
    outcomes = world.run()
    assert np.argwhere(outcomes.shifts.took_shift).tolist() == [[0, 1]]
    assert world.bond(0, 1) == pytest.approx((-0.1, 0, 0.3))
    assert world.bond(1, 0) == pytest.approx((-0.1, 0, 0.3))
    assert bool(outcomes.shifts.absent_told[0])
    assert world.out.measures.shifts_taken == 1
    assert not world.run().shifts.took_shift.any()


def test_nobody_helps_without_coworkers_and_later_help_still_comes() -> None:
    world = team(START + 8, (Phase.AWAIT, Phase.AWAIT), here=(False, False))
    world.state.employment.shift_start_tick[1] = NEVER  # not in the shift
    world.state.employment.phase[1] = Phase.IDLE
    assert not world.run().shifts.helped.any()
    world.state.employment.shift_start_tick[1] = START
    world.state.employment.flags[1] = ShiftFlag.WAS_ON_TIME
    world.put(1, *world.params.world.site_tile[BARISTA])
    assert np.argwhere(world.run().shifts.helped).tolist() == [[0, 1]]


def test_the_absence_fine_comes_again_after_a_return_but_is_told_once() -> None:
    day = Day((50, 61))
    day.check(absent_told=1, LATE=25 + 11, fine=0.1 + 25 * 0.005 + 2 * 0.2)
    assert day.world.state.employment.absence_day[0].tolist() == [0, *[NEVER] * 7]


def test_fines_take_what_is_there_before_pay() -> None:
    world = team(START + 12, (Phase.AWAIT,), here=(True,))
    world.state.economy.wallet[0] = 0.04
    shifts = world.run().shifts
    assert (shifts.fine[0], shifts.fine_taken[0], shifts.paid[0]) == pytest.approx((0.1, 0.04, 0.02))
    assert world.state.economy.wallet[0] == pytest.approx(0.02)


def test_no_job_is_idle_and_the_dead_do_not_work() -> None:
    world = World(living=1)
    world.state.employment.job[5] = GROCER
    world.at(840)
    shifts = world.run().shifts
    assert not shifts.begun.any()
    assert (world.state.employment.phase == Phase.IDLE).all()


def test_phase_changes_are_told() -> None:
    world = team(START + 6, (Phase.AWAIT, Phase.ON_TIME), here=(False, True))
    assert world.run().shifts.phase_entered[:3].tolist() == [Phase.LATE, -1, -1]


def test_absences_are_counted_back_some_days() -> None:
    world = World()
    world.state.employment.absence_day[0, :4] = (9, 4, 3, 2)
    params, slice_ = on_device(world.params), on_device(world.state.employment)
    for day, count in ((9, 3), (10, 2), (15, 1), (16, 0)):
        assert int(employment.absent_shifts(params, slice_, day=jnp.int32(day))[0]) == count
