"""Phase act, the first half: moves, releases, requests, grants (4.2.2 to 4.2.5)."""

from reference.records import single
from reference.scene import Scene, TieDelta
from townlet_jax.core.enums import NOBODY, Abort, Kind, Reason, TieEvent

STEP = ((0, -1), (1, 0), (0, 1), (-1, 0))  # north, east, south, west
KEY_PRECISION = 10_000


def asking(scene: Scene, *kinds: Kind) -> list[int]:
    """Return the agents whose intent is of one of the kinds, in slot order."""
    return [a for a in scene.agents if scene.intents.kind[a] in kinds]


def moves(scene: Scene) -> None:
    """4.2.2."""
    blocked, roster, out = scene.params.world.blocked, scene.state.roster, scene.out.outcomes.moves
    for a in asking(scene, Kind.MOVE):
        if scene.busy(a) and scene.params.world.busy_lock:
            scene.refuse(a, Reason.BUSY)
            continue
        step = STEP[scene.intents.direction[a]]
        x, y = roster.position[a][0] + step[0], roster.position[a][1] + step[1]
        outside = not (0 <= y < len(blocked) and 0 <= x < len(blocked[0]))
        if outside or blocked[y][x]:
            out.bumped[a] = True
            scene.refuse(a, Reason.BUMPED)
        else:
            roster.position[a] = [x, y]
            out.moved[a] = True
            scene.accept(a)


def releases_and_leaves(scene: Scene) -> None:
    """4.2.3: whoever waits at the start of the step counts as waiting."""
    queues_before = scene.queues()
    for a in asking(scene, Kind.RELEASE):
        release(scene, a, queues_before)
    for a in asking(scene, Kind.LEAVE):
        if scene.busy(a):
            scene.refuse(a, Reason.BUSY)
        elif scene.engaged_object(a) == NOBODY:
            scene.refuse(a, Reason.NOT_WAITING)
        else:
            scene.drop(a)
            scene.accept(a)


def release(scene: Scene, a: int, queues_before: dict[int, list[int]]) -> None:
    """RELEASE of one agent."""
    o = scene.intents.object[a]
    if scene.state.queues.holding[a] != o:
        scene.refuse(a, Reason.NOT_HOLDER)
        return
    scene.accept(a)
    if scene.busy(a):
        if scene.intents.success[a]:
            finish_early(scene, a, o, queues_before.get(o, []))
        else:
            scene.abort(a, Abort.RELEASED)
            scene.state.queues.cooldown_until[o][a] = 0
    scene.drop(a)


def finish_early(scene: Scene, a: int, o: int, queue: list[int]) -> None:
    """A successful release while running: the effect of the elapsed part, a cooldown, a polite handover."""
    affordances, early = scene.params.affordances, scene.out.outcomes.early_finishes
    k = scene.state.activities.affordance[a]
    duration = affordances.duration[k]
    fraction = (duration - scene.state.activities.remaining[a]) / duration
    early.object[a], early.affordance[a], early.fraction[a] = o, k, fraction
    for n, effect in enumerate(affordances.need_effect[k]):
        scene.need_delta[a][n] += effect * fraction
    scene.state.queues.cooldown_until[o][a] = scene.tick + scene.params.queue.cooldown_ticks
    if queue:
        hand_over(scene, a, queue[0], o)
        scene.out.outcomes.handovers.early[a] = True


def hand_over(scene: Scene, leaver: int, partner: int, o: int) -> None:
    """Note a polite handover and its tie event (4.3.4)."""
    handovers = scene.out.outcomes.handovers
    handovers.object[leaver] = o
    handovers.successor[leaver] = partner
    both_ways(scene, leaver, partner, TieEvent.QUEUE_POLITE)


def both_ways(scene: Scene, a: int, b: int, event: TieEvent, factor: float = 1.0) -> None:
    """Note the deltas of one event in both directions (4.4.7)."""
    trust, familiarity, rivalry = (factor * v for v in scene.params.ties.delta[event])
    for owner, other in ((a, b), (b, a)):
        scene.tie_deltas.append(TieDelta(owner, other, int(event), trust, familiarity, rivalry))


def requests(scene: Scene) -> None:
    """4.2.4: the first failing test gives the reason; whoever passes joins the queue."""
    queues = scene.state.queues
    tail = {o: 1 + max(queues.ticket[a] for a in queue) for o, queue in scene.queues().items()}
    for a in asking(scene, Kind.REQUEST, Kind.USE):
        o = scene.intents.object[a]
        if not scene.params.world.present[o]:
            scene.refuse(a, Reason.BAD_INDEX)
        elif scene.busy(a):
            scene.refuse(a, Reason.BUSY)
        elif queues.holding[a] == o:
            scene.accept(a)
        elif queues.waiting[a] == o:
            scene.refuse(a, Reason.WAITING)
        elif scene.closed(o):
            scene.refuse(a, Reason.CLOSED)
        elif not scene.in_range(a, o):
            scene.refuse(a, Reason.OUT_OF_RANGE)
        elif scene.tick < queues.cooldown_until[o][a]:
            scene.refuse(a, Reason.COOLDOWN)
            queues.cooldown_events += 1
        else:
            scene.refuse(a, Reason.WAITING)
            scene.drop(a)
            queues.waiting[a] = o
            queues.joined_tick[a] = scene.tick
            queues.ticket[a] = tail.get(o, 0)
            tail[o] = queues.ticket[a] + 1


def grants_of_requests(scene: Scene) -> None:
    """4.2.5."""
    queues = scene.state.queues
    granted = grant(scene, scene.queues())
    for o, winner in granted.items():
        scene.out.outcomes.grants.act[winner] = o
    for a in asking(scene, Kind.REQUEST, Kind.USE):
        o = scene.intents.object[a]
        if queues.holding[a] == o and granted.get(o) == a:
            scene.accept(a)


def grant(scene: Scene, queues: dict[int, list[int]]) -> dict[int, int]:
    """Give every free, open object to the waiting agent in range with the smallest key; return the winners."""
    holders = scene.holders()
    winners: dict[int, int] = {}
    for o, queue in queues.items():
        if o in holders or scene.closed(o):
            continue
        in_range = [(grant_key(scene, a, index), index, a) for index, a in enumerate(queue) if scene.in_range(a, o)]
        if in_range:
            winners[o] = min(in_range)[-1]
    for o, winner in winners.items():
        scene.drop(winner)
        scene.state.queues.holding[winner] = o
    return winners


def grant_key(scene: Scene, a: int, index: int) -> int:
    """Return the key of 4.2.5 in units of 1e-4, rounded to an integer (docs/rules.md)."""
    waited = scene.tick - scene.state.queues.joined_tick[a]
    discount = single(scene.params.queue.age_priority_weight * waited)
    return round(single(single(index - discount) * KEY_PRECISION))
