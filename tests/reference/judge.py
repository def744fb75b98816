"""Phase judge: who leaves and why (4.6.1, 4.6.4)."""

from reference.scene import Scene
from townlet_jax.core.enums import EPSILON, NEVER, Exit, ExitRoute, Need

WITHOUT_LIMIT = 10**9


def judge(scene: Scene) -> None:
    """4.6.1: streaks, exits in their order, then the strongest verdict of each agent."""
    count_streaks(scene)
    lifecycle = scene.params.lifecycle
    quiet_now = scene.tick < scene.state.perturbations.quiet_until or scene.city_event()
    ask_for_exit(scene)
    by_job: list[int] = []
    by_rent: list[int] = []
    by_age: list[int] = []
    if not (lifecycle.suppress_exits and quiet_now):
        cap = scene.state.controls.daily_exit_cap
        room = cap - scene.state.exits.exits_today if cap > 0 else WITHOUT_LIMIT
        by_job = exit_queue(scene, room)
        room -= len(by_job)
        by_rent = in_order(scene, [a for a in scene.living if owes_rent(scene, a)], by_job, room)
        room -= len(by_rent)
        by_age = in_order(scene, [a for a in scene.living if too_old(scene, a)], by_job + by_rent, room)
    scene.state.exits.exits_today += len(by_job) + len(by_rent) + len(by_age)
    for a in scene.living:
        reason = verdict(scene, a, by_job, by_rent, by_age)
        scene.out.outcomes.departures.reason[a] = int(reason)
        scene.out.outcomes.departures.gone[a] = reason != Exit.NONE


def verdict(scene: Scene, a: int, by_job: list[int], by_rent: list[int], by_age: list[int]) -> Exit:
    """Return the strongest reason for which an agent leaves."""
    state = scene.state
    faints = state.controls.mortality and state.lifecycle.faint_streak[a] >= scene.params.lifecycle.faint_ticks
    if state.lifecycle.condemned[a] > 0:
        return Exit.KILLED
    if a in by_job:
        return Exit.EVICTION_JOB
    if a in by_rent:
        return Exit.EVICTION_RENT
    if faints:
        return Exit.FAINT
    return Exit.AGE_OUT if a in by_age else Exit.NONE


def count_streaks(scene: Scene) -> None:
    """Count the day of the acting and the ticks in a row at or under the faint threshold."""
    state = scene.state
    for a in scene.living:
        if scene.acting[a]:
            state.clock.episode_tick[a] = (state.clock.episode_tick[a] + 1) % scene.params.clock.ticks_per_day
        starving = state.needs.level[a][Need.HUNGER] <= scene.params.lifecycle.faint_threshold + EPSILON
        state.lifecycle.faint_streak[a] = state.lifecycle.faint_streak[a] + 1 if starving else 0


def absent_shifts(scene: Scene, a: int) -> int:
    """Count the days of absence within the look-back (2.2)."""
    look_back = scene.params.employment.absence_days
    return sum(day != NEVER and scene.day - day < look_back for day in scene.state.employment.absence_day[a])


def ask_for_exit(scene: Scene) -> None:
    """4.6.1.1, also while quiet."""
    rules, exits, out = scene.params.employment, scene.state.exits, scene.out.outcomes.exit_queue
    if not rules.enforce_job_loop or rules.max_absent_shifts <= 0:
        return
    length = sum(asked != NEVER for asked in exits.asked_tick)
    for a in scene.living:
        if exits.asked_tick[a] == NEVER and absent_shifts(scene, a) >= rules.max_absent_shifts:
            exits.asked_tick[a] = scene.tick
            length += 1
            out.pending[a] = True
            out.overflow[a] = 0 < rules.exit_queue_limit < length


def exit_queue(scene: Scene, room: int) -> list[int]:
    """4.6.1.2 to 4: approved, reviewed, then the rest in order while there is room."""
    exits, route = scene.state.exits, scene.out.outcomes.exit_queue.route
    review = scene.params.employment.review_ticks
    open_cases = [a for a in scene.living if scene.state.lifecycle.condemned[a] == 0]
    leaving: list[int] = []
    for a in open_cases:
        if exits.approved[a]:
            route[a] = int(ExitRoute.MANUAL)
            leaving.append(a)
        elif exits.asked_tick[a] != NEVER and scene.tick - exits.asked_tick[a] >= review:
            route[a] = int(ExitRoute.AUTO_REVIEW)
            leaving.append(a)
    rest = [a for a in open_cases if a not in leaving and exits.asked_tick[a] != NEVER]
    rest.sort(key=lambda a: (exits.asked_tick[a], a))
    for a in rest[: max(room - len(leaving), 0)]:
        route[a] = int(ExitRoute.DAILY_CAP)
        leaving.append(a)
    return leaving


def in_order(scene: Scene, candidates: list[int], already: list[int], room: int) -> list[int]:
    """Return who of the candidates leaves: slot order, while there is room, nobody twice."""
    condemned = scene.state.lifecycle.condemned
    free = [a for a in candidates if a not in already and condemned[a] == 0]
    return free[: max(room, 0)]


def owes_rent(scene: Scene, a: int) -> bool:
    """4.6.1.5."""
    economy = scene.params.economy
    return bool(economy.rent_per_day > 0 and scene.state.economy.unpaid_days[a] >= economy.max_unpaid_days)


def too_old(scene: Scene, a: int) -> bool:
    """4.6.1.6."""
    limit = scene.params.lifecycle.max_age_days
    age = scene.tick - scene.state.roster.born_tick[a]
    return bool(limit > 0 and age >= limit * scene.params.clock.ticks_per_day)


def flags(scene: Scene) -> None:
    """4.6.4."""
    horizon = scene.params.clock.horizon_ticks
    for a in scene.agents:
        terminated = scene.acting[a] and scene.out.outcomes.departures.gone[a]
        scene.out.terminated[a] = terminated
        scene.out.truncated[a] = scene.acting[a] and not terminated and horizon > 0 and scene.tick % horizon == 0
        scene.out.valid[a] = scene.acting[a]
