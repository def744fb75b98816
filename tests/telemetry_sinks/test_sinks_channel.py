"""A channel: nothing about a sink reaches the caller, nothing is lost without being counted (R11)."""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from wires import TOKEN, Certified, limits, record, until

from townlet_jax.telemetry.sinks import Channel, Item, MemorySink, SinkError, close_all
from townlet_jax.telemetry.sinks.tcp import TcpSink


class Moody:
    """A sink that does what a script says: `act(items)` may raise."""

    name = "moody"

    def __init__(self, act: Callable[[Sequence[Item]], None], opening: Callable[[], None] = lambda: None) -> None:
        self.items: list[Item] = []
        self.batches: list[int] = []
        self.opened = self.closed = 0
        self._act, self._opening = act, opening

    def open(self) -> None:
        self.opened += 1
        self._opening()

    def write(self, items: Sequence[Item]) -> None:
        self._act(items)
        self.items += items
        self.batches.append(len(items))

    def close(self) -> None:
        self.closed += 1


def until_open(gate: threading.Event) -> Callable[[Sequence[Item]], None]:
    def act(items: Sequence[Item]) -> None:
        gate.wait(5)

    return act


def ticks(sink: Any) -> list[int]:
    return [item.tick for item in sink.items]


def test_records_are_sent_in_batches_of_the_limit() -> None:
    sink = Moody(lambda items: None)
    channel = Channel(sink, limits(max_batch=4, flush_interval_ticks=1000))
    for sequence in range(10):
        channel.put(record(sequence))
    assert until(lambda: sink.batches == [4, 4])
    channel.close()
    assert sink.batches == [4, 4, 2]
    assert ticks(sink) == list(range(10))
    assert sink.closed == 1


def test_records_wait_for_the_flush_interval() -> None:
    sink = Moody(lambda items: None)
    channel = Channel(sink, limits(flush_interval_ticks=10))
    for tick in (1, 5, 9):
        channel.put(record(tick))
    time.sleep(0.05)
    assert sink.batches == []
    channel.put(record(10))
    assert until(lambda: sink.batches == [4])
    channel.close()


def test_a_batch_is_tried_again_until_it_arrives() -> None:
    left = [3]

    def act(items: Sequence[Item]) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise SinkError("no")

    sink = Moody(act)
    channel = Channel(sink, limits(retry_attempts=3))
    for sequence in range(3):
        channel.put(record(sequence))
    assert until(lambda: channel.status().sent == 3)
    status = channel.status()
    assert (status.retries, status.restarts, status.dropped, status.last_error) == (3, 3, 0, "no")
    channel.close()
    assert ticks(sink) == [0, 1, 2]


def test_a_record_that_never_goes_is_dropped_alone() -> None:
    def act(items: Sequence[Item]) -> None:
        if any(item.tick == 2 for item in items):
            raise SinkError("not this one")

    sink = Moody(act)
    channel = Channel(sink, limits(retry_attempts=1, flush_interval_ticks=6))
    for sequence in range(6):
        channel.put(record(sequence))
    assert until(lambda: channel.status().sent == 5)
    assert ticks(sink) == [0, 1, 3, 4, 5]
    assert channel.status().dropped == 1
    assert channel.take_gap()
    channel.close()


def test_a_refused_record_is_dropped_at_once_and_the_sink_stays_open() -> None:
    def act(items: Sequence[Item]) -> None:
        if any(item.tick == 2 for item in items):
            raise SinkError("not this one", refused=True)

    sink = Moody(act)
    channel = Channel(sink, limits(flush_interval_ticks=6, retry_backoff_seconds=60))
    for sequence in range(6):
        channel.put(record(sequence))
    assert until(lambda: channel.status().sent == 5)
    status = channel.status()
    assert (status.dropped, status.retries, status.restarts, status.connected) == (1, 0, 0, True)
    channel.close()


def test_a_sink_that_breaks_in_an_unexpected_way_is_started_anew() -> None:
    left = [1]

    def act(items: Sequence[Item]) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ZeroDivisionError("oops")

    sink = Moody(act)
    channel = Channel(sink, limits())
    channel.put(record(0))
    assert until(lambda: channel.status().sent == 1)
    assert channel.status().last_error == "moody broke (ZeroDivisionError: oops); it is started anew."
    assert (sink.opened, sink.closed) == (1, 1)
    channel.close()


def test_pauses_double() -> None:
    times: list[float] = []

    def opening() -> None:
        times.append(time.monotonic())
        raise SinkError("closed")

    channel = Channel(Moody(lambda items: None, opening), limits(retry_backoff_seconds=0.02), trouble=SinkError("x"))
    channel.put(record(0))
    assert until(lambda: len(times) == 5)
    channel.close(0.1)
    pauses = [later - sooner for sooner, later in pairwise(times[:5])]
    for pause, expected in zip(pauses, (0.04, 0.08, 0.16, 0.32), strict=True):
        assert expected <= pause < expected + 0.3


def test_one_record_larger_than_the_buffer_is_dropped_alone() -> None:
    sink = MemorySink()
    channel = Channel(sink, limits(max_bytes=1000))
    channel.put(record(0))
    channel.put(record(1, size=2000))
    channel.put(Item(tick=2, kind="diff", data=b"{}\n{}"))
    channel.put(record(3))
    channel.close()
    assert ticks(sink) == [0, 3]
    assert channel.status().dropped == 2
    assert channel.status().last_error == "memory: a diff record holds a newline, so it was dropped."


def test_the_number_of_records_is_bounded_too() -> None:
    gate = threading.Event()
    sink = Moody(until_open(gate))
    channel = Channel(sink, limits(max_records=5, max_batch=1))
    channel.put(record(0))
    time.sleep(0.05)  # in flight
    for sequence in range(1, 21):
        channel.put(record(sequence))
    assert channel.status().dropped == 15
    gate.set()
    channel.close()
    assert ticks(sink) == [0, 16, 17, 18, 19, 20]


