"""Possession: an agent is taken over, plays the orders that are queued for it, and is given back."""

from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from townlet_jax.console import lookups
from townlet_jax.console.changes import change_now, of_agent
from townlet_jax.console.envelope import sentence
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Agent, Answer, Arguments, OfTown, OfTowns, Row
from townlet_jax.core.actions import FLAT_USE
from townlet_jax.core.enums import NOBODY, Direction, Kind
from townlet_jax.policy import interface
from townlet_jax.policy.possessed import MOST_ORDERS, Possessed, cleared, queued


class Possess(OfTowns):
    """Whom to take over or give back."""

    agent: Agent
    action: Literal["acquire", "release"] = Field("acquire")


class Intent(Arguments):
    """What somebody is to ask for; which fields belong to which kind is checked."""

    kind: Literal["wait", "move", "request", "start", "use", "release", "blocked", "leave", "chat"]
    direction: Literal["north", "east", "south", "west"] | None = None
    object: str | None = None
    affordance: str | None = None
    target: Agent | None = None
    success: bool | None = None
    quality: float | None = Field(None, ge=0, le=1)


class Order(OfTown):
    """What a possessed agent is to do."""

    agent: Agent
    intent: dict[str, Any] | str = Field(
        description="kind (wait, move, request, start, use, release, blocked, leave, chat) and what belongs to it: "
        "direction; object; affordance; target, quality; success. A text is a kind, or a direction to move"
    )
    ticks: int = Field(1, ge=1, le=MOST_ORDERS, description="how often")


NEEDED = {
    "move": ("direction",),
    "request": ("object",),
    "start": ("object", "affordance"),
    "use": ("affordance",),
    "release": ("object",),
    "blocked": ("object",),
}
OPTIONAL = {"use": ("object",), "release": ("success",), "chat": ("target", "quality")}


def possess(host: Host, arguments: Possess) -> Answer:
    """Take an agent over, or give it back to its policy; nothing is queued for it then."""
    values = arguments.model_dump(exclude={"town"})

    def take() -> Answer:
        report = of_agent(host, lambda town, slot: {"possessed": bool(town.controls.possessed[slot])})
        answer = change_now(host, "possess", values, arguments.town, report)
        fleet = host.session.fleet
        here = np.full(host.session.plan.towns, answer["town"] == "all")
        if answer["town"] != "all":
            here[answer["town"]] = True
        fleet.adopt(fleet.states, cleared(fleet.memory, here, np.int32(answer["slot"])), fleet.params)
        return answer

    return host.between(take)


def order(host: Host, arguments: Order) -> Answer:
    """Queue an intent for a possessed agent."""
    intent = _intent(arguments.intent)
    town = host.town(arguments.town)
    return host.between(lambda: _queue(host, town, arguments, intent))


def _queue(host: Host, town: int, arguments: Order, intent: Intent) -> Answer:
    session = host.session
    state = session.town_now(town)
    slot = lookups.agent_in(host, state, arguments.agent)
    name = lookups.person(host, state, slot)
    if not state.controls.possessed[slot]:
        raise ConsoleError("conflict", f"Agent '{name}' is not possessed; possess it first.")
    queues = interface.within(session.fleet.memory, Possessed)
    if queues is None:
        raise ConsoleError("unsupported", "The agents of this session take no orders; start it with a console.")
    left = int(np.asarray(queues.count)[town, slot] - np.asarray(queues.taken)[town, slot])
    if left + arguments.ticks > MOST_ORDERS:
        raise ConsoleError(
            "conflict", f"Agent '{name}' has {left} orders waiting, and {MOST_ORDERS} is the most; let some be played."
        )
    asked = _as_arrays(host, state, intent)
    here = np.arange(session.plan.towns) == town
    fleet = session.fleet
    memory = queued(fleet.memory, here, np.int32(slot), asked, np.int32(arguments.ticks))
    fleet.adopt(fleet.states, memory, fleet.params)
    values = {"agent": slot, "intent": intent.model_dump(exclude_none=True), "ticks": arguments.ticks}
    tick = session.note_now("order", values, town=town)
    return {"town": town, "tick": tick, "agent": name, "slot": slot, "waiting": left + arguments.ticks}


def _intent(given: dict[str, Any] | str) -> Intent:
    """Read an intent and check that everything it needs is there, and nothing else; raises `ConsoleError`."""
    if isinstance(given, str):
        is_way = given in (way.name.lower() for way in Direction)
        given = {"kind": "move", "direction": given} if is_way else {"kind": given}
    try:
        intent = Intent.model_validate(given)
    except ValidationError as error:
        raise ConsoleError("invalid_args", f"order: intent.{sentence(error)}.") from None
    said = set(intent.model_fields_set) - {"kind"}
    needed = set(NEEDED.get(intent.kind, ()))
    allowed = needed | set(OPTIONAL.get(intent.kind, ()))
    if missing := sorted(needed - said):
        raise ConsoleError("invalid_args", f"order: an intent to {intent.kind} needs {' and '.join(missing)}.")
    if surplus := sorted(said - allowed):
        may = " and ".join(sorted(allowed)) or "nothing else"
        raise ConsoleError("invalid_args", f"order: an intent to {intent.kind} has no {surplus[0]}; it takes {may}.")
    return intent


def _as_arrays(host: Host, state: Any, intent: Intent) -> dict[str, Any]:
    """Return an intent as the numbers that the town reads; raises `ConsoleError` for names that there are not."""
    words = host.words
    affordance = NOBODY
    if intent.affordance is not None:
        affordance = lookups.row_of(intent.affordance, words.affordances, "affordance")
    flat = NOBODY
    if intent.kind == "use" and intent.object is None:
        flat = FLAT_USE + affordance  # on the best object in range
    if intent.kind == "chat" and intent.target is None:
        flat = FLAT_USE + int(words.params.affordances.duration.shape[0]) + 1  # with the best partner in range
    whole = {
        "flat": flat,
        "kind": Kind[intent.kind.upper()],
        "direction": NOBODY if intent.direction is None else Direction[intent.direction.upper()],
        "object": NOBODY if intent.object is None else lookups.object_of(host, intent.object),
        "affordance": affordance,
        "target": NOBODY if intent.target is None else lookups.agent_in(host, state, intent.target),
    }
    return {
        **{name: np.int32(value) for name, value in whole.items()},
        "success": np.bool_(True if intent.success is None else intent.success),
        "quality": np.float32(-1.0 if intent.quality is None else intent.quality),
    }


ROWS = (
    Row(
        name="possess", about="Take an agent over, or give it back; a possessed agent waits for orders.",
        function=possess, arguments=Possess, role="admin", needs_id=True, errors=("not_found", "conflict"),
    ),
    Row(
        name="order", about=f"Queue an intent for a possessed agent, at most {MOST_ORDERS} at a time.",
        function=order, arguments=Order, role="admin", needs_id=True,
        errors=("not_found", "conflict", "invalid_args", "unsupported"),
    ),
)  # fmt: skip
