"""TCP with TLS and a token: nothing lost, nothing twice, and nobody else gets in (R11, R12)."""

import json
import socket
import ssl
import time
from pathlib import Path

import pytest
from wires import OTHER_TOKEN, TOKEN, Certified, Listen, limits, record, until

from townlet_jax.telemetry.sinks import Channel, SinkError
from townlet_jax.telemetry.sinks.network import client_context
from townlet_jax.telemetry.sinks.tcp import PROTOCOL, TcpSink


def sink(port: int, certified: Certified, *, host: str = "127.0.0.1", token: str = TOKEN) -> TcpSink:
    return TcpSink(host, port, token, certified.client())


def test_records_arrive_in_order(certified: Certified) -> None:
    with Listen(certified.server()) as listen:
        tcp = sink(listen.port, certified)
        tcp.open()
        channel = Channel(tcp, limits(max_bytes=10_000_000))
        for sequence in range(1000):
            channel.put(record(sequence, size=100))
        channel.close(10)
        assert listen.sequences == list(range(1000))
        status = channel.status()
        assert (status.sent, status.dropped, status.queue, status.connected) == (1000, 0, 0, False)
        assert status.bytes == sum(map(len, listen.lines)) == listen.receiver.tally.bytes
        assert status.last_success_tick == 999


@pytest.mark.parametrize("policy", ["block", "fan_out"])
def test_a_slow_receiver_costs_no_record(certified: Certified, policy: str) -> None:
    with Listen(certified.server(), slow=0.01) as listen:
        tcp = sink(listen.port, certified)
        tcp.open()
        channel = Channel(tcp, limits(max_bytes=4000, max_batch=8, backpressure=policy))
        for sequence in range(200):
            channel.put(record(sequence, size=300))
        channel.close(10)
        assert listen.sequences == list(range(200))
        assert channel.status().dropped == 0
        assert channel.status().peak <= 4000


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_the_reader_sees_as_many_gaps_as_were_counted(certified: Certified, policy: str) -> None:
    with Listen(certified.server(), slow=0.02) as listen:
        tcp = sink(listen.port, certified)
        tcp.open()
        channel = Channel(tcp, limits(max_bytes=4000, max_batch=4, backpressure=policy))
        for sequence in range(300):
            channel.put(record(sequence, size=300))
            time.sleep(0.0005)
        channel.close(10)
        status = channel.status()
        assert listen.sequences == sorted(set(listen.sequences))
        assert 0 < status.dropped == 300 - len(listen.sequences)
        assert status.sent == len(listen.sequences)
        assert channel.take_gap()
        assert not channel.take_gap()
        assert (listen.sequences[-1] == 299) == (policy == "drop_oldest")


def test_a_listener_that_comes_back_gets_everything_once(certified: Certified) -> None:
    with Listen(certified.server()) as first:
        port = first.port
        tcp = sink(port, certified)
        tcp.open()
        channel = Channel(tcp, limits(max_bytes=1_000_000, retry_attempts=2))
        for sequence in range(50):
            channel.put(record(sequence))
        assert until(lambda: len(first.lines) == 50)
    for sequence in range(50, 100):
        channel.put(record(sequence))
    assert until(lambda: channel.status().retries >= 3)
    assert not channel.status().connected
    assert "cannot be reached" in (channel.status().last_error or "")
    with Listen(certified.server(), port=port) as second:
        assert until(lambda: len(second.lines) == 50)
        channel.close(5)
        assert first.sequences + second.sequences == list(range(100))
    assert channel.status().dropped == 0
    assert channel.status().restarts == 1


def test_a_break_between_writing_and_answering_repeats_nothing(certified: Certified) -> None:
    """The receiver writes half of a batch, then fails: the sender offers all, and only the rest is taken."""
    kept: list[bytes] = []
    failures = [0]

    def write(lines: list[bytes]) -> None:
        if len(kept) >= 3 and failures[0] < 2:
            failures[0] += 1
            raise SinkError("the disk is full")
        kept.extend(lines)

    with Listen(certified.server(), write=write) as listen:
        tcp = sink(listen.port, certified)
        tcp.open()
        channel = Channel(tcp, limits(max_bytes=10_000_000, retry_attempts=5))
        for sequence in range(40):
            channel.put(record(sequence, size=30_000))  # each read of the receiver ends within a batch
        channel.close(10)
        assert [json.loads(line)["sequence"] for line in kept] == list(range(40))
        assert failures == [2]
        assert channel.status().dropped == 0
        assert channel.status().sent == 40


def test_a_line_that_is_too_long_is_dropped_alone(certified: Certified) -> None:
    with Listen(certified.server(), longest_line=2000) as listen:
        tcp = sink(listen.port, certified)
        tcp.open()
        channel = Channel(tcp, limits(flush_interval_ticks=10, max_batch=10))
        for sequence in range(10):
            channel.put(record(sequence, size=5000 if sequence == 4 else 0))
        channel.close(10)
        assert listen.sequences == [0, 1, 2, 3, 5, 6, 7, 8, 9]
        assert channel.status().dropped == 1
        assert "lines of 2000 bytes" in (channel.status().last_error or "")


