"""The console's server: a thread with a loop of its own, on a Unix socket or over TCP with TLS 1.3.

A client says hello, then sends commands, one at a time each, and may subscribe to telemetry. Nothing that a client does
reaches the session but its commands: floods are slowed down by not reading on, slow readers lose records, and what
breaks ends one connection.
"""

import asyncio
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax.console import envelope
from townlet_jax.console.auth import Caller, Door
from townlet_jax.console.dispatcher import Dispatcher
from townlet_jax.console.errors import ConsoleError, shown
from townlet_jax.console.hub import Hub, Reader
from townlet_jax.console.limits import Bucket
from townlet_jax.console.wire import PROTOCOL, Address, line_of
from townlet_jax.plans import RunError
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.telemetry.sinks.network import is_local
from townlet_jax.telemetry.sinks.sentences import reason

HELLO_SECONDS = 10.0
HANDSHAKE_SECONDS = 5.0
GOODBYE_SECONDS = 0.3
MOST_CLIENTS = 32
ARRIVALS = 20.0  # connections a second
HIGH_WATER = 2**18  # bytes that are handed to the system before a reader's records wait
LOCAL = "local"  # the address of who comes by a Unix socket


@dataclass(frozen=True, kw_only=True)
class Served:
    """What a server gives access to; `about` is told to each client."""

    dispatcher: Dispatcher
    door: Door
    hub: Hub
    publisher: Publisher | None
    about: Callable[[], Mapping[str, Any]]


class Server:
    """Answers clients from `start` to `close`."""

    def __init__(self, address: Address, served: Served, *, context: ssl.SSLContext | None = None) -> None:
        self._wanted, self._served, self._context = address, served, context
        self._connections: set[asyncio.Task[None]] = set()
        self._arrivals = Bucket(ARRIVALS)
        self._workers = ThreadPoolExecutor(MOST_CLIENTS, "console")
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._listening = _listening(address, served.door, context)
        self.address = _bound(address, self._listening)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """Hang up on everybody and remove the socket."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5)
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._listening.close()
        if self._wanted.path is not None:
            self._wanted.path.unlink(missing_ok=True)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        limits: dict[str, Any] = {"limit": envelope.MOST_BYTES}
        if self._context is not None:
            limits |= {"ssl": self._context, "ssl_handshake_timeout": HANDSHAKE_SECONDS}
        start = asyncio.start_server if self._wanted.path is None else asyncio.start_unix_server
        server = await start(self._receive, sock=self._listening, **limits)
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from hello to the end."""
        task = asyncio.current_task()
        assert task is not None, "it runs as one"
        self._connections.add(task)
        client = Client(self._served, self._workers, reader, writer)
        try:
            while not self._arrivals.take():
                await asyncio.sleep(self._arrivals.pause)
            if len(self._connections) > MOST_CLIENTS:
                await client.refuse(
                    ConsoleError("throttled", f"{MOST_CLIENTS} clients are connected; come back later.")
                )
            else:
                await client.serve()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the server ends
        finally:
            client.close()
            self._connections.discard(task)
            await _hang_up(writer)


