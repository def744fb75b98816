"""Timetables entry by entry (MECHANICS 14.8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from policy.places import ADA, BEN, CAFE, FRIDGE, NOON, Place, at_tick, change, feel, put, stand
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY, Kind, Option
from townlet_jax.core.state import TownState
from townlet_jax.policy.schedule import Cursor, Schedule, play, schedule
from townlet_jax.policy.timetable import compile_schedule, direction_field


@dataclass(frozen=True)
class Entry:
    """An entry as the configuration gives it."""

    do: str
    ticks: int | None = None
    object: str | None = None
    affordance: str | None = None
    success: bool | None = None
    target: str | None = None
    quality: float | None = None
    direction: str | None = None
    position: tuple[int, int] | None = None
    option: str | None = None


def table(place: Place, *lists: Sequence[Entry]) -> Schedule:
    """Compile timetables for the first slots of the default town."""
    blocked = np.asarray(place.params.world.blocked)
    return compile_schedule(lists, place.names, num_agents=8, blocked=blocked)


def played(place: Place, timetable: Schedule, states: Sequence[TownState]) -> Iterator[tuple[Intents, Cursor]]:
    """Play a table over states one tick apart."""
    cursor = schedule(timetable).init(place.params, place.start)
    for state in states:
        intents, cursor = play(place.params, state, timetable, cursor)
        yield intents, cursor


def still(state: TownState, ticks: int) -> list[TownState]:
    """Return a town in which only the clock moves."""
    return [at_tick(state, NOON + t) for t in range(ticks)]


def of_ada(timeline: Iterator[tuple[Intents, Cursor]], field: str) -> list[Any]:
    """Return one field of ada's intents, tick by tick."""
    return [np.asarray(getattr(intents, field))[ADA].item() for intents, _ in timeline]


def test_entries_become_intents(place: Place) -> None:
    entries = [
        Entry("use", object="fridge_1", affordance="eat_meal"),
        Entry("request", object="cafe_counter_1"),
        Entry("start", object="fridge_1", affordance="eat_meal"),
        Entry("release", object="fridge_1", success=False),
        Entry("release", object="fridge_1"),
        Entry("blocked", object="fridge_1"),
        Entry("leave"),
        Entry("chat", target="ben", quality=0.25),
        Entry("chat", target="ben"),
        Entry("move", direction="south"),
        Entry("wait"),
    ]
    rows = [intents for intents, _ in played(place, table(place, entries), still(place.start, len(entries) + 1))]
    kinds = [Kind(int(intents.kind[ADA])).name for intents in rows]
    expected = [
        "USE",
        "REQUEST",
        "START",
        "RELEASE",
        "RELEASE",
        "BLOCKED",
        "LEAVE",
        "CHAT",
        "CHAT",
        "MOVE",
        "WAIT",
        "USE",
    ]
    assert kinds == expected
    assert [int(i.object[ADA]) for i in rows[:6]] == [FRIDGE, CAFE, FRIDGE, FRIDGE, FRIDGE, FRIDGE]
    assert [int(i.affordance[ADA]) for i in rows[:4]] == [1, NOBODY, 1, NOBODY]
    assert [bool(i.success[ADA]) for i in rows[3:5]] == [False, True]
    assert [int(i.target[ADA]) for i in rows[7:9]] == [BEN, BEN]
    assert [float(i.quality[ADA]) for i in rows[7:9]] == [0.25, -1.0]
    assert int(rows[9].direction[ADA]) == 2
    assert all(int(i.flat[ADA]) == NOBODY for i in rows)
    assert all(int(i.kind[BEN]) == Kind.WAIT for i in rows)  # no timetable


def test_waiting_lasts_and_the_list_is_cyclic(place: Place) -> None:
    entries = [Entry("wait", ticks=3), Entry("leave")]
    kinds = of_ada(played(place, table(place, entries), still(place.start, 9)), "kind")
    assert kinds == [0, 0, 0, 7, 0, 0, 0, 7, 0]


