"""Damaged snapshots (R2): never a wrong array, always one sentence, and the next one instead."""

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.snapshots.damage import damaged
from tests.snapshots.trees import IDENTITY, bits, everything, is_sentence
from townlet_jax.snapshots import DamagedError, MigrationError, MissingError, PathError, Restored, Store, like

open_store = functools.partial(Store, identity=IDENTITY)
TARGET = like(everything(9))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with the snapshots 10, 20 and 30, never to be changed."""
    root = tmp_path_factory.mktemp("whole")
    with open_store(root) as store:
        for step in (10, 20, 30):
            store.save(step, everything(step), meta={"step": step}, metrics={"return": step / 7})
    return root


def attempt(root: Path) -> Restored | DamagedError:
    """Restore snapshot 30; any other error than that of damage ends the test."""
    with open_store(root, read_only=True) as store:
        try:
            return store.restore(TARGET, step=30)
        except DamagedError as error:
            return error


def corruptions(whole: Path, place: Path, seeds: range) -> int:
    """Damage a snapshot once for each seed; return how often it was refused, and fail if it ever came back wrong."""
    refused = 0
    for seed in seeds:
        root = place / str(seed)
        what = damaged(whole / "30", root / "30", seed)
        found = attempt(root)
        if isinstance(found, DamagedError):
            refused += 1
            assert is_sentence(str(found)), what
            assert str(found).startswith(f"Snapshot 30 in {root} is damaged ({found.item}: "), what
            assert (found.step, bool(found.reason), found.moved, found.fallback) == (30, True, None, None), what
        else:
            assert bits(found.tree) == bits(everything(30)), what
            assert found.manifest.meta == {"step": 30}, what
            assert found.manifest.metrics == {"return": 30 / 7}, what
        shutil.rmtree(root)
    return refused


def test_a_hundred_corruptions_and_no_wrong_array(whole: Path, tmp_path: Path) -> None:
    assert corruptions(whole, tmp_path, range(100)) > 30


@pytest.mark.slow
def test_a_thousand_corruptions_and_no_wrong_array(whole: Path, tmp_path: Path) -> None:
    assert corruptions(whole, tmp_path, range(1000, 2000)) > 300


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a copy of the store that may be damaged."""
    root = tmp_path / "copy"
    shutil.copytree(whole, root)
    yield root
    shutil.rmtree(root)


def spoil(root: Path, step: int, item: str = "state") -> None:
    """Turn a bit in the largest file of an item."""
    file = max(
        (path for path in (root / str(step) / item).rglob("*") if path.is_file()), key=lambda f: f.stat().st_size
    )
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def test_the_next_one_is_used_and_said_so(copy: Path) -> None:
    spoil(copy, 30)
    with open_store(copy) as store:
        restored = store.restore(TARGET)
        assert store.steps() == [10, 20]
        assert bits(restored.tree) == bits(everything(20))
        (refused,) = restored.refused
        place = copy / ".quarantine" / "30"
        assert (refused.step, refused.item, refused.moved, refused.fallback) == (30, "state", place, 20)
        assert is_sentence(str(refused))
        assert str(refused).endswith(f"it was moved to {place} and snapshot 20 was used instead.")
        assert (place / "manifest" / "manifest.json").is_file()
        store.save(30, everything(31))  # the number is free again
        assert bits(store.restore(TARGET).tree) == bits(everything(31))


@pytest.mark.parametrize("item", ["state", "meta", "manifest"])
def test_two_bad_ones_in_a_row(copy: Path, item: str) -> None:
    spoil(copy, 30, item)
    spoil(copy, 20, item)
    with open_store(copy) as store:
        restored = store.restore(TARGET)
    assert bits(restored.tree) == bits(everything(10))
    assert [(one.step, one.item, one.fallback) for one in restored.refused] == [(30, item, 10), (20, item, 10)]


def test_a_number_in_quarantine_can_be_taken_twice(copy: Path) -> None:
    for expected in ("30", "30-1"):
        spoil(copy, 30)
        with open_store(copy) as store:
            (refused,) = store.restore(TARGET).refused
            assert refused.moved == copy / ".quarantine" / expected
            store.save(30, everything(30))


def test_all_bad(copy: Path) -> None:
    for step in (10, 20, 30):
        spoil(copy, step)
    with open_store(copy) as store:
        with pytest.raises(MissingError, match=r"all are damaged: 30 .*; 20 .*; 10 ") as refusal:
            store.restore(TARGET)
        assert is_sentence(str(refusal.value))
        assert [one.step for one in refusal.value.refused] == [30, 20, 10]
        assert store.steps() == []


