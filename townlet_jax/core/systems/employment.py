"""Shifts: presence, pay, fines, attendance (MECHANICS 4.4.1-4.4.5). Owns `state.employment`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, choose
from townlet_jax.core.enums import NEVER, NOBODY, Phase, ShiftFlag
from townlet_jax.core.outcomes import Shifts
from townlet_jax.core.params import Params
from townlet_jax.core.state import Employment
from townlet_jax.core.struct import Pytree


class Timetable(Pytree):
    """Where the day stands in each agent's shift."""

    has_job: Bool[Array, "A"]
    row: Int[Array, "A"]  # job row, 0 for the jobless
    since: Int[Array, "A"]  # r: ticks since the shift's start of day
    until: Int[Array, "A"]  # ticks to the next start
    length: Int[Array, "A"]  # L


def timetable(params: Params, employment: Employment, *, tick_of_day: Int[Array, ""]) -> Timetable:
    """Return the clock of each agent's shift: r = (tau - start) mod D, until = (start - tau) mod D."""
    row = jnp.clip(employment.job, 0, params.jobs.start.shape[0] - 1)
    start = params.jobs.start[row]
    return Timetable(
        has_job=employment.job != NOBODY,
        row=row,
        since=arrays.wrap(tick_of_day - start, params.clock.ticks_per_day),
        until=arrays.wrap(start - tick_of_day, params.clock.ticks_per_day),
        length=params.jobs.length[row],
    )


class _Presence(Pytree):
    """The next phase and what it was decided from."""

    phase: Int[Array, "A"]
    here: Bool[Array, "A"]
    open: Bool[Array, "A"]
    begun: Bool[Array, "A"]
    finalised: Bool[Array, "A"]


def work(
    params: Params,
    employment: Employment,
    *,
    alive: Bool[Array, "A"],
    position: Int[Array, "A 2"],
    tick: Int[Array, ""],
    tick_of_day: Int[Array, ""],
    day: Int[Array, ""],
) -> tuple[Employment, Shifts]:
    """Run the employment machine for one tick; the coins it tells are paid by economy."""
    after, effects = _work(
        params, employment, alive=alive, position=position, tick=tick, tick_of_day=tick_of_day, day=day
    )
    coworkers = _coworkers(employment.job, effects.working)
    return after, Shifts(
        paid=effects.paid,
        withheld=effects.withheld,
        fine=effects.fine,
        fine_taken=jnp.zeros_like(effects.fine),
        phase_entered=jnp.where(after.phase != employment.phase, after.phase, -1),
        begun=effects.begun,
        finalised=effects.finalised,
        sample=effects.sample,
        on_time_ticks=jnp.where(effects.finalised, after.on_time_ticks, 0),
        length=jnp.where(effects.finalised, _row(params.jobs.length, employment.job), 0),
        fined=effects.fined,
        late_told=effects.late_told,
        absent_told=effects.absent_told,
        departed=effects.departed,
        helped=effects.helped[:, None] & coworkers,
        took_shift=effects.replaced[:, None] & coworkers,
    )


def _row(column: Array, job: Int[Array, "A"]) -> Array:
    return column[jnp.clip(job, 0, column.shape[0] - 1)]


def _coworkers(job: Int[Array, "A"], working: Bool[Array, "A"]) -> Bool[Array, "A A"]:
    """Tell whether column works now in row's job; nobody is its own coworker."""
    slots = arrays.indices(job)
    busy_job = jnp.where(working, job, NOBODY)
    return (job[:, None] == busy_job[None, :]) & (job != NOBODY)[:, None] & (slots[:, None] != slots[None, :])


class _Effects(Pytree):
    """What a tick of work came to, one row an agent."""

    working: Bool[Array, "A"]  # new phase ON_TIME or LATE
    paid: Float[Array, "A"]
    withheld: Float[Array, "A"]
    fine: Float[Array, "A"]
    begun: Bool[Array, "A"]
    finalised: Bool[Array, "A"]
    sample: Float[Array, "A"]
    fined: Bool[Array, "A"]
    late_told: Bool[Array, "A"]
    absent_told: Bool[Array, "A"]
    departed: Bool[Array, "A"]
    helped: Bool[Array, "A"]  # coworkers covered for a late agent
    replaced: Bool[Array, "A"]  # coworkers took the shift of an absent agent


