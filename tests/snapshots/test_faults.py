"""Disks that are full, folders that may not be written, files in the way (R3): one sentence, and nothing is lost."""

import contextlib
import functools
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.snapshots.trees import IDENTITY, is_sentence
from townlet_jax.snapshots import PathError, SaveError, Store

open_store = functools.partial(Store, identity=IDENTITY)
NOBODY = 65534
SOON = 10.0  # seconds: a chunk


def tree(value: int) -> dict[str, Any]:
    """Return a tree of 400 KB that no compression makes small."""
    return {"noise": np.random.default_rng(value).integers(0, 256, 400_000, np.uint8)}


@contextlib.contextmanager
def room_for(most: int) -> Iterator[None]:
    """Let no file grow beyond that many bytes, as a full disk would not; the system itself refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that everybody may enter and that belongs to whoever the test becomes."""
    folder = Path(tempfile.mkdtemp(prefix="townlet-faults-"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, -1)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def powerless() -> Iterator[None]:
    """Give up the rights of the superuser, for whom no permission counts."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def failure(store: Store) -> SaveError:
    """Look once in a while, as a session does, and return what is raised."""
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        try:
            store.check()
        except SaveError as error:
            return error
        time.sleep(0.01)
    raise AssertionError("nothing was raised in time")


@pytest.mark.parametrize("most", [0, 200, 20_000, 300_000])
def test_a_full_disk(tmp_path: Path, most: int, caplog: pytest.LogCaptureFixture) -> None:
    with open_store(tmp_path) as store:
        store.save(1, tree(1))
        store.wait()
        with room_for(most):
            store.save(2, tree(2))
            error = failure(store)
        assert is_sentence(str(error))
        assert error.step == 2
        assert str(error).startswith(f"Snapshot 2 could not be saved in {tmp_path} (")
        assert "File too large" in str(error)
        assert str(error).endswith("; snapshot 1 is still the newest.")
        assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["1"]
        assert caplog.records == []
        store.check()  # raised once
        np.testing.assert_array_equal(store.restore(tree(0)).tree["noise"], tree(1)["noise"])
        store.save(2, tree(2))
        np.testing.assert_array_equal(store.restore(tree(0)).tree["noise"], tree(2)["noise"])


@pytest.mark.parametrize("notice", [Store.wait, Store.close, lambda store: store.save(3, tree(3))])
def test_a_failure_is_heard_of_by_whatever_comes_next(tmp_path: Path, notice: Callable[[Store], None]) -> None:
    with open_store(tmp_path) as store, room_for(100_000):
        store.save(2, tree(2))
        with pytest.raises(SaveError, match=r"Snapshot 2 could not be saved .*; there is no older one"):
            notice(store)
    with open_store(tmp_path) as store:
        assert store.steps() == []


def test_the_old_ones_stay_until_the_new_one_is_safe(tmp_path: Path) -> None:
    with open_store(tmp_path, keep_latest=1) as store:
        store.save(1, tree(1))
        store.wait()
        with room_for(100_000):
            store.save(2, tree(2))
            assert failure(store).step == 2
        assert store.verify(1).step == 1


def test_a_folder_that_may_not_be_written(place: Path) -> None:
    with powerless():
        with open_store(place / "store") as store:
            store.save(1, tree(1))
        (place / "store").chmod(0o555)
        with pytest.raises(
            PathError, match=r"Snapshots cannot be written to .*/store \(Permission denied\)"
        ) as refusal:
            open_store(place / "store")
        with open_store(place / "store", read_only=True) as reader:
            np.testing.assert_array_equal(reader.restore(tree(0)).tree["noise"], tree(1)["noise"])
        with pytest.raises(PathError, match=r"\(Permission denied\)"):
            open_store(place / "store" / "new")
    assert is_sentence(str(refusal.value))


def test_a_folder_that_becomes_read_only(place: Path) -> None:
    with powerless(), open_store(place / "store") as store:
        store.save(1, tree(1))
        store.wait()
        (place / "store").chmod(0o555)
        store.save(2, tree(2))
        error = failure(store)
        (place / "store").chmod(0o755)
        assert is_sentence(str(error))
        assert "ermission denied" in str(error)
        assert store.steps() == [1]
        store.save(2, tree(2))


def test_files_that_may_not_be_read_are_no_damage(place: Path) -> None:
    with powerless():
        with open_store(place / "store") as store:
            store.save(1, tree(1))
            store.save(2, tree(2))
            store.wait()
            for name in ("meta/meta.json", "meta"):
                (place / "store" / "2" / name).chmod(0)
                with pytest.raises(PathError, match=r"/2/meta.* may not be read; check its permissions") as refusal:
                    store.restore(tree(0))
                (place / "store" / "2" / name).chmod(0o755)
                assert is_sentence(str(refusal.value))
            assert store.steps() == [1, 2]
        (place / "store").chmod(0o000)
        with pytest.raises(PathError, match="Permission denied"):
            open_store(place / "store", read_only=True).steps()


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for read_only in (False, True):
        with pytest.raises(PathError, match="is a file, but a store is a folder") as refusal:
            open_store(tmp_path / "file", read_only=read_only)
        assert is_sentence(str(refusal.value))
    with pytest.raises(PathError, match="cannot be written to"):
        open_store(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_disappears(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        store.save(1, tree(1))
        store.wait()
        shutil.rmtree(tmp_path / "store")
        assert store.steps() == []
        store.save(2, tree(2))
        error = failure(store)
        assert is_sentence(str(error))
        assert "(the folder was removed or replaced); there is no older one" in str(error)
        assert not (tmp_path / "store").exists()
