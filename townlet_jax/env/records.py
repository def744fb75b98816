"""What an environment hands out: its state, and what a step tells the learner (MECHANICS 4.6.4, 4.6.5)."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.outcomes import Measures
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.policy.options import OptionMemory


class EnvState(Pytree):
    """A town, and what the action layer remembers of its agents (5.5)."""

    town: TownState
    memory: OptionMemory | Int[Array, "A"]  # commitments with options, else the flat ids of the tick before


class TimeStep(Pytree):
    """What one step gives. A transition is (observation before, action, the rest of this record)."""

    observation: Observation  # to act on next
    reward: Float[Array, "A"]  # 0 where not valid
    terminated: Bool[Array, "A"]  # the agent left in this tick: nothing follows, do not bootstrap
    truncated: Bool[Array, "A"]  # the time limit struck: bootstrap from `final`
    valid: Bool[Array, "A"]  # the slot acted in this tick: the transition counts
    fresh: Bool[Array, "A"]  # `observation` is the first of an individual or an episode: forget what was remembered
    measures: Measures  # of the tick, zeros where none was executed
    final: Observation  # what was seen at the end of the tick, before any reset


@runtime_checkable
class Environment(Protocol):
    """One town to act in; pure, for `jit`, `vmap` and `scan`. The state has the town in `state.town`."""

    @property
    def spec(self) -> Spec:
        """Return the sizes and flags of the town."""

    def reset(self, key: Shaped[Array, "..."], params: Params) -> tuple[Any, TimeStep]:
        """Return a new town and what its agents see."""

    def step(self, state: Any, actions: Shaped[Array, "..."], params: Params) -> tuple[Any, TimeStep]:
        """Execute one tick."""


def choices(observation: Observation) -> Bool[Array, "*towns A n"]:
    """Return the mask of the action space that is played: options where there are any, else flat actions."""
    return observation.option_mask if observation.option_mask.shape[-1] else observation.mask
