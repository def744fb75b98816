"""Records of learning hold what the runs and the evaluation said."""

import json
from pathlib import Path
from typing import Any

from benchmarks import learning


def test_curves_seeds_and_intervals_are_kept(tmp_path: Path) -> None:
    about: dict[str, Any] = {
        "settings": {"seed": 7, "towns": 2},
        "agent_steps": 20,
        "seconds": 2.0,
        "compile_seconds": 9.0,
        "agent_steps_per_s": 10.0,
        "devices": 2,
        "device": "2 cpu devices: test",
        "versions": {"jax": "0.10.2"},
    }
    run = tmp_path / "run"
    run.mkdir()
    (run / "summary.json").write_text(json.dumps(about | {"last": []}))
    rows = [dict.fromkeys(learning.CURVE, 1.0) | {"update": update, "loss": 5.0} for update in (0, 1)]
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    interval = {"mean": 1.0, "low": 0.5, "high": 1.5, "towns": 4}
    kpis = dict.fromkeys((*learning.JUDGED, "other"), interval)
    policies = [
        {"policy": "scripted", "about": {}, "kpis": kpis, "differences": {}},
        {
            "policy": "/somewhere/run",
            "about": {"weights": "/somewhere", "updates": 2},
            "kpis": kpis,
            "differences": kpis,
        },
    ]
    head = {
        "config": "default",
        "config_hash": "ab",
        "towns": 4,
        "ticks": 9,
        "seed": 0,
        "level": 0.95,
        "device": "test",
    }
    evaluation = tmp_path / "evaluation.json"
    evaluation.write_text(json.dumps(head | {"policies": policies, "versions": {}}))
    out = tmp_path / "learning.json"
    assert learning.main([str(run), "--evaluation", str(evaluation), "--command", "train", "--out", str(out)]) == 0
    record = json.loads(out.read_text())
    (kept,) = record["runs"]
    assert (kept["seed"], kept["curve"]["update"], set(kept["curve"])) == (7, [0, 1], set(learning.CURVE))
    assert (record["command"], record["evaluation"]["towns"]) == ("train", 4)
    learned = record["evaluation"]["policies"][1]
    assert (learned["policy"], learned["about"]) == ("run", {"updates": 2})
    assert set(learned["differences"]) == set(learned["kpis"]) == set(learning.JUDGED)


def test_an_anneal_keeps_its_stages_and_shares(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "result.json").write_text(
        json.dumps({"settings": {"seed": 3}, "status": "PASS", "stages": [1, 2], "seconds": 5})
    )
    rows = [{"stage": "clone", "update": 9, "loss": 1.0}]
    rows += [
        dict.fromkeys(learning.CURVE, 1.0) | {"update": update, "stage": "ppo", "script_share": share}
        for update, share in ((0, 0.5), (1, 0.0))
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = learning.run_of(run)
    assert (kept["seed"], kept["status"], kept["stages"]) == (3, "PASS", [1, 2])
    assert kept["curve"]["update"] == [0, 1]
    assert kept["curve"]["script_share"] == [0.5, 0.0]
