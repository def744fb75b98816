"""Starts and their refusals, interruptions, effects, sinks (MECHANICS 4.2.3, 4.2.6, 4.3.1-4.3.3; 16.1 V5-V7)."""

import pytest

from core.worlds import (
    BED,
    BENCH,
    BLACKOUT,
    BOTTLENECK,
    BUY_GROCERIES,
    CAFE,
    COOK_MEAL,
    EAT_MEAL,
    FRIDGE,
    FRIDGE_B,
    MEAL,
    MEALS,
    OUTAGE,
    RAW,
    REST_BENCH,
    REST_SLEEP,
    SHOWER,
    SHOWER_B,
    SINK,
    SPIKE,
    STOVE,
    TILL,
    USE_SHOWER,
    WASH,
    World,
)
from townlet_jax.core.enums import NOBODY, Abort, Counter, Kind, Need, Reason, Sink


def test_v5_effect_then_decay() -> None:
    world = World()
    world.hold(0, SHOWER, USE_SHOWER, remaining=1)
    world.state.needs.level[0] = (0.7, 0.4, 0.5)
    outcomes = world.run()
    assert world.state.needs.level[0, 1:] == pytest.approx([0.8495, 0.4693], abs=1e-5)
    assert (outcomes.finishes.affordance[0], outcomes.finishes.object[0]) == (USE_SHOWER, SHOWER)
    assert world.state.tally.count[0, Counter.SHOWERS_TAKEN] == 1


def test_v6_early_release() -> None:
    world = World()
    world.freeze_needs()
    world.hold(0, SHOWER, USE_SHOWER, remaining=20)
    world.state.needs.level[0] = 0.4
    world.ask(0, Kind.RELEASE, object=SHOWER, success=True)
    outcomes = world.run()
    assert world.state.needs.level[0] == pytest.approx([0.4, 0.55, 0.39], abs=1e-5)
    assert outcomes.early_finishes.fraction[0] == pytest.approx(1 / 3)
    assert (outcomes.early_finishes.object[0], outcomes.early_finishes.affordance[0]) == (SHOWER, USE_SHOWER)
    assert outcomes.finishes.affordance[0] == NOBODY
    assert outcomes.finishes.need_delta[0] == pytest.approx([0, 0.15, -0.01])
    assert world.state.tally.count[0, Counter.SHOWERS_TAKEN] == 0


def test_an_early_release_is_no_meal_and_makes_nothing() -> None:
    world = World()
    world.hold(0, FRIDGE, EAT_MEAL, remaining=1)
    world.hold(1, STOVE, COOK_MEAL, remaining=1)
    world.ask(0, Kind.RELEASE, object=FRIDGE)
    world.ask(1, Kind.RELEASE, object=STOVE)
    stock = world.state.economy.stock.copy()
    world.run()
    assert world.state.ties.last_meal_tick[0] == -1
    assert (world.state.economy.stock == stock).all()
    assert world.state.tally.count[1, Counter.MEALS_COOKED] == 0


def test_release_without_success_has_no_effect() -> None:
    world = World()
    world.freeze_needs()
    world.hold(0, SHOWER, USE_SHOWER, remaining=2)
    world.ask(0, Kind.RELEASE, object=SHOWER, success=False)
    outcomes = world.run()
    assert world.state.needs.level[0] == pytest.approx([0.7] * 3)
    assert outcomes.early_finishes.object[0] == NOBODY
    assert world.state.activities.affordance[0] == NOBODY


def test_v7_a_start_is_paid_counted_and_finishes_after_its_duration() -> None:
    world = World()
    world.at(100)
    world.beside(0, FRIDGE)
    world.ask(0, Kind.USE, object=FRIDGE, affordance=EAT_MEAL)
    outcomes = world.run()
    assert (outcomes.starts.affordance[0], outcomes.starts.object[0]) == (EAT_MEAL, FRIDGE)
    assert outcomes.starts.cost[0] == pytest.approx(0.4)
    assert world.state.economy.wallet[0] == pytest.approx(2.6)
    assert world.state.economy.stock[FRIDGE].tolist() == [5, 0]
    assert world.state.tally.count[0, Counter.MEALS_CONSUMED] == 1
    assert world.state.tally.spent[0] == pytest.approx(0.4)
    assert world.run(13).finishes.affordance[0] == NOBODY
    assert world.run().finishes.affordance[0] == EAT_MEAL
    assert int(world.state.clock.tick) == 114


