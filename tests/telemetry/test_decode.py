"""Events: sums that agree with the measures, order, chunks, and the operator's commands."""

import collections
import hashlib
import json
import re
from typing import Any

import numpy as np
import pytest
from core import stories
from core.worlds import BED, BLACKOUT, REST_SLEEP, SHOWER, SLOTS, SPIKE, USE_SHOWER, World, editable, hamlet

from tests.telemetry import lives
from townlet_jax.config import Built
from townlet_jax.core.enums import Abort, Avoidance, Exit, Fault, Kind, Reason
from townlet_jax.policy import timeline
from townlet_jax.stretch import Edited
from townlet_jax.telemetry.decode import CATALOGUE, ROW_OF, decode
from townlet_jax.telemetry.events import NAMES
from townlet_jax.telemetry.lived import Lived
from townlet_jax.telemetry.naming import Words

LIVES = [(name, town) for name in stories.STORIES for town in (0, 3)]
COUNTED = {  # measure: how much of it an event is
    "conflicts": lambda event: event["event"] == "queue_conflict",
    "conflict_intensity": lambda event: event["intensity"] if event["event"] == "queue_conflict" else 0,
    "ghost_steps": lambda event: event["event"] == "queue_conflict" and event["reason"] == "ghost_step",
    "impatience": lambda event: event["event"] == "queue_conflict" and event["reason"] == "impatience",
    "handovers": lambda event: event["event"] == "queue_interaction",
    "cooldown_refusals": lambda event: event.get("reason") == "cooldown" and event["event"].startswith("action."),
    "chats_ok": lambda event: event["event"] == "chat_success",
    "chats_failed": lambda event: event["event"] == "chat_failure",
    "shared_meals": lambda event: event["event"] == "shared_meal",
    "late_help": lambda event: (
        len(event["coworkers"]) * (event["event"] == "employment_helped_when_late") if "coworkers" in event else 0
    ),
    "shifts_taken": lambda event: (
        len(event["coworkers"]) * (event["event"] == "employment_took_my_shift") if "coworkers" in event else 0
    ),
    "late_starts": lambda event: event["event"] == "shift_late_start",
    "absences": lambda event: event["event"] == "shift_absent",
    "departures_early": lambda event: event["event"] == "shift_departed_early",
    "coins_spent": lambda event: event["cost"] if event["event"] == "affordance_start" else 0,
    "rent_paid": lambda event: event["amount"] if event["event"] == "rent_paid" else 0,
    "rent_unpaid": lambda event: event["event"] == "rent_unpaid",
    "arrivals": lambda event: event["event"] == "agent_respawn",
    "forced_reuses": lambda event: event["event"] == "embedding_forced_reuse",
}


def amounts(events: list[dict[str, Any]], kind: str, key: str, names: tuple[str, ...]) -> list[int]:
    """Count events of a kind by the value of a key."""
    found = collections.Counter(event[key] for event in events if event["event"] == kind)
    return [found[name] for name in names]


@pytest.mark.parametrize(("name", "town"), LIVES)
def test_events_add_up_to_the_measures_of_their_tick(name: str, town: int) -> None:
    measures, words = lives.whole(name, town).measures, lives.words(name, town)
    for i, events in enumerate(lives.happened(name, town)):
        for measure, worth in COUNTED.items():
            told = sum(worth(event) for event in events)
            assert told == pytest.approx(float(getattr(measures, measure)[i]), abs=1e-4), (i, measure)
        assert amounts(events, "affordance_start", "affordance", words.affordances) == measures.starts[i].tolist()
        done = [event for event in events if not event.get("early")]
        assert amounts(done, "affordance_finish", "affordance", words.affordances) == measures.finishes[i].tolist()
        reasons = tuple(reason.name.lower() for reason in Abort)
        assert amounts(events, "affordance_fail", "reason", reasons) == measures.aborts[i].tolist()
        reasons = tuple(reason.name.lower() for reason in Exit)
        assert amounts(events, "agent_removed", "reason", reasons) == measures.exits[i].tolist()
        for kind in Kind:
            if kind != Kind.WAIT:
                kinds = [event for event in events if event["event"] == f"action.{kind.name.lower()}"]
                assert len(kinds) == measures.actions[i, kind]
        refused = collections.Counter(
            event["reason"] for event in events if event["event"].startswith("action.") and "reason" in event
        )
        refused["bad_index"] += sum(event["event"] == "action.invalid" and event["kind"] == "wait" for event in events)
        for reason in Reason:
            if reason != Reason.NONE:
                assert refused[reason.name.lower()] == measures.refusals[i, reason]
        goods = collections.Counter()
        for event in events:
            if event["event"] == "stock_replenish":
                goods[event["good"]] += event["amount"]
        assert [goods[good] for good in words.names.goods] == measures.restocked[i].tolist()


