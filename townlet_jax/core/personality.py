"""What a profile does to its owner: traits, multipliers, tolerance (MECHANICS 8.1-8.3)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NOBODY, Behaviour, Trait
from townlet_jax.core.params import PersonalityParams
from townlet_jax.core.struct import Pytree

_SOFTENING = 0.5  # share of a loss spared per unit of forgiveness
_WARMTH = 0.02  # familiarity a good chat gains per unit of extroversion
_TEMPER = 0.3  # share of a conflict's rivalry added per unit of ambition


class Temperament(Pytree):
    """What the owner of a tie makes of events (8.3); neutral when `modify_ties` is off."""

    soften: Float[Array, "A"]  # factor of losses
    warmth: Float[Array, "A"]  # familiarity added to a good chat
    temper: Float[Array, "A"]  # factor of a conflict's rivalry

    def softened(self, delta: Float[Array, "A"]) -> Float[Array, "A"]:
        """Return a change as the owner takes it: losses are softened, or sharpened by an unforgiving one."""
        return jnp.where(delta < 0, delta * self.soften, delta)


def temperament(params: PersonalityParams, profile: Int[Array, "A"]) -> Temperament:
    """Return the temperament of each agent."""
    live = jnp.where(params.modify_ties, params.trait, 0.0)
    return Temperament(
        soften=(1 - _SOFTENING * live[:, Trait.FORGIVENESS])[profile],
        warmth=(_WARMTH * live[:, Trait.EXTROVERSION])[profile],
        temper=jnp.maximum(0.0, 1 + _TEMPER * live[:, Trait.AMBITION])[profile],
    )


def bounded(delta: Float[Array, "A"]) -> Float[Array, "A"]:
    """Clip a single change of a tie to [-1, 1]."""
    return jnp.clip(delta, -1.0, 1.0)


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
