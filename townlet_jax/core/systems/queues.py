"""Who holds what and who waits for it (MECHANICS 4.2.3-4.2.5, 4.2.8-4.2.10, 4.3.4). Owns `state.queues`.

Everything is on the agent axis: `holding[a]` and `waiting[a]` name an object or NOBODY, never both. What is
"per object" in the rules is a comparison of two such columns: b waits for what a holds iff waiting[b] = holding[a].
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from townlet_jax.core import arrays, choose
from townlet_jax.core.enums import NEVER, NOBODY, Kind, Reason
from townlet_jax.core.params import Params, QueueParams
from townlet_jax.core.state import Queues, Ties
from townlet_jax.core.struct import Pytree

_KEY_SCALE = 1e4  # grant keys are compared in units of 1e-4
_SCORE_SCALE = 1e5  # successor scores in units of 1e-5
_PATIENCE_STEP = 0.05  # score lost per place in the queue


class Releases(Pytree):
    """What RELEASE and LEAVE came to."""

    ok: Bool[Array, "A"]
    reason: Int[Array, "A"]
    object: Int[Array, "A"]  # hold given up, NOBODY
    early: Bool[Array, "A"]  # a running affordance was finished early
    aborted: Bool[Array, "A"]  # a running affordance was thrown away
    successor: Int[Array, "A"]  # polite partner after an early finish, NOBODY


class GhostSteps(Pytree):
    """Holders pushed to the end of their queue, on the row of the old holder."""

    rival: Int[Array, "A"]  # first in line, NOBODY = no ghost step
    object: Int[Array, "A"]
    length: Int[Array, "A"]  # waiting agents before the step
    granted: Int[Array, "A"]  # object granted to each agent by the step


class Impatience(Pytree):
    """Waiting agents that quarrel with the holder."""

    rival: Int[Array, "A"]  # holder, NOBODY = none
    length: Int[Array, "A"]


class Passing(Pytree):
    """How finished holders passed their object on."""

    successor: Int[Array, "A"]  # polite partner, NOBODY if nobody waited
    preferred: Bool[Array, "A"]
    rotated: Bool[Array, "A"]


def engaged_object(queues: Queues) -> Int[Array, "A"]:
    """Return the object each agent holds or waits for."""
    return jnp.where(queues.holding != NOBODY, queues.holding, queues.waiting)


def holders(queues: Queues, num_objects: int) -> Int[Array, "O"]:
    """Return the holder of each object."""
    slots = arrays.indices(queues.holding)
    nobody = jnp.full(num_objects, NOBODY, jnp.int32)
    return nobody.at[arrays.drop_unless(queues.holding != NOBODY, queues.holding)].set(slots, mode="drop")


def queue_lengths(queues: Queues, num_objects: int) -> Int[Array, "O"]:
    """Return how many agents wait for each object."""
    target = arrays.drop_unless(queues.waiting != NOBODY, queues.waiting)
    return jnp.zeros(num_objects, jnp.int32).at[target].add(1, mode="drop")


def waits_for(queues: Queues, object: Int[Array, "A"]) -> Bool[Array, "A A"]:
    """Tell for row's object whether column waits for it."""
    return (queues.waiting[None, :] == object[:, None]) & (object != NOBODY)[:, None]


def places(queues: Queues) -> Int[Array, "A"]:
    """Return each waiting agent's index in its queue (0 = first); meaningless for others."""
    return arrays.count(waits_for(queues, queues.waiting) & (queues.ticket[None, :] < queues.ticket[:, None]))


def drop(queues: Queues, who: Bool[Array, "A"]) -> Queues:
    """End the engagement of some agents, without cooldown or courtesy."""
    who = arrays.settled(who)
    return queues.replace(
        holding=jnp.where(who, NOBODY, queues.holding),
        waiting=jnp.where(who, NOBODY, queues.waiting),
        joined_tick=jnp.where(who, NEVER, queues.joined_tick),
        ticket=jnp.where(who, 0, queues.ticket),
        stalls=jnp.where(who, 0, queues.stalls),
        away_ticks=jnp.where(who, 0, queues.away_ticks),
    )


