"""Coming and going, identity slots (MECHANICS 4.1.2, 4.6.1-4.6.7). Owns `state.lifecycle`, `state.embeddings`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core import arrays, rng
from townlet_jax.core.enums import NEVER, NOBODY, Exit, Stream
from townlet_jax.core.outcomes import Departures
from townlet_jax.core.params import EmbeddingParams, LifecycleParams
from townlet_jax.core.state import Controls, Embeddings, Lifecycle

_DELAY, _AGENT_COLUMNS = 1, 4  # of the AGENT draw


def due(lifecycle: Lifecycle, *, alive: Bool[Array, "A"], tick: Int[Array, ""]) -> Bool[Array, "A"]:
    """Tell which vacant slots are filled in this tick."""
    return ~alive & (lifecycle.respawn_tick != NEVER) & (lifecycle.respawn_tick <= tick)


def admit(lifecycle: Lifecycle, *, arrived: Bool[Array, "A"]) -> Lifecycle:
    """Forget the timers of those that came."""
    return lifecycle.replace(respawn_tick=jnp.where(arrived, NEVER, lifecycle.respawn_tick))


@arrays.unit
def allocate(
    params: EmbeddingParams, embeddings: Embeddings, *, arrived: Bool[Array, "A"], tick: Int[Array, ""]
) -> Embeddings:
    """Give newcomers identity slots, in slot order (4.6.3).

    Never released slots come first, then the one released longest ago: NEVER is smaller than any tick, so both
    are the smallest `released_tick`. If that one is still cooling down, every other is too: a forced reuse.
    """

    def give(agent: Int[Array, ""], value: Embeddings, now: Int[Array, ""]) -> Embeddings:
        num_slots = value.released_tick.shape[0]
        taken = jnp.zeros(num_slots, bool)
        taken = taken.at[arrays.drop_unless(value.slot != NOBODY, value.slot)].set(True, mode="drop")
        choice = arrays.first_min(value.released_tick, ~taken)
        released = arrays.take(value.released_tick, choice, NEVER)
        forced = (released != NEVER) & (now - released < params.cooldown_ticks)
        return value.replace(
            slot=value.slot.at[agent].set(choice),
            allocations=value.allocations + 1,
            forced_reuses=value.forced_reuses + forced.astype(jnp.int32),
        )

    return arrays.while_pending(arrived, give, embeddings, tick)


def weaken(
    params: LifecycleParams, lifecycle: Lifecycle, *, alive: Bool[Array, "A"], hunger: Float[Array, "A"]
) -> Lifecycle:
    """Count consecutive ticks at or under the faint threshold."""
    starving = alive & arrays.at_most(hunger, params.faint_threshold)
    return lifecycle.replace(faint_streak=jnp.where(starving, lifecycle.faint_streak + 1, 0))


def verdicts(
    params: LifecycleParams,
    lifecycle: Lifecycle,
    *,
    alive: Bool[Array, "A"],
    mortality: Bool[Array, ""],
    evicted: Int[Array, "A"],
) -> Int[Array, "A"]:
    """Return why each agent leaves; the strongest reason wins: killed, evicted (job, rent), fainted, aged out."""
    fainted = mortality & (lifecycle.faint_streak >= params.faint_ticks)
    reason = jnp.where(fainted & ((evicted == Exit.NONE) | (evicted == Exit.AGE_OUT)), Exit.FAINT, evicted)
    reason = jnp.where(lifecycle.condemned > 0, Exit.KILLED, reason)
    return jnp.where(alive, reason, Exit.NONE)


@arrays.unit
def leave(
    lifecycle: Lifecycle,
    embeddings: Embeddings,
    *,
    reason: Int[Array, "A"],
    controls: Controls,
    tick: Int[Array, ""],
    key: Key[Array, ""],
) -> tuple[Lifecycle, Embeddings, Departures]:
    """Take leavers out: free their identity slot, set the timer of the next arrival."""
    gone = reason != Exit.NONE

    def timers(_: Int[Array, "A"], now: Int[Array, ""]) -> Int[Array, "A"]:
        unit = rng.uniform_column(rng.stream(key, now, Stream.AGENT), gone.shape[0], _AGENT_COLUMNS, _DELAY)
        return tick + rng.uniform_integer(unit, controls.respawn_min[None], controls.respawn_max[None])

    back = arrays.only_if(jnp.any(gone), timers, jnp.full_like(reason, NEVER), tick)
    back = jnp.where(gone & (lifecycle.condemned != 2), back, NEVER)
    freed = arrays.drop_unless(gone & (embeddings.slot != NOBODY), embeddings.slot)
    return (
        Lifecycle(
            respawn_tick=jnp.where(gone, back, lifecycle.respawn_tick),
            died_tick=jnp.where(gone, tick, lifecycle.died_tick),
            faint_streak=jnp.where(gone, 0, lifecycle.faint_streak),
            condemned=jnp.where(gone, 0, lifecycle.condemned),
        ),
        embeddings.replace(
            slot=jnp.where(gone, NOBODY, embeddings.slot),
            released_tick=embeddings.released_tick.at[freed].set(tick, mode="drop"),
        ),
        Departures(gone=gone, reason=reason, respawn_tick=back),
    )
