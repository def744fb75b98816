"""Towns in which the script stands by: whoever is given the action `SCRIPT` does what the scripted policy would do.

So one rollout serves the script alone (captures), a learner alone, and any mixture of both (MECHANICS 5.6.1). With
options whoever makes a decision also carries it out: a learner bare, the script with its overlays (7.3).
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from townlet_jax.core import rng
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.env import Act, Decision, EnvState, Moment, TimeStep, TownEnv
from townlet_jax.env.town_env import Reward
from townlet_jax.policy import blend, distribution, interface, network, options, scripted
from townlet_jax.policy.blend import Blended
from townlet_jax.policy.guardrail import POLICY_COLUMNS
from townlet_jax.policy.interface import Policy
from townlet_jax.policy.network import Network, Parameters
from townlet_jax.policy.options import OptionMemory
from train import experience
from train.starts import Staggered

SCRIPT = NOBODY  # the action that leaves it to the script
_BLEND = 1  # column of the POLICY draw


class Guidance(OptionMemory):
    """What the action layer remembers, and what it did last. With flat actions the commitments are the script's."""

    played: Int[Array, "A"]  # the action or option that counted in the last tick
    script: Int[Array, "A"]  # what the script would have made of it
    by_network: Bool[Array, "A"]  # the learner made the last decision


class Told(TimeStep):
    """A step that tells what was done, whoever decided it, and what the script would have done."""

    played: Int[Array, "A"]
    script: Int[Array, "A"]
    uid: Int[Array, "A"]  # of the individual that did it


class Mixed(Params):
    """The numbers of a town and the share of decisions that are the network's."""

    share: Float[Array, ""]


def mixed(params: Params, share: Float[Array, ""] | float) -> Mixed:
    """Put a share, or another one, beside the numbers of a town."""
    numbers = {field.name: getattr(params, field.name) for field in dataclasses.fields(Params)}
    return Mixed(**numbers, share=jnp.asarray(share, jnp.float32))


class Guided(TownEnv):
    """A town that asks its script where the action is `SCRIPT`."""

    def __init__(self, spec: Spec, *, guard: bool = False, reward: Reward | None = None) -> None:
        super().__init__(spec, guard=guard, reward=reward)
        self._layer = over_options() if spec.action_space == "options" else over_ticks()

    def enter(self, town: TownState, params: Params) -> tuple[EnvState, TimeStep]:
        """Begin to act in a town as it is."""
        state, timestep = super().enter(town, params)
        return state, _told(timestep, state, town.roster.uid)

    def step(self, state: EnvState, actions: Shaped[Array, "..."], params: Params) -> tuple[EnvState, TimeStep]:
        """Execute one tick."""
        after, timestep = super().step(state, actions, params)
        return after, _told(timestep, after, state.town.roster.uid)


class StaggeredGuided(Guided, Staggered):
    """Likewise, and each town begins at its own tick."""


def _told(timestep: TimeStep, state: EnvState, uid: Int[Array, "A"]) -> Told:
    guidance = state.memory
    assert isinstance(guidance, Guidance), "the layer of a guided town makes it"
    fields = {field.name: getattr(timestep, field.name) for field in dataclasses.fields(TimeStep)}
    return Told(**fields, played=guidance.played, script=guidance.script, uid=uid)


def over_ticks() -> Policy:
    """Return the layer of flat actions: every tick is a decision."""

    def act(params: Params, state: TownState, memory: Guidance, given: Int[Array, "A"]) -> tuple[Intents, Guidance]:
        by_network = given != SCRIPT
        script, commitments = scripted.decide(params, state, memory)
        own, _ = interface.flat_intents(state, previous=memory.played, action=given)
        intents: Intents = jax.tree.map(lambda one, other: jnp.where(by_network, one, other), own, script)
        action = jnp.where(by_network, given, script.flat)
        _, played = interface.flat_intents(state, previous=memory.played, action=action)
        return intents, _guidance(commitments, played=played, script=script.flat, by_network=by_network)

    return Policy(_nothing_done, act)


def over_options() -> Policy:
    """Return the layer of options: a decision lasts as long as its option is kept."""

    def act(params: Params, state: TownState, memory: Guidance, given: Int[Array, "A"]) -> tuple[Intents, Guidance]:
        before = Blended(commitments=memory, by_network=memory.by_network, network=())
        intents, commitments, by_network = blend._decide(params, state, before, chosen=given, turn=given != SCRIPT)
        nobody = jnp.zeros_like(by_network)
        asked, _, _ = blend._decide(params, state, before, chosen=given, turn=nobody)
        return intents, _guidance(commitments, played=intents.option, script=asked.option, by_network=by_network)

    return Policy(_nothing_done, act)


def _nothing_done(params: Params, state: TownState) -> Guidance:
    commitments = options.no_commitment(state.roster.alive.shape[0])
    idle = interface.nothing_before(params, state)
    return _guidance(commitments, played=idle, script=idle, by_network=jnp.zeros_like(state.roster.alive))


def _guidance(commitments: OptionMemory, **did: Array) -> Guidance:
    return Guidance(option=commitments.option, until_tick=commitments.until_tick, **did)


def by_script(params: Params, moment: Moment, memory: Any) -> Decision:
    """Leave every decision to the script."""
    del params
    return Decision(actions=jnp.full(moment.fresh.shape, SCRIPT, jnp.int32), memory=memory)


def greedily(net: Network, parameters: Parameters) -> Act:
    """Return the policy that always takes the likeliest action of a network."""

    def act(params: Params, moment: Moment, memory: Any) -> Decision:
        del params
        logits, _, memory = network.apply(net, parameters, moment.observation, memory, moment.fresh)
        return Decision(actions=distribution.mode(logits), memory=memory)

    return act


def acting(net: Network, parameters: Parameters) -> Act:
    """Return the policy in which the network decides with the probability `Mixed.share`, else the script."""
    return mixture(experience.acting(net, parameters))


def mixture(alone: Act) -> Act:
    """Return a policy that decides with the probability `Mixed.share` and else leaves it to the script.

    The draws are those that the rules set aside: a share of 1 is the policy alone, bit for bit, 0 the script.
    """

    def act(params: Params, moment: Moment, memory: Any) -> Decision:
        assert isinstance(params, Mixed), "a mixture takes its share from its parameters: mixed() them"
        decision = alone(params, moment, memory)
        own = networks_turn(moment.key, params.share, decision.actions)
        return decision.replace(actions=jnp.where(own, decision.actions, SCRIPT))

    return act


def networks_turn(key: Key[Array, ""], share: Float[Array, ""], actions: Int[Array, "A"]) -> Bool[Array, "A"]:
    """Tell for whom the network decides in a tick, as `blend.networks_turn` does."""
    return rng.uniform_column(key, actions.shape[0], POLICY_COLUMNS, _BLEND) < share
