"""Every number of a town as an array: traced, so that a change never recompiles (MECHANICS 3).

Owns the shapes. `config.build` fills them. Axis letters: A agent slots, O objects, Y object types, N needs,
K affordances, J jobs, G goods, P prices, U utilities, V perturbation specs, B homes, L places, F profiles,
R restock rows, H and C grid rows and columns, M route targets. A table without entries holds one inert row.
"""

from jaxtyping import Array, Bool, Float, Int, UInt8

from townlet_jax.core.struct import Pytree, static

IntScalar = Int[Array, ""]
FloatScalar = Float[Array, ""]
BoolScalar = Bool[Array, ""]


class ClockParams(Pytree):
    """Time."""

    ticks_per_day: IntScalar  # D, >= 2
    horizon_ticks: IntScalar  # truncation every n ticks, 0 = never


class WorldParams(Pytree):
    """The map and what stands on it; computed on the host from the town file (3.4)."""

    interaction_range: IntScalar  # Chebyshev reach of objects, tiles
    busy_lock: BoolScalar  # busy agents cannot move
    walkable: Bool[Array, "H C"]
    blocked: Bool[Array, "H C"]  # not walkable, or a solid object stands there
    object_type: Int[Array, "O"]
    tile: Int[Array, "O 2"]  # (x, y)
    present: Bool[Array, "O"]  # false only in the inert row of a town without objects
    solid: Bool[Array, "O"]
    domestic: Bool[Array, "O"]
    capacity: Int[Array, "O"]  # slots
    stock_start: Float[Array, "O G"]  # units
    link: Int[Array, "O G"]  # LINKED sink of a good made at o, NOBODY if none
    home_object: Int[Array, "B Y"]  # nearest object of each type, NOBODY if none
    home_store: Int[Array, "B G"]  # HOME sink, NOBODY if none
    home_tile: Int[Array, "B 2"]
    site_tile: Int[Array, "J 2"]
    place_tile: Int[Array, "L 2"]
    meet_tile: Int[Array, "V 2"]
    reachable: Int[Array, "H C R"]  # objects within interaction_range of a tile, ascending, NOBODY padded


class RouteParams(Pytree):
    """Breadth-first distance fields; target order objects, jobs, homes, places (3.4)."""

    steps: Int[Array, "M H C"]  # int16, UNREACHABLE where there is no way
    direction: Int[Array, "M H C"]  # int8, first of N, E, S, W that comes closer; -1 where steps <= 0


class NeedParams(Pytree):
    """Decay and levels, all [N]."""

    decay_rate: Float[Array, "N"]  # per tick
    start_low: Float[Array, "N"]
    start_high: Float[Array, "N"]
    spawn_level: Float[Array, "N"]
    night_floor: Float[Array, "N"]


class EconomyParams(Pytree):
    """Prices, purses, rent."""

    price: Float[Array, "P"]  # coins
    basket_weight: Float[Array, "P"]
    start_wallet_low: FloatScalar
    start_wallet_high: FloatScalar
    spawn_wallet: FloatScalar
    rent_per_day: FloatScalar  # 0 = off
    max_unpaid_days: IntScalar


class RestockParams(Pytree):
    """Deliveries, one row each; due iff ((tau - at) mod D) mod every = 0. An inert row has amount 0."""

    object_type: Int[Array, "R"]
    good: Int[Array, "R"]
    every: Int[Array, "R"]
    at: Int[Array, "R"]
    amount: Float[Array, "R"]
    cap: Float[Array, "R"]


class QueueParams(Pytree):
    """Fairness of queues."""

    cooldown_ticks: IntScalar
    ghost_step_after: IntScalar  # 0 = never
    age_priority_weight: FloatScalar
    leave_after: IntScalar  # ticks out of range before the engagement ends
    ghost_step_running: BoolScalar  # running holders count as stalled


class ConflictParams(Pytree):
    """Rivalry."""

    increment: FloatScalar  # rivalry per unit of intensity
    rivalry_decay: FloatScalar  # per tick
    avoid_threshold: FloatScalar
    max_edges: IntScalar  # known ties per row
    ghost_step_boost: FloatScalar
    handover_boost: FloatScalar
    queue_length_boost: FloatScalar
    impatience_ticks: IntScalar  # 0 = off


class TieParams(Pytree):
    """Relationships."""

    trust_decay: FloatScalar
    familiarity_decay: FloatScalar
    delta: Float[Array, "7 3"]  # rows TieEvent, columns trust, familiarity, rivalry
    shared_meal_ticks: IntScalar  # -1 = off
    shared_meal_range: IntScalar  # tiles


