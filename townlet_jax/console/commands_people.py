"""Commands about agents: who lives, where, in what state, with how much money."""

from typing import Any, Literal

from pydantic import Field

from townlet_jax.console.changes import changed, number, of_agent
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Agent, Answer, OfTowns, Row, Tile
from townlet_jax.core.enums import Need
from townlet_jax.core.state import TownState

NeedName = Literal["hunger", "hygiene", "energy"]


class Spawn(OfTowns):
    """Who is to live in a vacant slot; what is left out is as for any newcomer."""

    agent: Agent | None = Field(None, description="whose slot, by name or number")
    position: Tile | None = Field(None, description="tile [x, y]; default the home's")
    home: str | int | None = Field(None, description="name or number of a home; default the slot's")
    needs: dict[NeedName, float] | None = Field(None, description="levels 0 to 1 by need")
    wallet: float | None = Field(None, ge=0, description="coins")
    profile: str | int | None = Field(None, description="personality; default drawn")
    job: str | int | None = Field(None, description="default the slot's")
    slot: int | None = Field(None, description="instead of agent")


class Kill(OfTowns):
    """Who has to go."""

    agent: Agent
    reason: str | None = Field(None, max_length=200, description="told in the event")
    respawn: bool = Field(True, description="somebody else comes into the slot")


class Teleport(OfTowns):
    """Whom to put where."""

    agent: Agent
    position: Tile = Field(description="free tile [x, y]")


class SetHome(OfTowns):
    """Whose home."""

    agent: Agent
    home: str | int = Field(description="name or number of a home")


class SetNeed(OfTowns):
    """One need, or several by name."""

    agent: Agent
    need: NeedName | None = Field(None, description="which")
    value: float | None = Field(None, description="level, clipped to 0 to 1")
    needs: dict[NeedName, float] | None = Field(None, description="levels by need, instead")


class SetWallet(OfTowns):
    """Whose money."""

    agent: Agent
    amount: float = Field(ge=0, description="coins")


def spawn(host: Host, arguments: Spawn) -> Answer:
    """Let somebody live in a vacant slot from now on."""
    if (arguments.agent is None) == (arguments.slot is None):
        raise ConsoleError("invalid_args", "spawn needs either 'agent' or 'slot': whose place is taken.")
    names = host.words.names

    def told(town: TownState, slot: int) -> dict[str, Any]:
        return {
            "position": town.roster.position[slot].tolist(),
            "home": names.homes[int(town.roster.home[slot])],
            "profile": names.profiles[int(town.roster.profile[slot])],
        }

    named = "agent" if arguments.slot is None else "slot"
    return changed(host, "spawn", arguments, of_agent(host, told, named), agents=("agent", "slot"), vacant=True)


def kill(host: Host, arguments: Kill) -> Answer:
    """Condemn somebody; they leave in the next tick."""
    report = of_agent(host, lambda town, slot: {"condemned": int(town.lifecycle.condemned[slot])})
    return changed(host, "kill", arguments, report)


def teleport(host: Host, arguments: Teleport) -> Answer:
    """Put somebody on a tile; what they were at is over."""
    report = of_agent(host, lambda town, slot: {"position": town.roster.position[slot].tolist()})
    return changed(host, "teleport", arguments, report)


def set_home(host: Host, arguments: SetHome) -> Answer:
    """Give somebody another home."""
    homes = host.words.names.homes
    report = of_agent(host, lambda town, slot: {"home": homes[int(town.roster.home[slot])]})
    return changed(host, "set_home", arguments, report)


def set_need(host: Host, arguments: SetNeed) -> Answer:
    """Set need levels of somebody."""
    report = of_agent(host, lambda town, slot: {"needs": needs_of(town, slot)})
    return changed(host, "setneed", arguments, report)


def needs_of(town: TownState, slot: int) -> dict[str, float]:
    """Return the need levels of a slot."""
    return {need.name.lower(): number(town.needs.level[slot, need]) for need in Need}


def set_wallet(host: Host, arguments: SetWallet) -> Answer:
    """Set somebody's coins."""
    report = of_agent(host, lambda town, slot: {"wallet": number(town.economy.wallet[slot])})
    return changed(host, "set_wallet", arguments, report)


EDIT_ERRORS = ("not_found", "invalid_args")
ROWS = (
    Row(
        name="spawn", about="Let somebody live in a vacant slot.",
        function=spawn, arguments=Spawn, role="admin", needs_id=True, errors=("conflict", *EDIT_ERRORS),
    ),
    Row(
        name="kill", about="Have somebody leave in the next tick.",
        function=kill, arguments=Kill, role="admin", needs_id=True, errors=EDIT_ERRORS,
    ),
    Row(
        name="teleport", about="Put somebody on a free tile; what they were at is over.",
        function=teleport, arguments=Teleport, role="admin", needs_id=True, errors=EDIT_ERRORS,
    ),
    Row(
        name="set_home", about="Give somebody another home.",
        function=set_home, arguments=SetHome, role="admin", needs_id=True, errors=EDIT_ERRORS,
    ),
    Row(
        name="setneed", about="Set one need of somebody, or several.",
        function=set_need, arguments=SetNeed, role="admin", needs_id=True, errors=EDIT_ERRORS,
    ),
    Row(
        name="set_wallet", about="Set somebody's coins.",
        function=set_wallet, arguments=SetWallet, role="admin", needs_id=True, errors=EDIT_ERRORS,
    ),
)  # fmt: skip
