"""Commands about what is between agents: ties, chats, and the queue of those who lose their job."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from townlet_jax.console import lookups
from townlet_jax.console.changes import changed, number, of_agent
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Agent, Answer, OfTowns, Row
from townlet_jax.core.enums import NEVER
from townlet_jax.core.state import TownState

CHANNELS = ("trust", "familiarity", "rivalry")


class SetRelation(OfTowns):
    """What two agents feel for each other."""

    a: Agent
    b: Agent
    trust: float | None = Field(None, ge=-1, le=1)
    familiarity: float | None = Field(None, ge=-1, le=1)
    rivalry: float | None = Field(None, ge=0, le=1)


class ForceChat(OfTowns):
    """Who speaks to whom."""

    speaker: Agent
    listener: Agent
    quality: float = Field(1.0, ge=0, le=1)


class EmploymentExit(OfTowns):
    """What to do with the exit queue."""

    action: Literal["review", "approve", "defer"] = Field("review", description="look, let go, or keep")
    agent: Agent | None = Field(None, description="whom (approve, defer)")


def set_relation(host: Host, arguments: SetRelation) -> Answer:
    """Set what two agents feel for each other, both ways."""
    return changed(host, "set_rel", arguments, _of_pair(host, "a", "b"), agents=("a", "b"))


def force_chat(host: Host, arguments: ForceChat) -> Answer:
    """Let a chat succeed at once, wherever the two are."""
    report = _of_pair(host, "speaker", "listener")
    return changed(host, "force_chat", arguments, report, agents=("speaker", "listener"))


def _of_pair(host: Host, one: str, other: str) -> Any:
    def report(town: TownState, said: Mapping[str, Any]) -> dict[str, Any]:
        pairs = ((said[one], said[other]), (said[other], said[one]))
        return {"ties": [_tie(host, town, owner, whom) for owner, whom in pairs]}

    return report


def _tie(host: Host, town: TownState, owner: int, other: int) -> dict[str, Any]:
    names = {"owner": lookups.person(host, town, owner), "other": lookups.person(host, town, other)}
    return names | {channel: number(getattr(town.ties, channel)[owner, other]) for channel in CHANNELS}


def employment_exit(host: Host, arguments: EmploymentExit) -> Answer:
    """Look at the exit queue, let somebody go, or keep somebody."""
    if (arguments.agent is None) != (arguments.action == "review"):
        flaw = "takes no agent" if arguments.action == "review" else "needs an agent"
        raise ConsoleError(
            "usage", f"employment_exit {arguments.action} {flaw}; use review, approve AGENT, or defer AGENT."
        )
    if arguments.action == "review":
        town = host.town(None if isinstance(arguments.town, str) else arguments.town)
        state = host.between(lambda: host.session.town_now(town))
        return {"town": town, "tick": int(state.clock.tick), **_exit_queue(host, state)}
    report = of_agent(host, lambda state, slot: _exit_queue(host, state))
    return changed(host, "employment_exit", arguments, report)


def _exit_queue(host: Host, town: TownState) -> dict[str, Any]:
    """Return who stands in the exit queue, by time of entry, and who was let go."""
    line = sorted((tick, slot) for slot, tick in enumerate(town.exits.asked_tick.tolist()) if tick != NEVER)
    approved = [slot for slot, is_approved in enumerate(town.exits.approved.tolist()) if is_approved]
    return {
        "pending": [{"agent": lookups.person(host, town, slot), "asked_tick": tick} for tick, slot in line],
        "approved": [lookups.person(host, town, slot) for slot in approved],
        "exits_today": int(town.exits.exits_today),
    }


ROWS = (
    Row(
        name="set_rel", about="Set what two agents feel for each other, both ways.",
        function=set_relation, arguments=SetRelation, role="admin", needs_id=True, errors=("not_found", "invalid_args"),
    ),
    Row(
        name="force_chat", about="Let a chat succeed at once.",
        function=force_chat, arguments=ForceChat, role="admin", needs_id=True, errors=("not_found", "invalid_args"),
    ),
    Row(
        name="employment_exit", about="Look at the exit queue, let somebody go, or keep somebody.",
        function=employment_exit, arguments=EmploymentExit, role="admin", needs_id=True, errors=("not_found", "usage"),
    ),
)  # fmt: skip
