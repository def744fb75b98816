"""Cloning with a memory: whole lives in their order, and what only somebody who remembers can know."""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import recorded
import yaml
from hamlet import TINY
from tiny import close

from townlet_jax.policy import network
from townlet_jax.snapshots import sources
from train import bc, building, cloning, lanes, recipes, sequences, study
from train.datasets import Dataset
from train.lanes import Window
from train.lessons import Lessons, Part, Span
from train.recipes import CloneRun
from train.sequences import SequenceCloner

CLONE = {"learning_rate": 0.02, "batch_rows": 128, "window": 8, "steps": 300, "steps_a_call": 25, "check_every": 150}


def settings(folder: Path, core: str = "gru", **clone: Any) -> str:
    """Write tiny settings; return the file."""
    document = {
        "town": {"config": recorded.config(folder), "action_space": "flat"},
        "network": TINY["network"] | {"core": core, "core_width": 16},
        "clone": CLONE | {"held_out": 0.2, "accuracy": 0.9} | clone,
    }
    file = folder / "bc.yaml"
    file.write_text(yaml.safe_dump(document))
    return str(file)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return a dataset whose labels are about what was seen before."""
    return recorded.made(tmp_path_factory.mktemp("recorded") / "data", memory=True)


@functools.cache
def parts(folder: Path) -> tuple[CloneRun, Any, SequenceCloner]:
    """Return settings, network and what compiles."""
    run = recipes.load(CloneRun, settings(folder))
    built = building.built_town(recipes.Settings(town=run.town))
    net = building.Network(building.NetworkConfig(**run.network.model_dump()), building.layout(built.spec))
    cloner = study.cloner_for(net, built, run.clone)
    assert isinstance(cloner, SequenceCloner)
    return run, net, cloner


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CloneRun, Any, SequenceCloner]:
    """Return settings, network and what compiles, once."""
    return parts(tmp_path_factory.mktemp("made"))


def test_only_a_network_that_remembers_learns_what_was_seen_before(data: Dataset, tmp_path: Path) -> None:
    found = {}
    for core in ("gru", "none"):
        (tmp_path / core).mkdir()
        words = [settings(tmp_path / core, core), "--data", str(data.folder), "--out", str(tmp_path / core / "out")]
        code = bc.main([*words, "-q"])
        said = json.loads((tmp_path / core / "out" / bc.SUMMARY).read_text())
        found[core] = code, said["exam"]["accuracy"], said["exam"]["rows"]
    assert found["gru"][0] == 0
    assert found["gru"][1] > 0.97
    assert found["none"][0] == bc.BELOW_THE_GATE
    assert found["none"][1] < 0.75
    assert found["gru"][2] == found["none"][2], "the same decisions are asked"
    assert sources.read(str(tmp_path / "gru" / "out")).config.core == "gru"


def test_an_exam_reads_lives_as_a_town_would(data: Dataset, made: tuple[CloneRun, Any, SequenceCloner]) -> None:
    """Against every held-out life read by itself, tick by tick, from an empty memory."""
    run, net, cloner = made
    lessons = Lessons([data], held_out=0.2, seed=0)
    parameters = study.newborn(net, 1).parameters
    parameters["policy"]["kernel"] = parameters["policy"]["kernel"] * 100
    exam = study.course_of(cloner, lessons, run.clone, scaled=True).exam(parameters)
    tick = jax.jit(functools.partial(network.apply, net))
    right = rows = 0
    for span in lessons.held_spans:
        memory = network.no_memory(net.config, (1,))
        for place in range(span.length):
            row = Part(np.array([span.shard]), np.array([(span.first + place) * span.slots + span.slot]))
            seen = cloning.seen_in(net, cloner._path, lessons.rows(row))
            logits, _, memory = tick(parameters, seen, memory, np.array([place == 0]))
            (record,) = lessons.read(row)
            right += int(record["choice"] and np.argmax(np.asarray(logits)[0]) == record["action"])
            rows += int(record["choice"])
    assert (exam.rows, exam.accuracy) == (rows, pytest.approx(right / rows))


def test_steps_are_compiled_once_and_the_same_seed_learns_the_same(
    data: Dataset, made: tuple[CloneRun, Any, SequenceCloner]
) -> None:
    run, net, cloner = made

    def learned() -> Any:
        lessons = Lessons([data], held_out=0.2, seed=0)
        return study.study(cloner, lessons, run.clone, study.newborn(net, 3), steps=50).knowledge.parameters

    one, other = jax.device_get((learned(), learned()))
    assert cloner.traces == 1
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_what_is_remembered_goes_on_from_window_to_window_and_ends_with_a_life(
    data: Dataset, made: tuple[CloneRun, Any, SequenceCloner]
) -> None:
    run, net, cloner = made
    parameters = study.newborn(net, 1).parameters
    lessons = Lessons([data], held_out=0.2, seed=0)
    course = study.course_of(cloner, lessons, run.clone, scaled=True)
    assert isinstance(course, sequences.Rehearsal)
    spans = lessons.taught_spans[:3]
    windows = course._windows(lanes.once(spans, 1, 40)[0])
    none = network.no_memory(net.config, (1,))
    whole, _, after = sequences.read(net, cloner._path, parameters, none, windows)
    first, second = (jax.tree.map(lambda leaf, cut=cut: leaf[cut], windows) for cut in (slice(0, 15), slice(15, 40)))
    before, _, memory = sequences.read(net, cloner._path, parameters, none, first)
    behind, _, end = sequences.read(net, cloner._path, parameters, memory, second)
    close(np.concatenate([before, behind]), whole)
    close(end, after)
    other = jax.tree.map(lambda leaf: leaf + 1, none)
    again, _, _ = sequences.read(net, cloner._path, parameters, other, windows)
    close(again, whole)  # the first row is somebody new


SPANS = [Span(0, 0, 7, 0, 2), Span(0, 0, 3, 1, 2), Span(0, 5, 4, 1, 2)]


def told(windows: list[Window], lane: int) -> list[tuple[int, bool]]:
    """Return the rows of a lane, and which are fresh."""
    return [
        (int(window.part.row[place, lane]), bool(window.fresh[place, lane]))
        for window in windows
        for place in np.flatnonzero(window.real[:, lane])
    ]


def test_exams_read_every_row_once_and_in_order() -> None:
    windows = lanes.once(SPANS, 2, 4)
    assert [window.real.shape for window in windows] == [(4, 2), (4, 2)]
    assert told(windows, 0) == [(2 * tick, tick == 0) for tick in range(7)]
    late = [(11, True), (13, False), (15, False), (17, False)]
    assert told(windows, 1) == [*late, (1, True), (3, False), (5, False)]


def test_lanes_go_through_lives_in_order_and_cut_them_at_death() -> None:
    source = lanes.Endless(SPANS, 3, seed=5)
    starts = {2 * span.first + span.slot for span in SPANS}
    ends = {2 * (span.first + span.length - 1) + span.slot for span in SPANS}
    whole = [source.taken(9) for _ in range(40)]
    for lane in range(3):
        rows = told(whole, lane)
        assert rows[0][1], "it begins without a memory"
        for (before, _), (row, fresh) in itertools.pairwise(rows):
            assert fresh == (before in ends)
            assert (row in starts) if fresh else (row == before + 2)
    counts = np.unique(np.concatenate([window.part.row.ravel() for window in whole]), return_counts=True)[1]
    assert counts.min() > 0.8 * counts.max()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("clone.window=41", "clone.batch_rows is 128, but must be a multiple of clone.window (41)"),
        ("clone.window=64", "clone.window is 64 ticks, but the longest episode to learn from has 40"),
        ("network.critic=central", "reads all agents of a town at once; set network.critic=own"),
        (
            "clone.hidden=[last_action_hash]",
            "clone.hidden names last_action_hash, which is no feature here (did you mean 'last_action_id_hash'?)",
        ),
        ("network.core=rnn", "network.core: is 'rnn', but must be one of none, gru, lstm"),
    ],
)
def test_settings_that_cannot_be_had_are_refused(
    override: str, said: str, data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [settings(tmp_path), override, "--data", str(data.folder), "--out", str(tmp_path / "out")]
    assert bc.main(words) == 2
    shown = capsys.readouterr().err
    assert said.split(";")[0] in shown
    assert shown.count("\n") == 1


def test_what_is_hidden_cannot_be_used(data: Dataset, made: tuple[CloneRun, Any, SequenceCloner]) -> None:
    run, net, cloner = made
    sign = data.head.sight.features[0]
    lessons = Lessons([data], held_out=0.2, seed=0, hidden=(sign,))
    assert not np.asarray(lessons.rows(lessons.taught).features)[:, 0].any()
    studied = study.study(cloner, lessons, run.clone, study.newborn(net, 3), steps=100)
    kernel = np.asarray(studied.knowledge.parameters["features"]["kernel"])
    assert not kernel[0].any(), "so a town that shows it changes nothing"
    assert kernel[1].any()
    assert studied.exam is not None
    assert studied.exam.accuracy < 0.75
