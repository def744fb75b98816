"""Events of objects: perturbations, utilities, affordances, queues, goods (MECHANICS 10)."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from townlet_jax.core.enums import (
    NOBODY,
    Abort,
    Conflict,
    Counter,
    Kind,
    Perturb,
    Reason,
)
from townlet_jax.telemetry.lived import Lived, Table, utility_works
from townlet_jax.telemetry.naming import Words, named

Found = Iterator[tuple[int, int, dict[str, Any]]]  # row of the tick, index inside it, fields
REFUSALS = (Reason.UTILITY_OFF, Reason.NO_CAPACITY, Reason.NO_GOODS, Reason.NO_MONEY)  # and CLOSED for holders
COMPLETED = {
    Counter.SHOWERS_TAKEN: "shower_complete",
    Counter.SLEEP_SESSIONS: "sleep_complete",
    Counter.MEALS_COOKED: "meal_cooked",
}


def real(value: Any) -> float:
    """Return a number as it is published: finite, six decimals."""
    number = round(float(value), 6)
    return number if math.isfinite(number) else 0.0


def places(mask: Any) -> Iterator[tuple[int, ...]]:
    """Yield the indices of true entries, ticks first."""
    found = np.nonzero(mask)
    return zip(*(axis.tolist() for axis in found), strict=True)


def perturbations(words: Words, lived: Lived) -> Found:
    """Starts and ends; what ends is told as it was before the tick."""
    shocks, states = lived.outcomes.shocks, lived.states.perturbations
    for i, spec in places(shocks.ended):
        member = np.flatnonzero(states.member[i, spec])
        names = [words.person(slot, lived.generations[i][slot]) for slot in member.tolist()]
        yield i, spec, {"event": "perturbation_ended"} | about_event(words, states, i, spec, names)
    for i, spec in places(shocks.started):
        member = np.flatnonzero(lived.seen.member[i, spec])
        names = [words.person(slot, lived.generations[i][slot]) for slot in member.tolist()]
        yield i, spec, {"event": "perturbation_started"} | about_event(words, states, i + 1, spec, names)


def about_event(words: Words, states: Any, row: int, spec: int, members: list[str]) -> dict[str, Any]:
    """Return what is said of a running perturbation, from a row of `states.perturbations`."""
    specs = words.params.perturbation
    kind = Perturb(int(specs.kind[spec]))
    spike = kind == Perturb.PRICE_SPIKE
    dark = kind in (Perturb.BLACKOUT, Perturb.OUTAGE)
    name = words.names.perturbations[spec]
    touched = np.flatnonzero(specs.price_mask[spec]).tolist() if spike else []
    return {
        "event_id": f"{name}@{int(states.started_tick[row, spec])}",
        "spec": name,
        "kind": kind.name.lower(),
        "members": members,
        "prices": [words.names.prices[key] for key in touched],
        "factor": real(states.magnitude[row, spec]),
        "utility": named(words.names.utilities, int(specs.utility[spec])) if dark else None,
        "object": named(words.objects, int(states.object[row, spec])),
        "ends_at": int(states.until_tick[row, spec]),
    }


def utilities(words: Words, lived: Lived) -> Found:
    """Utilities that failed or came back."""
    works = np.concatenate([before_first(words, lived), lived.outcomes.shocks.utility_on])
    for i, utility in places(works[1:] != works[:-1]):
        name = "utility_restored" if works[i + 1, utility] else "utility_outage"
        if utility < len(words.names.utilities):
            yield i, utility, {"event": name, "utility": words.names.utilities[utility]}


def before_first(words: Words, lived: Lived) -> Table:
    """Return which utilities worked in the tick before the first one, [1, U]."""
    return utility_works(words.params, lived.states)[:1]


def starts(words: Words, lived: Lived) -> Found:
    """Affordances begun."""
    table = lived.outcomes.starts
    for i, slot in places(table.affordance != NOBODY):
        affordance = int(table.affordance[i, slot])
        yield (
            i,
            slot,
            _use(words, lived, "affordance_start", i, slot, table)
            | {
                "duration": int(words.params.affordances.duration[affordance]),
                "cost": real(table.cost[i, slot]),
            },
        )


def refusals(words: Words, lived: Lived) -> Found:
    """Holders that could not begin."""
    told = lived.outcomes.verdicts
    held = np.asarray(lived.states.queues.holding)[:-1] == told.object
    stayed = lived.outcomes.shocks.relocated == NOBODY
    starting = (told.kind == Kind.START) | (told.kind == Kind.USE)
    closed = (told.reason == Reason.CLOSED) & held & stayed
    refused = starting & (np.isin(told.reason, REFUSALS) | closed)
    failed = starting & (told.reason == Reason.PRECONDITION)
    for i, slot in places(refused | failed):
        name = "affordance_precondition_fail" if failed[i, slot] else "affordance_refused"
        event = _use(words, lived, name, i, slot, told)
        event["reason"] = Reason(int(told.reason[i, slot])).name.lower()
        if failed[i, slot]:
            event["clause"] = " and ".join(words.names.preconditions[int(told.affordance[i, slot])])
            event["clause_index"] = int(told.detail[i, slot])
        yield i, slot, event


def aborts(words: Words, lived: Lived) -> Found:
    """Affordances that ended without effect."""
    table = lived.outcomes.aborts
    for i, slot in places(table.reason != Abort.NONE):
        reason = Abort(int(table.reason[i, slot])).name.lower()
        yield i, slot, _use(words, lived, "affordance_fail", i, slot, table) | {"reason": reason}


def finishes(words: Words, lived: Lived) -> Found:
    """Affordances that ended with their effect, released early ones first."""
    early, done = lived.outcomes.early_finishes, lived.outcomes.finishes
    for i, slot in places(early.affordance != NOBODY):
        yield i, slot, _use(words, lived, "affordance_finish", i, slot, early) | {"early": True, "produced": {}}
    for i, slot in places(done.affordance != NOBODY):
        made = {
            words.names.goods[good]: real(done.produced[i, slot, good])
            for good in np.flatnonzero(done.produced[i, slot]).tolist()
        }
        yield i, slot, _use(words, lived, "affordance_finish", i, slot, done) | {"early": False, "produced": made}


def completions(words: Words, lived: Lived) -> Found:
    """Showers, sleep and cooking brought to their end."""
    done = lived.outcomes.finishes
    counted = np.where(
        done.affordance != NOBODY, words.params.affordances.count_finish[np.maximum(done.affordance, 0)], NOBODY
    )
    for i, slot in places(np.isin(counted, tuple(COMPLETED))):
        yield (
            i,
            slot,
            {
                "event": COMPLETED[Counter(int(counted[i, slot]))],
                "agent": words.person(slot, lived.generations[i][slot]),
                "object": words.objects[int(done.object[i, slot])],
            },
        )


def shared_meals(words: Words, lived: Lived) -> Found:
    """Pairs that ate together; the object is where the one who finished now ate."""
    done = lived.outcomes.finishes
    ate = (done.affordance != NOBODY) & words.params.affordances.is_meal[np.maximum(done.affordance, 0)]
    for i, one, other in places(lived.outcomes.tie_changes.shared_meal):
        eater = one if ate[i, one] else other
        yield (
            i,
            one,
            {
                "event": "shared_meal",
                "agents": [words.person(slot, lived.generations[i][slot]) for slot in (one, other)],
                "object": words.objects[int(done.object[i, eater])],
            },
        )


def conflicts(words: Words, lived: Lived) -> Found:
    """Quarrels in queues, ghost steps first."""
    told = lived.outcomes.conflicts
    kinds = (
        (Conflict.GHOST_STEP, told.rival_ghost, told.intensity_ghost, told.object_ghost, told.length_ghost),
        (Conflict.IMPATIENCE, told.rival_wait, told.intensity_wait, told.object_wait, told.length_wait),
    )
    for reason, rival, intensity, place, length in kinds:
        for i, slot in places(rival != NOBODY):
            here = lived.generations[i]
            yield (
                i,
                slot,
                {
                    "event": "queue_conflict",
                    "object": words.objects[int(place[i, slot])],
                    "actor": words.person(slot, here[slot]),
                    "rival": words.person(int(rival[i, slot]), here[int(rival[i, slot])]),
                    "reason": reason.name.lower(),
                    "intensity": real(intensity[i, slot]),
                    "queue_length": int(length[i, slot]),
                },
            )


def handovers(words: Words, lived: Lived) -> Found:
    """Objects passed on to somebody who waited."""
    told = lived.outcomes.handovers
    for i, slot in places(told.successor != NOBODY):
        here, other = lived.generations[i], int(told.successor[i, slot])
        yield (
            i,
            slot,
            {
                "event": "queue_interaction",
                "object": words.objects[int(told.object[i, slot])],
                "actor": words.person(slot, here[slot]),
                "rival": words.person(other, here[other]),
                "reason": "handover",
                "preferred": bool(told.preferred[i, slot]),
            },
        )


def lost_places(words: Words, lived: Lived) -> Found:
    """Engagements ended by distance."""
    lost = lived.outcomes.queue_losses.object
    for i, slot in places(lost != NOBODY):
        yield (
            i,
            slot,
            {
                "event": "queue_place_lost",
                "agent": words.person(slot, lived.generations[i][slot]),
                "object": words.objects[int(lost[i, slot])],
            },
        )


def deliveries(words: Words, lived: Lived) -> Found:
    """Goods delivered."""
    amount = lived.outcomes.trades.restocked
    goods = amount.shape[-1]
    for i, place, good in places(amount > 0):
        yield (
            i,
            place * goods + good,
            {
                "event": "stock_replenish",
                "object": words.objects[place],
                "good": words.names.goods[good],
                "amount": real(amount[i, place, good]),
            },
        )


def _use(words: Words, lived: Lived, event: str, i: int, slot: int, table: Any) -> dict[str, Any]:
    return {
        "event": event,
        "object": words.objects[int(table.object[i, slot])],
        "agent": words.person(slot, lived.generations[i][slot]),
        "affordance": words.affordances[int(table.affordance[i, slot])],
    }
