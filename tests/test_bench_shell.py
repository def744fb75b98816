"""The benchmark of the shell measures real sessions, files and processes."""

from pathlib import Path

import pytest

from townlet_jax.bench import shell
from townlet_jax.config import build, load

TOWNS, TICKS = 2, 3


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "REPEATS", 2)


def test_sessions_take_turns_beside_a_silent_one(tmp_path: Path) -> None:
    config = load("default")
    records = shell.telemetry(config, build(config), tmp_path, towns=TOWNS, ticks=TICKS)
    assert [record["line"].split(", ", 1)[1] for record in records] == [
        "silent", "telemetry, frames of 2 towns", "the same with a dead TCP sink",
    ]  # fmt: skip
    assert records[0]["cost"] == 1.0
    for record in records:
        assert record["repeats"] == 2
        assert record["us_per_tick"] == pytest.approx(record["seconds"] / TICKS * 1e6)
        assert record["cost"] > 0
    for file in ("alone.jsonl", "beside.jsonl"):
        assert (tmp_path / file).stat().st_size > 0, "frames and measures were written"


def test_a_snapshot_is_saved_in_each_turn(tmp_path: Path) -> None:
    config = load("default")
    silent, saving = shell.autosave(config, build(config), tmp_path, towns=TOWNS, ticks=TICKS)
    assert (silent["cost"], saving["ticks"]) == (1.0, TICKS)
    kept = {int(folder.name) for folder in (tmp_path / "autosaves").iterdir() if folder.name.isdigit()}
    assert max(kept) == 3 * TICKS, "a warm-up and two rounds"


@pytest.mark.slow
def test_going_on_is_measured_in_fresh_processes(tmp_path: Path) -> None:
    config = load("default")
    saved, resumed = shell.snapshot(config, build(config), "default", tmp_path, towns=TOWNS, ticks=TICKS)
    assert saved["snapshot_bytes"] > TOWNS * 5000
    assert saved["cost"] > 0
    assert resumed["wall_seconds"] > 0.5, "a process and jax begin in it"
