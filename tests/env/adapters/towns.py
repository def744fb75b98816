"""The default town for the adapters: one environment and one set of shapes, so that each program is compiled once."""

import functools
from collections.abc import Callable
from typing import Any

from core.worlds import editable, on_device

from townlet_jax.config import Built, build, load
from townlet_jax.core.observe.layout import layout
from townlet_jax.core.params import Params
from townlet_jax.env import TownEnv

WAIT, NORTH, EAST, SOUTH, WEST = range(5)


@functools.cache
def default(action_space: str = "flat", variant: str = "hybrid") -> Built:
    """Return the default town."""
    return build(load("default", [f"spec.action_space={action_space}", f"spec.variant={variant}"]))


SPEC, NAMES = default().spec, default().names.agents
AGENTS, ACTIONS = SPEC.num_agents, SPEC.num_actions
LAYOUT = layout(SPEC)
ENV = TownEnv(SPEC)


@functools.cache
def lasting(horizon: int) -> Params:
    """Return numbers with a time limit, in which nothing happens by chance and nobody ever dies."""
    return _numbers(horizon, lambda params: None)


@functools.cache
def deadly(horizon: int) -> Params:
    """Return numbers in which everybody starves within about 10 ticks and is replaced 2 to 4 ticks later."""

    def starve(params: Any) -> None:
        params.needs.decay_rate[:] = (0.1, 0.01, 0.01)
        params.needs.start_low[:], params.needs.start_high[:] = 0.2, 1.0
        params.start.level[:] = -1  # drawn
        params.lifecycle.faint_ticks[...] = 2
        params.lifecycle.respawn_min[...], params.lifecycle.respawn_max[...] = 2, 4

    return _numbers(horizon, starve)


def _numbers(horizon: int, edit: Callable[[Any], None]) -> Params:
    numbers = editable(default().params)
    numbers.clock.horizon_ticks[...] = horizon
    numbers.perturbation.prob_per_day[:] = 0
    numbers.needs.decay_rate[:] = 0
    edit(numbers)
    made: Params = on_device(numbers)
    return made