@pytest.mark.parametrize(("name", "town"), LIVES)
def test_every_event_occurs_once_and_in_the_order_of_the_catalogue(name: str, town: int) -> None:
    for i, events in enumerate(lives.happened(name, town)):
        rows = [ROW_OF["action" if event["event"] in ACTIONS else event["event"]] for event in events]
        assert rows == sorted(rows)
        assert len({json.dumps(event, sort_keys=True) for event in events}) == len(events)
        assert {event["tick"] for event in events} <= {lives.tick_at(stories.told(name), i)}
        assert {event["town"] for event in events} <= {town}


ACTIONS = {f"action.{kind.name.lower()}" for kind in Kind}


def test_the_catalogue_and_the_schema_know_the_same_events() -> None:
    listed = {name for names, _ in CATALOGUE for name in names.split()} - {"action"}
    assert listed | ACTIONS == set(NAMES)


@pytest.mark.parametrize(("name", "town"), [("dense", 0), ("default", 1)])
def test_events_do_not_depend_on_chunks(name: str, town: int) -> None:
    story, pieces, first = stories.told(name), [], 0
    for last in (1, 7, 60, 61, lives.TICKS):
        pieces += decode(lives.words(name, town), lives.lived(story, town, first, last))
        first = last
    assert pieces == lives.happened(name, town)


def test_names_carry_the_generation_of_their_tick() -> None:
    arrived = [event for events in lives.happened("dense", 0) for event in events if event["event"] == "agent_respawn"]
    assert arrived
    for event in arrived:
        base, _, generation = event["agent"].partition("#")
        assert base in lives.words("dense", 0).slots
        assert int(generation or 0) == event["generation"]
    before = {event["uid"]: event["agent"] for event in arrived}
    left = [event for events in lives.happened("dense", 0) for event in events if event["event"] == "agent_removed"]
    both = [event for event in left if event["uid"] in before]
    assert both
    assert all(before[event["uid"]] == event["agent"] for event in both)


def test_ties_in_events_are_those_of_the_town() -> None:
    seen = collections.Counter[str]()
    for town in range(stories.TOWNS):
        lived, words = lives.whole("dense", town), lives.words("dense", town)
        for i, events in enumerate(lives.happened("dense", town)):
            for event in events:
                if event["event"].startswith("relationship_"):
                    owner, other = (words.slot_named(event[key]) for key in ("owner", "other"))
                    for channel in ("trust", "familiarity", "rivalry"):
                        before = float(getattr(lived.states.ties, channel)[i, owner, other])
                        assert event[channel] - event[f"{channel}_delta"] == pytest.approx(before, abs=3e-6)
                    seen[event["event"]] += 1
    assert all(seen[f"relationship_{status}"] for status in ("added", "updated", "evicted", "faded"))


def asking(lived: Lived, avoided: list[list[int]]) -> Lived:
    """Return the same life of somebody who says what was avoided."""
    return Lived(**(vars(lived) | {"avoided": np.asarray(avoided)}))