@arrays.unit
def release(
    params: QueueParams,
    queues: Queues,
    *,
    kind: Int[Array, "A"],
    object: Int[Array, "A"],
    success: Bool[Array, "A"],
    busy: Bool[Array, "A"],
    tick: Int[Array, ""],
) -> tuple[Queues, Releases]:
    """Handle RELEASE and LEAVE (4.2.3)."""
    is_release, is_leave = kind == Kind.RELEASE, kind == Kind.LEAVE
    releasing = is_release & (queues.holding == object) & (object != NOBODY)
    waits = queues.waiting != NOBODY
    leaving = is_leave & (waits | ((queues.holding != NOBODY) & ~busy))
    reason = jnp.where(is_release & ~releasing, Reason.NOT_HOLDER, Reason.NONE)
    reason = jnp.where(is_leave & ~leaving, jnp.where(busy, Reason.BUSY, Reason.NOT_WAITING), reason)
    releasing, leaving = arrays.settled((releasing, leaving))
    early, aborted = releasing & busy & success, releasing & busy & ~success

    def first_in_line(_: Int[Array, "A"], object: Int[Array, "A"]) -> Int[Array, "A"]:
        line = waits_for(queues, object)
        return arrays.first_min(jnp.broadcast_to(queues.ticket[None, :], line.shape), line)

    nobody = jnp.full_like(object, NOBODY)
    given_up = jnp.where(early, queues.holding, NOBODY)
    outcome = Releases(
        ok=releasing | leaving,
        reason=reason,
        object=jnp.where(releasing | leaving, queues.holding, NOBODY),
        early=early,
        aborted=aborted,
        successor=arrays.only_if(jnp.any(early), first_in_line, nobody, given_up),
    )
    until = jnp.where(early, tick + params.cooldown_ticks, 0)
    return _cool_down(drop(queues, releasing | leaving), early | aborted, queues.holding, until), outcome


def _cool_down(queues: Queues, who: Bool[Array, "A"], object: Int[Array, "A"], until: Int[Array, "A"]) -> Queues:
    slots = arrays.indices(object)
    cooldown = queues.cooldown_until.at[arrays.drop_unless(who, object), slots].set(until, mode="drop")
    return queues.replace(cooldown_until=cooldown)


@arrays.unit
def request(
    params: Params,
    queues: Queues,
    *,
    asking: Bool[Array, "A"],
    object: Int[Array, "A"],
    busy: Bool[Array, "A"],
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    tick: Int[Array, ""],
) -> tuple[Queues, Int[Array, "A"]]:
    """Let REQUEST and USE join queues (4.2.4); also return why not (NONE for holders and for those that joined)."""
    slots = arrays.indices(object)
    target = jnp.clip(object, 0, closed.shape[0] - 1)
    in_range = choose.chebyshev(position, params.world.tile[target]) <= params.world.interaction_range
    cooling = tick < queues.cooldown_until[target, slots]
    reason = jnp.where(cooling, Reason.COOLDOWN, Reason.NONE)
    reason = jnp.where(~in_range, Reason.OUT_OF_RANGE, reason)
    reason = jnp.where(closed[target], Reason.CLOSED, reason)
    reason = jnp.where(queues.waiting == object, Reason.WAITING, reason)
    holds = queues.holding == object
    reason = jnp.where(holds, Reason.NONE, reason)
    reason = jnp.where(busy, Reason.BUSY, reason)
    reason = jnp.where(~params.world.present[target], Reason.BAD_INDEX, reason)
    reason = jnp.where(asking, reason, Reason.NONE)
    reason = arrays.settled(reason)
    joins = arrays.settled(asking & (reason == Reason.NONE) & ~holds)
    tail = _tail(queues, object)
    same = joins[None, :] & (object[None, :] == object[:, None]) & (slots[None, :] < slots[:, None])
    queues = drop(queues, joins)
    return queues.replace(
        waiting=jnp.where(joins, object, queues.waiting),
        joined_tick=jnp.where(joins, tick, queues.joined_tick),
        ticket=jnp.where(joins, tail + arrays.count(same), queues.ticket),
        cooldown_events=queues.cooldown_events + arrays.count(reason == Reason.COOLDOWN),
    ), reason


def _tail(queues: Queues, object: Int[Array, "A"]) -> Int[Array, "A"]:
    """Return the next free ticket of each row's object: 1 + the largest waiting, 0 in an empty queue."""
    line = waits_for(queues, object)
    lowest = arrays.SMALLEST
    largest = jnp.max(jnp.where(line, queues.ticket[None, :], lowest), axis=-1)
    return jnp.where(largest == lowest, 0, largest + 1)


@arrays.unit
def grant(
    params: Params,
    queues: Queues,
    *,
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    tick: Int[Array, ""],
) -> tuple[Queues, Int[Array, "A"]]:
    """Give every free, open object to the waiting agent in range with the best key (4.2.5); also say who got what."""
    taken = jnp.any(waits_for_held(queues), axis=-1)
    return _grant(params, queues, _may_take(params, queues, position, closed) & ~taken, tick)


def waits_for_held(queues: Queues) -> Bool[Array, "A A"]:
    """Tell whether row waits for what column holds."""
    return (queues.waiting[:, None] == queues.holding[None, :]) & (queues.waiting != NOBODY)[:, None]


