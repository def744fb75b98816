"""Phase live: the employment machine (4.4.1 to 4.4.6)."""

from reference.act import both_ways
from reference.scene import Scene, cheb, clip
from townlet_jax.core.enums import NEVER, NOBODY, Phase, ShiftFlag, TieEvent

AT_WORK = (Phase.ON_TIME, Phase.LATE)


def employment(scene: Scene) -> None:
    """4.4.1 to 4.4.6: first everybody's new phase, then its effects, then the wallets."""
    work = scene.state.employment
    phases_before = work.phase[:]
    is_open = [begin_if_due(scene, a) for a in scene.agents]
    for a in scene.agents:
        work.phase[a] = int(next_phase(scene, a, is_open[a], Phase(phases_before[a])))
    for a in scene.agents:
        if scene.state.roster.alive[a] and work.job[a] != NOBODY:
            effects(scene, a, Phase(phases_before[a]), is_open[a])
        if work.phase[a] != phases_before[a]:
            scene.out.outcomes.shifts.phase_entered[a] = work.phase[a]
    pay(scene)


def works(scene: Scene, a: int) -> bool:
    """Say whether somebody with a job lives in the slot."""
    return bool(scene.state.roster.alive[a] and scene.state.employment.job[a] != NOBODY)


def shift_clock(scene: Scene, a: int) -> int:
    """Return r: ticks since the shift of the job began, modulo a day."""
    start: int = scene.params.jobs.start[scene.state.employment.job[a]]
    return (scene.tick_of_day - start) % int(scene.params.clock.ticks_per_day)


def begin_if_due(scene: Scene, a: int) -> bool:
    """4.4.1: begin the shift in its first tick; say whether it is open."""
    if not works(scene, a):
        return False
    work = scene.state.employment
    since = shift_clock(scene, a)
    if since == 0:
        work.shift_start_tick[a] = scene.tick
        work.last_present_tick[a] = NEVER
        work.on_time_ticks[a] = work.late_ticks[a] = 0
        work.shift_paid[a] = work.shift_withheld[a] = 0.0
        work.flags[a] = 0
        scene.out.outcomes.shifts.begun[a] = True
        return True
    return bool(work.shift_start_tick[a] != NEVER and since < scene.params.jobs.length[work.job[a]])


def here(scene: Scene, a: int) -> bool:
    """Say whether an agent is at its site (1.1)."""
    site = scene.params.world.site_tile[scene.state.employment.job[a]]
    return bool(cheb(scene.state.roster.position[a], site) <= scene.params.employment.site_range)


def next_phase(scene: Scene, a: int, is_open: bool, before: Phase) -> Phase:
    """4.4.2: the table of phases, its rows from top to bottom."""
    if not works(scene, a):
        return Phase.IDLE
    work, rules = scene.state.employment, scene.params.employment
    since = shift_clock(scene, a)
    if is_open and here(scene, a):
        work.last_present_tick[a] = scene.tick
        if work.flags[a] & ShiftFlag.WAS_ON_TIME or since <= rules.grace_ticks:
            work.flags[a] |= int(ShiftFlag.WAS_ON_TIME)
            return Phase.ON_TIME
        return Phase.LATE
    if is_open:
        last = work.last_present_tick[a]
        if since <= rules.grace_ticks:
            return Phase.AWAIT
        if since > rules.absent_cutoff:
            return Phase.ABSENT
        if last != NEVER and scene.tick - last > rules.absence_slack:
            return Phase.ABSENT
        return Phase.LATE
    if work.shift_start_tick[a] != NEVER:
        finalise(scene, a)
        return Phase.POST
    until = -since % scene.params.clock.ticks_per_day
    if 1 <= until <= rules.arrival_buffer:
        return Phase.AWAIT
    return Phase.POST if before == Phase.POST else Phase.IDLE


def finalise(scene: Scene, a: int) -> None:
    """4.4.4."""
    work, record = scene.state.employment, scene.out.outcomes.shifts
    length = scene.params.jobs.length[work.job[a]]
    sample = clip(work.on_time_ticks[a] / length, 0.0, 1.0)
    record.finalised[a], record.sample[a] = True, sample
    record.on_time_ticks[a], record.length[a] = work.on_time_ticks[a], length
    work.attendance[a] = [sample, *work.attendance[a][:-1]]
    work.shift_start_tick[a] = work.last_present_tick[a] = NEVER
    work.flags[a] = 0


