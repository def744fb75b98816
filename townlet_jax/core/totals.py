"""Running sums of a town's measures over many ticks: what reports are made of (MECHANICS 9.1)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from townlet_jax.core.enums import Exit
from townlet_jax.core.outcomes import Measures, TickOutput
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree


class Totals(Pytree):
    """Sums over the ticks of one chunk; the host adds chunks up in double precision."""

    ticks: Int[Array, ""]
    sums: Measures  # every field summed as float32
    need_min: Float[Array, "N"]  # lowest of anybody alive
    wallet_min: Float[Array, ""]
    on_time_ticks: Int[Array, ""]  # of finalised shifts
    shift_ticks: Int[Array, ""]  # length of finalised shifts
    faint_age_ticks: Float[Array, ""]  # sum of ages at fainting
    rents_paid: Int[Array, ""]  # events


def nothing(measures: Measures) -> Totals:
    """Return the sums before the first tick; `measures` (arrays or their shapes) gives the widths."""
    sums = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), measures)
    return Totals(
        ticks=jnp.int32(0),
        sums=sums,
        need_min=jnp.full(measures.need_min.shape, jnp.inf, jnp.float32),
        wallet_min=jnp.float32(jnp.inf),
        on_time_ticks=jnp.int32(0),
        shift_ticks=jnp.int32(0),
        faint_age_ticks=jnp.float32(0),
        rents_paid=jnp.int32(0),
    )


def add(totals: Totals, before: TownState, output: TickOutput) -> Totals:
    """Add one tick; `before` is the town before it (it still knows when the leavers came)."""
    measures, shifts = output.measures, output.outcomes.shifts
    anybody = measures.alive > 0
    age = (before.clock.tick + 1 - before.roster.born_tick).astype(jnp.float32)
    fainted = output.outcomes.departures.reason == Exit.FAINT
    return Totals(
        ticks=totals.ticks + 1,
        sums=jax.tree.map(lambda total, value: total + value.astype(jnp.float32), totals.sums, measures),
        need_min=jnp.where(anybody, jnp.minimum(totals.need_min, measures.need_min), totals.need_min),
        wallet_min=jnp.where(anybody, jnp.minimum(totals.wallet_min, measures.wallet_min), totals.wallet_min),
        on_time_ticks=totals.on_time_ticks + jnp.sum(shifts.on_time_ticks),
        shift_ticks=totals.shift_ticks + jnp.sum(shifts.length),
        faint_age_ticks=totals.faint_age_ticks + jnp.sum(jnp.where(fainted, age, 0.0)),
        rents_paid=totals.rents_paid + jnp.sum(output.outcomes.trades.rent_paid > 0, dtype=jnp.int32),
    )