def test_request_then_start() -> None:
    world = World()
    world.beside(0, BENCH)
    world.ask(0, Kind.REQUEST, object=BENCH)
    world.run()
    assert world.state.queues.holding[0] == BENCH
    assert world.state.activities.affordance[0] == NOBODY
    world.ask(0, Kind.START, object=BENCH, affordance=REST_BENCH)
    world.run()
    assert world.state.activities.affordance[0] == REST_BENCH
    assert world.state.roster.last_ticks[0] == 20


def _refused(world: World, place: int, affordance: int, *, keeps: bool) -> int:
    """Let slot 0, which holds the place, try to start; return the reason."""
    world.ask(0, Kind.START, object=place, affordance=affordance)
    outcomes = world.run()
    assert outcomes.starts.affordance[0] == NOBODY
    assert bool(world.state.queues.holding[0] == place) is keeps
    assert not world.ok[0]
    return int(world.reason[0])


def test_wrong_type() -> None:
    world = World()
    world.hold(0, BENCH)
    assert _refused(world, BENCH, EAT_MEAL, keeps=True) == Reason.WRONG_TYPE


def test_not_holder() -> None:
    world = World()
    world.beside(0, BENCH)
    world.ask(0, Kind.START, object=BENCH, affordance=REST_BENCH)
    world.run()
    assert world.reason[0] == Reason.NOT_HOLDER


def test_busy() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    assert _refused(world, BENCH, REST_BENCH, keeps=True) == Reason.BUSY
    assert world.state.activities.remaining[0] == 8


def test_closed_objects_are_taken_from_their_idle_holder() -> None:
    world = World()
    world.begin(BOTTLENECK, until=50, place=SHOWER)
    world.hold(0, SHOWER)
    assert _refused(world, SHOWER, USE_SHOWER, keeps=False) == Reason.CLOSED


def test_out_of_range_keeps_the_hold() -> None:
    world = World()
    world.hold(0, SHOWER)
    world.put(0, 14, 1)
    assert _refused(world, SHOWER, USE_SHOWER, keeps=True) == Reason.OUT_OF_RANGE


@pytest.mark.parametrize("spec", [BLACKOUT, OUTAGE])
def test_utility_off(spec: int) -> None:
    world = World()
    world.begin(spec, until=50)
    world.hold(0, SHOWER)
    assert _refused(world, SHOWER, USE_SHOWER, keeps=False) == Reason.UTILITY_OFF
    assert world.state.queues.cooldown_until[SHOWER, 0] == 0


def test_no_capacity() -> None:
    world = World()
    world.params.affordances.slot_use[REST_SLEEP] = 2
    world.hold(0, BED)
    assert _refused(world, BED, REST_SLEEP, keeps=False) == Reason.NO_CAPACITY


def test_no_goods() -> None:
    world = World()
    world.state.economy.stock[FRIDGE, MEALS] = 0
    world.hold(0, FRIDGE)
    assert _refused(world, FRIDGE, EAT_MEAL, keeps=False) == Reason.NO_GOODS


@pytest.mark.parametrize(("wallet", "reason"), [(0.399, Reason.NO_MONEY), (0.399995, Reason.NONE)])
def test_no_money_within_the_tolerance(wallet: float, reason: Reason) -> None:
    world = World()
    world.state.economy.wallet[0] = wallet
    world.hold(0, FRIDGE)
    world.queue(1, FRIDGE, ticket=0)
    world.ask(0, Kind.START, object=FRIDGE, affordance=EAT_MEAL)
    outcomes = world.run()
    assert world.reason[0] == reason
    if reason == Reason.NONE:
        assert world.state.economy.wallet[0] == 0
    else:
        assert world.state.queues.holding[1] == FRIDGE  # granted again in the live phase
        assert outcomes.grants.live[1] == FRIDGE


