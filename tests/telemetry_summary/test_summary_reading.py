"""What is read, in which order, and what is said about lines that are no records."""

import json
import tracemalloc
from pathlib import Path

import pytest
from telling import Teller, lines, small_town, spread, training_rows, write

from townlet_jax.telemetry import schema
from townlet_jax.telemetry.joining import apply
from townlet_jax.telemetry.summary import collecting, reading, tabled
from townlet_jax.telemetry.summary.frames import PASSED_OVER, Stream
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.sources import ReadError, Source, sources
from townlet_jax.telemetry.summary.tally import Choice


def read(*names: Path | str) -> tuple[list[reading.Found], Problems]:
    problems = Problems()
    return list(reading.records(sources([str(name) for name in names]), problems)), problems


def numbers(*names: Path | str) -> list[int]:
    return [found.data["sequence"] for found in read(*names)[0]]


def test_a_file_is_read_record_by_record(tmp_path: Path) -> None:
    records = small_town()
    found, problems = read(write(tmp_path / "run.jsonl", records))
    assert [one.data for one in found] == records
    assert [one.line for one in found] == list(range(1, len(records) + 1))
    assert problems.sentences() == []


def test_rotated_siblings_come_first_and_once(tmp_path: Path) -> None:
    records = small_town()
    parts = {".10": records[:3], ".2": records[3:9], ".1": records[9:20], "": records[20:], ".bak": records}
    for age, part in parts.items():
        write(tmp_path / f"run.jsonl{age}", part)
    write(tmp_path / "other.jsonl.1", records)
    expected = list(range(len(records)))
    assert numbers(tmp_path / "run.jsonl") == expected
    given = [tmp_path / f"run.jsonl{age}" for age in ("", ".1", ".10", ".2")]
    assert numbers(*given) == expected, "as a shell spells them out"
    assert numbers(*given[1:]) == expected[:20]
    assert numbers(tmp_path / "run.jsonl.2") == expected[3:9], "one that is asked for alone is read alone"


def test_a_file_that_moved_aside_meanwhile_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl.1", small_town())
    (tmp_path / "run.jsonl").hardlink_to(tmp_path / "run.jsonl.1")
    assert numbers(tmp_path / "run.jsonl") == list(range(len(small_town())))


def test_half_a_last_line_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    data = lines(small_town())
    path.write_bytes(data[:-30])
    found, problems = read(path)
    assert len(found) == len(small_town()) - 1
    assert problems.count == 0
    assert problems.sentences() == [f"{path} ends in the middle of a line: it is being written, or was cut off."]
    path.write_bytes(data[:-1])
    assert len(read(path)[0]) == len(small_town()), "a whole record without its newline counts"
    path.with_name("run.jsonl.1").write_bytes(data[:-30])
    assert read(path)[1].count == 1, "an older file has no business ending like that"


def test_lines_that_are_no_records_are_named_and_counted(tmp_path: Path) -> None:
    records = [json.dumps(record).encode() for record in small_town()]
    wrong = [b"", b"not json", b"[1]", b"{}", records[1].replace(b'"tick"', b'"tock"'), b"\xff\xfe\x00", b"NaN",
             b'{"a": ' * 2000, records[2].replace(b'"sequence": 2', b'"sequence": 1e99'), *[b"x"] * 3]  # fmt: skip
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"\n".join([*records[:3], *wrong, *records[3:]]) + b"\n")
    found, problems = read(path)
    assert len(found) == len(records)
    assert problems.count == 11
    said = problems.sentences()
    assert said[0] == f"{path}, line 5: the line is not a JSON object; it may have been cut off."
    assert said[3] == f"{path}, line 8: it is wrong at snapshot.tick (Field required)."
    assert said[5] == "6 more lines could not be read either."
    assert len(said) == 6


def test_counters_that_no_counter_reaches_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(lines([small_town()[0] | {"tick": tick} for tick in (10**30, 2**53)]))
    assert [problem.why for problem in read(path)[1].first] == ["a number is too large", "its tick is out of range"]


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 5_000)
    records = small_town()
    path = tmp_path / "run.jsonl"
    path.write_bytes(lines(records[:1]) + b"x" * 23_456 + b"\n" + lines(records[1:]))
    found, problems = read(path)
    assert len(found) == len(records)
    assert [str(problem) for problem in problems.first] == [f"{path}, line 2: the line is longer than 5,000 bytes"]


def test_another_major_version_is_refused_and_a_newer_minor_one_remarked(tmp_path: Path) -> None:
    records = small_town()
    newer = [record | {"schema_version": "1.12", "colour": "red"} for record in records]
    found, problems = read(write(tmp_path / "newer.jsonl", newer))
    assert len(found) == len(records)
    assert problems.count == 0
    assert problems.remarks() == [
        f"{len(records)} records have schema_version 1.12, which is newer than this program; what it does not know was "
        f"passed over."
    ]
    other = write(tmp_path / "other.jsonl", [*records[:2], records[2] | {"schema_version": "2.0"}])
    with pytest.raises(ReadError, match=r"other.jsonl, line 3: its schema_version is 2.0, but this program reads 1.x"):
        read(other)


