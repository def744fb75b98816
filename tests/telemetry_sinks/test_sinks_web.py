"""POST and websockets against real servers with real certificates."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from wires import TOKEN, Certified, limits, record, until

from townlet_jax.telemetry.sinks import Channel, SinkError
from townlet_jax.telemetry.sinks.background import Background
from townlet_jax.telemetry.sinks.http import HttpSink
from townlet_jax.telemetry.sinks.websocket import WebsocketSink


class Service(ThreadingHTTPServer):
    """Keeps what is posted; `statuses` are the next answers, then 204 for everybody who knows the token."""

    def __init__(self, certified: Certified | None) -> None:
        self.posted: list[list[int]] = []
        self.statuses: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = True
        self.block_on_close = False
        if certified is not None:
            self.socket = certified.server().wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status = 401
        if status == 204:
            self.server.posted.append([json.loads(line)["sequence"] for line in body.splitlines()])
        self.server.headers.append(dict(self.headers))
        self.server.paths.append(self.path)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Be silent."""


@pytest.fixture
def service(certified: Certified) -> Iterator[Service]:
    server = Service(certified)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def url(server: Any, scheme: str) -> str:
    return f"{scheme}://localhost:{server.socket.getsockname()[1]}/town/in?source=a"


def test_batches_are_posted_over_one_connection(service: Service, certified: Certified) -> None:
    sink = HttpSink(url(service, "https"), TOKEN, certified.client())
    sink.open()
    channel = Channel(sink, limits(max_batch=10, flush_interval_ticks=10))
    for sequence in range(40):
        channel.put(record(sequence))
    channel.close()
    assert service.posted == [list(range(start, start + 10)) for start in (0, 10, 20, 30)]
    assert set(service.paths) == {"/town/in?source=a"}
    assert service.headers[0]["Content-Type"] == "application/x-ndjson"
    status = channel.status()
    assert (status.sent, status.dropped, status.retries) == (40, 0, 0)
    assert status.name == url(service, "https").partition("?")[0]


@pytest.mark.parametrize(
    ("statuses", "posted", "dropped", "said"),
    [
        ([503, 429], [[0, 1, 2]], 0, "is busy or broken (429 Too Many Requests)"),
        ([413, 204, 400, 204], [[0], [2]], 1, "refused records (400 Bad Request)"),
    ],
)
def test_answers_decide_what_is_tried_again(
    service: Service, certified: Certified, statuses: list[int], posted: list[list[int]], dropped: int, said: str
) -> None:
    service.statuses = statuses
    sink = HttpSink(url(service, "https"), TOKEN, certified.client())
    sink.open()
    channel = Channel(sink, limits(flush_interval_ticks=3))
    for sequence in range(3):
        channel.put(record(sequence))
    channel.close()
    assert service.posted == posted
    assert channel.status().dropped == dropped
    assert said in (channel.status().last_error or "")


def test_a_wrong_token_waits_for_somebody_to_change_it(service: Service, certified: Certified) -> None:
    sink = HttpSink(url(service, "https"), "x" * 40, certified.client())
    sink.open()
    with pytest.raises(SinkError, match=r"does not accept the token \(401 Unauthorized\); check token_env") as refusal:
        sink.write([record(0)])
    assert refusal.value.lasting
    sink.close()


def test_https_is_checked(service: Service, certified: Certified, tmp_path: Path) -> None:
    other = Certified(tmp_path)
    with pytest.raises(SinkError, match=r"The certificate of localhost:[0-9]+ is not trusted"):
        HttpSink(url(service, "https"), TOKEN, other.client()).open()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://town.example/in", "is not this host, and http without TLS goes to this host only; use https"),
        ("ftp://town.example/in", "write http://HOST:PORT/PATH or https://HOST:PORT/PATH"),
        ("https://", "is none"),
        ("https://me:secret@town.example/", "holds a password; put a token into token_env"),
        ("https://town.example:99999/", "is none"),
        ("https://town.example/\n", "is none"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, said: str, certified: Certified) -> None:
    with pytest.raises(SinkError) as refusal:
        HttpSink(address, TOKEN, certified.client())
    assert said in str(refusal.value)
    assert "secret" not in str(refusal.value)


class Chat:
    """A websocket server in a thread, inside a `with`; it keeps what it hears in `heard`, and answers each message."""

    def __init__(self, certified: Certified) -> None:
        self.heard: list[str] = []
        self._certified = certified
        self._background = Background("chat")

    def __enter__(self) -> Self:
        self._server = self._background.call(self._start())
        self.socket = self._server.sockets[0]
        return self

    def __exit__(self, *trouble: object) -> None:
        self._background.call(self._stop())
        self._background.close()

    async def _start(self) -> Any:
        from websockets.asyncio.server import serve

        return await serve(
            self._answer, "127.0.0.1", 0, ssl=self._certified.server(), process_request=self._check, close_timeout=1
        )

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, connection: Any) -> None:
        async for message in connection:
            self.heard.append(message)
            await connection.send("thanks")

    async def _check(self, connection: Any, request: Any) -> Any:
        is_known = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        return None if is_known else connection.respond(403, "no")


@pytest.fixture
def chat(certified: Certified) -> Iterator[Chat]:
    with Chat(certified) as server:
        yield server


def test_a_websocket_gets_one_message_a_record(chat: Chat, certified: Certified) -> None:
    sink = WebsocketSink(url(chat, "wss"), TOKEN, certified.client())
    sink.open()
    channel = Channel(sink, limits(max_bytes=1_000_000))
    for sequence in range(100):
        channel.put(record(sequence))
    assert until(lambda: channel.status().sent == 100)
    channel.close()
    assert until(lambda: len(chat.heard) == 100)  # a ping may be answered before the last ones are handled
    assert [json.loads(message)["sequence"] for message in chat.heard] == list(range(100))
    assert channel.status().last_error is None


def test_a_websocket_refuses_wrong_tokens_and_wrong_certificates(
    chat: Chat, certified: Certified, tmp_path: Path
) -> None:
    with pytest.raises(SinkError, match=r"does not accept the token \(status 403\)") as refusal:
        WebsocketSink(url(chat, "wss"), "y" * 40, certified.client()).open()
    assert refusal.value.lasting
    with pytest.raises(SinkError, match="is not trusted"):
        WebsocketSink(url(chat, "wss"), TOKEN, Certified(tmp_path).client()).open()
    with pytest.raises(SinkError, match="ws without TLS goes to this host only; use wss"):
        WebsocketSink("ws://town.example/", TOKEN, None)