class ChatParams(Pytree):
    """Talking."""

    range: IntScalar
    cooldown_ticks: IntScalar
    base: FloatScalar
    trust_coefficient: FloatScalar
    familiarity_coefficient: FloatScalar
    refused_is_failure: BoolScalar


class EmploymentParams(Pytree):
    """Rules common to all jobs."""

    site_range: IntScalar
    arrival_buffer: IntScalar
    grace_ticks: IntScalar
    absent_cutoff: IntScalar
    absence_slack: IntScalar
    late_tick_penalty: FloatScalar
    absence_penalty: FloatScalar
    enforce_job_loop: BoolScalar
    max_absent_shifts: IntScalar
    absence_days: IntScalar
    exit_queue_limit: IntScalar
    review_ticks: IntScalar


class JobParams(Pytree):
    """One row a job (3.5). An inert row belongs to nobody."""

    start: Int[Array, "J"]  # tick of day, inclusive
    length: Int[Array, "J"]  # ticks, both ends included
    wage_rate: Float[Array, "J"]  # coins per paid tick
    lateness_penalty: Float[Array, "J"]


class LifecycleParams(Pytree):
    """Death, exits, arrivals."""

    mortality: BoolScalar
    faint_threshold: FloatScalar  # hunger level
    faint_ticks: IntScalar
    max_age_days: IntScalar  # 0 = off
    daily_exit_cap: IntScalar  # 0 = no cap
    suppress_exits: BoolScalar
    respawn_min: IntScalar
    respawn_max: IntScalar
    return_home: BoolScalar


class EmbeddingParams(Pytree):
    """Identity slots."""

    cooldown_ticks: IntScalar
    reuse_warning: FloatScalar  # 0 = off


class PersonalityParams(Pytree):
    """Switches and one row a profile (8.1, 8.2). Multipliers are 1 where a profile is silent."""

    modify_needs: BoolScalar
    modify_rewards: BoolScalar
    modify_ties: BoolScalar
    modify_behaviour: BoolScalar
    trait: Float[Array, "F 3"]  # columns Trait
    need_multiplier: Float[Array, "F N"]
    reward_bias: Float[Array, "F 3"]  # columns RewardGroup
    behaviour_bias: Float[Array, "F 3"]  # columns Behaviour
    cumulative: Float[Array, "F"]  # cumulated probabilities; from the last profile with weight > 0 on: 2


class PerturbationParams(Pytree):
    """Scheduler scalars and one row a spec (3.7). An inert row has prob_per_day 0."""

    max_concurrent: IntScalar
    max_events_per_window: IntScalar  # 0 = no limit
    window_ticks: IntScalar
    global_cooldown_ticks: IntScalar
    agent_cooldown_ticks: IntScalar
    grace_window_ticks: IntScalar
    kind: Int[Array, "V"]
    prob_per_day: Float[Array, "V"]
    cooldown_ticks: Int[Array, "V"]
    duration_min: Int[Array, "V"]
    duration_max: Int[Array, "V"]
    magnitude_min: Float[Array, "V"]
    magnitude_max: Float[Array, "V"]
    price_mask: Bool[Array, "V P"]
    utility: Int[Array, "V"]  # NOBODY unless BLACKOUT or OUTAGE
    meet_target: Int[Array, "V"]
    max_participants: Int[Array, "V"]
    spare_busy: Bool[Array, "V"]
    bottleneck_type: Int[Array, "V"]
    fixed_object: Int[Array, "V"]  # NOBODY = draw one of bottleneck_type
    is_city_event: Bool[Array, "V"]


class RewardParams(Pytree):
    """Weights, penalties, clips (4.6.2)."""

    needs_weight: Float[Array, "N"]
    survival_tick: FloatScalar
    wage_weight: FloatScalar
    punctuality_bonus: FloatScalar
    faint_penalty: FloatScalar
    eviction_penalty: FloatScalar
    age_out_penalty: FloatScalar
    social_stage: IntScalar  # 0 off, 1 chat terms, 2 and avoidance
    deficit_override: FloatScalar
    avoid_bonus: FloatScalar
    chat_base: FloatScalar
    chat_trust: FloatScalar
    chat_familiarity: FloatScalar
    shaping_weight: FloatScalar
    shaping_gamma: FloatScalar
    clip_per_tick: FloatScalar
    clip_per_episode: FloatScalar
    clip_terminal: BoolScalar
    daily_episode: BoolScalar
    no_positive_within_death_ticks: IntScalar