def test_the_folder_of_a_run_stands_for_what_is_in_it(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", small_town())
    write(tmp_path / "log.jsonl", training_rows(3, kl=[1.0, 2.0, 3.0]))
    (tmp_path / "run.parquet").write_bytes(b"the same again")
    kinds = [found.kind for found in read(tmp_path)[0]]
    assert kinds.count("training") == 3
    assert kinds.count("run") == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong, sentence in (
        (empty, "holds no .jsonl file"),
        (tmp_path / "none", "does not exist"),
        ("\0", "does not exist"),
    ):
        with pytest.raises(ReadError, match=sentence):
            sources([str(wrong)])


def test_something_else_altogether_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    problems = Problems()
    given = sources([str(path)])
    with pytest.raises(ReadError, match=r"picture.png: no telemetry record was found .*line 1.*; give what a run"):
        collecting.collect(given, Choice(), problems)


def test_differences_become_frames_as_everywhere_else(tmp_path: Path) -> None:
    stream, whole = Stream(), None
    for found in read(write(tmp_path / "run.jsonl", small_town()))[0]:
        assert stream.is_new(found)
        if found.kind in ("snapshot", "diff"):
            taken = stream.frame(found)
            assert taken is not None
            whole = found.data if whole is None else apply(whole, found.data)
            for name in set(schema.SECTIONS) - PASSED_OVER:
                assert taken[0].sections[name] == whole[name]


def test_tables_of_the_sink_are_records_again(tmp_path: Path) -> None:
    from townlet_jax.telemetry.sinks import Item
    from townlet_jax.telemetry.sinks.parquet import ParquetSink

    records = small_town()
    sink = ParquetSink(tmp_path / "run.parquet")
    sink.open()
    sink.write([Item(tick=one["tick"], kind=one["payload_type"], data=json.dumps(one).encode()) for one in records])
    with pytest.raises(ReadError, match="holds no table yet"):
        read(tmp_path)
    sink.close()
    found, problems = read(tmp_path / "run.parquet")
    assert problems.count == 0
    measures = [one.data for one in found if one.kind == "measures"]
    told = [one for one in records if one["payload_type"] == "measures"]
    assert [one["kpis"]["wallet_mean"] for one in measures] == [one["kpis"]["wallet_mean"] for one in told]
    assert [one["counts"] for one in measures] == [one["counts"] for one in told]
    events = [one.data for one in found if one.kind == "event"]
    assert [(one["event"], one["tick"], one["actor"]) for one in events] == [
        ("queue_conflict", 10 * k + 9, "ada") for k in range(1, 20, 2)
    ]
    assert [one.file for one in read(tmp_path)[0]] == [one.file for one in found], "the folder is the same"
    (tmp_path / "run.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(ReadError, match=r"run.parquet is not a Parquet file that can be read"):
        read(tmp_path / "run.parquet")


def test_a_name_with_dots_survives_a_table() -> None:
    row = {"run_id": "r", "kpis.starts_a.b_per_agent_day.mean": 1.0, "counts.starts.a.b": 2.0, "counts.conflicts": 3.0}
    made = tabled.nested(row)
    assert made["kpis"] == {"starts_a.b_per_agent_day": {"mean": 1.0}}
    assert made["counts"] == {"starts": {"a.b": 2.0}, "conflicts": 3.0}
    assert made["run_id"] == "r"


def test_training_logs_in_tables(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    folder = tmp_path / "log.parquet"
    folder.mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(training_rows(4, kl=[1.0, 2.0, 3.0, 4.0])), folder / "part-0.parquet")
    for name in (folder, tmp_path):
        assert [found.data["kl"] for found in read(name)[0]] == [1.0, 2.0, 3.0, 4.0]


def test_standard_input_and_nothing_twice() -> None:
    assert sources(["-", "-"]) == (Source(kind="lines"),)


def peak(path: Path, count: int) -> int:
    """Return the most bytes held while so many records are added up."""
    teller = Teller()
    with path.open("wb") as file:
        file.write(lines([teller.run()]))
        for k in range(count):
            happened = [{"event": "utility_outage", "tick": k, "town": 0, "utility": "water"}]
            file.write(lines([teller.diff(k, events=happened), teller.measures(k, k, {"alive": spread(1.0)})]))
            teller.records.clear()
    given = sources([str(path)])
    tracemalloc.start()
    collecting.collect(given, Choice(), Problems())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peak(tmp_path / "warm.jsonl", 10)
    short, long = peak(tmp_path / "short.jsonl", 600), peak(tmp_path / "long.jsonl", 2_400)
    assert long < 1.3 * short + 100_000
