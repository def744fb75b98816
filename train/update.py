"""The update of PPO: passes over a rollout in minibatches of towns, gradients added up chunk by chunk.

Every device has its own towns; what concerns all samples (shares, gradients, terms) is summed over devices. Hyper-
parameters are traced, so changing one compiles nothing.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]  # it has no stubs
from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core.batch import AXIS
from townlet_jax.core.struct import Pytree
from townlet_jax.policy import network
from townlet_jax.policy.network import Network, Parameters
from train import losses
from train.experience import Experience
from train.losses import Decisions, PpoTerms, PpoWeights

OPTIMISER = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-5)


class Hyper(Pytree):
    """The traced settings of one update."""

    learning_rate: Float[Array, "*members"]
    discount: Float[Array, "*members"]
    trace_decay: Float[Array, "*members"]
    max_grad_norm: Float[Array, "*members"]
    target_kl: Float[Array, "*members"]  # infinity for none
    return_memory: Float[Array, "*members"]
    clip: Float[Array, "*members"]
    value_clip: Float[Array, "*members"]  # infinity for none
    value_weight: Float[Array, "*members"]
    entropy_weight: Float[Array, "*members"]


@dataclass(frozen=True, kw_only=True)
class Passes:
    """The static settings of an update."""

    epochs: int
    minibatches: int
    chunk_towns: int  # towns that are read at once


class Material(Pytree):
    """What an update learns from: axes time, towns, agents; `memory` has towns first."""

    experience: Experience
    memory: Any  # of the network before the first step
    advantage: Float[Array, "time T A"]  # standardised
    target: Float[Array, "time T A"]  # in the unit of the network's values
    chosen: Bool[Array, "time T A"]


class Learning(Pytree):
    """What an update changes, and how it goes."""

    parameters: Parameters
    optimiser: Any
    epoch: Int[Array, ""]
    going: Bool[Array, ""]  # False once the policy has moved too far
    terms: PpoTerms  # of the last pass, means over its minibatches
    grad_norm: Float[Array, ""]  # likewise, before it is shortened


def learn(
    net: Network,
    passes: Passes,
    hyper: Hyper,
    material: Material,
    parameters: Parameters,
    optimiser: Any,
    key: Key[Array, ""],
) -> Learning:
    """Go over the material `epochs` times, or until the mean divergence of a pass is above `target_kl`."""
    start = Learning(
        parameters=parameters,
        optimiser=optimiser,
        epoch=jnp.int32(0),
        going=jnp.bool_(True),
        terms=no_terms(),
        grad_norm=jnp.float32(0),
    )

    def unfinished(state: Learning) -> Bool[Array, ""]:
        return state.going & (state.epoch < passes.epochs)

    def once_more(state: Learning) -> Learning:
        order = shuffled(jax.random.fold_in(key, state.epoch), material, passes)
        (learned, state_of_adam), (terms, norms) = jax.lax.scan(
            lambda carry, towns: _descend(net, hyper, material, carry, towns),
            (state.parameters, state.optimiser),
            order,
        )
        means: PpoTerms = jax.tree.map(jnp.mean, terms)
        return Learning(
            parameters=learned,
            optimiser=state_of_adam,
            epoch=state.epoch + 1,
            going=means.kl <= hyper.target_kl,
            terms=means,
            grad_norm=jnp.mean(norms),
        )

    done: Learning = jax.lax.while_loop(unfinished, once_more, start)
    return done


def shuffled(key: Key[Array, ""], material: Material, passes: Passes) -> Int[Array, "minibatches chunks towns"]:
    """Return the towns of this device in a random order, cut into minibatches and chunks."""
    num_towns = material.advantage.shape[1]
    own = jax.random.fold_in(key, jax.lax.axis_index(AXIS))
    order = jax.random.permutation(own, jnp.arange(num_towns, dtype=jnp.int32))
    return order.reshape(passes.minibatches, -1, passes.chunk_towns)


def _descend(
    net: Network,
    hyper: Hyper,
    material: Material,
    learned: tuple[Parameters, Any],
    towns: Int[Array, "chunks towns"],
) -> tuple[tuple[Parameters, Any], tuple[PpoTerms, Float[Array, ""]]]:
    """Take one step of Adam on the towns of a minibatch."""
    parameters, optimiser = learned
    gradients, terms = gradient_of(net, hyper, material, parameters, towns)
    parameters, optimiser, norm = adam(
        gradients, parameters, optimiser, learning_rate=hyper.learning_rate, max_grad_norm=hyper.max_grad_norm
    )
    return (parameters, optimiser), (terms, norm)


def adam(
    gradients: Parameters,
    parameters: Parameters,
    optimiser: Any,
    *,
    learning_rate: Float[Array, ""],
    max_grad_norm: Float[Array, ""],
) -> tuple[Parameters, Any, Float[Array, ""]]:
    """Take one step against the gradients, shortened to a norm; return also the norm that they had."""
    norm = jnp.sqrt(sum((jnp.sum(leaf**2) for leaf in jax.tree.leaves(gradients)), start=jnp.float32(0)))
    shorter = jnp.minimum(1.0, max_grad_norm / jnp.maximum(norm, 1e-12))
    with jax.numpy_dtype_promotion("standard"):  # optax mixes dtypes
        steps, optimiser = OPTIMISER.update(jax.tree.map(lambda leaf: leaf * shorter, gradients), optimiser)
    return jax.tree.map(lambda leaf, step: leaf - learning_rate * step, parameters, steps), optimiser, norm


def gradient_of(
    net: Network, hyper: Hyper, material: Material, parameters: Parameters, towns: Int[Array, "chunks towns"]
) -> tuple[Parameters, PpoTerms]:
    """Return the gradient and the terms of the loss over the towns of all devices, chunk by chunk."""
    valid = material.experience.valid
    value_share, policy_share = (_share(live[:, towns.reshape(-1)]) for live in (valid, material.chosen))
    weights = PpoWeights(
        clip=hyper.clip,
        value_clip=hyper.value_clip,
        value_weight=hyper.value_weight,
        entropy_weight=hyper.entropy_weight,
    )

    def add(total: tuple[Parameters, PpoTerms], chunk: Int[Array, "towns"]) -> tuple[tuple[Parameters, PpoTerms], None]:
        part = _of_towns(material, chunk)
        decisions = Decisions(
            action=part.experience.action,
            log_prob=part.experience.log_prob,
            value=part.experience.value,
            advantage=part.advantage,
            target=part.target,
            share=jnp.where(part.experience.valid, value_share, 0.0),
            chosen=jnp.where(part.chosen, policy_share, 0.0),
        )

        def loss(candidate: Parameters) -> tuple[Float[Array, ""], PpoTerms]:
            seen = part.experience
            logits, value, _ = network.unroll(net, candidate, seen.observation, part.memory, seen.fresh)
            return losses.ppo(logits, value, decisions, weights)

        gradients, terms = jax.grad(loss, has_aux=True)(parameters)
        return jax.tree.map(jnp.add, total, (gradients, terms)), None

    total, _ = jax.lax.scan(add, (jax.tree.map(jnp.zeros_like, parameters), no_terms()), towns)
    summed: tuple[Parameters, PpoTerms] = jax.lax.psum(total, AXIS)
    return summed


def no_terms() -> PpoTerms:
    """Return terms of 0."""
    zero = jnp.float32(0)
    return PpoTerms(loss=zero, policy=zero, value=zero, entropy=zero, kl=zero, clip_fraction=zero)


def _share(live: Bool[Array, "time towns A"]) -> Float[Array, ""]:
    """Return the share of one live sample in a mean over those of all devices."""
    return 1.0 / jnp.maximum(jax.lax.psum(jnp.sum(live.astype(jnp.float32)), AXIS), 1.0)


def _of_towns(material: Material, towns: Int[Array, "towns"]) -> Material:
    """Return the material of some towns."""
    memory = jax.tree.map(lambda leaf: leaf[towns], material.memory)
    rows: Material = jax.tree.map(lambda leaf: leaf[:, towns], material.replace(memory=()))
    return rows.replace(memory=memory)
