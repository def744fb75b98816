"""Stories: what is told of which event, and the limiter's worked examples."""

import json
from typing import Any

import pytest

from townlet_jax.config.schema.shell import Narration, PersonalityNarration, TelemetrySection
from townlet_jax.telemetry.narration import Character, Limiter, Narrator, Setting

QUIET = Character(extroversion=0.0, tolerance=1.0)


def narrator(**rules: Any) -> Narrator:
    """Return a narrator that never has to be silent, unless told so."""
    free = {"dedupe_window_ticks": 0, "global_cooldown_ticks": 0, "category_cooldown_ticks": {}}
    return Narrator(Narration(**(free | {"global_window_limit": 10_000} | rules)), PersonalityNarration())


def setting(character: Character = QUIET) -> Setting:
    """Return what the triggers compare with."""
    return Setting(max_unpaid_days=2, character=lambda name: character)


def story(tick: int, key: str = "k", *, category: str = "rent", priority: bool = False) -> dict[str, Any]:
    """Return a story."""
    return {"tick": tick, "category": category, "message": "m", "priority": priority, "data": {}, "dedupe_key": key}


def told_at(limiter: Limiter, stories: list[dict[str, Any]]) -> list[int]:
    """Return the ticks of the stories that are let through."""
    return [one["tick"] for one in stories if limiter.admit(one)]


def test_one_urgent_message_repeated_every_tick_is_told_every_twenty() -> None:
    stories = [story(tick, priority=True) for tick in range(1, 62)]
    assert told_at(Limiter(Narration()), stories) == [1, 21, 41, 61]


def test_different_ordinary_messages_of_a_category_are_told_every_thirty() -> None:
    stories = [story(tick, f"k{tick}") for tick in range(1, 62)]
    assert told_at(Limiter(Narration()), stories) == [1, 31, 61]


def test_different_urgent_messages_fill_the_window() -> None:
    stories = [story(tick, f"k{tick}", priority=True) for tick in range(1, 603)]
    assert told_at(Limiter(Narration()), stories) == [*range(1, 11), 601, 602]


def test_a_category_may_pause_longer_than_all() -> None:
    limiter = Limiter(Narration())
    personal = [story(tick, f"k{tick}", category="personality_event") for tick in range(1, 100)]
    assert told_at(limiter, personal) == [1, 46, 91]
    assert not limiter.admit(story(119, "other"))
    assert limiter.admit(story(121, "other"))


def test_a_refused_story_is_forgotten() -> None:
    limiter = Limiter(Narration(dedupe_window_ticks=20, global_cooldown_ticks=10))
    assert limiter.admit(story(1, "a"))
    assert not limiter.admit(story(5, "b"))
    assert limiter.admit(story(11, "b"))


def test_a_limiter_goes_on_where_it_was() -> None:
    stories = [story(tick, f"k{tick % 7}", priority=tick % 3 == 0) for tick in range(1, 900)]
    whole, first, second = (Limiter(Narration()) for _ in range(3))
    expected = told_at(whole, stories)
    told = told_at(first, stories[:400])
    second.restore(json.loads(json.dumps(first.figures())))
    assert told + told_at(second, stories[400:]) == expected


CASES: list[tuple[dict[str, Any], list[tuple[str, str, bool]]]] = [
    (
        {"event": "queue_conflict", "object": "stove_1", "actor": "eva", "rival": "ben", "reason": "ghost_step"},
        [("queue_conflict", "queue_conflict:stove_1:ben:eva", True)],
    ),
    (
        {"event": "queue_conflict", "object": "stove_1", "actor": "ben", "rival": "eva", "reason": "impatience"},
        [("queue_conflict", "queue_conflict:stove_1:ben:eva", False)],
    ),
    ({"event": "utility_outage", "utility": "power"}, [("utility_outage", "utility:power:off", True)]),
    ({"event": "utility_restored", "utility": "power"}, [("utility_outage", "utility:power:on", False)]),
    (
        {"event": "shower_complete", "agent": "ada", "object": "shower_1"},
        [("shower_complete", "shower_complete:ada:shower_1", False)],
    ),
    (
        {"event": "sleep_complete", "agent": "ada", "object": "bed_1"},
        [("sleep_complete", "sleep_complete:ada:bed_1", False)],
    ),
    ({"event": "meal_cooked", "agent": "ada", "object": "stove_1"}, []),
    (
        {"event": "shared_meal", "agents": ["eva", "ada"], "object": "fridge_1"},
        [("shared_meal", "shared_meal:ada:eva", False)],
    ),
    (
        {"event": "chat_failure", "speaker": "ada", "listener": "ben", "quality": 0.0},
        [("relationship_social_alert", "chat_failure:ada:ben", False)],
    ),
    (
        {"event": "rivalry_avoidance", "agent": "ada", "object": "bed_1", "target": None},
        [("relationship_social_alert", "avoid:ada:bed_1", True)],
    ),
    (
        {"event": "shift_late_start", "agent": "ada", "job": "clerk"},
        [("employment", "employment:ada:shift_late_start", False)],
    ),
    ({"event": "shift_absent", "agent": "ada", "job": "clerk"}, [("employment", "employment:ada:shift_absent", False)]),
    (
        {"event": "employment_exit_processed", "agent": "ada", "job": "clerk", "route": "manual"},
        [("employment", "employment:ada:employment_exit_processed", True)],
    ),
    ({"event": "rent_unpaid", "agent": "ada", "unpaid_days": 1}, [("rent", "rent:ada", False)]),
    ({"event": "rent_unpaid", "agent": "ada", "unpaid_days": 2}, [("rent", "rent:ada", True)]),
    ({"event": "agent_removed", "agent": "ada", "uid": 12, "reason": "faint"}, [("departure", "departure:12", True)]),
    (
        {"event": "perturbation_started", "event_id": "blackout@3", "spec": "blackout"},
        [("perturbation", "perturbation:blackout@3:start", True)],
    ),
    (
        {"event": "perturbation_ended", "event_id": "blackout@3", "spec": "blackout"},
        [("perturbation", "perturbation:blackout@3:end", False)],
    ),
    ({"event": "alert_raised", "alert": "rivalry_spike"}, [("alert", "alert:rivalry_spike", True)]),
    ({"event": "alert_cleared", "alert": "rivalry_spike"}, []),
    ({"event": "fault", "bits": 1, "sentence": "Fault: a need is not a number."}, [("alert", "alert:fault", True)]),
    ({"event": "action.move", "agent": "ada"}, []),
]


