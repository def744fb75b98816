"""Phase wake: clock, arrivals, perturbations, relocation (4.1)."""

from reference.draws import integer
from reference.records import single
from reference.scene import Scene, potential
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Fault, MeetTarget, Perturb, Phase


def arrivals(scene: Scene) -> None:
    """4.1.2: fill the slots whose respawn is due, in slot order."""
    state, params, out = scene.state, scene.params, scene.out.outcomes.arrivals
    for a in scene.agents:
        due = state.lifecycle.respawn_tick[a]
        if state.roster.alive[a] or due == NEVER or due > scene.tick:
            continue
        roster = state.roster
        roster.alive[a] = True
        roster.uid[a] = roster.next_uid
        roster.next_uid += 1
        roster.generation[a] += 1
        roster.position[a] = params.world.home_tile[roster.home[a]][:]
        roster.born_tick[a] = scene.tick
        roster.reset_flag[a] = True
        roster.profile[a] = drawn_profile(scene, a)
        state.needs.level[a] = params.needs.spawn_level[:]
        state.economy.wallet[a] = params.economy.spawn_wallet
        state.lifecycle.respawn_tick[a] = NEVER
        state.ledger.potential[a] = potential(params.reward.needs_weight, params.needs.spawn_level)
        allocate_embedding(scene, a)
        out.arrived[a] = True
        out.uid[a] = roster.uid[a]


def drawn_profile(scene: Scene, a: int) -> int:
    """8.1: the override of the slot, else the first profile whose cumulated probability exceeds the draw."""
    override: int = scene.params.start.profile[a]
    if override != NOBODY:
        return override
    u = scene.draws.agent[a][2]
    for f, bound in enumerate(scene.params.personality.cumulative):
        if u < bound:
            return f
    raise AssertionError("the cumulated probabilities end above 1")


def allocate_embedding(scene: Scene, a: int) -> None:
    """4.6.3: lowest never released, else the longest released after its cooldown, else forced."""
    embeddings = scene.state.embeddings
    used = set(embeddings.slot)
    free = [e for e in range(len(embeddings.released_tick)) if e not in used]
    fresh = [e for e in free if embeddings.released_tick[e] == NEVER]
    cooldown = scene.params.embeddings.cooldown_ticks
    rested = [e for e in free if scene.tick - embeddings.released_tick[e] >= cooldown]
    embeddings.allocations += 1

    def by_release(e: int) -> tuple[int, int]:
        return embeddings.released_tick[e], e

    if fresh:
        embeddings.slot[a] = fresh[0]
    elif rested:
        embeddings.slot[a] = min(rested, key=by_release)
    elif free:
        embeddings.slot[a] = min(free, key=by_release)
        embeddings.forced_reuses += 1
        scene.out.outcomes.arrivals.forced_reuses += 1
    else:
        embeddings.slot[a] = NOBODY
        scene.state.faults |= int(Fault.EMBEDDING_EXHAUSTED)


def perturbations(scene: Scene) -> None:
    """4.1.3: end what is over, start what the operator queued, start what the draws say."""
    end_events(scene)
    candidates = [meet_candidates(scene, v) for v in range(len(scene.params.perturbation.kind))]
    due = {v for v, queued in enumerate(scene.state.perturbations.queued_tick) if queued != NEVER}
    start_queued_events(scene, candidates)
    start_drawn_events(scene, candidates, due)
    report_shocks(scene)


def active(scene: Scene, v: int) -> bool:
    """Say whether an event of spec v is going on."""
    return bool(scene.state.perturbations.until_tick[v] != NEVER)


def end_events(scene: Scene) -> None:
    """4.1.3.1."""
    events, params = scene.state.perturbations, scene.params.perturbation
    for v in range(len(params.kind)):
        until = events.until_tick[v]
        if until == NEVER or until > scene.tick:
            continue
        events.until_tick[v] = NEVER
        events.object[v] = NOBODY
        events.member[v] = [False] * len(scene.agents)
        events.magnitude[v] = 1.0
        if params.is_city_event[v]:
            events.quiet_until = max(events.quiet_until, until + params.grace_window_ticks)
        scene.out.outcomes.shocks.ended[v] = True


