"""Stories: towns in which everybody does what it likes, recorded tick by tick, in NumPy, for the invariants.

Arrays lead with [time, town]; `before` and `after` are the states around each tick.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from core.worlds import editable, hamlet, is_key, recorder, turbulent
from townlet_jax.config import Built, build, load
from townlet_jax.core import rng, town
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState

TOWNS, TICKS = 6, 200


@dataclass(frozen=True)
class Story:
    """What happened in some towns, in NumPy."""

    built: Built
    params: Any  # [town, ...]
    before: Any  # [time, town, ...]
    after: Any
    out: Any

    @property
    def tick(self) -> Any:
        """Number of each tick [time, town]."""
        return self.after.clock.tick

    def number(self, section: str, name: str) -> Any:
        """Return a scalar parameter [1, town]."""
        return getattr(getattr(self.params, section), name)[None]

    def of_town(self, table: Any, index: Any) -> Any:
        """Look indices [time, town, A] up in a table [town, n]; index -1 gives the last entry."""
        towns = np.arange(table.shape[0])[None, :, None]
        return table[towns, index]


def tell(built: Built, params: Any, states: TownState, ticks: int) -> Story:
    """Record a story; `params` and `states` lead with the town axis."""
    final, before, out = map(without_key, recorder(ticks)(params, states))
    before, out = jax.tree.map(lambda leaf: np.swapaxes(leaf, 0, 1), (before, out))
    after = jax.tree.map(lambda rest, last: np.concatenate([rest[1:], last[None]]), before, final)
    return Story(built=built, params=params, before=before, after=after, out=out)


def without_key(state: Any) -> Any:
    """Return the same tree with zeros for the keys, which have no NumPy form."""
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape) if is_key(leaf) else np.asarray(leaf), state)


def beginnings(built: Built, params: Any, seed: int, tick: int, spots: list[tuple[int, int]] | None = None) -> Any:
    """Return towns at a tick, everybody at some spots in turn."""
    keys = jax.vmap(lambda index: rng.town_key(seed, index))(jnp.arange(TOWNS, dtype=jnp.uint32))
    states = editable(jax.jit(jax.vmap(functools.partial(town.init, built.spec)))(params, keys))
    states.clock.tick[:] = tick
    for slot in np.flatnonzero(states.roster.alive[0]):
        states.roster.position[:, slot] = spots[slot % len(spots)] if spots else states.roster.position[:, slot]
    return states


def repeated(params: Params) -> Any:
    """Return the same numbers for every town."""
    return jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], TOWNS, axis=0), params)


def _default() -> Story:
    built = build(load("default"))
    params = repeated(built.params)
    params.perturbation.prob_per_day[:] *= 40
    params.perturbation.cooldown_ticks[:], params.perturbation.global_cooldown_ticks[:] = 20, 5
    states = beginnings(built, params, 1, 1300, [(9, 6), (10, 18), (21, 6), (37, 19)])
    states.needs.level[:, ::3, 0] = 0.05
    states.economy.wallet[:, 1::4] = 0.5
    return tell(built, params, states, TICKS)


def _parity() -> Story:
    built = build(load("parity"))
    params = repeated(built.params)
    states = beginnings(built, params, 2, 1340)
    states.economy.wallet[:] = 3
    return tell(built, params, states, TICKS)


def dense(seed: int) -> Story:
    """Tell a story of the hamlet with short days and numbers drawn from a seed, other ones in each town."""
    built, generator = hamlet(), np.random.default_rng(seed)
    towns = [drawn(built.params, generator) for _ in range(TOWNS)]
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *towns)
    states = beginnings(built, params, seed, 0, [(3, 3), (9, 3), (12, 3), (6, 5), (9, 5), (3, 5)])
    states.employment.job[:] = np.arange(built.spec.num_agents) % 4
    states.economy.wallet[:, ::2] *= 0.2
    states.needs.level[:, 2::3, 2] = 1
    states.ties.rivalry[:, :3, :3] = 1 - np.eye(3)
    states.economy.stock[:] = generator.integers(0, 4, states.economy.stock.shape)
    return tell(built, params, states, TICKS)


def drawn(params: Params, generator: np.random.Generator) -> Any:
    """Return turbulent numbers, partly drawn."""
    made = turbulent(params, day=int(generator.integers(50, 90)))
    made.affordances.duration[:] = (*generator.integers(1, 9, 3), 25, *generator.integers(1, 9, 4))
    made.lifecycle.respawn_min[...] = generator.integers(0, 4)
    made.lifecycle.respawn_max[...] = made.lifecycle.respawn_min + generator.integers(0, 9)
    for section, name, values in (
        ("world", "busy_lock", (True, False)),
        ("queue", "ghost_step_after", (0, 1, 3)),
        ("queue", "ghost_step_running", (True, False)),
        ("queue", "leave_after", (0, 5)),
        ("queue", "age_priority_weight", (0.0, 0.1, 1.0)),
        ("conflict", "max_edges", (1, 2, 6)),
        ("conflict", "rivalry_decay", (0.0, 0.005, 0.1)),
        ("ties", "trust_decay", (0.0, 0.02)),
        ("chat", "refused_is_failure", (True, False)),
        ("chat", "range", (0, 2, 100)),
        ("economy", "rent_per_day", (0.0, 1.0, 4.0)),
        ("employment", "site_range", (1, 6)),
        ("lifecycle", "daily_exit_cap", (0, 1, 3)),
        ("lifecycle", "suppress_exits", (True, False)),
        ("lifecycle", "return_home", (True, False)),
        ("lifecycle", "mortality", (True, True, False)),
        ("perturbation", "max_concurrent", (1, 3)),
        ("reward", "clip_terminal", (True, False)),
        ("reward", "clip_per_tick", (0.05, 0.5)),
        ("reward", "clip_per_episode", (1.0, 200.0)),
        ("reward", "daily_episode", (True, False)),
        ("reward", "shaping_weight", (0.0, 2.0)),
        ("embeddings", "cooldown_ticks", (0, 50)),
    ):
        getattr(getattr(made, section), name)[...] = generator.choice(np.asarray(values))
    made.affordances.slot_use[:] = generator.choice([0, 0, 0, 2], 8)
    made.needs.decay_rate[:] *= generator.choice([0.2, 0.5])
    made.needs.night_floor[:] = generator.choice([0, 0.5])
    return made


STORIES: dict[str, Callable[[], Story]] = {"default": _default, "parity": _parity, "dense": lambda: dense(2)}


@functools.cache
def told(name: str) -> Story:
    """Return one of the stories."""
    return STORIES[name]()