def test_avoidance_is_told_from_the_intents_and_without_them_from_its_reward() -> None:
    world = World()
    lived = lives.one_tick(world)
    words = Words(hamlet())
    told = asking(lived, [[Avoidance.NONE, Avoidance.CHAT_RIVAL, Avoidance.QUEUE_RIVAL, *[0] * (SLOTS - 4), 1]])
    events = [event for event in decode(words, told)[0] if event["event"] == "rivalry_avoidance"]
    assert [(event["agent"], event["reason"]) for event in events] == [("ben", "chat_rival"), ("cleo", "queue_rival")]
    world.intents.avoided[1] = Avoidance.QUEUE_RIVAL
    events = [event for event in decode(words, lives.one_tick(world))[0] if event["event"] == "rivalry_avoidance"]
    assert [(event["agent"], event["reason"]) for event in events] == [("ben", None)]


class Bench:
    """A hamlet to which commands are given, one tick at a time."""

    def __init__(self, tick: int = 50) -> None:
        self.world = World()
        self.world.at(tick)
        self.told: list[dict[str, Any]] = []

    def command(self, name: str, **arguments: Any) -> list[dict[str, Any]]:
        """Apply a command as a session does, live a tick and return its events without tick and town."""
        world = self.world
        words = Words(Built(world.spec, world.params, world.names))
        before = world.state
        world.state = editable(timeline.apply(name, arguments, world.names, world.spec, world.params, before))
        edited = Edited(tick=int(world.state.clock.tick) + 1, command=name, arguments=arguments)
        lived = lives.one_tick(world)
        (events,) = decode(words, lived, [edited], before=before)
        return [{key: value for key, value in event.items() if key not in ("tick", "town")} for event in events]


def names_of(events: list[dict[str, Any]]) -> list[str]:
    """Return what happened, but for ties and ends of the day."""
    return [event["event"] for event in events]


def test_a_teleport_is_told_with_what_it_cut_short() -> None:
    bench = Bench()
    bench.world.hold(1, BED, REST_SLEEP, 20)
    events = bench.command("teleport", agent="ben", position=[5, 5])
    assert events == [
        {"event": "agent_teleported", "agent": "ben", "position": [5, 5]},
        {
            "event": "affordance_fail",
            "object": "bed_1",
            "agent": "ben",
            "affordance": "rest_sleep",
            "reason": "operator",
        },
    ]


def test_a_spawn_is_told_with_an_identity_slot_that_had_not_cooled_down() -> None:
    bench = Bench()
    bench.world.state.embeddings.released_tick[:] = 40
    events = bench.command("spawn", slot=8, position=[3, 3])
    assert events[0] == {"event": "agent_spawned", "agent": "slot_8", "position": [3, 3]}
    assert events[1]["event"] == "embedding_forced_reuse"
    assert events[1]["agent"] == "slot_8"
    assert len(events) == 2


def test_a_kill_is_told_and_then_the_departure() -> None:
    events = Bench().command("kill", agent=2, reason="an accident")
    assert events[0] == {"event": "agent_killed", "agent": "cleo", "reason": "an accident"}
    assert [event["reason"] for event in events if event["event"] == "agent_removed"] == ["killed"]


def test_prices_and_exits_set_by_hand_are_told() -> None:
    bench = Bench()
    assert bench.command("price", key="meal", value=0.75)[0] == {
        "event": "economy_price_update",
        "key": "meal",
        "value": 0.75,
    }
    assert {"event": "employment_exit_deferred", "agent": "dan"} in bench.command(
        "employment_exit", action="defer", agent="dan"
    )
    assert names_of(bench.command("employment_exit", action="review")) == []
    bench.world.state.exits.asked_tick[3] = 40
    events = bench.command("employment_exit", action="approve", agent="dan")
    assert [event["event"] for event in events] == [
        "employment_exit_processed",
        "employment_exit_manual_request",
        "agent_removed",
    ] or names_of(events)[:2] == ["employment_exit_manual_request", "employment_exit_processed"]
    assert [event["route"] for event in events if event["event"] == "employment_exit_processed"] == ["manual"]


