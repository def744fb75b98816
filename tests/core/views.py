"""What worlds set by hand look like to those who live in them: observations by name."""

import functools
from typing import Any

import jax
import numpy as np

from core.worlds import HAMLET, World, editable
from townlet_jax.config import Built, build, from_mapping
from townlet_jax.core.observe.layout import layout
from townlet_jax.core.observe.observation import Observation, observe
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState

FLAGS = {
    "hybrid": {"action_space": "options", "local_window": 5},
    "full": {
        "variant": "full", "local_window": 5, "hints": "straight", "extended_features": False,
        "personality_channels": False,
    },
    "compact": {"variant": "compact", "compact_window": 5, "object_channels": ["bed", "bench"]},
    "open": {"variant": "compact", "compact_window": 5, "extended_features": False, "landmarks": False},
}  # fmt: skip


@functools.cache
def hamlet_as(view: str) -> Built:
    """Return the hamlet with other flags of the observation."""
    return build(from_mapping({**HAMLET, "spec": {**HAMLET["spec"], **FLAGS[view]}}))


TRACED: list[str] = []  # a variant for each time the observation was traced


def _observe(spec: Spec, params: Params, seen: TownState, after: TownState, option: jax.Array) -> Observation:
    TRACED.append(spec.variant)
    return observe(spec, params, seen=seen, after=after, option=option)


OBSERVE = jax.jit(_observe, static_argnums=0)


class View:
    """An observation, read by names."""

    def __init__(self, spec: Spec, observation: Observation) -> None:
        self.layout = layout(spec)
        self.all: Any = editable(observation)

    def __call__(self, slot: int, *names: str) -> Any:
        """Return features of an agent: one number, or a list."""
        found = [float(self.all.features[slot, self.layout.index(name)]) for name in names]
        return found if len(names) > 1 else found[0]

    def block(self, slot: int, prefix: str) -> list[float]:
        """Return all features of an agent whose name begins so, in order."""
        return self(slot, *(name for name in self.layout.features if name.startswith(prefix)))  # type: ignore[no-any-return]  # a list for several names

    def drawn(self, slot: int, channel: str) -> list[str]:
        """Return a map channel as rows of digits, a dot for 0."""
        grid = self.all.map[slot, self.layout.channel(channel)]
        return ["".join(str(value) if value else "." for value in row) for row in grid.tolist()]


def numbers_as(world: World, view: str, **numbers: Any) -> Params:
    """Return the numbers of a world with the tables of a view, and other numbers of the observation."""
    params = jax.tree.map(lambda leaf: leaf, world.params)
    object.__setattr__(params, "observation", editable(hamlet_as(view).params.observation))
    for name, value in numbers.items():
        getattr(params.observation, name)[...] = value
    made: Params = params
    return made


def look(world: World, view: str = "hybrid", *, seen: Any = None, option: Any = None, **numbers: Any) -> View:
    """Observe a world: as it stands, or what was `seen` in the tick that led here."""
    spec, params = hamlet_as(view).spec, numbers_as(world, view, **numbers)
    options = np.zeros(spec.num_agents, np.int32) if option is None else option
    return View(spec, OBSERVE(spec, params, world.state if seen is None else seen, world.state, options))
