"""The environment for learners: one town, episodes, many towns, rollouts (DESIGN 5)."""

from townlet_jax.core.observe.observation import Observation
from townlet_jax.env.auto_reset import AutoReset, EpisodeState
from townlet_jax.env.batch_env import BatchEnv
from townlet_jax.env.records import Environment, EnvState, TimeStep, choices
from townlet_jax.env.rollouts import Act, Decision, Moment, Standing, Transition, at_random, begin, rollout
from townlet_jax.env.spaces import Space, Spaces, check_spaces, declare_spaces
from townlet_jax.env.town_env import TownEnv

__all__ = [
    "Act",
    "AutoReset",
    "BatchEnv",
    "Decision",
    "EnvState",
    "Environment",
    "EpisodeState",
    "Moment",
    "Observation",
    "Space",
    "Spaces",
    "Standing",
    "TimeStep",
    "TownEnv",
    "Transition",
    "at_random",
    "begin",
    "check_spaces",
    "choices",
    "declare_spaces",
    "rollout",
]