@pytest.mark.parametrize(("energy", "ok"), [(0.98, False), (0.969, True)])
def test_precondition(energy: float, ok: bool) -> None:
    world = World()
    world.state.needs.level[0, Need.ENERGY] = energy
    world.hold(0, BED)
    world.ask(0, Kind.START, object=BED, affordance=REST_SLEEP)
    outcomes = world.run()
    assert bool(world.ok[0]) is ok
    assert world.reason[0] == (Reason.NONE if ok else Reason.PRECONDITION)
    assert outcomes.verdicts.detail[0] == (NOBODY if ok else 0)
    assert world.state.queues.holding[0] == (BED if ok else NOBODY)
    assert world.state.tally.count[0, Counter.SLEEP_ATTEMPTS] == int(ok)


def test_reasons_come_in_the_order_of_the_rules() -> None:
    world = World()
    world.begin(BLACKOUT, until=50)
    world.params.affordances.slot_use[USE_SHOWER] = 9
    world.state.economy.wallet[0] = 0
    world.hold(0, SHOWER)
    assert _refused(world, SHOWER, USE_SHOWER, keeps=False) == Reason.UTILITY_OFF
    world.state.perturbations.until_tick[BLACKOUT] = -1
    world.hold(0, SHOWER)
    assert _refused(world, SHOWER, USE_SHOWER, keeps=False) == Reason.NO_CAPACITY
    world.params.affordances.slot_use[USE_SHOWER] = 0
    world.hold(0, SHOWER)
    assert _refused(world, SHOWER, USE_SHOWER, keeps=False) == Reason.NO_MONEY


def test_use_without_grant_keeps_the_reason_of_the_request() -> None:
    world = World()
    world.hold(1, FRIDGE)
    world.beside(0, FRIDGE)
    world.ask(0, Kind.USE, object=FRIDGE, affordance=COOK_MEAL)  # of the wrong type, but not granted
    world.run()
    assert world.reason[0] == Reason.WAITING


def test_use_by_a_holder_out_of_range() -> None:
    world = World()
    world.hold(0, SHOWER)
    world.put(0, 14, 1)
    world.ask(0, Kind.USE, object=SHOWER, affordance=USE_SHOWER)
    world.run()
    assert world.reason[0] == Reason.OUT_OF_RANGE
    assert world.state.queues.holding[0] == SHOWER


def test_utilities_cut_in_the_middle() -> None:
    world = World()
    world.freeze_needs()
    world.hold(0, SHOWER, USE_SHOWER, remaining=10)
    world.hold(1, SINK, WASH, remaining=5)  # needs water only
    world.queue(2, SHOWER, ticket=0)
    world.order(BLACKOUT, due=2, ticks=3)
    world.run()
    assert world.state.activities.remaining[0] == 9
    outcomes = world.run()
    assert (outcomes.aborts.reason[0], outcomes.aborts.object[0]) == (Abort.UTILITY_OFF, SHOWER)
    assert outcomes.aborts.affordance[0] == USE_SHOWER
    assert world.state.needs.level[0] == pytest.approx([0.7] * 3)
    assert world.state.economy.wallet[0] == pytest.approx(3)
    assert (world.state.queues.holding[0], world.state.queues.holding[2]) == (NOBODY, SHOWER)
    assert world.state.queues.cooldown_until[SHOWER, 0] == 0
    assert outcomes.handovers.successor[0] == NOBODY
    assert world.state.activities.remaining[1] == 3
    assert world.out.measures.aborts.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_prices_are_those_of_the_tick() -> None:
    world = World()
    world.begin(SPIKE, until=50, magnitude=2.0)
    world.hold(0, FRIDGE)
    world.ask(0, Kind.START, object=FRIDGE, affordance=EAT_MEAL)
    assert world.run().starts.cost[0] == pytest.approx(0.8)
    world = World()
    world.state.controls.price[MEAL] = 1.0
    world.hold(0, FRIDGE)
    world.ask(0, Kind.START, object=FRIDGE, affordance=EAT_MEAL)
    assert world.run().starts.cost[0] == pytest.approx(1.0)


