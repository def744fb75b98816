"""What a rollout leaves for the learner: the network acts, and every step is kept with what came of it.

Axes: time leads, then towns, then agents.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import rng
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.outcomes import Measures
from townlet_jax.core.params import Params
from townlet_jax.core.struct import Pytree
from townlet_jax.env import Act, BatchEnv, Decision, Moment, Standing, Transition, rollout
from townlet_jax.env.records import choices
from townlet_jax.policy import distribution, network
from townlet_jax.policy.guardrail import POLICY_COLUMNS
from townlet_jax.policy.network import Network, Parameters

Acting = Callable[[Network, Parameters], Act]

_ACTION = 0  # column of the POLICY draw


class Events(Pytree):
    """What happened in a tick of a town, or in many of them together."""

    conflicts: Int[Array, "*n"]
    chats_ok: Int[Array, "*n"]
    chats_failed: Int[Array, "*n"]
    shared_meals: Int[Array, "*n"]
    late_help: Int[Array, "*n"]
    late_starts: Int[Array, "*n"]
    absences: Int[Array, "*n"]
    exits: Int[Array, "*n 6"]  # by reason
    wages_paid: Float[Array, "*n"]


class Experience(Pytree):
    """The steps of a rollout. Rows that are not `valid` may hold anything."""

    observation: Observation  # on which was decided
    fresh: Bool[Array, "*n A"]  # the memory was dropped before
    action: Int[Array, "*n A"]  # NOBODY where it was left to somebody else
    log_prob: Float[Array, "*n A"]
    value: Float[Array, "*n A"]  # as the network says it
    reward: Float[Array, "*n A"]
    terminated: Bool[Array, "*n A"]
    truncated: Bool[Array, "*n A"]
    valid: Bool[Array, "*n A"]
    events: Events


def gather(env: BatchEnv, act: Act, params: Params, standing: Standing, num_steps: int) -> tuple[Standing, Experience]:
    """Let a policy act in every town for some steps."""
    end, experience = rollout(env, act, params, standing, num_steps, collect=kept)
    return end, experience


def acting(net: Network, parameters: Parameters) -> Act:
    """Return the stochastic policy of a network; its draws are those that the rules set aside for policies (1.6)."""

    def act(params: Params, moment: Moment, memory: Any) -> Decision:
        del params
        logits, value, memory = network.apply(net, parameters, moment.observation, memory, moment.fresh)
        action = distribution.sample(logits, rng.uniform_column(moment.key, logits.shape[0], POLICY_COLUMNS, _ACTION))
        return Decision(actions=action, memory=memory, notes=(distribution.log_prob(logits, action), value))

    return act


def kept(transition: Transition) -> Experience:
    """Return what is kept of one step of one town; masks of the action space that is not played are not.

    Where the action is NOBODY somebody else decided, so the mask shows no choice: the policy learns nothing from it.
    """
    moment, step = transition.moment, transition.timestep
    log_prob, value = transition.decision.notes
    own = (transition.decision.actions != NOBODY)[:, None]
    seen = moment.observation
    if seen.option_mask.shape[-1]:
        seen = seen.replace(mask=seen.mask[:, :0], option_mask=seen.option_mask & own)
    else:
        seen = seen.replace(mask=seen.mask & own)
    return Experience(
        observation=seen,
        fresh=moment.fresh,
        action=transition.decision.actions,
        log_prob=log_prob,
        value=value,
        reward=step.reward,
        terminated=step.terminated,
        truncated=step.truncated,
        valid=step.valid,
        events=events_of(step.measures),
    )


def events_of(measures: Measures) -> Events:
    """Return the events of a tick."""
    return Events(
        conflicts=measures.conflicts,
        chats_ok=measures.chats_ok,
        chats_failed=measures.chats_failed,
        shared_meals=measures.shared_meals,
        late_help=measures.late_help,
        late_starts=measures.late_starts,
        absences=measures.absences,
        exits=measures.exits,
        wages_paid=measures.wages_paid,
    )


def had_choice(experience: Experience) -> Bool[Array, "*n A"]:
    """Tell which steps a policy can learn from: the agent acted, and more than one choice was legal."""
    return experience.valid & (jnp.sum(choices(experience.observation), axis=-1) > 1)