class Client:
    """One connection."""

    def __init__(
        self,
        served: Served,
        workers: ThreadPoolExecutor,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._served, self._workers, self._reader, self._writer = served, workers, reader, writer
        self._loop = asyncio.get_running_loop()
        name = writer.get_extra_info("peername")
        self._address = name[0] if isinstance(name, tuple) else LOCAL
        self._bucket = Bucket()
        self._stream: asyncio.Task[None] | None = None
        self._records: Reader | None = None
        self._news = asyncio.Event()

    async def serve(self) -> None:
        """Greet, and answer until the client hangs up."""
        try:
            caller = await self._greeted()
        except ConsoleError as error:
            await self.refuse(error)
            return
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                most = envelope.MOST_BYTES
                long = ConsoleError("usage", f"A line may have {most:,} bytes; the connection ends here.")
                refused = self._served.dispatcher.refuse(long, caller, address=self._address)
                await self._send({"result": refused})
                return
            if line.strip():
                await self._obey(line, caller)

    async def refuse(self, error: ConsoleError) -> None:
        """Say why this client is not served."""
        await self._send({"error": {"code": error.code, "message": str(error)}})

    def close(self) -> None:
        """Stop the stream."""
        if self._stream is not None:
            self._stream.cancel()
        if self._records is not None:
            self._served.hub.remove(self._records)

    async def _greeted(self) -> Caller:
        """Check who comes; raises `ConsoleError`."""
        try:
            line = await asyncio.wait_for(self._reader.readuntil(b"\n"), HELLO_SECONDS)
            hello = envelope.parsed(line)
        except (asyncio.LimitOverrunError, ConsoleError):
            hello = None
        if not isinstance(hello, dict) or hello.get("hello") != PROTOCOL:
            raise ConsoleError("usage", f'This is a townlet console; say {{"hello": {PROTOCOL}}} first.')
        token = hello.get("token")
        if not isinstance(token, str | None):
            raise ConsoleError("usage", "The token of the hello must be a text.")
        caller = self._served.door.caller(token, self._address)
        about = await self._loop.run_in_executor(self._workers, self._served.about)
        greeting = {"hello": PROTOCOL, "role": caller.role, "issuer": caller.issuer, "run": dict(about)}
        await self._send(greeting)
        return caller

    async def _obey(self, line: bytes, caller: Caller) -> None:
        """Answer one line; one that comes too soon is refused, and the next is read later."""
        if not self._bucket.take():
            soon = ConsoleError("throttled", "More than 20 commands a second came; send them more slowly.")
            refused = self._served.dispatcher.refuse(soon, caller, address=self._address)
            await self._send({"result": refused})
            await asyncio.sleep(self._bucket.pause)
            return
        try:
            data = envelope.parsed(line)
            asked = _asked(data)
        except ConsoleError as error:
            answer = self._served.dispatcher.refuse(error, caller, address=self._address)
        else:
            if asked is None:
                await self._subscribe()
                return
            answer = await self._loop.run_in_executor(
                self._workers, lambda: self._served.dispatcher.answer(asked, caller, address=self._address)
            )
        await self._send({"result": answer})

    async def _send(self, data: dict[str, Any]) -> None:
        self._writer.write(line_of(data))
        await self._writer.drain()

    async def _subscribe(self) -> None:
        publisher = self._served.publisher
        if publisher is None:
            refused = ConsoleError("unsupported", "This session publishes nothing.")
            await self._send({"error": {"code": refused.code, "message": str(refused)}})
            return
        if self._records is not None:
            return
        records = self._records = Reader(self._wake)

        def greet(known: list[bytes]) -> None:
            records.offer(known)
            self._served.hub.add(records)

        await self._loop.run_in_executor(self._workers, publisher.join, greet)
        self._stream = asyncio.create_task(self._pour(records))

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._news.set)

    async def _pour(self, records: Reader) -> None:
        """Send records as they come, as fast as the client takes them."""
        try:
            while True:
                self._news.clear()
                while (record := records.take()) is not None:
                    self._writer.write(b'{"record":' + record + b"}\n")
                    if self._writer.transport.get_write_buffer_size() > HIGH_WATER:
                        await self._writer.drain()
                await self._news.wait()
        except OSError:
            self._writer.transport.abort()  # the client is gone; its commands end, too


def _asked(data: Any) -> Any:
    """Return the command in a line, None for a wish to subscribe; raises `ConsoleError`."""
    if isinstance(data, Mapping) and set(data) == {"command"}:
        return data["command"]
    if isinstance(data, Mapping) and data.get("subscribe") is True and len(data) == 1:
        return None
    text = json.dumps(data, default=str)
    raise ConsoleError(
        "usage", f'A line is {{"command": {{...}}}} or {{"subscribe": true}}, but this is {shown(text)}.'
    )


def _listening(address: Address, door: Door, context: ssl.SSLContext | None) -> socket.socket:
    """Return a socket that listens; raises `RunError`."""
    if address.path is not None:
        return _unix(address.path)
    if context is None and not is_local(address.host):
        raise RunError(f"The console at {address} needs TLS, because it is not this host only; give a certificate.")
    demand_keys(address, door)
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family)
    except (OSError, OverflowError) as error:
        raise RunError(
            f"The console cannot listen at {address} ({reason(error)}); choose another host or port."
        ) from error


def demand_keys(address: Address, door: Door) -> None:
    """Raise `RunError` for an address that others can reach and a door to which nobody has a key."""
    if address.path is None and not door.has_keys:
        raise RunError(
            f"The console at {address} can be reached by others, so it needs tokens; set console.auth.enabled and "
            "list some, or give the path of a socket."
        )


def _unix(path: Path) -> socket.socket:
    """Return a Unix socket that its owner alone may use."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_room(path)
        listening.bind(str(path))
        os.chmod(path, 0o600)  # nobody can connect before it listens  # noqa: PTH101
        listening.listen(MOST_CLIENTS)
    except OSError as error:
        listening.close()
        raise RunError(f"The console cannot listen at {path} ({reason(error)}); choose another path.") from error
    return listening


def _make_room(path: Path) -> None:
    """Remove a socket that nobody listens at any more."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def _bound(address: Address, listening: socket.socket) -> Address:
    return address if address.path is not None else Address(None, address.host, listening.getsockname()[1])


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError, asyncio.CancelledError):
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), GOODBYE_SECONDS)
    writer.transport.abort()
