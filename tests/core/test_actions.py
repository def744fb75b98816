"""Flat ids, index checks, slots that do not act (MECHANICS 4.1.1, 4.2.1, 5.1, 5.2)."""

import jax.numpy as jnp
import numpy as np
import pytest

from core.worlds import (
    BENCH,
    BLACKOUT,
    BOTTLENECK,
    FRIDGE,
    FRIDGE_B,
    REST_BENCH,
    SHOWER,
    SHOWER_B,
    SLOTS,
    World,
)
from townlet_jax.core import actions
from townlet_jax.core.enums import NOBODY, Fault, Kind, Reason

USE = 5
LEAVE, CHAT = 13, 14
HUGE = 2**31 - 1


def test_waiting_intents_ask_for_nothing() -> None:
    intents = actions.waiting(3)
    assert intents.flat.tolist() == [NOBODY] * 3
    assert intents.kind.tolist() == [Kind.WAIT] * 3
    assert intents.quality.tolist() == [-1] * 3
    assert intents.success.tolist() == [True] * 3


def test_flat_ids_never_become_structured_ones() -> None:
    assert actions.flat(jnp.array([0, 5, NOBODY])).flat.tolist() == [0, 5, NOBODY - 1]


@pytest.mark.parametrize(("action", "tile"), [(1, (8, 4)), (2, (9, 5)), (3, (8, 6)), (4, (7, 5)), (0, (8, 5))])
def test_moves(action: int, tile: tuple[int, int]) -> None:
    world = World()
    world.put(0, 8, 5)
    world.flat(0, action)
    outcomes = world.run()
    assert tuple(world.state.roster.position[0]) == tile
    assert outcomes.verdicts.kind[0] == (Kind.MOVE if action else Kind.WAIT)
    assert outcomes.verdicts.direction[0] == (action - 1 if action else NOBODY)


def test_use_means_the_best_object() -> None:
    world = World()
    world.put(0, 9, 3)  # between two showers
    world.queue(1, SHOWER, ticket=0)
    world.flat(0, USE + 0)
    outcomes = world.run()
    assert outcomes.verdicts.object[0] == SHOWER_B
    assert outcomes.starts.object[0] == SHOWER_B


def test_decoding_sees_the_shocks_of_the_tick() -> None:
    world = World()
    world.put(0, 9, 3)
    world.state.perturbations.object[BOTTLENECK] = SHOWER
    world.order(BOTTLENECK, due=1, ticks=3)
    world.flat(0, USE + 0)
    assert world.run().starts.object[0] == SHOWER_B


def test_use_without_object_and_chat_without_partner_are_waits() -> None:
    world = World()
    world.put(0, 14, 1)
    world.put(1, 1, 1)
    world.flat(0, USE + 0)
    world.flat(1, CHAT)
    for slot in range(2, 6):
        world.put(slot, 8, 7)
    outcomes = world.run()
    assert outcomes.verdicts.kind[:2].tolist() == [Kind.WAIT, Kind.WAIT]
    assert world.ok[:2].all()
    assert outcomes.verdicts.object[0] == NOBODY


def test_leave_and_chat() -> None:
    world = World()
    world.params.chat.base[...] = 1
    world.queue(0, BENCH, ticket=0)
    world.put(0, 14, 1)
    for slot, x in ((1, 5), (2, 5), (3, 5), (4, 8), (5, 8)):
        world.put(slot, x, 5)
    world.tie(1, 3, trust=0.1)
    world.flat(0, LEAVE)
    world.flat(1, CHAT)
    outcomes = world.run()
    assert world.state.queues.waiting[0] == NOBODY
    assert outcomes.chats.listener[1] == 3
    assert outcomes.chats.quality[1] == pytest.approx(0.52)


def test_flat_ids_replace_structured_fields() -> None:
    world = World()
    world.put(0, 8, 5)
    world.ask(0, Kind.MOVE, direction=0, flat=2)
    world.run()
    assert world.state.roster.position[0].tolist() == [9, 5]