def start_queued_events(scene: Scene, candidates: list[list[int]]) -> None:
    """4.1.3.2: no cooldown, window or concurrency test."""
    events = scene.state.perturbations
    for v in range(len(scene.params.perturbation.kind)):
        due = events.queued_tick[v]
        if due == NEVER or due > scene.tick or active(scene, v):
            continue
        named = [a for a in scene.agents if events.member[v][a]]
        living = [a for a in named if scene.state.roster.alive[a]]
        members = living if named else meet_members(scene, v, candidates[v])
        choice = events.object[v]
        ticks, magnitude = events.queued_ticks[v], events.queued_magnitude[v]
        begin_event(scene, v, ticks, magnitude, choice, members)
        events.queued_tick[v] = NEVER
        events.queued_ticks[v] = -1
        events.queued_magnitude[v] = -1.0


def start_drawn_events(scene: Scene, candidates: list[list[int]], due: set[int]) -> None:
    """4.1.3.3: the first `capacity` eligible specs in index order; specs queued by the operator wait."""
    params = scene.params.perturbation
    specs = range(len(params.kind))
    capacity = params.max_concurrent - sum(active(scene, v) for v in specs)
    eligible = [v for v in specs if v not in due and may_start(scene, v, candidates[v])]
    starting = eligible[: max(capacity, 0)]
    for v in starting:
        begin_event(scene, v, -1, -1.0, NOBODY, meet_members(scene, v, candidates[v]))


def may_start(scene: Scene, v: int, candidates: list[int]) -> bool:
    """Say whether spec v is eligible for a random start."""
    params, events = scene.params.perturbation, scene.state.perturbations
    recent = sum(f != NEVER and f > scene.tick - params.window_ticks for f in events.fired_tick[v])
    within_window = params.max_events_per_window == 0 or recent < params.max_events_per_window
    probability = min(1.0, single(params.prob_per_day[v] / scene.params.clock.ticks_per_day))
    fires = params.prob_per_day[v] > 0 and scene.draws.perturbation[v][0] < probability
    if active(scene, v) or scene.tick < events.cooldown_until[v] or not within_window or not fires:
        return False
    if params.kind[v] == Perturb.ARRANGED_MEET:
        return len(candidates) >= 2
    if params.kind[v] == Perturb.QUEUE_BOTTLENECK:
        return len(bottleneck_objects(scene, v)) >= 1
    return True


def bottleneck_objects(scene: Scene, v: int) -> list[int]:
    """Return the objects a bottleneck may close: the fixed one, else the present ones of its type."""
    world, params = scene.params.world, scene.params.perturbation
    if params.fixed_object[v] != NOBODY:
        return [params.fixed_object[v]]
    return [o for o, kind in enumerate(world.object_type) if world.present[o] and kind == params.bottleneck_type[v]]


def begin_event(scene: Scene, v: int, ticks: int, magnitude: float, choice: int, members: list[int]) -> None:
    """4.1.3.4: start spec v now; `ticks`, `magnitude` below 0 are drawn."""
    params, events = scene.params.perturbation, scene.state.perturbations
    draw = scene.draws.perturbation[v]
    if ticks < 0:
        ticks = integer(draw[1], params.duration_min[v], params.duration_max[v])
    until = scene.tick + max(1, ticks)
    events.until_tick[v] = until
    events.started_tick[v] = scene.tick
    events.cooldown_until[v] = until + params.cooldown_ticks[v] + params.global_cooldown_ticks
    events.fired_tick[v] = [scene.tick, *events.fired_tick[v][:-1]]
    if params.kind[v] == Perturb.PRICE_SPIKE:
        low, high = params.magnitude_min[v], params.magnitude_max[v]
        events.magnitude[v] = magnitude if magnitude >= 0 else low + (high - low) * draw[2]
    events.object[v] = NOBODY
    if params.kind[v] == Perturb.QUEUE_BOTTLENECK:
        objects = bottleneck_objects(scene, v)
        drawn = objects[integer(draw[3], 0, len(objects) - 1)] if objects else NOBODY
        events.object[v] = choice if choice != NOBODY else drawn
    events.member[v] = [False] * len(scene.agents)
    if params.kind[v] == Perturb.ARRANGED_MEET:
        events.member[v] = [a in members for a in scene.agents]
        for a in members:
            rest = until + params.agent_cooldown_ticks
            events.agent_cooldown_until[a] = max(events.agent_cooldown_until[a], rest)
    scene.out.outcomes.shocks.started[v] = True


