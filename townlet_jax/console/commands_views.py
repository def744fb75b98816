"""Commands that look: sections of the last frame of a watched town, and what is made of them."""

from typing import Any

from pydantic import Field

from townlet_jax.console import lookups
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.figures import report_of
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Agent, Answer, OfTown, Row
from townlet_jax.core.enums import NOBODY
from townlet_jax.report import printable

FRIENDS = 3  # and rivals, that a summary names
COUNTED = {"start": "affordance_start", "finish": "affordance_finish", "fail": "affordance_fail"}
REFUSED = ("affordance_refused", "affordance_precondition_fail")


class Conflicts(OfTown):
    """How much of the past is told."""

    history: int = Field(10, description="last entries of each history; 0 or less = all")
    rivalries: int = Field(10, description="strongest rivalries; 0 or less = all")


class OfObject(OfTown):
    """One object."""

    object: str = Field(description="id of the object")


class Rivalries(OfTown):
    """Whose rivalries, and how many."""

    agent: Agent | None = Field(None, description="whose; default everybody's")
    limit: int = Field(5, description="how many; 0 or less = all")


class OfAgent(OfTown):
    """One agent."""

    agent: Agent


class Limited(OfTown):
    """How many entries."""

    limit: int = Field(20, ge=0, description="how many, the newest first")


class Last(OfTown):
    """How far back."""

    last: int = Field(1440, ge=1, description="ticks to look back, at least")


def snapshot(host: Host, arguments: OfTown) -> Answer:
    """Return the whole frame."""
    town, tick, frame = host.frame(arguments.town)
    return {"town": town, "tick": tick, "frame": frame}


def _section(host: Host, arguments: OfTown, name: str) -> Answer:
    town, tick, frame = host.frame(arguments.town)
    return {"town": town, "tick": tick, name: lookups.demand(frame, name)}


def employment(host: Host, arguments: OfTown) -> Answer:
    """Return who works where, and who has to go."""
    return _section(host, arguments, "employment")


def economy(host: Host, arguments: OfTown) -> Answer:
    """Return prices, goods and money."""
    return _section(host, arguments, "economy")


def utilities(host: Host, arguments: OfTown) -> Answer:
    """Return which utilities work."""
    return _section(host, arguments, "utilities")


def perturbations(host: Host, arguments: OfTown) -> Answer:
    """Return events that run, wait or rest."""
    return _section(host, arguments, "perturbations")


def health(host: Host, arguments: OfTown) -> Answer:
    """Return how the run does."""
    town, tick, frame = host.frame(arguments.town)
    said = host.told().health()
    return {
        "town": town,
        "tick": tick,
        "health": frame["health"],
        "transport": said["channels"],
        "faults": said["faults"],
        "records": said["records"],
        "skipped_chunks": said["skipped_chunks"],
        "extra": said["extra"],
    }


def affordances(host: Host, arguments: OfTown) -> Answer:
    """Return what runs, and how often things began and ended in the watched towns."""
    town, tick, frame = host.frame(arguments.town)
    counters = host.told().counters()
    running = [
        {"agent": name, **about["activity"]}
        for name, about in lookups.demand(frame, "agents").items()
        if about["activity"] is not None
    ]
    counts = {word: counters.get(f"events.{event}", 0) for word, event in COUNTED.items()}
    counts["refused"] = sum(counters.get(f"events.{event}", 0) for event in REFUSED)
    return {"town": town, "tick": tick, "running": running, "counts": counts}


def conflict(host: Host, arguments: Conflicts) -> Answer:
    """Return quarrels, rivals and the queues' counters."""
    town, tick, frame = host.frame(arguments.town)
    histories = host.told().histories(town)["lists"]
    quarrels = lookups.demand(frame, "conflict")
    top = sorted(quarrels["rivalry_top"], key=lambda pair: -pair["rivalry"])
    return {
        "town": town,
        "tick": tick,
        "queue_metrics": frame["queue_metrics"],
        "intensity_sum": quarrels["intensity_sum"],
        "avoided": quarrels["avoided"],
        "rivalries": _first(top, arguments.rivalries),
        "history": {
            name: _last(histories[name], arguments.history) for name in ("queue_increments", "conflicts", "alerts")
        },
    }


def _first(entries: list[Any], count: int) -> list[Any]:
    return entries if count <= 0 else entries[:count]


def _last(entries: list[Any], count: int) -> list[Any]:
    return entries if count <= 0 else entries[-count:]


def queue(host: Host, arguments: OfObject) -> Answer:
    """Return an object's holder, queue, cooldowns and stalls, as they are between two ticks."""
    town, place = host.town(arguments.town), lookups.object_of(host, arguments.object)
    state = host.between(lambda: host.session.town_now(town))
    tick, line = int(state.clock.tick), state.queues
    holder = next((slot for slot, held in enumerate(line.holding.tolist()) if held == place), NOBODY)
    waiting = [slot for slot, awaited in enumerate(line.waiting.tolist()) if awaited == place]
    waiting.sort(key=lambda slot: int(line.ticket[slot]))
    return {
        "town": town,
        "tick": tick,
        "object": arguments.object,
        "holder": lookups.person(host, state, holder),
        "queue": [
            {
                "agent": lookups.person(host, state, slot),
                "ticket": int(line.ticket[slot]),
                "wait": tick - int(line.joined_tick[slot]),
            }
            for slot in waiting
        ],
        "cooldowns": [
            {"agent": lookups.person(host, state, slot), "until_tick": until}
            for slot, until in enumerate(line.cooldown_until[place].tolist())
            if until > tick
        ],
        "stalls": 0 if holder == NOBODY else int(line.stalls[holder]),
    }


