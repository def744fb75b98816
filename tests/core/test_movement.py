"""Walking, bumping, arriving and going home (MECHANICS 4.1.2, 4.1.4, 4.2.2, 4.2.11, 4.5.2, 4.6.7)."""

import pytest

from core.worlds import (
    BENCH,
    CAFE,
    FRIDGE,
    HOMES,
    MEET,
    REST_BENCH,
    REST_SLEEP,
    SOCIALITE,
    World,
)
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Counter, Direction, Kind, Reason


@pytest.mark.parametrize(
    ("direction", "tile"),
    [
        (Direction.NORTH, (8, 4)),
        (Direction.EAST, (9, 5)),
        (Direction.SOUTH, (8, 6)),
        (Direction.WEST, (7, 5)),
    ],
)
def test_a_step_in_each_direction(direction: Direction, tile: tuple[int, int]) -> None:
    world = World()
    world.put(0, 8, 5)
    world.ask(0, Kind.MOVE, direction=direction)
    outcomes = world.run()
    assert tuple(world.state.roster.position[0]) == tile
    assert outcomes.moves.moved.tolist()[:2] == [True, False]
    assert not outcomes.moves.bumped.any()
    assert bool(world.ok[0])


@pytest.mark.parametrize(
    ("start", "direction"), [((1, 1), Direction.NORTH), ((3, 3), Direction.NORTH), ((14, 7), Direction.EAST)]
)
def test_walls_and_solid_objects_bump(start: tuple[int, int], direction: Direction) -> None:
    world = World()
    world.put(0, *start)
    world.ask(0, Kind.MOVE, direction=direction)
    outcomes = world.run()
    assert tuple(world.state.roster.position[0]) == start
    assert world.reason[0] == Reason.BUMPED
    assert outcomes.moves.bumped.sum() == 1
    assert world.state.tally.count[0, Counter.BUMPED] == 1
    assert world.state.tally.count[0, Counter.REFUSED] == 1
    assert not world.state.roster.last_ok[0]


@pytest.mark.parametrize(
    ("corner", "direction"),
    [
        ((0, 0), Direction.NORTH),
        ((0, 0), Direction.WEST),
        ((15, 9), Direction.SOUTH),
        ((15, 9), Direction.EAST),
    ],
)
def test_the_edge_of_the_grid_bumps(corner: tuple[int, int], direction: Direction) -> None:
    world = World()
    world.params.world.blocked[:] = False
    world.put(0, *corner)
    world.ask(0, Kind.MOVE, direction=direction)
    world.run()
    assert tuple(world.state.roster.position[0]) == corner
    assert world.reason[0] == Reason.BUMPED


@pytest.mark.parametrize(("lock", "reason", "x"), [(True, Reason.BUSY, 9), (False, Reason.NONE, 10)])
def test_busy_agents_are_locked(lock: bool, reason: Reason, x: int) -> None:
    world = World()
    world.params.world.busy_lock[...] = lock
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.ask(0, Kind.MOVE, direction=Direction.EAST)
    outcomes = world.run()
    assert world.reason[0] == reason
    assert world.state.roster.position[0].tolist() == [x, 7]
    assert bool(outcomes.moves.moved[0]) is not lock
    assert world.state.tally.count[0, Counter.BUMPED] == 0


def test_tiles_are_shared_and_swapped() -> None:
    world = World()
    world.put(0, 7, 5)
    world.put(1, 8, 5)
    world.put(2, 8, 5)
    world.ask(0, Kind.MOVE, direction=Direction.EAST)
    world.ask(1, Kind.MOVE, direction=Direction.WEST)
    world.run()
    assert world.state.roster.position[:3].tolist() == [[8, 5], [7, 5], [8, 5]]


def test_last_action_is_remembered() -> None:
    world = World()
    world.beside(0, BENCH)
    world.beside(1, BENCH)
    world.ask(0, Kind.USE, object=BENCH, affordance=REST_BENCH)
    world.ask(1, Kind.USE, object=BENCH, affordance=REST_BENCH)
    world.ask(2, 99)
    world.run()
    roster = world.state.roster
    assert (roster.last_kind[0], bool(roster.last_ok[0]), roster.last_ticks[0]) == (Kind.USE, True, 20)
    assert world.reason[1] == Reason.WAITING
    assert (roster.last_kind[1], bool(roster.last_ok[1]), roster.last_ticks[1]) == (Kind.USE, False, 1)
    assert (roster.last_kind[2], bool(roster.last_ok[2]), roster.last_ticks[2]) == (Kind.WAIT, False, 1)
    assert (roster.last_kind[3], bool(roster.last_ok[3]), roster.last_ticks[3]) == (Kind.WAIT, True, 1)
    assert (roster.last_kind[9], bool(roster.last_ok[9]), roster.last_ticks[9]) == (Kind.WAIT, False, 0)