@arrays.unit
def _work(
    params: Params,
    employment: Employment,
    *,
    alive: Bool[Array, "A"],
    position: Int[Array, "A 2"],
    tick: Int[Array, ""],
    tick_of_day: Int[Array, ""],
    day: Int[Array, ""],
) -> tuple[Employment, _Effects]:
    table = timetable(params, employment, tick_of_day=tick_of_day)
    employed = alive & table.has_job
    begun = employed & (table.since == 0)
    employment = _begin(employment, begun, tick)
    presence = _presence(params, employment, table, employed=employed, begun=begun, position=position, tick=tick)
    effects, flags = _effects(params, employment, table, presence)
    finalised, phase = presence.finalised, presence.phase
    memory = (employment.attendance, employment.absence_day)
    news = (finalised, effects.sample, effects.absent_told, jnp.broadcast_to(day, finalised.shape))
    attendance, absence_day = arrays.only_if(jnp.any(finalised | effects.absent_told), _record, memory, news)
    last = jnp.where(presence.open & presence.here, tick, employment.last_present_tick)
    late = (phase == Phase.LATE).astype(jnp.int32)
    return employment.replace(
        phase=phase,
        shift_start_tick=jnp.where(finalised, NEVER, employment.shift_start_tick),
        last_present_tick=jnp.where(finalised, NEVER, last),
        on_time_ticks=employment.on_time_ticks + (phase == Phase.ON_TIME).astype(jnp.int32),
        late_ticks=employment.late_ticks + late,
        late_today=employment.late_today + late,
        flags=jnp.where(finalised, 0, flags),
        shift_paid=employment.shift_paid + effects.paid,
        shift_withheld=employment.shift_withheld + effects.withheld,
        attendance=attendance,
        absence_day=absence_day,
    ), effects


