"""One town as a PettingZoo `ParallelEnv`. An agent is an individual, because PettingZoo's agents never come back.

The first individual of a slot has the slot's name, the next ones are `name#1`, `name#2` and so on. Of every slot where
somebody lives at tick 0, the first `individuals` are agents: they join with their first observation and drop out of
`agents` in the step that terminates or truncates them. Those after them are bystanders, who always wait (or idle). An
episode ends at the time limit (`clock.horizon_ticks`), or when no agent is left.
"""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import jax
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Bool, Float, Int, UInt8

from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.env.adapters import boxes, shared
from townlet_jax.env.auto_reset import at_time_limit
from townlet_jax.env.records import EnvState, TimeStep, choices
from townlet_jax.env.town_env import TownEnv

try:
    from gymnasium import spaces
    from gymnasium.utils import seeding
    from pettingzoo import ParallelEnv  # type: ignore[import-untyped]  # it has no types
except ImportError as error:
    raise shared.missing("PettingZoo", "pettingzoo") from error

Seen = dict[str, npt.NDArray[Any]]
Told = dict[str, dict[str, Any]]


class _Shown(Pytree):
    """What the host reads after a tick."""

    features: Float[Array, "A D"]
    map: UInt8[Array, "A channels w w"]
    path: Float[Array, "axes w w"]
    action_mask: Bool[Array, "A n"]
    reward: Float[Array, "A"]
    terminated: Bool[Array, "A"]
    truncated: Bool[Array, "A"]
    present: Bool[Array, "A"]  # lives there when the tick is over
    generation: Int[Array, "A"]
    over: Bool[Array, ""]  # the time limit struck


class ParallelTown(ParallelEnv[str, Seen, int]):  # type: ignore[misc]  # its base is untyped
    """A town whose agents act at once; `agents` are the names of its residents, in the order of the configuration."""

    metadata: ClassVar[dict[str, Any]] = {"name": "townlet_v0", "render_modes": [], "is_parallelizable": True}
    render_mode = None

    def __init__(self, env: TownEnv, params: Params, agents: Sequence[str] = (), *, individuals: int = 1) -> None:
        if individuals < 1:
            raise ValueError(f"{individuals} individuals of a slot are agents, but there must be at least 1.")
        self._env, self._params = env, params
        self._reset, self._step = _programs(env)
        self._places = _places(shared.slot_names(env.spec, agents), params, individuals)
        self._names = {place: name for name, place in self._places.items()}
        self.possible_agents = list(self._places)
        self.agents: list[str] = []
        seen, num_actions = shared.agent_spaces(env, params)
        self._seen = tuple(seen)
        self.observation_spaces = {name: boxes.observation_space(seen, num_actions) for name in self._places}
        self.action_spaces: dict[str, spaces.Space[Any]] = {name: spaces.Discrete(num_actions) for name in self._places}
        self._random, _ = seeding.np_random()
        self._state: EnvState | None = None

    @property
    def town(self) -> TownState:
        """Return the town as it is, to look at or to draw."""
        if self._state is None:
            raise ValueError("There is no town yet: call reset() first.")
        return self._state.town

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return what an agent sees; the same object each time."""
        self._check_known(agent)
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return what an agent may do; the same object each time."""
        self._check_known(agent)
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Seen], Told]:
        """Begin an episode. A seed gives the town that `BatchEnv.reset` gives as its first; `options` are ignored."""
        del options
        if seed is not None:
            self._random, _ = seeding.np_random(shared.checked_seed(seed))
        chosen = int(self._random.integers(2**32)) if seed is None else seed
        self._state, shown = self._reset(shared.town_key(chosen), self._params)
        self.agents = [name for name, (_, generation) in self._places.items() if not generation]
        return self._tell(jax.device_get(shown), self.agents)

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Seen], dict[str, float], dict[str, bool], dict[str, bool], Told]:
        """Execute one tick. Raises `ValueError` or `TypeError` unless every agent, and nobody else, has a valid action.

        Actions outside of an agent's mask are no error: the town refuses them.
        """
        chosen = self._checked(actions)
        self._state, shown = self._step(self._state, chosen, self._params)
        after = jax.device_get(shown)
        slots = {name: self._places[name][0] for name in self.agents}
        terminated = {name: bool(after.terminated[slot]) for name, slot in slots.items()}
        truncated = {name: bool(after.truncated[slot]) for name, slot in slots.items()}
        rewards = {name: float(after.reward[slot]) for name, slot in slots.items()}
        arrived = [] if after.over else [name for name in self._present(after) if name not in slots]
        told = self._tell(after, [*self.agents, *arrived])
        self.agents = [name for name in self.agents if not terminated[name] and not truncated[name]] + arrived
        quiet = dict.fromkeys(arrived, False)
        return told[0], rewards | dict.fromkeys(arrived, 0.0), terminated | quiet, truncated | quiet, told[1]

    def _present(self, after: _Shown) -> list[str]:
        """Return the agents who live in the town now."""
        there = [(int(slot), int(after.generation[slot])) for slot in np.flatnonzero(after.present)]
        return [self._names[place] for place in there if place in self._names]

    def _tell(self, after: _Shown, agents: Sequence[str]) -> tuple[dict[str, Seen], Told]:
        """Return observations and infos."""
        whole = {name: np.array(getattr(after, name)) for name in self._seen}
        masks = after.action_mask.astype(np.int8)
        observations, infos = {}, {}
        for agent in agents:
            slot = self._places[agent][0]
            seen = {name: array if name == "path" else array[slot] for name, array in whole.items()}
            observations[agent] = seen | {"action_mask": masks[slot]}
            infos[agent] = {"action_mask": masks[slot]}
        return observations, infos

    def _checked(self, actions: Mapping[str, Any]) -> npt.NDArray[np.int32]:
        """Return one id a slot, 0 for those who are no agents."""
        if not self.agents:
            raise ValueError("No episode is running: call reset() first.")
        chosen = np.zeros(self._env.spec.num_agents, np.int32)
        for name in actions:
            self._check_known(name)
            if name not in self.agents:
                raise ValueError(f"{name} is not in the town and cannot act: give actions for {self._living()}.")
        for name in self.agents:
            if name not in actions:
                raise ValueError(f"{name} has no action: give one for each of {self._living()}.")
            chosen[self._places[name][0]] = self._checked_action(name, actions[name])
        return chosen

    def _checked_action(self, name: str, action: Any) -> int:
        count = self._env.num_choices
        try:
            number = operator.index(action)
        except TypeError:
            number = None
        if number is None or isinstance(action, bool | np.bool_):
            raise TypeError(f"The action of {name} is {action!r}, but must be an integer, 0 to {count - 1}.")
        if not 0 <= number < count:
            raise ValueError(f"The action of {name} is {number}, but must be 0 to {count - 1}.")
        return number

    def _check_known(self, agent: str) -> None:
        if agent not in self._places:
            raise ValueError(f"{agent!r} is no agent of this town; there are: {', '.join(self.possible_agents)}.")

    def _living(self) -> str:
        return ", ".join(self.agents)


