"""A hamlet of six in which agents learn, and the one compiled learner that most tests share.

What earns a reward is a number of the town (`WHAT`), so that every probe runs the same program.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core.worlds import editable, on_device
from env.places import small
from jaxtyping import Array, Float

from townlet_jax.config import Built
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from train import building, reading
from train.building import Setup
from train.learner import Report
from train.settings import Settings
from train.update import Hyper

AGENTS, TOWNS, STEPS = 6, 8, 16
CONSTANT, MOVING, BY_HUNGER = 0.0, 0.25, 0.5  # what earns a reward of 1
TINY: dict[str, Any] = {
    "network": {"map_width": 8, "feature_width": 32, "trunk_width": 16},
    "ppo": {
        "learning_rate": 0.01,
        "anneal": False,
        "discount": 0.5,
        "epochs": 4,
        "minibatches": 2,
        "entropy_start": 0.001,
        "chunk_rows": 2 * STEPS * AGENTS,
    },
    "towns": TOWNS,
    "steps": STEPS,
    "updates": 40,
}


def reward(params: Params, before: TownState, after: TownState, output: TickOutput) -> Float[Array, "A"]:
    """Give 1 for what `params.reward.survival_tick` says, else 0."""
    del output
    what = params.reward.survival_tick
    moved = jnp.any(after.roster.position != before.roster.position, axis=-1)
    right = moved == (before.needs.level[:, 0] > 0.5)
    earned = jnp.where(what == MOVING, moved, jnp.where(what == BY_HUNGER, right, what == CONSTANT))
    return earned.astype(jnp.float32)


def hamlet(what: float = CONSTANT) -> Built:
    """Return the hamlet in which hunger is anything from 0.1 to 0.9 and stays as it is."""
    built = small()
    params = editable(built.params)
    params.reward.survival_tick[...] = what
    params.needs.decay_rate[:] = 0
    params.needs.start_low[:] = 0.1
    params.needs.start_high[:] = 0.9
    params.perturbation.prob_per_day[:] = 0
    made: Params = on_device(params)
    return built._replace(params=made)


def settings(**changes: Any) -> Settings:
    """Return tiny settings."""
    return reading.from_mapping(TINY | changes)


@functools.cache
def shared() -> Setup:
    """Return the learner of flat actions on one device."""
    return building.set_up(settings(), built=hamlet(), devices=jax.devices()[:1], reward=reward)


def hyper(**changes: float) -> Hyper:
    """Return the tiny settings as numbers, some of them changed."""
    first = building.hyper_at(settings().ppo, 0, 1)
    return first.replace(**{name: jnp.asarray(np.float32(value)) for name, value in changes.items()})


def trained(what: float, updates: int, *, seed: int = 0, **changes: float) -> tuple[Any, list[Report]]:
    """Train the shared learner from nothing; return what it knows and all reports."""
    learner = shared().learner
    learner.live_under(hamlet(what).params)
    knowledge, standing = learner.begin(seed)
    reports = []
    for _ in range(updates):
        knowledge, standing, report = learner.step(hyper(**changes), knowledge, standing)
        reports.append(jax.device_get(report))
    return jax.device_get(knowledge), reports


def mean_reward(report: Report) -> float:
    """Return the reward of an agent-step."""
    return float(report.reward_sum) / int(report.steps)
