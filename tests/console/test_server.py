"""The server over real sockets: greetings, streams, floods, broken clients, tokens, TLS (ECOSYSTEM R12, R13)."""

import json
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from console.desks import Desk, soon
from townlet_jax.config.schema.shell import ConsoleAuth
from townlet_jax.console.auth import Door
from townlet_jax.console.client import Link, LinkError
from townlet_jax.console.envelope import MOST_BYTES
from townlet_jax.console.hub import Hub, Reader
from townlet_jax.console.server import MOST_CLIENTS, Served, Server
from townlet_jax.console.wire import address_of
from townlet_jax.plans import RunError
from townlet_jax.telemetry import schema
from townlet_jax.telemetry.sinks import Item
from townlet_jax.telemetry.sinks.network import server_context

STRONG = "0123456789abcdef" * 4
AUTH = ConsoleAuth(enabled=True, tokens=({"label": "ann", "role": "admin", "token": STRONG},))


@contextmanager
def raw(address: str, hello: bytes | None = b'{"hello": 1}\n') -> Iterator[tuple[socket.socket, IO[bytes]]]:
    """Open a plain connection, say hello and read the greeting."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
        plain.settimeout(20)
        plain.connect(address)
        lines = plain.makefile("rb")
        if hello is not None:
            plain.sendall(hello)
            lines.readline()
        yield plain, lines


def said(lines: IO[bytes]) -> dict[str, Any]:
    """Return the next line."""
    found: dict[str, Any] = json.loads(lines.readline())
    return found


def test_hello_tells_of_the_run_and_commands_are_answered_in_order(desk: Desk, address: str) -> None:
    assert stat.S_IMODE(os.stat(address).st_mode) == 0o600  # noqa: PTH116
    with Link.connect(address) as link:
        assert (link.role, link.issuer, link.is_open) == ("admin", "local", True)
        assert (link.run["towns"], link.run["watched"], link.run["pace"]["paused"]) == (2, [0], True)
        assert link.run["agents"][:2] == ["ada", "ben"]
        answers = [link.ask("set_wallet", agent="ada", amount=float(amount)) for amount in range(8)]
        assert [answer.result(20)["result"]["wallet"] for answer in answers] == list(map(float, range(8)))
        assert desk.town().economy.wallet[0] == 7
        assert link.send("set_wallet", agent="ben", amount=3.0, town=1)["result"]["town"] == 1
    assert not link.is_open
    with pytest.raises(LinkError, match="was closed"):
        link.send("noop")


@pytest.mark.parametrize(
    "hello",
    [
        b"{}\n", b"[]\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff\n", b'{"hello": 2}\n', b'{"hello": 1, "token": 7}\n',
        b"x" * 70_000 + b"\n",
    ],
)  # fmt: skip
def test_who_says_something_else_is_sent_away(address: str, hello: bytes) -> None:
    with raw(address, None) as (plain, lines):
        plain.sendall(hello)
        assert said(lines)["error"]["code"] == "usage"
        assert lines.readline() == b""


@pytest.mark.parametrize(
    "line",
    [
        b"{\n", b"7\n", b'{"command": 7}\n', b'{"command": {"name": "noop"}, "x": 1}\n', b'{"subscribe": false}\n',
        b"\xfe\n",
    ],
)  # fmt: skip
def test_bad_lines_are_answered_and_the_next_is_heard(address: str, line: bytes) -> None:
    with raw(address) as (plain, lines):
        plain.sendall(line + b'\n{"command": {"name": "noop"}}\n')
        assert said(lines)["result"]["error"]["code"] == "usage"
        assert said(lines)["result"]["status"] == "ok"


def test_a_line_that_is_too_long_ends_the_connection(address: str) -> None:
    with raw(address) as (plain, lines):
        plain.sendall(b'{"command": {"name": "noop", "args": ["' + b"x" * MOST_BYTES + b'"]}}\n')
        assert said(lines)["result"]["error"]["code"] == "usage"
        assert lines.readline() == b""
    with raw(address) as (plain, lines):
        text = "x" * (MOST_BYTES - 100)
        plain.sendall(json.dumps({"command": {"name": "noop", "metadata": {"text": text}}}).encode() + b"\n")
        assert said(lines)["result"]["status"] == "ok", "64 KiB are heard"


def test_a_stream_begins_with_the_run_and_whole_frames_and_has_no_gap(desk: Desk, address: str) -> None:
    desk.live(1)
    with Link.connect(address) as link:
        link.subscribe()
        found: list[dict[str, Any]] = []
        assert soon(lambda: bool(found.extend(link.records()) or len(found) >= 2))
        assert [record["payload_type"] for record in found] == ["run", "snapshot"]
        assert found[1]["tick"] == desk.session.tick
        assert found[1]["agents"]["ada"]["position"] == desk.town().roster.position[0].tolist()
        link.send("step", ticks=4)
        assert soon(lambda: bool(found.extend(link.records()) or sum(r["payload_type"] == "diff" for r in found) >= 4))
    for record in found:
        schema.check(record)
    sequences = [record["sequence"] for record in found[1:]]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    diffs = [record["tick"] for record in found if record["payload_type"] == "diff"]
    assert diffs == list(range(found[1]["tick"] + 1, found[1]["tick"] + 5)), "a frame each tick while somebody steps"


def test_pausing_is_told_to_everybody_at_once(desk: Desk, address: str) -> None:
    desk.live(1)
    with Link.connect(address) as one, Link.connect(address) as other:
        other.subscribe()
        one.send("speed", factor=100)
        found: list[dict[str, Any]] = []
        assert soon(
            lambda: bool(
                found.extend(r for r in other.records() if r["payload_type"] == "health")
                or (found and found[-1]["extra"]["pace"]["factor"] == 100)
            )
        )
        one.send("speed", factor="max")


def test_a_reader_that_is_too_slow_loses_the_oldest_records_and_gets_a_whole_frame() -> None:
    hub, news = Hub(), []
    slow, quick = Reader(lambda: news.append(1), most_bytes=100), Reader(lambda: None)
    hub.add(slow)
    hub.add(quick)
    for number in range(20):
        hub.put(Item(tick=number, kind="diff", data=b"%020d" % number))
    assert (slow.dropped, quick.dropped, len(news)) == (15, 0, 20)
    assert [int(slow.take() or b"-1") for _ in range(6)] == [15, 16, 17, 18, 19, -1]
    assert (hub.take_gap(), hub.take_gap()) == (True, False)
    status = hub.status()
    assert (status.sent, status.dropped, status.connected, status.last_success_tick) == (40, 15, True, 19)
    hub.remove(slow)
    hub.remove(quick)
    assert not hub.status().connected


def test_clients_that_die_in_the_middle_harm_nobody(desk: Desk, address: str) -> None:
    before = desk.session.tick
    for piece in (b"", b'{"comm', b'{"command": {"name": "step", "args": [3]}}\n', b'{"subscribe": true}\n'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.connect(address)
            plain.sendall(b'{"hello": 1}\n' + piece)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as half:
        half.connect(address)
        half.sendall(b'{"hel')
        with Link.connect(address) as link:
            assert link.send("noop")["status"] == "ok"
            assert link.send("step", ticks=2)["result"]["done"]
    assert soon(lambda: desk.session.tick >= before + 2)
    assert soon(lambda: not desk.console.hub.status().connected), "nobody is left in the hub"


def test_a_client_that_never_reads_gets_no_more_than_its_buffer(desk: Desk, address: str) -> None:
    with raw(address) as (plain, _):
        plain.sendall(b'{"subscribe": true}\n')
        assert soon(lambda: desk.console.hub.status().connected)
        desk.live(60)
        with Link.connect(address) as link:
            began = time.monotonic()
            assert link.send("noop")["status"] == "ok"
            assert time.monotonic() - began < 5


def test_r13_more_than_twenty_commands_a_second_are_throttled(address: str) -> None:
    with raw(address) as (plain, lines):
        plain.sendall(b'{"command": {"name": "noop"}}\n' * 40)
        codes = [said(lines)["result"].get("error", {}).get("code", "ok") for _ in range(40)]
    assert codes[:20] == ["ok"] * 20
    assert codes.count("throttled") >= 5
    with Link.connect(address) as link:
        assert link.send("noop")["status"] == "ok", "another client is not held back"


def test_too_many_clients_are_sent_away(desk: Desk, tmp_path: Path) -> None:
    with served(desk, tmp_path, Door(ConsoleAuth(), is_admin=False)) as address:
        links = [Link.connect(address, timeout=20) for _ in range(MOST_CLIENTS)]
        assert {link.role for link in links} == {"viewer"}
        with pytest.raises(LinkError, match="clients are connected"):
            Link.connect(address, timeout=20)
        for link in links:
            link.close()
        assert soon(lambda: _connects(address))


def _connects(address: str) -> bool:
    try:
        Link.connect(address, timeout=20).close()
    except LinkError:
        return False
    return True


@contextmanager
def served(desk: Desk, folder: Path, door: Door, **options: Any) -> Iterator[str]:
    """Serve the desk a second time, under other rules."""
    host = desk.console.host
    about = Served(
        dispatcher=desk.console.dispatcher, door=door, hub=desk.console.hub, publisher=host.publisher,
        about=lambda: {"config_id": "hamlet", "agents": []},
    )  # fmt: skip
    where = options.pop("where", str(folder / "other"))
    server = Server(address_of(where), about, **options)
    server.start()
    try:
        yield str(server.address)
    finally:
        server.close()


def test_r12_tcp_with_tls_and_tokens(desk: Desk, tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1")
    ca, cert, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    own.cert_chain_pems[0].write_to_path(str(cert))
    own.private_key_pem.write_to_path(str(key))
    door = Door(AUTH, is_admin=True)
    with served(desk, tmp_path, door, where="127.0.0.1:0", context=server_context(cert, key)) as address:
        with Link.connect(address, token=STRONG, ca=ca) as link:
            assert (link.role, link.issuer) == ("admin", "ann")
            assert link.send("set_wallet", agent="ada", amount=2.0)["issuer"] == "ann"
        with pytest.raises(LinkError, match="is not trusted"):
            Link.connect(address, token=STRONG)
        with pytest.raises(LinkError, match="asks for a token"):
            Link.connect(address, ca=ca)
        with pytest.raises(LinkError):
            Link.connect(address, token=STRONG, plaintext=True, timeout=3)
        for _ in range(5):
            with pytest.raises(LinkError, match="token is wrong"):
                Link.connect(address, token="0" * 64, ca=ca)
        with pytest.raises(LinkError, match="Too many wrong tokens"):
            Link.connect(address, token=STRONG, ca=ca)


def test_r12_plaintext_is_for_this_host_and_tokens_are_needed(desk: Desk, tmp_path: Path) -> None:
    with (
        served(desk, tmp_path, Door(AUTH, is_admin=True), where="127.0.0.1:0") as address,
        Link.connect(address, token=STRONG, plaintext=True) as link,
    ):
        assert link.role == "admin"
    with (
        pytest.raises(RunError, match="needs TLS"),
        served(desk, tmp_path, Door(AUTH, is_admin=True), where="0.0.0.0:0"),
    ):
        pass
    lax = Door(ConsoleAuth(), is_admin=True)
    with pytest.raises(RunError, match="needs tokens"), served(desk, tmp_path, lax, where="127.0.0.1:0"):
        pass
    with pytest.raises(LinkError, match="over TLS only"):
        Link.connect("example.org:7", token=STRONG, plaintext=True)


def test_a_socket_is_taken_over_only_when_nobody_answers(desk: Desk, tmp_path: Path) -> None:
    door = Door(ConsoleAuth(), is_admin=False)
    with served(desk, tmp_path, door) as address:
        with pytest.raises(RunError, match="cannot listen"), served(desk, tmp_path, door):
            pass
        assert Link.connect(address).is_open
    assert not Path(address).exists()
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(address)
    left.close()
    with served(desk, tmp_path, door) as again:
        Link.connect(again).close()
    (tmp_path / "other").write_text("a file")
    with pytest.raises(RunError, match="cannot listen"), served(desk, tmp_path, door):
        pass
    with pytest.raises(RunError, match="cannot listen"), served(desk, tmp_path, door, where=str(tmp_path / "no" / "x")):
        pass
    for bad in ("", "x" * 200, "host:99999"):
        with pytest.raises(ValueError, match=r"\.$"):
            address_of(bad)


def test_who_connects_to_nothing_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="No console answers"):
        Link.connect(str(tmp_path / "nothing"))
    with pytest.raises(LinkError, match="cannot be reached"):
        Link.connect("127.0.0.1:1", plaintext=True)
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(LinkError, match="does not answer"):
        Link.connect(f"127.0.0.1:{deaf.getsockname()[1]}", plaintext=True, timeout=0.2)


def test_a_link_hears_that_the_server_ends(desk: Desk, tmp_path: Path) -> None:
    with served(desk, tmp_path, Door(ConsoleAuth(), is_admin=False)) as address:
        link = Link.connect(address)
        link.subscribe()
    assert soon(lambda: not link.is_open)
    with pytest.raises(LinkError, match="hung up"):
        link.send("noop")
    link.close()
