"""From what a learner chose to what its agents ask for: flat actions, options, the guardrail (MECHANICS 5.4-5.6)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from townlet_jax.core import actions, arrays, legality
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY, NUM_OPTIONS, Option
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.policy import guardrail, interface, options, seek, shifts
from townlet_jax.policy.interface import Policy
from townlet_jax.policy.options import OptionMemory


def layer(spec: Spec) -> Policy:
    """Return the policy that plays what it is `given` in the action space of the town."""
    return proposed() if spec.action_space == "options" else interface.given()


def num_choices(spec: Spec) -> int:
    """Return how many actions there are to choose from."""
    return NUM_OPTIONS if spec.action_space == "options" else spec.num_actions


def proposed() -> Policy:
    """Return the policy that takes up the options handed in as `given` (int32 [A]) by the commit rules.

    An id outside 0..7 becomes a flat action that does not exist, which the tick refuses.
    """

    def init(params: Params, state: TownState) -> OptionMemory:
        del params
        return options.no_commitment(state.roster.alive.shape[0])

    def act(
        params: Params, state: TownState, memory: OptionMemory, given: Int[Array, "A"]
    ) -> tuple[Intents, OptionMemory]:
        look = legality.outlook(params, state)
        prospects = seek.survey(params, state, look)
        plans = options.plans(params, state, look, prospects)
        duty = shifts.duty(params, state, tick_of_day=look.facts.tick_of_day)
        alive, known = state.roster.alive, (given >= 0) & (given < NUM_OPTIONS)
        before = options.forget(memory, who=options.strangers(state))
        wanted = jnp.where(known & alive, given, Option.IDLE)
        after = options.commit(params, state, before, proposed=wanted, plans=plans, duty=duty)
        action = options.control(params, state, prospects, plans, after.option)
        intents = actions.flat(jnp.where(known, action, NOBODY)).replace(
            option=after.option, switched=options.switched(before, after)
        )
        after = options.forget(after, who=~alive | state.controls.possessed)
        return guardrail.hold_possessed(state.controls.possessed, intents), after

    return Policy(init, act)


def guarded(params: Params, town: TownState, intents: Intents, *, always: bool) -> Intents:
    """Hold agents back from whom they avoid: always, or where `behaviour.guard_learners` says so."""

    def hold_back(wanted: Intents, place: TownState) -> Intents:
        return guardrail.guard(params, place, legality.outlook(params, place), wanted)

    if always:
        return hold_back(intents, town)
    return arrays.only_if(params.behaviour.guard_learners, hold_back, intents, town)


def possible(params: Params, town: TownState) -> Bool[Array, "A 8"]:
    """Return which options are possible in the next tick."""
    look = legality.outlook(params, town)
    return options.plans(params, town, look, seek.survey(params, town, look)).possible
