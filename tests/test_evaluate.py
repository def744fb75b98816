"""Policies side by side: intervals over towns, paired differences, the command."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from core.worlds import HAMLET
from matplotlib import image

from townlet_jax import cli, cli_evaluate, evaluate
from townlet_jax.config import build, load
from townlet_jax.core.observe.layout import layout
from townlet_jax.evaluate import Lived
from townlet_jax.policy import network
from townlet_jax.policy.network import NetworkConfig
from townlet_jax.run import RunError
from townlet_jax.snapshots import Best, Store, sources, weights


def lived(policy: str, **figures: Any) -> Lived:
    """Return a life with these figures, one value a town."""
    return Lived(
        policy=policy, figures={name: np.asarray(value, np.float64) for name, value in figures.items()}, result=None
    )  # type: ignore[arg-type]


def test_means_and_intervals_over_towns() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    found = evaluate.estimates({"figure": values}, seed=0)["figure"]
    assert found.mean == pytest.approx(values.mean())
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)  # the central limit theorem, which the bootstrap agrees with
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)
    assert found.towns == 400
    assert evaluate.estimates({"figure": values}, seed=0)["figure"] == found


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    samples = np.random.default_rng(2).exponential(1.0, (60, 200))
    found = evaluate.estimates({str(i): samples[:, i] for i in range(200)}, seed=3, resamples=500)
    covered = sum(one.low <= 1.0 <= one.high for one in found.values())
    assert 0.87 <= covered / 200 <= 0.99


def test_towns_without_the_figure_are_left_out() -> None:
    found = evaluate.estimates(
        {"some": np.array([1.0, np.nan, 3.0]), "none": np.full(3, np.nan), "one": np.array([np.nan, 2.0, np.nan])},
        seed=0,
    )
    assert (found["some"].mean, found["some"].towns) == (2.0, 2)
    assert 1.0 <= found["some"].low <= 2.0 <= found["some"].high <= 3.0
    assert found["none"] == evaluate.Estimate(mean=None, low=None, high=None, towns=0)
    assert found["one"] == evaluate.Estimate(mean=2.0, low=None, high=None, towns=1)


def test_differences_are_taken_town_by_town() -> None:
    towns = np.linspace(0.0, 100.0, 50)  # far more spread between towns than between policies
    shift = 1.0 + 0.1 * np.sin(np.arange(50))
    first, second = evaluate.compare([lived("a", x=towns), lived("b", x=towns + shift)])
    assert first.differences == {}
    assert second.differences["x"].mean == pytest.approx(shift.mean())
    assert second.differences["x"].differs_from_zero
    assert second.figures["x"].high - second.figures["x"].low > 10
    same = evaluate.compare([lived("a", x=towns), lived("b", x=towns)])[1].differences["x"]
    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)
    assert not same.differs_from_zero


def test_the_command_says_that_idleness_earns_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "--policy", "scripted", "--policy", "idle", "--towns", "4", "--ticks", "480"]
    assert cli.execute([*arguments, "jobs.barista.start=120", "--json", "--out", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    scripted, idle = document["policies"]
    assert (scripted["policy"], idle["policy"], document["baseline"]) == ("scripted", "idle", "scripted")
    assert scripted["kpis"]["wages_paid_per_agent_day"]["mean"] > 0
    assert idle["kpis"]["wages_paid_per_agent_day"]["mean"] == 0
    wages = idle["differences"]["wages_paid_per_agent_day"]
    assert wages["significant"]
    assert wages["high"] < 0
    assert json.loads((tmp_path / "evaluation.json").read_text()) == document
    picture = image.imread(tmp_path / "evaluation.png")
    assert picture.shape[0] > 400
    assert len(np.unique(picture[..., :3].reshape(-1, 3), axis=0)) > 10


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a town of six, the checkpoint of a network there that only ever waits, and its weights."""
    folder = tmp_path_factory.mktemp("trained")
    data = HAMLET | {"spec": {"num_agents": 6}, "perturbations": {"specs": {}}}
    (folder / "hamlet.yaml").write_text(yaml.safe_dump(data))
    built = build(load(folder / "hamlet.yaml", ["clock.horizon_ticks=60"]))
    config = NetworkConfig(map_width=4, feature_width=4, trunk_width=4, core="gru", core_width=4)
    parameters = network.init(network.Network(config, layout(built.spec)), jax.random.key(0))
    bias = parameters["policy"]["bias"]
    parameters["policy"]["bias"] = jnp.where(jnp.arange(bias.size) == 0, 99.0, 0.0)
    zero = np.float32(0)
    tree = {"parameters": parameters, "returns": {"count": zero, "mean": zero, "square_sum": zero}}
    meta = {
        "kind": "learner",
        "members": 0,
        "network": dataclasses.asdict(config),
        "settings": {"town": {"horizon": 60}},
        "best": {"metric": "return", "mode": "max"},
    }
    best, whose = Best("return"), weights.identity_of(built, config)
    with Store(folder / "checkpoints", identity=whose, keep_latest=None, keep_best=best) as store:
        for step, value in ((10, 1.0), (20, 3.0), (30, 2.0)):
            store.save(step, {"learner": tree}, meta=meta, metrics={"return": value})
    sources.export(sources.read(f"{folder}@10"), folder / "waits.safetensors")
    return folder


