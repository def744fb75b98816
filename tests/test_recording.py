"""Recordings: the file, what it refuses, and lives that are lived again bit for bit."""

import contextlib
import dataclasses
import functools
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.worlds import HAMLET, Chaos
from townlet_jax import recording, replay, run, watch
from townlet_jax.config import Built, build, from_mapping, load
from townlet_jax.config.plan import as_data
from townlet_jax.core import batch, rng
from townlet_jax.core.state import TownState
from townlet_jax.recording import FIELDS, MEMBERS, Recording, RecordingError, digest

TICKS, AGENTS, DAY = 20, 8, 1440


@functools.cache
def default() -> Built:
    """Return the default town."""
    return build(load("default"))


@functools.cache
def made_up() -> Recording:
    """Return a recording in which every field of every intent has its own values; nobody ever lived it."""
    numbers = np.arange(TICKS * AGENTS, dtype=np.int32).reshape(TICKS, AGENTS)
    intents = {name: numbers + 1000 * place - 1 for place, name in enumerate(FIELDS)}
    intents |= {"success": numbers % 2 == 0, "switched": numbers % 3 == 0, "flat": numbers % 100 - 1}
    intents["quality"] = np.where(numbers % 5 == 0, np.nan, numbers / 7).astype(np.float32)
    intents["object"] = numbers * 100_000
    built = default()
    return Recording(
        description=recording.Description(
            format=recording.FORMAT,
            config_id="default",
            config_hash=built.names.config_hash,
            config=as_data(load("default")),
            spec=replay.spec_data(built.spec),
            policy="scripted",
            seed=7,
            town=3,
            agents=AGENTS,
            ticks=TICKS,
            every=8,
            edits=[],
            versions={"townlet_jax": "0", "jaxlib": "1"},
        ),
        key=np.asarray([1, 2], np.uint32),
        intents=intents,
        checkpoints={8: "00" * 32, 16: "0f" * 32, 20: "ff" * 32},
    )


@functools.cache
def content() -> bytes:
    """Return that recording's file."""
    file = io.BytesIO()
    recording.save(file, made_up())
    return file.getvalue()


def read(folder: Path, raw: bytes) -> Recording:
    """Load a file of these bytes."""
    path = folder / "town.npz"
    path.write_bytes(raw)
    return recording.load(path)


