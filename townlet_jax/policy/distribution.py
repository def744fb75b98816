"""Categorical distributions over legal actions. Owns: how an illegal action is taken out of one.

All functions but `masked` read masked logits. Illegal ones are -1e9, not minus infinity, because minus infinity
times a probability of 0 is NaN, in the entropy and in every gradient.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays

ILLEGAL = -1e9
ALWAYS = 0  # the id of WAIT and of the option IDLE: legal whatever the mask says


def masked(logits: Float[Array, "*n X"], mask: Bool[Array, "*n X"]) -> Float[Array, "*n X"]:
    """Return logits in which what is neither legal nor WAIT has no probability and gets no gradient."""
    return jnp.where(mask | (_ids(logits) == ALWAYS), logits, ILLEGAL)


def legal(logits: Float[Array, "*n X"]) -> Bool[Array, "*n X"]:
    """Tell which actions the mask has left."""
    return logits > 0.5 * ILLEGAL


def log_prob(logits: Float[Array, "*n X"], action: Int[Array, "*n"]) -> Float[Array, "*n"]:
    """Return the log probability of an action: about -1e9 for an illegal one, 0 if it is the only legal one."""
    chosen = _ids(logits) == action[..., None]
    return jnp.sum(jnp.where(chosen, jax.nn.log_softmax(logits), 0.0), axis=-1)


def entropy(logits: Float[Array, "*n X"]) -> Float[Array, "*n"]:
    """Return the entropy in nats: `-sum_x p[x] log p[x]` over the legal actions, between 0 and log(their number)."""
    log_probs = jax.nn.log_softmax(logits)
    return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)


def mode(logits: Float[Array, "*n X"]) -> Int[Array, "*n"]:
    """Return the likeliest action; ties to the lowest id."""
    return arrays.first_max(logits, legal(logits))


def sample(logits: Float[Array, "*n X"], unit: Float[Array, "*n"]) -> Int[Array, "*n"]:
    """Return the action at a draw in [0, 1): by inverse CDF over the legal ones, in index order.

    WAIT where no action is reached, which takes logits that are not numbers.
    """
    probs = jax.nn.softmax(logits)
    up_to = jnp.triu(jnp.ones((logits.shape[-1], logits.shape[-1]), probs.dtype))
    reached = jnp.matmul(probs, up_to, precision=jax.lax.Precision.HIGHEST)
    place = unit[..., None] * reached[..., -1:]
    return jnp.maximum(arrays.first_true(legal(logits) & (reached > place)), ALWAYS)


def _ids(logits: Float[Array, "*n X"]) -> Int[Array, "X"]:
    return jnp.arange(logits.shape[-1], dtype=jnp.int32)
