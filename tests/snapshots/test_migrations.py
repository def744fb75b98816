"""Migrations: the shortest way, what would be done, what was done, and never unasked."""

import functools
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.snapshots.trees import IDENTITY, is_sentence
from townlet_jax.snapshots import (
    DamagedError,
    IdentityError,
    Manifest,
    Match,
    MigrationError,
    Migrations,
    Store,
    Stored,
    TargetError,
)
from townlet_jax.snapshots.migrations import Leaves

FIRST = {"old": np.arange(3, dtype=np.int32)}
THIRD = {"new": jnp.zeros(3, jnp.int32), "added": jnp.zeros(2, jnp.float32)}


def renamed(leaves: Leaves, manifest: Manifest) -> tuple[Leaves, Manifest]:
    """Call `old` `new`."""
    return {("new",): leaves["old",]}, manifest


def extended(leaves: Leaves, manifest: Manifest) -> tuple[Leaves, Manifest]:
    """Add a leaf, double another, and take note."""
    doubled = Stored(kind="array", array=leaves["new",].array * 2)
    added = Stored(kind="array", array=np.ones(2, np.float32))
    return {("new",): doubled, ("added",): added}, manifest.model_copy(update={"meta": {"was": manifest.version}})


def moved_house(leaves: Leaves, manifest: Manifest) -> tuple[Leaves, Manifest]:
    """Go over to the hamlet."""
    assert manifest.identity is not None
    identity = manifest.identity.model_copy(update={"config_hash": "9" * 64})
    return leaves, manifest.model_copy(update={"identity": identity})


def untouched(leaves: Leaves, manifest: Manifest) -> tuple[Leaves, Manifest]:
    """Change nothing."""
    return leaves, manifest


