"""The observation (MECHANICS 6): features of one agent by name, in the order of 6.1; then everybody's rows."""

import math
from types import SimpleNamespace

from reference import legal, maps
from reference.records import Plain
from reference.sight import Sight, Words, company, embedding, fraction, unit
from reference.starts import attendance_ratio
from townlet_jax.core.enums import NEVER, NOBODY, UNREACHABLE, Counter, Kind, Option, Phase, ShiftFlag, Trait
from townlet_jax.core.spec import Spec

Features = dict[str, float]  # in order
COMPASS = (("north", 0), ("south", 2), ("east", 1), ("west", 3))  # order of the path hint, with codes of 1.2
CLOCKWISE = (("north", 0), ("east", 1), ("south", 2), ("west", 3))  # order of the ways to work and home
VECTORS = {-1: (0, 0), 0: (0, -1), 1: (1, 0), 2: (0, 1), 3: (-1, 0)}  # by direction
LANDMARKS = ("fridge", "stove", "bed", "shower")
PHASES = {
    "shift_pre": (Phase.IDLE, Phase.AWAIT),
    "shift_on_time": (Phase.ON_TIME,),
    "shift_late": (Phase.LATE,),
    "shift_absent": (Phase.ABSENT,),
    "shift_post": (Phase.POST,),
}


def observe(spec: Spec, params: Plain, words: Words, *, seen: Plain, after: Plain, option: list[int]) -> Plain:
    """Return the observation of one town and the names of its features and channels."""
    sight = Sight(spec, legal.still(params, seen, after.clock.tick), after, option, words)
    alive = seen.roster.alive
    rows = [features(sight, a) if is_alive else {} for a, is_alive in enumerate(alive)]
    names = list(features(sight, 0))
    channels = maps.channels(spec)
    nothing = [[[0] * sight.side for _ in range(sight.side)] for _ in channels]
    return SimpleNamespace(
        names=names,
        channels=channels,
        features=[[row.get(name, 0.0) for name in names] for row in rows],
        map=[maps.map_of(sight, a) if is_alive else nothing for a, is_alive in enumerate(alive)],
        path=maps.path(sight),
        mask=legal.mask(params, after),
        valid=alive,
    )


def features(sight: Sight, a: int) -> Features:
    """Return the features of one agent."""
    row = {**body(sight, a), **shift(sight, a), **past(sight, a), **path_hint(sight, a), **neighbours(sight, a)}
    if sight.spec.landmarks:
        row |= landmarks(sight, a)
    if sight.spec.personality_channels:
        row |= {f"personality_{trait.name.lower()}": sight.scene.trait(a, trait) for trait in Trait}
    row |= social(sight, a)
    if sight.spec.extended_features:
        row |= {**activity(sight, a), **timetable(sight, a), **commute(sight, a), **weather(sight, a)}
    if sight.spec.action_space == "options":
        row |= {f"option_{option.name.lower()}": sight.option[a] == option for option in Option}
    return row


def body(sight: Sight, a: int) -> Features:
    """0 to 9."""
    scene, state = sight.scene, sight.scene.state
    hunger, hygiene, energy = state.needs.level[a]
    angle = 2 * math.pi * scene.tick_of_day / scene.params.clock.ticks_per_day
    return {
        "need_hunger": hunger,
        "need_hygiene": hygiene,
        "need_energy": energy,
        "wallet": sight.norm(state.economy.wallet[a], "wallet_scale"),
        "lateness_counter": sight.norm(state.tally.count[a][Counter.LATE_SHIFTS], "count_scale"),
        "on_shift": state.employment.flags[a] & ShiftFlag.ON_SHIFT != 0,
        "time_sin": math.sin(angle),
        "time_cos": math.cos(angle),
        "attendance_ratio": attendance_ratio(state.employment.attendance[a]),
        "wages_withheld": sight.norm(state.tally.withheld[a], "withheld_scale"),
    }


