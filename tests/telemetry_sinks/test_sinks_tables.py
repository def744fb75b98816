"""Parquet, TensorBoard and Prometheus: what a reader of theirs finds."""

import json
import socket
import urllib.request
from pathlib import Path

import pytest
from wires import limits, record

from townlet_jax.telemetry.sinks import Channel, Item, SinkError, parquet
from townlet_jax.telemetry.sinks.meters import PrometheusSink, TensorboardSink
from townlet_jax.telemetry.sinks.parquet import ParquetSink


def measures(sequence: int) -> Item:
    mood = {"mean": sequence / 2, "p50": None}
    return record(sequence, kpis={"mood": mood, "none": None}, towns=8, ended=False)


def frame(sequence: int, *, kind: str = "diff") -> Item:
    events = [
        {"event": "chat_success", "speaker": "ada", "quality": 0.5},
        {"event": "shared_meal", "agents": ["ada", "bo"], "object": "table_1"},
    ]
    return record(
        sequence, kind=kind, town=3, **({"changes": {"events": events}} if kind == "diff" else {"events": []})
    )


def test_measures_and_events_become_tables(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    sink = ParquetSink(tmp_path / "run.parquet")
    sink.open()
    channel = Channel(sink, limits(max_bytes=1_000_000))
    for sequence in range(0, 30, 3):
        channel.put(measures(sequence))
        channel.put(frame(sequence + 1))
        channel.put(frame(sequence + 2, kind="snapshot"))
    channel.close()
    assert channel.status().last_error is None
    table = pq.read_table(tmp_path / "run.parquet")
    assert table["sequence"].to_pylist() == list(range(0, 30, 3))
    assert table["kpis.mood.mean"].to_pylist() == [sequence / 2 for sequence in range(0, 30, 3)]
    assert table["towns"].to_pylist() == [8] * 10
    assert table["ended"].to_pylist() == [False] * 10
    assert not {"kpis.none", "kpis.mood.p50"} & set(table.column_names)
    events = pq.read_table(tmp_path / "run.events.parquet").to_pylist()
    assert len(events) == 20
    expected = {"run_id": "r1", "sequence": 1, "tick": 1, "town": 3, "event": "chat_success", "speaker": "ada",
                "quality": 0.5, "agents": None, "object": None}  # fmt: skip
    assert events[0] == expected
    assert json.loads(events[1]["agents"]) == ["ada", "bo"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.events.parquet", "run.parquet"]


def test_parts_are_readable_while_it_runs_and_survive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(parquet, "PART_ROWS", 4)
    monkeypatch.setattr(parquet, "MOST_PARTS", 3)
    killed = ParquetSink(tmp_path / "run.parquet")
    killed.open()
    for sequence in range(22):
        killed.write([measures(sequence)])
    parts = sorted((tmp_path / "run.parts").glob("measures-*.parquet"))
    running = pq.read_table(tmp_path / "run.parquet")["sequence"].to_pylist()
    running += [number for part in parts for number in pq.read_table(part)["sequence"].to_pylist()]
    assert running == list(range(20))  # the last two were still in memory
    assert len(parts) < 3
    killed._release()  # what the kernel does

    again = ParquetSink(tmp_path / "run.parquet")
    again.open()
    again.write([record(50, kpis={"mood": {"mean": 1}}, towns="many"), measures(51)])
    again.close()
    table = pq.read_table(tmp_path / "run.parquet")
    assert table["sequence"].to_pylist() == [*range(20), 50, 51]
    assert table["kpis.mood.mean"].to_pylist()[-2:] == [1.0, 25.5]
    assert table["towns"].to_pylist()[-3:] == ["8", '"many"', "8"]  # a column of two types is text
    assert not (tmp_path / "run.parts").exists()


def test_a_part_that_was_poured_before_a_kill_is_not_poured_twice(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    first = ParquetSink(tmp_path / "run.parquet")
    first.open()
    first.write([measures(0)])
    first._tables["measures"]._write_part()
    part = next((tmp_path / "run.parts").glob("measures-*.parquet"))
    content = part.read_bytes()
    first.close()
    part.parent.mkdir()
    part.write_bytes(content)  # as if the process had been killed before it was deleted
    second = ParquetSink(tmp_path / "run.parquet")
    second.open()
    second.write([measures(1)])
    second.close()
    assert pq.read_table(tmp_path / "run.parquet")["sequence"].to_pylist() == [0, 1]


def test_two_writers_of_one_table_are_refused(tmp_path: Path) -> None:
    first, second = ParquetSink(tmp_path / "run.parquet"), ParquetSink(tmp_path / "run.parquet")
    first.open()
    with pytest.raises(SinkError, match="is being written by another process; give another file"):
        second.open()
    first.close()
    second.open()
    second.close()


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.parquet").write_bytes(b"no table")
    with pytest.raises(SinkError, match=r"cannot be written .*; give another file") as refusal:
        ParquetSink(tmp_path / "run.parquet").open()
    assert refusal.value.lasting
    assert "\n" not in str(refusal.value)
    with pytest.raises(SinkError, match="cannot be written"):
        ParquetSink(tmp_path / "missing" / "run.parquet").open()


def test_a_record_that_is_no_json_is_dropped_alone(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    sink = ParquetSink(tmp_path / "run.parquet")
    sink.open()
    channel = Channel(sink, limits(flush_interval_ticks=10))
    channel.put(measures(0))
    channel.put(Item(tick=1, kind="measures", data=b"{broken"))
    channel.put(measures(2))
    channel.close()
    assert channel.status().dropped == 1
    assert pq.read_table(tmp_path / "run.parquet")["sequence"].to_pylist() == [0, 2]


def test_tensorboard_gets_curves_over_ticks(tmp_path: Path) -> None:
    from tensorboardX.proto import event_pb2

    sink = TensorboardSink(tmp_path / "board")
    sink.open()
    sink.write([measures(4), frame(5), measures(6)])
    sink.close()
    (file,) = (tmp_path / "board").iterdir()
    content, found = file.read_bytes(), []
    while content:  # records: length, checksum, event, checksum
        length = int.from_bytes(content[:8], "little")
        event = event_pb2.Event.FromString(content[12 : 12 + length])
        found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        content = content[16 + length :]
    assert [entry for entry in found if entry[0] == "kpis/mood/mean"] == [
        ("kpis/mood/mean", 4, 2.0),
        ("kpis/mood/mean", 6, 3.0),
    ]
    assert {tag for tag, _, _ in found} == {"kpis/mood/mean", "towns", "tick", "ended"}


def test_prometheus_reads_the_newest_figures_from_file_and_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = tmp_path / "town.prom"
    sink = PrometheusSink(path, port=port)
    sink.open()
    sink.write([measures(4), measures(6), record(7, kind="health", tick_ms=0.25, queue=None), frame(8)])
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        served = answer.read().decode()
    sink.close()
    for text in (path.read_text(), served):
        lines = text.splitlines()
        assert 'townlet_measures_kpis_mood_mean{run_id="r1"} 3.0' in lines
        assert 'townlet_health_tick_ms{run_id="r1"} 0.25' in lines
        assert sum(line.startswith("townlet_") for line in lines) == 6
    assert [entry.name for entry in tmp_path.iterdir()] == ["town.prom"]


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            SinkError, match=rf"cannot listen at 127\.0\.0\.1:{port} \(Address already in use\); choose"
        ):
            PrometheusSink(port=port).open()
    with pytest.raises(SinkError, match="is not this host, and its port has no TLS"):
        PrometheusSink(host="0.0.0.0", port=9000)
