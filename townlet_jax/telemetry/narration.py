"""Stories: which events are told, in which words, and how often (MECHANICS 11.3).

Owns categories, triggers, priorities, keys and the limiter. A story is JSON: tick, category, message, priority, data,
dedupe_key.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from townlet_jax.config.schema.shell import Narration, PersonalityNarration

Event = Mapping[str, Any]
Story = dict[str, Any]
UNTOLD = frozenset({"event", "tick", "town"})  # of an event: not part of a story's data


@dataclass(frozen=True, kw_only=True)
class Character:
    """What decides whether somebody's doings are a story."""

    extroversion: float
    tolerance: float  # of conflicts, 1 = usual


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the triggers compare with, besides the configuration."""

    max_unpaid_days: int
    character: Callable[[str], Character]  # by the name of somebody who acted in the tick


class Limiter:
    """Refuses stories that come too often: by key, after any other, after one of its kind, and in a window."""

    def __init__(self, rules: Narration) -> None:
        self._rules = rules
        self._by_key: dict[str, int] = {}
        self._by_category: dict[str, int] = {}
        self._last: int | None = None
        self._window: deque[int] = deque()

    def admit(self, story: Story) -> bool:
        """Tell whether a story may be told now, and remember it if so; ticks do not decrease."""
        rules, tick = self._rules, story["tick"]
        key, category = story["dedupe_key"], story["category"]
        if self._since(self._by_key.get(key), tick) < rules.dedupe_window_ticks:
            return False
        if not story["priority"]:
            pause = rules.category_cooldown_ticks.get(category, rules.global_cooldown_ticks)
            if self._since(self._last, tick) < rules.global_cooldown_ticks:
                return False
            if self._since(self._by_category.get(category), tick) < pause:
                return False
        while self._window and tick - self._window[0] >= rules.global_window_ticks:
            self._window.popleft()
        if len(self._window) >= rules.global_window_limit:
            return False
        self._remember(tick, key, category)
        return True

    @staticmethod
    def _since(last: int | None, tick: int) -> float:
        return float("inf") if last is None else tick - last

    def _remember(self, tick: int, key: str, category: str) -> None:
        window = self._rules.dedupe_window_ticks
        self._by_key = {other: last for other, last in self._by_key.items() if tick - last < window}
        self._by_key[key] = self._by_category[category] = self._last = tick
        self._window.append(tick)

    def figures(self) -> dict[str, Any]:
        """Return the four memories, as JSON."""
        return {
            "by_key": dict(self._by_key),
            "by_category": dict(self._by_category),
            "last": self._last,
            "window": list(self._window),
        }

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` returned."""
        self._by_key, self._by_category = dict(figures["by_key"]), dict(figures["by_category"])
        self._last, self._window = figures["last"], deque(figures["window"])


class Narrator:
    """Turns the events of a tick into stories."""

    def __init__(self, rules: Narration, characters: PersonalityNarration) -> None:
        self._rules, self._characters = rules, characters
        self.limiter = Limiter(rules)

    def tell(
        self, tick: int, events: Sequence[Event], setting: Setting, announced: Sequence[Story] = ()
    ) -> list[Story]:
        """Return the stories of a tick that may be told: the operator's, then those of events in their order."""
        urgent = self._rules.priority_categories
        found = [{"tick": tick, **one, "priority": one["priority"] or one["category"] in urgent} for one in announced]
        for event in events:
            if event["event"] not in _STORIES:
                continue
            for category, key, priority, message in self._candidates(event, setting):
                data = {name: value for name, value in event.items() if name not in UNTOLD}
                found.append(
                    {
                        "tick": tick,
                        "category": category,
                        "message": message,
                        "priority": priority or category in urgent,
                        "data": data,
                        "dedupe_key": key,
                    }
                )
        return [story for story in found if self.limiter.admit(story)]

    def _candidates(self, event: Event, setting: Setting) -> Iterator[tuple[str, str, bool, str]]:
        """Yield category, key, priority and message of every story an event makes."""
        teller = _TELLERS.get(event["event"])
        if teller is not None:
            yield teller(event, setting)
        if event["event"] in ("relationship_added", "relationship_updated"):
            yield from self._ties(event)
        if self._characters.enabled:
            yield from self._personal(event, setting)

    def _ties(self, event: Event) -> Iterator[tuple[str, str, bool, str]]:
        rules, edge = self._rules, f"{event['owner']}:{event['other']}"
        trust, rivalry = event["trust"], event["rivalry"]
        is_new = event["event"] == "relationship_added" and trust > 0
        warmer = trust - event["trust_delta"] < rules.friendship_trust <= trust
        if is_new or warmer or event["trust_delta"] >= rules.friendship_rise:
            message = f"{event['owner']} trusts {event['other']} ({trust:.2f})."
            yield "relationship_friendship", f"friendship:{edge}", trust >= rules.friendship_priority_trust, message
        if rivalry - event["rivalry_delta"] < rules.rivalry_level <= rivalry:
            message = f"{event['owner']} sees a rival in {event['other']} ({rivalry:.2f})."
            yield "relationship_rivalry", f"rivalry:{edge}", rivalry >= rules.rivalry_priority_level, message

    def _personal(self, event: Event, setting: Setting) -> Iterator[tuple[str, str, bool, str]]:
        rules = self._characters
        if event["event"] == "chat_success" and event["quality"] >= rules.chat_quality:
            lively = setting.character(event["speaker"]).extroversion
            if lively >= rules.chat_extroversion:
                key = f"personality_chat:{_pair(event['speaker'], event['listener'])}"
                message = f"{event['speaker']}, outgoing as ever, charms {event['listener']}."
                yield "personality_event", key, lively >= rules.chat_priority_extroversion, message
        elif event["event"] == "rivalry_avoidance":
            character = setting.character(event["agent"])
            if character.tolerance < rules.conflict_tolerance:
                urgent = character.extroversion >= rules.chat_priority_extroversion
                message = f"{event['agent']} would rather not quarrel."
                yield "personality_event", f"personality_avoid:{event['agent']}", urgent, message