def repacked(change: Callable[[dict[str, bytes]], None], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return the file with its members changed."""
    with zipfile.ZipFile(io.BytesIO(content())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return file.getvalue()


def as_array(value: Any) -> bytes:
    """Return an array as numpy saves it."""
    file = io.BytesIO()
    np.save(file, value, allow_pickle=False)
    return file.getvalue()


def described(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    """Return a change of the description."""

    def change(members: dict[str, bytes]) -> None:
        text = made_up().description.model_dump_json()
        data = json.loads(text) | changes
        members["description.npy"] = as_array(np.frombuffer(json.dumps(data).encode(), np.uint8))

    return change


def with_member(name: str, value: Any) -> Callable[[dict[str, bytes]], None]:
    """Return a change of one array."""
    raw = value if isinstance(value, bytes) else as_array(value)
    return lambda members: members.update({f"{name}.npy": raw})


def claims(shape: str, dtype: str = "|u1", tail: bytes = b"") -> bytes:
    """Return an array that says it is so large."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + tail


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    loaded, saved = read(tmp_path, content()), made_up()
    assert loaded.description == saved.description
    assert loaded.checkpoints == saved.checkpoints
    np.testing.assert_array_equal(loaded.key, saved.key)
    for name in FIELDS:
        before, after = saved.intents[name], loaded.intents[name]
        assert after.dtype == before.dtype, name
        np.testing.assert_array_equal(after, before)


def test_the_same_recording_gives_the_same_bytes() -> None:
    file = io.BytesIO()
    recording.save(file, made_up())
    assert file.getvalue() == content()


def test_the_file_is_plain_numpy_and_small_numbers_take_little_room(tmp_path: Path) -> None:
    (tmp_path / "town.npz").write_bytes(content())
    with np.load(tmp_path / "town.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) == set(MEMBERS)
        kinds = {name: arrays[f"intents_{name}"].dtype for name in FIELDS}
    assert kinds["flat"] == np.int8
    assert kinds["kind"] == np.int16
    assert kinds["object"] == np.int32
    assert (kinds["success"], kinds["quality"]) == (np.bool_, np.float32)


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [(-128, 127, np.int8), (-129, 0, np.int16), (0, 128, np.int16), (0, 32768, np.int32), (-(2**31), 0, np.int32)],
)
def test_whole_numbers_are_kept_in_the_smallest_type(low: int, high: int, kind: type) -> None:
    table = np.asarray([[low, high]], np.int32)
    assert recording.narrowed(table).dtype == kind
    np.testing.assert_array_equal(recording.narrowed(table), table)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not a recording, or it is damaged"),
        (b"no archive", "not a recording, or it is damaged"),
        (content()[:-30], "not a recording, or it is damaged"),
        (content()[: len(content()) // 2], "not a recording, or it is damaged"),
        (repacked(lambda members: members.clear()), "does not hold the arrays of one"),
        (repacked(lambda members: members.pop("key.npy")), "does not hold the arrays of one"),
        (repacked(with_member("more", np.zeros(1))), "does not hold the arrays of one"),
        (repacked(lambda members: None, zipfile.ZIP_BZIP2), "packed in a way that is not read"),
        (repacked(with_member("key", b"text")), "its array key does not begin as one"),
        (repacked(with_member("key", np.zeros(2, np.int64))), "its array key is int64 (2,), but must be uint32 (2,)"),
        (repacked(with_member("key", np.zeros((2, 1), np.uint32))), "its array key is uint32 (2, 1)"),
        (repacked(with_member("key", claims("(2,)", "|O", b"12345678"))), "its array key does not begin as one"),
        (repacked(with_member("key", claims("(999999999, 999999999)", "<u4"))), "not as large as it says"),
        (repacked(with_member("key", claims("(2,)", "<u4", b"123456789"))), "not as large as it says"),
        (repacked(with_member("key", claims("(2,)", "<i9", b"12"))), "does not begin as one"),
        (repacked(with_member("description", np.zeros(3, np.int32))), "its description is not text"),
        (repacked(with_member("description", np.zeros(0, np.uint8))), "its description is not JSON"),
        (repacked(with_member("description", np.frombuffer(b"[" * 50_000, np.uint8))), "its description is not JSON"),
        (repacked(with_member("description", np.frombuffer(b"[1]", np.uint8))), "its format is 'None'"),
        (repacked(described(format="townlet_jax/recording@2")), "its format is 'townlet_jax/recording@2'"),
        (repacked(described(format="\x1b[31m")), "its format is '[31m'"),
        (repacked(described(ticks=0)), "wrong at ticks"),
        (repacked(described(ticks="20")), "wrong at ticks"),
        (repacked(described(agents=10**9)), "wrong at agents"),
        (repacked(described(seed=-1)), "wrong at seed"),
        (repacked(described(every=10**6)), "wrong at every"),
        (repacked(described(config_hash="abc")), "wrong at config_hash"),
        (repacked(described(edits=[{"tick": 0, "command": "kill"}])), "wrong at edits.0.tick"),
        (repacked(described(surprise=1)), "wrong at surprise"),
        (repacked(described(ticks=21)), "its checkpoints are not in order up to the last tick"),
        (repacked(described(agents=9)), "its array intents_flat is int8 (20, 8), but must be int8 (20, 9)"),
        (repacked(with_member("checkpoint_tick", np.asarray([8, 8, 20], np.int32))), "not in order"),
        (repacked(with_member("checkpoint_tick", np.asarray([0, 16, 20], np.int32))), "not in order"),
        (repacked(with_member("checkpoint_tick", np.zeros(0, np.int32))), "checkpoint_digest is uint8 (3, 32)"),
        (repacked(with_member("checkpoint_digest", np.zeros((3, 31), np.uint8))), "must be uint8 (3, 32)"),
        (repacked(with_member("intents_flat", np.zeros((20, 8), np.int64))), "its array intents_flat is int64"),
        (repacked(with_member("intents_flat", np.zeros((20, 8), np.float32))), "its array intents_flat is float32"),
        (repacked(with_member("intents_success", np.zeros((20, 8), np.int8))), "intents_success is int8"),
        (repacked(with_member("intents_quality", np.zeros((20, 7), np.float32))), "intents_quality is float32 (20, 7)"),
    ],
)
def test_files_that_are_no_recordings_are_refused_in_one_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read(tmp_path, raw)
    sentence = str(caught.value)
    assert words in sentence
    assert "town.npz" in sentence
    assert "\n" not in sentence
    assert "\x1b" not in sentence


def test_a_file_that_claims_to_be_huge_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                for _ in range(60):
                    member.write(bytes(2**20))
    assert len(bomb.getvalue()) < 2**20
    with pytest.raises(RecordingError, match=r"claims 943,718,400 bytes, but the most are 536,870,912"):
        read(tmp_path, bomb.getvalue())


def test_a_member_that_unpacks_to_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    raw = bytearray(repacked(with_member("key", bytes(50_000_000))))
    size = (50_000_000).to_bytes(4, "little")
    assert raw.count(size) == 2
    lying = bytes(raw).replace(size, (136).to_bytes(4, "little"))
    with pytest.raises(RecordingError, match="damaged"):
        read(tmp_path, lying)


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        recording.load(tmp_path / "none.npz")
    with pytest.raises(RecordingError, match="Is a directory"):
        recording.load(tmp_path)
    with pytest.raises(RecordingError, match="not a recording"):
        recording.load(tmp_path / "a\0b")


@settings(max_examples=150)
@given(st.data())
def test_damaged_bytes_never_give_anything_but_a_sentence(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    raw = bytearray(content())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    kept = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    with contextlib.suppress(RecordingError):
        read(tmp_path_factory.getbasetemp(), bytes(kept))


def test_room_is_checked_before_the_run() -> None:
    recording.demand_room(100_000, 8)
    with pytest.raises(RecordingError, match="a file holds 5,957 of them"):
        recording.demand_room(6000, 2048)


def changed(**changes: Any) -> Recording:
    """Return the recording with another description."""
    return dataclasses.replace(made_up(), description=made_up().description.model_copy(update=changes))


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        (changed(config={"base": "/etc/passwd"}), "refers to another file"),
        (changed(config={"town": 1}), "a configuration that this program refuses: its configuration: "),
        (changed(config=as_data(load("default", ["economy.rent_per_day=3"]))), "is not the recorded one"),
        (changed(spec={**made_up().description.spec, "local_window": 13}), "spec.local_window is 13 there and 11 here"),
        (changed(spec={}), "replay it with townlet_jax 0"),
        (
            changed(edits=[recording.TimelineEntry(tick=3, command="dance")]),
            "the edit before tick 3: command 'dance' cannot be used",
        ),
        (dataclasses.replace(made_up(), checkpoints={7: "00" * 32, 20: "00" * 32}), "a checkpoint at tick 7"),
    ],
)
def test_recordings_of_other_towns_are_refused(taken: Recording, words: str) -> None:
    with pytest.raises(RecordingError) as caught:
        replay.rebuild(taken, "town.npz")
    assert str(caught.value).startswith("town.npz")
    assert words in str(caught.value)


