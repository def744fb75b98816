"""Drift against a baseline: what is compared with what, the verdicts, the exit codes."""

import json
from pathlib import Path

import pytest
from asked import ask
from telling import Teller, small_town, spread, training_rows, write

from townlet_jax.telemetry.summary import drift
from townlet_jax.telemetry.summary.drift import Threshold, compare, thresholds
from townlet_jax.telemetry.summary.sources import ReadError


def verdicts(baseline: drift.Values, values: drift.Values, *levels: str, default: float = 0.2) -> dict[str, str]:
    found = compare(baseline, values, thresholds(levels, default), name="before")
    return {one.figure: one.verdict for one in found.differences}


def test_differences_are_shares_of_the_baseline() -> None:
    found = compare({"wallet": -4.0, "alive": 8.0}, {"wallet": -5.0, "alive": 8.8}, thresholds((), 0.2), name="b")
    wallet, alive = found.differences
    assert (wallet.absolute, wallet.relative, wallet.verdict) == pytest.approx((-1.0, -0.25, "drift"))
    assert (alive.absolute, alive.relative, alive.verdict) == pytest.approx((0.8, 0.1, "within"))
    assert [one.figure for one in found.found] == ["wallet"]


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (0.0, 0.0, "within"),
        (0.0, 1e-9, "drift"),
        (None, None, "within"),
        (None, 1.0, "drift"),
        (1.0, None, "missing"),
        (1.0, 1.2, "within"),
        (1.0, 1.21, "drift"),
        (1.0, 0.79, "drift"),
    ],
)
def test_verdicts(before: float | None, now: float | None, verdict: str) -> None:
    assert verdicts({"x": before}, {"x": now}) == {"x": verdict}


def test_figures_that_only_one_side_knows() -> None:
    assert verdicts({"a": 1.0, "b": 1.0}, {"b": 1.0, "c": 1.0}) == {"a": "missing", "b": "within", "c": "new"}


def test_the_last_threshold_that_fits_counts() -> None:
    before, now = {"starts_a": 1.0, "starts_b": 1.0, "alive": 8.0}, {"starts_a": 1.5, "starts_b": 1.5, "alive": 8.5}
    levels = ("starts_*=0.6", "starts_b=0.4", "alive=0.4abs")
    assert verdicts(before, now, *levels) == {"starts_a": "within", "starts_b": "drift", "alive": "drift"}
    assert verdicts(before, now, "*=1") == dict.fromkeys(before, "within")
    assert verdicts({"faints": 0.0}, {"faints": 0.05}, "faints=0.1abs") == {"faints": "within"}
    assert thresholds(("a=b=0.5",), 0.0)[0] == Threshold(pattern="a=b", amount=0.5)


@pytest.mark.parametrize("text", ["wallet", "=0.1", "a=", "a=-1", "a=much", "a=1e999", "a=0.1x", "a=1-2"])
def test_thresholds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ReadError, match="is not NAME=SHARE; write for example"):
        thresholds((text,), 0.2)


def test_a_threshold_that_fits_nothing_names_the_nearest() -> None:
    with pytest.raises(ReadError, match=r"--threshold walet_mean fits no figure; did you mean wallet_mean\?"):
        verdicts({"wallet_mean": 1.0}, {"wallet_mean": 1.0}, "walet_mean=0.1")
    with pytest.raises(ReadError, match="--default-threshold is nan"):
        thresholds((), float("nan"))


def run_with(path: Path, **kpis: float) -> Path:
    teller = Teller()
    teller.run()
    teller.measures(1, 10, {name: spread(value) for name, value in kpis.items()})
    return write(path, teller.records)


def test_exit_codes_say_whether_there_is_a_drift(tmp_path: Path) -> None:
    before = run_with(tmp_path / "before.jsonl", alive=8.0, wallet_mean=4.0)
    now = run_with(tmp_path / "now.jsonl", alive=8.0, wallet_mean=5.0)
    code, said, _ = ask("summary", now, "--baseline", before)
    assert code == 3
    assert "1 of 2 figures drifted." in said
    assert ask("summary", now, "--baseline", before, "--threshold", "wallet_mean=0.3")[0] == 0
    assert ask("summary", now, "--baseline", before, "--default-threshold", "0.25")[0] == 0
    code, said, _ = ask("summary", now, "--baseline", before, "--format", "json")
    data = json.loads(said)["drift"]
    assert (code, data["found"]) == (3, 1)
    assert data["differences"][1] == {
        "figure": "wallet_mean", "baseline": 4.0, "value": 5.0, "absolute": 1.0, "relative": 0.25, "threshold": "0.2 x",
        "verdict": "drift",
    }  # fmt: skip
    assert "exit code 3 if a figure" in " ".join(ask("summary", "--help")[1].split())


def test_a_saved_summary_is_as_good_as_its_run(tmp_path: Path) -> None:
    run = write(tmp_path / "run.jsonl", small_town())
    saved = tmp_path / "summary.json"
    saved.write_text(ask("summary", run, "--format", "json")[1])
    by_run, by_saved = (
        json.loads(ask("summary", run, "--baseline", baseline, "--format", "json")[1])["drift"]["differences"]
        for baseline in (run, saved)
    )
    assert by_run == by_saved
    assert {one["verdict"] for one in by_run} == {"within"}
    assert {"wallet_mean", "terms.survival"} <= {one["figure"] for one in by_run}


def test_training_logs_are_compared_by_their_last_tenth(tmp_path: Path) -> None:
    before = write(tmp_path / "before.jsonl", training_rows(20, kl=[9.0] * 18 + [1.0] * 2))
    now = write(tmp_path / "now.jsonl", training_rows(20, kl=[0.0] * 18 + [1.1] * 2))
    assert ask("summary", now, "--baseline", before)[0] == 0
    assert ask("summary", now, "--baseline", before, "--default-threshold", "0.05")[0] == 3


def test_what_cannot_be_compared_is_one_sentence(tmp_path: Path) -> None:
    run = write(tmp_path / "run.jsonl", small_town())
    two = write(tmp_path / "two.jsonl", [*small_town(), *[record | {"run_id": "r2"} for record in small_town()]])
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(run.read_bytes() + b"oops\n")
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"form": "townlet_jax summary", "version": 9}))
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps({"form": "townlet_jax summary", "version": 1, "runs": [{"kpis": 3}], "training": []}))
    for arguments, sentence in (
        ((run, "--baseline", two), "holds 2 runs, but a baseline compares one with one"),
        ((two, "--baseline", run), "holds 2 runs"),
        ((run, "--baseline", broken), "--baseline has bad lines"),
        ((run, "--baseline", old), "is a summary of version 9; make it again"),
        ((run, "--baseline", bare), "is a damaged summary"),
        ((run, "--baseline", tmp_path / "none"), "does not exist"),
        ((run, "--threshold", "alive=0.1"), "has nothing to compare with"),
    ):
        code, _, said = ask("summary", *arguments)
        assert code == 2
        assert said.startswith("error: ")
        assert sentence in said
        assert said.count("\n") == 1
