"""A small town written out by hand: the numbers of the default preset on an open map of 6 x 6 tiles."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from townlet_jax.core import params as records
from townlet_jax.core.enums import NOBODY, Counter, MeetTarget, Perturb, Sink
from townlet_jax.core.spec import Spec

SIDE = 6
BLOCKED_TILES = ((3, 3),)
FRIDGE, STOVE, BED, SHOWER = range(4)
USE_SHOWER, EAT_MEAL, COOK_MEAL, REST_SLEEP, BUY_GROCERIES, SNACK = range(6)
OBJECTS = ((FRIDGE, 1, 1), (FRIDGE, 4, 1), (STOVE, 2, 1), (BED, 1, 4), (SHOWER, 4, 4), (SHOWER, 2, 3))  # type, x, y
HOMES = ((0, 0), (5, 0), (0, 5))
SITES = ((5, 5), (2, 2))
MEALS, RAW = range(2)
MEAL, INGREDIENTS, SHOWERING = range(3)  # prices
POWER, WATER = range(2)
BALANCED, SOCIALITE, INDUSTRIOUS, STOIC = range(4)


def small_spec(num_agents: int = 6) -> Spec:
    """Return the sizes of the handmade town."""
    return Spec(
        num_agents=num_agents,
        num_objects=len(OBJECTS),
        num_object_types=4,
        num_affordances=6,
        num_jobs=len(SITES),
        num_goods=2,
        num_prices=3,
        num_utilities=2,
        num_perturbations=6,
        num_homes=len(HOMES),
        num_places=1,
        num_profiles=4,
        num_restocks=2,
        grid_height=SIDE,
        grid_width=SIDE,
        num_reachable=len(OBJECTS),
        num_alternatives=2,
        num_clauses=3,
        embedding_slots=num_agents + 2,
        attendance_window=3,
        absence_ring=4,
        fired_ring=3,
    )


def array(value: Any) -> Any:
    """Return an array in the core's width: int32, float32, uint8 or bool."""
    numbers = np.asarray(value)
    kind = {"f": np.float32, "i": np.int32, "u": np.uint8, "b": np.bool_}[numbers.dtype.kind]
    return jnp.asarray(numbers.astype(kind))


def record(of: type, **values: Any) -> Any:
    """Make a record of parameters from Python values."""
    return of(**{name: array(value) for name, value in values.items()})


def reachable(tiles: np.ndarray[Any, Any], interaction_range: int, side: int = SIDE) -> np.ndarray[Any, Any]:
    """Return the table of objects within reach of each tile, ascending, padded with NOBODY."""
    table = np.full((side, side, len(tiles)), NOBODY, np.int32)
    for y in range(side):
        for x in range(side):
            near = [o for o, (u, v) in enumerate(tiles) if max(abs(x - u), abs(y - v)) <= interaction_range]
            table[y, x, : len(near)] = near
    return table


def world() -> records.WorldParams:
    """Return the map."""
    walkable = np.ones((SIDE, SIDE), bool)
    for x, y in BLOCKED_TILES:
        walkable[y, x] = False
    tiles = np.asarray([place[1:] for place in OBJECTS], np.int32)
    stock = np.zeros((len(OBJECTS), 2))
    stock[:2, MEALS], stock[2, RAW] = 6, 6
    link = np.full((len(OBJECTS), 2), NOBODY)
    link[2, MEALS] = 0
    made: records.WorldParams = record(
        records.WorldParams,
        interaction_range=1,
        busy_lock=True,
        walkable=walkable,
        blocked=~walkable,
        object_type=[place[0] for place in OBJECTS],
        tile=tiles,
        present=[True] * len(OBJECTS),
        solid=[False] * len(OBJECTS),
        domestic=[True] * len(OBJECTS),
        capacity=[1] * len(OBJECTS),
        stock_start=stock,
        link=link,
        home_object=[[0, 2, 3, 5], [1, 2, 3, 4], [0, 2, 3, 5]],
        home_store=[[0, 2], [1, 2], [0, 2]],
        home_tile=HOMES,
        site_tile=SITES,
        place_tile=[(2, 2)],
        meet_tile=[(2, 2)] * 5 + [(4, 3)],
        reachable=reachable(tiles, 1),
    )
    return made


