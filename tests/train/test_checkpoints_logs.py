"""The log in other forms: Parquet, TensorBoard, Weights & Biases, whole after an interruption."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from townlet_jax.run import RunError
from train import logging, writers
from train.logging import Log
from train.writers import ParquetWriter, Row


def row(update: int, **more: Any) -> Row:
    """Return a line of a log."""
    return {"update": update, "agent_steps_total": 10 * (update + 1), "loss": 0.5 * update} | more


def test_parquet_is_one_table_in_parts(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path / "log.parquet", [], updates=4)
    for update in range(10):
        writer.add(row(update, loss=math.nan if update == 3 else 0.5 * update))
        parts = sorted(path.name for path in (tmp_path / "log.parquet").iterdir())
        assert len(parts) == update // 4, "a part is there as soon as the next one begins"
    writer.close()
    table = pyarrow.parquet.read_table(tmp_path / "log.parquet")
    assert table.column("update").to_pylist() == list(range(10))
    assert [str(table.schema.field(name).type) for name in ("update", "loss")] == ["int64", "double"]
    assert math.isnan(table.column("loss").to_pylist()[3])


def test_what_goes_on_has_every_line_once(tmp_path: Path) -> None:
    first = ParquetWriter(tmp_path, [], updates=4)
    for update in range(7):
        first.add(row(update, member=0))
        first.add(row(update, member=1))
    first.close()
    kept = [row(update, member=member) for update in range(5) for member in (0, 1)]
    again = ParquetWriter(tmp_path, kept, updates=4)
    again.add(row(5, member=0, loss=-1.0))
    again.close()
    table = pyarrow.parquet.read_table(tmp_path).to_pylist()
    assert [(line["update"], line["member"]) for line in table[-3:]] == [(4, 0), (4, 1), (5, 0)]
    assert (len(table), table[-1]["loss"]) == (11, -1.0)


def test_the_log_is_cut_back_to_where_a_run_goes_on(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        for update in range(5):
            log.add(row(update, loss=math.nan if update == 1 else 1.0))
    path = tmp_path / logging.FILE
    path.write_text(path.read_text() + '{"update": 1, "lo', encoding="utf-8")
    handed: list[Any] = []

    def more(kept: Any) -> list[Any]:
        handed.extend(kept)
        return []

    with Log(tmp_path, first=3, more=more) as log:
        log.add(row(3, loss=7.0))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["update"] for line in lines] == [0, 1, 2, 3]
    assert (lines[1]["loss"], lines[3]["loss"]) == (None, 7.0)
    assert math.isnan(handed[1]["loss"])
    assert log.rows[:3] == handed


def test_tensorboard_shows_each_update_once(tmp_path: Path) -> None:
    with Log(tmp_path, more=lambda kept: writers.opened(["tensorboard"], tmp_path, {}, kept)) as log:
        for update in range(3):
            log.add(row(update))
    files = list((tmp_path / "tensorboard").iterdir())
    assert len(files) == 1
    found = scalars(files[0])
    assert found["loss"] == {0: 0.0, 1: 0.5, 2: 1.0}
    assert found["agent_steps_total"] == {0: 10.0, 1: 20.0, 2: 30.0}
    assert "update" not in found


def scalars(path: Path) -> dict[str, dict[int, float]]:
    """Read an event file: records of length, checksum, data, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    raw, place = path.read_bytes(), 0
    found: dict[str, dict[int, float]] = {}
    while place < len(raw):
        size = int.from_bytes(raw[place : place + 8], "little")
        event = Event.FromString(raw[place + 12 : place + 12 + size])
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
        place += size + 16
    return found


@pytest.mark.filterwarnings("ignore")  # of wandb
def test_wandb_keeps_its_run_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for first in (0, 2):
        with Log(tmp_path, first=first, more=lambda kept: writers.opened(["wandb"], tmp_path, {"a": 1}, kept)) as log:
            log.add(row(first, member=0))
            log.add(row(first, member=1))
    runs = list((tmp_path / "wandb").glob("offline-run-*"))
    known = json.loads((tmp_path / writers.RUN_ID).read_text())["id"]
    assert len(runs) == 2
    assert all(known in run.name for run in runs)
    until = time.monotonic() + 60  # another process writes them
    while not all(b"member_1/loss" in next(run.glob("*.wandb")).read_bytes() for run in runs):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("kinds", "folder", "words"),
    [
        (["csv"], True, "--log is 'csv', but must be one of parquet, tensorboard, wandb; choose one."),
        (["parquet"], False, "--log parquet needs a folder for its files; give --out."),
    ],
)
def test_a_log_that_cannot_be_is_refused(kinds: list[str], folder: bool, words: str, tmp_path: Path) -> None:
    with pytest.raises(RunError) as told:
        writers.demand(kinds, tmp_path if folder else None)
    assert str(told.value) == words


@pytest.mark.parametrize("kind", writers.EXTRAS)
def test_a_missing_package_is_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = writers.EXTRAS[kind][0]
    for name in (module, module.partition(".")[0]):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RunError, match=rf"--log {kind} needs the extra package .*pip install 'townlet_jax\[{kind}\]'"):
        writers.demand([kind], tmp_path)