def _may_take(
    params: Params, queues: Queues, position: Int[Array, "A 2"], closed: Bool[Array, "O"]
) -> Bool[Array, "A"]:
    """Tell who waits in range for an open object."""
    target = jnp.clip(queues.waiting, 0, closed.shape[0] - 1)
    near = choose.chebyshev(position, params.world.tile[target]) <= params.world.interaction_range
    return (queues.waiting != NOBODY) & near & ~closed[target]


def _grant(
    params: Params, queues: Queues, may_take: Bool[Array, "A"], tick: Int[Array, ""]
) -> tuple[Queues, Int[Array, "A"]]:
    """Decide among those that may take; smallest key = place - age_priority_weight * wait, ties smallest place."""
    place = arrays.settled(places(queues))
    wait = (tick - queues.joined_tick).astype(jnp.float32)
    key = place.astype(jnp.float32) - params.queue.age_priority_weight * wait
    key = arrays.settled(jnp.rint(key * jnp.float32(_KEY_SCALE)).astype(jnp.int32))
    may_take = arrays.settled(may_take)
    rivals = jnp.where(may_take, queues.waiting, NOBODY)[None, :] == queues.waiting[:, None]
    last = arrays.LARGEST
    best = jnp.min(jnp.where(rivals, key[None, :], last), axis=-1)
    level = arrays.settled(may_take & (key == best))
    rivals = jnp.where(level, queues.waiting, NOBODY)[None, :] == queues.waiting[:, None]
    wins = arrays.settled(level & (place == jnp.min(jnp.where(rivals, place[None, :], last), axis=-1)))
    granted = jnp.where(wins, queues.waiting, NOBODY)
    return queues.replace(
        holding=jnp.where(wins, queues.waiting, queues.holding),
        waiting=jnp.where(wins, NOBODY, queues.waiting),
        joined_tick=jnp.where(wins, NEVER, queues.joined_tick),
        ticket=jnp.where(wins, 0, queues.ticket),
        stalls=jnp.where(wins, 0, queues.stalls),
    ), granted


def let_go(queues: Queues, who: Bool[Array, "A"]) -> Queues:
    """Take the hold from some holders, without success: no cooldown."""
    who = arrays.settled(who)
    return queues.replace(
        holding=jnp.where(who, NOBODY, queues.holding),
        stalls=jnp.where(who, 0, queues.stalls),
        away_ticks=jnp.where(who, 0, queues.away_ticks),
    )


@arrays.unit
def stall(
    params: Params,
    queues: Queues,
    *,
    blocking: Bool[Array, "A"],
    busy: Bool[Array, "A"],
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    tick: Int[Array, ""],
) -> tuple[Queues, GhostSteps]:
    """Count attempts against holders; at the limit the holder is pushed to the tail (4.2.8)."""
    line = waits_for(queues, queues.holding)
    length = arrays.count(line)
    attempts = 1 + arrays.count(line & blocking[None, :])
    counted = (length > 0) & (~busy | params.queue.ghost_step_running)
    queues = queues.replace(stalls=queues.stalls + jnp.where(counted, attempts, 0))
    limit = params.queue.ghost_step_after
    pushed = (limit > 0) & counted & (queues.stalls >= limit)
    nobody = jnp.full_like(queues.holding, NOBODY)
    steps = GhostSteps(rival=nobody, object=nobody, length=length, granted=nobody)

    def push(value: tuple[Queues, GhostSteps], who: Bool[Array, "A"]) -> tuple[Queues, GhostSteps]:
        return _push(params, *value, pushed=who, position=position, closed=closed, tick=tick)

    return arrays.only_if(jnp.any(pushed), push, (queues, steps), pushed)


def _push(
    params: Params,
    queues: Queues,
    steps: GhostSteps,
    *,
    pushed: Bool[Array, "A"],
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    tick: Int[Array, ""],
) -> tuple[Queues, GhostSteps]:
    object = jnp.where(pushed, queues.holding, NOBODY)
    line = waits_for(queues, object)
    rival = arrays.first_min(jnp.broadcast_to(queues.ticket[None, :], line.shape), line)
    queues = let_go(queues, pushed)
    may_take = _may_take(params, queues, position, closed) & jnp.any(line, axis=0)
    queues, granted = _grant(params, queues, may_take, tick)
    amount = arrays.count(pushed)
    return queues.replace(
        ticket=jnp.where(pushed, _tail(queues, object), queues.ticket),
        waiting=jnp.where(pushed, object, queues.waiting),
        joined_tick=jnp.where(pushed, tick, queues.joined_tick),
        ghost_steps=queues.ghost_steps + amount,
        rotations=queues.rotations + amount,
    ), steps.replace(rival=rival, object=object, granted=granted)


