"""Is a town well: the analysers of a tick, each a condition on what happened lately (MECHANICS 9.2).

Owns `Stability`. History is kept in buckets of ticks; a window of w ticks covers the last w - bucket + 1 to w of them.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Kind, Reason
from townlet_jax.core.outcomes import Conflicts, Outcomes, TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.stability import windows
from townlet_jax.stability.alerts import NUM_ALERTS, Alert, Thresholds
from townlet_jax.stability.windows import Window

REWARD_COUNT, REWARD_SUM, REWARD_SQUARES, INCIDENTS, SWITCHES, AGENT_TICKS, STRONG_CONFLICTS = range(7)
NUM_COLUMNS = 7
_WINDOW_OF = (3, 3, 3, 1, 2, 2, 0)  # which window of `WINDOWED` reads each column


class Stability(Pytree):
    """What is remembered of a town to judge it."""

    ring: Float[Array, "S 7"]  # sums of each bucket
    ring_bucket: Int[Array, "S"]  # which bucket a row holds, NEVER = none
    starving_ticks: Int[Array, "A"]  # length of the streak of hunger, empty 0
    readings: Float[Array, "10"]  # the figure that each analyser compared in the last tick
    alerts: Bool[Array, "10"]  # of the last tick
    window: Window
    thresholds: Thresholds


def begun(thresholds: Thresholds, rows: int, state: TownState) -> Stability:
    """Return what is known before the first tick."""
    return Stability(
        ring=jnp.zeros((rows, NUM_COLUMNS), jnp.float32),
        ring_bucket=jnp.full(rows, NEVER, jnp.int32),
        starving_ticks=jnp.zeros_like(state.roster.uid),
        readings=jnp.zeros(NUM_ALERTS, jnp.float32),
        alerts=jnp.zeros(NUM_ALERTS, bool),
        window=windows.begun(state.clock.tick),
        thresholds=thresholds,
    )


@arrays.unit
def judged(
    params: Params, known: Stability, *, before: TownState, after: TownState, output: TickOutput, bucket: int
) -> Stability:
    """Return what is known after a tick: alerts, readings, and the promotion window."""
    rules, tick = known.thresholds, after.clock.tick
    seen = output.seen
    hungry = seen.roster.alive & arrays.at_most(seen.needs.level[:, 0], rules.hunger_level)
    starving = jnp.where(hungry, known.starving_ticks + 1, 0)
    now = _columns(params, output, incidents=arrays.count(hungry & (starving == rules.starving_ticks)))
    ring, ring_bucket = _added(known, now, tick // bucket)
    lately = _lately(rules, ring, ring_bucket, tick // bucket, bucket)
    readings = _readings(params, lately, before=before, after=after, output=output)
    alerts = _alerts(params, rules, readings, lately)
    return Stability(
        ring=ring,
        ring_bucket=ring_bucket,
        starving_ticks=jnp.where(output.outcomes.departures.gone, 0, starving),
        readings=readings,
        alerts=alerts,
        window=windows.advanced(rules, known.window, alerts=alerts, output=output, tick=tick),
        thresholds=rules,
    )


def _columns(params: Params, output: TickOutput, *, incidents: Int[Array, ""]) -> Float[Array, "7"]:
    """Return what the tick adds to its bucket."""
    valid = output.valid
    reward = jnp.where(valid, output.reward, 0.0)
    acting = arrays.count(valid).astype(jnp.float32)
    strong = _strong(output.outcomes.conflicts, params.conflict.avoid_threshold)
    counts = [count.astype(jnp.float32) for count in (incidents, output.measures.switches, strong)]
    return jnp.stack([acting, jnp.sum(reward), jnp.sum(reward * reward), counts[0], counts[1], acting, counts[2]])


def _strong(conflicts: Conflicts, threshold: Float[Array, ""]) -> Int[Array, ""]:
    """Count the conflicts that are strong enough to make people avoid each other."""
    ghost = (conflicts.rival_ghost != NOBODY) & (conflicts.intensity_ghost >= threshold)
    wait = (conflicts.rival_wait != NOBODY) & (conflicts.intensity_wait >= threshold)
    return arrays.count(ghost) + arrays.count(wait)


def _added(
    known: Stability, now: Float[Array, "7"], current: Int[Array, ""]
) -> tuple[Float[Array, "S 7"], Int[Array, "S"]]:
    """Add a tick to the row of its bucket, which is emptied first if it holds an older one."""
    rows = arrays.indices(known.ring_bucket)
    here = rows == current % rows.shape[0]
    stale = here & (known.ring_bucket != current)
    ring = jnp.where(stale[:, None], 0.0, known.ring) + jnp.where(here[:, None], now, 0.0)
    return ring, jnp.where(here, current, known.ring_bucket)


def _lately(
    rules: Thresholds, ring: Float[Array, "S 7"], ring_bucket: Int[Array, "S"], current: Int[Array, ""], bucket: int
) -> Float[Array, "7"]:
    """Sum each column over the buckets of the window of its analyser, this tick included."""
    oldest = current - (rules.window_ticks + (bucket - 1)) // bucket
    inside = ring_bucket[:, None] > oldest[jnp.asarray(_WINDOW_OF)]
    return jnp.sum(jnp.where(inside, ring, 0.0), axis=0)


def _readings(
    params: Params, lately: Float[Array, "7"], *, before: TownState, after: TownState, output: TickOutput
) -> Float[Array, "10"]:
    """Return the figure that each analyser compares."""
    steps = after.queues.ghost_steps - before.queues.ghost_steps
    turns = after.queues.rotations - before.queues.rotations
    amount = jnp.maximum(lately[REWARD_COUNT], 1.0)
    mean = lately[REWARD_SUM] / amount
    given_out = after.embeddings.forced_reuses.astype(jnp.float32)
    seen = output.seen
    late = jnp.sum(jnp.where(seen.roster.alive, seen.employment.late_today, 0))
    queued = arrays.count(after.roster.alive & (after.exits.asked_tick != NEVER))
    counts = {
        Alert.QUEUE_FAIRNESS_PRESSURE: jnp.maximum(steps, turns),
        Alert.AFFORDANCE_FAILURES_EXCEEDED: failures(output.outcomes, before),
        Alert.LATENESS_SPIKE: late,
        Alert.EMPLOYMENT_EXIT_QUEUE_OVERFLOW: queued,
        Alert.EMPLOYMENT_EXIT_BACKLOG: queued,
    }
    found = {alert: count.astype(jnp.float32) for alert, count in counts.items()} | {
        Alert.RIVALRY_SPIKE: lately[STRONG_CONFLICTS],
        Alert.STARVATION_SPIKE: lately[INCIDENTS],
        Alert.OPTION_THRASHING: lately[SWITCHES] / jnp.maximum(lately[AGENT_TICKS], 1.0),
        Alert.REWARD_VARIANCE_SPIKE: lately[REWARD_SQUARES] / amount - mean * mean,
        Alert.EMBEDDING_REUSE_WARNING: given_out / jnp.maximum(after.embeddings.allocations.astype(jnp.float32), 1.0),
    }
    return jnp.stack([found[alert] for alert in Alert])


def failures(outcomes: Outcomes, before: TownState) -> Int[Array, ""]:
    """Count affordances that a holder could not begin, and those that were cut off.

    Reasons from UTILITY_OFF on are only ever told to a holder, whoever it was before the tick.
    """
    told = outcomes.verdicts
    starting = (told.kind == Kind.START) | (told.kind == Kind.USE)
    held = (before.queues.holding == told.object) & (told.object != NOBODY)
    held = held & (outcomes.shocks.relocated == NOBODY)
    early = (told.reason >= Reason.CLOSED) & (told.reason <= Reason.WRONG_TYPE) & held
    late = (told.reason >= Reason.UTILITY_OFF) & (told.reason <= Reason.PRECONDITION)
    return arrays.count(starting & (early | late)) + arrays.count(outcomes.aborts.reason != Abort.NONE)


def _alerts(
    params: Params, rules: Thresholds, readings: Float[Array, "10"], lately: Float[Array, "7"]
) -> Bool[Array, "10"]:
    """Compare every reading with its limit; a limit below 0 switches the analyser off."""
    reaches = {Alert.QUEUE_FAIRNESS_PRESSURE, Alert.RIVALRY_SPIKE}  # at the limit, not only above it
    pairs = [(alert in reaches, readings[alert], rules.limit[alert]) for alert in Alert]
    over = [reading >= limit if included else reading > limit for included, reading, limit in pairs]
    samples = jnp.stack([lately[AGENT_TICKS], lately[REWARD_COUNT]])
    enough = samples >= rules.min_samples.astype(jnp.float32)
    over[Alert.OPTION_THRASHING] &= enough[0]
    over[Alert.REWARD_VARIANCE_SPIKE] &= enough[1]
    reuse = params.embeddings.reuse_warning
    over[Alert.EMBEDDING_REUSE_WARNING] = (reuse > 0) & (readings[Alert.EMBEDDING_REUSE_WARNING] > reuse)
    most, queued = params.employment.exit_queue_limit, readings[Alert.EMPLOYMENT_EXIT_BACKLOG]
    overflow = (most > 0) & (queued > most.astype(jnp.float32))
    over[Alert.EMPLOYMENT_EXIT_QUEUE_OVERFLOW] = overflow
    over[Alert.EMPLOYMENT_EXIT_BACKLOG] = (queued > 0) & ~overflow
    return jnp.stack(over) & (rules.limit >= 0)