def test_digests_tell_states_apart() -> None:
    state = watch.begin(default(), seed=0, index=0)
    other = watch.begin(default(), seed=0, index=1)
    assert digest(state) == digest(watch.begin(default(), seed=0, index=0))
    assert len(digest(state)) == 64
    assert digest(state) != digest(other), "only key and draws differ"
    fuller = state.replace(economy=state.economy.replace(wallet=state.economy.wallet + 1))
    assert digest(state) != digest(fuller)
    retyped = state.replace(clock=state.clock.replace(tick=state.clock.tick.astype(jnp.int16)))
    assert digest(state) != digest(retyped)


def test_a_town_begins_as_it_does_among_others() -> None:
    states = batch.init_batch(default().spec, default().params, 5, 3)
    for index in range(3):
        alone = watch.begin(default(), seed=5, index=index)
        assert digest(alone) == digest(batch.town_of(states, index))


def lived(
    config: Any,
    *,
    ticks: int,
    policy: batch.Policy | None = None,
    name: str = "scripted",
    town: int = 0,
    every: int = 60,
) -> tuple[Recording, Built, TownState]:
    """Record a run."""
    built = build(config)
    plan = run.Plan(towns=1, ticks=ticks, policy=name, seed=config.seed, chunk=every)
    chosen = run.policy_of(name, built) if policy is None else policy
    made, state = replay.record(config, built, plan, chosen, town=town, every=every)
    return made, built, state


def saved_and_loaded(made: Recording, folder: Path) -> Recording:
    """Send a recording through a file."""
    with (folder / "town.npz").open("wb") as file:
        recording.save(file, made)
    return recording.load(folder / "town.npz")