def affordances() -> records.AffordanceParams:
    """Return what can be done: rows USE_SHOWER to SNACK."""
    shape = (6, 2, 3)
    used, fact, operator = np.zeros(shape, bool), np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    constant = np.zeros(shape)
    used[REST_SLEEP, 0, 0], fact[REST_SLEEP, 0, 0], operator[REST_SLEEP, 0, 0] = True, 3, 2  # energy below .97
    constant[REST_SLEEP, 0, 0] = 0.97
    values = {
        "object_type": [SHOWER, FRIDGE, STOVE, BED, STOVE, FRIDGE],
        "duration": [30, 15, 40, 180, 10, 1],
        "need_effect": [[0, 0.45, -0.03], [0.4, 0, 0.05], [0.1, -0.02, -0.03], [0, 0, 0.7], [0, 0, 0], [0.05, 0, 0]],
        "price_weight": [[0, 0, 1.0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 2, 0], [0, 0, 0]],
        "consume": [[0, 0.0], [1, 0], [0, 1], [0, 0], [0, 0], [0, 0]],
        "produce": [[0, 0.0], [0, 0], [2, 0], [0, 0], [0, 4], [0, 0]],
        "sink": [Sink.NONE, Sink.NONE, Sink.LINKED, Sink.NONE, Sink.HOME, Sink.NONE],
        "utility": [[True, True], [False, False], [True, False], [False, False], [False, False], [False, False]],
        "slot_use": [0, 0, 0, 1, 0, 0],
        "is_sleep": [False, False, False, True, False, False],
        "is_meal": [False, True, False, False, False, False],
        "count_start": [
            Counter.SHOWERS_STARTED, Counter.MEALS_CONSUMED, NOBODY, Counter.SLEEP_ATTEMPTS, NOBODY, NOBODY,
        ],
        "count_finish": [
            Counter.SHOWERS_TAKEN, NOBODY, Counter.MEALS_COOKED, Counter.SLEEP_SESSIONS, NOBODY, NOBODY,
        ],
        "clause_used": used,
        "clause_fact": fact,
        "clause_operator": operator,
        "clause_constant": constant,
    }  # fmt: skip
    return records.AffordanceParams(
        **{name: array(value) for name, value in values.items()}, facts=tuple(range(14 + 15 + 2 + 8 + 2))
    )


def people(num_agents: int) -> dict[str, Any]:
    """Return sections about the agents: start, personality."""
    slots = np.arange(num_agents)
    start = record(
        records.StartParams,
        alive=slots < num_agents - 1,
        position=[HOMES[a % len(HOMES)] for a in slots],
        home=slots % len(HOMES),
        job=slots % len(SITES),
        profile=np.full(num_agents, NOBODY),
        level=np.full((num_agents, 3), -1.0),
        wallet=np.full(num_agents, -1.0),
        trust=np.zeros((num_agents, num_agents)),
        familiarity=np.zeros((num_agents, num_agents)),
        rivalry=np.zeros((num_agents, num_agents)),
    )
    personality = record(
        records.PersonalityParams,
        modify_needs=True,
        modify_rewards=True,
        modify_ties=True,
        modify_behaviour=True,
        trait=[[0, 0, 0.0], [0.6, 0.1, -0.1], [-0.2, -0.1, 0.5], [-0.3, 0.5, -0.2]],
        need_multiplier=[[1, 1, 1.0], [1, 1.1, 1], [1, 1, 0.9], [0.95, 1, 1]],
        reward_bias=[[1, 1, 1.0], [1.2, 1, 1], [1, 1.25, 1], [1, 1, 1.1]],
        behaviour_bias=[[1, 1, 1.0], [1.3, 1, 1], [1, 1.4, 1], [1, 1, 0.6]],
        cumulative=[0.4, 0.65, 0.85, 2.0],
    )
    return {"start": start, "personality": personality}


