"""Stalls, ghost steps, impatience, handovers (MECHANICS 4.2.8, 4.2.9, 4.3.4; 16.1 V9-V11, V34)."""

import pytest

from core.worlds import (
    BENCH,
    REST_BENCH,
    SHOWER,
    World,
)
from townlet_jax.core.enums import NOBODY, Abort, Counter, Kind, Reason


@pytest.mark.parametrize(
    ("waiting", "intensity", "rivalry"), [(1, 1.5, 0.225), (2, 1.75, 0.2625), (3, 2.0, 0.3), (20, 5.0, 0.75)]
)
def test_v9_ghost_step(waiting: int, intensity: float, rivalry: float) -> None:
    world = World(living=waiting + 1)
    world.params.conflict.rivalry_decay[...] = 0
    world.hold(0, SHOWER)
    world.state.queues.stalls[0] = 2
    for slot in range(1, waiting + 1):
        world.queue(slot, SHOWER, ticket=slot, joined=0)
    outcomes = world.run()
    assert outcomes.conflicts.rival_ghost[0] == 1
    assert outcomes.conflicts.length_ghost[0] == waiting
    assert outcomes.conflicts.object_ghost[0] == SHOWER
    assert outcomes.conflicts.intensity_ghost[0] == pytest.approx(intensity)
    assert world.bond(0, 1) == pytest.approx((0, 0, rivalry))
    assert world.bond(1, 0) == pytest.approx((0, 0, rivalry))
    assert world.state.queues.holding[1] == SHOWER
    assert int(world.state.queues.ghost_steps) == 1
    assert int(world.state.queues.rotations) == 1


def test_v10_ghost_timing() -> None:
    world = World()
    world.params.queue.age_priority_weight[...] = 0
    world.at(9)
    world.beside(1, SHOWER)
    world.beside(0, SHOWER)
    world.at(10)
    world.ask(0, Kind.REQUEST, object=SHOWER)
    world.ask(1, Kind.REQUEST, object=SHOWER)
    world.run()
    assert world.state.queues.holding[0] == SHOWER
    assert world.state.queues.stalls[0] == 1
    world.run()
    assert world.state.queues.stalls[0] == 2
    outcomes = world.run()
    line = world.state.queues
    assert int(world.state.clock.tick) == 12
    assert line.holding[1] == SHOWER
    assert (line.waiting[0], line.joined_tick[0], line.ticket[0]) == (SHOWER, 12, 0)
    assert line.stalls[:2].tolist() == [0, 0]
    assert outcomes.grants.ghost[1] == SHOWER
    assert world.out.measures.ghost_steps == 1


@pytest.mark.parametrize(("waiting", "intensity", "rivalry"), [(1, 0.4, 0.06), (2, 0.65, 0.0975), (3, 0.9, 0.135)])
def test_v11_impatience(waiting: int, intensity: float, rivalry: float) -> None:
    world = World()
    world.params.conflict.rivalry_decay[...] = 0
    world.at(30)
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.queue(1, BENCH, ticket=0, joined=20)
    for slot in range(2, waiting + 1):
        world.queue(slot, BENCH, ticket=slot, joined=25)
    outcomes = world.run()
    assert outcomes.conflicts.rival_wait[:4].tolist() == [NOBODY, 0, NOBODY, NOBODY]
    assert outcomes.conflicts.intensity_wait[1] == pytest.approx(intensity)
    assert outcomes.conflicts.length_wait[1] == waiting
    assert world.bond(0, 1)[2] == pytest.approx(rivalry)
    assert world.bond(1, 0)[2] == pytest.approx(rivalry)
    assert world.state.tally.count[:3, Counter.CONFLICTS].tolist() == [1, 1, 0]
    assert world.out.measures.impatience == 1


def test_v11_three_conflicts_in_thirty_ticks_alone() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=100)
    world.beside(1, BENCH)
    world.ask(1, Kind.REQUEST, object=BENCH)
    world.run()
    assert world.state.queues.joined_tick[1] == 1
    world.run(30)
    assert world.bond(1, 0)[2] == pytest.approx(0.075, abs=1e-5)


@pytest.mark.parametrize("patience", [0, 10])
def test_impatience_needs_a_holder_and_can_be_off(patience: int) -> None:
    world = World()
    world.params.conflict.impatience_ticks[...] = patience
    world.at(30)
    if patience == 0:
        world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.queue(1, BENCH, ticket=0, joined=20)
    world.put(1, 14, 1)  # out of range, so a free bench is not granted
    assert (world.run().conflicts.rival_wait == NOBODY).all()


def test_v34_preferred_successor() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    for slot, (trust, familiarity, rivalry) in enumerate(((0, 0.1, 0.2), (0.3, 0.2, 0.1), (0.2, 0.3, 0)), start=1):
        world.queue(slot, BENCH, ticket=slot, joined=0)
        world.tie(0, slot, trust, familiarity, rivalry)
    outcomes = world.run()
    passing = outcomes.handovers
    assert (passing.object[0], passing.successor[0]) == (BENCH, 3)
    assert bool(passing.preferred[0])
    assert bool(passing.rotated[0])
    assert not passing.early[0]
    assert world.state.queues.holding[3] == BENCH
    assert outcomes.grants.live[3] == BENCH
    assert int(world.state.queues.rotations) == 1
    assert world.state.queues.cooldown_until[BENCH, 0] == 61
    assert world.bond(0, 3) == pytest.approx((0.25, 0.35, 0))
    assert world.bond(3, 0) == pytest.approx((0.05, 0.05, 0))