def _record(memory: tuple[Array, Array], news: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
    """Push attendance samples and absence days, newest first."""
    attendance, absence_day = memory
    finalised, sample, absent_told, day = news
    samples = jnp.concatenate([sample[:, None], attendance[:, :-1]], axis=1)
    days = jnp.concatenate([day[:, None], absence_day[:, :-1]], axis=1)
    return (
        arrays.where_rows(finalised, samples, attendance),
        arrays.where_rows(absent_told, days, absence_day),
    )


def _begin(employment: Employment, begun: Bool[Array, "A"], tick: Int[Array, ""]) -> Employment:
    return employment.replace(
        shift_start_tick=jnp.where(begun, tick, employment.shift_start_tick),
        last_present_tick=jnp.where(begun, NEVER, employment.last_present_tick),
        on_time_ticks=jnp.where(begun, 0, employment.on_time_ticks),
        late_ticks=jnp.where(begun, 0, employment.late_ticks),
        shift_paid=jnp.where(begun, 0.0, employment.shift_paid),
        shift_withheld=jnp.where(begun, 0.0, employment.shift_withheld),
        flags=jnp.where(begun, 0, employment.flags),
    )


def _presence(
    params: Params,
    employment: Employment,
    table: Timetable,
    *,
    employed: Bool[Array, "A"],
    begun: Bool[Array, "A"],
    position: Int[Array, "A 2"],
    tick: Int[Array, ""],
) -> _Presence:
    """Decide the next phase; the cases of 4.4.2 are written last to first."""
    rules = params.employment
    started = employment.shift_start_tick != NEVER
    open = employed & (begun | (started & (table.since < table.length)))
    here = choose.chebyshev(position, params.world.site_tile[table.row]) <= rules.site_range
    in_grace = table.since <= rules.grace_ticks
    punctual = arrays.has_bit(employment.flags, ShiftFlag.WAS_ON_TIME) | in_grace
    last = employment.last_present_tick
    left = (last != NEVER) & (tick - last > rules.absence_slack)
    away = jnp.where((table.since > rules.absent_cutoff) | left, Phase.ABSENT, Phase.LATE)
    away = jnp.where(in_grace, Phase.AWAIT, away)
    at_work = jnp.where(here, jnp.where(punctual, Phase.ON_TIME, Phase.LATE), away)
    coming = (table.until >= 1) & (table.until <= rules.arrival_buffer)
    off = jnp.where(employment.phase == Phase.POST, Phase.POST, Phase.IDLE)
    off = jnp.where(coming, Phase.AWAIT, off)
    off = jnp.where(started, Phase.POST, off)
    phase = jnp.where(employed, jnp.where(open, at_work, off), Phase.IDLE)
    return arrays.settled(
        _Presence(phase=phase, here=here, open=open, begun=begun, finalised=employed & started & ~open)
    )


def _effects(
    params: Params, employment: Employment, table: Timetable, presence: _Presence
) -> tuple[_Effects, Int[Array, "A"]]:
    """Pay, fine and tell (4.4.3); also return the next flags."""
    flags, phase = employment.flags, presence.phase
    wage = params.jobs.wage_rate[table.row]
    on_time, late, absent = phase == Phase.ON_TIME, phase == Phase.LATE, phase == Phase.ABSENT
    working = on_time | late
    was_working = (employment.phase == Phase.ON_TIME) | (employment.phase == Phase.LATE)
    paid_now = on_time | (late & presence.here)
    has_coworker = jnp.any(_coworkers(employment.job, working), axis=-1)

    def first(event: Bool[Array, "A"], flag: ShiftFlag) -> Bool[Array, "A"]:
        return event & ~arrays.has_bit(flags, flag)

    fined = first(late & ~was_working, ShiftFlag.FINED)
    late_told = first(late, ShiftFlag.LATE_TOLD)
    absent_fined = first(absent, ShiftFlag.ABSENT_FINED)
    absent_told = first(absent, ShiftFlag.ABSENT_TOLD)
    stopped = ((phase == Phase.AWAIT) | absent) & was_working & presence.open
    departed = first(stopped, ShiftFlag.DEPARTED_TOLD)
    helped = first(late & has_coworker, ShiftFlag.HELPED)
    replaced = first(absent & has_coworker, ShiftFlag.TAKEN)
    fine = jnp.where(fined, params.jobs.lateness_penalty[table.row], 0.0)
    fine = fine + jnp.where(late & ~presence.here, params.employment.late_tick_penalty, 0.0)
    fine = fine + jnp.where(absent_fined, params.employment.absence_penalty, 0.0)
    flags = jnp.where(working, flags & ~int(ShiftFlag.ABSENT_FINED), flags) & ~int(ShiftFlag.ON_SHIFT)
    for event, flag in (
        (on_time, ShiftFlag.WAS_ON_TIME),
        (fined, ShiftFlag.FINED),
        (late_told, ShiftFlag.LATE_TOLD),
        (helped, ShiftFlag.HELPED),
        (absent_fined, ShiftFlag.ABSENT_FINED),
        (absent_told, ShiftFlag.ABSENT_TOLD),
        (replaced, ShiftFlag.TAKEN),
        (departed, ShiftFlag.DEPARTED_TOLD),
        (paid_now, ShiftFlag.ON_SHIFT),
    ):
        flags = flags | jnp.where(event, int(flag), 0)
    done = employment.on_time_ticks.astype(jnp.float32) / table.length.astype(jnp.float32)
    return _Effects(
        working=working,
        paid=jnp.where(paid_now, wage, 0.0),
        withheld=jnp.where((late & ~presence.here) | absent, wage, 0.0),
        fine=fine,
        begun=presence.begun,
        finalised=presence.finalised,
        sample=jnp.where(presence.finalised, jnp.clip(done, 0.0, 1.0), 0.0),
        fined=fined,
        late_told=late_told,
        absent_told=absent_told,
        departed=departed,
        helped=helped,
        replaced=replaced,
    ), flags


def attendance_ratio(employment: Employment) -> Float[Array, "A"]:
    """Return the mean of the attendance samples kept, 0 without any."""
    taken = employment.attendance >= 0
    amount = arrays.count(taken).astype(jnp.float32)
    summed = arrays.total(jnp.where(taken, employment.attendance, 0.0))
    return jnp.where(amount > 0, summed / jnp.maximum(amount, 1.0), 0.0)


def absent_shifts(params: Params, employment: Employment, *, day: Int[Array, ""]) -> Int[Array, "A"]:
    """Count absence days within the look-back."""
    days = employment.absence_day
    return arrays.count((days != NEVER) & (day - days < params.employment.absence_days))


def midnight(employment: Employment, *, alive: Bool[Array, "A"], is_night: Bool[Array, ""]) -> Employment:
    """Start a new day: nobody is late yet, POST becomes IDLE (4.5.2)."""
    tonight = alive & is_night
    return employment.replace(
        late_today=jnp.where(tonight, 0, employment.late_today),
        phase=jnp.where(tonight & (employment.phase == Phase.POST), Phase.IDLE, employment.phase),
    )


@arrays.unit
def clear(employment: Employment, *, gone: Bool[Array, "A"]) -> Employment:
    """Empty the slots of those that left; the job stays with the slot."""

    def empty(field: Array, value: float | int) -> Array:
        return arrays.where_rows(gone, jnp.asarray(value, field.dtype), field)

    return Employment(
        job=employment.job,
        phase=empty(employment.phase, Phase.IDLE),
        shift_start_tick=empty(employment.shift_start_tick, NEVER),
        last_present_tick=empty(employment.last_present_tick, NEVER),
        on_time_ticks=empty(employment.on_time_ticks, 0),
        late_ticks=empty(employment.late_ticks, 0),
        late_today=empty(employment.late_today, 0),
        flags=empty(employment.flags, 0),
        shift_paid=empty(employment.shift_paid, 0.0),
        shift_withheld=empty(employment.shift_withheld, 0.0),
        attendance=empty(employment.attendance, -1.0),
        absence_day=empty(employment.absence_day, NEVER),
    )
