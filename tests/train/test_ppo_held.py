"""Whose proposal counts: masks of learners leave out choices that the commit rules would ignore."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core.worlds import editable, on_device
from env.places import AGENTS, seeded, small

from townlet_jax.core import town
from townlet_jax.core.enums import NUM_OPTIONS, Option
from townlet_jax.policy.options import OptionMemory
from train.held import free_to_choose

ADA, BEN, CLEO, DAN, EVA, FINN = range(AGENTS)
FREE = jax.jit(free_to_choose)


@functools.cache
def start() -> Any:
    """Return the hamlet's first moment, everybody born long ago and content, as NumPy arrays."""
    built = small("options")
    state = editable(jax.jit(functools.partial(town.init, built.spec))(built.params, seeded()))
    state.clock.tick[...] = 700
    state.roster.born_tick[:] = 0
    state.needs.level[:] = 0.6
    return state


def free(state: Any, option: list[int], until: list[int], possible: Any = None) -> list[bool]:
    """Return who is free to choose, given what they are committed to until when."""
    memory = OptionMemory(option=jnp.asarray(option, jnp.int32), until_tick=jnp.asarray(until, jnp.int32))
    allowed = np.ones((AGENTS, NUM_OPTIONS), bool) if possible is None else possible
    found = FREE(small("options").params, on_device(state), memory, jnp.asarray(allowed))
    return [bool(flag) for flag in found]


def test_who_is_committed_has_no_say_until_the_time_is_up() -> None:
    until = [701, 700, 699, 715, 0, 701]
    assert free(start(), [Option.SOCIALISE] * AGENTS, until) == [False, True, True, False, True, False]
    assert free(start(), [Option.IDLE] * AGENTS, [715] * AGENTS) == [True] * AGENTS


def test_a_commitment_ends_with_its_purpose() -> None:
    possible = np.ones((AGENTS, NUM_OPTIONS), bool)
    possible[BEN, Option.SOCIALISE] = False
    state = editable(on_device(start()))
    state.needs.level[CLEO, 0] = 0.05
    state.roster.alive[DAN] = False
    assert free(state, [Option.SOCIALISE] * AGENTS, [715] * AGENTS, possible) == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]