def asking(place: Path, *policies: str, overrides: tuple[str, ...] = (), greedy: bool = False) -> cli_evaluate.Request:
    """Return the wish to compare policies in the town of six."""
    return cli_evaluate.Request(
        config=str(place / "hamlet.yaml"),
        overrides=overrides,
        policies=policies,
        towns=4,
        days=None,
        ticks=90,
        seed=3,
        resamples=100,
        out=place / "out",
        json=False,
        greedy=greedy,
    )


def evaluated(place: Path, *policies: str, greedy: bool = False) -> dict[str, Any]:
    """Compare policies and return the document."""
    request = asking(place, *policies, overrides=("lifecycle.mortality=false",), greedy=greedy)
    assert cli_evaluate.carry_out(request) == 0
    document: dict[str, Any] = json.loads((place / "out/evaluation.json").read_text())
    return document


def test_a_network_that_waits_is_the_idle_policy(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(place, "idle", f"{place}@best")
    _, network = found["policies"]
    told = network["differences"]
    assert all(told[name]["mean"] in (0.0, None) for name in told)
    assert told["conflicts_per_agent_day"]["towns"] == 4
    about = network["about"]
    assert (about["updates"], about["share"], about["greedy"]) == (20, 1.0, False)
    assert about["weights"] == f"{place}/checkpoints@20"
    said = " ".join(capsys.readouterr().err.split())
    assert "was trained in another town: some of its numbers differ." in said


@pytest.mark.slow
def test_weights_from_a_file_and_mixtures_are_compared_too(place: Path) -> None:
    file = str(place / "waits.safetensors")
    found = evaluated(place, "scripted", f"mixture:0:{file}", f"mixture:0.5:{file}", file, greedy=True)
    scripted, none, half, whole = found["policies"]
    assert (half["about"]["updates"], half["about"]["share"], half["about"]["greedy"]) == (10, 0.5, True)
    assert all(estimate["mean"] in (0.0, None) for estimate in none["differences"].values())
    assert scripted["kpis"] != half["kpis"] != whole["kpis"] != scripted["kpis"]


def test_a_network_of_another_sight_is_refused(place: Path) -> None:
    request = asking(place, str(place), overrides=("spec.landmarks=false",))
    with pytest.raises(RunError, match=r"more.features is .* in the snapshot and .* here"):
        cli_evaluate.candidates_of(request, build(load("default")))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("{}@40", "There is no snapshot 40"),
        ("{}#1", "has no member 1; it holds one learner"),
        ("{}/hamlet.yaml", "is a file, but a store is a folder"),
        ("{}/out-of-nowhere@best", "must be one of scripted, random, idle, schedule, the folder of a run"),
        ("mixture:0.5:{}/nothing", "There is nothing at"),
        ("mixture:2:{}", "a mixture is mixture:SHARE:PLACE"),
        ("mixture:0.5", "a mixture is mixture:SHARE:PLACE"),
    ],
)
def test_places_without_weights_are_refused(policy: str, words: str, place: Path) -> None:
    with pytest.raises(RunError, match=words):
        cli_evaluate.candidates_of(asking(place, policy.format(place)), build(load("default")))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--policy", "nobody"], "--policy is 'nobody', but must be one of"),
        (["--policy", "idle", "--policy", "idle"], "named twice"),
        (["--towns", "1"], "at least 2"),
        (["--resamples", "5"], "must be 100 to 100000"),
        (["--ticks", "0"], "0 ticks"),
        (["--config", "no_such.yaml"], "no_such.yaml"),
        (["nonsense=1"], "nonsense"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["evaluate", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1