def known() -> Migrations:
    """Return the migrations of these tests."""
    migrations = Migrations()
    migrations.register(1, 2, renamed)
    migrations.register(2, 3, extended, name="more")
    migrations.register("default", "hamlet", moved_house)
    return migrations


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Return a store that holds a snapshot of version 1."""
    with Store(tmp_path, identity=IDENTITY, version=1) as store:
        store.save(5, FIRST, migrations=["0->1:birth"])
    return tmp_path


third = functools.partial(Store, identity=IDENTITY, version=3, migrations=known())


def test_the_shortest_way_is_found() -> None:
    migrations = known()
    migrations.register(1, 4, untouched)
    migrations.register(4, 5, untouched)
    migrations.register(3, 5, untouched)
    assert [str(step) for step in migrations.path(1, 5)] == ["1->4:untouched", "4->5:untouched"]
    assert migrations.path(3, 3) == ()
    assert [step.name for step in migrations.path("default", "hamlet")] == ["moved_house"]


def test_of_ways_that_are_as_short_the_first_registered_is_taken() -> None:
    migrations = Migrations()
    for source, target in ((1, 3), (1, 2), (2, 4), (3, 4)):
        migrations.register(source, target, untouched)
    assert [step.target for step in migrations.path(1, 4)] == [3, 4]


def test_circles_end() -> None:
    migrations = known()
    migrations.register(3, 1, untouched)
    with pytest.raises(MigrationError) as refusal:
        migrations.path(1, 9)
    assert str(refusal.value) == "No migration leads from 1 to 9 (from 1 one can reach 2, 3)."


def test_a_way_that_does_not_exist_names_both_ends() -> None:
    with pytest.raises(MigrationError, match=r"No migration leads from hamlet to default \(.* can reach nothing\)\."):
        known().path("hamlet", "default")


@pytest.mark.parametrize(("source", "target"), [(1, 1), (1, "hamlet"), (1, 2)])
def test_senseless_migrations_are_refused(source: Any, target: Any) -> None:
    with pytest.raises(ValueError, match="migration"):
        known().register(source, target, untouched)


def test_what_would_be_done_is_said(first: Path) -> None:
    assert known().describe(1, 3) == "1 becomes 3 by 1->2:renamed, then 2->3:more."
    assert known().describe(3, 3) == "3 needs no migration."
    with third(first, read_only=True) as store:
        assert store.plan(5) == "Snapshot 5 needs 1->2:renamed, then 2->3:more."
    with Store(first, identity=IDENTITY, version=1) as store:
        assert store.plan(5) == "Snapshot 5 needs no migration."


def test_an_old_snapshot_is_brought_up_to_date(first: Path) -> None:
    with third(first) as store:
        restored = store.restore(THIRD, migrate=True)
        np.testing.assert_array_equal(restored.tree["new"], [0, 2, 4])
        np.testing.assert_array_equal(restored.tree["added"], [1, 1])
        assert restored.manifest.version == 3
        assert restored.manifest.meta == {"was": 2}
        assert restored.manifest.migrations == ("0->1:birth", "1->2:renamed", "2->3:more")
        store.save(6, restored.tree, migrations=restored.manifest.migrations)
        assert store.restore(THIRD).manifest.migrations == restored.manifest.migrations


def test_nothing_is_migrated_unasked(first: Path) -> None:
    with third(first) as store:
        with pytest.raises(MigrationError, match="has version 1, but this program writes 3; migrate it") as refusal:
            store.restore(THIRD)
        assert store.steps() == [5]
    assert is_sentence(str(refusal.value))


def test_no_way_is_said(first: Path) -> None:
    ninth = Store(first, identity=IDENTITY, version=9, migrations=known())
    with ninth as store, pytest.raises(MigrationError, match="No migration leads from 1 to 9"):
        store.restore(THIRD, migrate=True)


def test_what_comes_out_must_fit_the_target(first: Path) -> None:
    with third(first) as store, pytest.raises(TargetError, match="other is not in it"):
        store.restore({**THIRD, "other": jnp.zeros(1)}, migrate=True)


def test_a_migration_that_stumbles_is_named(first: Path) -> None:
    def stumble(leaves: Leaves, manifest: Manifest) -> tuple[Leaves, Manifest]:
        return {("new",): leaves["missing",]}, manifest

    migrations = Migrations()
    migrations.register(1, 2, stumble)
    with Store(first, identity=IDENTITY, version=2, migrations=migrations) as store:
        with pytest.raises(MigrationError, match=r"Migration 1->2:stumble failed on snapshot 5 \(KeyError") as refusal:
            store.restore(THIRD, migrate=True)
        assert store.steps() == [5]
    assert is_sentence(str(refusal.value))


def test_a_later_version_is_refused_unless_that_is_allowed(first: Path) -> None:
    with third(first) as store:
        store.save(6, THIRD)
    with Store(first, identity=IDENTITY, version=2) as store:
        with pytest.raises(MigrationError, match="has version 3, but this program writes 2; use a later program"):
            store.restore(THIRD)
        assert store.restore(THIRD, match=Match(allow_newer=True)).manifest.version == 3


def test_configurations_are_migrated_too(first: Path) -> None:
    hamlet = IDENTITY.model_copy(update={"config_id": "hamlet", "config_hash": "9" * 64})
    with Store(first, identity=hamlet, migrations=known()) as store:
        with pytest.raises(IdentityError) as refusal:
            store.restore(FIRST)
        restored = store.restore(FIRST, migrate=True)
    assert refusal.value.fields == ("config_id", "config_hash")
    assert restored.manifest.identity == hamlet
    assert restored.manifest.migrations == ("0->1:birth", "default->hamlet:moved_house")


def test_damage_is_found_before_anything_is_migrated(first: Path) -> None:
    data = max((path for path in (first / "5" / "state").rglob("*") if path.is_file()), key=lambda f: f.stat().st_size)
    data.write_bytes(bytes(data.stat().st_size))
    with third(first) as store, pytest.raises(DamagedError, match="Snapshot 5"):
        store.restore(THIRD, step=5, migrate=True)
