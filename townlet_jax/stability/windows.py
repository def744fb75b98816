"""Promotion windows: stretches of ticks in which a town behaves or does not (MECHANICS 9.3), and their key figures.

Owns `Window`. A window is judged in the first tick after it.
"""

from enum import IntEnum

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NEVER, Exit, Phase
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.struct import Pytree
from townlet_jax.stability.alerts import Thresholds


class Result(IntEnum):
    """What the last window came to."""

    NONE = 0
    PASS = 1
    FAIL = 2


class Sum(IntEnum):
    """Key figures that are summed over a window."""

    CONFLICT_INTENSITY = 0
    LATE_TICKS = 1
    LATE_HELP = 2
    FAINTS = 3
    AGENT_TICKS = 4


NUM_SUMS = len(Sum)


class Window(Pytree):
    """The running promotion window of a town, and the last one."""

    start: Int[Array, ""]  # first tick of the running window
    has_failed: Bool[Array, ""]  # an alert that is not allowed was raised in it
    pass_streak: Int[Array, ""]  # windows in a row that passed
    is_ready: Bool[Array, ""]  # enough of them
    last_evaluated_tick: Int[Array, ""]  # last tick of the last judged window, NEVER before the first
    last_result: Int[Array, ""]  # Result
    sums: Float[Array, "5"]  # of the running window, by Sum
    last_sums: Float[Array, "5"]  # of the last judged one


def begun(tick: Int[Array, ""]) -> Window:
    """Return the first window of a town that has lived up to a tick."""
    return Window(
        start=tick,
        has_failed=jnp.bool_(False),
        pass_streak=jnp.int32(0),
        is_ready=jnp.bool_(False),
        last_evaluated_tick=jnp.int32(NEVER),
        last_result=jnp.int32(Result.NONE),
        sums=jnp.zeros(NUM_SUMS, jnp.float32),
        last_sums=jnp.zeros(NUM_SUMS, jnp.float32),
    )


def advanced(
    rules: Thresholds, window: Window, *, alerts: Bool[Array, "10"], output: TickOutput, tick: Int[Array, ""]
) -> Window:
    """Judge the window if it is over, then count the tick into the one that runs.

    Windows that were made shorter may end several at once; those after the first had no ticks and pass.
    """
    length = jnp.maximum(rules.promotion_ticks, 1)
    over = jnp.maximum((tick - window.start) // length, 0)
    is_over = over > 0
    first = jnp.where(window.has_failed, 0, window.pass_streak + 1)
    streak = jnp.where(is_over, first + over - 1, window.pass_streak)
    verdict = jnp.where(window.has_failed & (over == 1), Result.FAIL, Result.PASS)
    start = window.start + over * length
    last_sums = jnp.where(over > 1, 0.0, window.sums)
    return Window(
        start=start,
        has_failed=(window.has_failed & ~is_over) | jnp.any(alerts & ~rules.allowed),
        pass_streak=streak,
        is_ready=jnp.where(is_over, streak >= rules.required_passes, window.is_ready),
        last_evaluated_tick=jnp.where(is_over, start - 1, window.last_evaluated_tick),
        last_result=jnp.where(is_over, verdict, window.last_result),
        sums=jnp.where(is_over, 0.0, window.sums) + figures(output),
        last_sums=jnp.where(is_over, last_sums, window.last_sums),
    )


def figures(output: TickOutput) -> Float[Array, "5"]:
    """Return what a tick adds to the sums of a window."""
    measures, seen = output.measures, output.seen
    late = seen.roster.alive & (seen.employment.phase == Phase.LATE)
    counts = (arrays.count(late), measures.late_help, measures.exits[Exit.FAINT], arrays.count(output.valid))
    return jnp.stack([measures.conflict_intensity, *(count.astype(jnp.float32) for count in counts)])
