"""Behaviour cloning: a network learns the labels and the returns of rows that somebody else has lived through.

Owns the compiled step. Rows stand beside each other as if they were the agents of one town, so it is for networks that
read every agent and tick by itself. The batch is split over the devices of a mesh; XLA brings the gradients together.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, UInt8

from townlet_jax.core.batch import AXIS
from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.struct import Pytree
from townlet_jax.policy import distribution, network
from townlet_jax.policy.network import Network, Parameters
from townlet_jax.run import RunError
from train import losses
from train.learner import Knowledge
from train.losses import CloneTerms
from train.update import adam


class Rows(Pytree):
    """Rows of a dataset, with any leading axes. Those that do not `count` fill a batch up."""

    features: Float[Array, "*n D"]
    map: UInt8[Array, "*n channels w w"]
    mask: Bool[Array, "*n X"]
    label: Int[Array, "*n"]
    target: Float[Array, "*n"]  # of the value, in the unit of the network's values
    count: Bool[Array, "*n"]


class CloneHyper(Pytree):
    """The traced settings of a call; one learning rate a step."""

    learning_rate: Float[Array, "steps"]
    value_weight: Float[Array, ""]
    max_grad_norm: Float[Array, ""]


class Guess(Pytree):
    """What a network makes of rows."""

    action: Int[Array, "*n"]  # the likeliest
    surprise: Float[Array, "*n"]  # -log p[label], nats
    value: Float[Array, "*n"]


class Cloner:
    """Compiles the step and the look at held-out rows, each once."""

    def __init__(self, net: Network, path: Float[Array, "axes w w"], mesh: Mesh) -> None:
        self._net = net
        self._path = path
        everywhere = NamedSharding(mesh, PartitionSpec())
        self._steps_rows = NamedSharding(mesh, PartitionSpec(None, AXIS))
        self._rows = NamedSharding(mesh, PartitionSpec(AXIS))
        self._everywhere = everywhere
        self.traces = 0  # how often the step was traced
        self._step = jax.jit(self._learned, donate_argnums=1, out_shardings=everywhere)
        self._guess = jax.jit(functools.partial(guess, net, path), out_shardings=everywhere)

    def step(self, hyper: CloneHyper, knowledge: Knowledge, rows: Rows) -> tuple[Knowledge, CloneTerms, Array]:
        """Take one step of Adam for each batch of `rows` (axes steps, rows); `knowledge` is donated.

        Return what is known then, and the terms and gradient norms of the steps.
        """
        placed = jax.device_put(rows, self._steps_rows)
        made: tuple[Knowledge, CloneTerms, Array] = self._step(hyper, knowledge, placed)
        return made

    def guess(self, parameters: Parameters, rows: Rows) -> Guess:
        """Return what the network makes of rows; always give the same number of them."""
        found: Guess = jax.device_get(self._guess(parameters, jax.device_put(rows, self._rows)))
        return found

    def placed(self, knowledge: Knowledge) -> Knowledge:
        """Return what is known on all devices."""
        there: Knowledge = jax.device_put(knowledge, self._everywhere, may_alias=False)  # it will be donated
        return there

    def _learned(self, hyper: CloneHyper, knowledge: Knowledge, rows: Rows) -> tuple[Knowledge, CloneTerms, Array]:
        self.traces += 1

        def once(learned: tuple[Parameters, Any], given: tuple[Array, Rows]) -> tuple[tuple[Parameters, Any], Any]:
            rate, batch = given
            gradients, terms = gradient_of(self._net, self._path, learned[0], batch, hyper.value_weight)
            parameters, optimiser, norm = adam(
                gradients, *learned, learning_rate=rate, max_grad_norm=hyper.max_grad_norm
            )
            return (parameters, optimiser), (terms, norm)

        start = (knowledge.parameters, knowledge.optimiser)
        (parameters, optimiser), (terms, norms) = jax.lax.scan(once, start, (hyper.learning_rate, rows))
        steps = jnp.int32(hyper.learning_rate.shape[0])
        after = knowledge.replace(parameters=parameters, optimiser=optimiser, update=knowledge.update + steps)
        return after, terms, norms


def gradient_of(
    net: Network, path: Float[Array, "axes w w"], parameters: Parameters, rows: Rows, value_weight: Float[Array, ""]
) -> tuple[Parameters, CloneTerms]:
    """Return the gradient and the terms of the loss over a batch."""

    def loss(candidate: Parameters) -> tuple[Float[Array, ""], CloneTerms]:
        logits, value = read(net, path, candidate, rows)
        return losses.clone(
            logits,
            value,
            label=rows.label,
            target=rows.target,
            share=losses.shares(rows.count),
            value_weight=value_weight,
        )

    gradients, terms = jax.grad(loss, has_aux=True)(parameters)
    return gradients, terms


def guess(net: Network, path: Float[Array, "axes w w"], parameters: Parameters, rows: Rows) -> Guess:
    """Return what a network makes of rows."""
    logits, value = read(net, path, parameters, rows)
    return Guess(action=distribution.mode(logits), surprise=-distribution.log_prob(logits, rows.label), value=value)


def read(
    net: Network, path: Float[Array, "axes w w"], parameters: Parameters, rows: Rows
) -> tuple[Float[Array, "n X"], Float[Array, "n"]]:
    """Return masked logits and values of rows."""
    seen = seen_in(net, path, rows)
    memory = network.no_memory(net.config, rows.count.shape)
    logits, value, _ = network.apply(net, parameters, seen, memory, jnp.zeros_like(rows.count))
    return logits, value


def seen_in(net: Network, path: Float[Array, "axes w w"], rows: Rows) -> Observation:
    """Return what is seen in rows."""
    nothing = rows.mask[..., :0]
    takes_options = net.layout.num_options > 0
    return Observation(
        features=rows.features,
        map=rows.map,
        path=path,
        mask=nothing if takes_options else rows.mask,
        option_mask=rows.mask if takes_options else nothing,
        valid=jnp.ones_like(rows.count),
    )


def demand_own(net: Network) -> None:
    """Raise `RunError` for a network whose values are about more than what one agent sees."""
    if net.config.critic != "own":
        raise RunError(
            f"A network with critic {net.config.critic} reads all agents of a town at once, but cloning reads every "
            "agent by itself; set network.critic=own."
        )
