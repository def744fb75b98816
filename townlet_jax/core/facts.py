"""What preconditions may read, gathered from the slices (MECHANICS 14.5)."""

from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import ShiftFlag
from townlet_jax.core.params import Params
from townlet_jax.core.preconditions import Facts
from townlet_jax.core.state import Queues, TownState
from townlet_jax.core.systems import employment, queues


def gather(
    params: Params,
    state: TownState,
    *,
    held: Queues,
    cost: Float[Array, "K"],
    utility_on: Bool[Array, "U"],
    tick: Int[Array, ""],
) -> Facts:
    """Return the facts of a town at a tick; `held` says who holds and waits at that moment."""
    num_objects = params.world.present.shape[0]
    return Facts(
        level=state.needs.level,
        wallet=state.economy.wallet,
        on_shift=arrays.has_bit(state.employment.flags, ShiftFlag.ON_SHIFT),
        attendance_ratio=employment.attendance_ratio(state.employment),
        withheld=state.tally.withheld,
        phase=state.employment.phase,
        job=state.employment.job,
        born_tick=state.roster.born_tick,
        unpaid_days=state.economy.unpaid_days,
        home=state.roster.home,
        count=state.tally.count,
        stock=state.economy.stock,
        queue_length=queues.queue_lengths(held, num_objects),
        holder=queues.holders(held, num_objects),
        cost=cost,
        utility_on=utility_on,
        tick=tick,
        tick_of_day=tick % params.clock.ticks_per_day,
        day=tick // params.clock.ticks_per_day,
    )
