"""Where towns begin to be learned from: each at its own time, so that no update sees one hour of the day alone."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from townlet_jax.core.params import Params
from townlet_jax.core.town import init
from townlet_jax.env import EnvState, TimeStep, TownEnv, arguments

_START = 2**32 - 2  # folded in where streams fold in the tick, and no tick has this number


class Staggered(TownEnv):
    """Begins a town at a tick drawn from its key: within the time limit, or within a day if there is none.

    Its episode ends at the usual tick, and so do those of the towns beside it, each at its own. Who works has no shift
    until the next one begins (MECHANICS 4.4).
    """

    def reset(self, key: Shaped[Array, "..."], params: Params) -> tuple[EnvState, TimeStep]:
        """Return a new town in the middle of its time."""
        town = init(self.spec, params, arguments.checked_key(key))
        clock = params.clock
        length = jnp.where(clock.horizon_ticks > 0, clock.horizon_ticks, clock.ticks_per_day)
        tick = jax.random.randint(jax.random.fold_in(town.key, jnp.uint32(_START)), (), 0, length, jnp.int32)
        born = jnp.where(town.roster.alive, tick, town.roster.born_tick)
        town = town.replace(clock=town.clock.replace(tick=tick), roster=town.roster.replace(born_tick=born))
        return self.enter(town, params)
