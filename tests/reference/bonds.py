"""Phase live: all tie deltas of the tick, capacity, decay (4.4.7, 8.3)."""

from reference.act import both_ways
from reference.records import copied, single
from reference.scene import Scene, TieDelta, clip
from townlet_jax.core.enums import NEVER, TieEvent, Trait


def relationships(scene: Scene) -> None:
    """4.4.7."""
    ties = scene.state.ties
    before = copied([ties.trust, ties.familiarity, ties.rivalry])
    known_before = [[known(scene, a, b) for b in scene.agents] for a in scene.agents]
    shared_meals(scene)
    apply_deltas(scene)
    evict(scene)
    decay(scene)
    report(scene, before, known_before)


def known(scene: Scene, a: int, b: int) -> bool:
    """Say whether one of the three values of a tie is not zero."""
    ties = scene.state.ties
    return bool(ties.trust[a][b] != 0 or ties.familiarity[a][b] != 0 or ties.rivalry[a][b] != 0)


def shared_meals(scene: Scene) -> None:
    """Pairs that finish meals within reach of each other; one event a pair and tick."""
    limit, last_meal = scene.params.ties.shared_meal_ticks, scene.state.ties.last_meal_tick
    living = scene.living
    if limit >= 0:
        for a in living:
            for b in living:
                if a < b and eat_together(scene, a, b, limit):
                    scene.out.outcomes.tie_changes.shared_meal[a][b] = True
                    both_ways(scene, a, b, TieEvent.SHARED_MEAL)
    for a in scene.agents:
        if scene.ate[a]:
            last_meal[a] = scene.tick


def eat_together(scene: Scene, a: int, b: int, limit: int) -> bool:
    """Say whether a pair shares a meal in this tick."""
    last_meal = scene.state.ties.last_meal_tick

    def recently(c: int) -> bool:
        return bool(scene.ate[c] or (last_meal[c] != NEVER and scene.tick - last_meal[c] <= limit))

    meets = (scene.ate[a] and recently(b)) or (scene.ate[b] and recently(a))
    return meets and scene.distance(a, b) <= scene.params.ties.shared_meal_range


def modified(scene: Scene, delta: TieDelta) -> tuple[float, float, float]:
    """8.3: pass one delta through its owner's personality, then clip it."""
    trust, familiarity, rivalry = delta.trust, delta.familiarity, delta.rivalry
    if scene.params.personality.modify_ties:
        forgiveness = scene.trait(delta.owner, Trait.FORGIVENESS)
        softening = 1 - 0.5 * forgiveness if forgiveness >= 0 else 1 + 0.5 * abs(forgiveness)
        trust, familiarity, rivalry = (v * softening if v < 0 else v for v in (trust, familiarity, rivalry))
        if delta.event == TieEvent.CHAT_SUCCESS:
            familiarity += 0.02 * scene.trait(delta.owner, Trait.EXTROVERSION)
        if delta.event == TieEvent.CONFLICT and rivalry > 0:
            rivalry *= max(0.0, 1 + 0.3 * scene.trait(delta.owner, Trait.AMBITION))
    return clip(trust, -1.0, 1.0), clip(familiarity, -1.0, 1.0), clip(rivalry, -1.0, 1.0)


def apply_deltas(scene: Scene) -> None:
    """Sum all deltas of each ordered pair, add, clip; the dead neither feel nor are felt for."""
    ties, alive = scene.state.ties, scene.state.roster.alive
    sums: dict[tuple[int, int], list[float]] = {}
    for delta in scene.tie_deltas:
        if not (alive[delta.owner] and alive[delta.other]):
            continue
        total = sums.setdefault((delta.owner, delta.other), [0.0, 0.0, 0.0])
        for i, value in enumerate(modified(scene, delta)):
            total[i] += value
    for (a, b), (trust, familiarity, rivalry) in sums.items():
        ties.trust[a][b] = clip(ties.trust[a][b] + trust, -1.0, 1.0)
        ties.familiarity[a][b] = clip(ties.familiarity[a][b] + familiarity, -1.0, 1.0)
        ties.rivalry[a][b] = clip(ties.rivalry[a][b] + rivalry, 0.0, 1.0)


def evict(scene: Scene) -> None:
    """A row keeps at most `max_edges` ties: the weakest go, ties highest slot first."""
    ties = scene.state.ties
    for a in scene.agents:
        friends = [b for b in scene.agents if known(scene, a, b)]
        surplus = len(friends) - scene.params.conflict.max_edges
        if surplus <= 0:
            continue
        friends.sort(key=lambda b, a=a: (strength(scene, a, b), -b))  # type: ignore[misc]  # mypy knows no default here
        for b in friends[:surplus]:
            ties.trust[a][b] = ties.familiarity[a][b] = ties.rivalry[a][b] = 0.0
            scene.out.outcomes.tie_changes.evicted[a][b] = True


def strength(scene: Scene, a: int, b: int) -> float:
    """Return the strength of a tie."""
    ties = scene.state.ties
    return single(single(abs(ties.trust[a][b]) + abs(ties.familiarity[a][b])) + ties.rivalry[a][b])


def toward_zero(value: float, amount: float) -> float:
    """Move a value toward 0 without crossing it."""
    if value > 0:
        return max(0.0, value - amount)
    return min(0.0, value + amount)


def decay(scene: Scene) -> None:
    """Every tie fades."""
    ties, params = scene.state.ties, scene.params
    for a in scene.agents:
        for b in scene.agents:
            if ties.rivalry[a][b] > 0:
                ties.rivalry[a][b] = max(0.0, ties.rivalry[a][b] - params.conflict.rivalry_decay)
            if ties.trust[a][b] != 0:
                ties.trust[a][b] = toward_zero(ties.trust[a][b], params.ties.trust_decay)
            if ties.familiarity[a][b] != 0:
                ties.familiarity[a][b] = toward_zero(ties.familiarity[a][b], params.ties.familiarity_decay)


def report(scene: Scene, before: list[list[list[float]]], known_before: list[list[bool]]) -> None:
    """After minus before, and the edges that came and went."""
    ties, changes = scene.state.ties, scene.out.outcomes.tie_changes
    for name, old in zip(("trust", "familiarity", "rivalry"), before, strict=True):
        delta, now = getattr(changes, f"{name}_delta"), getattr(ties, name)
        for a in scene.agents:
            delta[a] = [new - was for new, was in zip(now[a], old[a], strict=True)]
    for a in scene.agents:
        for b in scene.agents:
            is_known = known(scene, a, b)
            changes.added[a][b] = is_known and not known_before[a][b]
            changes.faded[a][b] = known_before[a][b] and not is_known and not changes.evicted[a][b]
