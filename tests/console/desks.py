"""A session with a console for tests: two hamlets in which agents walk about, on a thread of its own."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import lives
from core.worlds import HAMLET, hamlet

from townlet_jax.config import Config, from_mapping
from townlet_jax.console.auth import Caller
from townlet_jax.console.client import Link
from townlet_jax.console.desk import Console
from townlet_jax.console.serving import prepare
from townlet_jax.console.wire import address_of
from townlet_jax.core.state import TownState
from townlet_jax.policy.possessed import possessed
from townlet_jax.session import Session
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.town_snapshots import Archive

TOWNS, CHUNK = lives.TOWNS, lives.CHUNK
ADMIN, VIEWER = Caller("chief", "admin"), Caller("guest", "viewer")


def config(**console: Any) -> Config:
    """Return the hamlet with a console section."""
    return from_mapping({**HAMLET, "console": console})


class Desk:
    """A session that stands still until it is told to go on; use it in a `with`."""

    def __init__(
        self,
        *,
        folder: Path | None = None,
        settings: dict[str, Any] | None = None,
        archive: Archive | None = None,
        cues: Any = None,
        watched: tuple[int, ...] = (0,),
        is_fast: bool = False,
        is_admin: bool = True,
        telemetry: dict[str, Any] | None = None,
        until: int = 10**6,
    ) -> None:
        changes: dict[str, Any] = {"console": settings or {}, "telemetry": telemetry or {}}
        if folder is not None:
            changes["snapshot"] = {"root": str(folder)}
        self.config = from_mapping({**HAMLET, **changes})
        self.console = Console(self.config, is_admin=is_admin)
        self.said: list[str] = []
        built, plan = hamlet(), lives.plan(chunk=CHUNK if is_fast else 1)
        self.publisher = Publisher(
            built, plan, section=self.config.telemetry, watched=watched, more_channels=[self.console.hub], is_live=True
        )
        self.session = Session(
            built,
            plan,
            policy=possessed(lives.restless()),
            listeners=[self.publisher, self.console],
            watched=watched,
            archive=archive,
            cues=None if cues is None else self.console.cues(cues, self.said.append),
        )
        self.console.attach(self.session, self.publisher)
        self.session.pause()
        self._until, self._is_fast = until, is_fast
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._count = 0

    def _run(self) -> None:
        self.session.run(self._until)

    def __enter__(self) -> Self:
        self.compiling = prepare(self.session) if self._is_fast else self.session.prepare_soon(lambda fleet: None)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.stop()
        self._thread.join(60)
        self.compiling.join()
        self.publisher.close()
        self.session.close()

    def ask(
        self, name: str, *args: Any, caller: Caller = ADMIN, cmd_id: str | None = "", **kwargs: Any
    ) -> dict[str, Any]:
        """Have a command carried out; a fresh id is made where none is given."""
        self._count += 1
        command = {"name": name, "args": list(args), "kwargs": kwargs}
        if cmd_id is not None:
            command["cmd_id"] = cmd_id or f"test-{id(self)}-{self._count}"
        return self.console.dispatcher.answer(command, caller)

    def done(self, name: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Have a command carried out that must succeed, and return what it says."""
        answer = self.ask(name, *args, **kwargs)
        assert answer["status"] == "ok", answer
        result: dict[str, Any] = answer["result"]
        return result

    def refused(self, name: str, *args: Any, **kwargs: Any) -> tuple[str, str]:
        """Have a command carried out that must fail, and return the code and the sentence."""
        answer = self.ask(name, *args, **kwargs)
        assert answer["status"] == "error", answer
        return answer["error"]["code"], answer["error"]["message"]

    def town(self, town: int = 0) -> TownState:
        """Return a town as it is now."""
        return self.console.host.between(lambda: self.session.town_now(town))

    def live(self, ticks: int) -> None:
        """Let some ticks pass, however long that takes on a busy machine."""
        assert self.done("step", ticks)["done"] or soon(lambda: self.session.is_paused, 300)

    def serve(self, folder: Path) -> str:
        """Answer clients on a socket."""
        return str(self.console.serve(address_of(str(folder / "console"))))


def soon(condition: Callable[[], bool], seconds: float = 90.0) -> bool:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def linked(address: str, **options: Any) -> Link:
    """Connect to a console."""
    return Link.connect(address, **options)
