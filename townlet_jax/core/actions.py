"""What agents ask for: structured intents, and flat action ids decoded to them (MECHANICS 5.1, 5.2)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core.enums import NOBODY, Avoidance, Kind, Option
from townlet_jax.core.struct import Pytree

FLAT_WAIT = 0
FLAT_MOVE = 1  # 1..4: north, east, south, west
FLAT_USE = 5  # 5 + k


class Intents(Pytree):
    """One row a slot. `flat >= 0` is decoded after the wake phase and replaces kind..quality of its row."""

    flat: Int[Array, "A"]  # flat action id, NOBODY = the structured fields count
    kind: Int[Array, "A"]  # Kind
    direction: Int[Array, "A"]  # MOVE
    object: Int[Array, "A"]  # REQUEST, START, USE, RELEASE, BLOCKED
    affordance: Int[Array, "A"]  # START, USE
    target: Int[Array, "A"]  # CHAT
    success: Bool[Array, "A"]  # RELEASE
    quality: Float[Array, "A"]  # CHAT; < 0 = the formula of the core
    avoided: Int[Array, "A"]  # Avoidance record of the policy's guardrail
    option: Int[Array, "A"]  # acting option, report of the policy layer
    switched: Bool[Array, "A"]  # option switch, report of the policy layer


def waiting(num_agents: int) -> Intents:
    """Return intents in which everybody waits."""
    nobody = jnp.full(num_agents, NOBODY, jnp.int32)
    zero = jnp.zeros(num_agents, jnp.int32)
    return Intents(
        flat=nobody,
        kind=zero + Kind.WAIT,
        direction=nobody,
        object=nobody,
        affordance=nobody,
        target=nobody,
        success=jnp.ones(num_agents, bool),
        quality=jnp.full(num_agents, -1.0, jnp.float32),
        avoided=zero + Avoidance.NONE,
        option=zero + Option.IDLE,
        switched=jnp.zeros(num_agents, bool),
    )


def flat(actions: Int[Array, "A"]) -> Intents:
    """Return intents for flat action ids; ids outside 0..X-1 are refused in the tick."""
    return waiting(actions.shape[0]).replace(flat=jnp.where(actions == NOBODY, NOBODY - 1, actions.astype(jnp.int32)))
