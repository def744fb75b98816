"""The only door into the core: a configuration becomes sizes, arrays and names (DESIGN section 2)."""

import dataclasses
from typing import NamedTuple

import jax

from townlet_jax.config.errors import ConfigError, ProblemError, dotted
from townlet_jax.config.names import Names
from townlet_jax.config.plan import Plan, plan
from townlet_jax.config.schema import Config
from townlet_jax.core import params
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec

SECTIONS = {
    "clock": params.ClockParams,
    "world": params.WorldParams,
    "routes": params.RouteParams,
    "needs": params.NeedParams,
    "economy": params.EconomyParams,
    "restock": params.RestockParams,
    "queue": params.QueueParams,
    "conflict": params.ConflictParams,
    "ties": params.TieParams,
    "chat": params.ChatParams,
    "employment": params.EmploymentParams,
    "jobs": params.JobParams,
    "lifecycle": params.LifecycleParams,
    "embeddings": params.EmbeddingParams,
    "personality": params.PersonalityParams,
    "perturbation": params.PerturbationParams,
    "reward": params.RewardParams,
    "observation": params.ObservationParams,
    "behaviour": params.BehaviourParams,
    "affordances": params.AffordanceParams,
    "start": params.StartParams,
}


class Built(NamedTuple):
    """What a town is made of: static sizes, traced numbers, and the words for the host."""

    spec: Spec
    params: Params
    names: Names


def build(config: Config) -> Built:
    """Turn a checked configuration into `(spec, params, names)`; raises `ConfigError` only."""
    try:
        made = plan(config)
    except ProblemError as problem:
        if config.origin is not None:
            raise config.origin.error(problem) from None
        raise ConfigError(f"configuration: {dotted(problem.path)}: {problem.text}.{problem.note}") from None
    return Built(made.spec, _params(made), made.names)


def _params(made: Plan) -> Params:
    """Move the tables to the device, section by section."""
    sections = {}
    for name, kind in SECTIONS.items():
        wanted = [field.name for field in dataclasses.fields(kind) if not field.metadata.get("static")]
        arrays = jax.device_put({key: made.sections[name][key] for key in wanted})  # no compilation, unlike asarray
        sections[name] = kind(**arrays, **({"facts": made.facts} if name == "affordances" else {}))
    return Params(**sections)
