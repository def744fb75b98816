"""Analysers, promotion windows and the gate for candidate policies (MECHANICS 9.2-9.4)."""

from typing import Annotated, Literal

from pydantic import Field

from townlet_jax.config.schema.fields import Section, Words, given, real, section, whole

AlertName = Literal[
    "queue_fairness_pressure", "rivalry_spike", "starvation_spike", "option_thrashing", "reward_variance_spike",
    "embedding_reuse_warning", "affordance_failures_exceeded", "lateness_spike", "employment_exit_queue_overflow",
    "employment_exit_backlog",
]  # fmt: skip

OFF = "any count; below 0 the analyser is off"


class Pressure(Section):
    """Ghost steps or rotations in one tick."""

    threshold: int = whole(5, -1, 1_000_000, "count", "increment of a tick that raises the alert; below 0 = off", OFF)


class RivalrySpike(Section):
    """Strong conflicts in a window."""

    window_ticks: int = whole(100, 1, 100_000, "ticks", "length of the window", "a window holds at least one tick")
    threshold: int = whole(5, -1, 1_000_000, "count", "strong conflicts that raise the alert; below 0 = off", OFF)


class Starvation(Section):
    """Streaks of hunger in a window."""

    window_ticks: int = whole(1000, 1, 100_000, "ticks", "length of the window", "a window holds at least one tick")
    max_incidents: int = whole(0, -1, 1_000_000, "count", "incidents without alert; below 0 = off", OFF)
    level: float = real(0.05, 0, 1, "level", "hunger at or below which a streak runs")
    min_duration: int = whole(30, 1, 100_000, "ticks", "length of a streak that is an incident", "at least one tick")


class Thrashing(Section):
    """Options that change too often."""

    window_ticks: int = whole(600, 1, 100_000, "ticks", "length of the window", "a window holds at least one tick")
    min_samples: int = whole(10, 0, 1_000_000, "count", "agent-ticks needed before it judges")
    rate: float = real(
        0.25, -1, 1, "share", "switches per agent-tick without alert; below 0 = off", "a share; below 0 = off"
    )


class RewardVariance(Section):
    """Rewards that jump."""

    window_ticks: int = whole(1000, 1, 100_000, "ticks", "length of the window", "a window holds at least one tick")
    min_samples: int = whole(20, 0, 1_000_000, "count", "rewards needed before it judges")
    max_variance: float = real(
        0.25, -1, 10_000, "weight", "variance without alert; below 0 = off", "a variance; below 0 = off"
    )


class Failures(Section):
    """Affordances that fail in one tick."""

    threshold: int = whole(5, -1, 1_000_000, "count", "failures without alert; below 0 = off", OFF)


class Lateness(Section):
    """Late ticks since midnight."""

    threshold: int = whole(30, -1, 1_000_000, "ticks", "late ticks without alert; below 0 = off", OFF)


class Gate(Section):
    """The match between a candidate and the release."""

    towns: int = whole(64, 1, 65_536, "count", "towns a policy plays")
    ticks: int = whole(1440, 1, 1_000_000, "ticks", "length of a game", "a game has at least one tick")
    scenarios: tuple[Words, ...] = Field(
        (), max_length=64, description="configurations to play; empty = the running one"
    )
    resamples: int = whole(2000, 100, 1_000_000, "count", "resamples of the bootstrap", "fewer give no interval")
    confidence: float = real(0.95, 0.5, 0.9999, "share", "width of the interval", "below a half it says nothing")
    tolerance: float = real(0.02, 0, 1, "share", "loss of return that passes, relative to the release")
    guard_tolerance: float = real(0.15, 0, 10, "share", "rise of a guarded metric that passes, relative to the release")
    anneal_accuracy_threshold: float = real(0.9, 0, 1, "share", "accuracy on held-out frames that imitation needs")


class Promotion(Section):
    """Promotion windows and the promotion manager."""

    window_ticks: int = whole(1000, 1, 100_000, "ticks", "length of a window", "at most one window ends a tick")
    required_passes: int = whole(
        2, 1, 10, "count", "windows without alert that make a town ready", "at least one window"
    )
    allowed_alerts: tuple[AlertName, ...] = Field((), max_length=10, description="alerts that do not fail a window")
    ready_share: float = real(0.9, 0, 1, "share", "share of ready towns that makes the session ready")
    watch_windows: int = whole(2, 0, 100, "count", "windows after a promotion that can roll it back")
    log_path: Annotated[str, Field(strict=True, max_length=1000)] | None = given(
        None, "file that gets one JSON line a record; null = none"
    )
    gate: Gate = section(Gate, "the match between a candidate and the release")


class StabilitySection(Section):
    """Analysers by the name of their alert, and promotion."""

    queue_fairness_pressure: Pressure = section(Pressure, "ghost steps or rotations in one tick")
    rivalry_spike: RivalrySpike = section(RivalrySpike, "strong conflicts in a window")
    starvation_spike: Starvation = section(Starvation, "streaks of hunger in a window")
    option_thrashing: Thrashing = section(Thrashing, "option switches per agent-tick")
    reward_variance_spike: RewardVariance = section(RewardVariance, "variance of rewards")
    affordance_failures_exceeded: Failures = section(Failures, "refused holders and aborts in one tick")
    lateness_spike: Lateness = section(Lateness, "late ticks since midnight, summed over agents")
    promotion: Promotion = section(Promotion, "promotion windows and the promotion manager")
