"""The words of the dashboard: time, names, what somebody does, what happened."""

from collections.abc import Mapping
from typing import Any

from townlet_jax.ui.dashboard.block import clean
from townlet_jax.ui.dashboard.gauges import number
from townlet_jax.ui.dashboard.model import Record

HOURS, MINUTES = 24, 60
GOALS = {
    "get_fed": "to eat", "get_clean": "to wash", "sleep": "to bed", "cook": "to cook", "go_to_work": "to work",
    "socialise": "to a chat", "go_home": "home",
}  # fmt: skip
SENTENCES = {
    "action.invalid": "{agent} asks for something that does not exist",
    "affordance_fail": "{agent} stops {affordance} at {object}: {reason}",
    "affordance_finish": "{agent} is done with {affordance} at {object}",
    "affordance_precondition_fail": "{agent} may not {affordance}: {clause}",
    "affordance_refused": "{agent} cannot {affordance} at {object}: {reason}",
    "affordance_start": "{agent} begins {affordance} at {object}",
    "agent_bumped": "{agent} cannot go {direction}",
    "agent_nightly_reset": "midnight for {agent}",
    "agent_removed": "{agent} leaves the town: {reason}",
    "alert_cleared": "alert over: {alert}",
    "alert_raised": "alert: {alert}",
    "arranged_meet_relocated": "{agent} is called to {spec}",
    "chat_failure": "{speaker} gets no good word from {listener}",
    "chat_success": "{speaker} chats with {listener}",
    "economy_price_update": "price of {key} set to {value}",
    "employment_exit_deferred": "{agent} may stay",
    "employment_exit_manual_request": "{agent} is sent away",
    "employment_exit_pending": "{agent} stands in the exit queue",
    "employment_exit_processed": "{agent} leaves the job: {route}",
    "employment_helped_when_late": "coworkers help {agent}, who is late",
    "employment_took_my_shift": "coworkers take over for {agent}",
    "fault": "fault: {sentence}",
    "meal_cooked": "{agent} cooked at {object}",
    "perturbation_ended": "{spec} is over",
    "perturbation_started": "{spec} begins",
    "promotion_window": "promotion window: {result}",
    "queue_conflict": "{actor} and {rival} quarrel at {object} ({reason})",
    "queue_interaction": "{actor} lets {rival} have {object}",
    "queue_place_lost": "{agent} loses the place at {object}",
    "relationship_added": "{owner} gets to know {other}",
    "relationship_evicted": "{owner} has no room for {other}",
    "relationship_faded": "{owner} forgets {other}",
    "relationship_updated": "{owner} thinks anew of {other}",
    "rent_paid": "{agent} pays the rent",
    "rent_unpaid": "{agent} cannot pay the rent",
    "rivalry_avoidance": "{agent} keeps away from a rival",
    "shared_meal": "a meal is shared at {object}",
    "shift_absent": "{agent} is absent from work",
    "shift_begun": "the shift of {agent} begins",
    "shift_departed_early": "{agent} leaves work early",
    "shift_finalised": "{agent} ends a shift",
    "shift_late_start": "{agent} is late for work",
    "shower_complete": "{agent} is clean",
    "sleep_complete": "{agent} has slept",
    "stock_replenish": "{object} gets {amount} {good}",
    "utility_outage": "no {utility}",
    "utility_restored": "{utility} is back",
}  # fmt: skip
THEMES = {  # the first part of an event's name that fits decides
    "people": ("agent", "sleep", "shower", "meal", "shared_meal", "chat"),
    "ties": ("relationship", "rivalry", "chat", "shared_meal", "queue_conflict"),
    "work": ("shift", "employment", "rent", "economy"),
    "things": ("affordance", "queue", "stock", "meal"),
    "town": ("perturbation", "arranged", "utility", "alert", "fault", "promotion", "policy", "snapshot", "console",
             "loop", "embedding"),
}  # fmt: skip


def in_words(name: str) -> str:
    """Return a name of the configuration as people would write it."""
    return clean(name).replace("_", " ")


def clock(tick: int, ticks_per_day: int) -> str:
    """Return day and time, as `day 1 06:30`; the town's day is spread over 24 hours."""
    return f"day {tick // ticks_per_day + 1} {hour(tick, ticks_per_day)}"


def hour(tick: int, ticks_per_day: int) -> str:
    """Return the time of day, as `06:30`."""
    minutes = tick % ticks_per_day * HOURS * MINUTES // ticks_per_day
    return f"{minutes // MINUTES:02}:{minutes % MINUTES:02}"


def occupation(agent: Record, is_on_shift: bool) -> str:
    """Return what somebody does in a few words."""
    if not agent["alive"]:
        return "away"
    activity, queue = agent["activity"], agent["queue"]
    if activity is not None:
        return f"{in_words(activity['affordance'])} ({activity['remaining']})"
    if queue is not None:
        return f"{queue['position'] + 1}. in line, {in_words(queue['object'])}"
    if agent["holding"] is not None:
        return f"holds {in_words(agent['holding'])}"
    action = agent["action"]
    if action["kind"] == "chat":
        return f"chats with {clean(action['target'] or 'nobody')}"
    if is_on_shift:
        return f"works as {in_words(agent['job'] or '?')}"
    if action["kind"] == "move":
        return f"walks {GOALS.get(agent['option'] or '', '')}".strip()
    return "stands" if action["ok"] else f"stands: {in_words(action['reason'])}"


def sentence(event: Record) -> str:
    """Return an event in one sentence; an event of another version by its fields."""
    known = {key: _shown(key, value) for key, value in event.items()}
    form = SENTENCES.get(event["event"])
    if form is not None:
        try:
            return form.format_map(known)
        except (KeyError, IndexError, AttributeError, ValueError):
            pass  # a newer version may have renamed a field
    if event["event"].startswith("action."):
        return _action(event)
    rest = ", ".join(f"{key} {value}" for key, value in known.items() if key not in ("event", "tick", "town"))
    return f"{in_words(event['event'])}: {rest}" if rest else in_words(event["event"])


def _action(event: Record) -> str:
    goals = [in_words(event[key]) for key in ("affordance", "object", "target") if event.get(key)]
    result = "" if event.get("ok", True) else f": no, {in_words(str(event.get('reason')))}"
    kind = in_words(str(event.get("kind", "?")))
    return f"{clean(str(event.get('agent', '?')))} asks to {kind} {' '.join(goals)}".rstrip() + result


def _shown(key: str, value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(_shown(key, part) for part in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{clean(name)} {_shown(key, part)}" for name, part in value.items())
    return clean(str(value)) if key in ("clause", "sentence") else in_words(str(value))


def themes_of(event: Record) -> set[str]:
    """Return the filters under which an event is found, besides `all`."""
    name = event["event"]
    return {theme for theme, begins in THEMES.items() if name.startswith(begins)}


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return nested data of any form as names and texts, in order."""
    if isinstance(value, Mapping):
        return [row for key, part in value.items() for row in flat(part, f"{prefix}{in_words(str(key))} ")]
    return [(prefix.strip(), _shown("", value))]
