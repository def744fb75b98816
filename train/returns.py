"""What a step was worth: advantages and targets of the value function, per agent (MECHANICS 4.6.4).

Axes: the time leads, any others follow. Row t is the step from obs_t to obs_{t+1}.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from townlet_jax.core.struct import Pytree


class Steps(Pytree):
    """What was seen and earned. Rows that are not `valid` may hold anything."""

    reward: Float[Array, "time *n"]
    value: Float[Array, "time *n"]  # of obs_t
    next_value: Float[Array, "time *n"]  # of obs_{t+1}; where truncated, of the final observation (see `next_values`)
    terminated: Bool[Array, "time *n"]  # the individual left in this step
    truncated: Bool[Array, "time *n"]  # a time limit ended the episode with this step
    valid: Bool[Array, "time *n"]  # the slot acted in this step


class Estimates(Pytree):
    """Advantages and value targets; 0 where a step is not valid."""

    advantage: Float[Array, "time *n"]
    target: Float[Array, "time *n"]


def next_values(
    value: Float[Array, "time *n"],
    *,
    last: Float[Array, "*n"],
    truncated: Bool[Array, "time *n"],
    final: Float[Array, "time *n"],
) -> Float[Array, "time *n"]:
    """Return V(obs_{t+1}) of every step: the next row of `value`, `last` for the last one, `final` where truncated.

    `final` is the value of the observation that closed the episode, read with the memory of that episode. In a town
    that goes on after a time limit it is the same observation as the next row's.
    """
    following = jnp.concatenate([value[1:], last[None]])
    return jnp.where(truncated, final, following)


def advantages(
    steps: Steps, *, discount: Float[Array, ""] | float, trace_decay: Float[Array, "..."] | float
) -> Estimates:
    """Return generalised advantage estimates (Schulman et al. 2016) with discount g and trace decays l_t:

    `delta_t = reward_t + g next_value_t [not terminated_t] - value_t`
    `advantage_t = delta_t + g l_t [not terminated_t and not truncated_t and valid_{t+1}] advantage_{t+1}`
    `target_t = advantage_t + value_t`

    The decay is one number, or one a step (see `decays`).

    After the last row nothing is known, so the trace starts from 0 there and `next_value` stands for the rest.
    A step that is not valid is no step: advantage and target 0, nothing passes through it. So the rows of a slot
    from a leave (terminated, no bootstrap) over its vacancy to the first act of the next individual are separate
    traces. A slot that somebody emptied between two steps, without `terminated`, is bootstrapped like a truncation.
    """

    def step(
        later: Float[Array, "*n"], now: tuple[Steps, Float[Array, "*n"]]
    ) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
        row, decay = now
        bootstrap = jnp.where(row.terminated, 0.0, row.next_value)
        trace = jnp.where(row.terminated | row.truncated, 0.0, later)
        advantage = row.reward + discount * bootstrap - row.value + discount * decay * trace
        kept = jnp.where(row.valid, advantage, 0.0)
        return kept, kept

    each = jnp.broadcast_to(jnp.asarray(trace_decay, steps.value.dtype), steps.value.shape)
    _, advantage = jax.lax.scan(step, jnp.zeros_like(steps.value[0]), (steps, each), reverse=True)
    return Estimates(advantage=advantage, target=jnp.where(steps.valid, advantage + steps.value, 0.0))


def decays(chosen: Bool[Array, "time *n"], trace_decay: Float[Array, ""] | float) -> Float[Array, "time *n"]:
    """Return the trace decay of every step where options are kept for many ticks (Sutton, Precup and Singh 1999).

    A value replaces what was earned only where somebody decides again: the decay is `trace_decay` if row t + 1 is
    `chosen`, else 1. So the estimates are those of the decisions, with the ticks between them counted as they were.
    """
    following = jnp.concatenate([chosen[1:], jnp.zeros_like(chosen[:1])])
    return jnp.where(following, jnp.float32(trace_decay), jnp.float32(1))
