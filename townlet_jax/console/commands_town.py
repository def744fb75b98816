"""Commands about the town: goods, prices, who may die or leave, events, stories."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from townlet_jax.console import lookups
from townlet_jax.console.changes import changed, number
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Answer, OfTown, OfTowns, Row
from townlet_jax.core.enums import NEVER
from townlet_jax.core.state import TownState
from townlet_jax.stretch import Edited

Said = Mapping[str, Any]
STORY = "announce_story"


class SetStock(OfTowns):
    """How much of a good lies where."""

    object: str = Field(description="id of the object")
    good: str
    units: float = Field(ge=0)


class Price(OfTowns):
    """A price before spikes."""

    key: str = Field(description="price key")
    value: float = Field(ge=0, description="coins")


class Mortality(OfTowns):
    """Whether agents faint."""

    enabled: bool


class ExitCap(OfTowns):
    """How many may lose their place in a day."""

    n: int = Field(ge=0, le=50, description="exits a day, 0 = no cap")


class SpawnDelay(OfTowns):
    """How long a slot stays vacant."""

    min: int = Field(ge=0, description="ticks")
    max: int | None = Field(None, ge=0, description="ticks; default min")


class Trigger(OfTowns):
    """An event to start."""

    spec: str = Field(description="name of the perturbation")
    starts_in: int = Field(0, ge=0, description="ticks after the next one")
    duration: int | None = Field(None, ge=1, description="ticks; default drawn")
    magnitude: float | None = Field(None, ge=0, description="price factor; default drawn")
    agents: list[str | int] | None = Field(None, description="participants; default by the spec's rule")
    object: str | None = Field(None, description="object to close; default by the spec's rule")


class Meet(OfTowns):
    """Who is to meet."""

    agents: list[str | int] = Field(min_length=2, description="at least two")
    starts_in: int = Field(0, ge=0, description="ticks after the next one")
    duration: int | None = Field(None, ge=1, description="ticks; default drawn")
    spec: str | None = Field(None, description="default arranged_meet")


class Cancel(OfTowns):
    """An event to end."""

    spec: str | None = Field(None, description="name of the perturbation, or <spec>@<tick of its start>")
    event_id: str | None = Field(None, description="<spec>@<tick of its start>, instead")


class Story(OfTown):
    """What is told."""

    message: str = Field(min_length=1, max_length=500)
    category: str | None = Field(None, description="default operator_story")
    priority: bool = Field(False, description="skips the pauses between stories")
    data: dict[str, Any] | None = None
    dedupe_key: str | None = Field(None, max_length=200, description="default the message")


def set_stock(host: Host, arguments: SetStock) -> Answer:
    """Set the units of a good at an object."""
    place = lookups.object_of(host, arguments.object)
    good = lookups.row_of(arguments.good, host.words.names.goods, "good")

    def report(town: TownState, said: Said) -> Said:
        return {"object": said["object"], "good": said["good"], "units": number(town.economy.stock[place, good])}

    return changed(host, "set_stock", arguments, report)


def price(host: Host, arguments: Price) -> Answer:
    """Set a price before spikes."""
    key = lookups.row_of(arguments.key, host.words.names.prices, "price")
    return changed(
        host, "price", arguments,
        lambda town, said: {"key": said["key"], "value": number(town.controls.price[key])},
    )  # fmt: skip


def toggle_mortality(host: Host, arguments: Mortality) -> Answer:
    """Switch fainting on or off."""
    return changed(host, "toggle_mortality", arguments, lambda town, said: {"enabled": bool(town.controls.mortality)})


def set_exit_cap(host: Host, arguments: ExitCap) -> Answer:
    """Set how many exits a day may take."""
    return changed(host, "set_exit_cap", arguments, lambda town, said: {"n": int(town.controls.daily_exit_cap)})


def set_spawn_delay(host: Host, arguments: SpawnDelay) -> Answer:
    """Set how long a slot stays vacant."""
    return changed(
        host, "set_spawn_delay", arguments,
        lambda town, said: {"min": int(town.controls.respawn_min), "max": int(town.controls.respawn_max)},
    )  # fmt: skip


def trigger(host: Host, arguments: Trigger) -> Answer:
    """Have an event start."""
    return changed(host, "perturbation_trigger", arguments, _of_spec(host, arguments.spec), agents=("agents",))


def arrange_meet(host: Host, arguments: Meet) -> Answer:
    """Have agents meet."""
    report = _of_spec(host, arguments.spec or "arranged_meet")
    return changed(host, "arrange_meet", arguments, report, agents=("agents",))


def cancel(host: Host, arguments: Cancel) -> Answer:
    """End an event, or take back its start."""
    if (arguments.spec is None) == (arguments.event_id is None):
        raise ConsoleError("invalid_args", "perturbation_cancel needs either 'spec' or 'event_id'.")
    if arguments.spec is not None and "@" in arguments.spec:
        arguments = Cancel(spec=None, event_id=arguments.spec, town=arguments.town)
    name = (arguments.event_id or "").partition("@")[0] or str(arguments.spec)
    return changed(host, "perturbation_cancel", arguments, _of_spec(host, name))


def _of_spec(host: Host, name: str) -> Any:
    names = host.words.names.perturbations

    def report(town: TownState, said: Said) -> Said:
        del said
        spec, events = names.index(name), town.perturbations
        until, queued = int(events.until_tick[spec]), int(events.queued_tick[spec])
        return {
            "spec": name,
            "event_id": None if until == NEVER else f"{name}@{int(events.started_tick[spec])}",
            "ends_at": None if until == NEVER else until,
            "starts_at": None if queued == NEVER else queued,
        }

    return report


def announce(host: Host, arguments: Story) -> Answer:
    """Have a story told in a watched town, unless stories come too often."""
    town, publisher = host.town(arguments.town), host.told()
    if town not in publisher.watched:
        raise ConsoleError("unsupported", f"Town {town} is not watched, so nobody would hear the story.")
    values = arguments.model_dump(exclude_none=True, exclude={"town"})
    if not publisher.announces(Edited(tick=host.session.tick + 1, command=STORY, arguments=values, town=town)):
        raise ConsoleError(
            "throttled", "Stories come too often (telemetry.narration); wait, or give it priority.", town=town
        )
    return {"town": town, "tick": host.between(lambda: host.session.note_now(STORY, values, town=town)), "queued": True}


_EDIT = ("not_found", "invalid_args")
ROWS = (
    Row(
        name="announce_story", about="Have a story told in a watched town.",
        function=announce, arguments=Story, errors=("invalid_args", "throttled", "unsupported"),
    ),
    Row(
        name="set_stock", about="Set the units of a good at an object.",
        function=set_stock, arguments=SetStock, role="admin", needs_id=True, errors=_EDIT,
    ),
    Row(
        name="price", about="Set a price before spikes.",
        function=price, arguments=Price, role="admin", needs_id=True, errors=_EDIT,
    ),
    Row(
        name="toggle_mortality", about="Switch fainting on or off.",
        function=toggle_mortality, arguments=Mortality, role="admin", needs_id=True, errors=("invalid_args",),
    ),
    Row(
        name="set_exit_cap", about="Set how many exits a day may take.",
        function=set_exit_cap, arguments=ExitCap, role="admin", needs_id=True, errors=("invalid_args",),
    ),
    Row(
        name="set_spawn_delay", about="Set how long a slot stays vacant; pending arrivals keep their tick.",
        function=set_spawn_delay, arguments=SpawnDelay, role="admin", needs_id=True, errors=("invalid_args",),
    ),
    Row(
        name="perturbation_trigger", about="Have an event start in the tick after the next `starts_in` ones.",
        function=trigger, arguments=Trigger, role="admin", needs_id=True, errors=("conflict", *_EDIT),
    ),
    Row(
        name="arrange_meet", about="Have agents meet.",
        function=arrange_meet, arguments=Meet, role="admin", needs_id=True, errors=("conflict", *_EDIT),
    ),
    Row(
        name="perturbation_cancel", about="End an event in the next tick, or take back its start.",
        function=cancel, arguments=Cancel, role="admin", needs_id=True, errors=_EDIT,
    ),
)  # fmt: skip
