"""Needs, queues, ties, work, life and death, personality, agents: numbers about people (MECHANICS 3.1, 8.1, 14.4)."""

from typing import Annotated, Literal

from pydantic import Field

from townlet_jax.config.schema.fields import (
    REQUIRED,
    AgentName,
    Name,
    NeedLevels,
    Section,
    Tie,
    Tile,
    entries,
    flag,
    given,
    real,
    section,
    table,
    whole,
)
from townlet_jax.config.schema.scenario import ScheduleEntry

Level = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Multiplier = Annotated[float, Field(strict=True, ge=0.1, le=5, allow_inf_nan=False)]
Weight = Annotated[float, Field(strict=True, ge=0, le=1_000_000, allow_inf_nan=False)]
Delta = tuple[Tie, Tie, Tie]


class NeedsSection(Section):
    """Decay and levels: one value for all needs or [hunger, hygiene, energy], each 0 to 1."""

    decay_rate: NeedLevels = given((0.001, 0.0005, 0.0007), "loss per tick")
    start_low: NeedLevels = given((0.7, 0.7, 0.7), "least level at reset")
    start_high: NeedLevels = given((0.9, 0.9, 0.9), "most level at reset; at least start_low")
    spawn_level: NeedLevels = given((0.7, 0.7, 0.7), "level of an arrival")
    night_floor: NeedLevels = given((0.0, 0.0, 0.0), "levels are lifted to this at midnight")


class QueueSection(Section):
    """Fairness of queues."""

    cooldown_ticks: int = whole(
        60, 0, 600, "ticks", "no second use of an object so soon", "more than half a day starves"
    )
    ghost_step_after: int = whole(3, 0, 100, "count", "stalls after which an idle holder goes to the tail, 0 = never")
    age_priority_weight: float = real(0.1, 0, 1, "weight", "places gained per tick of waiting")
    leave_after: int = whole(5, 0, 1_000_000, "ticks", "ticks out of range that a place or hold survives")
    ghost_step_running: bool = flag(False, "holders that run an affordance count as stalled too")


class ConflictSection(Section):
    """Rivalry."""

    increment: float = real(0.15, 0, 1, "tie", "rivalry per unit of intensity", "rivalry lies between 0 and 1")
    rivalry_decay: float = real(0.005, 0, 1, "tie", "loss of rivalry per tick", "rivalry lies between 0 and 1")
    avoid_threshold: float = real(
        0.7, 0, 1, "tie", "rivalry from which agents avoid each other", "rivalry lies between 0 and 1"
    )
    max_edges: int = whole(6, 1, 64, "count", "ties an agent keeps", "nobody knows fewer than one or remembers a crowd")
    ghost_step_boost: float = real(1.5, 0, 5, "weight", "intensity of a ghost step", "intensities are clipped at 5")
    handover_boost: float = real(0.4, 0, 5, "weight", "intensity of impatience", "intensities are clipped at 5")
    queue_length_boost: float = real(
        0.25, 0, 2, "weight", "intensity for each further agent in the queue", "intensities are clipped at 5"
    )
    impatience_ticks: int = whole(10, 0, 1000, "ticks", "a conflict every so many ticks of waiting, 0 = off")


class TieDeltas(Section):
    """Change of [trust, familiarity, rivalry] by an event, each -1 to 1."""

    chat_success: Delta = given((0.05, 0.10, 0.0), "times the quality of the chat")
    chat_failure: Delta = given((0.0, -0.05, 0.05), "a chat that failed")
    queue_polite: Delta = given((0.05, 0.05, -0.05), "a handover to the next in the queue")
    conflict: Delta = given((0.0, 0.0, 1.0), "times conflict.increment and the intensity")
    shared_meal: Delta = given((0.10, 0.25, 0.0), "a meal together")
    employment_help: Delta = given((0.20, 0.10, -0.10), "coworkers cover for a late one")
    shift_taken: Delta = given((-0.10, 0.0, 0.30), "coworkers take the shift of an absent one")


class TiesSection(Section):
    """Relationships."""

    trust_decay: float = real(0.0, 0, 1, "tie", "loss of trust per tick, toward 0", "ties lie between -1 and 1")
    familiarity_decay: float = real(
        0.0, 0, 1, "tie", "loss of familiarity per tick, toward 0", "ties lie between -1 and 1"
    )
    delta: TieDeltas = section(TieDeltas, "change of a tie by each event")
    shared_meal_ticks: int = whole(
        15, -1, 1440, "ticks", "meals so close in time are shared, -1 = off", "-1 is off, a day at most"
    )
    shared_meal_range: int = whole(3, 0, 1000, "tiles", "meals so close in place are shared")


class ChatSection(Section):
    """Talking."""

    range: int = whole(1, 0, 1_000_000, "tiles", "Chebyshev reach of the voice")
    cooldown_ticks: int = whole(30, 0, 10_000, "ticks", "rest between two chats of a speaker")
    base: float = real(0.7, 0, 1, "probability", "chance of success between strangers")
    trust_coefficient: float = real(0.3, 0, 1, "weight", "gain of that chance by trust")
    familiarity_coefficient: float = real(0.2, 0, 1, "weight", "gain of that chance by familiarity")
    refused_is_failure: bool = flag(False, "chats out of range or with avoided agents count as failed")


