"""The console of one session: what it remembers, who may use it, and where it is served.

It is a listener, so that a snapshot keeps what a later session must know: which commands were carried out already.
"""

import functools
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from townlet_jax.config import Config
from townlet_jax.console.audit import Audit
from townlet_jax.console.auth import Caller, Door
from townlet_jax.console.commands_session import pace_of
from townlet_jax.console.dispatcher import Dispatcher
from townlet_jax.console.figures import Figures
from townlet_jax.console.host import Host, Promotion
from townlet_jax.console.hub import Hub
from townlet_jax.console.replays import Replays
from townlet_jax.console.script import Entry, by_tick
from townlet_jax.console.server import Served, Server, demand_keys
from townlet_jax.console.wire import Address
from townlet_jax.report import printable
from townlet_jax.session import Session
from townlet_jax.stretch import Stretch
from townlet_jax.telemetry.publisher import Publisher

TIMELINE = Caller("timeline", "admin")  # who asks for what a timeline says


class Console:
    """Made before its session, whose listener it is; `attach` makes the two known to each other."""

    def __init__(self, config: Config, *, is_admin: bool) -> None:
        section = config.console
        self.hub = Hub()  # a channel for the publisher of the session
        self._config, self._is_admin = config, is_admin
        self._door = Door(section.auth, is_admin=is_admin)
        self._audit = Audit(None if section.audit_path is None else Path(section.audit_path))
        self._replays, self._totals = Replays(section.history_limit), Figures()
        self._server: Server | None = None

    def attach(
        self,
        session: Session,
        publisher: Publisher | None,
        promotion: Promotion | None = None,
        *,
        policy_hash: str | None = None,
    ) -> None:
        """Let commands act on a session; `policy_hash` is that of the weights with which it began, if there are any."""
        self.host = Host(
            session=session,
            section=self._config.snapshot,
            figures=self._totals,
            publisher=publisher,
            promotion=promotion,
            is_admin=self._is_admin,
            policy_hash=policy_hash,
        )
        self.dispatcher = Dispatcher(self.host, self._door, self._replays, self._audit)
        if publisher is not None:
            publisher.inform("health", {"pace": pace_of(self.host)})

    def demand_keys(self, address: Address) -> None:
        """Raise `RunError` if others can reach an address and nobody has a key to it."""
        demand_keys(address, self._door)

    def cues(self, entries: Sequence[Entry], say: Callable[[str], None]) -> dict[int, list[Callable[[], None]]]:
        """Return what a session does before certain ticks to follow a timeline; refusals are said, and it goes on."""
        return {
            tick: [functools.partial(self._follow, entry, say) for entry in some]
            for tick, some in by_tick(entries).items()
        }

    def _follow(self, entry: Entry, say: Callable[[str], None]) -> None:
        command = {"name": entry.command, "kwargs": dict(entry.args), "cmd_id": f"timeline-{secrets.token_hex(8)}"}
        answer = self.dispatcher.answer(command, TIMELINE, address=TIMELINE.issuer)
        if answer["status"] == "error":
            error = answer["error"]
            say(f"Timeline, tick {entry.tick}, {entry.command}: {error['message']} ({error['code']})")

    def serve(self, address: Address, context: ssl.SSLContext | None = None) -> Address:
        """Answer clients from now on, and return where; raises `RunError`."""
        served = Served(
            dispatcher=self.dispatcher,
            door=self._door,
            hub=self.hub,
            publisher=self.host.publisher,
            about=lambda: about(self.host),
        )
        self._server = Server(address, served, context=context)
        self._server.start()
        return self._server.address

    def stop(self) -> None:
        """Hang up on all clients."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def hear(self, stretch: Stretch) -> None:
        """Add a chunk up."""
        self._totals.hear(stretch)

    def close(self) -> None:
        """Hang up on all clients, and close the audit log."""
        self.stop()
        self._audit.close()

    def figures(self) -> Mapping[str, Any]:
        """Return the answers to commands by their id."""
        return {"replays": self._replays.figures()}

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Know what was answered."""
        self._replays.restore(figures["replays"])
        self._totals.forget()


def about(host: Host) -> dict[str, Any]:
    """Return what a client is told of a session when it comes."""
    session, names = host.session, host.session.built.names
    return {
        "config_id": printable(names.config_id),
        "towns": session.plan.towns,
        "agents": [printable(name) for name in host.words.slots],
        "watched": list(session.watched),
        "policy": session.plan.policy,
        "seed": session.plan.seed,
        "ticks_per_day": host.words.ticks_per_day,
        "planned_ticks": session.plan.ticks,
        "tick": session.tick,
        "pace": pace_of(host),
        "run_id": None if host.publisher is None else host.publisher.run_id,
    }