def test_arrivals_come_home_in_slot_order() -> None:
    world = World(living=2)
    world.at(50)
    world.params.start.profile[7] = SOCIALITE
    for slot in (7, 4):
        world.state.lifecycle.respawn_tick[slot] = 50
        world.state.roster.generation[slot] = slot
    world.state.lifecycle.respawn_tick[5] = 51
    outcomes = world.run()
    roster = world.state.roster
    assert outcomes.arrivals.arrived.nonzero()[0].tolist() == [4, 7]
    assert outcomes.arrivals.uid[[4, 5, 7]].tolist() == [24, NOBODY, 25]
    assert roster.uid[[4, 7]].tolist() == [24, 25]
    assert int(roster.next_uid) == 26
    assert roster.generation[[4, 7]].tolist() == [5, 8]
    assert roster.born_tick[[4, 7]].tolist() == [50, 50]
    assert tuple(roster.position[7]) == HOMES[7 % 3]
    assert roster.profile[7] == SOCIALITE
    assert world.state.lifecycle.respawn_tick[[4, 5]].tolist() == [NEVER, 51]
    assert world.state.economy.wallet[4] == pytest.approx(3)
    assert world.state.needs.level[4] == pytest.approx([0.699, 0.6995, 0.6993])  # spawn level, one tick older
    assert not world.out.valid[[4, 7]].any()


def test_arrivals_do_not_act() -> None:
    world = World(living=2)
    world.state.lifecycle.respawn_tick[4] = 1
    world.ask(4, Kind.MOVE, direction=Direction.EAST)
    world.ask(9, Kind.MOVE, direction=Direction.EAST)
    world.run()
    assert world.reason[[4, 9, 10]].tolist() == [Reason.NOT_ACTING, Reason.NOT_ACTING, Reason.NONE]
    assert tuple(world.state.roster.position[4]) == HOMES[1]
    assert world.state.roster.last_ticks[4] == 0
    assert world.state.tally.count[4, Counter.REFUSED] == 0


def test_meets_move_their_members_and_end_what_they_do() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.queue(1, BENCH, ticket=0)
    world.state.queues.away_ticks[:2] = 3
    world.order(MEET, due=1, ticks=5)
    world.state.perturbations.member[MEET, :2] = True
    outcomes = world.run()
    assert outcomes.shocks.relocated[:3].tolist() == [MEET, MEET, NOBODY]
    assert world.state.roster.position[:2].tolist() == [[2, 5], [2, 5]]  # first access tile of the cafe counter
    assert world.params.world.tile[CAFE].tolist() == [3, 6]
    assert (world.state.queues.holding[0], world.state.queues.waiting[1]) == (NOBODY, NOBODY)
    assert world.state.queues.away_ticks[:2].tolist() == [0, 0]
    assert (outcomes.aborts.reason[0], outcomes.aborts.object[0]) == (Abort.RELOCATED, BENCH)
    assert outcomes.aborts.affordance[0] == REST_BENCH
    assert world.state.queues.cooldown_until[BENCH, 0] == 0
    assert world.out.measures.aborts[Abort.RELOCATED] == 1


def test_midnight_brings_home() -> None:
    world = World()
    world.params.lifecycle.return_home[...] = True
    world.at(1440)
    world.hold(0, FRIDGE)
    world.queue(1, FRIDGE, ticket=0, joined=1439)
    world.put(2, *HOMES[2])
    world.hold(3, BENCH, REST_SLEEP, remaining=50)
    outcomes = world.run()
    assert outcomes.night.moved[:4].tolist() == [True, True, False, True]
    assert world.state.roster.position[:4].tolist() == [list(HOMES[a % 3]) for a in range(4)]
    assert (world.state.queues.holding == NOBODY).all()
    assert (world.state.queues.waiting == NOBODY).all()
    assert outcomes.aborts.reason[:4].tolist() == [0, 0, 0, Abort.NIGHT]
    assert not outcomes.night.moved[6:].any()


def test_nobody_is_brought_home_by_default() -> None:
    world = World()
    world.at(1440)
    world.hold(0, FRIDGE)
    outcomes = world.run()
    assert not outcomes.night.moved.any()
    assert world.state.queues.holding[0] == FRIDGE