def test_tls_1_2_is_refused_by_the_listener(certified: Certified) -> None:
    old = ssl.create_default_context(cafile=certified.ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Listen(certified.server()) as listen:
        with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", listen.port), 5) as plain:
            old.wrap_socket(plain, server_hostname="localhost")
        assert listen.lines == []


def test_tls_1_2_is_refused_by_the_sender(certified: Certified) -> None:
    old = certified.server()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Listen(old) as listen, pytest.raises(SinkError, match=r"does not speak TLS 1\.3") as refusal:
        sink(listen.port, certified).open()
    assert refusal.value.lasting


def test_a_listener_without_tls_gets_nothing(certified: Certified) -> None:
    with Listen(None) as listen:
        with pytest.raises(SinkError, match="does not speak TLS"):
            sink(listen.port, certified).open()
        assert listen.receiver.tally.records == 0


def test_another_ca_is_refused(certified: Certified, tmp_path: Path) -> None:
    other = Certified(tmp_path)
    with Listen(certified.server()) as listen:
        for context in (other.client(), client_context(None)):
            with pytest.raises(SinkError, match=r"The certificate of 127\.0\.0\.1:\d+ is not trusted") as refusal:
                TcpSink("127.0.0.1", listen.port, TOKEN, context).open()
            assert refusal.value.lasting


def test_another_host_name_is_refused(tmp_path: Path) -> None:
    elsewhere = Certified(tmp_path, "town.example")
    with Listen(elsewhere.server()) as listen:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(SinkError, match=r"is not trusted .*(Hostname|IP address) mismatch"):
                sink(listen.port, elsewhere, host=host).open()


def test_a_wrong_token_is_refused_and_five_lock_the_address(certified: Certified) -> None:
    with Listen(certified.server()) as listen:
        for _ in range(5):
            with pytest.raises(SinkError, match=r"said no \(wrong token\)") as refusal:
                sink(listen.port, certified, token=OTHER_TOKEN).open()
            assert refusal.value.lasting
        with pytest.raises(SinkError, match="too many wrong tokens from this address; locked for 300 s"):
            sink(listen.port, certified).open()  # the right one, too
        tally = listen.receiver.tally
        assert (tally.wrong_tokens, tally.locked, tally.records) == (5, 1, 0)


def test_four_wrong_tokens_do_not_lock(certified: Certified) -> None:
    with Listen(certified.server()) as listen:
        for _ in range(4):
            with pytest.raises(SinkError, match="wrong token"):
                sink(listen.port, certified, token=OTHER_TOKEN).open()
        right = sink(listen.port, certified)
        right.open()
        right.write([record(0)])
        right.close()
        assert listen.sequences == [0]


def test_a_channel_with_a_wrong_token_does_not_hurry_into_the_lock(certified: Certified) -> None:
    with Listen(certified.server()) as listen:
        wrong = sink(listen.port, certified, token=OTHER_TOKEN)
        with pytest.raises(SinkError) as refusal:
            wrong.open()
        wrong.close()
        channel = Channel(wrong, limits(), trouble=refusal.value)
        channel.put(record(0))
        time.sleep(0.3)
        assert listen.receiver.tally.wrong_tokens == 1
        channel.close(1)
        assert channel.status().dropped == 1


def test_plaintext_goes_to_this_host_only() -> None:
    for host in ("town.example", "10.0.0.1", "0.0.0.0", "::"):
        with pytest.raises(SinkError, match="is not this host, which is all that allow_plaintext is for; use TLS"):
            TcpSink(host, 7411, TOKEN, None)
    with Listen(None) as listen:
        plain = TcpSink("127.0.0.1", listen.port, TOKEN, None)
        plain.open()
        plain.write([record(0)])
        plain.close()
        assert listen.sequences == [0]


def test_something_else_that_listens_is_recognised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        plain = TcpSink("127.0.0.1", server.getsockname()[1], TOKEN, None)
        server.settimeout(5)

        import threading

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SinkError, match="it is no townlet listener; check the port"):
            plain.open()
        plain.close()
        thread.join(5)


def test_the_first_line_carries_the_token_and_the_place(certified: Certified) -> None:
    hello = {"townlet": PROTOCOL, "token": TOKEN, "sender": "somebody", "first": 7}
    with (
        Listen(certified.server()) as listen,
        socket.create_connection(("127.0.0.1", listen.port), 5) as plain,
        certified.client().wrap_socket(plain, server_hostname="localhost") as secured,
        secured.makefile("rb") as answers,
    ):
        assert secured.version() == "TLSv1.3"
        secured.sendall(json.dumps(hello).encode() + b"\n")
        assert json.loads(answers.readline()) == {"next": 7, "limit": 16 * 2**20}
        secured.sendall(b'{"sequence": 7}\n{"sequence": 8}\n{"half')
        assert json.loads(answers.readline()) == {"written": 9}
    assert listen.sequences == [7, 8]
    assert listen.receiver.tally.broken == 1


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["block", "fan_out", "drop_oldest"])
def test_a_listener_that_goes_and_comes_thirty_times(certified: Certified, policy: str) -> None:
    """R11, the long form: no gap where there is room for what waits, whatever the policy."""
    with Listen(certified.server()) as listen:
        port = listen.port
        tcp = sink(port, certified)
        tcp.open()
        channel = Channel(tcp, limits(max_bytes=50_000_000, max_records=1_000_000, backpressure=policy))
        found = listen.lines
    sequence = 0
    for _ in range(30):
        with Listen(certified.server(), port=port) as listen:
            for _ in range(500):
                channel.put(record(sequence, size=200))
                sequence += 1
            assert until(lambda listen=listen: len(listen.lines) > 50)
        found += listen.lines
    with Listen(certified.server(), port=port) as listen:
        channel.close(20)
    found += listen.lines
    numbers = [json.loads(line)["sequence"] for line in found]
    assert sorted(set(numbers)) == list(range(sequence))
    assert len(numbers) - sequence < 30 * 64  # at most two batches repeated a break
    status = channel.status()
    assert (status.dropped, status.sent) == (0, sequence)
    assert status.restarts >= 30
