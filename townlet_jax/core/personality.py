"""What a profile does to its owner: traits, multipliers, tolerance (MECHANICS 8.1, 8.2)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NOBODY, Behaviour
from townlet_jax.core.params import PersonalityParams


def draw(params: PersonalityParams, override: Int[Array, "*a"], unit: Float[Array, "*a"]) -> Int[Array, "*a"]:
    """Return the profile of a newcomer: its override, else the first whose cumulated probability exceeds the draw."""
    drawn = arrays.count(unit[..., None] >= params.cumulative)
    last = params.cumulative.shape[0] - 1
    return jnp.where(override != NOBODY, override, jnp.minimum(drawn, last))


def traits(params: PersonalityParams, profile: Int[Array, "A"]) -> Float[Array, "A 3"]:
    """Return extroversion, forgiveness, ambition (columns Trait); always live."""
    return params.trait[profile]


def need_multiplier(params: PersonalityParams, profile: Int[Array, "A"]) -> Float[Array, "A N"]:
    """Return the decay multipliers, 1 when `modify_needs` is off."""
    return jnp.where(params.modify_needs, params.need_multiplier, 1.0)[profile]


def reward_bias(params: PersonalityParams, profile: Int[Array, "A"]) -> Float[Array, "A 3"]:
    """Return reward factors (columns RewardGroup), 1 when `modify_rewards` is off."""
    return jnp.where(params.modify_rewards, params.reward_bias, 1.0)[profile]


def behaviour(params: PersonalityParams, profile: Int[Array, "A"], which: Behaviour) -> Float[Array, "A"]:
    """Return one behaviour multiplier in [.1, 5], 1 when `modify_behaviour` is off."""
    column = jnp.clip(params.behaviour_bias[:, which], 0.1, 5.0)
    return jnp.where(params.modify_behaviour, column, 1.0)[profile]


def avoid_level(params: PersonalityParams, threshold: Float[Array, ""], profile: Int[Array, "A"]) -> Float[Array, "A"]:
    """Return the rivalry from which on somebody is avoided: threshold / tolerance, at most 1 (1.1)."""
    tolerance = behaviour(params, profile, Behaviour.CONFLICT_TOLERANCE)
    return jnp.clip(threshold / tolerance, 0.0, 1.0)
