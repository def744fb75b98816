"""Snapshots of towns: going on from one equals not stopping (R4), and what is refused (MECHANICS 13)."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import jax
import lives
import numpy as np
import pytest
from core.worlds import HAMLET, hamlet
from lives import CHUNK, TICKS, TOWNS, Ears, bits, restless

from townlet_jax.branching import branched
from townlet_jax.config import Built, build, from_mapping
from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.core import batch
from townlet_jax.plans import RunError
from townlet_jax.resuming import UnfitError, restored
from townlet_jax.session import Session
from townlet_jax.snapshots import IdentityError, MigrationError, PathError, Store
from townlet_jax.town_snapshots import MIGRATIONS, VERSION, Archive, Moment, identity_of

SECTION = SnapshotSection()
RICH = {"agent": 1, "amount": 50}


def store(folder: Path, *, built: Built | None = None, policy: str = "idle", **options: Any) -> Store:
    """Open a store for the towns of these tests."""
    identity = identity_of(built or hamlet(), policy, SECTION)
    settings = {"keep_latest": 3, "version": VERSION, "migrations": MIGRATIONS} | options
    return Store(folder, identity=identity, **settings)


def keeping(folder: Path, every: int | None = None, **options: Any) -> Session:
    """Return a session that saves."""
    ears = Ears()
    return lives.session(listeners=[ears], archive=Archive(store(folder, **options), every=every))


def come_back(folder: Path, section: SnapshotSection = SECTION, built: Built | None = None, **options: Any) -> Moment:
    """Return the towns of a folder."""
    with store(folder, read_only=True, built=built, **options) as reading:
        return restored(reading, built or hamlet(), restless(), section)[0]


def everything(session: Session) -> Any:
    """Return all that must be the same: towns, memory, totals, what listeners keep."""
    moment = session.moment()
    return bits((moment.states, moment.memory, dict(moment.totals))), moment.notes["listeners"], moment.tick


@pytest.fixture(scope="module")
def undisturbed() -> Any:
    """Return what all towns come to if nobody stops them, with an edit in the middle."""
    with lives.session(listeners=[Ears()]) as session:
        session.run(3 * CHUNK)
        session.submit("set_wallet", RICH)
        session.run(TICKS)
        return everything(session)


def stopped_and_resumed(folder: Path, cut: int) -> Any:
    """Return the same of a run that ended after a chunk and went on in another session."""
    with keeping(folder) as first:
        for until in (min(cut, 3 * CHUNK), cut):
            first.run(until)
            if until == 3 * CHUNK:
                first.submit("set_wallet", RICH)
        first.prepare(TICKS)
        first.obey()
        first.save_now()
    with lives.session(listeners=[Ears()]) as second:
        second.adopt(come_back(folder))
        assert second.tick == cut
        if cut < 3 * CHUNK:
            second.run(3 * CHUNK)
            second.submit("set_wallet", RICH)
        second.run(TICKS)
        return everything(second)


@pytest.mark.parametrize("cut", [CHUNK, 2 * CHUNK, 3 * CHUNK, 5 * CHUNK, TICKS])
def test_r4_going_on_equals_not_stopping(tmp_path: Path, cut: int, undisturbed: Any) -> None:
    assert stopped_and_resumed(tmp_path, cut) == undisturbed


@pytest.mark.slow
def test_r4_at_fifty_random_ticks(tmp_path: Path) -> None:
    """Cut anywhere, in chunks of one tick, three times as long."""

    def single(archive: Archive | None = None) -> Session:
        return Session(hamlet(), lives.plan(chunk=1), policy=restless(), listeners=[Ears()], archive=archive)

    draw, until = random.Random(4), 3 * TICKS
    with single() as session:
        session.run(until)
        undisturbed = everything(session)
    for cut in draw.sample(range(1, until), 50):
        folder = tmp_path / str(cut)
        with single(Archive(store(folder))) as first:
            first.run(cut)
            first.save_now()
        with single() as second:
            second.adopt(come_back(folder))
            second.run(until)
            assert everything(second) == undisturbed, f"cut at {cut}"


def test_autosaves_come_after_their_ticks_and_the_newest_stay(tmp_path: Path) -> None:
    with keeping(tmp_path, every=CHUNK, keep_latest=2) as session:
        asked = session.save()
        session.run(4 * CHUNK)
        assert asked.result(0) == 0
        session.save_at_end()
        assert session.tick == 4 * CHUNK
    with store(tmp_path, read_only=True) as reading:
        assert reading.steps() == [3 * CHUNK, 4 * CHUNK]
        about = reading.verify(4 * CHUNK)
    assert {name: about.meta[name] for name in ("towns", "seed", "policy", "parents")} == {
        "towns": TOWNS,
        "seed": 3,
        "policy": "idle",
        "parents": [],
    }
    assert about.meta["listeners"] == {"Ears": {"count": 4}}
    assert about.metrics["alive"] == 6.0
    with lives.session() as session, pytest.raises(RunError, match="keeps no snapshots"):
        session.save_now()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one snapshot of two towns."""
    folder = tmp_path_factory.mktemp("saved")
    with keeping(folder) as session:
        session.run(CHUNK)
        session.save_now()
    return folder


def other_town() -> Built:
    """Return hamlets with another rent, and so another configuration."""
    return build(from_mapping({**HAMLET, "economy": {"rent_per_day": 4.5}}))


