"""The town at tick 0 (MECHANICS 1.6, 2.1, 8.1; 16.1 V40, V41)."""

import jax
import numpy as np
import pytest

from core.worlds import HAMLET, editable
from townlet_jax.config import build, from_mapping, load
from townlet_jax.core import town
from townlet_jax.core.enums import NEVER, NOBODY, Phase
from townlet_jax.core.state import TownState

INIT = jax.jit(town.init, static_argnums=0)


@pytest.fixture(scope="module")
def default() -> TownState:
    """Return the default town of key(0)."""
    spec, params, _ = build(load("default"))
    state: TownState = editable(INIT(spec, params, jax.random.key(0)))
    return state


@pytest.fixture(scope="module")
def custom() -> TownState:
    """Return a hamlet whose agents say who they are."""
    agents = [
        {"name": "ada", "home": 2, "job": "guard", "profile": "stoic", "position": [7, 5], "needs": {"hygiene": 0.25}},
        {"name": "ben", "alive": False, "home": 1, "wallet": 7, "needs": {"hunger": 0.5}},
        {"name": "cleo", "wallet": 1.5, "ties": {"ada": {"trust": 0.5, "familiarity": -0.25, "rivalry": 0.75}}},
        {"name": "dan"},
    ]
    changes = {
        "agents": agents,
        "spec": {"num_agents": 6},
        "needs": {"start_low": 0.7, "start_high": 0.9},
        "economy": {"start_wallet_low": 2, "start_wallet_high": 4},
    }
    spec, params, _ = build(from_mapping({**HAMLET, **changes}))
    state: TownState = editable(INIT(spec, params, jax.random.key(0)))
    return state


def test_v40_needs_are_drawn(default: TownState) -> None:
    expected = [[0.756544, 0.857619, 0.779517], [0.708098, 0.738520, 0.816630]]
    np.testing.assert_allclose(default.needs.level[:2], expected, atol=1e-6)


def test_v41_profiles_are_drawn(default: TownState) -> None:
    assert default.roster.profile.tolist() == [0, 0, 1, 1, 0, 0, 3, 1]


def test_reset_values(default: TownState) -> None:
    roster = default.roster
    assert roster.alive.all()
    assert roster.uid.tolist() == list(range(8))
    assert int(roster.next_uid) == 8
    assert roster.home.tolist() == list(range(8))
    assert roster.position[:2].tolist() == [[5, 7], [13, 7]]
    assert (roster.born_tick == 0).all()
    for column in (roster.generation, roster.last_kind, roster.last_ticks, roster.last_ok, roster.reset_flag):
        assert not column.any()
    assert default.employment.job.tolist() == [1, 1, 0, 0, 1, 2, 0, 2]
    assert (default.employment.phase == Phase.IDLE).all()
    assert default.economy.wallet.tolist() == [3] * 8
    assert default.embeddings.slot.tolist() == list(range(8))
    assert int(default.embeddings.allocations) == 8
    assert int(default.clock.tick) == 0
    assert int(default.faults) == 0
    assert default.economy.stock.sum(axis=0).tolist() == [4 * 6 + 2 * 12, 4 * 6 + 40]
    for never in (
        default.queues.joined_tick,
        default.ties.last_meal_tick,
        default.employment.shift_start_tick,
        default.employment.absence_day,
        default.exits.asked_tick,
        default.perturbations.until_tick,
        default.perturbations.fired_tick,
        default.perturbations.queued_tick,
        default.lifecycle.respawn_tick,
        default.lifecycle.died_tick,
        default.embeddings.released_tick,
    ):
        assert (never == NEVER).all()
    assert (default.employment.attendance == -1).all()
    assert (default.perturbations.magnitude == 1).all()
    assert default.queues.holding.tolist() == default.queues.waiting.tolist() == [NOBODY] * 8


def test_controls_come_from_the_numbers(default: TownState) -> None:
    assert default.controls.price.tolist() == pytest.approx([0.4, 0.15, 0.05, 0.02, 0.2, 0.6, 0.5, 0.03])
    controls = default.controls
    assert (bool(controls.mortality), int(controls.daily_exit_cap)) == (True, 2)
    assert (int(controls.respawn_min), int(controls.respawn_max)) == (5, 20)
    assert not controls.possessed.any()


def test_potential_is_that_of_the_drawn_needs(default: TownState) -> None:
    weights = np.array([0.10, 0.06, 0.08])
    np.testing.assert_allclose(default.ledger.potential, default.needs.level @ weights / weights.sum(), atol=1e-6)
    assert not default.ledger.episode_return.any()


def test_agents_start_as_the_file_says(custom: TownState) -> None:
    assert custom.roster.alive.tolist() == [True, False, True, True, False, False]
    assert custom.roster.uid.tolist() == [0, NOBODY, 2, 3, NOBODY, NOBODY]
    assert custom.roster.home.tolist() == [2, 1, 2, 0, 1, 2]
    assert custom.roster.position.tolist() == [[7, 5], [1, 4], [1, 8], [1, 1], [1, 4], [1, 8]]
    assert custom.roster.profile[[0, 1]].tolist() == [3, 0]
    assert custom.roster.born_tick.tolist() == [0, NEVER, 0, 0, NEVER, NEVER]
    assert custom.employment.job.tolist() == [3, 1, 2, 3, 0, 1]
    assert custom.needs.level[0, 1] == pytest.approx(0.25)
    assert custom.needs.level[0, 0] == pytest.approx(0.756544, abs=1e-6)
    assert custom.economy.wallet[[1, 2]].tolist() == [0, 1.5]
    assert 2 <= custom.economy.wallet[0] <= 4
    assert custom.economy.wallet[0] != custom.economy.wallet[3]
    for tie, value in ((custom.ties.trust, 0.5), (custom.ties.familiarity, -0.25), (custom.ties.rivalry, 0.75)):
        assert float(tie[2, 0]) == value
    assert custom.ties.trust[0, 2] == 0


def test_vacant_slots_are_empty(custom: TownState) -> None:
    vacant = ~custom.roster.alive
    assert not custom.needs.level[vacant].any()
    assert not custom.economy.wallet[vacant].any()
    assert not custom.ledger.potential[vacant].any()
    assert custom.embeddings.slot.tolist() == [0, NOBODY, 1, 2, NOBODY, NOBODY]
    assert int(custom.embeddings.allocations) == 3
    assert (custom.lifecycle.respawn_tick == NEVER).all()