@pytest.fixture(scope="module")
def day() -> tuple[Recording, TownState]:
    """Record a day of town 2 of the default preset, as its programs are used by the tests below."""
    made, _, state = lived(load("default"), ticks=DAY, town=2)
    return made, state


def test_a_day_is_replayed_bit_for_bit(day: tuple[Recording, TownState], tmp_path: Path) -> None:
    made, end = day
    taken = saved_and_loaded(made, tmp_path)
    assert (tmp_path / "town.npz").stat().st_size < 30_000
    assert list(taken.checkpoints) == list(range(60, DAY + 1, 60))
    assert len(set(taken.checkpoints.values())) == 24
    *_, last = replay.replay(taken, replay.rebuild(taken, "town.npz"))
    assert int(last.state.clock.tick) == DAY
    assert digest(last.state) == digest(end) == taken.checkpoints[DAY]
    jax.tree.map(lambda one, other: np.testing.assert_array_equal(*plain(one, other)), last.state, end)
    assert len(np.unique(np.asarray(end.roster.position), axis=0)) > 1
    np.testing.assert_array_equal(taken.key, jax.random.key_data(rng.town_key(0, 2)))


def plain(one: Any, other: Any) -> tuple[Any, Any]:
    """Return two leaves as numbers, keys as their words."""
    if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(one), jax.random.key_data(other)
    return one, other


def test_a_town_watched_alone_lives_as_it_does_among_others() -> None:
    together = run.simulate(default(), run.Plan(towns=2, ticks=6, policy="idle", chunk=6))
    _, _, alone = lived(load("default"), ticks=6, name="idle", town=1, every=6)
    assert digest(alone) == digest(batch.town_of(together.states, 1))


def test_a_changed_intent_is_found_in_its_stretch_of_ticks(day: tuple[Recording, TownState]) -> None:
    made, _ = day
    flat = made.intents["flat"].copy()
    flat[99, 0] = 2  # ada walks in tick 100
    tampered = dataclasses.replace(made, intents={**made.intents, "flat": flat})
    chunks = replay.replay(tampered, default())
    assert next(chunks).last_tick == 60
    with pytest.raises(replay.DifferenceError, match=r"somewhere in ticks 61 to 120\.") as caught:
        next(chunks)
    assert (caught.value.first, caught.value.last) == (61, 120)


def test_another_key_is_found_at_the_first_checkpoint(day: tuple[Recording, TownState]) -> None:
    made, _ = day
    with pytest.raises(replay.DifferenceError, match="ticks 1 to 60"):
        list(replay.replay(dataclasses.replace(made, key=made.key + np.uint32(1)), default()))


def test_any_intents_are_replayed_legal_or_not(tmp_path: Path) -> None:
    made, built, end = lived(from_mapping(HAMLET), ticks=120, policy=Chaos(), every=40)
    taken = saved_and_loaded(made, tmp_path)
    assert list(taken.checkpoints) == [40, 80, 120]
    assert len(np.unique(taken.intents["quality"])) > 1000
    *_, last = replay.replay(taken, built)
    assert digest(last.state) == digest(end)
    assert int(end.queues.cooldown_events) + int(end.faults) > 0, "things went wrong, as they should"


def test_a_timeline_happens_again(root: Path, tmp_path: Path) -> None:
    config = load(root / "configs/scenarios/demo_story_arc.yaml")
    made, _, end = lived(config, ticks=45, name="schedule", every=30)
    taken = saved_and_loaded(made, tmp_path)
    assert [(entry.tick, entry.command) for entry in taken.description.edits] == [
        (8, "force_chat"),
        (18, "setneed"),
        (40, "spawn"),
    ]
    *_, last = replay.replay(taken, replay.rebuild(taken, "town.npz"))
    assert digest(last.state) == digest(end)
    assert bool(last.state.roster.alive[2]), "blair came before tick 40"
    assert list(taken.checkpoints) == [30, 45]
    first, setneed, spawn = taken.description.edits
    other = [first, setneed.model_copy(update={"args": setneed.args | {"value": 0.7}}), spawn]
    tampered = dataclasses.replace(taken, description=taken.description.model_copy(update={"edits": other}))
    with pytest.raises(replay.DifferenceError, match="ticks 1 to 30"):
        list(replay.replay(tampered, replay.rebuild(tampered, "town.npz")))