def _pair(one: str, other: str) -> str:
    return ":".join(sorted((one, other)))


Told = tuple[str, str, bool, str]


def _queue_conflict(event: Event, setting: Setting) -> Told:
    del setting
    pushed = event["reason"] == "ghost_step"
    key = f"queue_conflict:{event['object']}:{_pair(event['actor'], event['rival'])}"
    what = "is pushed aside by" if pushed else "loses patience with"
    return "queue_conflict", key, pushed, f"{event['actor']} {what} {event['rival']} at {event['object']}."


def _utility(event: Event, setting: Setting) -> Told:
    del setting
    out = event["event"] == "utility_outage"
    message = f"{event['utility']} {'has failed' if out else 'is back'}."
    return "utility_outage", f"utility:{event['utility']}:{'off' if out else 'on'}", out, message


def _complete(event: Event, setting: Setting) -> Told:
    del setting
    category = event["event"]
    what = "has showered" if category == "shower_complete" else "has slept well"
    key = f"{category}:{event['agent']}:{event['object']}"
    return category, key, False, f"{event['agent']} {what} ({event['object']})."


def _shared_meal(event: Event, setting: Setting) -> Told:
    del setting
    one, other = event["agents"]
    return "shared_meal", f"shared_meal:{_pair(one, other)}", False, f"{one} and {other} eat together."


def _chat_failure(event: Event, setting: Setting) -> Told:
    del setting
    key = f"chat_failure:{event['speaker']}:{event['listener']}"
    message = f"{event['speaker']} gets no warm word from {event['listener']}."
    return "relationship_social_alert", key, False, message


def _avoidance(event: Event, setting: Setting) -> Told:
    del setting
    key = f"avoid:{event['agent']}:{event['object'] or event['target'] or ''}"
    return "relationship_social_alert", key, True, f"{event['agent']} keeps away from a rival."


def _employment(event: Event, setting: Setting) -> Told:
    del setting
    name, agent = event["event"], event["agent"]
    leaves = name == "employment_exit_processed"
    what = {"shift_late_start": "is late for work", "shift_absent": "does not come to work"}.get(name, "loses the job")
    job = f" as {event['job']}" if event["job"] else ""
    return "employment", f"employment:{agent}:{name}", leaves, f"{agent} {what}{job}."


def _rent(event: Event, setting: Setting) -> Told:
    days = event["unpaid_days"]
    message = f"{event['agent']} cannot pay the rent ({days} in a row)."
    return "rent", f"rent:{event['agent']}", days >= setting.max_unpaid_days, message


def _departure(event: Event, setting: Setting) -> Told:
    del setting
    why = event["reason"].replace("_", " ")
    return "departure", f"departure:{event['uid']}", True, f"{event['agent']} leaves the town ({why})."


def _perturbation(event: Event, setting: Setting) -> Told:
    del setting
    begins = event["event"] == "perturbation_started"
    key = f"perturbation:{event['event_id']}:{'start' if begins else 'end'}"
    words = event["spec"].replace("_", " ")
    return "perturbation", key, begins, f"{words} {'begins' if begins else 'is over'}."


def _alert(event: Event, setting: Setting) -> Told:
    del setting
    if event["event"] == "fault":
        return "alert", "alert:fault", True, event["sentence"]
    return "alert", f"alert:{event['alert']}", True, f"Alert: {event['alert'].replace('_', ' ')}."


_TELLERS: dict[str, Callable[[Event, Setting], Told]] = {
    "queue_conflict": _queue_conflict,
    "utility_outage": _utility,
    "utility_restored": _utility,
    "shower_complete": _complete,
    "sleep_complete": _complete,
    "shared_meal": _shared_meal,
    "chat_failure": _chat_failure,
    "rivalry_avoidance": _avoidance,
    "shift_late_start": _employment,
    "shift_absent": _employment,
    "employment_exit_processed": _employment,
    "rent_unpaid": _rent,
    "agent_removed": _departure,
    "perturbation_started": _perturbation,
    "perturbation_ended": _perturbation,
    "alert_raised": _alert,
    "fault": _alert,
}
_STORIES = frozenset({*_TELLERS, "relationship_added", "relationship_updated", "chat_success"})