class EmploymentSection(Section):
    """Rules common to all jobs."""

    site_range: int = whole(1, 0, 1000, "tiles", "distance from the site that counts as being there")
    arrival_buffer: int = whole(20, 0, 240, "ticks", "window before a shift in which the agent is awaited")
    grace_ticks: int = whole(5, 0, 120, "ticks", "ticks after the start that are still on time")
    absent_cutoff: int = whole(30, 0, 600, "ticks", "ticks after which the missing are absent; at least grace_ticks")
    absence_slack: int = whole(20, 0, 600, "ticks", "ticks away from the site that are forgiven")
    late_tick_penalty: float = real(0.005, 0, 1, "coins", "fine for each late tick away from the site")
    absence_penalty: float = real(0.2, 0, 5, "coins", "fine for being absent")
    default_wage: float = real(0.02, 0, 100, "coins", "coins per paid tick of jobs whose wage_rate is 0")
    enforce_job_loop: bool = flag(True, "too many absences end in an exit")
    max_absent_shifts: int = whole(3, 0, 20, "count", "absences within absence_days that ask for an exit, 0 = off")
    absence_days: int = whole(7, 1, 63, "days", "how far absences are counted back; below spec.absence_ring")
    exit_queue_limit: int = whole(8, 0, 100, "count", "length of the exit queue that raises an alert, 0 = none")
    review_ticks: int = whole(
        1440, 1, 100_000, "ticks", "waiting time after which a queued exit happens", "at least a tick"
    )


class LifecycleSection(Section):
    """Death, exits, arrivals."""

    mortality: bool = flag(True, "agents can faint")
    faint_threshold: float = real(0.03, 0, 1, "level", "hunger at or below which the faint streak grows")
    faint_ticks: int = whole(30, 1, 10_000, "ticks", "length of that streak that ends in a faint", "at least one tick")
    max_age_days: int = whole(0, 0, 100_000, "days", "age at which agents leave, 0 = off")
    daily_exit_cap: int = whole(2, 0, 50, "count", "exits a day, 0 = no cap")
    suppress_exits: bool = flag(True, "exits wait during city events")
    respawn_min: int = whole(5, 0, 100_000, "ticks", "least time until the next arrival in a slot")
    respawn_max: int = whole(20, 0, 100_000, "ticks", "most time until the next arrival; at least respawn_min")
    return_home: bool = flag(False, "everybody is put home at midnight")


class EmbeddingsSection(Section):
    """Identity slots."""

    cooldown_ticks: int = whole(2000, 0, 10_000, "ticks", "a freed identity rests so long, 0 = off")
    reuse_warning: float = real(
        0.05, 0, 0.5, "share", "share of forced reuses that raises an alert, 0 = off", "half is already a broken town"
    )


class PersonalitySection(Section):
    """Which rules look at the profile."""

    modify_needs: bool = flag(True, "profiles scale the decay of needs")
    modify_rewards: bool = flag(True, "profiles scale reward terms")
    modify_ties: bool = flag(True, "traits change what events do to ties")
    modify_behaviour: bool = flag(True, "profiles scale chats, arrival at work and tolerance")


class Traits(Section):
    """Character, each -1 to 1."""

    extroversion: float = real(0.0, -1, 1, "trait", "likes company")
    forgiveness: float = real(0.0, -1, 1, "trait", "forgets wrongs")
    ambition: float = real(0.0, -1, 1, "trait", "takes conflicts seriously")


class Profile(Section):
    """A personality of one's own, appended to the built-in ones."""

    traits: Traits = section(Traits, "character")
    needs: dict[Literal["hunger", "hygiene", "energy"], Multiplier] = table(
        "multiplier of decay, 0.1 to 5", 3, "one a need"
    )
    reward: dict[Literal["social", "employment", "survival"], Multiplier] = table(
        "reward bias, 0.1 to 5", 3, "one a group"
    )
    behaviour: dict[Literal["chat_preference", "work_affinity", "conflict_tolerance"], Multiplier] = table(
        "behaviour bias, 0.1 to 5", 3, "one a bias"
    )


class PersonalitiesSection(Section):
    """Who is how often."""

    distribution: dict[Name, Weight] = Field(
        default_factory=lambda: {"balanced": 0.40, "socialite": 0.25, "industrious": 0.20, "stoic": 0.15},
        max_length=64,
        description="profile -> weight, not negative; divided by their sum",
        json_schema_extra={"why": "one entry a profile"},
    )
    profiles: dict[Name, Profile] = table("further profiles", 60, "each has a row in the tables")
    overrides: dict[AgentName, Name] = table("agent -> profile, instead of the draw", 2048, "one entry an agent")


class TieEntry(Section):
    """What an agent feels for another at reset."""

    trust: float = real(0.0, -1, 1, "tie", "trust")
    familiarity: float = real(0.0, -1, 1, "tie", "familiarity")
    rivalry: float = real(0.0, 0, 1, "tie", "rivalry", "rivalry lies between 0 and 1")


class AgentEntry(Section):
    """One slot of the town."""

    name: AgentName = given(REQUIRED, "unique name")
    alive: bool = flag(True, "lives here at reset; otherwise the slot is empty until a spawn")
    home: int | None = whole(None, 0, 4095, "index", "home index; default is slot number modulo homes")
    job: Name | None = given("auto", "job name; null = none; auto = job of index slot number modulo jobs")
    profile: Name | None = given(None, "profile; null = drawn")
    position: Tile | None = given(None, "tile [x, y] at reset; null = the home tile")
    needs: dict[Literal["hunger", "hygiene", "energy"], Level] = table(
        "levels at reset instead of the draw", 3, "one a need"
    )
    wallet: float | None = real(None, 0, 1_000_000, "coins", "money at reset; null = drawn")
    ties: dict[AgentName, TieEntry] = table("what it feels for others at reset", 2048, "one entry an agent")
    schedule: tuple[ScheduleEntry, ...] = entries(
        "actions by timetable, repeated for ever", 4096, "a timetable, not a recording"
    )