def test_a_walk_ends_in_the_tick_in_which_the_tile_is_reached(place: Place) -> None:
    entries = [Entry("walk_to", position=(7, 7)), Entry("leave")]
    states = [at_tick(stand(place.start, x, 7), NOON + t) for t, x in enumerate((5, 6, 7, 7, 7))]
    timeline = list(played(place, table(place, entries), states))
    assert [int(i.kind[ADA]) for i, _ in timeline] == [Kind.MOVE, Kind.MOVE, Kind.LEAVE, Kind.WAIT, Kind.LEAVE]
    assert [int(i.direction[ADA]) for i, _ in timeline][:2] == [1, 1]


def test_a_walk_goes_on_after_a_tick_without_a_step(place: Place) -> None:
    entries = [Entry("walk_to", position=(7, 7)), Entry("leave")]
    states = [at_tick(stand(place.start, x, 7), NOON + t) for t, x in enumerate((5, 5, 6, 7))]
    kinds = of_ada(played(place, table(place, entries), states), "kind")
    assert kinds == [Kind.MOVE, Kind.MOVE, Kind.MOVE, Kind.LEAVE]


def test_hold_runs_a_controller(place: Place) -> None:
    entries = [Entry("hold", option="go_home", ticks=2), Entry("hold", option="sleep", ticks=1), Entry("wait")]
    away = stand(place.start, 8, 7)
    timeline = list(played(place, table(place, entries), still(away, 4)))
    assert [int(i.flat[ADA]) for i, _ in timeline] == [4, 4, 4, NOBODY]  # west, west, west to the bed, wait
    assert [int(i.option[ADA]) for i, _ in timeline] == [Option.GO_HOME, Option.GO_HOME, Option.SLEEP, Option.IDLE]
    assert [bool(i.switched[ADA]) for i, _ in timeline] == [False, False, True, False]
    assert int(timeline[0][0].flat[BEN]) == NOBODY


def test_newcomers_start_over_and_the_dead_wait(place: Place) -> None:
    entries = [Entry("leave"), Entry("move", direction="north"), Entry("wait")]
    states = still(place.start, 5)
    states[2] = put(states[2], "roster", "alive", ADA, False)
    states[3] = put(states[3], "roster", "born_tick", ADA, NOON + 3)
    kinds = of_ada(played(place, table(place, entries), states), "kind")
    assert kinds == [Kind.LEAVE, Kind.MOVE, Kind.WAIT, Kind.LEAVE, Kind.MOVE]


def test_possession_stops_the_clock_of_a_timetable(place: Place) -> None:
    entries = [Entry("wait", ticks=2), Entry("leave")]
    states = still(place.start, 4)
    states[1] = change(states[1], controls={"possessed": jnp.ones(8, bool)})
    kinds = of_ada(played(place, table(place, entries), states), "kind")
    assert kinds == [Kind.WAIT, Kind.WAIT, Kind.WAIT, Kind.LEAVE]


def test_fields_lead_the_short_way_north_east_south_west() -> None:
    blocked = np.zeros((3, 4), bool)
    blocked[1, 1] = True
    field = direction_field(blocked, (2, 1))
    assert field.tolist() == [[1, 1, 2, 2], [0, -1, -1, 3], [1, 1, 0, 0]]
    blocked[:, 1] = True
    assert direction_field(blocked, (2, 1))[:, 0].tolist() == [-1, -1, -1]


def test_bad_tiles_are_refused(place: Place) -> None:
    with pytest.raises(ValueError, match=r"walk_to \[99, 1\] lies off the map of 48 x 48 tiles"):
        table(place, [Entry("walk_to", position=(99, 1))])
    with pytest.raises(ValueError, match=r"walk_to \[0, 0\] is a blocked tile"):
        table(place, [Entry("walk_to", position=(0, 0))])
    with pytest.raises(ValueError, match="9 timetables do not fit 8 agent slots"):
        table(place, *[[Entry("wait")]] * 9)


def test_no_timetable_at_all(place: Place) -> None:
    nothing = table(place)
    assert not nothing.has_holds
    kinds = of_ada(played(place, nothing, still(feel(place.start, hunger=0.1), 2)), "kind")
    assert kinds == [Kind.WAIT, Kind.WAIT]
