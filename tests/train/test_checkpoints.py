"""Checkpoints: a run that was cut and went on is the run that was not, bit for bit (R4)."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hamlet import MOVING, hamlet, settings, shared

from townlet_jax.snapshots import Best, IdentityError, MissingError, SaveError, Store, TargetError, sources
from townlet_jax.snapshots.weights import flat
from train import building, checkpoints, export, logging, ppo
from train.building import Setup
from train.checkpoints import Checkpoints, Course, Rules
from train.logging import Log
from train.ppo import Trained

UPDATES = 6
CLOCKS = ("seconds", "agent_steps_per_s")  # of a row: what the hour of the day decides
ALL = Rules(every=1, latest=100)


def bits(tree: Any) -> list[bytes]:
    """Return the bytes of every array, keys as their words."""
    arrays = [
        jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        for leaf in jax.tree.leaves(tree)
    ]
    return [np.asarray(array).tobytes() for array in arrays]


def setup(updates: int = UPDATES, **changes: Any) -> Setup:
    """Return the compiled learner with other settings that compile nothing."""
    shared().learner.live_under(hamlet(MOVING).params)
    return replace(shared(), settings=settings(updates=updates, **changes))


def saved(folder: Path) -> Any:
    """Return everything that the newest checkpoint of a folder holds, and its step."""
    start = checkpoints.begun(setup())
    with Store(folder, identity=None, read_only=True) as store:
        found = store.restore({"learner": start.knowledge, "towns": start.standing})
    return bits(found.tree), found.manifest


def train(
    made: Setup, out: Path, *, rules: Rules = ALL, begin: Callable[[Checkpoints], Course] | None = None, **more: Any
) -> Trained:
    """Train with a log and checkpoints in a folder."""
    out.mkdir(exist_ok=True)
    with Checkpoints(out / "checkpoints", made, rules) as saver:
        course = checkpoints.begun(made) if begin is None else begin(saver)
        with Log(out, first=course.update) as log:
            return ppo.train(made, log=log, course=course, saver=saver, **more)


def newest(made: Setup) -> Callable[[Checkpoints], Course]:
    """Return how a run goes on from its newest checkpoint."""
    return lambda saver: checkpoints.resumed(made, saver.store, None)[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nobody interrupted, with a checkpoint of every update."""
    out = tmp_path_factory.mktemp("whole")
    train(setup(), out)
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    """Return the log without what the clock decides."""
    lines = (out / logging.FILE).read_text(encoding="utf-8").splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in CLOCKS} for line in lines]


def cut_at(whole: Path, out: Path, cut: int) -> None:
    """Make the folder of a run that was killed some time after checkpoint `cut`."""
    shutil.copytree(whole, out)
    for step in range(cut + 1, UPDATES + 1):
        shutil.rmtree(out / "checkpoints" / str(step))


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_going_on_is_never_having_stopped(whole: Path, tmp_path: Path, cut: int) -> None:
    out = tmp_path / "cut"
    cut_at(whole, out, cut)
    with (out / logging.FILE).open("a", encoding="utf-8") as log:
        log.write('{"update": 6, "torn')
    trained = train(setup(), out, begin=newest(setup()))
    assert (trained.began_after, trained.updates) == (cut, UPDATES)
    assert rows(out) == rows(whole)
    assert [row["update"] for row in trained.rows] == list(range(UPDATES))
    (tree, about), (other, wanted) = saved(out / "checkpoints"), saved(whole / "checkpoints")
    assert tree == other
    assert (about.step, about.meta["agent_steps"]) == (UPDATES, wanted.meta["agent_steps"])
    assert {name for name in about.metrics if about.metrics[name] != wanted.metrics[name]} <= set(CLOCKS)


