"""Losses of the learner and what is reported beside them: pure functions of arrays with any leading axes.

Every mean is a weighted sum in which each sample has its share (see `shares`), so that the losses and gradients of
parts of a batch (chunks, devices) add up to those of the whole. Samples without a share may hold anything, NaN
included: neither a loss nor a gradient sees them. Logits are masked (`policy.distribution`).
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core.struct import Pytree
from townlet_jax.policy import distribution

Number = Float[Array, ""] | float
_SMALL = 1e-6  # rounding makes equal advantages differ by less


class Decisions(Pytree):
    """What was decided and what came of it.

    `share` is each sample's part in the means over values, `chosen` in those over choices; both are 0 for dead and
    padded samples, `chosen` also where the choice had no say (an option was held). See `shares`.
    """

    action: Int[Array, "*n"]
    log_prob: Float[Array, "*n"]  # of the action when it was taken
    value: Float[Array, "*n"]  # as estimated then
    advantage: Float[Array, "*n"]
    target: Float[Array, "*n"]  # of the value
    share: Float[Array, "*n"]
    chosen: Float[Array, "*n"]


class PpoWeights(Pytree):
    """The traced hyperparameters of PPO's loss."""

    clip: Float[Array, ""]  # of the probability ratio, around 1
    value_clip: Float[Array, ""]  # of the change of a value; infinity for none
    value_weight: Float[Array, ""]
    entropy_weight: Float[Array, ""]


class PpoTerms(Pytree):
    """The terms of PPO's loss and what tells whether an update went too far."""

    loss: Float[Array, ""]  # policy + value_weight * value - entropy_weight * entropy
    policy: Float[Array, ""]
    value: Float[Array, ""]
    entropy: Float[Array, ""]  # nats
    kl: Float[Array, ""]  # of the new policy from the old one, nats
    clip_fraction: Float[Array, ""]  # of samples with a ratio outside the clip


class CloneTerms(Pytree):
    """The terms of the loss of behaviour cloning."""

    loss: Float[Array, ""]  # cross_entropy + value_weight * value
    cross_entropy: Float[Array, ""]  # nats
    value: Float[Array, ""]
    accuracy: Float[Array, ""]  # share of samples whose label is the likeliest action
    illegal: Float[Array, ""]  # share of samples left out because the mask forbids their label


def shares(live: Bool[Array, "*n"]) -> Float[Array, "*n"]:
    """Return each sample's share in a mean over the live ones: 1 / number of them, 0 for the others.

    Take the shares of the whole batch before it is cut into parts.
    """
    counted = live.astype(jnp.float32)
    return counted / jnp.maximum(jnp.sum(counted), 1.0)


def mean(values: Float[Array, "*n"], share: Float[Array, "*n"]) -> Float[Array, ""]:
    """Return the mean over the samples that have a share, or what a part of a batch adds to it."""
    return jnp.sum(clean(values, share) * share)