def coworkers(scene: Scene, a: int) -> list[int]:
    """Return who of the same job is at work in this tick."""
    work = scene.state.employment
    return [b for b in scene.living if b != a and work.job[b] == work.job[a] and work.phase[b] in AT_WORK]


def effects(scene: Scene, a: int, before: Phase, is_open: bool) -> None:
    """4.4.3."""
    work, record = scene.state.employment, scene.out.outcomes.shifts
    phase = Phase(work.phase[a])
    work.flags[a] &= ~int(ShiftFlag.ON_SHIFT)
    if phase in AT_WORK:
        work.flags[a] &= ~int(ShiftFlag.ABSENT_FINED)
    if phase == Phase.ON_TIME:
        work.on_time_ticks[a] += 1
        paid_tick(scene, a)
    elif phase == Phase.LATE:
        late_effects(scene, a, before)
    elif phase == Phase.ABSENT:
        absent_effects(scene, a)
    leaving = phase in (Phase.AWAIT, Phase.ABSENT) and before in AT_WORK and is_open
    if leaving and first_time(scene, a, ShiftFlag.DEPARTED_TOLD):
        record.departed[a] = True
    work.shift_paid[a] += record.paid[a]
    work.shift_withheld[a] += record.withheld[a]


def first_time(scene: Scene, a: int, flag: ShiftFlag) -> bool:
    """Set a flag; say whether it was clear before."""
    flags = scene.state.employment.flags
    was_clear = not flags[a] & flag
    flags[a] |= int(flag)
    return was_clear


def paid_tick(scene: Scene, a: int) -> None:
    """The agent earns its wage of this tick."""
    work = scene.state.employment
    scene.out.outcomes.shifts.paid[a] = scene.params.jobs.wage_rate[work.job[a]]
    work.flags[a] |= int(ShiftFlag.ON_SHIFT)


def late_effects(scene: Scene, a: int, before: Phase) -> None:
    """The row LATE of 4.4.3."""
    work, record, job = scene.state.employment, scene.out.outcomes.shifts, scene.state.employment.job[a]
    work.late_ticks[a] += 1
    work.late_today[a] += 1
    if before not in AT_WORK and first_time(scene, a, ShiftFlag.FINED):
        record.fine[a] += scene.params.jobs.lateness_penalty[job]
        record.fined[a] = True
    if here(scene, a):
        paid_tick(scene, a)
    else:
        record.fine[a] += scene.params.employment.late_tick_penalty
        record.withheld[a] = scene.params.jobs.wage_rate[job]
    if first_time(scene, a, ShiftFlag.LATE_TOLD):
        record.late_told[a] = True
    colleagues = coworkers(scene, a)
    if colleagues and first_time(scene, a, ShiftFlag.HELPED):
        for b in colleagues:
            record.helped[a][b] = True
            both_ways(scene, a, b, TieEvent.EMPLOYMENT_HELP)


def absent_effects(scene: Scene, a: int) -> None:
    """The row ABSENT of 4.4.3."""
    work, record, job = scene.state.employment, scene.out.outcomes.shifts, scene.state.employment.job[a]
    if first_time(scene, a, ShiftFlag.ABSENT_FINED):
        record.fine[a] += scene.params.employment.absence_penalty
    record.withheld[a] = scene.params.jobs.wage_rate[job]
    if first_time(scene, a, ShiftFlag.ABSENT_TOLD):
        work.absence_day[a] = [scene.day, *work.absence_day[a][:-1]]
        record.absent_told[a] = True
    colleagues = coworkers(scene, a)
    if colleagues and first_time(scene, a, ShiftFlag.TAKEN):
        for b in colleagues:
            record.took_shift[a][b] = True
            both_ways(scene, a, b, TieEvent.SHIFT_TAKEN)


def pay(scene: Scene) -> None:
    """4.4.6: fines first, then pay."""
    wallet, record = scene.state.economy.wallet, scene.out.outcomes.shifts
    for a in scene.agents:
        record.fine_taken[a] = min(record.fine[a], wallet[a])
        wallet[a] = max(0.0, wallet[a] - record.fine[a]) + record.paid[a]
