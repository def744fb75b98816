"""Options that are held: a learner's masks show only choices that have a say.

By the commit rules (MECHANICS 5.5) an option is kept for a while, and what is proposed meanwhile counts for nothing. A
sample in which nothing could be chosen must not enter the loss of a policy, so here its mask leaves IDLE alone.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from townlet_jax.core.enums import NOBODY, NUM_OPTIONS, Option
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.env import EnvState, TimeStep
from townlet_jax.env.records import Environment
from townlet_jax.policy import blend, options, shifts
from townlet_jax.policy.options import OptionMemory, Plans


class Undecided:
    """An environment with options whose masks hold IDLE alone where the next proposal would be ignored."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @property
    def spec(self) -> Spec:
        """Return the sizes and flags of the town."""
        return self._env.spec

    def reset(self, key: Key[Array, ""], params: Params) -> tuple[Any, TimeStep]:
        """Return a new town."""
        state, timestep = self._env.reset(key, params)
        return state, _narrowed(params, state, timestep)

    def step(self, state: Any, actions: Int[Array, "A"], params: Params) -> tuple[Any, TimeStep]:
        """Execute one tick."""
        state, timestep = self._env.step(state, actions, params)
        return state, _narrowed(params, state, timestep)


def free_to_choose(
    params: Params, town: TownState, memory: OptionMemory, possible: Bool[Array, "A 8"]
) -> Bool[Array, "A"]:
    """Tell whose proposal for the next tick will be taken up: another option than the current one would begin."""
    before = options.forget(memory, who=options.strangers(town))
    num_agents = before.option.shape[0]
    plans = Plans(
        affordance=jnp.full((num_agents, len(options.SEEKERS)), NOBODY, jnp.int32),
        possible=possible,
        sociable=jnp.zeros(num_agents, bool),
    )
    tick_of_day = (town.clock.tick + 1) % params.clock.ticks_per_day
    duty = shifts.duty(params, town, tick_of_day=tick_of_day)
    return blend.free_to_choose(params, town, before, plans=plans, duty=duty)


def _narrowed(params: Params, state: EnvState, timestep: TimeStep) -> TimeStep:
    assert isinstance(state.memory, OptionMemory), "flat actions hold nothing"
    with jax.named_scope("held"):
        mask = timestep.observation.option_mask
        free = free_to_choose(params, state.town, state.memory, mask)
        idle_only = jnp.arange(NUM_OPTIONS) == Option.IDLE
        observation = timestep.observation.replace(option_mask=mask & (free[:, None] | idle_only))
    return timestep.replace(observation=observation, final=observation)