def test_block_waits_as_long_as_a_slow_sink_takes_something() -> None:
    """Room for the last record takes ten batches, a second and a half in all."""
    sink = Moody(lambda items: time.sleep(0.15))
    channel = Channel(sink, limits(max_bytes=1000, max_batch=1, backpressure="block"))
    for sequence in range(10):
        channel.put(Item(tick=sequence, kind="diff", data=b"x" * 100))
    channel.put(Item(tick=10, kind="diff", data=b"x" * 1000))
    channel.close()
    assert ticks(sink) == list(range(11))
    assert channel.status().dropped == 0


def test_block_gives_a_sink_that_stands_still_half_a_second_and_then_drops_the_oldest() -> None:
    gate = threading.Event()
    sink = Moody(until_open(gate))
    channel = Channel(sink, limits(max_records=2, max_batch=1, backpressure="block"))
    channel.put(record(0))
    time.sleep(0.05)
    channel.put(record(1))
    channel.put(record(2))
    began = time.monotonic()
    channel.put(record(3))
    assert 0.45 < time.monotonic() - began < 1.0
    gate.set()
    channel.close()
    assert ticks(sink) == [0, 2, 3]
    assert channel.status().dropped == 1


@pytest.mark.parametrize("policy", ["block", "fan_out"])
def test_nobody_waits_for_a_sink_that_is_down(policy: str) -> None:
    def opening() -> None:
        raise SinkError("closed")

    sink = Moody(lambda items: None, opening)
    channel = Channel(
        sink, limits(max_records=10, backpressure=policy, retry_attempts=0), trouble=SinkError("closed", lasting=True)
    )
    channel.put(record(0))
    time.sleep(0.05)
    began = time.monotonic()
    for sequence in range(1, 1000):
        channel.put(record(sequence))
    assert time.monotonic() - began < 0.5
    channel.close(0.5)
    assert channel.status().dropped == 1000


def test_closing_flushes_and_ends_in_time() -> None:
    slow = Moody(lambda items: time.sleep(0.02))
    channel = Channel(slow, limits(max_batch=1))
    for sequence in range(10):
        channel.put(record(sequence))
    channel.close(5)
    assert ticks(slow) == list(range(10))

    stuck = Moody(lambda items: time.sleep(3))
    other = Channel(stuck, limits(max_batch=1))
    for sequence in range(10):
        other.put(record(sequence))
    began = time.monotonic()
    close_all([other, channel], 0.3)
    assert time.monotonic() - began < 1.0
    assert other.status().dropped >= 8
    other.put(record(10))  # after the end
    assert other.status().dropped >= 9


def test_put_takes_microseconds_with_a_dead_endpoint(certified: Certified) -> None:
    """R11: at 20,000 ticks a second, a tick takes 50 microseconds; a put must not be seen beside a chunk of 100."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    channel = Channel(TcpSink("127.0.0.1", port, TOKEN, certified.client()), limits(), trouble=SinkError("dead"))
    items = [record(sequence, size=2000) for sequence in range(20_000)]
    times = []
    for item in items:
        began = time.perf_counter()
        channel.put(item)
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 20e-6
    assert statistics.quantiles(times, n=100)[98] < 100e-6
    status = channel.status()
    assert status.sent == 0
    assert status.queue <= limits().max_bytes
    channel.close(1)
    assert channel.status().dropped == 20_000


@pytest.mark.slow
def test_a_dead_endpoint_costs_a_busy_loop_less_than_a_hundredth(certified: Certified) -> None:
    """R11: work of 10 ms a chunk, with and without records, the median of many chunks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    channel = Channel(TcpSink("127.0.0.1", port, TOKEN, certified.client()), limits(), trouble=SinkError("dead"))

    records = [record(sequence, size=5000) for sequence in range(5)]

    def chunk(is_told: bool) -> float:
        began = time.perf_counter()
        sum(number * number for number in range(200_000))
        for item in records if is_told else ():
            channel.put(item)
        return time.perf_counter() - began

    pairs = [(chunk(False), chunk(True)) for _ in range(300)]
    silent, told = (statistics.median(times) for times in zip(*pairs, strict=True))
    channel.close(1)
    assert told < silent * 1.01 + 50e-6


SCRIPT = """
import sys, time
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.telemetry.sinks import Item, flushed, open_channels
section = TelemetrySection(buffer={"flush_interval_ticks": 1000, "max_batch": 10000, "max_bytes": 100000000})
channels = open_channels(section, [sys.argv[1]])
def work():
    for tick in range(500):
        channels[0].put(Item(tick=tick, kind="measures", data=b'{"sequence": %d}' % tick))
    print("ready", flush=True)
    time.sleep(0 if sys.argv[2] == "leave" else 30)
if sys.argv[2] == "leave":
    work()
else:
    with flushed(channels):
        work()
assert "jax" not in sys.modules
"""


@pytest.mark.parametrize(
    ("manner", "asked", "code"), [("leave", None, 0), ("stay", signal.SIGTERM, 143), ("stay", signal.SIGINT, 130)]
)
def test_everything_is_flushed_however_a_process_ends(
    root: Path, tmp_path: Path, manner: str, asked: signal.Signals | None, code: int
) -> None:
    out = tmp_path / "run.jsonl"
    program = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), manner], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    if asked is not None:
        program.send_signal(asked)
    _, complaint = program.communicate(timeout=20)
    assert program.returncode in (code, -signal.SIGINT if asked == signal.SIGINT else code), complaint
    lines = out.read_bytes().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(500))
