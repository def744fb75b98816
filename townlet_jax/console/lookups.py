"""From what an operator says to what is meant: agents by name, by `name#generation` or by slot, objects by name."""

from collections.abc import Sequence
from typing import Any

from townlet_jax.console.errors import ConsoleError, nearest, one_of, shown
from townlet_jax.console.host import Host
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.state import TownState

LISTED = 12  # names that a message offers


def slot_of(host: Host, given: str | int) -> int:
    """Return the slot that is meant, whoever lives in it; raises `ConsoleError`."""
    slots = host.words.slots
    base = given.partition("#")[0] if isinstance(given, str) else given
    if isinstance(base, int):
        if 0 <= base < len(slots):
            return base
        raise ConsoleError("not_found", f"There is no slot {base}; choose one of 0 to {len(slots) - 1}.")
    if base not in slots:
        raise _missing("agent", base, slots)
    return slots.index(base)


def agent_in(host: Host, state: TownState, given: str | int) -> int:
    """Return the slot of somebody who lives in a town; raises `ConsoleError` for the dead and the departed."""
    slot = slot_of(host, given)
    roster = state.roster
    now = int(roster.generation[slot])
    if isinstance(given, str) and "#" in given:
        wanted = given.partition("#")[2]
        if not wanted.isdecimal() or int(wanted) != now:
            raise ConsoleError(
                "not_found",
                f"'{shown(given)}' does not live here; slot {slot} is now {host.words.person(slot, now)}.",
            )
    if not roster.alive[slot]:
        raise ConsoleError(
            "not_found", f"Agent '{host.words.slots[slot]}' is not alive; spawn it first or name a living one."
        )
    return slot


def person(host: Host, state: TownState, slot: int) -> str | None:
    """Return the name of who lives or lived in a slot, None for nobody."""
    return None if slot == NOBODY else host.words.person(slot, int(state.roster.generation[slot]))


def published(host: Host, frame: dict[str, Any], given: str | int) -> str:
    """Return the name under which an agent stands in a frame; raises `ConsoleError`."""
    slot = slot_of(host, given)
    people = demand(frame, "agents")
    for name, about in people.items():
        is_meant = about["slot"] == slot and about["alive"]
        if is_meant and (not isinstance(given, str) or "#" not in given or _generation(given) == about["generation"]):
            return str(name)
    raise ConsoleError("not_found", f"'{shown(given)}' does not live in the town; name a living agent.")


def _generation(given: str) -> int:
    number = given.partition("#")[2]
    return int(number) if number.isdecimal() else NOBODY


def object_of(host: Host, given: str) -> int:
    """Return the index of an object; raises `ConsoleError`."""
    return row_of(given, host.words.objects, "object")


def row_of(given: str, names: Sequence[str], what: str) -> int:
    """Return the index of a name; raises `ConsoleError`."""
    if given not in names:
        raise _missing(what, given, names)
    return list(names).index(given)


def demand(frame: dict[str, Any], section: str) -> Any:
    """Return a section of a frame; raises `ConsoleError` where telemetry leaves it out."""
    found = frame[section]
    if found == {}:
        raise ConsoleError(
            "unsupported", f"The section '{section}' is empty or left out of telemetry (telemetry.redact)."
        )
    return found


def _missing(what: str, given: str, names: Sequence[str]) -> ConsoleError:
    meant = nearest(given, names)
    hint = f" (did you mean {one_of(meant)}?)" if meant else ""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ConsoleError(
        "not_found",
        f"There is no {what} '{shown(given)}'{hint}; there are {', '.join(names[:LISTED])}{more}.",
        nearest=meant,
    )
