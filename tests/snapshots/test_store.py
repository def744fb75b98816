"""The store as its users see it: what goes in comes out, in order, once, and only where it belongs."""

import functools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from tests.core.worlds import HAMLET
from tests.snapshots.trees import IDENTITY, bits, everything, is_sentence
from townlet_jax.config import build, from_mapping
from townlet_jax.core import batch
from townlet_jax.snapshots import (
    Best,
    Identity,
    IdentityError,
    Match,
    MissingError,
    SaveError,
    Store,
    TargetError,
    like,
)

open_store = functools.partial(Store, identity=IDENTITY)


def small(value: int) -> dict[str, Any]:
    """Return a tree that says which one it is."""
    return {"value": np.arange(value, value + 4, dtype=np.int32)}


def fill(store: Store, *steps: int, metrics: Callable[[int], dict[str, float]] = lambda step: {}) -> None:
    """Save small trees."""
    for step in steps:
        store.save(step, small(step), metrics=metrics(step))
    store.wait()


def test_every_kind_of_leaf_comes_back_bit_for_bit(tmp_path: Path) -> None:
    tree = everything(3)
    with open_store(tmp_path) as store:
        store.save(7, tree)
        restored = store.restore(like(everything(4)))
    assert bits(restored.tree) == bits(tree)
    assert restored.refused == ()
    assert restored.differences == ()
    assert jax.random.uniform(restored.tree["keys"][2]) == jax.random.uniform(tree["keys"][2])


def test_towns_come_back_bit_for_bit(tmp_path: Path) -> None:
    built = build(from_mapping(HAMLET))
    towns = batch.init_batch(built.spec, built.params, 5, 3)
    with open_store(tmp_path) as store:
        store.save(0, {"towns": towns, "params": built.params})
        restored = store.restore({"towns": like(towns), "params": jax.eval_shape(lambda: built.params)}).tree
    assert bits(restored) == bits({"towns": towns, "params": built.params})
    assert jax.tree.structure(restored["towns"]) == jax.tree.structure(towns)


def test_the_optimiser_of_a_learner_comes_back(tmp_path: Path) -> None:
    params = {"dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}}
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.inject_hyperparams(optax.adam)(learning_rate=1e-3, eps=1e-5)
    )
    state = optimiser.init(params)
    with jax.numpy_dtype_promotion("standard"):  # optax raises floats to whole powers
        _, state = optimiser.update(jax.tree.map(jnp.ones_like, params), state, params)
    with open_store(tmp_path) as store:
        store.save(1, {"params": params, "optimiser": state})
        restored = store.restore({"params": params, "optimiser": optimiser.init(params)})
    assert bits(restored.tree["optimiser"]) == bits(state)
    assert jax.tree.structure(restored.tree["optimiser"]) == jax.tree.structure(state)


def test_what_was_saved_is_described(tmp_path: Path) -> None:
    with open_store(tmp_path, version=1) as store:
        store.save(5, small(5), meta={"tick": 5, "names": ("a", "b")}, metrics={"return": 1.5}, migrations=["0->1:x"])
        store.wait()
        about = store.manifest(5)
        assert store.verify(5) == about
    assert (about.step, about.version, about.metrics) == (5, 1, {"return": 1.5})
    assert about.meta == {"tick": 5, "names": ["a", "b"]}
    assert about.migrations == ("0->1:x",)
    assert about.identity == IDENTITY
    assert about.versions["jax"] == jax.__version__
    (leaf,) = about.leaves
    assert (leaf.path, leaf.kind, leaf.dtype, leaf.shape) == (("value",), "array", "int32", (4,))


def test_the_caller_may_change_or_donate_at_once(tmp_path: Path) -> None:
    on_host = np.zeros(1000, np.int32)
    on_device = jnp.zeros(1000, jnp.int32)
    with open_store(tmp_path) as store:
        store.save(1, {"host": on_host, "device": on_device})
        on_host += 1
        after = jax.jit(lambda array: array + 1, donate_argnums=0)(on_device)
        restored = store.restore({"host": on_host, "device": jax.ShapeDtypeStruct((1000,), jnp.int32)})
    assert not restored.tree["host"].any()
    assert not restored.tree["device"].any()
    assert after.all()


