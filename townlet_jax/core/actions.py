"""What agents ask for: structured intents, and flat action ids decoded to them (MECHANICS 5.1, 5.2)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, choose
from townlet_jax.core.enums import NOBODY, NUM_KINDS, Avoidance, Direction, Kind, Option, Reason
from townlet_jax.core.params import Params
from townlet_jax.core.state import Activities, Queues, Roster, Ties
from townlet_jax.core.struct import Pytree

FLAT_WAIT = 0
FLAT_MOVE = 1  # 1..4: north, east, south, west
FLAT_USE = 5  # 5 + k


class Intents(Pytree):
    """One row a slot. `flat >= 0` is decoded after the wake phase and replaces kind..quality of its row."""

    flat: Int[Array, "A"]  # flat action id, NOBODY = the structured fields count
    kind: Int[Array, "A"]  # Kind
    direction: Int[Array, "A"]  # MOVE
    object: Int[Array, "A"]  # REQUEST, START, USE, RELEASE, BLOCKED
    affordance: Int[Array, "A"]  # START, USE
    target: Int[Array, "A"]  # CHAT
    success: Bool[Array, "A"]  # RELEASE
    quality: Float[Array, "A"]  # CHAT; < 0 = the formula of the core
    avoided: Int[Array, "A"]  # Avoidance record of the policy's guardrail
    option: Int[Array, "A"]  # acting option, report of the policy layer
    switched: Bool[Array, "A"]  # option switch, report of the policy layer


def waiting(num_agents: int) -> Intents:
    """Return intents in which everybody waits."""
    nobody = jnp.full(num_agents, NOBODY, jnp.int32)
    zero = jnp.zeros(num_agents, jnp.int32)
    return Intents(
        flat=nobody,
        kind=zero + Kind.WAIT,
        direction=nobody,
        object=nobody,
        affordance=nobody,
        target=nobody,
        success=jnp.ones(num_agents, bool),
        quality=jnp.full(num_agents, -1.0, jnp.float32),
        avoided=zero + Avoidance.NONE,
        option=zero + Option.IDLE,
        switched=jnp.zeros(num_agents, bool),
    )


def flat(actions: Int[Array, "A"]) -> Intents:
    """Return intents for flat action ids; ids outside 0..X-1 are refused in the tick."""
    return waiting(actions.shape[0]).replace(flat=jnp.where(actions == NOBODY, NOBODY - 1, actions.astype(jnp.int32)))


@arrays.unit
def decode(
    params: Params,
    intents: Intents,
    *,
    roster: Roster,
    queues: Queues,
    activities: Activities,
    ties: Ties,
    closed: Bool[Array, "O"],
    tick: Int[Array, ""],
) -> Intents:
    """Replace the rows that carry a flat id by what it means in the town after wake (5.2)."""
    num_affordances = params.affordances.duration.shape[0]
    leave, talk = FLAT_USE + num_affordances, FLAT_USE + num_affordances + 1
    action = intents.flat
    use = (action >= FLAT_USE) & (action < leave)
    affordance = jnp.where(use, action - FLAT_USE, NOBODY)
    object = arrays.settled(choose.best_object(params, queues, roster.position, closed, affordance, tick))
    partner = arrays.settled(choose.best_partner(params, roster, ties, activities))
    kind = jnp.full_like(action, Kind.WAIT)
    kind = jnp.where((action >= FLAT_MOVE) & (action < FLAT_USE), Kind.MOVE, kind)
    kind = jnp.where(use & (object != NOBODY), Kind.USE, kind)
    kind = jnp.where(action == leave, Kind.LEAVE, kind)
    kind = jnp.where((action == talk) & (partner != NOBODY), Kind.CHAT, kind)
    kind = jnp.where((action < 0) | (action > talk), NOBODY, kind)  # no such action: refused as a bad kind
    given = action == NOBODY

    def pick(structured: Array, decoded: Array) -> Array:
        return jnp.where(given, structured, decoded)

    return intents.replace(
        kind=pick(intents.kind, kind),
        direction=pick(intents.direction, jnp.where(kind == Kind.MOVE, action - FLAT_MOVE, NOBODY)),
        object=pick(intents.object, jnp.where(kind == Kind.USE, object, NOBODY)),
        affordance=pick(intents.affordance, jnp.where(kind == Kind.USE, affordance, NOBODY)),
        target=pick(intents.target, jnp.where(kind == Kind.CHAT, partner, NOBODY)),
        quality=pick(intents.quality, jnp.full_like(intents.quality, -1.0)),
    )


class Checked(Pytree):
    """Intents after the index checks: what cannot be meant is a WAIT with a reason."""

    intents: Intents
    submitted: Int[Array, "A"]  # kind as asked for, WAIT if there is no such kind
    reason: Int[Array, "A"]  # NOT_ACTING, BAD_INDEX or NONE


@arrays.unit
def check(intents: Intents, *, acting: Bool[Array, "A"], num_objects: int, num_affordances: int) -> Checked:
    """Turn intents of vacant slots and intents with an index out of range into WAIT (4.1.1, 4.2.1)."""
    kind = intents.kind
    known = (kind >= 0) & (kind < NUM_KINDS)
    on_object = (kind >= Kind.REQUEST) & (kind <= Kind.BLOCKED)
    starts = (kind == Kind.START) | (kind == Kind.USE)
    bad = ~known
    bad = bad | ((kind == Kind.MOVE) & ~_within(intents.direction, len(Direction)))
    bad = bad | (on_object & ~_within(intents.object, num_objects))
    bad = bad | (starts & ~_within(intents.affordance, num_affordances))
    bad = bad | ((kind == Kind.CHAT) & ~_within(intents.target, kind.shape[0]))
    reason = jnp.where(bad, Reason.BAD_INDEX, Reason.NONE)
    waits = jnp.where(intents.flat == NOBODY, kind == Kind.WAIT, intents.flat == FLAT_WAIT)
    reason = jnp.where(acting, reason, jnp.where(waits, Reason.NONE, Reason.NOT_ACTING))
    return Checked(
        intents=intents.replace(kind=jnp.where(acting & ~bad, kind, Kind.WAIT)),
        submitted=jnp.where(acting & known, kind, Kind.WAIT),
        reason=reason,
    )


def _within(index: Int[Array, "A"], size: int) -> Bool[Array, "A"]:
    return (index >= 0) & (index < size)
