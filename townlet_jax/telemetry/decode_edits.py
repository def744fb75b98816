"""Events of operators' commands: what an edit did to a watched town between two ticks (MECHANICS 10, 12.2).

A command goes to all towns, and a town that cannot take it stays as it is. So each event is told only where the state
shows it. What a command cut short needs the state before it, which is known from the chunk before.
"""

from collections.abc import Callable, Mapping
from typing import Any

from townlet_jax.core.enums import NEVER, NOBODY
from townlet_jax.core.state import TownState
from townlet_jax.stretch import Edited
from townlet_jax.telemetry.decode_things import real
from townlet_jax.telemetry.lived import Lived, row_of
from townlet_jax.telemetry.naming import Words

OLD_NAMES = {"spawn_agent": "spawn"}
Events = list[dict[str, Any]]


class Edit:
    """One command and the town right after it."""

    def __init__(self, words: Words, state: TownState, before: TownState | None, edited: Edited) -> None:
        self.words, self.state, self.before, self.edited = words, state, before, edited
        self.arguments: Mapping[str, Any] = edited.arguments

    def slot(self) -> int:
        """Return the slot that the command is about, NOBODY if there is none."""
        given = self.arguments.get("slot", self.arguments.get("agent"))
        return NOBODY if given is None else self.words.slot_of(given)

    def name(self, slot: int) -> str:
        """Return the name of who lives in a slot now."""
        return self.words.person(slot, int(self.state.roster.generation[slot]))


def edits(words: Words, lived: Lived, i: int, edited: Edited, before: TownState | None) -> Events:
    """Return the events of a command that came before row i of the chunk."""
    command = OLD_NAMES.get(edited.command, edited.command)
    if command not in _READERS:
        return []
    return _READERS[command](Edit(words, row_of(lived.states, i), before, edited))


def _spawn(edit: Edit) -> Events:
    slot, state = edit.slot(), edit.state
    if slot == NOBODY or not state.roster.alive[slot] or int(state.roster.born_tick[slot]) != edit.edited.tick - 1:
        return []
    if edit.before is not None and int(edit.before.roster.uid[slot]) == int(state.roster.uid[slot]):
        return []
    placed = {"event": "agent_spawned", "agent": edit.name(slot), "position": state.roster.position[slot].tolist()}
    return [placed, *_reuse(edit, slot)]


def _reuse(edit: Edit, slot: int) -> Events:
    given = int(edit.state.embeddings.slot[slot])
    released = int(edit.state.embeddings.released_tick[given]) if given != NOBODY else NEVER
    cooldown = int(edit.words.params.embeddings.cooldown_ticks)
    if released == NEVER or edit.edited.tick - 1 - released >= cooldown:
        return []
    return [{"event": "embedding_forced_reuse", "agent": edit.name(slot), "slot": given}]


def _kill(edit: Edit) -> Events:
    slot = edit.slot()
    if slot == NOBODY or not edit.state.lifecycle.condemned[slot]:
        return []
    reason = edit.words.without_names(str(edit.arguments.get("reason") or ""))
    return [{"event": "agent_killed", "agent": edit.name(slot), "reason": reason}]


def _teleport(edit: Edit) -> Events:
    slot = edit.slot()
    if slot == NOBODY or not edit.state.roster.alive[slot]:
        return []
    position = edit.state.roster.position[slot].tolist()
    event = {"event": "agent_teleported", "agent": edit.name(slot), "position": position}
    return [event, *_cut_short(edit, slot)]


def _cut_short(edit: Edit, slot: int) -> Events:
    if edit.before is None or int(edit.before.activities.affordance[slot]) == NOBODY:
        return []
    return [
        {
            "event": "affordance_fail",
            "object": edit.words.objects[int(edit.before.queues.holding[slot])],
            "agent": edit.name(slot),
            "affordance": edit.words.affordances[int(edit.before.activities.affordance[slot])],
            "reason": "operator",
        }
    ]


def _price(edit: Edit) -> Events:
    key = edit.arguments.get("key")
    if key not in edit.words.names.prices:
        return []
    value = edit.state.controls.price[edit.words.names.prices.index(str(key))]
    return [{"event": "economy_price_update", "key": key, "value": real(value)}]


def _exit(edit: Edit) -> Events:
    slot, action = edit.slot(), edit.arguments.get("action")
    if slot == NOBODY or not edit.state.roster.alive[slot]:
        return []
    if action == "approve" and edit.state.exits.approved[slot]:
        return [{"event": "employment_exit_manual_request", "agent": edit.name(slot)}]
    if action == "defer":
        return [{"event": "employment_exit_deferred", "agent": edit.name(slot)}]
    return []


def _cancel(edit: Edit) -> Events:
    given, specs = edit.arguments.get("event_id", edit.arguments.get("spec")), edit.words.names.perturbations
    name = specs[given] if isinstance(given, int) else str(given).rpartition("@")[0] or str(given)
    if name not in specs:
        return []
    spec, events = specs.index(name), edit.state.perturbations
    pending = int(events.until_tick[spec]) == NEVER
    earlier = edit.before
    if earlier is not None and pending and int(earlier.perturbations.queued_tick[spec]) == NEVER:
        return []
    event_id = None if pending else f"{name}@{int(events.started_tick[spec])}"
    return [{"event": "perturbation_cancelled", "event_id": event_id, "spec": name, "pending": pending}]


def story(words: Words, edited: Edited) -> dict[str, Any] | None:
    """Return what an operator announces, None for other commands."""
    if edited.command not in ("announce_story", "narration"):
        return None
    said = words.without_names(dict(edited.arguments))
    message = str(said.get("message", ""))
    data = said.get("data")
    return {
        "category": said.get("category") or "operator_story",
        "message": message,
        "priority": bool(said.get("priority", False)),
        "data": data if isinstance(data, dict) else {},
        "dedupe_key": str(said.get("dedupe_key") or message),
    }


_READERS: dict[str, Callable[[Edit], Events]] = {
    "spawn": _spawn,
    "kill": _kill,
    "teleport": _teleport,
    "price": _price,
    "employment_exit": _exit,
    "perturbation_cancel": _cancel,
}