def test_restored_arrays_may_be_donated_again_and_again(tmp_path: Path) -> None:
    advance = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree), donate_argnums=0)
    with open_store(tmp_path) as store:
        store.save(1, {"value": jnp.arange(4096)})
        first, second = (store.restore({"value": jnp.arange(4096)}).tree for _ in range(2))
        first = advance(advance(first))
    np.testing.assert_array_equal(second["value"], np.arange(4096))
    np.testing.assert_array_equal(first["value"], np.arange(4096) + 2)


@pytest.mark.parametrize(("before", "after"), [(8, 1), (1, 8), (8, 4), (2, 8)])
def test_snapshots_move_to_other_numbers_of_devices(tmp_path: Path, before: int, after: int) -> None:
    def placed(devices: int) -> Any:
        mesh = batch.town_mesh(jax.devices()[:devices])
        tree = {"towns": jnp.arange(48.0).reshape(16, 3), "keys": jax.random.split(jax.random.key(0), 16)}
        shared = jax.device_put(jnp.arange(5.0), NamedSharding(mesh, PartitionSpec()))
        return {**batch.shard(mesh, tree), "shared": shared}

    wanted = placed(after)
    with open_store(tmp_path) as store:
        store.save(1, placed(before))
        restored = store.restore(like(wanted)).tree
    assert bits(restored) == bits(wanted)
    for name, leaf in restored.items():
        assert leaf.sharding == wanted[name].sharding, name
        assert len(leaf.sharding.device_set) == after


def test_what_nobody_placed_may_still_move(tmp_path: Path) -> None:
    mesh = batch.town_mesh(jax.devices()[:4])
    free, towns = jnp.float32(2), batch.shard(mesh, jnp.ones(8))
    with open_store(tmp_path) as store:
        store.save(1, {"free": free, "towns": towns})
        restored = store.restore({"free": free, "towns": towns}).tree
    np.testing.assert_array_equal(jax.jit(jnp.multiply)(restored["free"], restored["towns"]), np.full(8, 2))


def test_a_part_can_be_taken(tmp_path: Path) -> None:
    whole = {"params": {"kernel": jnp.ones(3)}, "optimiser": {"count": jnp.int32(4)}}
    with open_store(tmp_path) as store:
        store.save(1, whole)
        part = store.restore({"params": {"kernel": jnp.zeros(3)}}, subset=True).tree
        with pytest.raises(TargetError, match="optimiser/count is in it, but not in the target") as refusal:
            store.restore({"params": {"kernel": jnp.zeros(3)}})
        assert store.steps() == [1]
    assert bits(part) == bits({"params": {"kernel": jnp.ones(3)}})
    assert is_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ({"value": np.zeros(5, np.int32)}, r"value is int32\[4\] in it, not int32\[5\]"),
        ({"value": np.zeros(4, np.float32)}, r"value is int32\[4\] in it, not float32\[4\]"),
        ({"value": jax.random.split(jax.random.key(0), 2)}, r"value is int32\[4\] in it, not threefry2x32 keys\[2\]"),
        ({"value": 3}, r"value is int32\[4\] in it, not a Python int"),
        ({"Value": np.zeros(4, np.int32)}, "Value is not in it; value is in it, but not in the target"),
        ([np.zeros(4, np.int32)], "0 is not in it"),
    ],
)
def test_another_tree_is_refused_and_nothing_is_moved(tmp_path: Path, target: Any, complaint: str) -> None:
    with open_store(tmp_path) as store:
        fill(store, 1, 2)
        with pytest.raises(TargetError, match=complaint) as refusal:
            store.restore(target)
        assert store.steps() == [1, 2]
    assert str(refusal.value).startswith(f"Snapshot 2 in {tmp_path} does not hold the tree")
    assert is_sentence(str(refusal.value))


def test_another_cipher_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.save(1, {"key": jax.random.key(0)})
        with pytest.raises(TargetError, match=r"key is threefry2x32 keys\[\] in it, not rbg keys\[\]"):
            store.restore({"key": jax.random.key(0, impl="rbg")})


