"""The parity preset (column p of MECHANICS 3, section 15) and the six scenarios of 14.9."""

from pathlib import Path

import numpy as np
import pytest

from townlet_jax.config import Built, build, from_mapping, load
from townlet_jax.core.enums import NOBODY, Perturb, Sink

CAST = {
    "kitchen_breakfast": (4242, 40, ("alice", "bob")),
    "queue_conflict": (5252, 80, ("anna", "ben", "cara")),
    "employment_punctuality": (6060, 80, ("dawn", "erin")),
    "rivalry_decay": (7171, 50, ("finn", "gina")),
    "observation_baseline": (8080, 20, ("iris",)),
    "demo_story_arc": (4242, 150, ("avery", "kai", "blair")),
}


@pytest.fixture(scope="module")
def parity() -> Built:
    return build(load("parity"))


def test_flags(parity: Built) -> None:
    spec = parity.spec
    assert (spec.landmarks, spec.personality_channels, spec.extended_features, spec.aggregates) == (
        False,
        False,
        False,
        True,
    )
    assert (spec.hints, spec.stability_bucket, spec.grid_width, spec.grid_height) == ("straight", 1, 48, 48)


def test_numbers_of_column_p(parity: Built) -> None:
    params = parity.params
    expected = [
        (params.world.interaction_range, 1000000), (params.world.busy_lock, False),
        (params.needs.decay_rate, [0.01, 0.005, 0.008]), (params.needs.start_low, [0.5] * 3),
        (params.needs.start_high, [0.5] * 3), (params.needs.spawn_level, [0.5] * 3),
        (params.needs.night_floor, [0.5] * 3), (params.economy.price, [0.40, 0.15, 0.05, 0.02, 0.20]),
        (params.economy.basket_weight, [1, 1, 1, 1, 0]), (params.economy.start_wallet_low, 0),
        (params.economy.start_wallet_high, 0), (params.economy.spawn_wallet, 0), (params.economy.rent_per_day, 0),
        (params.economy.max_unpaid_days, 2), (params.queue.cooldown_ticks, 60), (params.queue.leave_after, 1000000),
        (params.queue.ghost_step_running, True), (params.conflict.impatience_ticks, 0), (params.conflict.max_edges, 6),
        (params.ties.shared_meal_ticks, -1), (params.ties.shared_meal_range, 0), (params.chat.range, 0),
        (params.chat.cooldown_ticks, 0), (params.chat.base, 1), (params.chat.trust_coefficient, 0),
        (params.chat.familiarity_coefficient, 0), (params.chat.refused_is_failure, True),
        (params.employment.site_range, 0), (params.employment.arrival_buffer, 20), (params.lifecycle.faint_ticks, 1),
        (params.lifecycle.suppress_exits, False), (params.lifecycle.respawn_min, 0), (params.lifecycle.respawn_max, 0),
        (params.lifecycle.return_home, True), (params.lifecycle.daily_exit_cap, 2),
        (params.personality.modify_needs, False), (params.personality.modify_rewards, False),
        (params.personality.modify_ties, False), (params.personality.modify_behaviour, False),
        (params.personality.cumulative, [2, 2, 2, 2]), (params.perturbation.max_concurrent, 1),
        (params.perturbation.max_events_per_window, 1), (params.perturbation.window_ticks, 1440),
        (params.perturbation.global_cooldown_ticks, 0), (params.perturbation.agent_cooldown_ticks, 0),
        (params.perturbation.grace_window_ticks, 0), (params.reward.needs_weight, [1, 0.6, 0.8]),
        (params.reward.survival_tick, 0.002), (params.reward.faint_penalty, -1), (params.reward.eviction_penalty, -2),
        (params.reward.social_stage, 1), (params.reward.clip_per_tick, 0.2), (params.reward.clip_per_episode, 50),
        (params.reward.clip_terminal, True), (params.reward.daily_episode, False),
        (params.observation.wallet_scale, 1), (params.observation.ticks_scale, 1),
        (params.observation.feature_clip, 1e9), (params.restock.every, [200]), (params.restock.at, [0]),
        (params.restock.amount, [2]), (params.restock.cap, [2147483647]), (params.jobs.start, [180, 400]),
        (params.jobs.length, [181, 161]), (params.jobs.wage_rate, [0.02, 0.025]),
        (params.jobs.lateness_penalty, [0.1, 0.12]), (params.world.site_tile, [[0, 0], [1, 0]]),
    ]  # fmt: skip
    for value, wanted in expected:
        np.testing.assert_allclose(np.asarray(value), np.asarray(wanted), rtol=1e-6)
    assert np.ptp(np.asarray(params.observation.hint), axis=2).max() == 0, "the stove serves every need"
    assert float(params.economy.basket_weight @ params.economy.price) == pytest.approx(0.62)


def test_affordance_rows(parity: Built) -> None:
    table, names = parity.params.affordances, parity.names
    assert names.affordances == ("use_shower", "eat_meal", "cook_meal", "rest_sleep")
    assert np.asarray(table.duration).tolist() == [30, 15, 40, 60]
    np.testing.assert_allclose(
        table.need_effect, [[0, 0.45, -0.03], [0.4, 0, 0.05], [0.1, 0, -0.05], [0, 0, 0.8]], atol=1e-6
    )
    cost = np.asarray(table.price_weight) @ np.asarray(parity.params.economy.price)
    np.testing.assert_allclose(cost, [0.2, 0.4, 0.15, 0], atol=1e-6)
    assert np.asarray(table.produce)[2].tolist() == [1, 0]
    assert np.asarray(table.sink).tolist() == [Sink.NONE, Sink.NONE, Sink.SELF, Sink.NONE]
    assert np.asarray(table.utility)[0].tolist() == [False, True], "a blackout does not concern showers"
    assert not np.asarray(table.clause_used).any()
    assert table.facts == (0,)


