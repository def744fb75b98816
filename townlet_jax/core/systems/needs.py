"""Hunger, hygiene, energy (MECHANICS 4.1.2, 4.3.6, 4.5.2). Owns `state.needs`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from townlet_jax.core import arrays
from townlet_jax.core.params import NeedParams
from townlet_jax.core.state import Needs


def admit(params: NeedParams, needs: Needs, *, arrived: Bool[Array, "A"]) -> Needs:
    """Give newcomers their starting levels."""
    return Needs(level=arrays.where_rows(arrived, params.spawn_level, needs.level))


def live(
    params: NeedParams,
    needs: Needs,
    *,
    alive: Bool[Array, "A"],
    need_delta: Float[Array, "A N"],
    multiplier: Float[Array, "A N"],
) -> Needs:
    """Apply effects, clip, then decay: level = max(0, clip(level + delta) - rate * multiplier)."""
    level = jnp.clip(needs.level + need_delta, 0.0, 1.0)
    level = jnp.maximum(0.0, level - params.decay_rate * multiplier)
    return Needs(level=arrays.where_rows(alive, level, jnp.zeros_like(level)))


def night(
    params: NeedParams, needs: Needs, *, alive: Bool[Array, "A"], is_night: Bool[Array, ""]
) -> tuple[Needs, Bool[Array, "A"]]:
    """Lift the living to the night floor; also tell who was lifted."""

    def lift(_: tuple[Array, Array], given: tuple[Array, Array]) -> tuple[Array, Array]:
        level, living = given
        low = living[:, None] & (level < params.night_floor)
        return jnp.where(low, params.night_floor, level), jnp.any(low, axis=-1)

    level, lifted = arrays.only_if(is_night, lift, (needs.level, jnp.zeros_like(alive)), (needs.level, alive))
    return Needs(level=level), lifted


def clear(needs: Needs, *, gone: Bool[Array, "A"]) -> Needs:
    """Empty the slots of those that left."""
    return Needs(level=arrays.where_rows(gone, 0.0, needs.level))
