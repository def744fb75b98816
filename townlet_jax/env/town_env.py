"""One town to act in: `reset` and `step`, pure functions of a key, a state, actions and parameters (DESIGN 5)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core.actions import waiting
from townlet_jax.core.enums import Option
from townlet_jax.core.observe.observation import Observation, observe
from townlet_jax.core.outcomes import Measures, TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.tick import tick
from townlet_jax.core.town import init
from townlet_jax.env import acting, arguments
from townlet_jax.env.records import EnvState, TimeStep, choices

Reward = Callable[[Params, TownState, TownState, TickOutput], Float[Array, "A"]]


class TownEnv:
    """A town without a batch axis, under `jit`, `vmap` and `scan` alike. It never resets itself.

    `guard` holds every learner back from avoided agents, as `behaviour.guard_learners` does for some towns.
    `reward(params, before, after, output)` replaces the town's own reward.
    """

    def __init__(self, spec: Spec, *, guard: bool = False, reward: Reward | None = None) -> None:
        self._spec = spec
        self._guard = guard
        self._reward = reward
        self._layer = acting.layer(spec)

    @property
    def spec(self) -> Spec:
        """Return the sizes and flags of the town."""
        return self._spec

    @property
    def num_choices(self) -> int:
        """Return how many actions there are: options or flat actions."""
        return acting.num_choices(self._spec)

    def mask(self, timestep: TimeStep) -> Bool[Array, "*towns A n"]:
        """Return which actions may succeed next; the first one, to wait or to idle, always may."""
        return choices(timestep.observation)

    def reset(self, key: Shaped[Array, "..."], params: Params) -> tuple[EnvState, TimeStep]:
        """Return a new town and what its agents see; the same key gives the same town."""
        return self.enter(init(self._spec, params, arguments.checked_key(key)), params)

    def enter(self, town: TownState, params: Params) -> tuple[EnvState, TimeStep]:
        """Begin to act in a town as it is, made or edited elsewhere: no commitments, no reward, nothing has ended."""
        nobody = jnp.zeros(self._spec.num_agents, bool)
        idle = jnp.full(self._spec.num_agents, Option.IDLE, jnp.int32)
        observation = self._observe(params, seen=town, after=town, option=idle)
        return EnvState(town=town, memory=self._layer.init(params, town)), TimeStep(
            observation=observation,
            reward=jnp.zeros(self._spec.num_agents, jnp.float32),
            terminated=nobody,
            truncated=nobody,
            valid=nobody,
            fresh=~nobody,
            measures=_no_measures(params, town),
            final=observation,
        )

    def step(self, state: EnvState, actions: Shaped[Array, "..."], params: Params) -> tuple[EnvState, TimeStep]:
        """Execute one tick; `actions` are int32 ids of the action space.

        Ids that are not legal are no error: the tick refuses them. Another shape raises `ValueError`, another dtype
        `TypeError`, both while tracing.
        """
        actions = arguments.checked_actions(actions, (self._spec.num_agents,))
        with jax.named_scope("intend"):
            intents, memory = self._layer.act(params, state.town, state.memory, actions)
            intents = acting.guarded(params, state.town, intents, always=self._guard)
        town, output = tick(params, state.town, intents)
        observation = self._observe(params, seen=output.seen, after=town, option=intents.option)
        reward = output.reward if self._reward is None else self._reward(params, state.town, town, output)
        return EnvState(town=town, memory=memory), TimeStep(
            observation=observation,
            reward=jnp.where(output.valid, reward, 0.0),
            terminated=output.terminated,
            truncated=output.truncated,
            valid=output.valid,
            fresh=~output.valid,
            measures=output.measures,
            final=observation,
        )

    def _observe(self, params: Params, *, seen: TownState, after: TownState, option: Int[Array, "A"]) -> Observation:
        with jax.named_scope("observe"):
            observation = observe(self._spec, params, seen=seen, after=after, option=option)
            if self._spec.action_space == "flat":
                return observation
            return observation.replace(option_mask=acting.possible(params, after))


def _no_measures(params: Params, town: TownState) -> Measures:
    """Return measures of nothing, in the shapes of those of a tick."""
    _, output = jax.eval_shape(tick, params, town, waiting(town.roster.alive.shape[0]))
    blank: Measures = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), output.measures)
    return blank
