"""Events of a watched town: outcomes and edits become the entries of the catalogue (MECHANICS 10).

Owns the order: by tick, then by row of the catalogue, then by index. Each event occurs exactly once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from townlet_jax.core.state import TownState
from townlet_jax.stretch import Edited
from townlet_jax.telemetry import decode_edits, decode_people, decode_stability, decode_things, decode_work
from townlet_jax.telemetry.lived import Lived
from townlet_jax.telemetry.naming import Words

Event = dict[str, Any]
_Reader = Callable[[Words, Lived], decode_things.Found]


def _trouble(words: Words, lived: Lived) -> Iterator[tuple[int, int, Event]]:
    """Alerts in the order of their codes, then faults."""
    yield from decode_stability.alerts(words, lived)
    for i, index, event in decode_people.faults(words, lived):
        yield i, decode_stability.NUM_ALERTS + index, event


CATALOGUE: tuple[tuple[str, _Reader | None], ...] = (  # rows in order; a row without a reader holds edits only
    ("agent_respawn", decode_people.arrivals),
    ("agent_spawned agent_teleported agent_killed", None),
    ("perturbation_started perturbation_ended", decode_things.perturbations),
    ("perturbation_cancelled", None),
    ("arranged_meet_relocated", decode_people.relocations),
    ("utility_outage utility_restored", decode_things.utilities),
    ("action", decode_people.actions),
    ("action.invalid agent_bumped", decode_people.misunderstandings),
    ("affordance_start", decode_things.starts),
    ("affordance_refused affordance_precondition_fail", decode_things.refusals),
    ("affordance_fail", decode_things.aborts),
    ("affordance_finish", decode_things.finishes),
    ("shower_complete sleep_complete meal_cooked", decode_things.completions),
    ("shared_meal", decode_things.shared_meals),
    ("queue_conflict", decode_things.conflicts),
    ("queue_interaction", decode_things.handovers),
    ("queue_place_lost", decode_things.lost_places),
    ("chat_success chat_failure", decode_people.chats),
    ("rivalry_avoidance", decode_people.avoidances),
    ("shift_begun shift_finalised shift_departed_early", decode_work.shifts),
    ("shift_late_start shift_absent", decode_work.absences),
    ("employment_helped_when_late employment_took_my_shift", decode_work.coworkers),
    ("stock_replenish", decode_things.deliveries),
    ("rent_paid rent_unpaid", decode_work.rents),
    ("economy_price_update", None),
    ("relationship_added relationship_updated relationship_evicted relationship_faded", decode_people.ties),
    ("agent_nightly_reset", decode_people.nights),
    ("employment_exit_pending employment_exit_queue_overflow", decode_work.exit_queue),
    (
        "employment_exit_processed employment_exit_manual_request employment_exit_deferred",
        decode_work.exits,
    ),
    ("agent_removed", decode_people.departures),
    ("embedding_forced_reuse", decode_people.forced_reuses),
    ("alert_raised alert_cleared fault", _trouble),
    ("promotion_window", decode_stability.promotion_windows),
    (
        "console.result policy.promoted policy.rolled_back policy.swapped snapshot.saved snapshot.loaded loop.failure",
        None,
    ),
)
ROW_OF = {name: row for row, (names, _) in enumerate(CATALOGUE) for name in names.split()}
_EDIT = -1  # index inside a row: edits come before what the tick did


def decode(
    words: Words,
    lived: Lived,
    edits: Sequence[Edited] = (),
    *,
    before: TownState | None = None,
    told: Sequence[Event] = (),
) -> list[list[Event]]:
    """Return the events of each tick of a chunk.

    `before` is the town at the end of the chunk before, without the edits that followed; None if unknown. `told` are
    events from elsewhere (analysers, console, session) with their `tick` and `town`.
    """
    found: list[list[tuple[int, int, Event]]] = [[] for _ in range(lived.ticks)]
    for row, (_, reader) in enumerate(CATALOGUE):
        for i, index, event in reader(words, lived) if reader is not None else ():
            found[i].append((row, index, event))
    for edited in edits:
        i = edited.tick - lived.first_tick
        if 0 <= i < lived.ticks:
            earlier = before if i == 0 else None
            for event in decode_edits.edits(words, lived, i, edited, earlier):
                found[i].append((ROW_OF[event["event"]], _EDIT, event))
    for event in told:
        i = min(max(int(event["tick"]) - lived.first_tick, 0), lived.ticks - 1)
        found[i].append((ROW_OF[event["event"]], _EDIT, words.without_names(event)))
    return [_in_order(lived, i, entries) for i, entries in enumerate(found)]


def _in_order(lived: Lived, i: int, entries: list[tuple[int, int, Event]]) -> list[Event]:
    entries.sort(key=lambda entry: entry[:2])
    here = {"tick": lived.first_tick + i, "town": lived.town}
    return [here | event for _, _, event in entries]
