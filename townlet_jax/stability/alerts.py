"""What can be wrong with a town: the alerts in their order, and the numbers from which on they are raised (9.2)."""

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core.struct import Pytree


class Alert(IntEnum):
    """Codes in the order in which alerts are named; append only."""

    QUEUE_FAIRNESS_PRESSURE = 0
    RIVALRY_SPIKE = 1
    STARVATION_SPIKE = 2
    OPTION_THRASHING = 3
    REWARD_VARIANCE_SPIKE = 4
    EMBEDDING_REUSE_WARNING = 5
    AFFORDANCE_FAILURES_EXCEEDED = 6
    LATENESS_SPIKE = 7
    EMPLOYMENT_EXIT_QUEUE_OVERFLOW = 8
    EMPLOYMENT_EXIT_BACKLOG = 9


NUM_ALERTS = len(Alert)
NAMES = tuple(alert.name.lower() for alert in Alert)
WINDOWED = (Alert.RIVALRY_SPIKE, Alert.STARVATION_SPIKE, Alert.OPTION_THRASHING, Alert.REWARD_VARIANCE_SPIKE)
SAMPLED = (Alert.OPTION_THRASHING, Alert.REWARD_VARIANCE_SPIKE)
LIMITS: dict[
    Alert, tuple[str, str]
] = {  # section and key of the configuration; the others look at the town's own rules
    Alert.QUEUE_FAIRNESS_PRESSURE: ("queue_fairness_pressure", "threshold"),
    Alert.RIVALRY_SPIKE: ("rivalry_spike", "threshold"),
    Alert.STARVATION_SPIKE: ("starvation_spike", "max_incidents"),
    Alert.OPTION_THRASHING: ("option_thrashing", "rate"),
    Alert.REWARD_VARIANCE_SPIKE: ("reward_variance_spike", "max_variance"),
    Alert.AFFORDANCE_FAILURES_EXCEEDED: ("affordance_failures_exceeded", "threshold"),
    Alert.LATENESS_SPIKE: ("lateness_spike", "threshold"),
}


class Thresholds(Pytree):
    """The numbers of the analysers and of the promotion window of a town."""

    limit: Float[Array, "10"]  # by alert; below 0 = off
    window_ticks: Int[Array, "4"]  # of the alerts in `WINDOWED`
    min_samples: Int[Array, "2"]  # of the alerts in `SAMPLED`
    hunger_level: Float[Array, ""]  # at or below which a streak of hunger runs
    starving_ticks: Int[Array, ""]  # length of a streak that is an incident
    promotion_ticks: Int[Array, ""]  # length of a promotion window
    required_passes: Int[Array, ""]  # windows in a row that make a town ready
    allowed: Bool[Array, "10"]  # alerts that do not fail a window


def thresholds(settings: Mapping[str, Any]) -> Thresholds:
    """Return the numbers of the section `stability` of a configuration, as `model_dump` gives it."""
    limit = np.zeros(NUM_ALERTS, np.float32)
    for alert, (name, key) in LIMITS.items():
        limit[alert] = settings[name][key]
    promotion, hunger = settings["promotion"], settings["starvation_spike"]
    return Thresholds(
        limit=jnp.asarray(limit),
        window_ticks=jnp.asarray(windows(settings), jnp.int32),
        min_samples=jnp.asarray([settings[LIMITS[alert][0]]["min_samples"] for alert in SAMPLED], jnp.int32),
        hunger_level=jnp.float32(hunger["level"]),
        starving_ticks=jnp.int32(hunger["min_duration"]),
        promotion_ticks=jnp.int32(promotion["window_ticks"]),
        required_passes=jnp.int32(promotion["required_passes"]),
        allowed=jnp.asarray([name in promotion["allowed_alerts"] for name in NAMES]),
    )


def windows(settings: Mapping[str, Any]) -> list[int]:
    """Return the lengths of the windows in ticks, in the order of `WINDOWED`."""
    return [int(settings[LIMITS[alert][0]]["window_ticks"]) for alert in WINDOWED]


def ring_rows(settings: Mapping[str, Any], bucket: int) -> int:
    """Return how many buckets the longest window needs (axis S)."""
    return math.ceil(max(windows(settings)) / bucket)
