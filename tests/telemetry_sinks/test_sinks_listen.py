"""`townlet telemetry listen`: the program, with real sockets and signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner
from wires import TOKEN, Certified, Listen, limits, record, until

from townlet_jax.cli_telemetry_listen import app
from townlet_jax.telemetry.sinks import Channel
from townlet_jax.telemetry.sinks.tcp import TcpSink
from townlet_jax.telemetry.tokens import VARIABLE

ENDINGS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


@contextmanager
def program(root: Path, *options: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    """Run the command and give it with its port."""
    command = [sys.executable, "-m", "townlet_jax.cli_telemetry_listen", "listen", "--port", "0", *options]
    running = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, VARIABLE: TOKEN},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stderr is not None
    said = running.stderr.readline()
    assert said.startswith("Listening at 127.0.0.1:"), said
    try:
        yield running, int(said.split(":")[1].split()[0])
    finally:
        running.kill()
        running.communicate()


def channel_to(port: int, certified: Certified) -> Channel:
    sink = TcpSink("localhost", port, TOKEN, certified.client())
    sink.open()
    return Channel(sink, limits(max_bytes=10_000_000))


@pytest.mark.parametrize(("asked", "code"), ENDINGS)
def test_senders_are_written_down_and_a_signal_ends_it(
    root: Path, tmp_path: Path, certified: Certified, asked: signal.Signals, code: int
) -> None:
    out = tmp_path / "town.jsonl"
    tls = ("--cert", str(certified.cert), "--key", str(certified.key), "--out", str(out))
    with program(root, *tls) as (running, port):
        channels = [channel_to(port, certified) for _ in range(3)]
        for sequence in range(200):
            for channel in channels:
                channel.put(record(sequence))
        assert until(lambda: all(channel.status().sent == 200 for channel in channels))
        running.send_signal(asked)
        _, told = running.communicate(timeout=20)
        assert running.returncode == code
        assert "Ended: 600 records" in told.splitlines()[-1]
        for channel in channels:
            channel.close(0.1)
    lines = [json.loads(line)["sequence"] for line in out.read_bytes().splitlines()]
    assert sorted(lines) == sorted(list(range(200)) * 3)


def test_each_run_gets_its_file(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    with program(root, "--allow-plaintext", "--by-run", "--out", str(folder)) as (running, port):
        sink = TcpSink("127.0.0.1", port, TOKEN, None)
        sink.open()
        for sequence, run in enumerate(("one", "two", "../evil", "one", None, ".hidden")):
            sink.write([record(sequence, run_id=run)])
        sink.close()
        running.terminate()
        running.communicate(timeout=20)
    found = {
        path.name: [json.loads(line)["sequence"] for line in path.read_bytes().splitlines()]
        for path in tmp_path.rglob("*.jsonl")
    }
    assert found == {"one.jsonl": [0, 3], "two.jsonl": [1], "unnamed.jsonl": [2, 4, 5]}


def test_records_can_go_to_standard_output(root: Path) -> None:
    with program(root, "--allow-plaintext", "--out", "-") as (running, port):
        sink = TcpSink("127.0.0.1", port, TOKEN, None)
        sink.open()
        sink.write([record(0), record(1)])
        sink.close()
        running.terminate()
        out, _ = running.communicate(timeout=20)
    assert [json.loads(line)["sequence"] for line in out.splitlines()] == [0, 1]


def test_bad_input_is_one_sentence(tmp_path: Path, certified: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    out = ["--out", str(tmp_path / "a.jsonl")]
    tls = ["--cert", str(certified.cert), "--key", str(certified.key)]
    (tmp_path / "other").mkdir()
    other = Certified(tmp_path / "other")
    (tmp_path / "empty.pem").touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        cases = [
            ([*out], "Listening needs --cert with a certificate"),
            ([*out, "--host", "0.0.0.0", "--allow-plaintext"], "is not this host only, so it needs TLS"),
            ([*out, *tls, "--allow-plaintext"], "exclude each other"),
            ([*out, *tls, "--port", port], f"127.0.0.1:{port} cannot be listened at"),
            ([*out, *tls, "--host", "no-town.invalid"], "no-town.invalid:7411 cannot be listened at"),
            ([*out, "--cert", str(tmp_path / "none.pem")], "cannot be read (No such file or directory)"),
            ([*out, "--cert", str(tmp_path / "empty.pem")], "cannot be used"),
            (
                [*out, "--cert", str(certified.cert), "--key", str(other.key)],
                "give a chain and its own unencrypted key",
            ),
            ([*out, *tls, "--token-env", "NOT_THERE"], "There is no token in the environment variable NOT_THERE"),
            (["--out", "/nowhere/a.jsonl", *tls], "cannot be written (No such file or directory)"),
            (["--out", str(tmp_path / "empty.pem"), "--by-run", *tls], "cannot be a folder of records (File exists)"),
            (["--out", "-", "--rotate-bytes", "5000", *tls], "--rotate-bytes has no use for standard output"),
        ]
        for options, said in cases:
            done = CliRunner().invoke(app, ["listen", *options])
            assert done.exit_code == 2, options
            assert done.stderr.startswith("error: ")
            assert said in done.stderr, done.stderr
            assert done.stderr.count("\n") == 1, done.stderr


def test_a_sender_that_breaks_off_loses_only_its_half_line(certified: Certified) -> None:
    with Listen(certified.server()) as listen:
        good = channel_to(listen.port, certified)
        for sequence in range(10):
            good.put(record(sequence))
        broken = TcpSink("localhost", listen.port, TOKEN, certified.client())
        broken.open()
        broken._send(b'{"sequence": 100}\n{"sequence": 10')
        assert until(lambda: 100 in listen.sequences)
        broken.close()
        for sequence in range(10, 20):
            good.put(record(sequence))
        good.close()
        assert until(lambda: listen.receiver.tally.broken == 1)
        assert [sequence for sequence in listen.sequences if sequence < 100] == list(range(20))
        assert listen.receiver.tally.records == 21


def test_strange_lines_are_counted_and_left_out(certified: Certified) -> None:
    with Listen(certified.server(), longest_line=1000) as listen:
        sink = TcpSink("localhost", listen.port, TOKEN, certified.client())
        sink.open()
        sink._send(b'{"sequence": 1}\nhello\n[1]\n\xff\xfe\n{"sequence": 2}\n' + b"[" * 900 + b"\n")
        assert until(lambda: listen.receiver.tally.foreign == 4)
        assert listen.sequences == [1, 2]
        sink._send(b"x" * 2000)
        assert until(lambda: listen.receiver.tally.too_long == 1)
        sink.close()


def test_silent_and_babbling_visitors_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("townlet_jax.telemetry.listen.HELLO_SECONDS", 0.2)
    with Listen(None) as listen:
        for hello in (b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b"x" * 100_000, b""):
            with socket.create_connection(("127.0.0.1", listen.port), 5) as visitor:
                visitor.sendall(hello)
                answers = b""
                try:
                    while piece := visitor.recv(4096):
                        answers += piece
                except ConnectionResetError:
                    assert hello.startswith(b"x")
                assert b"townlet" in answers or not hello or hello.startswith(b"x")
        assert listen.receiver.tally.records == 0


def test_there_may_be_only_so_many_senders(certified: Certified) -> None:
    with Listen(certified.server(), most_senders=2) as listen:
        channels = [channel_to(listen.port, certified) for _ in range(2)]
        assert until(lambda: listen.receiver.tally.senders == 2)
        third = TcpSink("localhost", listen.port, TOKEN, certified.client())
        with pytest.raises(Exception, match="2 senders are connected, which is all that may be"):
            third.open()
        for channel in channels:
            channel.close()


def test_many_senders_at_once(certified: Certified) -> None:
    with Listen(certified.server()) as listen:

        def send(run: int) -> None:
            channel = channel_to(listen.port, certified)
            for sequence in range(300):
                channel.put(record(sequence, run_id=f"run-{run}"))
            channel.close()

        threads = [threading.Thread(target=send, args=(run,)) for run in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        found: dict[str, list[int]] = {}
        for line in listen.lines:
            found.setdefault(json.loads(line)["run_id"], []).append(json.loads(line)["sequence"])
        assert found == {f"run-{run}": list(range(300)) for run in range(6)}


def test_a_listener_killed_in_the_middle_costs_nothing(root: Path, tmp_path: Path, certified: Certified) -> None:
    """Killed, started again with the same file: every record is there; repeats would be recognised by their number."""
    out = tmp_path / "town.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    options = ("--cert", str(certified.cert), "--key", str(certified.key), "--out", str(out), "--port", str(port))
    with program(root, *options) as (running, _):
        channel = channel_to(port, certified)
        for sequence in range(2000):
            channel.put(record(sequence, size=200))
            if sequence == 700:
                assert until(lambda: channel.status().sent > 100)
                running.kill()
                time.sleep(0.01)
    with program(root, *options):
        channel.close(10)
    found = [json.loads(line)["sequence"] for line in out.read_bytes().splitlines()]
    assert sorted(set(found)) == list(range(2000))
    assert channel.status().dropped == 0
