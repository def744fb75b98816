"""Running sums over the ticks of a chunk (core.totals)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from core.worlds import BARISTA, World, on_device
from townlet_jax.core import totals
from townlet_jax.core.totals import Totals

ADD = jax.jit(totals.add)


def added(world: World, before: Totals | None = None) -> Totals:
    """Live one tick and add it."""
    start = on_device(world.state)
    world.run()
    output = on_device(world.out)
    told: Totals = ADD(totals.nothing(output.measures) if before is None else before, start, output)
    return told


def test_nothing_is_neutral() -> None:
    world = World()
    world.run()
    empty = totals.nothing(on_device(world.out.measures))
    assert int(empty.ticks) == 0
    assert all(leaf.dtype == jnp.float32 and not leaf.any() for leaf in jax.tree.leaves(empty.sums))
    assert np.isinf(empty.need_min).all()
    assert np.isinf(empty.wallet_min)


def test_minima_are_those_of_any_tick() -> None:
    world = World()
    world.state.needs.level[0] = (0.2, 0.9, 0.9)
    first = added(world)
    world.state.needs.level[0] = 0.5
    world.state.economy.wallet[1] = 0.25
    second = added(world, first)
    assert int(second.ticks) == 2
    assert float(second.need_min[0]) == pytest.approx(0.199)
    assert float(second.need_min[1]) == pytest.approx(0.4995)
    assert float(second.wallet_min) == 0.25
    assert float(second.sums.alive) == 12


def test_an_empty_town_does_not_count_as_poor() -> None:
    assert np.isinf(added(World(living=0)).wallet_min)


def test_shifts_faints_and_rents() -> None:
    world = World()
    world.at(1440)
    world.state.economy.wallet[1:6] = (0, 1, 5, 5, 5)
    jobs = world.state.employment
    jobs.job[0], jobs.shift_start_tick[0], jobs.on_time_ticks[0] = BARISTA, 1200, 180
    world.params.jobs.start[BARISTA] = 1200  # 1200-1439, finalised at midnight
    world.state.needs.level[5, 0], world.state.lifecycle.faint_streak[5] = 0, 29
    world.state.roster.born_tick[5] = 440
    told = added(world)
    assert (int(told.on_time_ticks), int(told.shift_ticks)) == (180, 240)
    assert float(told.faint_age_ticks) == 1000
    assert int(told.rents_paid) == 4
    assert float(told.sums.rent_unpaid) == 2
