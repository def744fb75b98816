"""A network as a policy: its agents see, draw and act in a town as they did while they learned.

Between two ticks nobody is about to leave, so the one glance at leavers that learners get (4.6.5) is missing here; all
else that an observation says of a tick is still written in the town.
"""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import rng
from townlet_jax.core.enums import Stream
from townlet_jax.core.observe.observation import Observation, observe
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.env import acting
from townlet_jax.policy import distribution, interface, network
from townlet_jax.policy.cores import Memory
from townlet_jax.policy.guardrail import POLICY_COLUMNS
from townlet_jax.policy.interface import Policy
from townlet_jax.policy.network import Network, Parameters
from townlet_jax.policy.options import OptionMemory

_ACTION = 0  # column of the POLICY draw


class Equipped(Params):
    """The numbers of a town and the weights by which its agents act: both are inputs, so neither compiles anything."""

    weights: Parameters


def equip(params: Params, weights: Parameters) -> Equipped:
    """Put weights, or other weights, beside the numbers of a town."""
    numbers = {field.name: getattr(params, field.name) for field in dataclasses.fields(Params)}
    return Equipped(**numbers, weights=weights)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A network that chooses: by drawing from its probabilities, or greedily the likeliest.

    `spec` is that of the town with the action space of the network. The weights are those of `Equipped` parameters.
    """

    spec: Spec
    network: Network
    greedy: bool = False


class Remembered(Pytree):
    """What a learned policy carries from tick to tick."""

    layer: OptionMemory | Int[Array, "A"]  # commitments with options, else the flat ids of the tick before
    network: Memory


@functools.lru_cache(maxsize=16)
def learned(actor: Actor) -> Policy:
    """Return the policy of a network: the same one for the same network, whatever its weights.

    It takes `Equipped` parameters and needs nothing `given`.
    """
    layer = acting.layer(actor.spec)

    def init(params: Params, state: TownState) -> Remembered:
        return Remembered(layer=layer.init(params, state), network=no_memory(actor, state))

    def act(params: Params, state: TownState, memory: Remembered, given: None) -> tuple[Any, Remembered]:
        del given
        chosen, remembered = choose(actor, params, state, memory.layer, memory.network)
        intents, layered = layer.act(params, state, memory.layer, chosen)
        intents = acting.guarded(params, state, intents, always=False)
        return intents, Remembered(layer=layered, network=remembered)

    return Policy(init, act)


def no_memory(actor: Actor, state: TownState) -> Memory:
    """Return the network's memory before the first tick."""
    return network.no_memory(actor.network.config, state.roster.alive.shape)


def forgotten(memory: Any) -> Any:
    """Return the memory of all towns with that of the network emptied, for other weights to begin with.

    Runs between two ticks and compiles nothing. Commitments to options stay.
    """

    def emptied(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        return jax.device_put(np.zeros(leaf.shape, leaf.dtype), leaf.sharding) if path[0].name == "network" else leaf

    def anew(known: Remembered) -> Remembered:
        return jax.tree_util.tree_map_with_path(emptied, known)  # type: ignore[no-any-return]  # it keeps the type

    return interface.changing(memory, Remembered, anew)


def choose(
    actor: Actor, params: Params, state: TownState, layer: OptionMemory | Int[Array, "A"], memory: Memory
) -> tuple[Int[Array, "A"], Memory]:
    """Return what the network picks for every slot, an option or a flat action, and what it remembers then.

    The draw is the one that the rules set aside for the tick (1.6), as in training.
    """
    assert isinstance(params, Equipped), "a learned policy takes its weights from its parameters: equip() them"
    observation = sight(actor.spec, params, state, layer)
    logits, _, after = network.apply(actor.network, params.weights, observation, memory, fresh(state))
    if actor.greedy:
        return distribution.mode(logits), after
    key = rng.stream(state.key, state.clock.tick + 1, Stream.POLICY)
    unit = rng.uniform_column(key, logits.shape[0], POLICY_COLUMNS, _ACTION)
    return distribution.sample(logits, unit), after


def weighed(
    actor: Actor, params: Params, state: TownState, memory: Remembered
) -> tuple[Float[Array, "A X"], Float[Array, "A"]]:
    """Return the log-probability of everything that the network could pick for every slot, and the values it sees."""
    assert isinstance(params, Equipped), "a learned policy takes its weights from its parameters: equip() them"
    observation = sight(actor.spec, params, state, memory.layer)
    logits, values, _ = network.apply(actor.network, params.weights, observation, memory.network, fresh(state))
    return jax.nn.log_softmax(logits), values


def sight(spec: Spec, params: Params, state: TownState, layer: OptionMemory | Int[Array, "A"]) -> Observation:
    """Return what everybody sees at the end of a tick."""
    seen = as_seen(state)
    if not isinstance(layer, OptionMemory):
        return observe(spec, params, seen=seen, after=state, option=layer)
    observation = observe(spec, params, seen=seen, after=state, option=layer.option)
    return observation.replace(option_mask=acting.possible(params, state))


def fresh(state: TownState) -> Bool[Array, "A"]:
    """Tell whose memory is about somebody else: nobody lives there, or somebody since this very tick."""
    return ~state.roster.alive | (state.roster.born_tick == state.clock.tick)


def as_seen(state: TownState) -> TownState:
    """Return the town with the reset flags that its last tick showed and cleared: newcomers and guests of a meet."""
    roster, events, now = state.roster, state.perturbations, state.clock.tick
    arrived = (roster.born_tick == now) & (now > 0)
    called = jnp.any(events.member & (events.started_tick == now)[:, None], axis=0)
    resets = roster.reset_flag | (roster.alive & (arrived | called))
    return state.replace(roster=roster.replace(reset_flag=resets))
