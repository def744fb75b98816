"""Features 96-127 of the observation, numbers worked out by hand (MECHANICS 6.1, 4.4.1; 16.1 V33, V47)."""

import numpy as np
import pytest

from core.views import look
from core.worlds import (
    BARISTA,
    BED,
    BENCH,
    BLACKOUT,
    CAFE,
    CLERK,
    GROCER,
    GUARD,
    OUTAGE,
    REST_BENCH,
    REST_SLEEP,
    SINK,
    SPIKE,
    SPIKE_B,
    STOVE,
    World,
)
from townlet_jax.core.enums import NEVER, NOBODY, Option

ADA, BEN, CLEO, DAN, EVA, FINN = range(6)
DAY = 1440
approx = pytest.approx


def test_work_and_sleep() -> None:
    world = World()
    world.at(101)
    world.hold(ADA, BED, REST_SLEEP, remaining=90)
    world.hold(BEN, BENCH, REST_BENCH, remaining=15)
    world.hold(CLEO, STOVE)
    world.state.employment.job[CLEO] = GROCER
    world.state.ties.chat_ready_tick[:3] = (101, 102, 0)
    world.state.economy.unpaid_days[ADA] = 1
    view = look(world)
    names = ("has_job", "is_busy", "busy_remaining", "is_asleep", "chat_ready", "unpaid_days")
    assert view(ADA, *names) == approx([0, 1, 1.5, 1, 1, 0.5])
    assert view(BEN, *names) == approx([0, 1, 0.25, 0, 0, 0])
    assert view(CLEO, *names) == [1, 0, 0, 0, 1, 0]


def test_places_in_a_queue_go_by_ticket() -> None:
    world = World()
    world.hold(ADA, STOVE)
    for slot, ticket in ((BEN, 5), (CLEO, -2), (DAN, 9)):
        world.queue(slot, STOVE, ticket=ticket)
    world.queue(EVA, CAFE, ticket=7)
    view = look(world)
    places = [view(slot, "queue_position") for slot in range(6)]
    assert places == approx([0, 2 / 24, 1 / 24, 3 / 24, 1 / 24, 0])


def test_rivals_at_the_same_object() -> None:
    world = World()
    world.hold(ADA, STOVE)
    for slot, ticket in ((BEN, 0), (CLEO, 1)):
        world.queue(slot, STOVE, ticket=ticket)
    world.hold(DAN, SINK)
    for owner, other in ((ADA, CLEO), (BEN, DAN), (CLEO, ADA), (DAN, ADA), (EVA, ADA)):
        world.tie(owner, other, rivalry=0.9)
    view = look(world)
    assert [view(slot, "rival_in_queue") for slot in range(6)] == [1, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("job", "tick", "began", "starts_in", "remaining"),
    [
        (NOBODY, 0, NEVER, 0, 0),
        (BARISTA, 0, NEVER, 360, 0),  # V47
        (BARISTA, 359, NEVER, 1, 0),
        (BARISTA, 360, 360, 0, 239),
        (BARISTA, 599, 360, 0, 0),
        (BARISTA, 600, NEVER, 1200, 0),
        (BARISTA, 400, NEVER, 1400, 0),  # moved in during the shift
        (BARISTA, 360, NEVER, 0, 0),  # became barista after its first tick
        (GUARD, 1379, NEVER, 1, 0),
        (GUARD, DAY + 60, 1380, 0, 119),  # across midnight
        (GUARD, DAY + 179, 1380, 0, 0),
        (GUARD, DAY + 180, NEVER, 1200, 0),
    ],
)
def test_shifts_to_come_and_to_end(job: int, tick: int, began: int, starts_in: int, remaining: int) -> None:
    world = World()
    world.at(tick + 1)
    world.state.employment.job[ADA], world.state.employment.shift_start_tick[ADA] = job, began
    found = look(world)(ADA, "shift_starts_in", "shift_remaining")
    assert found == approx([starts_in / DAY, remaining / DAY], abs=1e-7)


def test_ways_to_work_and_home() -> None:
    world = World()
    world.state.employment.job[[ADA, BEN]] = CLERK
    world.put(BEN, 14, 8)
    view = look(world)
    assert view.block(ADA, "work_") == approx([0, 1, 0, 0, 0.3125])  # 13 east, 7 south: 20 of 64
    assert view.block(ADA, "home_") == [0, 0, 0, 0, 0]
    assert view.block(BEN, "work_") == [0, 0, 0, 0, 0]
    assert view.block(BEN, "home_") == approx([1, 0, 0, 0, 17 / 64])  # home 1 is at (1, 4)
    assert view.block(CLEO, "work_") == [0, 0, 0, 0, 0]


def test_networks_and_prices() -> None:
    world = World()
    assert look(world)(ADA, "power_on", "water_on", "price_level") == [1, 1, 0]
    world.begin(BLACKOUT, until=50)
    world.begin(SPIKE, until=50, magnitude=1.5)
    view = look(world)
    assert view(ADA, "power_on", "water_on") == [0, 1]
    assert view(BEN, "price_level") == approx(0.72 / 2.156, abs=1e-6)  # meals: 3.6 * .40 * .5 of 2.156
    world.begin(OUTAGE, until=50)
    world.begin(SPIKE_B, until=50, magnitude=1.2)
    view = look(world)
    assert view(ADA, "power_on", "water_on") == [0, 0]
    assert view(ADA, "price_level") == approx(1.152 / 2.156, abs=1e-6)
    world.state.controls.price[:] *= 2
    assert look(world)(ADA, "price_level") == approx(1.152 / 2.156, abs=1e-6)
    world.params.economy.basket_weight[:] = 0
    assert look(world)(ADA, "price_level") == 0


def test_fainting_comes_nearer() -> None:
    world = World()
    world.state.lifecycle.faint_streak[ADA] = 12
    view = look(world)
    assert [view(slot, "faint_progress") for slot in (ADA, BEN)] == approx([0.4, 0])


def test_options_are_those_the_agents_act_by() -> None:
    world = World()
    chosen = np.zeros(24, np.int32)
    chosen[:3] = (Option.COOK, Option.GO_HOME, Option.IDLE)
    view = look(world, option=chosen)
    for slot in (ADA, BEN, CLEO):
        assert view.block(slot, "option_") == [float(option == chosen[slot]) for option in Option]
