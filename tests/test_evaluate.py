"""Policies side by side: intervals over towns, paired differences, the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from townlet_jax import cli, evaluate
from townlet_jax.evaluate import Lived


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
