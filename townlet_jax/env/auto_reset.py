"""Episodes: a town whose time limit strikes is replaced by a new one (MECHANICS 4.6.4).

Owns the episode number. The core never resets a town, and dead agents come back in an endless one, so an episode ends
only where `clock.horizon_ticks` cuts it.
"""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key, Shaped

from townlet_jax.core import arrays
from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.env.records import Environment, TimeStep

Mode = Literal["same_step", "next_step", "disabled"]
_EPISODES = np.uint32(2**32 - 1)  # folded in where streams fold in the tick, and no tick has this number


class EpisodeState(Pytree):
    """The state of the environment inside, and which episode it lives through."""

    inner: Any
    key: Key[Array, ""]  # the key of the first episode, from which all others follow
    episode: Int[Array, ""]  # 0, 1, ...

    @property
    def town(self) -> TownState:
        """Return the town."""
        town: TownState = self.inner.town
        return town


class AutoReset:
    """Begins a new episode where the time limit struck; each has a key of its own.

    same_step: the step that ends an episode returns the first observation of the next one, `final` has the last one.
    next_step: it returns the last observation; the step after it ignores its actions, executes no tick and
    returns the first observation of the new episode with reward 0 and nobody valid.
    disabled: the town goes on after its truncation.
    """

    def __init__(self, env: Environment, mode: Mode | str) -> None:
        if mode not in get_args(Mode):
            raise ValueError(
                f"The mode of AutoReset is {mode!r}, but must be one of {', '.join(get_args(Mode))}; choose one."
            )
        self._env = env
        self.mode = mode

    @property
    def spec(self) -> Spec:
        """Return the sizes and flags of the town."""
        return self._env.spec

    def reset(self, key: Shaped[Array, "..."], params: Params) -> tuple[EpisodeState, TimeStep]:
        """Return the first episode; its town has the key that is given."""
        inner, timestep = self._env.reset(key, params)
        return EpisodeState(inner=inner, key=key, episode=jnp.int32(0)), timestep

    def step(self, state: EpisodeState, actions: Shaped[Array, "..."], params: Params) -> tuple[EpisodeState, TimeStep]:
        """Execute one tick, or begin the next episode; what a reset costs is paid only where one is due."""
        inner, timestep = self._env.step(state.inner, actions, params)
        if self.mode == "disabled":
            return state.replace(inner=inner), timestep
        due = at_time_limit(params, state.town if self.mode == "next_step" else inner.town)
        episode = state.episode + due.astype(jnp.int32)

        def again(_: Any, given: tuple[Key[Array, ""], Int[Array, ""]]) -> tuple[Any, Observation]:
            with jax.named_scope("reset"):
                begun, first = self._env.reset(episode_key(*given), params)
            return begun, first.observation

        inner, observation = arrays.only_if(due, again, (inner, timestep.observation), (state.key, episode))
        shown = timestep.replace(observation=observation, fresh=timestep.fresh | due)
        if self.mode == "next_step":
            shown = _undone(shown, due).replace(final=observation)
        return EpisodeState(inner=inner, key=state.key, episode=episode), shown


def _undone(timestep: TimeStep, due: Bool[Array, ""]) -> TimeStep:
    """Take back what a tick gave that was executed in vain, as if there had been a reset alone."""
    gave = (timestep.reward, timestep.terminated, timestep.truncated, timestep.valid, timestep.measures)
    kept = jax.tree.map(lambda leaf: jnp.where(due, jnp.zeros_like(leaf), leaf), gave)
    reward, terminated, truncated, valid, measures = kept
    return timestep.replace(reward=reward, terminated=terminated, truncated=truncated, valid=valid, measures=measures)


def at_time_limit(params: Params, town: TownState) -> Bool[Array, ""]:
    """Tell whether the last tick of a town was one in which its time limit strikes, whoever lived to see it."""
    horizon, tick = params.clock.horizon_ticks, town.clock.tick
    return (horizon > 0) & (tick > 0) & (tick % jnp.maximum(horizon, 1) == 0)


def episode_key(key: Key[Array, ""], episode: Int[Array, ""]) -> Key[Array, ""]:
    """Return the key of a later episode of a town; no stream of any tick has it."""
    return jax.random.fold_in(jax.random.fold_in(key, _EPISODES), episode)
