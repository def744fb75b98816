"""Rewards, observations and the scripted policy: what learners see and earn (MECHANICS 3.1, 7.2)."""

from townlet_jax.config.schema.fields import NeedLevels, NeedTypes, NeedWeights, Section, flag, given, real, whole


class RewardSection(Section):
    """Weights, penalties, clips."""

    needs_weight: NeedWeights = given((0.10, 0.06, 0.08), "penalty per squared deficit of a need, 0 to 2")
    survival_tick: float = real(0.02, 0, 1, "weight", "for every tick alive")
    wage_weight: float = real(1.0, 0, 5, "weight", "per coin paid minus withheld")
    punctuality_bonus: float = real(
        0.05, 0, 0.1, "weight", "on shift, times the share on time; at most needs_weight of hunger"
    )
    faint_penalty: float = real(-5.0, -10, 0, "weight", "for fainting", "a penalty is not above 0")
    eviction_penalty: float = real(-5.0, -10, 0, "weight", "for an eviction", "a penalty is not above 0")
    age_out_penalty: float = real(0.0, -10, 0, "weight", "for leaving by age", "a penalty is not above 0")
    social_stage: int = whole(2, 0, 2, "count", "0 off, 1 chat terms, 2 and avoidance", "there are three stages")
    deficit_override: float = real(0.85, 0, 1, "level", "no social bonus with a deficit above this")
    avoid_bonus: float = real(0.005, 0, 0.02, "weight", "for avoiding a rival")
    chat_base: float = real(0.01, 0, 0.05, "weight", "for a chat")
    chat_trust: float = real(0.3, 0, 1, "weight", "for a chat, per trust")
    chat_familiarity: float = real(0.2, 0, 1, "weight", "for a chat, per familiarity")
    shaping_weight: float = real(0.0, 0, 10, "weight", "potential-based shaping, 0 = off")
    shaping_gamma: float = real(0.99, 0, 1, "share", "discount of the shaping")
    clip_per_tick: float = real(
        0.5, 0.01, 10, "weight", "largest absolute reward of a tick", "a clip of 0 would hide everything"
    )
    clip_per_episode: float = real(
        200.0, 1, 10_000, "weight", "largest absolute return of an episode", "room for at least a tick"
    )
    clip_terminal: bool = flag(False, "terminal penalties lie inside the clips")
    daily_episode: bool = flag(True, "the episode return starts again at midnight")
    no_positive_within_death_ticks: int = whole(10, 0, 200, "ticks", "no positive reward so close to a faint")


class ObservationSection(Section):
    """Divisors and hints."""

    wallet_scale: float = real(10.0, 1e-6, 1e9, "scale", "coins")
    count_scale: float = real(10.0, 1e-6, 1e9, "scale", "counts")
    withheld_scale: float = real(10.0, 1e-6, 1e9, "scale", "withheld coins")
    distance_scale: float = real(64.0, 1e-6, 1e9, "scale", "distances")
    ticks_scale: float = real(60.0, 1e-6, 1e9, "scale", "durations")
    feature_clip: float = real(10.0, 1e-6, 1e9, "scale", "largest absolute value after division")
    normalize_counts: bool = flag(True, "counts in compact maps stop at 1")
    hint_type: NeedTypes = given(("fridge", "shower", "bed"), "object type the hint points at, by lowest need")


class BehaviourSection(Section):
    """Numbers of the scripted policy and the options."""

    threshold: NeedLevels = given((0.55, 0.50, 0.62), "levels below which a need is served")
    critical: float = real(0.15, 0, 1, "level", "below this a need comes before everything")
    floor: float = real(0.45, 0, 1, "level", "level that shall be left after the next shift")
    urgent: float = real(0.30, 0, 1, "level", "below this a need is served even when time is short")
    exhausted: float = real(0.25, 0, 1, "level", "below this agents sleep even when time is short")
    prep_ticks: int = whole(240, 0, 100_000, "ticks", "time before a shift in which agents prepare")
    sleep_margin: int = whole(70, 0, 100_000, "ticks", "time to spare after a sleep")
    last_chance_ticks: int = whole(150, 0, 100_000, "ticks", "window in which sleep is brought forward")
    night_start: int = whole(1260, 0, 99_999, "ticks", "tick of day at which night begins")
    night_end: int = whole(300, 0, 99_999, "ticks", "tick of day at which night ends")
    night_energy: float = real(0.70, 0, 1, "level", "below this agents sleep at night")
    time_fed: int = whole(20, 0, 100_000, "ticks", "free time that a meal needs")
    time_clean: int = whole(40, 0, 100_000, "ticks", "free time that washing needs")
    time_cook: int = whole(60, 0, 100_000, "ticks", "free time that cooking needs")
    pantry_target: int = whole(3, 0, 1000, "units", "meals a household wants in store")
    cook_energy_margin: float = real(0.08, 0, 1, "level", "energy above the sleep threshold that cooking needs")
    coin_weight: float = real(50.0, 0, 10_000, "weight", "steps a coin is worth")
    home_bonus: float = real(30.0, 0, 10_000, "weight", "steps the own household is worth")
    errand_limit: float = real(60.0, 0, 1_000_000, "weight", "largest effort for cooking")
    commit_ticks: int = whole(15, 0, 10_000, "ticks", "how long an option is kept, 0 = no commitment")
    social_need: float = real(0.60, 0, 1, "level", "lowest need with which agents look for company")
    social_free: int = whole(120, 0, 100_000, "ticks", "free time that company needs")
    social_start: int = whole(600, 0, 99_999, "ticks", "tick of day from which agents look for company")
    social_end: int = whole(1200, 0, 100_000, "ticks", "tick of day at which they stop")
    chat_need_floor: float = real(0.30, 0, 1, "level", "lowest need with which agents chat")
    chat_extroversion_min: float = real(-0.25, -1, 1, "trait", "least extroversion for a chat")
    chat_score_min: float = real(
        -0.05, -3, 3, "tie", "least trust + familiarity - rivalry for a chat", "a sum of three ties"
    )
    guard_learners: bool = flag(False, "learners too are held back from avoided agents")