def test_cancelled_events_are_told_with_what_they_were() -> None:
    bench = Bench()
    bench.world.begin(SPIKE, 90, magnitude=1.5)
    bench.world.order(BLACKOUT, 80)
    told = {"event": "perturbation_cancelled", "event_id": "price_spike@49", "spec": "price_spike", "pending": False}
    events = bench.command("perturbation_cancel", event_id="price_spike@49")
    assert told in events
    assert [event["event_id"] for event in events if event["event"] == "perturbation_ended"] == ["price_spike@49"]
    assert bench.command("perturbation_cancel", spec="blackout") == [
        {"event": "perturbation_cancelled", "event_id": None, "spec": "blackout", "pending": True}
    ]


def test_a_blackout_is_told_when_it_begins_and_when_it_is_over() -> None:
    bench = Bench()
    begun = bench.command("perturbation_trigger", spec="blackout", duration=2)
    assert names_of(begun) == ["perturbation_started", "utility_outage"]
    assert begun[0] | {"members": []} == {
        "event": "perturbation_started",
        "event_id": "blackout@50",
        "spec": "blackout",
        "kind": "blackout",
        "members": [],
        "prices": [],
        "factor": 1.0,
        "utility": "power",
        "object": None,
        "ends_at": 52,
    }
    assert names_of(bench.command("employment_exit", action="review")) == []
    over = bench.command("employment_exit", action="review")
    assert names_of(over) == ["perturbation_ended", "utility_restored"]
    assert over[0]["event_id"] == "blackout@50"
    assert over[0]["ends_at"] == 52


def test_a_refused_holder_and_a_bump_are_told() -> None:
    bench = Bench()
    world = bench.world
    world.hold(0, SHOWER)
    world.state.economy.wallet[0] = 0
    world.ask(0, Kind.START, object=SHOWER, affordance=USE_SHOWER)
    world.put(1, 1, 1)
    world.ask(1, Kind.MOVE, direction=0)
    events = bench.command("employment_exit", action="review")
    refused = {"object": "shower_1", "agent": "ada", "affordance": "use_shower", "reason": "no_money"}
    assert {"event": "affordance_refused", **refused} in events
    assert {"event": "agent_bumped", "agent": "ben", "direction": "north"} in events
    assert names_of(events) == ["action.move", "action.start", "agent_bumped", "affordance_refused"] or names_of(
        events
    ) == ["action.start", "action.move", "agent_bumped", "affordance_refused"]


def test_names_are_veiled_everywhere_but_objects_stay() -> None:
    hidden = lives.words("dense", 0, hashed=True)
    text = json.dumps(decode(hidden, lives.whole("dense", 0)))
    for name in lives.words("dense", 0).slots:
        assert not re.search(rf'"{name}(#\d+)?"', text)
    assert '"stove_1"' in text
    assert hidden.person(0, 2) == hashlib.sha256(b"pepperada#2").hexdigest()[:8]
    said = hidden.without_names({"ada": ["ben#1 met adam and ada."], "n": 3})
    assert said == {
        hidden.veiled("ada"): [f"{hidden.veiled('ben#1')} met adam and {hidden.veiled('ada')}."],
        "n": 3,
    }


def test_a_fault_is_told_once_with_what_it_means() -> None:
    world = World()
    world.ask(0, 77)
    lived = lives.one_tick(world)
    told = [event for event in decode(Words(hamlet()), lived)[0] if event["event"] == "fault"]
    assert [(event["bits"], "does not exist" in event["sentence"]) for event in told] == [(Fault.BAD_INTENT, True)]
    again = lives.one_tick(world)
    assert not [event for event in decode(Words(hamlet()), again)[0] if event["event"] == "fault"]


def test_events_from_elsewhere_find_their_place() -> None:
    lived = lives.lived(stories.told("dense"), 0, 0, 3)
    told = [
        {"event": "promotion_window", "tick": 2, "town": 0, "result": "pass", "streak": 1},
        {"event": "alert_raised", "tick": 99, "town": 0, "alert": "starvation_spike"},
    ]
    events = decode(lives.words("dense", 0), lived, told=told)
    assert events[1][-1]["event"] == "promotion_window"
    assert (events[2][-1]["event"], events[2][-1]["tick"]) == ("alert_raised", 99)
