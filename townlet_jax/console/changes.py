"""How a command changes a town: between two ticks, in the order of arrival, all or nothing."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from townlet_jax.console import lookups
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Answer, OfTowns
from townlet_jax.core.state import TownState

Report = Callable[[TownState, Mapping[str, Any]], Mapping[str, Any]]


def changed(
    host: Host,
    command: str,
    arguments: OfTowns,
    report: Report,
    *,
    agents: Sequence[str] = ("agent",),
    vacant: bool = False,
) -> Answer:
    """Apply an edit and return the tick before which it was applied with what `report` says of the town after it.

    `agents` are the arguments that name agents, singly or in lists; with `vacant` they need not be alive. What is
    reported of all towns is that of the first watched one.
    """
    values = arguments.model_dump(exclude_none=True, exclude={"town"})
    return host.between(lambda: change_now(host, command, values, arguments.town, report, agents, vacant=vacant))


def change_now(
    host: Host,
    command: str,
    values: dict[str, Any],
    given: int | str | None,
    report: Report,
    agents: Sequence[str] = ("agent",),
    *,
    vacant: bool = False,
) -> Answer:
    """Do the same on the session's own thread."""
    session, is_all = host.session, given == "all"
    town = host.town(None if isinstance(given, str) else given)
    before = session.town_now(town)
    for name in agents:
        if name in values:
            values[name] = _slots(host, before, values[name], vacant=vacant or is_all, is_all=is_all)
    tick = session.edit_now(command, values, town=None if is_all else town)
    after = session.town_now(town)
    if session.is_paused and host.publisher is not None:
        host.publisher.refresh(town, after)  # no tick will show it for a while
    return {"town": "all" if is_all else town, "tick": tick, **report(after, values)}


def _slots(host: Host, state: TownState, given: Any, *, vacant: bool, is_all: bool) -> Any:
    if isinstance(given, list):
        return [_slots(host, state, one, vacant=vacant, is_all=is_all) for one in given]
    if is_all and isinstance(given, str) and "#" in given:
        raise ConsoleError("invalid_args", f"'{given}' names an individual of one town; name the town, or a slot.")
    return lookups.slot_of(host, given) if vacant else lookups.agent_in(host, state, given)


def of_agent(host: Host, tell: Callable[[TownState, int], Mapping[str, Any]], named: str = "agent") -> Report:
    """Return a report on the agent that the argument `named` names: who it is, and what `tell` says."""

    def report(town: TownState, said: Mapping[str, Any]) -> dict[str, Any]:
        slot = int(said[named])
        uid = int(town.roster.uid[slot])
        return {"agent": lookups.person(host, town, slot), "slot": slot, "uid": uid, **tell(town, slot)}

    return report


def number(value: Any) -> float:
    """Return a number as it is told."""
    return round(float(value), 6)
