"""The actor-critic that all agents share: from observations to masked logits and values.

Owns what fixes the shapes of the parameters (`NetworkConfig`). Every function takes any axes before the agents':
`[A, …]` is a town, `[towns, A, …]` many; `unroll` has the time in front of them. Parameters are plain dicts.
Rows of vacant slots are read as zeros and may only wait, so what stands in them changes nothing.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Key

from townlet_jax.core.observe.layout import Layout
from townlet_jax.core.observe.observation import Observation
from townlet_jax.policy import cores, distribution
from townlet_jax.policy.cores import Core, CoreKind, Memory
from townlet_jax.policy.encoders import ACTIVATIONS, Activation, MapEncoder, dense, map_encoder

Critic = Literal["own", "central"]
Compute = Literal["float32", "bfloat16"]
Parameters = dict[str, Any]  # nested, float32 leaves
POLICY_GAIN, VALUE_GAIN = 0.01, 1.0  # of the heads: nearly uniform at first; values of about unit scale


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Kinds and sizes of the parts of a network; another value is another set of parameters."""

    map_encoder: MapEncoder = "embed"
    map_width: int = 64
    feature_width: int = 128
    trunk_width: int = 96
    core: CoreKind = "none"
    core_width: int = 96
    critic: Critic = "own"  # central: the value also sees the mean and the maximum over the town's agents
    critic_width: int = 64  # of a central critic
    activation: Activation = "relu"
    compute: Compute = "float32"  # of all layers but the heads

    def __post_init__(self) -> None:
        """Refuse kinds that do not exist and sizes below 1; raises `ValueError`."""
        kinds = {"map_encoder": MapEncoder, "core": CoreKind, "critic": Critic, "compute": Compute}
        for field, allowed in {**kinds, "activation": Activation}.items():
            if getattr(self, field) not in get_args(allowed):
                choices = ", ".join(get_args(allowed))
                raise ValueError(f"network.{field} is {getattr(self, field)!r}, but must be one of {choices}.")
        for field in ("map_width", "feature_width", "trunk_width", "core_width", "critic_width"):
            if getattr(self, field) < 1:
                raise ValueError(f"network.{field} is {getattr(self, field)}, but must be 1 or more.")


class Network(nn.Module):
    """Map encoder and features, trunk, optional recurrent core, policy head, value head."""

    config: NetworkConfig
    layout: Layout

    @nn.compact
    def __call__(
        self, observation: Observation, memory: Memory, reset: Bool[Array, "time *n A"]
    ) -> tuple[Float[Array, "time *n A X"], Float[Array, "time *n A"], Memory]:
        """Return masked logits and values of every tick, both float32, and the memory after the last one.

        Where `reset`, memory is dropped before the tick is read: a new individual (feature ctx_reset_flag says so),
        or the first observation after a truncation.
        """
        hidden = self._trunk(observation)
        if self.config.core != "none":
            core = Core(kind=self.config.core, width=self.config.core_width, dtype=self._dtype, name="core")
            hidden, memory = core(hidden, memory, reset, ~observation.valid)
        mask = legal_actions(self.layout, observation)
        policy = dense(mask.shape[-1], jnp.float32, gain=POLICY_GAIN, name="policy")
        logits = distribution.masked(policy(hidden.astype(jnp.float32)), mask)
        return logits, self._value(hidden, observation.valid), memory

    @property
    def _dtype(self) -> jax.typing.DTypeLike:
        return jnp.dtype(self.config.compute)

    def _trunk(self, observation: Observation) -> Float[Array, "*n A trunk"]:
        config, activation = self.config, ACTIVATIONS[self.config.activation]
        features = jnp.where(observation.valid[..., None], observation.features, 0.0).astype(self._dtype)
        encoder = map_encoder(config.map_encoder, config.map_width, self._dtype, config.activation, "map")
        seen = encoder(observation.map, observation.path)
        known = activation(dense(config.feature_width, self._dtype, name="features")(features))
        joined = jnp.concatenate([seen, known], axis=-1)
        return activation(dense(config.trunk_width, self._dtype, name="trunk")(joined))

    def _value(self, hidden: Float[Array, "*n A width"], valid: Bool[Array, "*n A"]) -> Float[Array, "*n A"]:
        if self.config.critic == "central":
            own = dense(self.config.critic_width, self._dtype, name="critic_own")(hidden)
            town = dense(self.config.critic_width, self._dtype, bias=False, name="critic_town")(pooled(hidden, valid))
            hidden = ACTIVATIONS[self.config.activation](own + town[..., None, :])
        value = dense(1, jnp.float32, gain=VALUE_GAIN, name="value")(hidden.astype(jnp.float32))
        return value[..., 0]


def pooled(hidden: Float[Array, "*n A width"], valid: Bool[Array, "*n A"]) -> Float[Array, "*n two_widths"]:
    """Return mean and maximum over the valid agents of a town, side by side; zeros where there is none."""
    present = valid[..., None]
    number = jnp.maximum(jnp.sum(present, axis=-2), 1).astype(hidden.dtype)
    mean = jnp.sum(jnp.where(present, hidden, 0.0), axis=-2) / number
    highest = jnp.max(jnp.where(present, hidden, -jnp.inf), axis=-2)
    return jnp.concatenate([mean, jnp.where(jnp.any(present, axis=-2), highest, 0.0)], axis=-1)


def legal_actions(layout: Layout, observation: Observation) -> Bool[Array, "*n A X"]:
    """Return the mask of the action space that the layout stands for; vacant slots may only wait."""
    mask = observation.option_mask if layout.num_options else observation.mask
    return mask & observation.valid[..., None]


def no_memory(config: NetworkConfig, shape: tuple[int, ...]) -> Memory:
    """Return the memory before the first tick; `shape` is `(…, A)`. A network without a core has none: ()."""
    return cores.no_memory(config.core, config.core_width, shape)


def init(network: Network, key: Key[Array, ""]) -> Parameters:
    """Draw the parameters."""
    layout, side = network.layout, network.layout.window
    nothing = Observation(
        features=jnp.zeros((1, len(layout.features))),
        map=jnp.zeros((1, len(layout.channels), side, side), jnp.uint8),
        path=jnp.zeros((len(layout.path_channels), side, side)),
        mask=jnp.zeros((1, layout.num_actions), bool),
        option_mask=jnp.zeros((1, layout.num_options), bool),
        valid=jnp.zeros(1, bool),
    )
    first = jax.tree.map(lambda leaf: leaf[None], nothing)
    variables = network.init(key, first, no_memory(network.config, (1,)), jnp.zeros((1, 1), bool))
    parameters: Parameters = variables["params"]
    return parameters


def unroll(
    network: Network,
    parameters: Parameters,
    observation: Observation,
    memory: Memory,
    reset: Bool[Array, "time *n A"],
) -> tuple[Float[Array, "time *n A X"], Float[Array, "time *n A"], Memory]:
    """Return masked logits and values of ticks in a row (the leading axis) and the memory after them."""
    result = network.apply({"params": parameters}, observation, memory, reset)
    return cast(tuple[Array, Array, Memory], result)


def apply(
    network: Network,
    parameters: Parameters,
    observation: Observation,
    memory: Memory,
    reset: Bool[Array, "*n A"],
) -> tuple[Float[Array, "*n A X"], Float[Array, "*n A"], Memory]:
    """Return masked logits, values and the memory after one tick (see `Network`)."""
    moment = jax.tree.map(lambda leaf: leaf[None], observation)
    logits, value, after = unroll(network, parameters, moment, memory, reset[None])
    return logits[0], value[0], after