def test_another_configuration_is_named_and_refused_or_let_through_with_its_own_numbers(saved: Path) -> None:
    other = other_town()
    with pytest.raises(IdentityError) as refused:
        come_back(saved, built=other)
    assert refused.value.fields == ("config_hash",)
    for one in (hamlet(), other):
        assert one.names.config_hash in str(refused.value)
    moment = come_back(saved, SnapshotSection(require_exact_config=False), built=other)
    assert float(moment.params.economy.rent_per_day) == 4.5
    assert moment.tick == CHUNK


def test_another_policy_and_other_sizes_are_named(saved: Path) -> None:
    with pytest.raises(IdentityError) as refused:
        come_back(saved, policy="random")
    assert set(refused.value.fields) == {"policy_hash", "more.policy"}
    assert "more.policy is idle in the snapshot and random here" in str(refused.value)
    larger = hamlet()._replace(spec=dataclasses.replace(hamlet().spec, embedding_slots=65))
    with pytest.raises(IdentityError) as refused:
        come_back(saved, built=larger)
    assert refused.value.fields == ("spec.embedding_slots",)
    assert "64 in the snapshot and 65 here" in str(refused.value)


def test_versions_places_and_strangers_are_refused_in_one_sentence(saved: Path, tmp_path: Path) -> None:
    with store(tmp_path / "later", version=VERSION + 1) as writing:
        writing.save(5, {"x": np.zeros(3)}, meta={})
    with store(tmp_path / "later", read_only=True) as reading, pytest.raises(UnfitError, match="not one of towns"):
        restored(reading, hamlet(), restless(), SECTION)
    with store(tmp_path / "newer", version=VERSION + 1) as writing, keeping(tmp_path / "unused") as session:
        writing.save(5, session.moment().tree, meta=session.moment().notes)
    with store(tmp_path / "newer", read_only=True) as reading, pytest.raises(MigrationError, match="a later program"):
        restored(reading, hamlet(), restless(), SECTION)
    with pytest.raises(PathError, match="outside the folders in which snapshots may be"):
        store(saved, read_only=True, allowed_roots=(tmp_path,))


def test_faults_come_back_only_where_they_are_allowed(tmp_path: Path) -> None:
    with keeping(tmp_path) as session:
        moment = session.moment()
        faults = jax.numpy.asarray([0, 5], "int32")
        states = jax.vmap(lambda state, bits: state.replace(faults=bits))(moment.states, faults)
        session.adopt(dataclasses.replace(moment, states=states))
        session.save_now()
    with pytest.raises(UnfitError) as refused:
        come_back(tmp_path)
    assert str(refused.value) == (
        "Snapshot 0 holds faults (NAN_NEED in town 1; NEGATIVE_WALLET in town 1); take an earlier one, or set "
        "snapshot.allow_faults=true."
    )
    moment = come_back(tmp_path, SnapshotSection(allow_faults=True))
    with lives.session() as session:
        session.adopt(moment)
        session.run(CHUNK)
        assert session.tick == CHUNK, "what was known does not stop it again"


def test_a_damaged_newest_one_gives_way_to_the_one_before(tmp_path: Path) -> None:
    with keeping(tmp_path, every=CHUNK) as session:
        session.run(2 * CHUNK)
    file = max(
        (path for path in (tmp_path / "20" / "state").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with store(tmp_path) as writing:
        moment, found = restored(writing, hamlet(), restless(), SECTION)
    assert moment.tick == CHUNK
    (damaged,) = found.refused
    assert (damaged.step, damaged.fallback) == (20, 10)
    assert damaged.moved is not None


def test_branches_go_on_alike_or_apart(saved: Path) -> None:
    moment = come_back(saved)
    alike = branched(moment, towns=[1], branches=2, same_key=True)
    apart = branched(moment, towns=[1], branches=2, same_key=False)
    again = branched(moment, towns=[1], branches=2, same_key=False)
    ends = {}
    for name, start in (("alike", alike), ("apart", apart), ("again", again)):
        town = batch.town_of(start.states, 0).replace(key=moment.states.key[1])
        assert bits(town) == bits(batch.town_of(moment.states, 1)), "but for the key"
        with lives.session() as session:
            session.adopt(start)
            session.run(TICKS)
            ends[name] = [bits(batch.town_of(session.states, town)) for town in range(2)]
    assert ends["alike"][0] == ends["alike"][1]
    assert ends["apart"][0] != ends["apart"][1]
    assert ends["apart"] == ends["again"]
    np.testing.assert_array_equal(alike.totals["ticks"], [CHUNK, CHUNK])
    for wrong in ({"towns": [2]}, {"towns": None, "branches": 0}):
        with pytest.raises(RunError):
            branched(moment, **wrong)


def test_towns_taken_out_live_on_as_in_the_batch(saved: Path) -> None:
    with lives.session() as together:
        together.adopt(come_back(saved))
        together.run(TICKS)
        within = bits(batch.town_of(together.states, 1))
        row = together.totals["sums.wallet_mean"][1]
    with lives.session() as alone:
        alone.adopt(branched(come_back(saved), towns=[1, 1]))
        alone.run(TICKS)
        for town in range(TOWNS):
            assert bits(batch.town_of(alone.states, town)) == within
        assert alone.totals["sums.wallet_mean"].tolist() == [row, row]


def test_autosaves_wait_until_a_run_that_went_back_has_passed_the_newest(tmp_path: Path) -> None:
    with Store(tmp_path, identity=None) as store:
        store.save(200, {"a": np.zeros(2)})
        store.wait()
        archive = Archive(store, every=100)
        due = [tick for tick in (0, 50, 100, 200, 250, 300) if archive.is_due(tick)]
        assert due == [300]
    with Store(tmp_path / "new", identity=None) as store:
        assert [Archive(store, every=100).is_due(tick) for tick in (0, 50, 100)] == [False, False, True]
