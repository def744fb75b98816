"""Requests, grants, releases, closed objects, distance (MECHANICS 4.2.3-4.2.5, 4.2.10; 16.1 V7, V8)."""

import pytest

from core.worlds import (
    BED,
    BENCH,
    BOTTLENECK,
    FRIDGE,
    REST_BENCH,
    SHOWER,
    SHOWER_B,
    USE_SHOWER,
    World,
)
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Direction, Kind, Reason


def test_v7_cooldown_starts_at_the_finish() -> None:
    world = World()
    world.at(100)
    world.beside(0, FRIDGE)
    world.ask(0, Kind.USE, object=FRIDGE, affordance=1)
    world.run()
    assert world.state.activities.remaining[0] == 14
    world.run(13)
    assert world.state.activities.affordance[0] == 1
    world.run()
    assert int(world.state.clock.tick) == 114
    assert world.state.activities.affordance[0] == NOBODY
    assert world.state.queues.cooldown_until[FRIDGE, 0] == 174
    for moment, reason in ((173, Reason.COOLDOWN), (174, Reason.NONE)):
        world.at(moment)
        world.ask(0, Kind.REQUEST, object=FRIDGE)
        world.run()
        assert world.reason[0] == reason
    assert int(world.state.queues.cooldown_events) == 1
    assert world.state.queues.holding[0] == FRIDGE


@pytest.mark.parametrize(("waits", "winner"), [((0, 10, 25), 2), ((0, 10, 0), 0), ((5, 0, 0), 0)])
def test_v8_grant(waits: tuple[int, ...], winner: int) -> None:
    world = World()
    world.at(100)
    for slot, wait in enumerate(waits):
        world.queue(slot, SHOWER, ticket=3 + 2 * slot, joined=100 - wait)
    outcomes = world.run()
    assert [slot for slot in range(6) if outcomes.grants.act[slot] == SHOWER] == [winner]
    assert world.state.queues.holding[winner] == SHOWER
    assert world.state.queues.waiting[winner] == NOBODY
    assert (world.state.queues.joined_tick[winner], world.state.queues.ticket[winner]) == (NEVER, 0)
    assert int((world.state.queues.waiting == SHOWER).sum()) == 2


def test_requests_of_one_tick_queue_in_slot_order() -> None:
    world = World()
    world.queue(5, BENCH, ticket=7, joined=0)
    world.hold(0, BENCH, REST_BENCH, remaining=30)
    for slot in (4, 1, 3):
        world.beside(slot, BENCH)
        world.ask(slot, Kind.REQUEST, object=BENCH)
    world.run()
    line = world.state.queues
    assert line.ticket[[1, 3, 4, 5]].tolist() == [8, 9, 10, 7]
    assert line.joined_tick[[1, 3, 4]].tolist() == [1, 1, 1]
    assert (world.reason[[1, 3, 4]] == Reason.WAITING).all()


def test_an_empty_queue_starts_at_ticket_zero_and_the_lowest_slot_wins() -> None:
    world = World()
    for slot in (2, 1, 3):
        world.beside(slot, BENCH)
        world.ask(slot, Kind.REQUEST, object=BENCH)
    world.run()
    assert world.state.queues.holding[1] == BENCH
    assert world.state.queues.ticket[[2, 3]].tolist() == [1, 2]
    assert world.ok[:4].tolist() == [True, True, False, False]


def test_requests_are_refused_in_the_order_of_the_rules() -> None:
    world = World()
    world.params.world.present[SHOWER_B] = False
    world.begin(BOTTLENECK, until=50, place=SHOWER)
    world.hold(0, BED, 3, remaining=9)  # busy, and asks for what is absent
    world.ask(0, Kind.REQUEST, object=SHOWER_B)
    world.hold(1, BENCH, REST_BENCH, remaining=9)  # busy, and asks for what is closed
    world.ask(1, Kind.REQUEST, object=SHOWER)
    world.put(2, 1, 1)  # closed and out of range
    world.ask(2, Kind.REQUEST, object=SHOWER)
    world.put(3, 1, 1)  # out of range and cooling down
    world.state.queues.cooldown_until[FRIDGE, 3] = 99
    world.ask(3, Kind.REQUEST, object=FRIDGE)
    world.beside(4, FRIDGE)
    world.state.queues.cooldown_until[FRIDGE, 4] = 2
    world.ask(4, Kind.USE, object=FRIDGE, affordance=1)
    world.queue(5, SHOWER, ticket=0)  # waits already: keeps its place at a closed object
    world.ask(5, Kind.REQUEST, object=SHOWER)
    world.run()
    assert world.reason[:6].tolist() == [
        Reason.BAD_INDEX,
        Reason.BUSY,
        Reason.CLOSED,
        Reason.OUT_OF_RANGE,
        Reason.COOLDOWN,
        Reason.WAITING,
    ]
    assert world.state.queues.waiting[5] == SHOWER
    assert int(world.state.queues.cooldown_events) == 1
    assert world.out.measures.cooldown_refusals == 1
    assert not int(world.state.faults)  # an absent object is no fault


def test_a_holder_asking_again_is_ok() -> None:
    world = World()
    world.hold(0, BENCH)
    world.ask(0, Kind.REQUEST, object=BENCH)
    world.run()
    assert bool(world.ok[0])
    assert world.state.queues.holding[0] == BENCH