@pytest.mark.parametrize("action", [15, 99, HUGE, -2, -HUGE])
def test_flat_ids_outside_the_table(action: int) -> None:
    world = World()
    world.flat(0, action)
    world.run()
    assert world.reason[0] == Reason.BAD_INDEX
    assert int(world.state.faults) == Fault.BAD_INTENT
    assert world.state.roster.last_kind[0] == Kind.WAIT
    assert not world.ok[0]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (-1, {}),
        (9, {}),
        (HUGE, {}),
        (Kind.MOVE, {"direction": 4}),
        (Kind.MOVE, {"direction": NOBODY}),
        (Kind.REQUEST, {"object": 11}),
        (Kind.REQUEST, {"object": NOBODY}),
        (Kind.RELEASE, {"object": -HUGE}),
        (Kind.BLOCKED, {"object": HUGE}),
        (Kind.START, {"object": BENCH, "affordance": 8}),
        (Kind.USE, {"object": BENCH, "affordance": NOBODY}),
        (Kind.USE, {"object": -1, "affordance": REST_BENCH}),
        (Kind.CHAT, {"target": SLOTS}),
        (Kind.CHAT, {"target": -3}),
    ],
)
def test_indices_out_of_range(kind: int, fields: dict[str, int]) -> None:
    world = World()
    world.hold(0, BENCH)
    before = world.state.roster.position.copy()
    world.ask(0, kind, **fields)
    outcomes = world.run()
    assert world.reason[0] == Reason.BAD_INDEX
    assert int(world.state.faults) == Fault.BAD_INTENT
    assert world.state.roster.last_kind[0] == (kind if 0 <= kind <= 8 else Kind.WAIT)
    assert world.state.queues.holding[0] == BENCH
    assert (world.state.roster.position == before).all()
    assert (outcomes.starts.affordance == NOBODY).all()
    assert (outcomes.chats.listener == NOBODY).all()


def test_indices_that_are_not_needed_may_be_anything() -> None:
    world = World()
    world.put(0, 8, 5)
    world.ask(0, Kind.MOVE, direction=1, object=HUGE, affordance=-HUGE, target=77)
    world.ask(1, Kind.LEAVE, object=HUGE, target=-9)
    world.ask(2, Kind.WAIT, object=HUGE)
    world.run()
    assert world.reason[:3].tolist() == [Reason.NONE, Reason.NOT_WAITING, Reason.NONE]
    assert int(world.state.faults) == 0


@pytest.mark.parametrize("quality", [np.nan, np.inf, -np.inf, 1e30])
def test_odd_qualities_stay_in_range(quality: float) -> None:
    world = World()
    world.params.chat.base[...] = 1
    for slot in range(2):
        world.put(slot, 8, 5)
    world.ask(0, Kind.CHAT, target=1, quality=quality)
    outcomes = world.run()
    assert 0 <= outcomes.chats.quality[0] <= 1
    assert np.isfinite(world.state.ties.trust).all()


def test_vacant_slots() -> None:
    world = World(living=1)
    world.ask(2, Kind.MOVE, direction=99)
    world.flat(3, 1)
    world.flat(4, 0)
    world.flat(5, 999)
    world.run()
    assert world.reason[1:6].tolist() == [Reason.NONE] + [Reason.NOT_ACTING] * 2 + [Reason.NONE, Reason.NOT_ACTING]
    assert int(world.state.faults) == 0
    assert not world.ok[1:].any()
    assert (world.out.outcomes.verdicts.kind[1:] == Kind.WAIT).all()


def test_utilities_do_not_hide_objects() -> None:
    world = World()
    world.begin(BLACKOUT, until=9)
    world.put(0, 9, 3)
    world.flat(0, USE + 0)
    world.run()
    assert world.reason[0] == Reason.UTILITY_OFF


def test_two_agents_with_the_same_wish() -> None:
    world = World()
    for slot in (0, 1):
        world.put(slot, 3, 3)  # between two fridges
        world.flat(slot, USE + 1)
    outcomes = world.run()
    assert outcomes.verdicts.object[:2].tolist() == [FRIDGE, FRIDGE]  # decoded at once, before anybody asks
    assert world.reason[:2].tolist() == [Reason.NONE, Reason.WAITING]
    world.flat(1, USE + 1)
    assert world.run().verdicts.object[1] == FRIDGE  # waited in: keeps its place
    assert FRIDGE_B == 4
