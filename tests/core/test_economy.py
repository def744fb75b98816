"""Coins, prices, deliveries, rent (MECHANICS 4.2.6, 4.4.6, 4.5; 16.1 V30-V33)."""

import numpy as np
import pytest

from core.worlds import (
    CAFE,
    EAT_MEAL,
    FRIDGE,
    MEAL,
    MEALS,
    RAW,
    SPIKE,
    SPIKE_B,
    STOVE,
    TILL,
    World,
    hamlet,
)
from townlet_jax.config import build, from_mapping
from townlet_jax.core.enums import Exit, Kind


def test_v30_rent() -> None:
    world = World()
    world.freeze_needs()
    world.state.economy.wallet[:3] = (5.5, 1.9, 1.999995)
    world.at(1440)
    outcomes = world.run()
    assert outcomes.trades.rent_paid[:3].tolist() == [2, 0, 2]
    assert outcomes.trades.rent_unpaid[:3].tolist() == [False, True, False]
    assert world.state.economy.wallet[:3] == pytest.approx([3.5, 1.9, 0])
    assert world.state.economy.unpaid_days[:2].tolist() == [0, 1]
    assert world.state.tally.spent[:2].tolist() == [2, 0]
    assert (world.out.measures.rent_paid, world.out.measures.rent_unpaid) == (10, 1)
    world.at(2880)
    world.state.economy.wallet[2:] = 9
    outcomes = world.run()
    assert outcomes.departures.reason[:3].tolist() == [Exit.NONE, Exit.EVICTION_RENT, Exit.NONE]
    assert world.state.economy.wallet[0] == pytest.approx(1.5)


def test_paying_again_forgives_unpaid_days() -> None:
    world = World()
    world.state.economy.unpaid_days[0] = 1
    world.at(1440)
    world.run()
    assert world.state.economy.unpaid_days[0] == 0


def test_rent_can_be_off_and_comes_at_midnight_only() -> None:
    world = World()
    world.at(1439)
    world.run()
    assert world.state.economy.wallet[0] == 3
    world.params.economy.rent_per_day[...] = 0
    outcomes = world.run()
    assert world.state.economy.wallet[0] == 3
    assert not outcomes.trades.rent_unpaid.any()


@pytest.mark.parametrize(("stock", "after"), [(6, 8), (3, 7), (8, 8), (11, 11)])
def test_v31_restock_up_to_the_cap(stock: int, after: int) -> None:
    world = World()
    world.state.economy.stock[STOVE, RAW] = stock
    world.at(300)
    outcomes = world.run()
    assert world.state.economy.stock[STOVE, RAW] == after
    assert outcomes.trades.restocked[STOVE, RAW] == after - stock
    assert outcomes.trades.restocked.sum() == after - stock


def test_v31_every_some_ticks() -> None:
    world = World()
    world.params.restock.cap[1] = 1000
    due = []
    for moment in (1, 359, 360, 361, 839, 840, 841, 1319, 1320, 1440, 1441, 1800):
        world.at(moment)
        if world.run().trades.restocked[CAFE, MEALS] > 0:
            due.append(moment)
    assert due == [360, 840, 1320, 1800]
    assert world.state.economy.stock[CAFE, MEALS] == 12 + 4 * 12


def test_v31_parity_rows() -> None:
    world = World()
    rows = world.params.restock
    rows.every[0], rows.at[0], rows.amount[0], rows.cap[0] = 200, 0, 2, 2147483647
    world.state.economy.stock[:] = 1000
    due = []
    for tau in (*range(0, 1440, 100), 1399, 1439):
        world.at(1440 + tau)
        if world.run().trades.restocked[STOVE, RAW] == 2:
            due.append(tau)
    assert due == list(range(0, 1440, 200))


def test_two_rows_of_one_tick_apply_in_order() -> None:
    world = World()
    rows = world.params.restock
    rows.object_type[0], rows.good[0], rows.at[0] = rows.object_type[2], RAW, 360
    rows.amount[0], rows.cap[0] = 30, 60  # the first row leaves room for 50 - 40 of the second
    world.state.economy.stock[TILL, RAW] = 20
    world.at(360)
    outcomes = world.run()
    assert world.state.economy.stock[TILL, RAW] == 60
    assert outcomes.trades.restocked[TILL, RAW] == 40


def test_absent_objects_get_nothing() -> None:
    world = World()
    world.params.world.present[STOVE] = False
    world.at(300)
    assert not world.run().trades.restocked.any()


def test_v32_spikes_multiply() -> None:
    world = World()
    world.begin(SPIKE, until=50, magnitude=1.5)
    world.begin(SPIKE_B, until=50, magnitude=1.2)
    outcomes = world.run()
    assert outcomes.trades.price_now[MEAL] == pytest.approx(0.72)
    expected = world.params.economy.price.copy()
    expected[[0, 5, 6]] *= 1.5
    expected[0] *= 1.2
    np.testing.assert_allclose(outcomes.trades.price_now, expected, rtol=1e-6)
    assert world.state.controls.price[MEAL] == pytest.approx(0.4)


def test_v33_basket() -> None:
    params = hamlet().params
    assert params.economy.basket_weight.tolist() == pytest.approx([3.6, 1.8, 1.8, 1.8, 1.6, 0, 0, 0], abs=1e-5)
    world = World()
    assert world.run().trades.basket_cost == pytest.approx(2.156, abs=1e-5)
    assert world.out.measures.basket_cost == pytest.approx(2.156, abs=1e-5)
    daily = 2.156 + float(params.economy.rent_per_day)
    assert daily == pytest.approx(4.156)
    wage = float(params.jobs.wage_rate[0]) * int(params.jobs.length[0])
    assert wage / daily == pytest.approx(1.155, abs=5e-4)


def test_parity_basket() -> None:
    built = build(from_mapping({"base": "parity"}))
    assert built.params.economy.basket_weight.tolist() == [1, 1, 1, 1, 0]
    assert float((built.params.economy.basket_weight * built.params.economy.price).sum()) == pytest.approx(0.62)


def test_the_last_coin_is_spent_but_no_more() -> None:
    world = World()
    world.state.economy.wallet[0] = 0.4
    world.hold(0, FRIDGE)
    world.ask(0, Kind.START, object=FRIDGE, affordance=EAT_MEAL)
    world.run()
    assert world.state.economy.wallet[0] == pytest.approx(0, abs=1e-7)
    assert world.state.economy.wallet[0] >= 0
