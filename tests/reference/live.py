"""Phase live: interruptions, advance, finish, handover, grants, needs (4.3)."""

from reference.act import grant, hand_over
from reference.records import single
from reference.scene import Scene, clip
from townlet_jax.core.enums import NOBODY, Abort, Sink

SCORE_PRECISION = 100_000


def interruptions(scene: Scene) -> None:
    """4.3.1: what lacks a utility ends without effect."""
    for a in scene.agents:
        if scene.busy(a) and not scene.utilities_on(scene.state.activities.affordance[a]):
            scene.end_engagement(a, Abort.UTILITY_OFF)


def advance(scene: Scene) -> list[int]:
    """4.3.2: one tick of everything that runs; return who is done."""
    activities = scene.state.activities
    running = [a for a in scene.agents if scene.busy(a)]
    for a in running:
        activities.remaining[a] -= 1
    return [a for a in running if activities.remaining[a] <= 0]


def finish(scene: Scene, done: list[int]) -> None:
    """4.3.3: effects and goods."""
    affordances, finishes = scene.params.affordances, scene.out.outcomes.finishes
    for a in done:
        o, k = scene.state.queues.holding[a], scene.state.activities.affordance[a]
        finishes.affordance[a], finishes.object[a] = k, o
        for n, effect in enumerate(affordances.need_effect[k]):
            scene.need_delta[a][n] += effect
        for g, units in enumerate(affordances.produce[k]):
            target = sink_of(scene, a, o, k, g)
            if units > 0 and target != NOBODY:
                scene.state.economy.stock[target][g] += units
                finishes.produced[a][g], finishes.sink[a][g] = units, target
        scene.ate[a] = affordances.is_meal[k]
    finishes.need_delta = [row[:] for row in scene.need_delta]


def sink_of(scene: Scene, a: int, o: int, k: int, g: int) -> int:
    """Return the object that takes good g when `a` finishes k on o, or NOBODY."""
    world = scene.params.world
    match Sink(scene.params.affordances.sink[k]):
        case Sink.NONE:
            return NOBODY
        case Sink.SELF:
            return o
        case Sink.LINKED:
            return int(world.link[o][g])
        case Sink.HOME:
            return int(world.home_store[scene.state.roster.home[a]][g])


def handovers(scene: Scene, done: list[int]) -> None:
    """4.3.4: the successor liked best may jump the queue; the holder lets go with a cooldown."""
    queues, record = scene.state.queues, scene.out.outcomes.handovers
    waiting = scene.queues()
    for a in done:
        o = queues.holding[a]
        queue = waiting.get(o, [])
        if queue:
            index = preferred_successor(scene, a, o, queue)
            if index > 0:
                queues.ticket[queue[index]] = queues.ticket[queue[0]] - 1
                queues.rotations += 1
            record.preferred[a] = index >= 0
            record.rotated[a] = index > 0
            hand_over(scene, a, queue[max(index, 0)], o)
        scene.drop(a)
        queues.cooldown_until[o][a] = scene.tick + scene.params.queue.cooldown_ticks


def preferred_successor(scene: Scene, a: int, o: int, queue: list[int]) -> int:
    """Return the queue index of the waiting agent in range that `a` likes best, -1 if it likes nobody."""
    ties = scene.state.ties
    best, best_score = -1, 0
    for index, w in enumerate(queue):
        liking = single(single(ties.trust[a][w] + ties.familiarity[a][w]) - ties.rivalry[a][w])
        score = round(single(single(liking - single(single(0.05) * index)) * SCORE_PRECISION))  # docs/rules.md
        if scene.in_range(w, o) and score > best_score:
            best, best_score = index, score
    return best


def grants_after_finishes(scene: Scene) -> None:
    """4.3.5."""
    for o, winner in grant(scene, scene.queues()).items():
        scene.out.outcomes.grants.live[winner] = o


def needs(scene: Scene) -> None:
    """4.3.6: effects first, then decay by personality."""
    personality = scene.params.personality
    for a in scene.living:
        multiplier = personality.need_multiplier[scene.state.roster.profile[a]]
        level = scene.state.needs.level[a]
        for n, rate in enumerate(scene.params.needs.decay_rate):
            factor = multiplier[n] if personality.modify_needs else 1.0
            after_effects = clip(level[n] + scene.need_delta[a][n], 0.0, 1.0)
            level[n] = max(0.0, after_effects - rate * factor)