def test_the_first_in_line_is_nobodys_favourite() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    world.queue(1, BENCH, ticket=5)
    world.queue(2, BENCH, ticket=4)
    world.tie(0, 1, rivalry=0.5)
    outcomes = world.run()
    assert outcomes.handovers.successor[0] == 2
    assert not outcomes.handovers.preferred[0]
    assert not outcomes.handovers.rotated[0]
    assert world.state.queues.holding[2] == BENCH
    assert int(world.state.queues.rotations) == 0


def test_a_favourite_at_the_front_does_not_rotate() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    world.queue(1, BENCH, ticket=5)
    world.queue(2, BENCH, ticket=4)
    world.tie(0, 2, trust=0.2)
    world.tie(0, 1, trust=0.25)  # the same score, 0.2, but later in line
    outcomes = world.run()
    assert outcomes.handovers.successor[0] == 2
    assert bool(outcomes.handovers.preferred[0])
    assert not outcomes.handovers.rotated[0]


def test_favourites_out_of_range_are_passed_over() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    world.queue(1, BENCH, ticket=0)
    world.queue(2, BENCH, ticket=1)
    world.put(2, 14, 1)
    world.tie(0, 2, trust=0.9)
    outcomes = world.run()
    assert outcomes.handovers.successor[0] == 1
    assert not outcomes.handovers.preferred[0]


def test_politeness_goes_to_the_first_in_line_whoever_is_granted() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    world.queue(1, BENCH, ticket=0)
    world.put(1, 14, 1)
    world.queue(2, BENCH, ticket=1)
    outcomes = world.run()
    assert outcomes.handovers.successor[0] == 1
    assert world.state.queues.holding[2] == BENCH


def test_running_holders_are_stalled_only_where_the_rule_says() -> None:
    for running, stalls in ((False, 0), (True, 1)):
        world = World()
        world.params.queue.ghost_step_running[...] = running
        world.hold(0, BENCH, REST_BENCH, remaining=9)
        world.queue(1, BENCH, ticket=0)
        world.run()
        assert world.state.queues.stalls[0] == stalls


def test_a_ghost_step_aborts_what_runs() -> None:
    world = World()
    world.params.queue.ghost_step_running[...] = True
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.state.queues.stalls[0] = 2
    world.queue(1, BENCH, ticket=0)
    outcomes = world.run()
    assert (outcomes.aborts.reason[0], outcomes.aborts.object[0]) == (Abort.GHOST_STEP, BENCH)
    assert world.state.activities.affordance[0] == NOBODY
    assert world.state.queues.holding[1] == BENCH
    assert world.state.queues.cooldown_until[BENCH, 0] == 0


def test_blocked_adds_attempts_of_those_that_wait() -> None:
    world = World()
    world.params.queue.ghost_step_after[...] = 10
    world.hold(0, BENCH)
    for slot in (1, 2):
        world.queue(slot, BENCH, ticket=slot)
        world.ask(slot, Kind.BLOCKED, object=BENCH)
    world.ask(3, Kind.BLOCKED, object=BENCH)
    world.ask(0, Kind.BLOCKED, object=BENCH)
    world.run()
    assert world.state.queues.stalls[0] == 3  # one for the tick, two attempts
    assert world.reason[:4].tolist() == [Reason.NOT_WAITING, Reason.NONE, Reason.NONE, Reason.NOT_WAITING]
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.ask(1, Kind.BLOCKED, object=BENCH)
    world.run()
    assert world.state.queues.stalls[0] == 3  # a running holder is not counted
    assert bool(world.ok[1])


def test_ghost_steps_can_be_off() -> None:
    world = World()
    world.params.queue.ghost_step_after[...] = 0
    world.hold(0, BENCH)
    world.queue(1, BENCH, ticket=0)
    world.run(30)
    assert world.state.queues.holding[0] == BENCH
    assert world.state.queues.stalls[0] == 30


def test_a_ghost_step_with_nobody_in_range_leaves_the_object_free() -> None:
    world = World()
    world.hold(0, BENCH)
    world.put(0, 14, 1)
    world.state.queues.stalls[0] = 2
    world.queue(1, BENCH, ticket=4)
    world.put(1, 14, 1)
    outcomes = world.run()
    line = world.state.queues
    assert outcomes.conflicts.rival_ghost[0] == 1
    assert (outcomes.grants.ghost == NOBODY).all()
    assert (line.holding == NOBODY).all()
    assert (line.waiting[0], line.ticket[0], line.waiting[1]) == (BENCH, 5, BENCH)


def test_the_old_holder_is_granted_again_when_nobody_else_is_in_range() -> None:
    world = World()
    world.hold(0, BENCH)
    world.state.queues.stalls[0] = 2
    world.queue(1, BENCH, ticket=4)
    world.put(1, 14, 1)
    outcomes = world.run()
    assert (outcomes.grants.ghost == NOBODY).all()
    assert outcomes.grants.live[0] == BENCH
    assert world.state.queues.holding[0] == BENCH


@pytest.mark.parametrize(("second", "successor", "preferred"), [(0.08, 2, True), (0.07, 1, True)])
def test_each_place_in_the_queue_costs_sympathy(second: float, successor: int, preferred: bool) -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    world.queue(1, BENCH, ticket=0)
    world.queue(2, BENCH, ticket=1)
    world.tie(0, 1, trust=0.025)
    world.tie(0, 2, trust=second)
    passing = world.run().handovers
    assert (int(passing.successor[0]), bool(passing.preferred[0])) == (successor, preferred)


@pytest.mark.parametrize(("second", "preferred"), [(0.0501, True), (0.05, False)])
def test_favourites_are_liked(second: float, preferred: bool) -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=1)
    world.queue(1, BENCH, ticket=0)
    world.queue(2, BENCH, ticket=1)
    world.tie(0, 2, trust=second)
    passing = world.run().handovers
    assert (int(passing.successor[0]), bool(passing.preferred[0])) == (2 if preferred else 1, preferred)
