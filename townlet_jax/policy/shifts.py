"""How an agent stands to its job in the next tick (MECHANICS 7.1)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from townlet_jax.core import personality
from townlet_jax.core.enums import NEVER, Behaviour
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.core.systems import employment

ALL_THE_TIME = 1 << 29  # free ticks of an agent without a job
_LARGEST_BUFFER = 240  # ticks


class Duty(Pytree):
    """Numbers of one agent; those without a job have `employed` false, no steps, no shift."""

    employed: Bool[Array, "A"]
    on_duty: Bool[Array, "A"]
    steps: Int[Array, "A"]  # to the job site
    buffer: Int[Array, "A"]  # ticks the agent wants to be early
    length: Int[Array, "A"]  # of the shift, ticks
    free: Int[Array, "A"]  # ticks before it must walk to work, 0 on duty

    @property
    def claims(self) -> Bool[Array, "A"]:
        """Tell who must be at work or on the way."""
        return self.employed & (self.on_duty | (self.free <= 0))


def duty(params: Params, state: TownState, *, tick_of_day: Int[Array, ""]) -> Duty:
    """Work out the numbers of 7.1 for the tick of day in which the action is applied."""
    roster = state.roster
    table = employment.timetable(params, state.employment, tick_of_day=tick_of_day)
    employed = table.has_job
    running = (state.employment.shift_start_tick != NEVER) & (table.since < table.length)
    on_duty = employed & ((table.since == 0) | running)
    site = params.world.tile.shape[0] + table.row
    steps = params.routes.steps[site, roster.position[:, 1], roster.position[:, 0]].astype(jnp.int32)
    affinity = personality.behaviour(params.personality, roster.profile, Behaviour.WORK_AFFINITY)
    wish = jnp.clip(params.employment.arrival_buffer.astype(jnp.float32) * affinity, 0, _LARGEST_BUFFER)
    buffer = jnp.rint(wish).astype(jnp.int32)
    free = jnp.where(on_duty, 0, table.until - steps - buffer)
    return Duty(
        employed=employed,
        on_duty=on_duty,
        steps=jnp.where(employed, steps, 0),
        buffer=buffer,
        length=jnp.where(employed, table.length, 0),
        free=jnp.where(employed, free, ALL_THE_TIME),
    )
