"""The other end of `sinks.tcp`: takes records from several senders at once and writes them down.

Owns the receiving side of the protocol that stands there. Senders show a token first; whoever is wrong five times in a
minute is locked out (ECOSYSTEM R12). Nothing that a sender does ends the receiver or harms another sender's records.
"""

import asyncio
import json
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.network import is_local, place
from townlet_jax.telemetry.sinks.sentences import reason
from townlet_jax.telemetry.sinks.tcp import PROTOCOL
from townlet_jax.telemetry.tokens import Guard, is_same

HELLO_SECONDS = 10.0
HANDSHAKE_SECONDS = 5.0
GOODBYE_SECONDS = 0.3  # for the other side to hang up, too
LONGEST_HELLO = 4096  # bytes
PIECE = 1 << 16  # bytes read at once
MOST_REMEMBERED = 10_000  # senders whose place is known
Write = Callable[[list[bytes]], None]  # takes whole lines, all or none; raises SinkError


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and how to listen. Without TLS, `host` must be this host."""

    host: str
    port: int  # 0 = any free one
    token: str = field(repr=False)
    context: ssl.SSLContext | None
    longest_line: int = 16 * 2**20  # bytes
    most_senders: int = 64


@dataclass
class Tally:
    """What happened so far."""

    senders: int = 0  # connected now
    records: int = 0
    bytes: int = 0
    broken: int = 0  # lines that a sender left unfinished
    foreign: int = 0  # lines that were no JSON objects
    too_long: int = 0
    wrong_tokens: int = 0
    locked: int = 0  # connections of locked addresses
    last_error: str | None = None


class RefusedError(Exception):
    """A sender is sent away; the text is for it, `is_lasting` says that coming back soon is of no use."""

    def __init__(self, text: str, *, is_lasting: bool = False) -> None:
        super().__init__(text)
        self.is_lasting = is_lasting


class Receiver:
    """Listens inside an `async with`; `port` is where, `tally` what came."""

    def __init__(self, listening: Listening, write: Write) -> None:
        if listening.context is None and not is_local(listening.host):
            raise SinkError(
                f"{place(listening.host, listening.port)} is not this host only, so it needs TLS; give a certificate "
                "and its key.",
                lasting=True,
            )
        self.tally = Tally()
        self.port = listening.port
        self._listening = listening
        self._write = write
        self._guard = Guard()
        self._following: OrderedDict[str, int] = OrderedDict()  # the record each sender is to send next
        self._visits: dict[str, asyncio.StreamWriter] = {}  # the connection of each sender
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        chosen = self._listening
        limits = {} if chosen.context is None else {"ssl_handshake_timeout": HANDSHAKE_SECONDS}
        try:
            self._server = await asyncio.start_server(
                self._receive, chosen.host, chosen.port, ssl=chosen.context, limit=PIECE, **limits
            )
        except (OSError, ValueError, OverflowError) as error:
            raise SinkError(
                f"{place(chosen.host, chosen.port)} cannot be listened at ({reason(error)}); choose another host or "
                "port.",
                lasting=True,
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # connections that were aborted are closed in the next turn of the loop

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from hello to the end; the sentence of a refusal is its last line."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        sender = ""
        try:
            sender = await self._welcome(reader, writer)
            await self._take_records(sender, reader, writer)
        except RefusedError as refusal:
            self.tally.last_error = str(refusal)
            with suppress(OSError):
                await _answer(writer, {"error": str(refusal), "lasting": refusal.is_lasting})
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the sender comes back, or the receiver ends
        finally:
            self._tasks.discard(task)
            if sender and self._visits.get(sender) is writer:
                del self._visits[sender]
            self.tally.senders = len(self._visits)
            await _hang_up(writer)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Check who comes and return the name it goes by."""
        address = writer.get_extra_info("peername")[0]
        seconds = self._guard.locked_seconds(address)
        if seconds:
            self.tally.locked += 1
            raise RefusedError(f"too many wrong tokens from this address; locked for {seconds} s", is_lasting=True)
        if len(self._tasks) > self._listening.most_senders:
            raise RefusedError(f"{self._listening.most_senders} senders are connected, which is all that may be")
        hello = await _hello(reader)
        if not is_same(str(hello.get("token", "")), self._listening.token):
            self._guard.note_wrong(address)
            self.tally.wrong_tokens += 1
            raise RefusedError("wrong token", is_lasting=True)
        sender, first = hello.get("sender"), hello.get("first")
        if hello.get("townlet") != PROTOCOL or not isinstance(sender, str) or not isinstance(first, int) or first < 0:
            raise RefusedError(f"the protocol is {PROTOCOL}; use another version of townlet_jax", is_lasting=True)
        if (before := self._visits.pop(sender, None)) is not None:
            before.transport.abort()  # a connection that broke without a word
        following = max(first, self._following.pop(sender, first))
        self._following[sender] = following
        while len(self._following) > MOST_REMEMBERED:
            self._following.popitem(last=False)
        self._visits[sender] = writer
        self.tally.senders = len(self._visits)
        _keep_alive(writer)
        await _answer(writer, {"next": following, "limit": self._listening.longest_line})
        return sender

    async def _take_records(self, sender: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Write down whole lines until the sender hangs up."""
        held = bytearray()
        try:
            while piece := await reader.read(PIECE):
                if self._visits.get(sender) is not writer:
                    return
                held += piece
                end = held.rfind(b"\n", len(held) - len(piece)) + 1
                if end:
                    lines = bytes(held[: end - 1]).split(b"\n")
                    del held[:end]
                    self._keep(lines)
                    self._following[sender] += len(lines)
                    await _answer(writer, {"written": self._following[sender]})
                if len(held) > self._listening.longest_line:
                    held.clear()
                    self.tally.too_long += 1
                    raise RefusedError(f"a line is longer than {self._listening.longest_line} bytes", is_lasting=True)
        finally:
            self.tally.broken += bool(held)

    def _keep(self, lines: list[bytes]) -> None:
        """Write what is a record; raises `RefusedError` if that fails, so that the sender offers it again."""
        records = [line for line in lines if len(line) <= self._listening.longest_line and _is_record(line)]
        try:
            self._write(records)
        except SinkError as error:
            raise RefusedError(str(error).rstrip(".")) from error
        self.tally.foreign += len(lines) - len(records)
        self.tally.records += len(records)
        self.tally.bytes += sum(map(len, records))


async def _hello(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await asyncio.wait_for(reader.readuntil(b"\n"), HELLO_SECONDS)
        hello = json.loads(line) if len(line) <= LONGEST_HELLO else None
    except (ValueError, RecursionError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
        hello = None
    if not isinstance(hello, dict):
        raise RefusedError(f"this is a listener of townlet telemetry, which speaks {PROTOCOL}", is_lasting=True)
    return hello


async def _answer(writer: asyncio.StreamWriter, answer: dict[str, Any]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError, asyncio.CancelledError):
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), GOODBYE_SECONDS)
    writer.transport.abort()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