def test_cooking_costs_three_prices_and_fills_the_linked_fridge() -> None:
    world = World()
    world.hold(0, STOVE)
    world.ask(0, Kind.START, object=STOVE, affordance=COOK_MEAL)
    assert world.run().starts.cost[0] == pytest.approx(0.22)
    assert world.state.economy.stock[STOVE, RAW] == 5
    world.state.activities.remaining[0] = 1
    outcomes = world.run()
    assert outcomes.finishes.produced[0].tolist() == [2, 0]
    assert outcomes.finishes.sink[0].tolist() == [world.params.world.link[STOVE, MEALS], NOBODY]
    assert world.state.economy.stock[[FRIDGE, FRIDGE_B], MEALS].tolist() == [8, 6]
    assert world.state.tally.count[0, Counter.MEALS_COOKED] == 2


def test_groceries_go_to_the_home_store_of_the_buyer() -> None:
    world = World()
    world.hold(0, TILL)
    world.ask(0, Kind.START, object=TILL, affordance=BUY_GROCERIES)
    world.run()
    assert world.state.economy.stock[TILL, RAW] == 36
    outcomes = world.run(9)
    assert outcomes.finishes.sink[0].tolist() == [NOBODY, STOVE]
    assert world.state.economy.stock[STOVE, RAW] == 10


def test_several_finishes_into_one_sink_add_up() -> None:
    world = World()
    world.params.world.link[SHOWER, MEALS] = world.params.world.link[SHOWER_B, MEALS] = FRIDGE_B
    world.params.affordances.produce[USE_SHOWER, MEALS] = 3
    world.params.affordances.sink[USE_SHOWER] = Sink.LINKED
    world.hold(0, SHOWER, USE_SHOWER, remaining=1)
    world.hold(1, SHOWER_B, USE_SHOWER, remaining=1)
    world.run()
    assert world.state.economy.stock[FRIDGE_B, MEALS] == 12


def test_own_sink_and_no_sink() -> None:
    world = World()
    world.params.affordances.sink[COOK_MEAL] = Sink.SELF
    world.hold(0, STOVE, COOK_MEAL, remaining=1)
    world.run()
    assert world.state.economy.stock[STOVE, MEALS] == 2
    world = World()
    world.params.world.link[STOVE, MEALS] = NOBODY
    world.hold(0, STOVE, COOK_MEAL, remaining=1)
    before = world.state.economy.stock.copy()
    outcomes = world.run()
    assert (world.state.economy.stock == before).all()
    assert outcomes.finishes.produced[0].tolist() == [0, 0]
    assert world.state.tally.count[0, Counter.MEALS_COOKED] == 0


def test_an_affordance_of_one_tick_finishes_at_once() -> None:
    world = World()
    world.params.affordances.duration[REST_BENCH] = 1
    world.beside(0, BENCH)
    world.ask(0, Kind.USE, object=BENCH, affordance=REST_BENCH)
    outcomes = world.run()
    assert outcomes.starts.affordance[0] == outcomes.finishes.affordance[0] == REST_BENCH
    assert world.state.activities.affordance[0] == NOBODY
    assert world.state.queues.cooldown_until[BENCH, 0] == 61


def test_meals_at_the_counter_use_its_stock() -> None:
    world = World()
    world.hold(0, CAFE)
    world.ask(0, Kind.START, object=CAFE, affordance=4)
    world.run()
    assert world.state.economy.stock[CAFE, MEALS] == 11
    assert world.state.economy.wallet[0] == pytest.approx(2.4)
