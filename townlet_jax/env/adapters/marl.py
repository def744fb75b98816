"""One town as a JaxMARL `MultiAgentEnv`: an agent is a slot, and what it sees is one vector.

`dones["__all__"]` is the time limit (`clock.horizon_ticks`), at which JaxMARL's `step` begins the next episode; without
a limit there is only one. `dones[agent]` says that nothing follows from what was seen before: the individual left, the
time limit struck, or nobody lived in the slot, so that `infos["valid"]` is False and there was no transition at all.
`infos` has one entry an agent, because JaxMARL's learners take it for that.
"""

import contextlib
import functools
import sys
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.params import Params
from townlet_jax.core.struct import Pytree
from townlet_jax.env.adapters import shared
from townlet_jax.env.auto_reset import at_time_limit
from townlet_jax.env.records import EnvState, choices
from townlet_jax.env.town_env import TownEnv

# While JaxMARL is imported it puts the process's own streams in the place of those that were set.
with contextlib.redirect_stdout(sys.stdout), contextlib.redirect_stderr(sys.stderr):
    try:
        from jaxmarl.environments.multi_agent_env import MultiAgentEnv
        from jaxmarl.environments.spaces import Box, Discrete
    except ImportError as error:
        raise shared.missing("JaxMARL", "jaxmarl") from error

Rows = dict[str, Array]
_THREEFRY_WORDS = (2,)


class MarlState(Pytree):
    """A town, what was last seen in it, and whether its time limit struck."""

    inner: EnvState
    observation: Observation
    done: Bool[Array, ""]

    @property
    def step(self) -> Int[Array, "*towns"]:
        """Return how many ticks the town has lived."""
        return self.inner.town.clock.tick


class JaxMARLTown(MultiAgentEnv):
    """A town whose `agents` are the names of its slots; `maps` appends the map to the features."""

    def __init__(self, env: TownEnv, params: Params, agents: Sequence[str] = (), *, maps: bool = True) -> None:
        super().__init__(num_agents=env.spec.num_agents)
        self._env, self._params, self._maps = env, params, maps
        self.agents = list(shared.slot_names(env.spec, agents))
        seen, num_actions = shared.agent_spaces(env, params)
        shown = [seen[name] for name in ("features", "map")[: 1 + maps]]
        low = np.concatenate([np.broadcast_to(space.low, space.shape).ravel() for space in shown]).astype(np.float32)
        high = np.concatenate([np.broadcast_to(space.high, space.shape).ravel() for space in shown]).astype(np.float32)
        self.observation_spaces = {agent: Box(low, high, low.shape) for agent in self.agents}
        self.action_spaces = {agent: Discrete(num_actions) for agent in self.agents}

    @property
    def agent_classes(self) -> dict[str, list[str]]:
        """Return the one class there is."""
        return {"resident": self.agents}

    @functools.partial(jax.jit, static_argnums=(0,))
    def reset(self, key: Shaped[Array, "..."]) -> tuple[Rows, MarlState]:
        """Begin an episode; `key` may be a raw one, as `jax.random.PRNGKey` makes them."""
        inner, timestep = self._env.reset(_typed(key), self._params)
        state = MarlState(inner=inner, observation=timestep.observation, done=jnp.bool_(False))
        return self.get_obs(state), state

    @functools.partial(jax.jit, static_argnums=(0,))
    def step_env(
        self, key: Shaped[Array, "..."], state: MarlState, actions: Mapping[str, Array]
    ) -> tuple[Rows, MarlState, Rows, Rows, Rows]:
        """Execute one tick; the key is not used, as a town draws from its own.

        Raises `ValueError` unless every agent, and nobody else, has one id, `TypeError` for numbers that are no
        integers. Ids that are not legal are no error: the town refuses them.
        """
        del key
        inner, timestep = self._env.step(state.inner, self._chosen(actions), self._params)
        over = at_time_limit(self._params, inner.town)
        after = MarlState(inner=inner, observation=timestep.observation, done=over)
        ended = timestep.terminated | timestep.truncated | ~timestep.valid
        dones = self._by_agent(ended | over) | {"__all__": over}
        return self.get_obs(after), after, self._by_agent(timestep.reward), dones, {"valid": timestep.valid}

    def get_obs(self, state: MarlState) -> Rows:  # type: ignore[override]  # JaxMARL's environments have states of their own
        """Return what was last seen."""
        seen = state.observation
        vectors: Float[Array, "A n"] = seen.features
        if self._maps:
            tiles = seen.map.reshape(self.num_agents, -1).astype(jnp.float32)
            vectors = jnp.concatenate([vectors, tiles], axis=1)
        return self._by_agent(vectors)

    @functools.partial(jax.jit, static_argnums=(0,))
    def get_avail_actions(self, state: MarlState) -> Rows:
        """Return which actions may succeed next."""
        return self._by_agent(choices(state.observation))

    def _by_agent(self, rows: Shaped[Array, "A ..."]) -> Rows:
        return {agent: rows[slot] for slot, agent in enumerate(self.agents)}

    def _chosen(self, actions: Mapping[str, Array]) -> Int[Array, "A"]:
        """Return one id a slot; ids of shape (1,), which some of JaxMARL's learners give, are taken as well."""
        if set(actions) != set(self.agents):
            raise ValueError(
                f"Actions are given for {', '.join(actions)}, but each of {', '.join(self.agents)} needs one."
            )
        for agent, action in actions.items():
            if jnp.size(action) != 1:
                raise ValueError(f"The action of {agent} has the shape {jnp.shape(action)}, but must be one id.")
            if not jnp.issubdtype(jnp.result_type(action), jnp.integer):
                raise TypeError(
                    f"The action of {agent} has the dtype {jnp.result_type(action)}, but must be an integer."
                )
        return jnp.stack([jnp.reshape(actions[agent], ()).astype(jnp.int32) for agent in self.agents])


def _typed(key: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """Return a raw key as a typed one, and anything else as it is."""
    if key.dtype == jnp.uint32 and key.shape == _THREEFRY_WORDS:
        typed: Array = jax.random.wrap_key_data(key, impl="threefry2x32")
        return typed
    return key
