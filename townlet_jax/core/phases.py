"""What the phases of a tick hand on to each other, and to the outside."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import choose
from townlet_jax.core.enums import NOBODY, Abort
from townlet_jax.core.outcomes import (
    Aborts,
    Arrivals,
    Chats,
    Conflicts,
    EarlyFinishes,
    ExitQueue,
    Finishes,
    Handovers,
    Moves,
    Night,
    QueueLosses,
    Rewards,
    Shifts,
    Shocks,
    Starts,
    TieChanges,
    Verdicts,
)
from townlet_jax.core.state import Activities, Queues
from townlet_jax.core.struct import Pytree


class Now(Pytree):
    """The time, and who was alive when the tick began."""

    tick: Int[Array, ""]
    tick_of_day: Int[Array, ""]
    day: Int[Array, ""]
    acting: Bool[Array, "A"]


class Woken(Pytree):
    """Outcomes of wake."""

    arrivals: Arrivals
    shocks: Shocks
    aborts: Aborts


class Engaged(Pytree):
    """Outcomes of walking, letting go, asking and starting."""

    reason: Int[Array, "A"]  # Reason
    detail: Int[Array, "A"]  # first false clause, -1
    moves: Moves
    granted: Int[Array, "A"]  # object, NOBODY
    starts: Starts
    aborts: Aborts
    early_finishes: EarlyFinishes
    early_delta: Float[Array, "A N"]
    polite: Int[Array, "A"]  # partner of an early release
    released: Int[Array, "A"]  # object of a release
    price_now: Float[Array, "P"]


class Contested(Pytree):
    """Outcomes of the contest for held objects."""

    aborts: Aborts
    granted: Int[Array, "A"]  # object granted by a ghost step
    conflicts: Conflicts
    queue_losses: QueueLosses


class Acted(Pytree):
    """Outcomes of act."""

    verdicts: Verdicts
    chats: Chats
    engaged: Engaged
    contested: Contested


class Lived(Pytree):
    """Outcomes of live."""

    aborts: Aborts
    finishes: Finishes
    granted_live: Int[Array, "A"]
    handovers: Handovers
    shifts: Shifts
    tie_changes: TieChanges


class Slept(Pytree):
    """Outcomes of night."""

    aborts: Aborts
    restocked: Float[Array, "O G"]
    rent_paid: Float[Array, "A"]
    rent_unpaid: Bool[Array, "A"]
    night: Night


class Judged(Pytree):
    """Outcomes of judge."""

    exit_queue: ExitQueue
    reason: Int[Array, "A"]  # Exit
    rewards: Rewards


def no_aborts(num_agents: int) -> Aborts:
    nobody = jnp.full(num_agents, NOBODY, jnp.int32)
    return Aborts(reason=jnp.zeros(num_agents, jnp.int32), object=nobody, affordance=nobody)


def abort(aborts: Aborts, who: Bool[Array, "A"], reason: Abort, held: Queues, running: Activities) -> Aborts:
    """Note the aborts of agents that run something; the last one of a tick counts."""
    who = who & choose.busy(running)
    return Aborts(
        reason=jnp.where(who, reason, aborts.reason),
        object=jnp.where(who, held.holding, aborts.object),
        affordance=jnp.where(who, running.affordance, aborts.affordance),
    )
