"""`python -m benchmarks.learning RUN... --evaluation FILE --command TEXT --out FILE`: a record of how learners learned.

RUN is a folder that `train.ppo --out` or `train.anneal --out` made, FILE what `townlet evaluate --out` wrote about its
network. The record holds device, versions, settings, seeds, curves, and the intervals of the evaluation; nothing is
measured here.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CURVE = ("update", "seconds", "agent_steps_total", "agent_steps_per_s", "return_per_agent_day", "entropy", "kl")
HANDED = ("stage", "script_share")  # over the updates of an anneal
SUMMARIES = ("summary.json", "result.json")  # of PPO, of an anneal
JUDGED = (
    "reward_per_agent_day", "punctuality", "absences_per_agent_day", "solvency", "exits_faint_per_agent_day",
    "exits_eviction_rent_per_agent_day", "wages_paid_per_agent_day",
)  # fmt: skip


def run_of(folder: Path) -> dict[str, Any]:
    """Return what one run was and how it went; clone stages are figures of `stages` and have no curve."""
    file = next(folder / name for name in SUMMARIES if (folder / name).is_file())
    summary = json.loads(file.read_text(encoding="utf-8"))
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    kept = (
        "settings",
        "agent_steps",
        "seconds",
        "compile_seconds",
        "agent_steps_per_s",
        "devices",
        "device",
        "versions",
        "status",
        "metrics",
        "stages",
    )
    rows = [row for row in map(json.loads, lines) if row.get("stage") != "clone"]
    return {
        "seed": summary["settings"]["seed"],
        **{name: summary[name] for name in kept if name in summary},
        "curve": {name: [row[name] for row in rows] for name in (*CURVE, *HANDED) if name in rows[0]},
    }


def evaluation_of(file: Path) -> dict[str, Any]:
    """Return the figures by which policies are judged, each with its interval, and their differences."""
    whole = json.loads(file.read_text(encoding="utf-8"))
    policies = [
        {
            "policy": Path(one["policy"]).name,
            "about": {name: value for name, value in one["about"].items() if name != "weights"},
            "kpis": {name: one["kpis"][name] for name in JUDGED},
            "differences": {name: one["differences"][name] for name in JUDGED if name in one["differences"]},
        }
        for one in whole["policies"]
    ]
    about = {name: whole[name] for name in ("config", "config_hash", "towns", "ticks", "seed", "level", "device")}
    return about | {"policies": policies}


def main(arguments: Sequence[str]) -> int:
    """Write the record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description="Keep how a learner learned.")
    parser.add_argument("runs", nargs="+", type=Path, help="folders that train.ppo or train.anneal --out made")
    parser.add_argument("--evaluation", type=Path, help="evaluation.json of townlet evaluate")
    parser.add_argument("--command", required=True, help="how the runs were started")
    parser.add_argument("--remark", default="", help="what a reader should know, such as the load of the machine")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    given = parser.parse_args(list(arguments))
    record = {
        "command": given.command,
        "remark": given.remark,
        "runs": [run_of(folder) for folder in given.runs],
        "evaluation": None if given.evaluation is None else evaluation_of(given.evaluation),
    }
    given.out.write_text(json.dumps(record, allow_nan=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