def shift(sight: Sight, a: int) -> Features:
    """10 to 17."""
    state, day = sight.scene.state, sight.scene.params.clock.ticks_per_day
    slot = state.embeddings.slot[a]
    leaves = state.roster.alive[a] and not sight.after.roster.alive[a]
    return {
        **{name: state.employment.phase[a] in phases for name, phases in PHASES.items()},
        "embedding_slot_norm": slot / sight.spec.embedding_slots if slot != NOBODY else 0.0,
        "ctx_reset_flag": state.roster.reset_flag[a] or leaves,
        "episode_progress": min(max(state.clock.episode_tick[a] / day, 0.0), 1.0),
    }


def past(sight: Sight, a: int) -> Features:
    """18 to 24."""
    scene, roster, queues = sight.scene, sight.scene.state.roster, sight.scene.state.queues
    applied = roster.last_ticks[a] != 0
    return {
        "rivalry_max": max(scene.state.ties.rivalry[a]),
        "rivalry_avoid_count": sight.norm(sum(scene.avoids(a, b) for b in scene.agents), "count_scale"),
        "last_action_id_hash": fraction(Kind(roster.last_kind[a]).name.lower()) if applied else 0.0,
        "last_action_success": roster.last_ok[a],
        "last_action_duration": sight.norm(roster.last_ticks[a], "ticks_scale"),
        "reservation_active": queues.holding[a] != NOBODY,
        "in_queue": queues.waiting[a] != NOBODY,
    }


def path_hint(sight: Sight, a: int) -> Features:
    """25 to 28: the way to what the lowest need asks for (6.2)."""
    level = sight.scene.state.needs.level[a]
    kind = sight.words.kind(sight.words.hint_types[level.index(min(level))])
    if sight.spec.hints == "bfs":
        target = sight.nearest_by_steps(a, kind)
        direction = sight.route(a, target)[1] if target != NOBODY else -1
        return {f"path_hint_{name}": direction == code for name, code in COMPASS}
    target = sight.nearest_as_the_crow_flies(a, kind)
    dx, dy = sight.vector(a, target) if target != NOBODY else (0, 0)
    far = max(abs(dx) + abs(dy), 1)
    shares = {"north": max(0, -dy), "south": max(0, dy), "east": max(0, dx), "west": max(0, -dx)}
    return {f"path_hint_{name}": share / far for name, share in shares.items()}


def neighbours(sight: Sight, a: int) -> Features:
    """29 to 32."""
    here, others, area = sight.scene.state.roster.position[a], sight.others(a), sight.side**2
    apart = [math.dist(here, sight.scene.state.roster.position[b]) for b in others]
    held = [tile for tile in sight.held_tiles() if max(abs(tile[0] - here[0]), abs(tile[1] - here[1])) <= sight.radius]
    return {
        "neighbor_agent_ratio": min(1.0, len(others) / (area - 1)),
        "neighbor_object_ratio": min(1.0, len(sight.objects_near(a)) / area),
        "reserved_tile_ratio": len(held) / area,
        "nearest_agent_distance": min(min((d for d in apart if d > 0), default=0.0) / sight.radius, 1.0),
    }


def landmarks(sight: Sight, a: int) -> Features:
    """33 to 44 (6.2)."""
    row: Features = {}
    for name in LANDMARKS:
        dx, dy, far = landmark(sight, a, sight.words.kind(name))
        row |= {f"landmark_{name}_dx": dx, f"landmark_{name}_dy": dy}
        row[f"landmark_{name}_dist"] = sight.norm(far, "distance_scale")
    return row


def landmark(sight: Sight, a: int, kind: int) -> tuple[float, float, float]:
    """Return direction and distance of the nearest object of a type, zeros without one."""
    if sight.spec.hints == "bfs":
        target = sight.nearest_by_steps(a, kind)
        steps, direction = sight.route(a, target) if target != NOBODY else (0, -1)
        return (*VECTORS[direction], steps)
    target = sight.nearest_as_the_crow_flies(a, kind)
    dx, dy = sight.vector(a, target) if target != NOBODY else (0, 0)
    return (*unit(dx, dy), math.hypot(dx, dy))