def rivalry(host: Host, arguments: Rivalries) -> Answer:
    """Return pairs by rivalry, the strongest first."""
    town, tick, frame = host.frame(arguments.town)
    ties = lookups.demand(frame, "relationships")["ties"]
    if arguments.agent is not None:
        name = lookups.published(host, frame, arguments.agent)
        ties = [tie for tie in ties if tie["owner"] == name]
    pairs = sorted((tie for tie in ties if tie["rivalry"] > 0), key=lambda tie: -tie["rivalry"])
    keep = ("owner", "other", "rivalry")
    return {
        "town": town,
        "tick": tick,
        "pairs": [{key: tie[key] for key in keep} for tie in _first(pairs, arguments.limit)],
    }


def relationships(host: Host, arguments: OfTown) -> Answer:
    """Return everybody's best friends and strongest rivals, and how many ties were lost."""
    town, tick, frame = host.frame(arguments.town)
    known = lookups.demand(frame, "relationships")
    people: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, about in lookups.demand(frame, "agents").items():
        if about["alive"]:
            own = [tie for tie in known["ties"] if tie["owner"] == name]
            people[name] = {
                "friends": [
                    {"other": tie["other"], "score": round(_liking(tie), 6)}
                    for tie in sorted(own, key=lambda tie: -_liking(tie))[:FRIENDS]
                    if _liking(tie) > 0
                ],
                "rivals": [
                    {"other": tie["other"], "rivalry": tie["rivalry"]}
                    for tie in sorted(own, key=lambda tie: -tie["rivalry"])[:FRIENDS]
                    if tie["rivalry"] > 0
                ],
            }
    return {"town": town, "tick": tick, "agents": people, "churn": known["churn"]}


def _liking(tie: dict[str, Any]) -> float:
    return float(tie["trust"] + tie["familiarity"])


def relationship(host: Host, arguments: OfAgent) -> Answer:
    """Return what somebody feels and what is felt for them, and what changed since the frame before."""
    town, tick, frame = host.frame(arguments.town)
    ties = lookups.demand(frame, "relationships")["ties"]
    name = lookups.published(host, frame, arguments.agent)
    updates = [
        event
        for event in frame["events"]
        if event["event"].startswith("relationship_") and name in (event["owner"], event["other"])
    ]
    return {
        "town": town,
        "tick": tick,
        "agent": name,
        "feels": [tie for tie in ties if tie["owner"] == name],
        "is_felt_for": [tie for tie in ties if tie["other"] == name],
        "updates": updates,
    }


def social_events(host: Host, arguments: Limited) -> Answer:
    """Return chats, shared meals and help, the newest first."""
    town, tick, _ = host.frame(arguments.town)
    events = host.told().histories(town)["lists"]["social_events"]
    return {"town": town, "tick": tick, "events": events[::-1][: arguments.limit]}


def kpis(host: Host, arguments: Last) -> Answer:
    """Return the key figures of the last ticks."""
    town = host.town(arguments.town)
    found = host.figures.over(town, arguments.last)
    if found is None:
        raise ConsoleError("not_ready", f"Nothing is known of town {town} yet; only watched towns are added up.")
    built = host.session.built
    figures = report_of(
        found,
        affordances=[printable(name) for name in built.names.affordances],
        ticks_per_day=int(host.words.ticks_per_day),
    )
    return {
        "town": town,
        "tick": found.last_tick,
        "first_tick": found.first_tick,
        "last_tick": found.last_tick,
        "kpis": figures,
    }


FRAME_ERRORS = ("not_found", "not_ready", "unsupported")
ROWS = (
    Row(
        name="telemetry_snapshot", aliases=("snapshot",), about="The last frame of a watched town, whole.",
        function=snapshot, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(
        name="health_status", about="How the run does: speed, sinks, faults, pace.",
        function=health, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(
        name="employment_status", about="Jobs, who is at them, attendance, the exit queue.",
        function=employment, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(
        name="economy_status", about="Prices, basket, rent, goods, deliveries, wallets.",
        function=economy, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(name="utilities", about="Which utilities work.", function=utilities, arguments=OfTown, errors=FRAME_ERRORS),
    Row(
        name="affordance_status", about="What runs on which object; starts, finishes, failures, refusals so far.",
        function=affordances, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(
        name="perturbation_queue", about="Events that run, wait or rest.",
        function=perturbations, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(
        name="conflict_status", about="Counters of the queues, quarrels, rivals, alerts.",
        function=conflict, arguments=Conflicts, errors=("invalid_args", *FRAME_ERRORS),
    ),
    Row(
        name="queue_inspect", about="Who holds an object, who waits, whose cooldown runs.",
        function=queue, arguments=OfObject, errors=("not_found",),
    ),
    Row(
        name="rivalry_dump", about="Pairs by rivalry, the strongest first.",
        function=rivalry, arguments=Rivalries, errors=FRAME_ERRORS,
    ),
    Row(
        name="relationship_summary", about="Everybody's three best friends and strongest rivals; ties lost.",
        function=relationships, arguments=OfTown, errors=FRAME_ERRORS,
    ),
    Row(
        name="relationship_detail", about="What one feels for the others, they for it, and what just changed.",
        function=relationship, arguments=OfAgent, errors=FRAME_ERRORS,
    ),
    Row(
        name="social_events", about="Chats, shared meals and help, the newest first.",
        function=social_events, arguments=Limited, errors=("invalid_args", *FRAME_ERRORS),
    ),
    Row(
        name="kpis", about="Key figures of a watched town over the last ticks.",
        function=kpis, arguments=Last, errors=("invalid_args", "not_ready"),
    ),
)  # fmt: skip
