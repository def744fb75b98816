"""What was asked: flat actions (5.2), validation (4.2.1), slots that are not acting (4.1.1)."""

from reference.records import single
from reference.scene import Scene
from townlet_jax.core.enums import NOBODY, Direction, Fault, Kind, Reason

NEEDS_OBJECT = (Kind.REQUEST, Kind.START, Kind.USE, Kind.RELEASE, Kind.BLOCKED)
NEEDS_AFFORDANCE = (Kind.START, Kind.USE)


def decode_and_validate(scene: Scene) -> None:
    """4.1.1, 5.2, 4.2.1: settle every slot's intent before anything is done."""
    for a in scene.agents:
        if not scene.acting[a]:
            silence(scene, a)
        elif scene.intents.flat[a] != NOBODY:
            decode_flat(scene, a)
        else:
            validate(scene, a)


def silence(scene: Scene, a: int) -> None:
    """4.1.1: what a slot that is not acting asks for becomes WAIT."""
    intents = scene.intents
    asked = intents.flat[a] != 0 if intents.flat[a] != NOBODY else intents.kind[a] != Kind.WAIT
    intents.kind[a] = int(Kind.WAIT)
    scene.out.outcomes.verdicts.kind[a] = int(Kind.WAIT)
    scene.refuse(a, Reason.NOT_ACTING if asked else Reason.NONE)


def reject(scene: Scene, a: int, kind: int) -> None:
    """Refuse an intent with an index out of range; it counts as WAIT from here on."""
    scene.out.outcomes.verdicts.kind[a] = kind
    scene.intents.kind[a] = int(Kind.WAIT)
    scene.refuse(a, Reason.BAD_INDEX)
    scene.state.faults |= int(Fault.BAD_INTENT)


def take(scene: Scene, a: int, kind: Kind) -> None:
    """Take over an intent; waiting succeeds at once, everything else is open until its step."""
    scene.intents.kind[a] = int(kind)
    scene.out.outcomes.verdicts.kind[a] = int(kind)
    if kind == Kind.WAIT:
        scene.accept(a)


def validate(scene: Scene, a: int) -> None:
    """4.2.1: check the indices that a structured intent needs."""
    intents = scene.intents
    kind = intents.kind[a]
    if kind not in range(len(Kind)):
        reject(scene, a, int(Kind.WAIT))
        return
    wrong = (
        (kind == Kind.MOVE and intents.direction[a] not in range(len(Direction)))
        or (kind in NEEDS_OBJECT and intents.object[a] not in range(len(scene.params.world.object_type)))
        or (kind in NEEDS_AFFORDANCE and intents.affordance[a] not in range(len(scene.cost)))
        or (kind == Kind.CHAT and intents.target[a] not in scene.agents)
    )
    if wrong:
        reject(scene, a, kind)
    else:
        take(scene, a, Kind(kind))


def decode_flat(scene: Scene, a: int) -> None:
    """5.2: turn a flat action id into a structured intent."""
    intents = scene.intents
    action = intents.flat[a]
    num_affordances = len(scene.cost)
    intents.success[a] = True
    intents.quality[a] = -1.0
    if action == 0:
        take(scene, a, Kind.WAIT)
    elif 1 <= action <= 4:
        intents.direction[a] = action - 1
        take(scene, a, Kind.MOVE)
    elif 5 <= action < 5 + num_affordances:
        k = action - 5
        intents.affordance[a] = k
        intents.object[a] = best_object(scene, a, k)
        take(scene, a, Kind.USE if intents.object[a] != NOBODY else Kind.WAIT)
    elif action == 5 + num_affordances:
        take(scene, a, Kind.LEAVE)
    elif action == 6 + num_affordances:
        intents.target[a] = best_partner(scene, a)
        take(scene, a, Kind.CHAT if intents.target[a] != NOBODY else Kind.WAIT)
    else:
        reject(scene, a, int(Kind.WAIT))


def best_object(scene: Scene, a: int, k: int) -> int:
    """5.2: the object that `use k` means for agent a, or NOBODY."""
    world, queues = scene.params.world, scene.state.queues
    holders, waiting = scene.holders(), scene.queues()
    best: tuple[bool, bool, bool, int, int, int] | None = None
    for o, kind in enumerate(world.object_type):
        if not world.present[o] or kind != scene.params.affordances.object_type[k]:
            continue
        if not scene.in_range(a, o) or scene.closed(o):
            continue
        held, waited = queues.holding[a] == o, queues.waiting[a] == o
        if not (held or waited or scene.tick >= queues.cooldown_until[o][a]):
            continue
        length = len(waiting.get(o, [])) + (o in holders)
        key = (not held, not waited, length > 0, length, scene.object_distance(a, o), o)
        best = key if best is None else min(best, key)
    return NOBODY if best is None else best[-1]


def best_partner(scene: Scene, a: int) -> int:
    """5.2: the agent that `chat` means for agent a, or NOBODY."""
    ties = scene.state.ties
    best, best_score = NOBODY, 0.0
    for b in scene.living:
        near = b != a and scene.distance(a, b) <= scene.params.chat.range
        if not near or scene.asleep(b) or scene.avoids(a, b):
            continue
        score = single(single(ties.trust[a][b] + ties.familiarity[a][b]) - ties.rivalry[a][b])
        if best == NOBODY or score > best_score:
            best, best_score = b, score
    return best