def events() -> records.PerturbationParams:
    """Return the five specs of the default town and a second, random meet."""
    made: records.PerturbationParams = record(
        records.PerturbationParams,
        max_concurrent=2,
        max_events_per_window=2,
        window_ticks=1440,
        global_cooldown_ticks=240,
        agent_cooldown_ticks=360,
        grace_window_ticks=60,
        kind=[*Perturb, Perturb.ARRANGED_MEET],
        prob_per_day=[0.3, 0.15, 0.1, 0.25, 0.1, 0.0],
        cooldown_ticks=[480, 720, 720, 600, 720, 0],
        duration_min=[60, 20, 20, 30, 20, 5],
        duration_max=[120, 60, 60, 45, 60, 9],
        magnitude_min=[1.2, 1, 1, 1, 1, 1],
        magnitude_max=[1.8, 1, 1, 1, 1, 1],
        price_mask=[[True, False, False], *[[False] * 3] * 5],
        utility=[NOBODY, POWER, WATER, NOBODY, NOBODY, NOBODY],
        meet_target=[*[MeetTarget.TOP_RIVALS] * 5, MeetTarget.RANDOM],
        max_participants=[2] * 5 + [3],
        spare_busy=[True] * 5 + [False],
        bottleneck_type=[NOBODY, NOBODY, NOBODY, NOBODY, SHOWER, NOBODY],
        fixed_object=[NOBODY] * 6,
        is_city_event=[True, True, True, False, True, False],
    )
    return made


def society() -> dict[str, Any]:
    """Return the sections about queues, ties, work and lives."""
    return {
        "queue": record(
            records.QueueParams, cooldown_ticks=60, ghost_step_after=3, age_priority_weight=0.1, leave_after=5,
            ghost_step_running=False,
        ),
        "conflict": record(
            records.ConflictParams, increment=0.15, rivalry_decay=0.005, avoid_threshold=0.7, max_edges=6,
            ghost_step_boost=1.5, handover_boost=0.4, queue_length_boost=0.25, impatience_ticks=10,
        ),
        "ties": record(
            records.TieParams, trust_decay=0.0, familiarity_decay=0.0, shared_meal_ticks=15, shared_meal_range=3,
            delta=[
                [0.05, 0.1, 0.0], [0.0, -0.05, 0.05], [0.05, 0.05, -0.05], [0.0, 0.0, 1.0], [0.1, 0.25, 0.0],
                [0.2, 0.1, -0.1], [-0.1, 0.0, 0.3],
            ],
        ),
        "chat": record(
            records.ChatParams, range=1, cooldown_ticks=30, base=0.7, trust_coefficient=0.3,
            familiarity_coefficient=0.2, refused_is_failure=False,
        ),
        "employment": record(
            records.EmploymentParams, site_range=1, arrival_buffer=20, grace_ticks=5, absent_cutoff=30,
            absence_slack=20, late_tick_penalty=0.005, absence_penalty=0.2, enforce_job_loop=True,
            max_absent_shifts=3, absence_days=3, exit_queue_limit=8, review_ticks=1440,
        ),
        "jobs": record(
            records.JobParams, start=[360, 1380], length=[240, 240], wage_rate=[0.02, 0.02],
            lateness_penalty=[0.1, 0.1],
        ),
        "lifecycle": record(
            records.LifecycleParams, mortality=True, faint_threshold=0.03, faint_ticks=30, max_age_days=0,
            daily_exit_cap=2, suppress_exits=True, respawn_min=5, respawn_max=20, return_home=False,
        ),
        "embeddings": record(records.EmbeddingParams, cooldown_ticks=2000, reuse_warning=0.05),
    }  # fmt: skip