def clean(values: Float[Array, "*n"], share: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return values with 0 where there is no share, so that nothing else stands there in a gradient."""
    return jnp.where(share > 0, values, 0.0)


def standardised(advantage: Float[Array, "*n"], live: Bool[Array, "*n"]) -> Float[Array, "*n"]:
    """Return advantages with mean 0 and standard deviation 1 over the live samples; 0 for the others.

    `(advantage - mean) / (deviation + 1e-6)`, with the deviation of the population.
    """
    share = shares(live)
    centred = clean(advantage - mean(advantage, share), share)
    return centred / (jnp.sqrt(mean(centred**2, share)) + _SMALL)


def surrogate(log_ratio: Float[Array, "*n"], advantage: Float[Array, "*n"], clip: Number) -> Float[Array, "*n"]:
    """Return PPO's clipped objective, to be made large (Schulman et al. 2017):

    `min(ratio advantage, clip(ratio, 1 - clip, 1 + clip) advantage)` with `ratio = exp(log_ratio)`.
    """
    ratio = jnp.exp(log_ratio)
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1.0 - clip, 1.0 + clip) * advantage)


def value_error(
    value: Float[Array, "*n"], old: Float[Array, "*n"], target: Float[Array, "*n"], clip: Number
) -> Float[Array, "*n"]:
    """Return `0.5 max((v - target)^2, (old + clip(v - old, ±clip) - target)^2)`; an infinite clip is none."""
    near = old + jnp.clip(value - old, -clip, clip)
    return 0.5 * jnp.maximum((value - target) ** 2, (near - target) ** 2)


def divergence(log_ratio: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return the estimate `exp(x) - 1 - x` (k3 of Schulman 2020) of KL(old || new), x = log new - log old.

    Its mean over actions of the old policy is the divergence; no sample of it is negative.
    """
    return jnp.expm1(log_ratio) - log_ratio


def ppo(
    logits: Float[Array, "*n X"], value: Float[Array, "*n"], decisions: Decisions, weights: PpoWeights
) -> tuple[Float[Array, ""], PpoTerms]:
    """Return PPO's loss and its terms."""
    chosen = decisions.chosen
    logits = jnp.where(chosen[..., None] > 0, logits, 0.0)
    log_ratio = clean(distribution.log_prob(logits, decisions.action) - decisions.log_prob, chosen)
    gain = surrogate(log_ratio, clean(decisions.advantage, chosen), weights.clip)
    now, before, target = (clean(x, decisions.share) for x in (value, decisions.value, decisions.target))
    policy = -mean(gain, chosen)
    error = mean(value_error(now, before, target, weights.value_clip), decisions.share)
    entropy = mean(distribution.entropy(logits), chosen)
    loss = policy + weights.value_weight * error - weights.entropy_weight * entropy
    outside = jnp.abs(jnp.expm1(log_ratio)) > weights.clip
    return loss, PpoTerms(
        loss=loss,
        policy=policy,
        value=error,
        entropy=entropy,
        kl=mean(divergence(log_ratio), chosen),
        clip_fraction=mean(outside.astype(jnp.float32), chosen),
    )


def clone(
    logits: Float[Array, "*n X"],
    value: Float[Array, "*n"],
    *,
    label: Int[Array, "*n"],
    target: Float[Array, "*n"],
    share: Float[Array, "*n"],
    value_weight: Number,
) -> tuple[Float[Array, ""], CloneTerms]:
    """Return the loss of behaviour cloning with value distillation, and its terms.

    `mean(-log p[label]) + value_weight mean(0.5 (value - target)^2)`. A label that the mask forbids is left out of
    the cross entropy: no parameter could learn it.
    """
    logits = jnp.where(share[..., None] > 0, logits, 0.0)
    possible = jnp.take_along_axis(distribution.legal(logits), label[..., None], axis=-1)[..., 0]
    surprise = clean(-distribution.log_prob(logits, label), jnp.where(possible, share, 0.0))
    cross_entropy = mean(surprise, share)
    error = mean(0.5 * (clean(value, share) - clean(target, share)) ** 2, share)
    loss = cross_entropy + value_weight * error
    right = (distribution.mode(logits) == label).astype(jnp.float32)
    return loss, CloneTerms(
        loss=loss,
        cross_entropy=cross_entropy,
        value=error,
        accuracy=mean(right, share),
        illegal=mean((~possible).astype(jnp.float32), share),
    )


def explained_variance(
    value: Float[Array, "*n"], target: Float[Array, "*n"], live: Bool[Array, "*n"]
) -> Float[Array, ""]:
    """Return `1 - Var(target - value) / Var(target)` over the live samples; 0 where the targets are all alike."""
    share = shares(live)
    total = variance(target, share)
    rest = variance(clean(target, share) - clean(value, share), share)
    return jnp.where(total > 0, 1.0 - rest / jnp.where(total > 0, total, 1.0), 0.0)


def variance(values: Float[Array, "*n"], share: Float[Array, "*n"]) -> Float[Array, ""]:
    """Return the variance over the samples that have a share, as of a whole population."""
    return mean((clean(values, share) - mean(values, share)) ** 2, share)
