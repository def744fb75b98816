"""Folders (R15): digits only, no links, nothing outside the allowed roots, nobody's files touched."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.snapshots.trees import IDENTITY, is_sentence
from townlet_jax.snapshots import MissingError, PathError, SaveError, Store

open_store = functools.partial(Store, identity=IDENTITY, keep_latest=1)


def tree(value: int) -> dict[str, Any]:
    """Return a small tree."""
    return {"value": np.full(3, value)}


def test_a_place_outside_the_allowed_roots_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "door").symlink_to(outside)
    for place in (outside, inside / ".." / "outside", inside / "door", inside / "door" / "x", tmp_path, Path("/etc")):
        with pytest.raises(PathError, match="outside the folders in which snapshots may be") as refusal:
            open_store(place, allowed_roots=[inside])
        assert is_sentence(str(refusal.value).replace("..", ""))
        assert refusal.value.code == "forbidden_path"
    with open_store(inside / "x", allowed_roots=[Path("/nowhere"), inside]) as store:
        assert store.root == inside / "x"
    assert list(outside.iterdir()) == []


def test_only_digits_are_snapshots(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.save(7, tree(7))
        store.wait()
        for name in ("007", "+7", "7a", " 8", "-1", "8.orbax-checkpoint-tmp", "٣", "1e3", "0x9", "1" * 30):
            (tmp_path / name).mkdir()
            (tmp_path / name / "manifest").mkdir()
        (tmp_path / "9").write_text("a file")
        assert store.steps() == [7]
        assert store.restore(tree(0)).manifest.step == 7


def test_links_are_no_snapshots(tmp_path: Path) -> None:
    with open_store(tmp_path / "other") as store:
        store.save(9, tree(9))
    with open_store(tmp_path / "store") as store:
        store.save(7, tree(7))
        store.wait()
        (tmp_path / "store" / "9").symlink_to(tmp_path / "other" / "9")
        assert store.steps() == [7]
        with pytest.raises(MissingError):
            store.restore(tree(0), step=9)
        with pytest.raises(SaveError, match="/9 is something else; move it away"):
            store.save(9, tree(1))
        store.save(10, tree(10))
        store.wait()
    assert (tmp_path / "store" / "9").is_symlink()
    assert (tmp_path / "other" / "9" / "meta").is_dir()


@pytest.mark.parametrize("name", [".trash", ".quarantine", ".lock", ".writer.json"])
def test_links_in_the_place_of_the_stores_own_files_are_refused(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    root = tmp_path / "store"
    root.mkdir()
    (root / name).symlink_to(outside if name in (".trash", ".quarantine") else outside / "precious")
    with pytest.raises(PathError) as refusal:
        open_store(root)
    assert is_sentence(str(refusal.value))
    assert (outside / "precious").read_text() == "mine"


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "2024" / "photos").mkdir(parents=True)
    (tmp_path / "2024" / "photos" / "one.jpg").write_text("mine")
    (tmp_path / "5").mkdir()
    with open_store(tmp_path) as store:
        assert store.steps() == []
        for step in (1, 2, 3):
            store.save(step, tree(step))
        store.wait()
        assert store.steps() == [3]
        with pytest.raises(SaveError, match="/5 is something else"):
            store.save(5, tree(5))
        store.save(6, tree(6))
        assert store.restore(tree(0)).manifest.step == 6
        with pytest.raises(MissingError):
            store.restore(tree(0), step=2024)
    assert (tmp_path / "2024" / "photos" / "one.jpg").read_text() == "mine"
    assert (tmp_path / "5").is_dir()


def test_what_was_left_behind_is_cleared_away(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.save(1, tree(1))
    (tmp_path / "2.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
    (tmp_path / ".trash" / "1").mkdir()
    (tmp_path / ".trash" / "1" / "file").write_text("x")
    (tmp_path / ".trash" / "link").symlink_to(tmp_path / "1")
    with Store(tmp_path, identity=IDENTITY, keep_latest=9) as store:
        assert store.steps() == [1]
        store.save(2, tree(2))
        store.wait()
        assert store.steps() == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["1", "2"]
    assert list((tmp_path / ".trash").iterdir()) == []


@pytest.mark.parametrize("name", ["a\x00b", "x" * 300])
def test_names_that_no_folder_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(PathError) as refusal:
        open_store(tmp_path / name)
    assert is_sentence(str(refusal.value))
