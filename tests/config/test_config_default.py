"""The default town: everything the rules checked by script on its rows (MECHANICS 14.7), its numbers, its routes."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from townlet_jax.config import Built, Config, build, load
from townlet_jax.config.plan import plan
from townlet_jax.config.warn import check_warnings, daily_basket
from townlet_jax.core.enums import NOBODY, Counter, Operator, Option, Perturb, Sink

HOMES = [(5, 7), (13, 7), (34, 7), (42, 7), (5, 40), (13, 40), (34, 40), (42, 40)]
OBJECTS = """
bed 4 5 · fridge 8 5 · stove 9 5 · sink 10 5 · bed 14 5 · shower 21 5 · shower 26 5 · bed 33 5 · fridge 37 5
· stove 38 5
· sink 39 5 · bed 43 5 · till 37 18 · cafe_counter 9 19 · cafe_counter 10 19 · bench 10 26 · bench 16 26 · desk 30 26
· desk 32 26 · desk 34 26 · desk 36 26 · bench 10 30 · bench 16 30 · shower 23 41 · bed 4 42 · fridge 8 42 · stove 9 42
· sink 10 42 · bed 14 42 · bed 33 42 · fridge 37 42 · stove 38 42 · sink 39 42 · bed 43 42
"""
HOME_OBJECTS = [
    [0, 1, 2, 3, 5], [4, 1, 2, 3, 5], [7, 8, 9, 10, 6], [11, 8, 9, 10, 6],
    [24, 25, 26, 27, 23], [28, 25, 26, 27, 23], [29, 30, 31, 32, 23], [33, 30, 31, 32, 23],
]  # fmt: skip
MOVES = {"N": (0, -1), "E": (1, 0), "S": (0, 1), "W": (-1, 0)}


@pytest.fixture(scope="module")
def config(root: Path) -> Config:
    return load(root / "configs" / "default.yaml")


@pytest.fixture(scope="module")
def built(config: Config) -> Built:
    return build(config)


def walk(built: Built, target: int, start: tuple[int, int]) -> str:
    """Follow the directions to a target."""
    direction = np.asarray(built.params.routes.direction)[target]
    x, y = start
    path = ""
    while direction[y, x] >= 0:
        letter = "NESW"[direction[y, x]]
        path += letter
        x, y = x + MOVES[letter][0], y + MOVES[letter][1]
    return path


def test_sizes(built: Built) -> None:
    expected = {
        "num_agents": 8, "num_objects": 34, "num_object_types": 9, "num_affordances": 8, "num_jobs": 3, "num_goods": 2,
        "num_prices": 8, "num_utilities": 2, "num_perturbations": 5, "num_homes": 8, "num_places": 1, "num_profiles": 4,
        "num_restocks": 3, "grid_height": 48, "grid_width": 48, "num_alternatives": 1, "num_clauses": 1,
        "embedding_slots": 64, "attendance_window": 3, "absence_ring": 8, "fired_ring": 4, "stability_bucket": 50,
        "variant": "hybrid", "action_space": "flat", "hints": "bfs", "landmarks": True, "personality_channels": True,
        "aggregates": True, "extended_features": True, "object_channels": (), "local_window": 11, "compact_window": 7,
        "top_friends": 2, "top_rivals": 2,
    }  # fmt: skip
    found = dataclasses.asdict(built.spec)
    assert {name: found[name] for name in expected} == expected
    assert (built.spec.num_targets, built.spec.num_actions) == (46, 15)


def test_every_free_tile_is_reachable_from_every_home(built: Built) -> None:
    free = ~np.asarray(built.params.world.blocked)
    steps = np.asarray(built.params.routes.steps)
    assert free.sum() == 1737
    for home in range(8):
        field = steps[34 + 3 + home]
        assert (field[free] >= 0).all()
        assert (field[~free] == -1).all()


def test_longest_ways(built: Built) -> None:
    steps = np.asarray(built.params.routes.steps)
    at_homes = np.array([[steps[target, y, x] for x, y in HOMES] for target in range(46)])
    assert (at_homes >= 0).all()
    assert at_homes[:34].max() == 71
    assert steps.max() == 81


def test_places_of_everything(built: Built) -> None:
    world, names = built.params.world, built.names
    assert np.asarray(world.home_tile).tolist() == [list(tile) for tile in HOMES]
    assert dict(zip(names.jobs, np.asarray(world.site_tile).tolist(), strict=True)) == {
        "grocer": [37, 20],
        "barista": [10, 18],
        "clerk": [32, 28],
    }
    assert (names.places, np.asarray(world.place_tile).tolist()) == (("park",), [[17, 29]])
    wanted = [entry.split() for entry in OBJECTS.replace("\n", " ").split("·")]
    types = [names.object_types[kind] for kind in np.asarray(world.object_type)]
    assert types == [kind for kind, _, _ in wanted]
    assert np.asarray(world.tile).tolist() == [[int(x), int(y)] for _, x, y in wanted]
    assert names.objects[5:7] == ("shower_1", "shower_2")
    assert names.objects[33] == "bed_8"


def test_links_and_home_objects(built: Built) -> None:
    world, names = built.params.world, built.names
    link = np.asarray(world.link)
    assert {stove: int(link[stove, 0]) for stove in (2, 9, 26, 31)} == {2: 1, 9: 8, 26: 25, 31: 30}
    assert (link >= 0).sum() == 4
    columns = [names.object_types.index(kind) for kind in ("bed", "fridge", "stove", "sink", "shower")]
    assert np.asarray(world.home_object)[:, columns].tolist() == HOME_OBJECTS
    assert np.asarray(world.home_store).tolist() == [[row[1], row[2]] for row in HOME_OBJECTS]


def test_ways_to_work_and_to_the_shower(built: Built) -> None:
    steps, world, start = (np.asarray(built.params.routes.steps), built.params.world, built.params.start)
    found = {}
    for slot, name in enumerate(built.names.agents):
        x, y = np.asarray(world.home_tile)[int(start.home[slot])]
        found[name] = int(steps[34 + int(start.job[slot]), y, x])
        assert min(steps[shower, y, x] for shower in (5, 6, 23)) == 26
    assert found == {"ada": 24, "ben": 24, "cleo": 36, "dan": 36, "eva": 35, "finn": 39, "gwen": 33, "hugo": 22}


def test_vector_46(built: Built) -> None:
    barista = 34 + built.names.jobs.index("barista")
    assert walk(built, barista, (5, 7)) == "EEEESSSEEEEESSSSSSSSWWWW"
    steps, direction = np.asarray(built.params.routes.steps), np.asarray(built.params.routes.direction)
    found = {target: (int(steps[target, 7, 5]), "NESW"[direction[target, 7, 5]]) for target in (1, 0, 5)}
    assert found == {1: (4, "E"), 0: (1, "N"), 5: (26, "E")}


def test_vector_48_objects_in_reach(built: Built) -> None:
    reachable = np.asarray(built.params.world.reachable)
    assert reachable[6, 9].tolist() == [1, 2, 3]
    assert reachable[7, 5].tolist() == [NOBODY] * 3
    assert reachable.shape[2] == built.spec.num_reachable == 3


def test_vector_33_basket(built: Built, config: Config) -> None:
    np.testing.assert_allclose(built.params.economy.basket_weight, [3.6, 1.8, 1.8, 1.8, 1.6, 0, 0, 0], atol=1e-5)
    cost = float(np.dot(built.params.economy.basket_weight, built.params.economy.price))
    assert cost == pytest.approx(2.156, abs=1e-5)
    assert daily_basket(plan(config)) == pytest.approx(4.156, abs=1e-5)
    assert check_warnings(config) == []


def test_numbers_of_column_d(built: Built) -> None:
    params = built.params
    expected = [
        (params.clock.ticks_per_day, 1440), (params.clock.horizon_ticks, 0), (params.world.interaction_range, 1),
        (params.world.busy_lock, True), (params.needs.decay_rate, [0.001, 0.0005, 0.0007]),
        (params.needs.start_low, [0.7] * 3), (params.needs.start_high, [0.9] * 3),
        (params.needs.spawn_level, [0.7] * 3), (params.needs.night_floor, [0] * 3),
        (params.economy.start_wallet_low, 3), (params.economy.start_wallet_high, 3), (params.economy.spawn_wallet, 3),
        (params.economy.rent_per_day, 2), (params.economy.max_unpaid_days, 2), (params.queue.cooldown_ticks, 60),
        (params.queue.ghost_step_after, 3), (params.queue.age_priority_weight, 0.1), (params.queue.leave_after, 5),
        (params.queue.ghost_step_running, False), (params.conflict.increment, 0.15),
        (params.conflict.rivalry_decay, 0.005), (params.conflict.avoid_threshold, 0.7), (params.conflict.max_edges, 6),
        (params.conflict.ghost_step_boost, 1.5), (params.conflict.handover_boost, 0.4),
        (params.conflict.queue_length_boost, 0.25), (params.conflict.impatience_ticks, 10),
        (params.ties.trust_decay, 0), (params.ties.familiarity_decay, 0), (params.ties.shared_meal_ticks, 15),
        (params.ties.shared_meal_range, 3), (params.chat.range, 1), (params.chat.cooldown_ticks, 30),
        (params.chat.base, 0.7), (params.chat.trust_coefficient, 0.3), (params.chat.familiarity_coefficient, 0.2),
        (params.chat.refused_is_failure, False), (params.employment.site_range, 1),
        (params.employment.arrival_buffer, 20), (params.employment.grace_ticks, 5),
        (params.employment.absent_cutoff, 30), (params.employment.absence_slack, 20),
        (params.employment.late_tick_penalty, 0.005), (params.employment.absence_penalty, 0.2),
        (params.employment.enforce_job_loop, True), (params.employment.max_absent_shifts, 3),
        (params.employment.absence_days, 7), (params.employment.exit_queue_limit, 8),
        (params.employment.review_ticks, 1440), (params.lifecycle.mortality, True),
        (params.lifecycle.faint_threshold, 0.03), (params.lifecycle.faint_ticks, 30),
        (params.lifecycle.max_age_days, 0), (params.lifecycle.daily_exit_cap, 2),
        (params.lifecycle.suppress_exits, True), (params.lifecycle.respawn_min, 5), (params.lifecycle.respawn_max, 20),
        (params.lifecycle.return_home, False), (params.embeddings.cooldown_ticks, 2000),
        (params.embeddings.reuse_warning, 0.05), (params.perturbation.max_concurrent, 2),
        (params.perturbation.max_events_per_window, 2), (params.perturbation.window_ticks, 1440),
        (params.perturbation.global_cooldown_ticks, 240), (params.perturbation.agent_cooldown_ticks, 360),
        (params.perturbation.grace_window_ticks, 60), (params.reward.needs_weight, [0.10, 0.06, 0.08]),
        (params.reward.survival_tick, 0.02), (params.reward.wage_weight, 1), (params.reward.punctuality_bonus, 0.05),
        (params.reward.faint_penalty, -5), (params.reward.eviction_penalty, -5), (params.reward.age_out_penalty, 0),
        (params.reward.social_stage, 2), (params.reward.deficit_override, 0.85), (params.reward.avoid_bonus, 0.005),
        (params.reward.chat_base, 0.01), (params.reward.chat_trust, 0.3), (params.reward.chat_familiarity, 0.2),
        (params.reward.shaping_weight, 0), (params.reward.shaping_gamma, 0.99), (params.reward.clip_per_tick, 0.5),
        (params.reward.clip_per_episode, 200), (params.reward.clip_terminal, False),
        (params.reward.daily_episode, True), (params.reward.no_positive_within_death_ticks, 10),
        (params.observation.wallet_scale, 10), (params.observation.count_scale, 10),
        (params.observation.withheld_scale, 10), (params.observation.distance_scale, 64),
        (params.observation.ticks_scale, 60), (params.observation.feature_clip, 10),
        (params.observation.normalize_counts, True), (params.observation.utility_shown, [0, 1]),
        (params.observation.hint[7, 5], [[0, 0, 1, 0], [0, 0, 1, 0], [1, 0, 0, 0]]),  # V46: fridge E, shower E, bed N
        (params.observation.landmark[7, 5], [[1, 0, 4], [1, 0, 4], [0, -1, 1], [1, 0, 26]]),
    ]  # fmt: skip
    for value, wanted in expected:
        np.testing.assert_allclose(np.asarray(value), np.asarray(wanted), atol=1e-7)


def test_behaviour_numbers(built: Built) -> None:
    wanted = {
        "threshold": [0.55, 0.50, 0.62], "floor": 0.45, "urgent": 0.30, "exhausted": 0.25, "critical": 0.15,
        "sleep_margin": 70, "last_chance_ticks": 150, "prep_ticks": 240, "night_start": 1260, "night_end": 300,
        "night_energy": 0.70, "time_fed": 20, "time_clean": 40, "time_cook": 60, "pantry_target": 3, "pantry_good": 0,
        "cook_energy_margin": 0.08, "coin_weight": 50, "home_bonus": 30, "errand_limit": 60, "commit_ticks": 15,
        "social_need": 0.60, "social_free": 120, "social_start": 600, "social_end": 1200, "chat_need_floor": 0.30,
        "chat_extroversion_min": -0.25, "chat_score_min": -0.05, "guard_learners": False,
    }  # fmt: skip
    for name, value in wanted.items():
        np.testing.assert_allclose(np.asarray(getattr(built.params.behaviour, name)), np.asarray(value), atol=1e-6)
    menu, fallback = np.asarray(built.params.behaviour.menu), np.asarray(built.params.behaviour.fallback_menu)
    rows = {Option(row).name: np.flatnonzero(menu[row]).tolist() for row in range(8) if menu[row].any()}
    assert rows == {"GET_FED": [1, 4], "GET_CLEAN": [0], "SLEEP": [3], "COOK": [2]}
    assert np.argwhere(fallback).tolist() == [[Option.COOK, 5]]


def test_affordance_table(built: Built) -> None:
    table = built.params.affordances
    assert np.asarray(table.duration).tolist() == [30, 15, 40, 180, 20, 10, 10, 20]
    effects = np.asarray(table.need_effect)
    np.testing.assert_allclose(effects[[0, 2, 3]], [[0, 0.45, -0.03], [0.1, -0.02, -0.03], [0, 0, 0.7]], atol=1e-6)
    cost = np.asarray(table.price_weight) @ np.asarray(built.params.economy.price)
    np.testing.assert_allclose(cost, [0.20, 0.40, 0.22, 0, 0.60, 0.50, 0.03, 0], atol=1e-6)
    assert np.asarray(table.consume).tolist() == [[0, 0], [1, 0], [0, 1], [0, 0], [1, 0], [0, 4], [0, 0], [0, 0]]
    assert np.asarray(table.produce).tolist() == [[0, 0], [0, 0], [2, 0], [0, 0], [0, 0], [0, 4], [0, 0], [0, 0]]
    assert np.asarray(table.sink).tolist() == [0, 0, Sink.LINKED, 0, 0, Sink.HOME, 0, 0]
    power, water = np.asarray(table.utility).T.tolist()
    assert (np.flatnonzero(power).tolist(), np.flatnonzero(water).tolist()) == ([0, 2], [0, 6])
    assert np.flatnonzero(table.is_sleep).tolist() == [3]
    assert np.flatnonzero(table.is_meal).tolist() == [1, 4]
    assert np.asarray(table.slot_use).tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    start, finish = np.asarray(table.count_start), np.asarray(table.count_finish)
    assert (start[0], finish[0], start[2], finish[2]) == (Counter.SHOWERS_STARTED, Counter.SHOWERS_TAKEN, NOBODY, 1)
    assert np.argwhere(table.clause_used).tolist() == [[3, 0, 0]]
    assert table.facts == (3,)
    assert (int(table.clause_fact[3, 0, 0]), int(table.clause_operator[3, 0, 0])) == (0, Operator.LT)
    assert float(table.clause_constant[3, 0, 0]) == pytest.approx(0.97)


def test_jobs_restock_and_stock(built: Built) -> None:
    jobs, restock, world = built.params.jobs, built.params.restock, built.params.world
    assert np.asarray(jobs.start).tolist() == [840, 360, 540]
    assert np.asarray(jobs.length).tolist() == [240, 240, 240]
    np.testing.assert_allclose(jobs.wage_rate, [0.020, 0.020, 0.021], atol=1e-7)
    assert [built.names.object_types[row] for row in np.asarray(restock.object_type)] == [
        "stove",
        "cafe_counter",
        "till",
    ]
    rows = [np.asarray(getattr(restock, name)).tolist() for name in ("good", "every", "at", "amount", "cap")]
    assert rows == [[1, 0, 1], [1440, 480, 1440], [300, 360, 360], [4, 12, 40], [8, 24, 60]]
    stock = np.asarray(world.stock_start)
    assert (stock[1].tolist(), stock[2].tolist(), stock[12].tolist(), stock[13].tolist()) == (
        [6, 0],
        [0, 6],
        [0, 40],
        [12, 0],
    )
    assert stock.sum() == 4 * 6 + 4 * 6 + 40 + 2 * 12
    assert np.asarray(world.solid).all()
    domestic = {built.names.object_types[kind] for kind in np.asarray(world.object_type)[np.asarray(world.domestic)]}
    assert domestic == {"bed", "fridge", "stove", "sink", "shower"}


def test_perturbation_rows(built: Built) -> None:
    table = built.params.perturbation
    assert np.asarray(table.kind).tolist() == [Perturb[name.upper()] for name in built.names.perturbations]
    np.testing.assert_allclose(table.prob_per_day, [0.30, 0.15, 0.10, 0.25, 0.10])
    assert np.asarray(table.cooldown_ticks).tolist() == [480, 720, 720, 600, 720]
    assert np.asarray(table.duration_min).tolist() == [60, 20, 20, 30, 20]
    assert np.asarray(table.duration_max).tolist() == [120, 60, 60, 45, 60]
    assert np.asarray(table.magnitude_max).tolist() == pytest.approx([1.8, 1, 1, 1, 1])
    prices = [built.names.prices[key] for key in np.flatnonzero(np.asarray(table.price_mask)[0])]
    assert prices == ["meal", "cafe_meal", "groceries"]
    assert np.asarray(table.utility).tolist() == [NOBODY, 0, 1, NOBODY, NOBODY]
    assert np.asarray(table.is_city_event).tolist() == [True, True, True, False, True]
    assert built.names.object_types[int(table.bottleneck_type[4])] == "shower"
    assert np.asarray(table.fixed_object).tolist() == [NOBODY] * 5
    assert np.asarray(built.params.world.meet_tile)[3].tolist() == [9, 18]


def test_personality_table(built: Built) -> None:
    table = built.params.personality
    np.testing.assert_allclose(
        table.trait, [[0, 0, 0], [0.6, 0.1, -0.1], [-0.2, -0.1, 0.5], [-0.3, 0.5, -0.2]], atol=1e-6
    )
    np.testing.assert_allclose(table.need_multiplier, [[1, 1, 1], [1, 1.1, 1], [1, 1, 0.9], [0.95, 1, 1]], atol=1e-6)
    np.testing.assert_allclose(table.reward_bias, [[1, 1, 1], [1.2, 1, 1], [1, 1.25, 1], [1, 1, 1.1]], atol=1e-6)
    np.testing.assert_allclose(table.behaviour_bias, [[1, 1, 1], [1.3, 1, 1], [1, 1.4, 1], [1, 1, 0.6]], atol=1e-6)
    np.testing.assert_allclose(table.cumulative, [0.4, 0.65, 0.85, 2.0], atol=1e-6)
    draws = np.array([0.300208, 0.212398, 0.636167, 0.489023, 0.377925, 0.373270, 0.935960, 0.481862])
    profiles = (draws[:, None] >= np.asarray(table.cumulative)).sum(axis=1)
    assert profiles.tolist() == [0, 0, 1, 1, 0, 0, 3, 1], "vector 41"


def test_dtypes(built: Built) -> None:
    allowed = {"int32", "float32", "bool"}
    odd = {
        jax.tree_util.keystr(path): leaf.dtype.name
        for path, leaf in jax.tree_util.tree_leaves_with_path(built.params)
        if leaf.dtype.name not in allowed
    }
    assert odd == {
        ".routes.steps": "int16",
        ".routes.direction": "int8",
        ".affordances.clause_fact": "int16",
        ".affordances.clause_operator": "int8",
        ".observation.view": "uint8",
    }


def test_start_rows(built: Built) -> None:
    start = built.params.start
    assert np.asarray(start.alive).all()
    assert np.asarray(start.home).tolist() == list(range(8))
    assert [built.names.jobs[job] for job in np.asarray(start.job)] == [
        "barista", "barista", "grocer", "grocer", "barista", "clerk", "grocer", "clerk",
    ]  # fmt: skip
    assert np.asarray(start.position).tolist() == [list(tile) for tile in HOMES]
    assert (np.asarray(start.level) == -1).all()
    assert (np.asarray(start.wallet) == -1).all()
    assert (np.asarray(start.profile) == NOBODY).all()


def test_extra_slots_are_dead(root: Path) -> None:
    names, params = (lambda built: (built.names, built.params))(
        build(load(root / "configs" / "default.yaml", ["spec.num_agents=10"]))
    )
    assert names.agents[8:] == ("slot_8", "slot_9")
    assert np.asarray(params.start.alive).tolist() == [True] * 8 + [False] * 2
    assert np.asarray(params.start.home)[8:].tolist() == [0, 1]
    assert np.asarray(params.start.job)[8:].tolist() == [8 % 3, 9 % 3]


def test_the_map_is_kept_for_drawing(built: Built) -> None:
    assert (len(built.names.map_rows), len(built.names.map_rows[0])) == (48, 48)
    assert {built.names.map_legend[c] for c in "T#bHBP"} == {"tree", "wall", "bed", "home", "barista", "park"}
