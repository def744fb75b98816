"""A running session, through the console: its records come in, wishes go out as commands.

Nothing here waits: connecting, and starting a session of one's own, happen on a thread. A lost connection is tried
again with pauses; the picture stays as it was until then.
"""

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from townlet_jax.telemetry.schema import SchemaError
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.block import clean
from townlet_jax.ui.dashboard.connecting import Attempt
from townlet_jax.ui.dashboard.control import Wish
from townlet_jax.ui.dashboard.look import Standing
from townlet_jax.ui.dashboard.model import Model
from townlet_jax.ui.dashboard.source import Answer, SourceError, checked

if TYPE_CHECKING:
    from townlet_jax.console.client import Link

FACTORS: tuple[float | str, ...] = (1, 10, 100, "max")
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the next try
MOST_WAITING = 32  # commands without an answer
TOWN = "[town=]"  # in the usage of a command that is about a town
QUIET = frozenset({"order", "step"})  # commands whose success is seen on the map


class Live:
    """Records of a session that goes on."""

    def __init__(self, connect: Callable[[], "Link"], *, name: str, is_own: bool = False) -> None:
        self._connect, self._name, self._is_own = connect, name, is_own
        self._link: Link | None = None
        self._trying: Attempt | None = None
        self._tries = 0
        self._due = 0.0
        self._model = Model()
        self._trouble = ""
        self._bad = 0
        self._pace: Mapping[str, Any] = {}
        self._asked: deque[tuple[Wish | None, str, Future[dict[str, Any]]]] = deque()
        self._answers: list[Answer] = []
        self._commands: tuple[tuple[str, str], ...] = ()

    @property
    def model(self) -> Model:
        """Return the run as far as it was told."""
        return self._model

    def standing(self) -> Standing:
        """Return how the connection does."""
        is_open, factor = self._link is not None, self._pace.get("factor")
        speed = factor if isinstance(factor, str) else f"{factor:g}x" if factor is not None else ""
        trouble = self._trouble or (f"{self._bad} records were not understood" if self._bad else "")
        role = self._link.role if self._link is not None else ""
        return Standing(
            name=self._name,
            kind="session" if self._is_own else "live",
            is_paused=bool(self._pace.get("paused")),
            speed=speed,
            trouble=trouble,
            role=clean(role),
            can_steer=is_open and role == "admin",
            commands=self._commands,
        )

    def advance(self, now: float) -> None:
        """Take in records and results; connect if that is due."""
        if self._link is None:
            self._reach(now)
            return
        for record in self._link.records():
            self._take(record)
        self._hear()
        if not self._link.is_open:
            self._lose(now)

    def grant(self, wish: Wish, now: float) -> None:
        """Send what is asked for as a command."""
        del now
        match wish.name:
            case "pause":
                self._send(wish, "resume" if self._pace.get("paused") else "pause", {})
            case "faster" | "slower":
                self._send(wish, "speed", {"factor": self._next_factor(1 if wish.name == "faster" else -1)})
            case "step":
                self._send(wish, "step", {"ticks": 1})
            case "command":
                self._send(wish, wish.command, dict(wish.arguments))

    def answers(self) -> list[Answer]:
        """Return what came of wishes."""
        found, self._answers = self._answers, []
        return found

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
        if self._trying is not None:
            self._trying.abandon()

    def _reach(self, now: float) -> None:
        """Begin to connect, or see how that goes."""
        if self._is_own and self._model.end is not None:
            return
        if self._trying is None:
            if now >= self._due:
                self._trying = Attempt(self._connect)
            return
        if not self._trying.is_done:
            return
        trying, self._trying = self._trying, None
        try:
            self._link = trying.link()
        except SourceError as error:
            if self._tries == 0 and not self._model.taken:
                raise
            self._wait(now, str(error))
            return
        self._link.subscribe()
        self._pace = self._link.run.get("pace") or self._pace
        self._tries, self._trouble = 0, ""
        self._ask(None, "help", {})

    def _lose(self, now: float) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
        self._asked.clear()
        if self._model.end is not None:
            self._trouble = "the session is over"
            self._due = now + PAUSES[-1]
        else:
            self._wait(now, "connection lost")

    def _wait(self, now: float, why: str) -> None:
        pause = PAUSES[min(self._tries, len(PAUSES) - 1)]
        self._tries += 1
        self._due, self._trouble = now + pause, f"{clean(why)}; trying again"

    def _take(self, record: dict[str, Any]) -> None:
        try:
            self._model = models.take(self._model, record if self._is_own else checked(record))
        except SchemaError:
            self._bad += 1
            return
        pace = record["extra"].get("pace") if record["payload_type"] == "health" else None
        if isinstance(pace, Mapping):
            self._pace = pace

    def _next_factor(self, steps: int) -> float | str:
        factor = self._pace.get("factor", "max")
        ranks = [float("inf") if isinstance(known, str) else known for known in FACTORS]
        now = float("inf") if isinstance(factor, str) else float(factor)
        if steps > 0:
            return next((known for known, rank in zip(FACTORS, ranks, strict=True) if rank > now), FACTORS[-1])
        below = [known for known, rank in zip(FACTORS, ranks, strict=True) if rank < now]
        return below[-1] if below else FACTORS[0]

    def _send(self, wish: Wish, name: str, arguments: dict[str, Any]) -> None:
        if self._link is None:
            self._answers.append(Answer("There is no connection; nothing was sent.", True, wish))
        elif len(self._asked) >= MOST_WAITING:
            self._answers.append(Answer("Too many commands wait for an answer; nothing was sent.", True, wish))
        else:
            self._ask(wish, name, arguments)

    def _ask(self, wish: Wish | None, name: str, arguments: dict[str, Any]) -> None:
        """Send a command, to the town that is looked at if it is about a town."""
        if self._link is None:
            return
        usage = dict(self._commands).get(name, "")
        if wish is not None and wish.town is not None and TOWN in usage.split():
            arguments = {"town": wish.town} | arguments
        command = {"name": name, "args": list(wish.positional) if wish is not None else [], "kwargs": arguments}
        self._asked.append((wish, name, self._link.pass_on(command | {"cmd_id": secrets.token_hex(8)})))

    def _hear(self) -> None:
        """See which commands were answered."""
        from townlet_jax.console.client import LinkError

        for _ in range(len(self._asked)):
            wish, name, future = self._asked.popleft()
            if not future.done():
                self._asked.append((wish, name, future))
                continue
            try:
                result = future.result()
            except LinkError as error:
                self._answers.append(Answer(f"{name}: {error}", True, wish))
            else:
                self._understand(wish, name, result)

    def _understand(self, wish: Wish | None, name: str, result: dict[str, Any]) -> None:
        told = result.get("result") or {}
        if wish is None:
            self._learn(told)
            return
        if isinstance(told, Mapping) and "paused" in told and "factor" in told:
            self._pace = told
        self._model = models.with_results(self._model, [result])
        if result.get("status") == "ok":
            if name not in QUIET:
                self._answers.append(Answer(f"{name}: done.", False, wish))
        else:
            error = result.get("error") or {}
            self._answers.append(Answer(f"{name}: {error.get('message', 'it failed')}", True, wish))

    def _learn(self, told: Any) -> None:
        """Take note of the commands there are and of their usage."""
        rows = told.get("commands", ()) if isinstance(told, Mapping) else ()
        usages = [clean(str(row["usage"])) for row in rows if isinstance(row, Mapping) and row.get("usage")]
        self._commands = tuple((usage.split()[0], usage) for usage in usages if usage.split())
