"""Phase act, the second half: chats, stalls, ghost steps, impatience, distance (4.2.7 to 4.2.10)."""

from reference.act import asking, both_ways, grant
from reference.records import single
from reference.scene import Scene, clip
from townlet_jax.core.enums import NOBODY, Abort, Behaviour, Kind, Reason, TieEvent, Trait


def chats(scene: Scene) -> None:
    """4.2.7: every speaker counts by itself."""
    ready_before = scene.state.ties.chat_ready_tick[:]
    for a in asking(scene, Kind.CHAT):
        reason = chat_refusal(scene, a, ready_before[a])
        if reason == Reason.NONE:
            talk(scene, a)
            continue
        scene.refuse(a, reason)
        if scene.params.chat.refused_is_failure and reason in (Reason.OUT_OF_RANGE, Reason.AVOIDED):
            scene.out.outcomes.chats.forced_failure[a] = True
            fail_chat(scene, a)


def chat_refusal(scene: Scene, a: int, ready_tick: int) -> Reason:
    """Return the first failing test of a chat."""
    b = scene.intents.target[a]
    if b == a or not scene.state.roster.alive[b]:
        return Reason.NO_TARGET
    if scene.asleep(a) or scene.asleep(b):
        return Reason.ASLEEP
    if scene.tick < ready_tick:
        return Reason.CHAT_COOLDOWN
    if scene.distance(a, b) > scene.params.chat.range:
        return Reason.OUT_OF_RANGE
    if scene.avoids(a, b):
        return Reason.AVOIDED
    return Reason.NONE


def talk(scene: Scene, a: int) -> None:
    """An attempted chat: cooldown, draw, quality, tie deltas."""
    params, ties, b = scene.params.chat, scene.state.ties, scene.intents.target[a]
    preference = scene.behaviour(a, Behaviour.CHAT_PREFERENCE)
    ready = scene.tick
    if params.cooldown_ticks > 0:
        ready += max(1, round(single(params.cooldown_ticks / preference)))
    ties.chat_ready_tick[a] = ready
    by_trust = single(1 + single(params.trust_coefficient * ties.trust[a][b]))
    by_familiarity = single(1 + single(params.familiarity_coefficient * ties.familiarity[a][b]))
    probability = clip(single(single(params.base * by_trust) * by_familiarity), 0.0, 1.0)
    if scene.draws.agent[a][0] >= probability:
        scene.refuse(a, Reason.NONE)
        fail_chat(scene, a)
        return
    scene.accept(a)
    quality = chat_quality(scene, a, b, preference)
    record = scene.out.outcomes.chats
    record.listener[a], record.ok[a], record.quality[a] = b, True, quality
    both_ways(scene, a, b, TieEvent.CHAT_SUCCESS, quality)


def chat_quality(scene: Scene, a: int, b: int, preference: float) -> float:
    """Return the quality of a successful chat of a with b."""
    asked = scene.intents.quality[a]
    if asked >= 0:
        return clip(asked, 0.0, 1.0)
    ties = scene.state.ties
    warmth = 0.5 + 0.3 * scene.trait(a, Trait.EXTROVERSION)
    warmth += 0.2 * ties.trust[a][b] + 0.1 * ties.familiarity[a][b] - 0.2 * ties.rivalry[a][b]
    return clip(warmth * clip(preference, 0.5, 1.5), 0.1, 1.0)


def fail_chat(scene: Scene, a: int) -> None:
    """Note a failed chat."""
    b = scene.intents.target[a]
    scene.out.outcomes.chats.listener[a] = b
    both_ways(scene, a, b, TieEvent.CHAT_FAILURE)


def stalls_and_ghost_steps(scene: Scene) -> None:
    """4.2.8."""
    queues, params = scene.state.queues, scene.params.queue
    holders, waiting = scene.holders(), scene.queues()
    blocks: dict[int, int] = {}
    for a in asking(scene, Kind.BLOCKED):
        o = scene.intents.object[a]
        if queues.waiting[a] == o:
            scene.accept(a)
            blocks[o] = blocks.get(o, 0) + 1
        else:
            scene.refuse(a, Reason.NOT_WAITING)
    for o, queue in waiting.items():
        if o not in holders:
            continue
        holder = holders[o]
        counted = not scene.busy(holder) or params.ghost_step_running
        if not counted:
            continue
        queues.stalls[holder] += 1 + blocks.get(o, 0)
        if 0 < params.ghost_step_after <= queues.stalls[holder]:
            ghost_step(scene, o, holder, queue)


def ghost_step(scene: Scene, o: int, holder: int, queue: list[int]) -> None:
    """The holder is dropped, the object granted among the waiting, the old holder joins at the tail."""
    queues = scene.state.queues
    conflict(scene, holder, queue[0], o, len(queue), ghost=True)
    scene.end_engagement(holder, Abort.GHOST_STEP)
    for winner in grant(scene, {o: queue}).values():
        scene.out.outcomes.grants.ghost[winner] = o
    still_waiting = [a for a in queue if queues.waiting[a] == o]
    queues.waiting[holder] = o
    queues.joined_tick[holder] = scene.tick
    queues.ticket[holder] = 1 + max((queues.ticket[a] for a in still_waiting), default=-1)
    queues.ghost_steps += 1
    queues.rotations += 1


def conflict(scene: Scene, actor: int, rival: int, o: int, length: int, *, ghost: bool) -> None:
    """Note one conflict: its record and its tie deltas in both directions."""
    if actor == rival:
        return
    params, record = scene.params.conflict, scene.out.outcomes.conflicts
    boost = params.ghost_step_boost if ghost else params.handover_boost
    intensity = clip(boost + params.queue_length_boost * max(length - 1, 0), 0.1, 5.0)
    if ghost:
        record.rival_ghost[actor], record.intensity_ghost[actor] = rival, intensity
        record.object_ghost[actor], record.length_ghost[actor] = o, length
    else:
        record.rival_wait[actor], record.intensity_wait[actor] = rival, intensity
        record.object_wait[actor], record.length_wait[actor] = o, length
    scene.queue_records.append((actor, rival, intensity))
    both_ways(scene, actor, rival, TieEvent.CONFLICT, params.increment * intensity)


def impatience(scene: Scene) -> None:
    """4.2.9: whoever has waited another full period blames the holder."""
    period = scene.params.conflict.impatience_ticks
    if period <= 0:
        return
    holders = scene.holders()
    for o, queue in scene.queues().items():
        for a in queue:
            waited = scene.tick - scene.state.queues.joined_tick[a]
            if waited > 0 and waited % period == 0 and o in holders:
                conflict(scene, a, holders[o], o, len(queue), ghost=False)


def leaving_by_distance(scene: Scene) -> None:
    """4.2.10: idle engagements end after too many ticks out of range."""
    queues = scene.state.queues
    for a in scene.agents:
        o = scene.engaged_object(a)
        away = o != NOBODY and not scene.busy(a) and not scene.in_range(a, o)
        queues.away_ticks[a] = queues.away_ticks[a] + 1 if away else 0
        if queues.away_ticks[a] > scene.params.queue.leave_after:
            scene.out.outcomes.queue_losses.object[a] = o
            scene.drop(a)