def test_everything_is_in_reach_of_everything(parity: Built) -> None:
    steps, direction = np.asarray(parity.params.routes.steps), np.asarray(parity.params.routes.direction)
    objects = len(parity.names.objects)
    assert (steps[:objects] == 0).all()
    assert (direction[:objects] == -1).all()
    assert not np.asarray(parity.params.world.blocked).any()
    assert np.asarray(parity.params.world.reachable)[47, 0].tolist() == list(range(objects))


def test_stock(parity: Built) -> None:
    stock = dict(zip(parity.names.objects, np.asarray(parity.params.world.stock_start), strict=True))
    assert (stock["fridge_1"].tolist(), stock["stove_1"].tolist()) == ([5, 0], [0, 3])


@pytest.mark.parametrize("name", CAST)
def test_scenarios_load(root: Path, name: str) -> None:
    seed, ticks, cast = CAST[name]
    config = load(root / "configs" / "scenarios" / f"{name}.yaml")
    built = build(config)
    assert (config.seed, config.config_id) == (seed, name)
    assert built.names.agents == cast
    assert built.names.scenario is not None
    assert built.names.scenario.ticks == ticks
    assert len(built.names.scenario.schedules) == built.spec.num_agents == len(cast)
    assert (built.spec.grid_width, built.spec.grid_height) == (24, 24)
    assert not np.asarray(built.params.world.solid).any()


def test_a_scenario_stands_on_its_own_map(root: Path) -> None:
    built = build(load("kitchen_breakfast"))
    assert built.names.objects == ("stove_1", "fridge_1")
    assert built.names.jobs == ("grocer", "barista"), "jobs at coordinates are inherited"
    assert np.asarray(built.params.world.home_tile).tolist() == [[11, 12], [13, 12]]
    np.testing.assert_allclose(built.params.start.level, [[0.7, 0.6, 0.5], [0.6, 0.7, 0.6]])
    np.testing.assert_allclose(built.params.start.wallet, [1.5, 1.2])
    assert float(np.abs(built.params.needs.decay_rate).sum()) == 0
    del root


def test_the_story(root: Path) -> None:
    built = build(load(root / "configs" / "scenarios" / "demo_story_arc.yaml"))
    params, names = built.params, built.names
    assert np.asarray(params.start.alive).tolist() == [True, True, False]
    assert [names.jobs[job] for job in np.asarray(params.start.job)] == ["market_shift", "market_shift", "cafe_shift"]
    assert [names.profiles[profile] for profile in np.asarray(params.start.profile)] == [
        "socialite",
        "industrious",
        "socialite",
    ]
    np.testing.assert_allclose(params.personality.cumulative, [0.4, 0.75, 2, 2], atol=1e-6)
    assert np.asarray(params.perturbation.kind).tolist() == [Perturb.PRICE_SPIKE, Perturb.ARRANGED_MEET]
    assert np.asarray(params.perturbation.duration_min).tolist() == [35, 20]
    assert np.asarray(params.perturbation.duration_max).tolist() == [35, 20]
    assert (
        float(params.perturbation.magnitude_min[0])
        == float(params.perturbation.magnitude_max[0])
        == pytest.approx(1.55)
    )
    assert np.asarray(params.perturbation.price_mask)[0].all()
    assert not np.asarray(params.perturbation.spare_busy).any()
    assert np.asarray(params.perturbation.prob_per_day).tolist() == [0, 0]
    assert np.asarray(params.start.home)[2] == 0, "a dead agent falls back to home a mod B"
    scenario = names.scenario
    assert scenario is not None
    assert [entry.tick for entry in scenario.timeline] == [8, 18, 40, 46, 60, 72, 88, 110, 126]
    assert [entry.do for entry in scenario.schedules[1]] == ["wait", "walk_to", "wait"]


def test_empty_tables_hold_one_inert_row() -> None:
    town = {"town": {"size": [3, 2]}, "goods": {"names": []}, "agents": [{"name": "a", "position": [1, 1]}]}
    spec, params, names = build(from_mapping(town))
    assert names.objects == names.affordances == names.jobs == names.goods == names.prices == names.places == ()
    sizes = (
        spec.num_objects, spec.num_object_types, spec.num_affordances, spec.num_jobs, spec.num_goods, spec.num_prices,
        spec.num_perturbations, spec.num_places, spec.num_restocks, spec.num_reachable,
    )  # fmt: skip
    assert sizes == (1,) * 10
    assert np.asarray(params.world.present).tolist() == [False]
    assert np.asarray(params.affordances.object_type).tolist() == [NOBODY]
    assert np.asarray(params.start.job).tolist() == [NOBODY]
    assert np.asarray(params.restock.amount).tolist() == [0]
    assert np.asarray(params.perturbation.prob_per_day).tolist() == [0]
    steps = np.asarray(params.routes.steps)
    assert (steps[0] == -1).all(), "the object"
    assert (steps[1] == -1).all(), "the job"
    assert steps[2].tolist() == [[2, 1, 2], [1, 0, 1]], "the home"
    assert (steps[3] == -1).all(), "the place"
