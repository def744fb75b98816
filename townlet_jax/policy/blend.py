"""Two minds in one town: each decision is the network's or the script's, by the draw of its tick (MECHANICS 5.6.1).

With options a decision lasts as long as its option is kept, and whoever made it also carries it out: the network bare,
the script with its overlays (7.3). With flat actions every tick is a decision. A share of 0 is the scripted policy, a
share of 1 the learned one, both bit for bit.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import actions, legality
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NUM_OPTIONS, Avoidance
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.env import acting
from townlet_jax.policy import guardrail, interface, learned, options, scripted, seek, shifts
from townlet_jax.policy.cores import Memory
from townlet_jax.policy.interface import Policy
from townlet_jax.policy.learned import Actor
from townlet_jax.policy.options import OptionMemory, Plans
from townlet_jax.policy.shifts import Duty


class Blended(Pytree):
    """What a mixture over options carries from tick to tick."""

    commitments: OptionMemory
    by_network: Bool[Array, "A"]  # who made the last decision of the slot
    network: Memory


class Alternating(Pytree):
    """What a mixture over flat actions carries: each mind remembers as if it acted alone."""

    previous: Int[Array, "A"]  # flat ids of the tick before
    commitments: OptionMemory  # of the script
    network: Memory


def mixture(actor: Actor, share: Float[Array, ""]) -> Policy:
    """Return the policy in which the network decides with probability `share`; it takes `Equipped` parameters."""
    return _over_options(actor, share) if actor.spec.action_space == "options" else _over_ticks(actor, share)


def _over_options(actor: Actor, share: Float[Array, ""]) -> Policy:
    def init(params: Params, state: TownState) -> Blended:
        del params
        nobody = jnp.zeros_like(state.roster.alive)
        commitments = options.no_commitment(nobody.shape[0])
        return Blended(commitments=commitments, by_network=nobody, network=learned.no_memory(actor, state))

    def act(params: Params, state: TownState, memory: Blended, given: None) -> tuple[Intents, Blended]:
        del given
        chosen, remembered = learned.choose(actor, params, state, memory.commitments, memory.network)
        turn = networks_turn(state, share)
        intents, after, by_network = _decide(params, state, memory, chosen=chosen, turn=turn)
        return intents, Blended(commitments=after, by_network=by_network, network=remembered)

    return Policy(init, act)


def _decide(
    params: Params, state: TownState, memory: Blended, *, chosen: Int[Array, "A"], turn: Bool[Array, "A"]
) -> tuple[Intents, OptionMemory, Bool[Array, "A"]]:
    """Return everybody's intents, commitments, and whose decisions these are."""
    look = legality.outlook(params, state)
    prospects = seek.survey(params, state, look)
    plans = options.plans(params, state, look, prospects)
    tick_of_day = look.facts.tick_of_day
    duty = shifts.duty(params, state, tick_of_day=tick_of_day)
    before = options.forget(memory.commitments, who=options.strangers(state))
    script = scripted.propose(params, state, plans=plans, duty=duty, current=before.option, tick_of_day=tick_of_day)
    free = free_to_choose(params, state, before, plans=plans, duty=duty)
    by_network = jnp.where(free, turn, memory.by_network) & state.roster.alive
    proposed = jnp.where(by_network, chosen, script)
    after = options.commit(params, state, before, proposed=proposed, plans=plans, duty=duty)
    bare = options.control(params, state, prospects, plans, after.option)
    dressed = scripted.sidestep(params, state, look, after.option, bare)
    dressed = scripted.chat_while_waiting(params, plans, dressed)
    dressed, avoided = scripted.permitted(params, state, look, dressed)
    intents = actions.flat(jnp.where(by_network, bare, dressed)).replace(
        avoided=jnp.where(by_network, Avoidance.NONE, avoided),
        option=after.option,
        switched=options.switched(before, after),
    )
    after = options.forget(after, who=~state.roster.alive | state.controls.possessed)
    intents = guardrail.hold_possessed(state.controls.possessed, intents)
    return acting.guarded(params, state, intents, always=False), after, by_network


def _over_ticks(actor: Actor, share: Float[Array, ""]) -> Policy:
    def init(params: Params, state: TownState) -> Alternating:
        return Alternating(
            previous=interface.nothing_before(params, state),
            commitments=options.no_commitment(state.roster.alive.shape[0]),
            network=learned.no_memory(actor, state),
        )

    def act(params: Params, state: TownState, memory: Alternating, given: None) -> tuple[Intents, Alternating]:
        del given
        chosen, remembered = learned.choose(actor, params, state, memory.previous, memory.network)
        script, commitments = scripted.decide(params, state, memory.commitments)
        own, _ = interface.flat_intents(state, previous=memory.previous, action=chosen)
        own = acting.guarded(params, state, own, always=False)
        turn = networks_turn(state, share)
        intents = jax.tree.map(lambda one, other: jnp.where(turn, one, other), own, script)
        played = jnp.where(turn, chosen, script.flat)
        _, previous = interface.flat_intents(state, previous=memory.previous, action=played)
        return intents, Alternating(previous=previous, commitments=commitments, network=remembered)

    return Policy(init, act)


def networks_turn(state: TownState, share: Float[Array, ""]) -> Bool[Array, "A"]:
    """Tell for whom the network would decide in the next tick: where the draw of the rules is below `share`."""
    ones = jnp.ones(state.roster.alive.shape, jnp.int32)
    return guardrail.blend(state, ratio=share, provider=ones, scripted=jnp.zeros_like(ones)) == 1


def free_to_choose(
    params: Params, state: TownState, before: OptionMemory, *, plans: Plans, duty: Duty
) -> Bool[Array, "A"]:
    """Tell whose proposal for the next tick will be taken up: another option than the current one would begin.

    `before` must have forgotten `strangers`; of the plans only what is possible counts.
    """
    other = (before.option + 1) % NUM_OPTIONS
    after = options.commit(params, state, before, proposed=other, plans=plans, duty=duty)
    return state.roster.alive & (after.option == other)