def social(sight: Sight, a: int) -> Features:
    """48 to 95 (6.3): social slots, then what they add up to."""
    row: Features = {}
    ties, known = sight.scene.state.ties, company(sight, a)
    for i in range(sight.spec.top_friends + sight.spec.top_rivals):
        b = known[i] if i < len(known) else NOBODY
        entry = embedding(sight.scene.state.embeddings.slot[b] if b != NOBODY else NOBODY)
        row |= {f"social_{i}_embedding_{j}": value for j, value in enumerate(entry)}
        for name in ("trust", "familiarity", "rivalry"):
            row[f"social_{i}_{name}"] = getattr(ties, name)[a][b] if b != NOBODY else 0.0
    if sight.spec.aggregates:
        for name in ("trust", "rivalry"):
            felt = [getattr(ties, name)[a][b] for b in known]
            row[f"social_{name}_mean"] = sum(felt) / len(felt) if felt else 0.0
            row[f"social_{name}_max"] = max(felt, default=0.0)
    return row


def activity(sight: Sight, a: int) -> Features:
    """96 to 103."""
    scene, state = sight.scene, sight.scene.state
    engaged = scene.engaged_object(a)
    users = [b for b in scene.agents if b != a and engaged != NOBODY and scene.engaged_object(b) == engaged]
    queue = scene.queues().get(state.queues.waiting[a], [])
    return {
        "has_job": state.employment.job[a] != NOBODY,
        "is_busy": scene.busy(a),
        "busy_remaining": sight.norm(state.activities.remaining[a] if scene.busy(a) else 0, "ticks_scale"),
        "is_asleep": scene.asleep(a),
        "chat_ready": scene.tick + 1 >= state.ties.chat_ready_tick[a],
        "rival_in_queue": any(scene.avoids(a, b) for b in users),
        "queue_position": (queue.index(a) + 1) / sight.spec.num_agents if a in queue else 0.0,
        "unpaid_days": state.economy.unpaid_days[a] / scene.params.economy.max_unpaid_days,
    }


def timetable(sight: Sight, a: int) -> Features:
    """104, 105: how long until the next shift starts, how long the open one lasts (4.4.1)."""
    scene, work, day = sight.scene, sight.scene.state.employment, sight.scene.params.clock.ticks_per_day
    job = work.job[a]
    starts_in = remaining = 0
    if job != NOBODY:
        start, length = scene.params.jobs.start[job], scene.params.jobs.length[job]
        r = (scene.tick_of_day - start) % day
        if work.shift_start_tick[a] != NEVER and r < length:
            remaining = length - 1 - r
        else:
            starts_in = next(n for n in range(day) if (scene.tick_of_day + n - start) % day == 0)
    return {"shift_starts_in": starts_in / day, "shift_remaining": remaining / day}


def commute(sight: Sight, a: int) -> Features:
    """106 to 115: the ways to work and home."""
    job, home = sight.scene.state.employment.job[a], sight.scene.state.roster.home[a]
    work = sight.route(a, sight.job_target(job)) if job != NOBODY else (UNREACHABLE, -1)
    row: Features = {}
    for place, (steps, direction) in (("work", work), ("home", sight.route(a, sight.home_target(home)))):
        row |= {f"{place}_{name}": direction == code for name, code in CLOCKWISE}
        row[f"{place}_distance"] = sight.norm(max(steps, 0), "distance_scale")
    return row


def weather(sight: Sight, a: int) -> Features:
    """116 to 119: networks, prices, and how near the agent is to fainting."""
    scene, lifecycle = sight.scene, sight.scene.state.lifecycle
    weights, base = scene.params.economy.basket_weight, scene.state.controls.price
    now = sum(w * price for w, price in zip(weights, scene.out.outcomes.trades.price_now, strict=True))
    usual = sum(w * price for w, price in zip(weights, base, strict=True))
    return {
        **{f"{name}_on": works(sight, name) for name in ("power", "water")},
        "price_level": now / usual - 1 if usual > 0 else 0.0,
        "faint_progress": lifecycle.faint_streak[a] / scene.params.lifecycle.faint_ticks,
    }


def works(sight: Sight, utility: str) -> bool:
    """Say whether a network works; one that the town does not have does."""
    known = sight.words.utilities
    return utility not in known or sight.scene.utility_on(known.index(utility))
