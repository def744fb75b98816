"""Towns that begin to be learned from at their own times."""

import jax
import jax.numpy as jnp
import numpy as np
from env.places import LAYOUT, SPEC, seeded, still

from townlet_jax.env import AutoReset
from train.starts import Staggered

TOWNS, HORIZON = 64, 300
ENV = AutoReset(Staggered(SPEC), "next_step")
RESET = jax.jit(jax.vmap(ENV.reset, in_axes=(0, None)))
KEYS = jax.vmap(lambda index: jax.random.fold_in(seeded(), index))(jnp.arange(TOWNS, dtype=jnp.uint32))


def test_each_town_begins_at_a_tick_of_its_own_and_shows_that_time() -> None:
    state, timestep = RESET(KEYS, still(HORIZON))
    ticks = np.asarray(state.town.clock.tick)
    assert ticks.min() >= 0
    assert ticks.max() < HORIZON
    assert len(set(ticks.tolist())) > TOWNS // 2
    assert abs(ticks.mean() - HORIZON / 2) < HORIZON / 8
    angle = 2 * np.pi * ticks / int(still().clock.ticks_per_day)
    seen = np.asarray(timestep.observation.features)
    np.testing.assert_allclose(seen[:, 0, LAYOUT.index("time_sin")], np.sin(angle), atol=1e-5)
    np.testing.assert_array_equal(state.town.roster.born_tick, np.broadcast_to(ticks[:, None], (TOWNS, 6)))


def test_without_a_time_limit_they_are_spread_over_a_day() -> None:
    ticks = np.asarray(RESET(KEYS, still(0))[0].town.clock.tick)
    assert ticks.max() > HORIZON
    assert ticks.max() < int(still().clock.ticks_per_day)
