"""Tables for other programs: the same rows in every form."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from asked import ask
from telling import DAY, Teller, agent, conflict, event, small_town, write

from townlet_jax.telemetry import events as catalogue
from townlet_jax.telemetry.summary import exporting


def exported(path: Path, what: str, *options: str) -> list[dict[str, Any]]:
    """Return the rows of a table, read from every form and found the same."""
    from pyarrow import parquet

    tables = {}
    for form in ("csv", "jsonl", "parquet"):
        out = path.with_name(f"table.{form}")
        code, said, errors = ask("export", path, "--what", what, "--out", out, *options)
        assert (code, said) == (0, "")
        tables[form] = out
    lines = [json.loads(line) for line in tables["jsonl"].read_text().splitlines()]
    assert errors == f"{len(lines):,} rows.\n"
    assert parquet.read_table(tables["parquet"]).to_pylist() == lines
    with tables["csv"].open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [{name: _text(value) for name, value in row.items()} for row in lines] == cells
    return lines


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def test_frames_have_a_row_for_each_agent(tmp_path: Path) -> None:
    rows = exported(write(tmp_path / "run.jsonl", small_town()), "frames")
    assert len(rows) == 40
    assert list(rows[0]) == list(exporting.FRAMES)
    assert [row["wallet"] for row in rows if row["agent"] == "ada"] == [float(k) for k in range(20)]
    ada = rows[2]
    assert {name: ada[name] for name in ("run_id", "sequence", "tick", "x", "y", "hunger", "action", "alive")} == {
        "run_id": "r1", "sequence": 4, "tick": 20, "x": 1, "y": 2, "hunger": 0.5, "action": "wait", "alive": True,
    }  # fmt: skip


def test_events_have_a_column_for_every_field_of_the_catalogue(tmp_path: Path) -> None:
    columns = exporting.COLUMNS["events"]
    assert {name for model in catalogue.MODELS for name in model.model_fields} <= set(columns)
    assert (columns["tick"], columns["trust"], columns["pending"], columns["members"]) == (int, float, bool, str)
    assert columns["respawn_tick"] is int
    rows = exported(write(tmp_path / "run.jsonl", small_town()), "events")
    assert [row["tick"] for row in rows] == [10 * k + 9 for k in range(1, 20, 2)]
    assert {row["actor"] for row in rows} == {"ada"}
    spawned = exporting.event_row(event("agent_spawned", 3, agent="bo", position=[4, 5]))
    assert (spawned["position"], spawned["agent"], spawned["more"]) == ("[4, 5]", "bo", None)
    later = exporting.event_row(event("rain", 3, depth=2))
    assert (later["event"], json.loads(later["more"])) == ("rain", {"depth": 2})


def test_measures_have_a_row_for_each_figure(tmp_path: Path) -> None:
    rows = exported(write(tmp_path / "run.jsonl", small_town(days=1)), "measures")
    wallet = [row for row in rows if row["name"] == "wallet_mean"]
    assert [(row["first_tick"], row["last_tick"], row["value"], row["p95"]) for row in wallet] == [
        (10 * k + 1, 10 * k + 10, float(k), k + 1.0) for k in range(10)
    ]
    assert {(row["group"], row["name"]) for row in rows} >= {("terms", "survival"), ("counts", "exits.faint")}


def test_towns_and_ticks_can_be_chosen(tmp_path: Path) -> None:
    teller = Teller()
    teller.run()
    for tick in (10, 20, 30):
        for town in (0, 1):
            teller.snapshot(tick, town, agents={"ada": agent("ada")}, events=[conflict(tick, "ada", "bo")])
    path = write(tmp_path / "run.jsonl", teller.records)
    rows = exported(path, "frames", "--town", "1", "--from", "15")
    assert [(row["town"], row["tick"]) for row in rows] == [(1, 20), (1, 30)]
    assert len(exported(path, "events", "--to", str(DAY // 5))) == 4


def test_differences_without_a_whole_frame_make_no_rows(tmp_path: Path) -> None:
    teller = Teller()
    teller.run()
    teller.snapshot(10, agents={"ada": agent("ada")})
    teller.skip()
    teller.diff(20, agents={"ada": agent("ada")}, events=[conflict(15, "ada", "bo")])
    path = write(tmp_path / "run.jsonl", teller.records)
    assert [row["tick"] for row in exported(path, "frames")] == [10]
    assert len(exported(path, "events")) == 1


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    teller = Teller()
    teller.run()
    teller.snapshot(10, agents={"=1+2": agent("")})
    path = write(tmp_path / "run.jsonl", teller.records)
    ask("export", path, "--what", "frames", "--out", tmp_path / "t.csv")
    assert "'=1+2" in (tmp_path / "t.csv").read_text()


def test_no_table_holds_control_characters(tmp_path: Path) -> None:
    teller = Teller()
    teller.run()
    teller.snapshot(10, agents={"a\x1b[31m\x9b\u202eb": agent("")})
    path = write(tmp_path / "run.jsonl", teller.records)
    for form in ("csv", "jsonl"):
        said = ask("export", path, "--what", "frames", "--out", "-", "--format", form)[1]
        assert "a[31mb" in said
        assert said.replace("\n", "").isprintable()


def test_bad_lines_and_half_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    teller = Teller()
    teller.run()
    teller.snapshot(10, agents={"a\ud800": agent("")})
    path.write_bytes(write(path, teller.records).read_bytes() + b"oops\n")
    for form in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"t.{form}"
        code, _, errors = ask("export", path, "--what", "frames", "--out", out)
        assert code == 2
        assert "line 3" in errors
        assert out.stat().st_size
        assert ask("export", path, "--what", "frames", "--out", out, "--lenient")[0] == 0


def test_a_table_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", [*small_town(), small_town()[0] | {"schema_version": "2.0"}])
    out = tmp_path / "t.csv"
    out.write_text("yesterday")
    assert ask("export", path, "--out", out)[0] == 2
    assert out.read_text() == "yesterday"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["run.jsonl", "t.csv"]


@pytest.mark.parametrize("what", ["frames", "events"])
def test_tables_of_the_sink_can_be_exported_as_far_as_they_go(tmp_path: Path, what: str) -> None:
    from townlet_jax.telemetry.sinks import Item
    from townlet_jax.telemetry.sinks.parquet import ParquetSink

    sink = ParquetSink(tmp_path / "run.parquet")
    sink.open()
    records = small_town()
    sink.write([Item(tick=one["tick"], kind=one["payload_type"], data=json.dumps(one).encode()) for one in records])
    sink.close()
    rows = exported(tmp_path / "run.parquet", what)
    assert len(rows) == (0 if what == "frames" else 10)