class ObservationParams(Pytree):
    """Divisors and tables of the observation (6)."""

    wallet_scale: FloatScalar
    count_scale: FloatScalar
    withheld_scale: FloatScalar
    distance_scale: FloatScalar
    ticks_scale: FloatScalar
    feature_clip: FloatScalar
    normalize_counts: BoolScalar
    hint: Float[Array, "H C N 4"]  # by tile and lowest need: the way north, south, east, west to what serves it
    landmark: Float[Array, "H C 4 3"]  # by tile, of fridge, stove, bed, shower: dx, dy, distance (steps or tiles)
    objects_near: Int[Array, "H C"]  # present objects in the window around a tile
    view: UInt8[Array, "H C cells"]  # the maps around a tile as nobody sees them: without people and held objects
    identity: Float[Array, "E 8"]  # what an embedding slot looks like
    utility_shown: Int[Array, "2"]  # power, water; NOBODY if the town has none: it works


class BehaviourParams(Pytree):
    """Numbers and menus of the scripted policy (7.2) and the options (5.4)."""

    threshold: Float[Array, "N"]
    floor: FloatScalar
    urgent: FloatScalar
    exhausted: FloatScalar
    critical: FloatScalar
    sleep_margin: IntScalar
    last_chance_ticks: IntScalar
    prep_ticks: IntScalar
    night_start: IntScalar
    night_end: IntScalar
    night_energy: FloatScalar
    time_fed: IntScalar
    time_clean: IntScalar
    time_cook: IntScalar
    pantry_target: FloatScalar
    pantry_good: IntScalar  # the good "meals", NOBODY if the town has none
    cook_energy_margin: FloatScalar
    coin_weight: FloatScalar
    home_bonus: FloatScalar
    errand_limit: FloatScalar
    commit_ticks: IntScalar
    social_need: FloatScalar
    social_free: IntScalar
    social_start: IntScalar
    social_end: IntScalar
    chat_need_floor: FloatScalar
    chat_extroversion_min: FloatScalar
    chat_score_min: FloatScalar
    guard_learners: BoolScalar
    menu: Bool[Array, "8 K"]  # rows Option
    fallback_menu: Bool[Array, "8 K"]


class AffordanceParams(Pytree):
    """What can be done with objects, one row an affordance (3.3), preconditions as clause tables (14.5).

    A row of `clause_used` without any true means "always"; `clause_fact` counts in `facts`, the fact ids that
    this town's preconditions mention. Unused clauses of a used alternative are false in `clause_used`;
    an alternative is used iff its first clause is. An inert row has object_type NOBODY.
    """

    object_type: Int[Array, "K"]
    duration: Int[Array, "K"]  # ticks, >= 1
    need_effect: Float[Array, "K N"]
    price_weight: Float[Array, "K P"]
    consume: Float[Array, "K G"]
    produce: Float[Array, "K G"]
    sink: Int[Array, "K"]
    utility: Bool[Array, "K U"]
    slot_use: Int[Array, "K"]
    is_sleep: Bool[Array, "K"]
    is_meal: Bool[Array, "K"]
    count_start: Int[Array, "K"]  # Counter, NOBODY = none
    count_finish: Int[Array, "K"]
    clause_used: Bool[Array, "K alternatives clauses"]
    clause_fact: Int[Array, "K alternatives clauses"]
    clause_operator: Int[Array, "K alternatives clauses"]
    clause_constant: Float[Array, "K alternatives clauses"]
    facts: tuple[int, ...] = static()


class StartParams(Pytree):
    """The town at tick 0, one row a slot; -1 means "as the rules draw it"."""

    alive: Bool[Array, "A"]
    position: Int[Array, "A 2"]
    home: Int[Array, "A"]
    job: Int[Array, "A"]  # NOBODY = none
    profile: Int[Array, "A"]  # NOBODY = drawn; also holds for later arrivals in the slot
    level: Float[Array, "A N"]  # < 0 = drawn
    wallet: Float[Array, "A"]  # < 0 = drawn
    trust: Float[Array, "A A"]
    familiarity: Float[Array, "A A"]
    rivalry: Float[Array, "A A"]


class Params(Pytree):
    """All traced numbers of one town."""

    clock: ClockParams
    world: WorldParams
    routes: RouteParams
    needs: NeedParams
    economy: EconomyParams
    restock: RestockParams
    queue: QueueParams
    conflict: ConflictParams
    ties: TieParams
    chat: ChatParams
    employment: EmploymentParams
    jobs: JobParams
    lifecycle: LifecycleParams
    embeddings: EmbeddingParams
    personality: PersonalityParams
    perturbation: PerturbationParams
    reward: RewardParams
    observation: ObservationParams
    behaviour: BehaviourParams
    affordances: AffordanceParams
    start: StartParams