def meet_candidates(scene: Scene, v: int) -> list[int]:
    """4.1.3.5: who may be invited."""
    if scene.params.perturbation.kind[v] != Perturb.ARRANGED_MEET:
        return []
    on_duty = (Phase.AWAIT, Phase.ON_TIME, Phase.LATE)
    spare = scene.params.perturbation.spare_busy[v]
    return [
        a
        for a in scene.living
        if scene.tick >= scene.state.perturbations.agent_cooldown_until[a]
        and not (spare and (scene.busy(a) or scene.state.employment.phase[a] in on_duty))
    ]


def meet_members(scene: Scene, v: int, candidates: list[int]) -> list[int]:
    """4.1.3.5: who is invited; nobody if there are fewer than two candidates."""
    params = scene.params.perturbation
    if len(candidates) < 2:
        return []
    if params.meet_target[v] == MeetTarget.RANDOM:
        by_draw = sorted(candidates, key=lambda a: (scene.draws.agent[a][3], a))
        return by_draw[: params.max_participants[v]]
    rivalry = scene.state.ties.rivalry

    def mutual(a: int, b: int) -> float:
        return single(rivalry[a][b] + rivalry[b][a])

    first, second = max(
        ((a, b) for a in candidates for b in candidates if a < b), key=lambda pair: (mutual(*pair), -pair[0], -pair[1])
    )
    rest = [c for c in candidates if c not in (first, second)]
    rest.sort(key=lambda c: (-single(mutual(c, first) + mutual(c, second)), c))
    return [first, second, *rest][: params.max_participants[v]]


def report_shocks(scene: Scene) -> None:
    """Derive the shocks in force (end of 4.1.3) and what things cost now (3.3)."""
    params, events, shocks = scene.params, scene.state.perturbations, scene.out.outcomes.shocks
    for p in range(len(params.economy.price)):
        for v, kind in enumerate(params.perturbation.kind):
            if kind == Perturb.PRICE_SPIKE and active(scene, v) and params.perturbation.price_mask[v][p]:
                shocks.price_factor[p] *= events.magnitude[v]
    shocks.utility_on = [scene.utility_on(u) for u in range(len(shocks.utility_on))]
    shocks.closed = [scene.closed(o) for o in range(len(shocks.closed))]
    shocks.city_event = scene.city_event()
    base = scene.state.controls.price
    price_now = [price * factor for price, factor in zip(base, shocks.price_factor, strict=True)]
    scene.out.outcomes.trades.price_now = price_now
    scene.cost = [sum(w * p for w, p in zip(row, price_now, strict=True)) for row in params.affordances.price_weight]


def relocation(scene: Scene) -> None:
    """4.1.4: members of a meet that starts now go to its tile."""
    events, shocks = scene.state.perturbations, scene.out.outcomes.shocks
    for a in scene.agents:
        meets = [v for v, started in enumerate(shocks.started) if started and events.member[v][a]]
        if not meets:
            continue
        scene.end_engagement(a, Abort.RELOCATED)
        scene.state.roster.position[a] = scene.params.world.meet_tile[meets[0]][:]
        scene.state.roster.reset_flag[a] = True
        shocks.relocated[a] = meets[0]
