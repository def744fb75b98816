"""`townlet run --console` and `--timeline`: a session that can be steered. Owns what these options mean together."""

import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from townlet_jax.candidates import Candidate
from townlet_jax.cli_steering import Steering
from townlet_jax.config import Built, Config
from townlet_jax.console.desk import Console
from townlet_jax.console.script import Entry, read
from townlet_jax.console.serving import prepare, steered
from townlet_jax.console.wire import Address, address_of
from townlet_jax.core import batch
from townlet_jax.pacing import SHORT
from townlet_jax.plans import Plan, RunError
from townlet_jax.promotion.manager import Manager
from townlet_jax.promotion.opening import opened
from townlet_jax.session import Session
from townlet_jax.stretch import Listener
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.telemetry.sinks.network import server_context


class Live:
    """What stands around a session that is steered; made before it. Raises `RunError` and `SinkError`."""

    def __init__(self, steering: Steering, config: Config) -> None:
        self.console = Console(config, is_admin=steering.admin)
        self._config, self._promotion = config, steering.promotion
        self._manager: Manager | None = None
        self._policy_hash: str | None = None
        self._entries: Sequence[Entry] = () if steering.timeline is None else read(steering.timeline)
        self._address = None if steering.console is None else _address(steering.console)
        self._context = _context(steering, self._address)
        if self._address is not None:
            self.console.demand_keys(self._address)

    @property
    def cues(self) -> Mapping[int, Sequence[Callable[[], None]]]:
        """Return what the session does before certain ticks."""
        return self.console.cues(self._entries, lambda text: print(text, file=sys.stderr))

    def plan(self, plan: Plan, *, is_chunk_given: bool) -> Plan:
        """Return the plan in chunks as short as commands need them."""
        return plan if is_chunk_given or self._address is None else replace(plan, chunk=min(plan.chunk, SHORT))

    def around(self, built: Built) -> Callable[[batch.Policy], batch.Policy]:
        """Return what is put around the policy."""
        return partial(steered, built=built, config=self._config)

    def listeners(
        self, who: Candidate, publisher: Publisher, source: tuple[str, Sequence[str]], stack: ExitStack
    ) -> list[Listener]:
        """Return what listens to the session: the console, and where weights act the manager of releases.

        `source` names the configuration and its changes.
        """
        self._policy_hash = who.policy_hash
        if who.policy_hash is None or who.about.get("share") != 1.0:
            if self._promotion is not None:
                raise RunError("--promotion needs a policy with weights; give --policy the folder of a run.")
            return [self.console]
        tell = partial(_tell, publisher)
        show = partial(publisher.inform, "promotion")
        self._manager = stack.enter_context(
            opened(self._config, *source, who, folder=self._promotion, tell=tell, show=show)
        )
        return [self.console, self._manager]

    def begin(self, session: Session, publisher: Publisher) -> str | None:
        """Compile what commands need and answer clients from now on; return where, None if there is no console."""
        if self._manager is not None:
            self._manager.attach(session)
        self.console.attach(session, publisher, self._manager, policy_hash=self._policy_hash)
        if self._address is None:
            return None
        prepare(session)
        return str(self.console.serve(self._address, self._context))


def _tell(publisher: Publisher, event: str, tick: int, said: dict[str, Any]) -> None:
    publisher.tell(event, tick=tick, data=said)


def _address(text: str) -> Address:
    try:
        return address_of(text)
    except ValueError as error:
        raise RunError(f"--console: {error}") from error


def _context(steering: Steering, address: Address | None) -> ssl.SSLContext | None:
    """Return the TLS to answer with, None where there is none; raises `RunError` for options without a use."""
    is_tcp = address is not None and address.path is None
    given = {"--console-cert": steering.cert, "--console-key": steering.key}
    useless = [name for name, value in given.items() if value is not None and (not is_tcp or steering.plaintext)]
    if useless:
        raise RunError(f"{useless[0]} has a use only with --console HOST:PORT over TLS; leave it out.")
    if steering.admin and address is None:
        raise RunError("--admin needs --console; add it.")
    if steering.plaintext and not is_tcp:
        raise RunError("--console-plaintext has a use only with --console HOST:PORT; leave it out.")
    if not is_tcp or steering.plaintext:
        return None
    if steering.cert is None:
        raise RunError(
            "--console HOST:PORT needs a certificate; give --console-cert (and --console-key), or --console-plaintext "
            "on this host only."
        )
    return server_context(steering.cert, steering.key or steering.cert)
