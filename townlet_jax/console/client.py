"""The other end: a connection to a console, for programs, the command line and the dashboard. Never imports jax."""

import asyncio
import json
import secrets
import socket
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from townlet_jax.console.wire import LONGEST_ANSWER, PROTOCOL, Address, address_of, line_of
from townlet_jax.telemetry.sinks.background import Background
from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.network import CONNECT_SECONDS, client_context, distrusted, hang_up, is_local, reach
from townlet_jax.telemetry.sinks.sentences import reason, shown

MOST_RECORDS = 50_000  # that wait to be asked for


class LinkError(Exception):
    """There is no connection, or no longer; the text is one sentence."""


class Link:
    """A connection to a console; use it in a `with`, or call `close`. All of it may be called from any thread.

    `run` is what the session said of itself, `role` what may be asked: viewer or admin.
    """

    def __init__(self, background: Background, pipe: "_Pipe", hello: Mapping[str, Any], where: str) -> None:
        self.run: Mapping[str, Any] = hello["run"]
        self.role: str = hello["role"]
        self.issuer: str = hello["issuer"]
        self.dropped = 0  # records that nobody took in time
        self._background, self._pipe, self._where = background, pipe, where
        self._sending = threading.Lock()
        self._waiting: deque[Future[dict[str, Any]]] = deque()
        self._records: deque[dict[str, Any]] = deque(maxlen=MOST_RECORDS)
        self._is_open = True
        self._end = f"The console at {where} hung up; connect again."
        background.start(self._listen())

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        token: str | None = None,
        ca: Path | None = None,
        plaintext: bool = False,
        timeout: float = 5.0,
    ) -> Self:
        """Connect and say hello; raises `LinkError`."""
        try:
            place = address_of(address)
            connection, context = _reached(place, ca=ca, plaintext=plaintext, timeout=timeout)
        except (ValueError, SinkError) as error:
            raise LinkError(str(error)) from error
        where = shown(str(place))
        background = Background("console link")
        try:
            pipe, hello = background.call(_greeted(connection, context, place, token), timeout)
            return cls(background, pipe, hello, where)
        except BaseException as error:
            background.close()
            hang_up(connection)
            if isinstance(error, ssl.SSLError):
                raise LinkError(str(distrusted(where, error))) from error
            if isinstance(error, OSError | ValueError):
                raise LinkError(f"{where} does not answer like a console ({reason(error)}).") from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Say whether the other side is still there."""
        return self._is_open

    def send(
        self,
        name: str,
        *,
        town: int | str | None = None,
        cmd_id: str | None = None,
        timeout: float = 10.0,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Have a command carried out and return its result envelope; raises `LinkError` if none comes."""
        try:
            return self.ask(name, town=town, cmd_id=cmd_id, **arguments).result(timeout)
        except NoAnswer:
            raise LinkError(f"{self._where} did not answer '{shown(name)}' within {timeout:g} s.") from None

    def ask(
        self,
        name: str,
        *,
        town: int | str | None = None,
        cmd_id: str | None = None,
        **arguments: Any,
    ) -> "Future[dict[str, Any]]":
        """Have a command carried out; the answer is its result envelope, or `LinkError`."""
        kwargs = arguments if town is None else {**arguments, "town": town}
        return self.pass_on({"name": name, "kwargs": kwargs, "cmd_id": cmd_id or secrets.token_hex(8)})

    def pass_on(self, command: Mapping[str, Any]) -> "Future[dict[str, Any]]":
        """Send a command as it is; the answer is its result envelope, or `LinkError`."""
        answer: Future[dict[str, Any]] = Future()
        with self._sending:
            if self._is_open:
                self._waiting.append(answer)
                self._put({"command": dict(command)})
        if not self._is_open:
            self._give_up()
            if not answer.done():
                answer.set_exception(LinkError(self._end))
        return answer

    def subscribe(self) -> None:
        """Begin to receive telemetry records: the run record, a whole frame of each watched town, then what comes."""
        with self._sending:
            self._put({"subscribe": True})

    def records(self) -> list[dict[str, Any]]:
        """Return the records that came since the last call, without waiting."""
        found = []
        with suppress(IndexError):
            while True:
                found.append(self._records.popleft())
        return found

    def close(self) -> None:
        """Hang up."""
        self._end = "The connection was closed; connect again."
        self._is_open = False
        self._background.close()
        self._give_up()

    def _put(self, data: dict[str, Any]) -> None:
        try:
            self._background.call(self._pipe.put(line_of(data)))
        except (OSError, RuntimeError, CancelledError):
            self._is_open = False

    async def _listen(self) -> None:
        """Sort what comes, to the end of the connection."""
        try:
            while line := await self._pipe.reader.readline():
                self._sort(json.loads(line))
        except (OSError, ValueError):
            pass  # the other side is gone, or no console any more
        finally:
            self._is_open = False
            self._give_up()
            self._pipe.writer.transport.abort()
            self._background.close()

    def _sort(self, data: Mapping[str, Any]) -> None:
        if "record" in data:
            self.dropped += len(self._records) == MOST_RECORDS
            self._records.append(data["record"])
        elif "result" in data and self._waiting:
            answer = self._waiting.popleft()
            if answer.set_running_or_notify_cancel():
                answer.set_result(data["result"])
        elif "error" in data:
            self._end = shown(str(data["error"].get("message", self._end)))

    def _give_up(self) -> None:
        """Tell those who wait that no answer will come."""
        with suppress(IndexError):
            while True:
                answer = self._waiting.popleft()
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(LinkError(self._end))


@dataclass(frozen=True)
class _Pipe:
    """Both ways of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def put(self, line: bytes) -> None:
        """Send a line."""
        self.writer.write(line)
        await self.writer.drain()


async def _greeted(
    connection: socket.socket, context: ssl.SSLContext | None, place: Address, token: str | None
) -> tuple[_Pipe, dict[str, Any]]:
    """Say hello over a new connection; return both its ways, and the other side's hello."""
    connection.setblocking(False)
    if place.path is not None:
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST_ANSWER)
    elif context is None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=LONGEST_ANSWER)
    else:
        reader, writer = await asyncio.open_connection(
            sock=connection,
            limit=LONGEST_ANSWER,
            ssl=context,
            server_hostname=place.host,
            ssl_handshake_timeout=CONNECT_SECONDS,
        )
    try:
        pipe = _Pipe(reader, writer)
        await pipe.put(line_of({"hello": PROTOCOL, "token": token}))
        hello = json.loads(await reader.readline() or b"null")
        if not isinstance(hello, dict) or hello.get("hello") != PROTOCOL:
            said = hello.get("error", {}).get("message") if isinstance(hello, dict) else None
            raise LinkError(shown(said) if said else f"{shown(str(place))} does not answer like a console.")
    except BaseException:
        writer.transport.abort()
        raise
    return pipe, hello


def _reached(
    place: Address, *, ca: Path | None, plaintext: bool, timeout: float
) -> tuple[socket.socket, ssl.SSLContext | None]:
    """Return a connection and how to secure it; raises `SinkError` or `ValueError` with a sentence."""
    if place.path is None:
        if plaintext and not is_local(place.host):
            raise ValueError(f"{place} is not this host, so it is reached over TLS only.")
        context = None if plaintext else client_context(ca)
        return reach(place.host, place.port, is_secured=not plaintext), context
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(place.path))
    except OSError as error:
        connection.close()
        raise ValueError(
            f"No console answers at {shown(str(place))} ({reason(error)}); start one with townlet run --console."
        ) from error
    return connection, None
