"""Events of work and rent: shifts, absences, coworkers, the exit queue (MECHANICS 10)."""

from typing import Any

import numpy as np

from townlet_jax.core.enums import NEVER, ExitRoute
from townlet_jax.telemetry.decode_people import who
from townlet_jax.telemetry.decode_things import Found, places, real
from townlet_jax.telemetry.lived import Lived, absent_shifts, attendance_ratio
from townlet_jax.telemetry.naming import Words, named


def shifts(words: Words, lived: Lived) -> Found:
    """Shifts begun, over, left early."""
    told, work = lived.outcomes.shifts, lived.seen.employment
    for i, slot in places(told.begun):
        yield i, slot, _shift(words, lived, "shift_begun", i, slot)
    for i, slot in places(told.finalised):
        ratio = real(attendance_ratio(np.asarray(work.attendance)[i, slot]))
        event = _shift(words, lived, "shift_finalised", i, slot)
        yield i, slot, event | {"sample": real(told.sample[i, slot]), "attendance_ratio": ratio}
    for i, slot in places(told.departed):
        yield i, slot, _shift(words, lived, "shift_departed_early", i, slot)


def absences(words: Words, lived: Lived) -> Found:
    """Agents late or absent for the first time in a shift."""
    told, work = lived.outcomes.shifts, lived.seen.employment
    for i, slot in places(told.late_told):
        since = lived.first_tick + i - int(work.shift_start_tick[i, slot])
        yield i, slot, _shift(words, lived, "shift_late_start", i, slot) | {"ticks_since_start": since}
    for i, slot in places(told.absent_told):
        day = np.asarray((lived.first_tick + i) // words.ticks_per_day)
        look_back = int(words.params.employment.absence_days)
        amount = int(absent_shifts(np.asarray(work.absence_day)[i, slot], day, look_back))
        yield i, slot, _shift(words, lived, "shift_absent", i, slot) | {"absent_shifts": amount}


def coworkers(words: Words, lived: Lived) -> Found:
    """Coworkers that helped, and coworkers that took a shift."""
    told = lived.outcomes.shifts
    kinds = (("employment_helped_when_late", told.helped), ("employment_took_my_shift", told.took_shift))
    for name, pairs in kinds:
        for i, slot in places(pairs.any(axis=-1)):
            others = [who(words, lived, i, other) for other in np.flatnonzero(pairs[i, slot]).tolist()]
            yield i, slot, {"event": name, "agent": who(words, lived, i, slot), "coworkers": others}


def rents(words: Words, lived: Lived) -> Found:
    """Rent taken, and rent that could not be."""
    trades = lived.outcomes.trades
    for i, slot in places(trades.rent_paid > 0):
        amount = real(trades.rent_paid[i, slot])
        yield i, slot, {"event": "rent_paid", "agent": who(words, lived, i, slot), "amount": amount}
    for i, slot in places(trades.rent_unpaid):
        days = int(lived.seen.unpaid_days[i, slot])
        yield i, slot, {"event": "rent_unpaid", "agent": who(words, lived, i, slot), "unpaid_days": days}


def exit_queue(words: Words, lived: Lived) -> Found:
    """Agents that entered the exit queue, and those beyond its limit."""
    told = lived.outcomes.exit_queue
    asked_before = np.asarray(lived.states.exits.asked_tick)[:-1] != NEVER
    for i, slot in places(told.pending):
        length = int(asked_before[i].sum()) + int(told.pending[i, : slot + 1].sum())
        yield i, slot, _exit(words, lived, "employment_exit_pending", i, slot) | {"pending_count": length}
    for i, slot in places(told.overflow):
        limit = int(words.params.employment.exit_queue_limit)
        yield i, slot, _exit(words, lived, "employment_exit_queue_overflow", i, slot) | {"limit": limit}


def exits(words: Words, lived: Lived) -> Found:
    """Agents that leave through the exit queue."""
    route = lived.outcomes.exit_queue.route
    for i, slot in places(route != ExitRoute.NONE):
        job = named(words.jobs, int(lived.seen.employment.job[i, slot])) or ""
        event = _exit(words, lived, "employment_exit_processed", i, slot)
        yield i, slot, event | {"job": job, "route": ExitRoute(int(route[i, slot])).name.lower()}


def _shift(words: Words, lived: Lived, event: str, i: int, slot: int) -> dict[str, Any]:
    job = words.jobs[int(lived.seen.employment.job[i, slot])]
    return {"event": event, "agent": who(words, lived, i, slot), "job": job}


def _exit(words: Words, lived: Lived, event: str, i: int, slot: int) -> dict[str, Any]:
    return {"event": event, "agent": who(words, lived, i, slot)}