def _places(names: Sequence[str], params: Params, individuals: int) -> dict[str, tuple[int, int]]:
    """Return slot and generation of everybody who may become an agent, by name, the first residents first."""
    residents = [int(slot) for slot in np.flatnonzero(params.start.alive)]
    if not residents:
        raise ValueError("Nobody lives in this town at tick 0, so it has no agents: give the configuration some.")
    named: dict[str, tuple[int, int]] = {}
    for generation in range(individuals):
        suffix = f"#{generation}" if generation else ""
        named |= {f"{names[slot]}{suffix}": (slot, generation) for slot in residents}
    return named


@functools.lru_cache(maxsize=8)
def _programs(env: TownEnv) -> tuple[Callable[..., tuple[EnvState, _Shown]], ...]:
    """Return the compiled reset and step, shared by all adapters of one environment."""

    def reset(key: Array, params: Params) -> tuple[EnvState, _Shown]:
        state, timestep = env.reset(key, params)
        return state, _shown(params, state, timestep)

    def step(state: EnvState, actions: Array, params: Params) -> tuple[EnvState, _Shown]:
        state, timestep = env.step(state, actions, params)
        return state, _shown(params, state, timestep)

    return jax.jit(reset), jax.jit(step)


def _shown(params: Params, state: EnvState, timestep: TimeStep) -> _Shown:
    seen, roster = timestep.observation, state.town.roster
    return _Shown(
        features=seen.features,
        map=seen.map,
        path=seen.path,
        action_mask=choices(seen),
        reward=timestep.reward,
        terminated=timestep.terminated,
        truncated=timestep.truncated,
        present=roster.alive,
        generation=roster.generation,
        over=at_time_limit(params, state.town),
    )