def test_asking_for_something_else_gives_up_the_old_place() -> None:
    world = World()
    world.hold(0, SHOWER)
    world.queue(1, SHOWER, ticket=0)
    world.put(0, 9, 3)
    world.ask(0, Kind.REQUEST, object=SHOWER_B)
    world.run()
    line = world.state.queues
    assert (line.holding[0], line.holding[1]) == (SHOWER_B, SHOWER)
    assert line.cooldown_until[SHOWER, 0] == 0


@pytest.mark.parametrize("success", [True, False])
def test_release_of_an_idle_hold_has_no_cooldown(success: bool) -> None:
    world = World()
    world.hold(0, BENCH)
    world.state.queues.stalls[0] = 2
    world.ask(0, Kind.RELEASE, object=BENCH, success=success)
    outcomes = world.run()
    assert bool(world.ok[0])
    assert (world.state.queues.holding[0], world.state.queues.stalls[0]) == (NOBODY, 0)
    assert world.state.queues.cooldown_until[BENCH, 0] == 0
    assert outcomes.handovers.successor[0] == NOBODY
    assert outcomes.aborts.reason[0] == 0


def test_release_with_success_cools_down_and_is_polite() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=5)
    world.queue(1, BENCH, ticket=1)
    world.queue(2, BENCH, ticket=2)
    world.tie(0, 2, trust=0.9)  # no preferred successor after an early release
    world.ask(0, Kind.RELEASE, object=BENCH, success=True)
    outcomes = world.run()
    passing = outcomes.handovers
    assert (passing.successor[0], passing.object[0]) == (1, BENCH)
    assert not passing.preferred[0]
    assert bool(passing.early[0])
    assert world.state.queues.holding[1] == BENCH
    assert world.state.queues.cooldown_until[BENCH, 0] == 61
    assert world.bond(0, 1) == pytest.approx((0.05, 0.05, 0))
    assert world.out.measures.handovers == 1


def test_release_without_success_forgets_the_cooldown() -> None:
    world = World()
    world.state.queues.cooldown_until[BENCH, 0] = 500
    world.hold(0, BENCH, REST_BENCH, remaining=5)
    world.queue(1, BENCH, ticket=1)
    world.ask(0, Kind.RELEASE, object=BENCH, success=False)
    outcomes = world.run()
    assert outcomes.aborts.reason[0] == Abort.RELEASED
    assert world.state.queues.cooldown_until[BENCH, 0] == 0
    assert outcomes.handovers.successor[0] == NOBODY
    assert world.state.queues.holding[1] == BENCH
    assert world.bond(0, 1) == (0, 0, 0)


def test_release_needs_the_hold() -> None:
    world = World()
    world.hold(0, BENCH)
    world.queue(1, BENCH, ticket=0)
    for slot, place in ((0, SHOWER), (1, BENCH), (2, BENCH)):
        world.ask(slot, Kind.RELEASE, object=place)
    world.run()
    assert world.reason[:3].tolist() == [Reason.NOT_HOLDER] * 3
    assert world.state.queues.holding[0] == BENCH


def test_leave_drops_places_and_idle_holds_only() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=5)
    world.queue(1, BENCH, ticket=0)
    world.hold(2, SHOWER)
    for slot in range(4):
        world.ask(slot, Kind.LEAVE)
    world.run()
    line = world.state.queues
    assert world.reason[:4].tolist() == [Reason.BUSY, Reason.NONE, Reason.NONE, Reason.NOT_WAITING]
    assert (line.holding[0], line.waiting[1], line.holding[2]) == (BENCH, NOBODY, NOBODY)
    assert line.cooldown_until[SHOWER, 2] == 0


def test_closed_objects_are_not_granted_but_serve_who_runs() -> None:
    world = World()
    world.begin(BOTTLENECK, until=3, place=SHOWER)
    world.hold(0, SHOWER, USE_SHOWER, remaining=1)
    world.queue(1, SHOWER, ticket=0)
    outcomes = world.run()
    assert bool(outcomes.shocks.closed[SHOWER])
    assert outcomes.finishes.affordance[0] == USE_SHOWER
    assert world.state.queues.waiting[1] == SHOWER
    world.run()
    assert world.state.queues.waiting[1] == SHOWER
    world.run()
    assert world.state.queues.holding[1] == SHOWER


def test_engagements_end_by_distance() -> None:
    world = World()
    world.params.queue.ghost_step_after[...] = 0
    world.hold(0, BENCH)
    world.queue(1, BENCH, ticket=0)
    world.hold(2, SHOWER, USE_SHOWER, remaining=30)
    for slot in range(3):
        world.put(slot, 14, 1)
    world.run(5)
    assert world.state.queues.away_ticks[:3].tolist() == [5, 5, 0]
    assert world.state.queues.holding[0] == BENCH
    outcomes = world.run()
    assert outcomes.queue_losses.object[:3].tolist() == [BENCH, BENCH, NOBODY]
    assert (world.state.queues.holding[0], world.state.queues.waiting[1]) == (NOBODY, NOBODY)
    assert world.state.queues.away_ticks[:3].tolist() == [0, 0, 0]
    assert world.state.queues.holding[2] == SHOWER


def test_coming_back_resets_the_distance_count() -> None:
    world = World()
    world.hold(0, BENCH)
    world.put(0, 11, 7)
    world.state.queues.away_ticks[0] = 5
    world.ask(0, Kind.MOVE, direction=Direction.WEST)
    world.run()
    assert world.state.queues.away_ticks[0] == 0
    assert world.state.queues.holding[0] == BENCH
