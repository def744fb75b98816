"""The command line: what it prints where, what it refuses, how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax import cli, files, run, runtime
from townlet_jax.bench import command as bench_command
from townlet_jax.bench import record
from townlet_jax.config import build, load
from townlet_jax.report import printable

TOWNS, TICKS, AGENTS = 2, 6, 8
SHORT = ["--towns", str(TOWNS), "--ticks", str(TICKS), "--policy", "idle"]
FIGURES = {"punctuality", "solvency", "alive", "hunger_mean", "wallet_gini", "starts_eat_meal_per_agent_day"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the program once, as a user does: a short run with --json and --out."""
    out = tmp_path_factory.mktemp("run") / "deep" / "folder"
    return program("run", "default", *SHORT, "--json", "--out", str(out)), out


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `townlet` in a process of its own."""
    command = [sys.executable, "-c", "from townlet_jax.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def test_json_is_one_object_on_the_last_line(finished: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = finished
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    document = json.loads(done.stdout)
    assert {name: document[name] for name in ("towns", "ticks", "agent_ticks", "policy", "seed", "faults")} == {
        "towns": TOWNS,
        "ticks": TICKS,
        "agent_ticks": TOWNS * TICKS * AGENTS,
        "policy": "idle",
        "seed": 0,
        "faults": {},
    }
    assert document["agent_ticks_per_s"] == pytest.approx(document["agent_ticks"] / document["seconds"])
    assert document["compile_seconds"] > 0
    assert "cpu" in document["device"]
    assert set(document["kpis"]) >= FIGURES
    assert document["kpis"]["alive"] == {"mean": 8.0, "p5": 8.0, "p50": 8.0, "p95": 8.0}
    assert document["kpis"]["punctuality"]["mean"] is None


def test_needs_fall_by_the_rates_of_the_configuration(
    finished: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    kpis = json.loads(finished[0].stdout)["kpis"]
    assert 0.7 - 6 * 0.001 <= kpis["hunger_min"]["p5"] <= kpis["hunger_mean"]["mean"] <= 0.9
    assert kpis["wallet_mean"]["mean"] == pytest.approx(3.0)


def test_summary_is_the_same_object_and_nothing_else_is_left(
    finished: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, out = finished
    assert [path.name for path in out.iterdir()] == ["summary.json"]
    assert json.loads((out / "summary.json").read_text()) == json.loads(done.stdout)


def test_a_person_gets_tables_and_a_map(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.execute(["run", "default", *SHORT]) == 0
    printed = capsys.readouterr().out
    assert "living agents            8.00" in printed
    assert "agent-ticks/s of living agents" in printed
    rows = printed.splitlines()
    assert rows.count("T" * 48) == 2
    assert "T,,#.1.+...+.2.#,,,#........#,,,#.3.+...+.4.#,,T" in rows
    assert any(row.split()[:2] == ["8", "hugo"] for row in rows)
    assert max(len(row.rstrip()) for row in rows) <= 80


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["run", "default", *SHORT, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["run"], ["config"]),
        (["run", "default", "--bogus"], ["--bogus"]),
        (["run", "default", "--towns", "many"], ["--towns", "integer"]),
        (["run", "no_such.yaml"], ["no_such.yaml", "does not exist"]),
        (["run", "default", "economy.rent=1"], ["rent", "rent_per_day"]),
        (["run", "default", "economy.rent_per_day=-1"], ["rent_per_day", "-1"]),
        (["run", "default", "--towns", "0"], ["--towns is 0", "1 to"]),
        (["run", "default", "--ticks", "0"], ["0 ticks"]),
        (["run", "default", "--ticks", "-5"], ["-5 ticks"]),
        (["run", "default", "--days", "nan"], ["--days is nan"]),
        (["run", "default", "--days", "1", "--ticks", "5"], ["--days", "--ticks"]),
        (["run", "default", "--chunk", "0"], ["--chunk is 0"]),
        (["run", "default", "--seed", "-1"], ["--seed is -1"]),
        (["run", "default", "--policy", "clever"], ["clever", "scripted, random, idle, schedule"]),
        (["run", "default", "--policy", "schedule"], ["no scenario block"]),
        (["run", "default", "--out", "/proc/nowhere"], ["/proc/nowhere", "cannot be written"]),
        (["config", "check", "no_such.yaml"], ["no_such.yaml"]),
        (["config", "nonsense"], ["nonsense"]),
        (["bench", "nonsense"], ["nonsense", "tick, environment, shape, compile, floor, shell"]),
        (["bench", "tick", "--towns", "0"], ["--towns is 0"]),
        (["bench", "tick", "--policy", "idle"], ["idle", "drawn, random, scripted"]),
        (["bench", "tick", "--out", "/no/such/folder/file"], ["/no/such/folder"]),
    ],
)
def test_bad_input_gets_one_sentence_and_code_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.execute(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert len(printed.err.splitlines()) == 1
    for word in words:
        assert word in printed.err


def test_an_out_that_is_a_file_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "taken"
    file.write_text("mine")
    monkeypatch.setattr(run, "simulate", lambda *_, **__: pytest.fail("simulated"))
    assert cli.execute(["run", "default", *SHORT, "--out", str(file)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_a_bad_configuration_leaves_no_folder_behind(tmp_path: Path) -> None:
    assert cli.execute(["run", "default", "nonsense=1", "--out", str(tmp_path / "out")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_old_summary_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "summary.json"
    target.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(run.RunError, match="No space left"), files.replacing(target) as file:
        file.write(b"new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_interrupt_says_what_was_done(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    planned = 60_000
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    arguments = ["run", "default", *SHORT[:2], "--policy", "idle", "--ticks", str(planned), "--chunk", str(TICKS)]
    code = cli.execute([*arguments, "--json", "--out", str(tmp_path)])
    timer.join()
    printed = capsys.readouterr()
    assert code == 130
    document = json.loads(printed.out.splitlines()[-1])
    assert document["interrupted"]
    assert 0 < document["ticks"] < planned
    assert document["ticks"] % TICKS == 0
    assert document["agent_ticks"] > 0
    assert f"Interrupted after {document['ticks']:,} of {planned:,} ticks" in printed.err
    assert json.loads((tmp_path / "summary.json").read_text()) == document
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_scenario_runs_its_length_under_its_timetables(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    assert cli.execute(["run", str(root / "configs/scenarios/demo_story_arc.yaml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["policy"], document["ticks"], document["seed"], document["towns"]) == ("schedule", 150, 4242, 1)
    assert document["kpis"]["arrivals_per_agent_day"]["mean"] is not None
    assert 2.0 < document["kpis"]["alive"]["mean"] < 3.0, "blair comes in tick 40"
    assert document["kpis"]["wages_paid_per_agent_day"]["mean"] > 0


def test_help_is_light() -> None:
    heavy = {"jax", "numpy", "pydantic", "yaml", "flax", "orbax"}
    script = f"import sys; from townlet_jax.cli import execute; execute(['--help']); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    for command in ("run", "bench", "config"):
        assert command in done.stdout


def test_help_is_fast() -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        assert program("--help").returncode == 0
        times.append(time.perf_counter() - began)
    assert min(times) < 0.5, "0.3 s on a quiet machine; this one may be busy"


def test_version_names_what_decides_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["--version"]) == 0
    printed = capsys.readouterr().out
    for name, version in runtime.versions().items():
        assert f"{name} {version}" in printed


def test_config_is_mounted(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["config", "check", "default"]) == 0
    assert "34 objects" in capsys.readouterr().out


@given(
    ticks=st.integers(1, 3000),
    chunk=st.integers(1, 400),
    events=st.lists(st.integers(1, 3000), max_size=8, unique=True),
)
def test_pieces_cover_the_run_with_two_lengths_and_cut_at_events(ticks: int, chunk: int, events: list[int]) -> None:
    inside = sorted(event for event in events if event <= ticks)
    lengths = run.pieces(ticks, chunk, inside)
    assert sum(lengths) == ticks
    assert max(lengths) <= chunk
    assert len(set(lengths)) <= 2
    ends = {0, *np.cumsum(lengths).tolist()}
    assert {event - 1 for event in inside} <= ends


@pytest.mark.parametrize(
    ("ticks", "chunk", "events", "lengths"),
    [
        (1440, 120, [], [120] * 12),
        (250, 120, [], [120, 120, 10]),
        (5, 120, [], [5]),
        (30, 10, [1], [10, 10, 10]),
        (30, 10, [15], [10, 2, 2, 10, 2, 2, 2]),
        (7, 100, [4], [1] * 7),
    ],
)
def test_pieces_by_hand(ticks: int, chunk: int, events: list[int], lengths: list[int]) -> None:
    assert run.pieces(ticks, chunk, events) == lengths


def test_chunks_are_reported_and_added_up() -> None:
    heard: list[run.Progress] = []
    plan = run.Plan(towns=TOWNS, ticks=2 * TICKS, policy="idle", chunk=TICKS)
    result = run.simulate(build(load("default")), plan, on_progress=heard.append)
    assert [progress.ticks for progress in heard] == [TICKS, 2 * TICKS]
    assert [progress.agent_ticks for progress in heard] == [TOWNS * TICKS * AGENTS, 2 * TOWNS * TICKS * AGENTS]
    np.testing.assert_array_equal(result.totals["ticks"], [2 * TICKS] * TOWNS)
    np.testing.assert_array_equal(result.states.clock.tick, [2 * TICKS] * TOWNS)
    np.testing.assert_array_equal(result.totals["need_min"].min(axis=0), result.states.needs.level.min(axis=(0, 1)))


def test_cache_folder_is_private_and_keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runtime.CACHE_VARIABLE, str(tmp_path / "cache"))
    folder, note = runtime.cache_folder()
    assert note == ""
    assert folder is not None
    assert folder.parent == tmp_path / "cache"
    assert folder.stat().st_mode & 0o077 == 0
    assert runtime.versions()["jaxlib"] in folder.name
    assert runtime.cpu_fingerprint() in folder.name
    monkeypatch.setenv(runtime.CACHE_VARIABLE, "off")
    assert runtime.cache_folder() == (None, "")
    (tmp_path / "file").touch()
    monkeypatch.setenv(runtime.CACHE_VARIABLE, str(tmp_path / "file"))
    folder, note = runtime.cache_folder()
    assert folder is None
    assert runtime.CACHE_VARIABLE in note


def test_bench_records_carry_their_origin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.jsonl"
    arguments = ["bench", "tick", "--towns", "1", "--policy", "drawn", "--ticks", "10", "--json", "--out", str(file)]
    assert cli.execute(arguments) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    (kept,) = record.read(file)
    assert kept == printed
    assert 0.5 * AGENTS * kept["ticks"] < kept["agent_ticks"] <= AGENTS * kept["ticks"], "some faint, nobody is added"
    assert kept["repeats"] >= 5
    assert kept["seconds_min"] <= kept["seconds"] <= kept["seconds_max"]
    assert kept["agent_ticks_per_s"] == pytest.approx(kept["agent_ticks"] / kept["seconds"], rel=1e-3)
    assert 0 < kept["state_bytes_per_town"] < 8192
    assert kept["observation_bytes_per_agent"] == 0
    assert 0 < kept["floor_share"] < 1
    assert kept["hlo_instructions"] > 100
    assert set(kept["versions"]) >= {"python", "jax", "jaxlib", "townlet_jax"}
    assert {"device", "cpu", "commit", "dirty", "time", "compile_seconds", "batch", "block"} <= set(kept)


def test_results_are_appended_and_broken_lines_named(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    record.append([{"a": 1}], file)
    record.append([{"a": 2}, {"a": 3}], file)
    assert record.read(file) == [{"a": 1}, {"a": 2}, {"a": 3}]
    file.write_text('{"a": 1}\n{"a":\n')
    with pytest.raises(ValueError, match=":2 is not JSON"):
        record.read(file)


def test_bench_table_shows_what_was_measured() -> None:
    from rich.console import Console

    records: list[dict[str, Any]] = [
        {"bench": "tick", "line": "8 x 8, drawn", "agent_ticks_per_s": 1234567.0, "us_per_tick": 51.8},
        {"bench": "floor", "line": "floor", "copy_bytes_per_s": 5e10, "threefry_per_s": 1e8},
    ]
    origin = {"device": "d", "commit": "c", "dirty": False}
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(bench_command.table([origin | measured for measured in records]))
    text = console.export_text()
    assert "1,234,567" in text
    assert "50.0" in text


@given(st.text())
def test_no_name_reaches_the_terminal_with_control_characters(name: str) -> None:
    assert not {unicodedata.category(letter) for letter in printable(name)} & {"Cc", "Cf", "Cs", "Co", "Cn"}