@pytest.mark.parametrize(("event", "expected"), CASES)
def test_what_is_told_of_an_event(event: dict[str, Any], expected: list[tuple[str, str, bool]]) -> None:
    told = narrator().tell(7, [event | {"tick": 7, "town": 0}], setting())
    assert [(one["category"], one["dedupe_key"], one["priority"]) for one in told] == expected
    for one in told:
        assert one["tick"] == 7
        assert one["message"].endswith(".")
        assert one["data"] == {key: value for key, value in event.items() if key != "event"}


def tie(kind: str, *, trust: float = 0.0, rose: float = 0.0, rivalry: float = 0.0, grew: float = 0.0) -> dict[str, Any]:
    """Return an event of a tie."""
    values = {"trust": trust, "familiarity": 0.0, "rivalry": rivalry}
    deltas = {"trust_delta": rose, "familiarity_delta": 0.0, "rivalry_delta": grew}
    return {"event": f"relationship_{kind}", "tick": 1, "town": 0, "owner": "ada", "other": "ben"} | values | deltas


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (tie("added", trust=0.05, rose=0.05), [("friendship:ada:ben", False)]),
        (tie("added", trust=-0.1, rose=-0.1), []),
        (tie("updated", trust=0.6, rose=0.05), [("friendship:ada:ben", False)]),
        (tie("updated", trust=0.66, rose=0.05), []),
        (tie("updated", trust=0.3, rose=0.25), [("friendship:ada:ben", False)]),
        (tie("updated", trust=0.9, rose=0.3), [("friendship:ada:ben", True)]),
        (tie("updated", rivalry=0.7, grew=0.1), [("rivalry:ada:ben", False)]),
        (tie("updated", rivalry=0.8, grew=0.05), []),
        (tie("updated", rivalry=0.95, grew=0.3), [("rivalry:ada:ben", True)]),
        (tie("evicted", rose=-0.5), []),
        (
            tie("added", trust=0.1, rose=0.1, rivalry=0.7, grew=0.7),
            [("friendship:ada:ben", False), ("rivalry:ada:ben", False)],
        ),
    ],
)  # fmt: skip
def test_friends_and_rivals(event: dict[str, Any], expected: list[tuple[str, bool]]) -> None:
    told = narrator().tell(1, [event], setting())
    assert [(one["dedupe_key"], one["priority"]) for one in told] == expected


def personal(event: dict[str, Any], character: Character, *, enabled: bool = True) -> list[tuple[str, bool]]:
    """Return key and urgency of the stories about characters."""
    teller = narrator()
    teller._characters = PersonalityNarration(enabled=enabled)
    told = teller.tell(1, [event], setting(character))
    return [(one["dedupe_key"], one["priority"]) for one in told if one["category"] == "personality_event"]


def test_characters() -> None:
    chat = {"event": "chat_success", "speaker": "eva", "listener": "ben", "quality": 0.3}
    lively, loud = Character(extroversion=0.5, tolerance=1.0), Character(extroversion=0.75, tolerance=0.5)
    assert personal(chat, lively) == [("personality_chat:ben:eva", False)]
    assert personal(chat, loud) == [("personality_chat:ben:eva", True)]
    assert personal(chat, QUIET) == personal(chat | {"quality": 0.29}, lively) == []
    assert personal(chat, lively, enabled=False) == []
    avoiding = {"event": "rivalry_avoidance", "agent": "ada", "object": None, "target": "ben"}
    assert personal(avoiding, Character(extroversion=0.0, tolerance=0.94)) == [("personality_avoid:ada", False)]
    assert personal(avoiding, Character(extroversion=0.0, tolerance=0.95)) == []
    assert personal(avoiding, loud) == [("personality_avoid:ada", True)]


def test_operators_come_first_and_categories_can_be_urgent() -> None:
    announced = {"category": "operator_story", "message": "Hear!", "priority": False, "data": {}, "dedupe_key": "Hear!"}
    event = {"event": "utility_restored", "tick": 3, "town": 0, "utility": "water"}
    teller = narrator(priority_categories=("operator_story",))
    told = teller.tell(3, [event], setting(), [announced])
    assert [(one["category"], one["priority"]) for one in told] == [("operator_story", True), ("utility_outage", False)]


def test_the_default_configuration_is_that_of_the_rules() -> None:
    rules = TelemetrySection().narration
    assert (rules.dedupe_window_ticks, rules.global_cooldown_ticks, rules.global_window_ticks) == (20, 30, 600)
    assert rules.category_cooldown_ticks == {"queue_conflict": 30, "personality_event": 45}
