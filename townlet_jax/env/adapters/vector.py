"""Many towns as one Gymnasium `VectorEnv`, for learners with one policy: a slot of a town is a sub-environment.

Sub-environment `town * num_agents + slot` is terminated when the individual in the slot leaves and truncated at the
time limit (`clock.horizon_ticks`). Its next episode begins vacant, with zeros to see, waiting as the only legal action
and no reward, until somebody moves in or a new town begins. `infos["valid"]` tells in which steps somebody acted; the
others are no transitions.

NEXT_STEP: the step that ends an episode shows its last observation, the next one ignores the action and has no reward.
SAME_STEP: it shows the first observation of the next episode, and `infos["final_obs"]` and `["final_info"]` the last.
Slots cannot be reset one by one, so autoreset cannot be disabled.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array

from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.env.adapters import boxes, shared
from townlet_jax.env.auto_reset import AutoReset, Mode
from townlet_jax.env.batch_env import BatchEnv
from townlet_jax.env.records import TimeStep, choices
from townlet_jax.env.town_env import TownEnv

try:
    from gymnasium import spaces
    from gymnasium.error import ResetNeeded
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space
except ImportError as error:
    raise shared.missing("Gymnasium", "gymnasium") from error

Seen = dict[str, npt.NDArray[Any]]
Actions = npt.NDArray[Any]  # integers, which is checked
Flags = npt.NDArray[np.bool_]
_MODES: Mapping[AutoresetMode, Mode] = {AutoresetMode.NEXT_STEP: "next_step", AutoresetMode.SAME_STEP: "same_step"}


class TownVectorEnv(VectorEnv[Seen, Actions, npt.NDArray[Any]]):
    """All slots of `num_towns` towns that share parameters."""

    def __init__(
        self,
        env: TownEnv,
        params: Params,
        num_towns: int,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        mode = AutoresetMode(autoreset_mode)
        if mode not in _MODES:
            raise ValueError(
                f"The autoreset mode is {mode.value}, but must be NextStep or SameStep: "
                "the slots of a town cannot be reset one by one."
            )
        self._towns = _batch(env, _MODES[mode])
        self._params, self._shape = params, (num_towns, env.spec.num_agents)
        self.num_envs = num_towns * env.spec.num_agents
        self.metadata = {"render_modes": [], "autoreset_mode": mode}
        seen, self._num_actions = shared.agent_spaces(env, params)
        self._seen = {name: space.shape for name, space in seen.items()}
        self._same_step = mode == AutoresetMode.SAME_STEP
        self.single_observation_space = boxes.observation_space(seen)
        self.single_action_space = spaces.Discrete(self._num_actions)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._state: Any = None

    @property
    def towns(self) -> TownState:
        """Return the towns as they are, with a leading axis."""
        if self._state is None:
            raise ResetNeeded("There are no towns yet: call reset() first.")
        towns: TownState = self._state.town
        return towns

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Seen, dict[str, Any]]:
        """Begin anew in all towns. A seed gives the towns of `BatchEnv.reset`; without one it is drawn."""
        if options is not None and "reset_mask" in options:
            raise ValueError("The slots of a town cannot be reset one by one: call reset() without reset_mask.")
        super().reset(seed=None if seed is None else shared.checked_seed(seed))
        chosen = int(self.np_random.integers(2**32)) if seed is None else int(seed)
        self._state, timestep = self._towns.reset(chosen, self._params, self._shape[0])
        return self._rows(timestep.observation), self._infos(timestep)

    def step(self, actions: Actions) -> tuple[Seen, npt.NDArray[np.float64], Flags, Flags, dict[str, Any]]:
        """Execute one tick in every town.

        Raises `ValueError` for another shape than (num_envs,) and for ids that do not exist, `TypeError` for
        numbers that are no integers. Actions outside of a mask are no error: the town refuses them.
        """
        chosen = self._checked(actions)
        self._state, timestep = self._towns.step(self._state, chosen, self._params)
        observation, infos = self._rows(timestep.observation), self._infos(timestep)
        terminated, truncated = _flat(timestep.terminated), _flat(timestep.truncated)
        if self._same_step and np.any(terminated | truncated):
            infos |= self._endings(timestep, terminated | truncated)
            emptied = terminated & ~_flat(timestep.fresh)  # nobody follows yet, and the town goes on
            for name in ("features", "map"):
                observation[name][emptied] = 0
        return observation, _flat(timestep.reward).astype(np.float64), terminated, truncated, infos

    def _rows(self, observation: Observation) -> Seen:
        """Return what is seen, one row a slot."""
        rows = {}
        for name, shape in self._seen.items():
            array = np.array(getattr(observation, name))
            whole = np.repeat(array, self._shape[1], axis=0) if name == "path" else array
            rows[name] = whole.reshape(self.num_envs, *shape)
        return rows

    def _infos(self, timestep: TimeStep) -> dict[str, Any]:
        everywhere = np.ones(self.num_envs, bool)
        masks = np.array(choices(timestep.observation), np.int8).reshape(self.num_envs, -1)
        return {
            "action_mask": masks,
            "_action_mask": everywhere,
            "valid": _flat(timestep.valid),
            "_valid": everywhere,
        }

    def _endings(self, timestep: TimeStep, ended: Flags) -> dict[str, Any]:
        """Return what Gymnasium wants to know of episodes that ended while the next ones have begun."""
        rows = self._rows(timestep.final)
        final = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(ended):
            final[row] = {name: array[row] for name, array in rows.items()}
        masks = np.array(choices(timestep.final), np.int8).reshape(self.num_envs, -1) * ended[:, None]
        info = {"action_mask": masks, "_action_mask": ended, "valid": ended, "_valid": ended}
        return {"final_obs": final, "_final_obs": ended, "final_info": info, "_final_info": ended}

    def _checked(self, actions: Actions) -> Array:
        """Return one id a slot, by town."""
        if self._state is None:
            raise ResetNeeded("There are no towns yet: call reset() first.")
        given, count = np.asarray(actions), self._num_actions
        if given.shape != (self.num_envs,):
            raise ValueError(f"Actions have the shape {given.shape}, but must have ({self.num_envs},): one a slot.")
        if not np.issubdtype(given.dtype, np.integer):
            raise TypeError(f"Actions have the dtype {given.dtype}, but must be integers, 0 to {count - 1}.")
        wrong = np.flatnonzero((given < 0) | (given >= count))
        if wrong.size:
            raise ValueError(f"Action {wrong[0]} is {given[wrong[0]]}, but must be 0 to {count - 1}.")
        return jnp.asarray(given.astype(np.int32).reshape(self._shape))


def _flat(of_towns: Array) -> npt.NDArray[Any]:
    """Return one entry a slot."""
    return np.array(of_towns).reshape(-1)


@functools.lru_cache(maxsize=8)
def _batch(env: TownEnv, mode: Mode) -> BatchEnv:
    """Return compiled towns, shared by all adapters of one environment."""
    return BatchEnv(AutoReset(env, mode))