def test_64_bits_are_not_cut_in_silence(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.save(1, {"wide": np.asarray([1 + 1e-12])})
        with pytest.raises(TargetError, match="needs 64-bit jax or a NumPy array as its target"):
            store.restore({"wide": jax.ShapeDtypeStruct((1,), np.float64)})
        assert store.restore({"wide": np.zeros(1)}).tree["wide"][0] == 1 + 1e-12


def test_steps_must_rise(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store, 3, 5)
        for step in (5, 4, 0, -1):
            with pytest.raises(SaveError) as refusal:
                store.save(step, small(step))
            assert is_sentence(str(refusal.value))
            assert refusal.value.step == step
        fill(store, 6)
        assert store.steps() == [3, 5, 6]
        np.testing.assert_array_equal(store.restore(small(0), step=5).tree["value"], small(5)["value"])


def test_a_later_store_goes_on_where_the_first_stopped(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store, 1, 2)
    with open_store(tmp_path) as store:
        with pytest.raises(SaveError, match="holds snapshot 2"):
            store.save(2, small(2))
        fill(store, 3)
        assert store.latest() == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "fast", None])
def test_metrics_must_be_finite(tmp_path: Path, value: Any) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(SaveError, match="its metric return is") as refusal:
            store.save(1, small(1), metrics={"return": value})
        assert is_sentence(str(refusal.value))
        assert store.steps() == []


def test_metrics_without_the_one_that_counts_are_refused(tmp_path: Path) -> None:
    with open_store(tmp_path, keep_best=Best("return")) as store:
        with pytest.raises(SaveError, match="kept by return, but its metrics are retrun"):
            store.save(1, small(1), metrics={"retrun": 1.0})
        store.save(1, small(1))  # none at all is fine: not every snapshot was evaluated
        store.save(2, small(2), metrics={"return": np.float32(0.5)})
        store.wait()
        assert store.manifest(2).metrics == {"return": 0.5}


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        ({"name": "Ada"}, "name is a str, but only arrays and numbers can be saved"),
        ({"names": np.asarray(["Ada"])}, "names is an array of <U3"),
        ({"when": np.asarray(["2024-01-01"], "datetime64[D]")}, "when is an array of datetime64"),
        ({"any": np.asarray([{}])}, "any is an array of object"),
        ({"big": 2**63}, "big is a whole number of more than 64 bits"),
        ({(1, 2): np.zeros(1)}, "is neither text nor a whole number"),
    ],
)
def test_what_cannot_be_kept_whole_is_refused(tmp_path: Path, tree: Any, complaint: str) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(SaveError, match=complaint) as refusal:
            store.save(1, tree)
        assert is_sentence(str(refusal.value))
        fill(store, 1)


def test_a_donated_array_is_refused(tmp_path: Path) -> None:
    gone = jnp.zeros(8)
    jax.jit(lambda array: array + 1, donate_argnums=0)(gone)
    with open_store(tmp_path) as store, pytest.raises(SaveError, match="gone was donated to a computation"):
        store.save(1, {"gone": gone})


@pytest.mark.parametrize("meta", [{"bad": math.nan}, {"bad": {1, 2}}, {"bad": np.float32(1)}])
def test_meta_that_is_not_json_is_refused(tmp_path: Path, meta: dict[str, Any]) -> None:
    with open_store(tmp_path) as store, pytest.raises(SaveError, match="its meta is not JSON") as refusal:
        store.save(1, small(1), meta=meta)
    assert is_sentence(str(refusal.value))


def test_the_newest_the_best_and_every_tenth_stay(tmp_path: Path) -> None:
    returns = {8: 5.0, 9: 9.0, 10: 1.0, 11: 9.0, 12: 2.0, 13: 3.0, 20: 0.0, 21: 0.5}
    with open_store(tmp_path, keep_latest=2, keep_best=Best("return"), keep_every=10) as store:
        fill(store, *returns, metrics=lambda step: {"return": returns[step]})
        assert store.steps() == [10, 11, 20, 21]
        assert store.best(Best("return", "max")) == 11
        assert store.best(Best("return", "min")) == 20
        assert store.best(Best("speed")) is None
        assert list((tmp_path / ".trash").iterdir()) == []
    with open_store(tmp_path, keep_latest=1, keep_best=Best("return")) as store:  # metrics are read from disk
        fill(store, 22, metrics=lambda step: {"return": 1.0})
        assert store.steps() == [11, 22]


def test_all_can_be_kept_and_one_deleted(tmp_path: Path) -> None:
    with open_store(tmp_path, keep_latest=None) as store:
        fill(store, *range(6))
        store.delete(4)
        assert store.steps() == [0, 1, 2, 3, 5]
        with pytest.raises(MissingError, match=r"There is no snapshot 4 .* it holds 5, 3, 2, 1, 0\.$"):
            store.delete(4)