@arrays.unit
def quarrel(params: Params, queues: Queues, *, tick: Int[Array, ""]) -> Impatience:
    """Tell who has waited a multiple of `impatience_ticks` for a held object (4.2.9)."""
    patience = params.conflict.impatience_ticks
    wait = tick - queues.joined_tick
    due = (patience > 0) & (queues.waiting != NOBODY) & (wait > 0) & _divides(jnp.maximum(patience, 1), wait)
    holder = arrays.first_true(waits_for_held(queues))
    return Impatience(rival=jnp.where(due, holder, NOBODY), length=arrays.count(waits_for(queues, queues.waiting)))


def _divides(step: Int[Array, ""], x: Int[Array, "A"]) -> Bool[Array, "A"]:
    """Tell whether step divides x; float division, exact for x below 2**23 and far cheaper than the integer one."""
    quotient = jnp.floor(x.astype(jnp.float32) / step.astype(jnp.float32)).astype(jnp.int32)
    return quotient * step == x


@arrays.unit
def abandon(
    params: Params, queues: Queues, *, busy: Bool[Array, "A"], position: Int[Array, "A 2"]
) -> tuple[Queues, Int[Array, "A"]]:
    """End engagements of agents that stayed out of range too long (4.2.10); also say which object they lost."""
    object = engaged_object(queues)
    tile = params.world.tile[jnp.clip(object, 0, params.world.tile.shape[0] - 1)]
    far = choose.chebyshev(position, tile) > params.world.interaction_range
    away = arrays.settled(jnp.where((object != NOBODY) & ~busy & far, queues.away_ticks + 1, 0))
    lost = away > params.queue.leave_after
    return drop(queues.replace(away_ticks=away), lost), jnp.where(lost, object, NOBODY)


@arrays.unit
def hand_over(
    params: Params,
    queues: Queues,
    *,
    done: Bool[Array, "A"],
    ties: Ties,
    position: Int[Array, "A 2"],
    tick: Int[Array, ""],
) -> tuple[Queues, Passing]:
    """Release finished holders; the best-liked waiting agent in range moves to the front (4.3.4)."""
    object = jnp.where(done, queues.holding, NOBODY)
    line = waits_for(queues, object)
    passing = Passing(
        successor=jnp.full_like(object, NOBODY), preferred=jnp.zeros_like(done), rotated=jnp.zeros_like(done)
    )

    def choose_successor(value: tuple[Queues, Passing], given: tuple[Array, Ties]) -> tuple[Queues, Passing]:
        return _prefer(params, value[0], line=given[0], ties=given[1], position=position)

    queues, passing = arrays.only_if(jnp.any(line), choose_successor, (queues, passing), (line, ties))
    queues = _cool_down(queues, done, object, jnp.broadcast_to(tick + params.queue.cooldown_ticks, object.shape))
    return let_go(queues, done), passing


def _prefer(
    params: Params, queues: Queues, *, line: Bool[Array, "A A"], ties: Ties, position: Int[Array, "A 2"]
) -> tuple[Queues, Passing]:
    place = places(queues)
    target = jnp.clip(queues.waiting, 0, params.world.tile.shape[0] - 1)
    near = choose.chebyshev(position, params.world.tile[target]) <= params.world.interaction_range
    liking = ties.trust + ties.familiarity - ties.rivalry
    score = liking - jnp.float32(_PATIENCE_STEP) * place.astype(jnp.float32)[None, :]
    key = jnp.rint(score * jnp.float32(_SCORE_SCALE)).astype(jnp.int32)
    liked = line & near[None, :] & (key > 0)
    best = jnp.max(jnp.where(liked, key, 0), axis=-1, keepdims=True)
    seats = jnp.broadcast_to(place[None, :], line.shape)
    favourite = arrays.first_min(seats, liked & (key == best))
    first = arrays.first_min(seats, line)
    preferred = favourite != NOBODY
    rotated = preferred & (favourite != first)
    lowest = jnp.min(jnp.where(line, queues.ticket[None, :], arrays.LARGEST), axis=-1)
    ticket = queues.ticket.at[arrays.drop_unless(rotated, favourite)].set(lowest - 1, mode="drop")
    return queues.replace(ticket=ticket, rotations=queues.rotations + arrays.count(rotated)), Passing(
        successor=jnp.where(preferred, favourite, first), preferred=preferred, rotated=rotated
    )


@arrays.unit
def clear(queues: Queues, *, gone: Bool[Array, "A"]) -> Queues:
    """Empty the slots of those that left."""

    def forget(cooldown: Int[Array, "O A"], who: Bool[Array, "A"]) -> Int[Array, "O A"]:
        return jnp.where(who[None, :], 0, cooldown)

    cooldown = arrays.only_if(jnp.any(gone), forget, queues.cooldown_until, gone)
    return drop(queues, gone).replace(cooldown_until=cooldown)
