"""The audit: a whole dataset has nothing to say about it, and every kind of damage is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import recorded

from scripts import audit_datasets
from townlet_jax.run import RunError
from townlet_jax.snapshots.manifest import digest
from train import audit, datasets, shards, tables
from train.datasets import Dataset


def edited(dataset: Dataset, change: Callable[[Any], None], *, number: int = 1) -> None:
    """Change the rows of a shard, and let the table and the head speak of the changed file."""
    path = dataset.path(dataset.shards()[number])
    rows = np.load(path, mmap_mode="r+")
    change(rows)
    rows.flush()
    claimed = shards.checksum(path)
    episodes = [replace(one, sha256=claimed) if one.shard == path.name else one for one in dataset.episodes]
    rewritten(dataset, episodes)


def rewritten(dataset: Dataset, episodes: Any, **claims: Any) -> None:
    """Write another table, and a head that fits it."""
    table = dataset.folder / datasets.EPISODES
    tables.write(table, episodes)
    datasets.write_head(dataset.folder, dataset.head.model_copy(update={"table": digest(table.read_bytes()), **claims}))


def said(folder: Path) -> list[str]:
    """Return the findings of a dataset."""
    try:
        return list(audit.findings(datasets.opened(folder)))
    except RunError as error:
        return [str(error)]


def test_a_whole_dataset_is_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = recorded.made(tmp_path / "data")
    assert said(tmp_path / "data") == []
    assert audit_datasets.main([str(tmp_path / "data"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["findings"], told["episodes"], told["rows"]) == ([], 40, dataset.head.rows)
    assert audit_datasets.main([str(tmp_path / "data")]) == 0
    assert "is what it says: scripted, flat actions, 40 episodes of 5 towns" in capsys.readouterr().out


def _set(name: str, value: Any, *place: Any) -> Callable[[Any], None]:
    def change(rows: Any) -> None:
        rows[name][place] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set("features", np.nan, 3, 2, 5), "features of tick 3, slot 2 is no finite number"),
        (_set("reward", np.inf, 7, 0), "reward of tick 7, slot 0 is no finite number"),
        (_set("return_to_go", 99.0, 5, 3), "the returns to go do not add up, first at tick 5, slot 3"),
        (_set("action", 99, 5, 3), "an action is none of the 15 choices"),
        (_set("mask", False, 5, 3), "a decision is not legal in the mask beside it"),
        (_set("uid", 50, slice(None), 4), "is about individual 50, not 4"),
        (_set("choice", False, slice(None), 4), "decisions, not 40"),
        (_set("valid", False, 12, 3), "its 9 episodes are not the 8 of the table"),
    ],
)
def test_rows_that_are_wrong_are_named(change: Any, sentence: str, tmp_path: Path) -> None:
    edited(recorded.made(tmp_path / "data"), change)
    found = said(tmp_path / "data")
    assert any(sentence in one and "town-000001.npy" in one for one in found), found
    assert all(one.endswith(".") and "\n" not in one for one in found)


def test_files_that_are_damaged_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    dataset = recorded.made(folder)
    path = dataset.path(dataset.shards()[2])
    whole = path.read_bytes()
    path.write_bytes(whole[:-7] + b"x" + whole[-6:])
    (one,) = said(folder)
    assert "town-000002.npy has another checksum than the table says" in one
    path.write_bytes(whole[:-100])
    (one,) = said(folder)
    assert f"has {len(whole) - 100:,} bytes, but its header speaks of {len(whole):,}" in one
    np.save(path, np.zeros((40, 6), shards.row(dataset.head.sight))["features"])
    (one,) = said(folder)
    assert "has rows of another form" in one
    path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 500)
    (one,) = said(folder)
    assert "is no array of a dataset" in one
    np.save(path, np.array([{}]), allow_pickle=True)
    (one,) = said(folder)
    assert "has rows of another form" in one, "and nothing is unpickled"
    path.unlink()
    (one,) = said(folder)
    assert "town-000002.npy is missing" in one
    (tmp_path / "elsewhere.npy").write_bytes(whole)
    path.symlink_to(tmp_path / "elsewhere.npy")
    (one,) = said(folder)
    assert "is a link, which a dataset may not hold" in one
    assert audit_datasets.main([str(folder), "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["findings"] == [one]
    assert shown.err == f"error: {one}\n"


def test_tables_that_are_wrong_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    dataset = recorded.made(folder)
    table = folder / datasets.EPISODES
    first = dataset.episodes[0]
    for change, sentence in (
        ({"total_reward": first.total_reward + 1}, "the rewards of episode 0 add up to"),
        ({"decisions": first.decisions - 1}, f"episode 0 has {first.decisions} decisions, not {first.decisions - 1}"),
        ({"truncated": True}, "episode 0 does not end as the table says"),
        ({"length": 39}, "its 8 episodes are not the 8 of the table"),
        ({"shard": "../../etc/passwd"}, "but shards are town-NUMBER.npy"),
    ):
        rewritten(dataset, [replace(first, **change), *dataset.episodes[1:]])
        assert any(sentence in one for one in said(folder)), sentence
    rewritten(dataset, dataset.episodes[1:])
    assert any("speaks of 40 episodes, but the table has 39" in one for one in said(folder))
    tables.write(table, dataset.episodes[2:])
    assert "is not the table that head.json speaks of" in said(folder)[0]
    other = pyarrow.parquet.read_table(table).drop_columns(["uid"])
    pyarrow.parquet.write_table(other, table)
    assert "is no table of episodes: it lacks uid" in said(folder)[0]
    table.write_bytes(b"nothing")
    assert "cannot be read" in said(folder)[0]
    table.unlink()
    assert "is missing, the table of the episodes" in said(folder)[0]


def test_heads_that_are_wrong_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    recorded.made(folder)
    head = folder / datasets.HEAD
    known = json.loads(head.read_text())
    for change, sentence in (
        ({"format": 2}, "is dataset of format 2, not dataset 1"),
        ({"ticks": "many"}, "ticks: Input should be a valid integer"),
        ({"surplus": 1}, "surplus: Extra inputs are not permitted"),
        ({"ticks": 41}, "has the shape (40, 6), not 41 ticks of 6 slots"),
        ({"towns": 6}, "speaks of 6 towns, but of 5 kinds of stress"),
        ({"tail": 0.7}, "the returns to go do not add up"),
    ):
        head.write_text(json.dumps(known | change))
        assert sentence in " ".join(said(folder)), sentence
    head.unlink()
    assert "is no dataset, because it has no head.json" in said(folder)[0]


def test_a_curated_table_is_checked_too_and_names_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    recorded.made(folder)
    best = folder / "best.parquet"
    words = [str(folder), "--top-share", "0.25", "--min-length", "20", "--curate", str(best), "--json"]
    assert audit_datasets.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    curated = datasets.opened(best)
    assert curated.curated == "min_length=20 top_share=0.25"
    assert told["episodes"] == len(curated.episodes) == 8
    assert said(best) == []
    for wrong in (tmp_path / "best.parquet", folder / "best.txt", folder / datasets.EPISODES):
        assert audit_datasets.main([str(folder), "--curate", str(wrong)]) == 2
        assert "--curate is" in capsys.readouterr().err
    edited(datasets.opened(folder), _set("reward", 5.0, 0, 0), number=0)
    assert any("another checksum" in one for one in said(best)) or curated.episodes[0].town > 0