def test_what_somebody_put_there_goes_in_its_turn(tmp_path: Path) -> None:
    with open_store(tmp_path, keep_latest=2) as store:
        fill(store, 3, 5)
        shutil.copytree(tmp_path / "3", tmp_path / "4")
        assert store.steps() == [3, 4, 5]
        fill(store, 6)
        assert store.steps() == [5, 6]


def test_the_best_is_looked_for_among_the_whole_ones(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store, 1, 2, metrics=lambda step: {"return": float(step)})
        (tmp_path / "2" / "meta" / "meta.json").write_text("{}")
        assert store.best(Best("return")) == 1


def test_another_identity_is_refused_with_every_field_that_differs(tmp_path: Path) -> None:
    other = IDENTITY.model_copy(
        update={"config_hash": "2" * 64, "spec": {**IDENTITY.spec, "num_agents": 48}, "anneal_ratio": 0.5}
    )
    with open_store(tmp_path) as store:
        fill(store, 1)
    with Store(tmp_path, identity=other) as store:
        with pytest.raises(IdentityError) as refusal:
            store.restore(small(0))
        assert store.steps() == [1]
        lenient = Match(exact_config=False, ignore=frozenset({"spec", "anneal_ratio"}))
        restored = store.restore(small(0), match=lenient)
    assert set(refusal.value.fields) == {"config_hash", "spec.num_agents", "anneal_ratio"}
    assert "spec.num_agents is 24 in the snapshot and 48 here" in str(refusal.value)
    assert "anneal_ratio is 0.25 in the snapshot and 0.5 here" in str(refusal.value)
    assert is_sentence(str(refusal.value))
    assert {one.field for one in restored.differences} == {"config_hash", "spec.num_agents", "anneal_ratio"}


def test_tools_look_without_an_identity(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        fill(store, 1)
    with Store(tmp_path, identity=None, read_only=True) as store:
        np.testing.assert_array_equal(store.restore(small(0)).tree["value"], small(1)["value"])


def test_nothing_to_restore(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(MissingError, match="There are no snapshots in"):
            store.restore(small(0))
        fill(store, 3)
        with pytest.raises(MissingError, match=r"There is no snapshot 2 in .*; it holds 3\.$"):
            store.restore(small(0), step=2)


def test_a_reader_changes_nothing_and_sees_what_is_written_meanwhile(tmp_path: Path) -> None:
    with open_store(tmp_path) as writer, open_store(tmp_path, read_only=True) as reader:
        fill(writer, 1)
        np.testing.assert_array_equal(reader.restore(small(0)).tree["value"], small(1)["value"])
        fill(writer, 2)
        assert reader.latest() == 2
        for action in (lambda: reader.save(3, small(3)), lambda: reader.delete(1)):
            with pytest.raises(SaveError, match="is open read-only"):
                action()
    missing = tmp_path / "nowhere"
    with open_store(missing, read_only=True) as reader, pytest.raises(MissingError):
        reader.restore(small(0))
    assert not missing.exists()


def test_a_closed_store_saves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.save(1, small(1))
    store.close()
    store.close()
    with pytest.raises(SaveError, match="is closed"):
        store.save(2, small(2))
    with open_store(tmp_path) as again:
        assert again.steps() == [1]


def test_leaving_by_an_error_still_saves(tmp_path: Path) -> None:
    def stumble() -> None:
        with open_store(tmp_path) as store:
            store.save(1, small(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    with open_store(tmp_path, read_only=True) as store:
        assert store.verify(1).step == 1


def test_large_trees_are_few_arrays(tmp_path: Path) -> None:
    tree = {f"leaf_{number}": np.full(100_000, number, np.float32) for number in range(100)}  # 40 MB
    with open_store(tmp_path) as store:
        store.save(1, tree)
        restored = store.restore(tree).tree
    assert bits(restored) == bits(tree)
    described = json.loads((tmp_path / "1" / "state" / "_METADATA").read_text())
    assert len(described["tree_metadata"]) == 2


def test_identities_are_checked() -> None:
    with pytest.raises(ValueError, match="config_hash"):
        Identity(config_id="x", config_hash="abc", spec={}, observation_variant="full", action_space="flat")