@pytest.mark.slow
def test_fifty_cuts_at_any_moment(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    made = setup(40)
    train(made, tmp_path / "whole", rules=Rules(every=7, latest=100))
    for number in range(50):
        out = tmp_path / f"cut-{number}"
        limit, rules = int(random.integers(1, 40)), Rules(every=int(random.integers(1, 9)), latest=2)
        heard: list[Any] = []
        train(made, out, rules=rules, on_row=heard.append, stop=lambda: len(heard) >= limit)  # noqa: B023
        if random.random() < 0.5:
            kept = sorted(int(path.name) for path in (out / "checkpoints").iterdir() if path.name.isdigit())
            shutil.rmtree(out / "checkpoints" / str(kept[-1]))  # killed before the last one was safe
            if len(kept) == 1:
                continue
        train(made, out, rules=rules, begin=newest(made))
        assert rows(out) == rows(tmp_path / "whole"), f"cut {number}"
        assert saved(out / "checkpoints")[0] == saved(tmp_path / "whole/checkpoints")[0], f"cut {number}"
        shutil.rmtree(out)


def test_a_wish_to_stop_is_heard_after_the_running_update_and_saved(tmp_path: Path, whole: Path) -> None:
    heard: list[Any] = []
    rules = Rules(every=4, latest=3)
    stopped = train(setup(), tmp_path / "out", rules=rules, on_row=heard.append, stop=lambda: len(heard) == 3)
    assert stopped.updates == 3
    assert saved(tmp_path / "out/checkpoints")[1].step == 3
    train(setup(), tmp_path / "out", rules=rules, begin=newest(setup()))
    assert rows(tmp_path / "out") == rows(whole)


def test_newest_best_and_multiples_stay(tmp_path: Path, whole: Path) -> None:
    figures = {row["update"] + 1: row["entropy"] for row in rows(whole)}
    train(setup(), tmp_path / "out", rules=Rules(every=1, latest=1, multiples=3, best=Best("entropy", "max")))
    best = max(figures, key=lambda step: figures[step])
    with Store(tmp_path / "out/checkpoints", identity=None, read_only=True) as store:
        assert store.steps() == sorted({best, 3, 6})
        assert store.manifest(best).metrics["entropy"] == figures[best]
    assert sources.read(f"{tmp_path}/out@best").step == best


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 7}, "more.seed is 0 in the snapshot and 7 here"),
        ({"ppo": {"clip": 0.1}}, "more.ppo.clip is 0.2 in the snapshot and 0.1 here"),
    ],
)
def test_settings_that_differ_are_named_before_anything_begins(whole: Path, changes: Any, said: str) -> None:
    base = settings().model_dump(mode="json")
    other = building.Setup(**vars(setup()) | {"settings": settings(**_merged(base, changes))})
    with (
        Store(whole / "checkpoints", identity=checkpoints.identity_of(other), read_only=True) as store,
        pytest.raises(IdentityError, match=said),
    ):
        checkpoints.resumed(other, store, None)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes with the rest of the sections that they change."""
    return {name: base[name] | value if isinstance(value, dict) else value for name, value in changes.items()}


def test_another_town_is_named(whole: Path) -> None:
    made = setup()
    names = replace(made.built.names, config_hash="0" * 64)
    spec = replace(made.built.spec, num_agents=7)
    other = replace(made, built=made.built._replace(names=names, spec=spec))
    with (
        Store(whole / "checkpoints", identity=None, read_only=True) as store,
        pytest.raises(IdentityError, match=r"config_hash is .*; spec.num_agents is 6 in the snapshot and 7 here"),
    ):
        checkpoints.resumed(other, store, None)


def test_more_updates_may_follow(tmp_path: Path) -> None:
    out = tmp_path / "out"
    train(setup(2), out)
    longer = setup(4)
    assert train(longer, out, begin=newest(longer)).updates == 4
    done = train(longer, out, begin=newest(longer))
    assert (done.began_after, done.updates, len(done.rows)) == (4, 4, 4)


def test_weights_alone_are_taken_over(whole: Path) -> None:
    other = setup(seed=9)
    fresh = checkpoints.begun(other)
    known = sources.read(f"{whole}@4")
    course = checkpoints.taught(other, checkpoints.begun(other), str(whole / "checkpoints/4"))
    assert bits(course.knowledge.parameters) == bits(known.parameters)
    moments = course.knowledge.returns
    assert float(moments.mean) == float(known.returns["mean"]) != float(fresh.knowledge.returns.mean)
    for part in ("optimiser", "key", "update"):
        assert bits(getattr(course.knowledge, part)) == bits(getattr(fresh.knowledge, part))
    assert bits(course.standing) == bits(fresh.standing)
    assert (course.update, course.agent_steps) == (0, (0,))
    knowledge, _, _ = other.learner.step(ppo.hyper_of(other, 0), course.knowledge, course.standing)
    assert bits(knowledge.parameters) != bits(known.parameters)


def test_weights_of_another_shape_or_sight_are_refused(whole: Path) -> None:
    wide = building.set_up(settings(network={"map_width": 9, "feature_width": 32, "trunk_width": 16}), built=hamlet())
    with pytest.raises(TargetError, match=r"map/.* is float32\[.*\], not float32\["):
        checkpoints.taught(wide, checkpoints.begun(setup()), str(whole))
    names = replace(setup().built.names, affordances=("sing", *setup().built.names.affordances[1:]))
    other = replace(setup(), built=setup().built._replace(names=names))
    with pytest.raises(IdentityError, match=r"more.choices is .* in the snapshot"):
        checkpoints.taught(other, checkpoints.begun(setup()), str(whole))


def test_a_run_that_diverges_leaves_its_last_good_checkpoint(tmp_path: Path) -> None:
    made = setup(9)
    heard: list[Any] = []

    def poison(row: Any) -> None:
        heard.append(row)
        if len(heard) == 3:
            row["loss"] = float("nan")

    trained = train(made, tmp_path / "out", rules=Rules(every=2), on_row=poison)
    assert (trained.updates, trained.lost) == (3, ["loss"])
    with Checkpoints(tmp_path / "out/checkpoints", made, ALL) as saver:
        assert saver.store.steps() == [2]
        said = ppo.verdict(trained, saver)
        assert "loss is no number any more; checkpoint 2 in" in said
        course = checkpoints.begun(made)
        broken = jax.tree.map(lambda leaf: leaf * jnp.nan, course.knowledge.parameters)
        course = replace(course, update=5, knowledge=course.knowledge.replace(parameters=broken))
        assert saver.save(course) == ["a weight"]
        assert saver.store.steps() == [2]


def test_a_damaged_checkpoint_is_passed_over(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut"
    cut_at(whole, out, 3)
    (out / "checkpoints/3/meta/meta.json").write_text("{}")
    made = setup()
    remarks: list[str] = []

    def begin(saver: Checkpoints) -> Course:
        course, found = checkpoints.resumed(made, saver.store, None)
        remarks.extend(found)
        return course

    assert train(made, out, begin=begin).began_after == 2
    (remark,) = remarks
    assert remark.startswith("Snapshot 3 in")
    assert remark.endswith("snapshot 2 was used instead.")
    assert rows(out) == rows(whole)


def test_a_folder_with_later_checkpoints_is_refused(whole: Path) -> None:
    with (
        Checkpoints(whole / "checkpoints", setup(), ALL) as saver,
        pytest.raises(Exception, match="holds checkpoint 6, but this run begins after update 0; go on"),
    ):
        saver.demand_room(0)


def test_a_folder_that_vanishes_ends_the_run_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    heard: list[Any] = []

    def take_away(row: Any) -> None:
        heard.append(row)
        if len(heard) == 2:
            shutil.move(out / "checkpoints", tmp_path / "away")

    with pytest.raises(SaveError, match=r"Snapshot \d could not be saved in .* \(.*\)"):
        train(setup(), out, on_row=take_away)
    assert len(heard) in (2, 3), "within one update"


def test_weights_can_be_handed_on(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.safetensors"
    assert export.main([f"{whole}@5", str(file)]) == 0
    assert "has learned in 5 updates" in capsys.readouterr().err
    there, here = sources.read(f"{whole}@5"), sources.read(str(file))
    assert (here.step, here.config, here.identity) == (5, there.config, there.identity)
    pairs = zip(flat(here.parameters), flat(there.parameters), strict=True)
    assert all(one[0] == other[0] and np.array_equal(one[1], other[1]) for one, other in pairs)
    assert bits(here.returns) == bits(there.returns)
    assert export.main([f"{whole}@5", str(tmp_path / "policy.bin")]) == 2
    assert export.main([f"{whole}@77", str(file)]) == 2
    assert "There is no snapshot 77" in capsys.readouterr().err


@pytest.mark.parametrize("spoil", ["cut", "foreign", "bare"])
def test_files_that_hold_no_weights_are_refused(spoil: str, whole: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    file = tmp_path / "policy.safetensors"
    sources.export(sources.read(str(whole)), file)
    if spoil == "cut":
        file.write_bytes(file.read_bytes()[:-10])
    elif spoil == "foreign":
        save_file({"weight": np.zeros(3, np.float32)}, file)
    else:
        about = {"kind": "learner", "format": 1, "step": 3}
        save_file({"weight": np.zeros(3, np.float32)}, file, metadata={"townlet": json.dumps(about)})
    said = {"cut": "cannot be read", "foreign": "does not say which network", "bare": "says too little about itself"}
    with pytest.raises(TargetError, match=said[spoil]):
        sources.read(str(file))


def test_places_are_spelled_out(whole: Path, tmp_path: Path) -> None:
    root = whole / "checkpoints"
    assert sources.located(str(whole)) == (root, "latest", None)
    assert sources.located(f"{whole}@best") == (root, "best", None)
    assert sources.located(f"{root}@3#2") == (root, "3", 2)
    assert sources.located(str(root / "3")) == (root, "3", None)
    with pytest.raises(MissingError, match="There is nothing at"):
        sources.located(str(tmp_path / "nowhere@3"))
    with pytest.raises(MissingError, match="has no member 2; it holds one learner"):
        sources.read(f"{whole}#2")
