"""Behaviour cloning: it learns what can be learned, says how well, keeps it, and refuses what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import recorded
import yaml
from hamlet import TINY
from tiny import close

from townlet_jax.policy import distribution
from townlet_jax.snapshots import sources, weights
from train import bc, building, cloning, datasets, exams, losses, recipes, study
from train.cloning import Cloner
from train.datasets import Dataset
from train.lessons import Lessons
from train.recipes import CloneRun

STEPS = 300


def settings(folder: Path, **clone: Any) -> str:
    """Write tiny settings; return the file."""
    chosen = {"learning_rate": 0.02, "batch_rows": 128, "steps": STEPS, "steps_a_call": 25, "check_every": 150}
    file = folder / "bc.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "town": {"config": recorded.config(folder), "action_space": "flat"},
                "network": TINY["network"],
                "clone": chosen | {"held_out": 0.2} | clone,
            }
        )
    )
    return str(file)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return a dataset without noise."""
    return recorded.made(tmp_path_factory.mktemp("recorded") / "data")


@pytest.fixture(scope="module")
def cloned(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a cloning run."""
    folder = tmp_path_factory.mktemp("cloned")
    file = settings(folder, accuracy=0.8)
    assert bc.main([file, "--data", str(data.folder), "--out", str(folder / "out"), "-q"]) == 0
    return folder / "out"


def lessons(data: Dataset) -> Lessons:
    """Return the rows of a dataset, one town of five held out."""
    return Lessons([data], held_out=0.2, seed=0)


def parts(data: Dataset, folder: Path, **clone: Any) -> tuple[CloneRun, Any, Cloner]:
    """Return settings, the town and what compiles."""
    run = recipes.load(CloneRun, settings(folder, **clone))
    built = building.built_town(recipes.Settings(town=run.town))
    datasets.demand_sight(data, built)
    net = building.Network(building.NetworkConfig(**run.network.model_dump()), building.layout(built.spec))
    return run, net, study.cloner_for(net, built, run.clone)


def test_what_can_be_learned_is_learned(cloned: Path) -> None:
    said = json.loads((cloned / bc.SUMMARY).read_text())
    rows = [json.loads(line) for line in (cloned / "log.jsonl").read_text().splitlines()]
    assert said["exam"]["accuracy"] > 0.8 > 1.5 * said["exam"]["majority"]
    assert said["exam"]["ceiling"] == {"accuracy": 1.0, "twins": 0, "rows": said["exam"]["rows"]}
    assert said["exam"]["explained_variance"] > 0.05
    assert (said["steps"], said["gate"]["passed"], said["diverged"]) == (STEPS, True, [])
    assert [row["update"] for row in rows] == list(range(24, STEPS, 25))
    assert [row["update"] for row in rows if "held_out_accuracy" in row] == [149, 299]
    assert rows[-1]["held_out_accuracy"] == said["exam"]["accuracy"]
    assert rows[-1]["cross_entropy"] < 0.6 * rows[0]["cross_entropy"]
    assert rows[0]["learning_rate"] > 10 * rows[-1]["learning_rate"] > 0
    assert len(said["data"][0]["held_out_towns"]) == 1
    counts = np.array(said["exam"]["confusion"]["counts"])
    assert np.trace(counts) / counts.sum() == pytest.approx(said["exam"]["accuracy"])
    assert said["exam"]["by_action"]["wait"]["rows"] == counts[0].sum()


def test_learners_and_evaluations_read_what_was_learned(cloned: Path) -> None:
    known = sources.read(str(cloned))
    assert (known.step, known.settings["town"]["horizon"]) == (STEPS, 0)
    net, differences = weights.fitting(known, recorded.town())
    assert differences == ()
    assert net.config.trunk_width == TINY["network"]["trunk_width"]
    assert sources.read(f"{cloned}@best").step in (150, 300)
    assert 0 < float(known.returns["count"]) <= study.MOST_COUNTED
    assert 0.1 < float(known.returns["square_sum"] / known.returns["count"]) < 100


def test_a_gate_that_is_missed_has_its_own_exit_code(data: Dataset, tmp_path: Path) -> None:
    file = settings(tmp_path, steps=25, accuracy=1.0)
    words = [file, "--data", str(data.folder), "--out", str(tmp_path / "out"), "-q"]
    assert bc.main(words) == bc.BELOW_THE_GATE == 3
    said = json.loads((tmp_path / "out" / bc.SUMMARY).read_text())
    assert said["gate"] == {"accuracy": 1.0, "passed": False}
    assert bc.main(words) == 2, "its folder is taken"


def test_steps_are_compiled_once_and_the_same_seed_learns_the_same(data: Dataset, tmp_path: Path) -> None:
    run, net, cloner = parts(data, tmp_path, steps=50)
    ends = [study.study(cloner, lessons(data), run.clone, study.newborn(net, 3), steps=50).knowledge for _ in range(2)]
    one, other = (jax.device_get(end.parameters) for end in ends)
    assert cloner.traces == 1
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_a_run_ends_after_the_running_call_and_keeps_what_it_knows(data: Dataset, tmp_path: Path) -> None:
    run, net, cloner = parts(data, tmp_path)
    rows: list[Any] = []
    kept: list[int] = []
    found = study.study(
        cloner,
        lessons(data),
        run.clone,
        study.newborn(net, 3),
        steps=1000,
        on_row=rows.append,
        keep=lambda knowledge, row: kept.append(row["update"]),
        stop=lambda: len(rows) == 1,
    )
    assert (found.steps, len(rows), kept) == (50, 2, [49])
    assert found.exam is not None
    assert rows[-1]["held_out_accuracy"] == found.exam.accuracy
    begun = study.study(cloner, lessons(data), run.clone, study.newborn(net, 3), steps=100, stop=lambda: True)
    assert (begun.steps, begun.exam) == (0, None)


def test_a_run_stops_where_a_figure_is_no_number(data: Dataset, tmp_path: Path) -> None:
    run, net, cloner = parts(data, tmp_path)
    wild = run.clone.model_copy(update={"learning_rate": float("nan"), "check_every": 25})
    kept: list[Any] = []
    rows: list[Any] = []
    found = study.study(
        cloner,
        lessons(data),
        wild,
        study.newborn(net, 3),
        steps=1000,
        on_row=rows.append,
        keep=lambda knowledge, row: kept.append(row),
    )
    assert (found.steps, kept, found.exam) == (25, [], None)
    assert "loss" in found.lost
    assert bc.stopped(found).startswith("Stopped after 25 steps, because loss, ")


def test_gradients_are_those_of_the_loss_over_the_whole_batch(data: Dataset, tmp_path: Path) -> None:
    """Against the loss written out for every row."""
    _, net, cloner = parts(data, tmp_path)
    taught = lessons(data)
    rows = taught.rows(taught.drawn(64), fill=96)
    parameters = study.newborn(net, 1).parameters
    path = cloner._path

    def by_hand(candidate: Any) -> jax.Array:
        logits, value = cloning.read(net, path, candidate, rows)
        surprise = -distribution.log_prob(logits, rows.label)[:64]
        return jax.numpy.mean(surprise) + 0.25 * jax.numpy.mean((value[:64] - rows.target[:64]) ** 2)

    found, terms = jax.jit(cloning.gradient_of, static_argnums=0)(net, path, parameters, rows, jax.numpy.float32(0.5))
    loss, wanted = jax.jit(jax.value_and_grad(by_hand))(parameters)
    close(found, wanted)
    close(terms.loss, loss)
    assert float(terms.illegal) == 0
    assert isinstance(terms, losses.CloneTerms)


def test_rows_come_as_often_as_the_others(data: Dataset) -> None:
    taught = lessons(data)
    number = len(taught.taught)
    seen = [taught.drawn(100) for _ in range(3 * number // 100 + 1)]
    places = np.concatenate([part.shard * 10_000 + part.row for part in seen])[: 3 * number]
    assert set(np.unique(places, return_counts=True)[1]) == {3}
    held = set(zip(taught.held.shard.tolist(), taught.held.row.tolist(), strict=True))
    assert not held & set(zip(taught.taught.shard.tolist(), taught.taught.row.tolist(), strict=True))
    assert taught.read(taught.taught)["choice"].all()


def test_targets_are_returns_in_deviations(data: Dataset) -> None:
    taught = lessons(data)
    rows = taught.rows(taught.taught)
    assert float(rows.target.mean()) == pytest.approx(0, abs=1e-4)
    assert float(rows.target.std()) == pytest.approx(1, abs=1e-3)
    bare = taught.rows(taught.taught, scaled=False)
    np.testing.assert_array_equal(bare.target, taught.read(taught.taught)["return_to_go"])


def test_the_ceiling_is_the_commonest_label_of_rows_that_look_alike(data: Dataset) -> None:
    taught = lessons(data)
    rows = taught.read(taught.taught)[:6].copy()
    for name in exams.SEEN:
        rows[name][1], rows[name][2] = rows[name][0], rows[name][0]
        rows[name][4] = rows[name][3]
    rows["action"] = (1, 1, 2, 3, 4, 5)
    found = exams.ceiling(rows)
    assert (found.accuracy, found.twins, found.rows) == (pytest.approx(4 / 6), 5, 6)
    rows["features"][1, 0] = np.nextafter(rows["features"][1, 0], np.float32(9))
    assert exams.ceiling(rows).twins == 4


def _spoil_checksum(folder: Path) -> None:
    path = folder / "shards/town-000003.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def _spoil_nan(folder: Path) -> None:
    from test_audit import _set, edited

    edited(datasets.opened(folder), _set("features", np.nan, 3, 2, 5))


def _spoil_layout(folder: Path) -> None:
    head = json.loads((folder / "head.json").read_text())
    head["sight"]["features"][4] = "another_thing"
    (folder / "head.json").write_text(json.dumps(head))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_spoil_checksum, "town-000003.npy has another checksum than the table says"),
        (lambda folder: (folder / "shards/town-000003.npy").unlink(), "town-000003.npy is missing"),
        (_spoil_nan, "features of tick 3, slot 2 is no finite number"),
        (_spoil_layout, "was recorded with another layout: features number 4 is another_thing there and"),
    ],
)
def test_datasets_that_are_wrong_are_refused_and_named(
    spoil: Callable[[Path], Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    recorded.made(folder)
    spoil(folder)
    assert bc.main([settings(tmp_path), "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("clone.accuracy=2", "clone.accuracy: is 2, but must be a finite number from 0 to 1"),
        ("clone.stepz=2", "clone.stepz: unknown key (did you mean 'steps'?)"),
        ("town.action_space=options", "was recorded with another layout: features has"),
        ("network.critic=central", "reads all agents of a town at once, but cloning reads every agent by itself"),
        ("clone.batch_rows=100000", "clone.batch_rows is 100000, but there are"),
        ("clone.held_out=0.9", "cannot be split into those to learn from and those held out"),
    ],
)
def test_settings_that_cannot_be_had_are_refused(
    override: str, said: str, data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [settings(tmp_path), override, "--data", str(data.folder), "--out", str(tmp_path / "out")]
    assert bc.main(words) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_shipped_settings_are_sound(root: Path) -> None:
    run = recipes.load(CloneRun, root / "configs/train/bc.yaml")
    assert (run.town.action_space, run.clone.accuracy) == ("flat", 0.9)