def numbers() -> dict[str, Any]:
    """Return clock, needs, economy, restock, reward."""
    return {
        "clock": record(records.ClockParams, ticks_per_day=1440, horizon_ticks=0),
        "needs": record(
            records.NeedParams, decay_rate=[0.001, 0.0005, 0.0007], start_low=[0.7] * 3, start_high=[0.9] * 3,
            spawn_level=[0.7] * 3, night_floor=[0.0] * 3,
        ),
        "economy": record(
            records.EconomyParams, price=[0.4, 0.15, 0.2], basket_weight=[3.6, 1.8, 1.6], start_wallet_low=3.0,
            start_wallet_high=3.0, spawn_wallet=3.0, rent_per_day=2.0, max_unpaid_days=2,
        ),
        "restock": record(
            records.RestockParams, object_type=[STOVE, FRIDGE], good=[RAW, MEALS], every=[1440, 480], at=[300, 360],
            amount=[4.0, 12.0], cap=[8.0, 24.0],
        ),
        "reward": record(
            records.RewardParams, needs_weight=[0.1, 0.06, 0.08], survival_tick=0.02, wage_weight=1.0,
            punctuality_bonus=0.05, faint_penalty=-5.0, eviction_penalty=-5.0, age_out_penalty=0.0, social_stage=2,
            deficit_override=0.85, avoid_bonus=0.005, chat_base=0.01, chat_trust=0.3, chat_familiarity=0.2,
            shaping_weight=0.0, shaping_gamma=0.99, clip_per_tick=0.5, clip_per_episode=200.0, clip_terminal=False,
            daily_episode=True, no_positive_within_death_ticks=10,
        ),
    }  # fmt: skip


def outside_the_tick(num_agents: int) -> dict[str, Any]:
    """Return the sections that only observations and policies read."""
    menus = np.zeros((8, 6), bool)
    observation = record(
        records.ObservationParams, wallet_scale=10.0, count_scale=10.0, withheld_scale=10.0, distance_scale=64.0,
        ticks_scale=60.0, feature_clip=10.0, normalize_counts=True, hint=np.zeros((SIDE, SIDE, 3, 4)),
        landmark=np.zeros((SIDE, SIDE, 4, 3)), objects_near=np.zeros((SIDE, SIDE), int),
        view=np.zeros((SIDE, SIDE, 605), np.uint8), identity=np.zeros((num_agents + 2, 8)),
        utility_shown=[POWER, WATER],
    )  # fmt: skip
    amounts = (
        "floor", "urgent", "exhausted", "critical", "night_energy", "pantry_target", "cook_energy_margin",
        "coin_weight", "home_bonus", "errand_limit", "social_need", "chat_need_floor", "chat_extroversion_min",
        "chat_score_min",
    )  # fmt: skip
    ticks = (
        "sleep_margin", "last_chance_ticks", "prep_ticks", "night_start", "night_end", "time_fed", "time_clean",
        "time_cook", "commit_ticks", "social_free", "social_start", "social_end",
    )  # fmt: skip
    behaviour = record(
        records.BehaviourParams, threshold=[0.5] * 3, pantry_good=MEALS, guard_learners=False, menu=menus,
        fallback_menu=menus, **dict.fromkeys(amounts, 0.0), **dict.fromkeys(ticks, 0),
    )  # fmt: skip
    targets = len(OBJECTS) + len(SITES) + len(HOMES) + 1
    routes = records.RouteParams(
        steps=jnp.full((targets, SIDE, SIDE), -1, jnp.int16), direction=jnp.full((targets, SIDE, SIDE), -1, jnp.int8)
    )
    return {"observation": observation, "behaviour": behaviour, "routes": routes}


def small_params(num_agents: int = 6) -> records.Params:
    """Return the parameters of the handmade town."""
    return records.Params(
        world=world(),
        perturbation=events(),
        affordances=affordances(),
        **numbers(),
        **society(),
        **people(num_agents),
        **outside_the_tick(num_agents),
    )
