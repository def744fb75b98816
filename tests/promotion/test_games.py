"""Real games: the gate, goldens, `townlet promotion` on a folder, and the commands of docs/promotion.md."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from townlet_jax import cli
from townlet_jax.config.schema.stability import Gate
from townlet_jax.plans import RunError
from townlet_jax.promotion import anneal, gate, goldens
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.examining import Papers, examined
from townlet_jax.promotion.gate import METRICS
from townlet_jax.promotion.seats import Seat
from townlet_jax.promotion.suite import Suite
from townlet_jax.snapshots import sources, weights

TOWNS = 40
RULES = Gate(resamples=500)


def metrics(**changes: Any) -> dict[str, Any]:
    """Return metrics of some towns: a return of about 10, no faints, one of everything else."""
    noise = np.random.default_rng(1).normal(0, 1, TOWNS)
    base = dict.fromkeys(METRICS, np.ones(TOWNS)) | {"return_mean": 10 + noise, "faints": np.zeros(TOWNS)}
    return base | changes


def verdicts(release: dict[str, Any], candidate: dict[str, Any], rules: Gate = RULES) -> set[str]:
    """Return the metrics that did not pass."""
    return {name for name, one in gate.compared(release, candidate, rules).items() if not one["pass"]}


def test_the_same_policy_passes() -> None:
    assert verdicts(metrics(), metrics()) == set()


def test_return_may_fall_by_its_tolerance_but_not_by_more() -> None:
    base = metrics()
    small = np.random.default_rng(2).normal(0, 0.01, TOWNS)
    assert verdicts(base, metrics(return_mean=base["return_mean"] - 0.15 + small)) == set()
    assert verdicts(base, metrics(return_mean=base["return_mean"] - 0.25 + small)) == {"return_mean"}
    wide = np.random.default_rng(3).normal(0, 2, TOWNS)
    found = gate.compared(base, metrics(return_mean=base["return_mean"] + wide - wide.mean()), RULES)["return_mean"]
    assert abs(found["mean"]) < 1e-9
    assert not found["pass"], "the end of the interval counts, not the mean"
    assert found["limit"] == pytest.approx(-0.02 * base["return_mean"].mean())


def test_guards_may_rise_by_their_tolerance_and_faints_by_nothing() -> None:
    noise = np.random.default_rng(4).normal(0, 0.01, TOWNS)
    assert verdicts(metrics(), metrics(absences=1.1 + noise)) == set()
    assert verdicts(metrics(), metrics(absences=1.2 + noise)) == {"absences"}
    one = np.zeros(TOWNS)
    one[0] = 0.01
    assert verdicts(metrics(), metrics(faints=one)) == {"faints"}
    assert verdicts(metrics(faints=one), metrics()) == set()
    said = gate.failures("here", gate.compared(metrics(), metrics(late_ticks=2 + noise), RULES))
    assert len(said) == 1
    assert said[0].startswith("late_ticks in here: the interval ends at 1.00")
    assert said[0].endswith("but must be at most 0.15")


def test_one_town_has_no_interval_and_passes_nothing() -> None:
    single = {name: values[:1] for name, values in metrics().items()}
    assert verdicts(single, single) == set(METRICS)


def seat(place: Path, run: str) -> Seat:
    """Return the seat of a run."""
    known = sources.read(str(place / run))
    return Seat(name=known.name, step=known.step, policy_hash=weights.hash_of(known.parameters))


@pytest.fixture(scope="module")
def suite(place: Path) -> Suite:
    """Return the games of the town of six."""
    return Suite(config=str(place / "hamlet.yaml"), overrides=(), gate=Gate(towns=2, ticks=1, resamples=100))


def test_a_candidate_that_does_the_same_passes_in_real_towns(place: Path, suite: Suite) -> None:
    told: list[str] = []
    report = examined(suite, seat(place, "waits"), seat(place, "waits_too"), say=told.append)
    assert (report["status"], report["reasons"]) == ("pass", [])
    assert report["release"]["policy_hash"] != report["candidate"]["policy_hash"]
    judged = report["scenarios"][suite.config]
    assert set(judged) == set(METRICS)
    assert all((one["mean"], one["low"], one["high"]) == (0.0, 0.0, 0.0) for one in judged.values())
    assert judged["return_mean"]["towns"] == 2
    assert [line.split(": ")[1] for line in told] == ["release", "candidate"]
    json.dumps(report, allow_nan=False)


def test_goldens_guard_against_forgetting(place: Path, suite: Suite, tmp_path: Path) -> None:
    golden = goldens.made(suite, str(place / "waits"))
    goldens.save(golden, tmp_path / "waits.json")
    assert goldens.read(tmp_path / "waits.json") == golden
    known, papers = seat(place, "waits_too"), Papers(goldens=(tmp_path / "waits.json",))
    kept = goldens.verified(golden, known.name, suite)[suite.config]
    assert all(one["pass"] for one in kept.values())
    better = golden.model_dump(mode="json")
    figures = better["scenarios"][suite.config]["figures"]
    figures["return_mean"] = [value + 1.0 for value in figures["return_mean"]]
    (tmp_path / "waits.json").write_text(json.dumps(better))
    report = examined(suite, seat(place, "waits"), known, papers=papers)
    assert report["status"] == "fail"
    (reason,) = report["reasons"]
    assert reason.startswith("return_mean in golden waits, ")
    assert "the interval ends at -1" in reason


@pytest.mark.parametrize(
    ("text", "code"), [("{", "rejected"), ('{"kind": "golden"}', "rejected"), ("[]", "rejected"), (None, "not_found")]
)
def test_files_that_are_no_goldens_are_refused(text: str | None, code: str, tmp_path: Path) -> None:
    path = tmp_path / "golden.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(PromotionError, match="make it") as refused:
        goldens.read(path)
    assert refused.value.code == code


def test_weights_that_changed_are_not_played(place: Path, suite: Suite) -> None:
    with pytest.raises(PromotionError, match="other weights"):
        suite.figures(str(place / "waits"), suite.config, policy_hash="0" * 64)
    with pytest.raises(PromotionError, match="must be one of scripted"):
        suite.figures(str(place / "nothing@3"), suite.config, policy_hash=None)
    with pytest.raises(RunError, match="2 or more"):
        Suite(config=suite.config, overrides=(), gate=Gate(towns=1)).demand_towns()


RESULT: dict[str, Any] = {
    "kind": "anneal", "format": 1, "status": "PASS", "reasons": [], "clone_accuracy": 0.95, "clone_threshold": 0.9,
    "checkpoint": "run/checkpoints@40", "seconds": 1.0,
}  # fmt: skip


def test_an_anneal_must_have_passed(place: Path, suite: Suite, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    cases: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({}, []),
        ({"clone_accuracy": None}, []),
        ({"clone_accuracy": 0.89}, ["accuracy on held-out frames is 0.890, below 0.9"]),
        ({"status": "HOLD", "reasons": ["return is 3, below 4"]}, ["the anneal ended with HOLD: return is 3, below 4"]),
        ({"status": "FAIL"}, ["the anneal ended with FAIL"]),
    )
    for changes, reasons in cases:
        path.write_text(json.dumps(RESULT | changes))
        told, found = anneal.judged(anneal.read(path), 0.9)
        assert found == reasons
        assert told["threshold"] == 0.9
    report = examined(suite, seat(place, "waits"), seat(place, "waits_too"), papers=Papers(anneal=path))
    assert report["reasons"] == ["the anneal ended with FAIL"]
    assert report["anneal"]["status"] == "FAIL"


def test_the_result_beside_a_run_is_found_and_others_are_no_results(place: Path, tmp_path: Path) -> None:
    assert anneal.beside(str(place / "waits@7")) is None
    (place / "waits_too/result.json").write_text(json.dumps({"kind": "clone"}))
    assert anneal.beside(str(place / "waits_too")) is None
    (place / "waits_too/result.json").write_text(json.dumps(RESULT))
    assert anneal.beside(str(place / "waits_too@7")) == place / "waits_too/result.json"
    (place / "waits_too/result.json").unlink()
    for text in ("{", json.dumps(RESULT | {"format": 2}), json.dumps(RESULT | {"status": 3})):
        (tmp_path / "result.json").write_text(text)
        with pytest.raises(PromotionError, match="is not the result of an anneal"):
            anneal.read(tmp_path / "result.json")
    with pytest.raises(PromotionError, match="cannot be read"):
        anneal.read(tmp_path / "none.json")


GAMES = ["--towns", "2", "--ticks", "1"]


def promotion(*arguments: str) -> int:
    """Carry out `townlet promotion`."""
    return cli.execute(["promotion", *arguments])


def test_from_evaluation_to_promotion_and_back(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk, config = str(tmp_path / "releases"), ["--config", str(place / "hamlet.yaml"), *GAMES]
    waits, too = str(place / "waits"), str(place / "waits_too")
    assert promotion("evaluate", desk, "--candidate", too, "--release", waits, *config) == 0
    said = capsys.readouterr()
    assert "gate: pass" in said.out
    assert "return_mean" in said.out
    assert "candidate" in said.err
    assert promotion("status", desk) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "state     ready"
    assert shown[2].startswith(f"shadow    {place}/waits_too/checkpoints@7, 7 updates, ")
    assert promotion("promote", desk, "--reason", "newer", "--json") == 0
    state = json.loads(capsys.readouterr().out)
    assert state["state"] == "promoted"
    assert state["release"]["name"].endswith("waits_too/checkpoints@7")
    assert promotion("promote", desk) == 1
    assert "There is no candidate" in capsys.readouterr().err
    assert promotion("rollback", desk, "--json") == 0
    assert json.loads(capsys.readouterr().out)["release"]["name"].endswith("waits/checkpoints@7")
    assert promotion("rollback", desk) == 1
    assert "Nothing was promoted" in capsys.readouterr().err
    lines = [json.loads(line) for line in (tmp_path / "releases/history.jsonl").read_text().splitlines()]
    assert [(line["event"], line["metadata"]["reason"]) for line in lines] == [
        ("promoted", "newer"),
        ("rollback", None),
    ]


def test_what_failed_the_gate_is_not_promoted(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk, config = str(tmp_path), ["--config", str(place / "hamlet.yaml"), *GAMES]
    assert promotion("golden", desk, str(place / "waits"), "--name", "once", *config) == 0
    kept = json.loads((tmp_path / "goldens/once.json").read_text())
    for game in kept["scenarios"].values():
        game["figures"]["return_mean"] = [value + 5 for value in game["figures"]["return_mean"]]
    (tmp_path / "goldens/once.json").write_text(json.dumps(kept))
    capsys.readouterr()
    arguments = ["--candidate", str(place / "waits_too"), "--release", str(place / "waits"), *config]
    assert promotion("evaluate", desk, *arguments, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "fail"
    assert promotion("promote", desk) == 1
    assert "did not pass the gate: return_mean in golden once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["status"], 2, "There is no folder; give DIR"),
        (["evaluate", "{}"], 2, "There is no candidate; give --candidate"),
        (["evaluate", "{}", "--candidate", "nowhere"], 2, "must be one of scripted, random"),
        (["evaluate", "{}", "--candidate", "idle", "--towns", "1"], 2, "needs 2 or more"),
        (["evaluate", "{}", "--candidate", "idle", "--config", "no.yaml"], 2, "no.yaml"),
        (["evaluate", "{}", "--candidate", "scripted"], 1, "holds the weights that act already"),
        (["golden", "{}", "idle", "--name", "../x"], 2, "must be letters, digits"),
        (["status", "--console", "{}/nobody.sock"], 2, "nobody.sock"),
        (["sing"], 2, "sing"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert promotion(*(word.format(tmp_path) for word in arguments)) == code
    told = capsys.readouterr().err
    assert words in told
    assert len(told.strip().splitlines()) == 1


def test_damaged_and_used_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state.json").write_text('{"state": "sleeping"}')
    assert promotion("status", str(tmp_path)) == 1
    assert "state.json cannot be read" in capsys.readouterr().err
    with FileLock(tmp_path / ".lock"):
        assert promotion("promote", str(tmp_path)) == 2
    assert "is used by a session that runs" in capsys.readouterr().err


def test_the_commands_of_the_page(
    root: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (root / "docs/promotion.md").read_text(encoding="utf-8")
    shutil.copy(place / "hamlet.yaml", tmp_path / "town.yaml")
    for name, run in (("first", "waits"), ("second", "waits_too")):
        shutil.copytree(place / run, tmp_path / "runs" / name)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands = [shlex.split(line.removeprefix("$ townlet ")) for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        assert cli.execute(command) == 0, command
    out = capsys.readouterr().out
    assert "holds what runs/first can do." in out
    assert "golden spring, town.yaml: candidate minus release, an agent-day" in out
    assert "state     promoted" in out


@pytest.mark.slow
def test_the_python_of_the_page(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (root / "docs/promotion.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(block, {})
    (promised,) = re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert capsys.readouterr().out.strip() == promised