def test_a_certain_one_is_not_replaced_by_another(copy: Path) -> None:
    spoil(copy, 20)
    with open_store(copy) as store:
        with pytest.raises(DamagedError, match=r"Snapshot 20 .*nothing was used instead\.$"):
            store.restore(TARGET, step=20)
        assert store.steps() == [10, 30]


def test_a_reader_leaves_a_bad_one_where_it_is(copy: Path) -> None:
    spoil(copy, 30)
    with open_store(copy, read_only=True) as store:
        (refused,) = store.restore(TARGET).refused
        assert store.steps() == [10, 20, 30]
        assert refused.moved is None
        assert str(refused).endswith("it was left where it is and snapshot 20 was used instead.")


def test_looking_at_a_bad_one_moves_nothing(copy: Path) -> None:
    spoil(copy, 30)
    with open_store(copy) as store:
        assert store.manifest(30).step == 30
        with pytest.raises(DamagedError, match="does not have the hash"):
            store.verify(30)
        assert store.steps() == [10, 20, 30]


def test_a_bad_one_takes_no_part_in_what_is_kept(copy: Path) -> None:
    spoil(copy, 20, "meta")
    with open_store(copy, keep_latest=2) as store:
        store.save(40, everything(40))
        store.wait()
        assert store.steps() == [30, 40]


@pytest.mark.parametrize("item", ["state", "meta", "manifest"])
def test_items_of_another_snapshot_are_noticed(copy: Path, item: str) -> None:
    shutil.rmtree(copy / "30" / item)
    shutil.copytree(copy / "20" / item, copy / "30" / item)
    with open_store(copy) as store:
        restored = store.restore(TARGET)
    assert bits(restored.tree) == bits(everything(20))
    assert [one.step for one in restored.refused] == [30]


def test_a_renamed_snapshot_is_noticed(copy: Path) -> None:
    (copy / "30").rename(copy / "99")
    with open_store(copy) as store:
        restored = store.restore(TARGET)
    assert restored.manifest.step == 20
    assert restored.refused[0].reason == "it is that of snapshot 30"


def test_a_link_in_a_snapshot_is_not_followed(copy: Path, whole: Path) -> None:
    meta = copy / "30" / "meta" / "meta.json"
    meta.unlink()
    meta.symlink_to(whole / "30" / "meta" / "meta.json")
    with open_store(copy) as store:
        restored = store.restore(TARGET)
    assert restored.manifest.step == 20
    assert "links are not followed" in restored.refused[0].reason


@pytest.mark.parametrize("content", ["[" * 100_000, "NaN", "[1]", "{}", "", '{"format": 1e999}', "\x00" * 50])
@pytest.mark.parametrize("item", ["meta", "manifest"])
def test_documents_of_all_kinds_are_refused(copy: Path, item: str, content: str) -> None:
    (copy / "30" / item / f"{item}.json").write_text(content)
    with open_store(copy, read_only=True) as store, pytest.raises(DamagedError) as refusal:
        store.restore(TARGET, step=30)
    assert refusal.value.item == item
    assert is_sentence(str(refusal.value))


def test_a_giant_document_is_not_read(copy: Path) -> None:
    with (copy / "30" / "meta" / "meta.json").open("r+b") as file:
        file.truncate(2**40)  # sparse
    with open_store(copy, read_only=True) as store, pytest.raises(DamagedError, match="is larger than"):
        store.manifest(30)


def test_a_later_file_format_is_refused_and_left_alone(copy: Path) -> None:
    from townlet_jax.snapshots import manifest

    path = copy / "30" / "manifest" / "manifest.json"
    body = json.loads(path.read_text()) | {"format": 2}
    del body["manifest"]
    path.write_text(json.dumps(body | {"manifest": manifest.digest(manifest.canonical(body))}))
    with open_store(copy) as store:
        with pytest.raises(MigrationError, match="has file format 2, but this program reads 1") as refusal:
            store.restore(TARGET)
        assert store.steps() == [10, 20, 30]
    assert is_sentence(str(refusal.value))


def test_what_may_not_be_read_is_no_damage(copy: Path) -> None:
    """The check is that of `test_faults`; here only: another error than damage ends the search."""
    (copy / "30").rename(copy / "elsewhere")
    (copy / "30").write_text("a file")
    with open_store(copy) as store:
        assert store.restore(TARGET).manifest.step == 20
    with pytest.raises(PathError, match="is a file, but a store is a folder"):
        open_store(copy / "30")
