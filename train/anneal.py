"""`python -m train.anneal configs/train/anneal.yaml --data DIR --out DIR`: from the script to the learner.

Stages of cloning and of PPO, one learner all the way. In PPO stages the script makes a share of the decisions, which
falls to nothing and is frozen while key figures are bad (`train.handover`). Owns the command, `result.json` and the
exit codes: 0 PASS, 1 FAIL, 2 bad input (one sentence on stderr), 3 HOLD, 130 and 143 stopped by Ctrl-C or SIGTERM.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from townlet_jax import files, runtime
from townlet_jax.config import ConfigError
from townlet_jax.run import RunError
from townlet_jax.snapshots import SaveError, StoreError, sources
from townlet_jax.snapshots.signals import StopRequest
from train import arguments, bc, building, checkpoints, handover, progress, recipes
from train.annealing import Annealed, Annealing
from train.checkpoints import Checkpoints, Rules
from train.handover import Verdict
from train.lessons import Lessons
from train.logging import FILE, Log
from train.recipes import AnnealRun, CloneRun
from train.writers import Row

CODES = {"PASS": 0, "FAIL": 1, "HOLD": 3}
RESULT = "result.json"
FORMAT = 1


def main(words: Sequence[str]) -> int:
    """Anneal and return the exit code; errors become one sentence on stderr."""
    try:
        return carry_out(_parser().parse_intermixed_args(list(words)))
    except SaveError as error:
        arguments.refuse(str(error))
        return CODES["FAIL"]
    except (ConfigError, RunError, StoreError) as error:
        return arguments.refuse(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = arguments.Parser(
        prog="python -m train.anneal",
        description="Clone the script, then hand its decisions over to the learner while it learns by PPO.",
        epilog="Exit codes: 0 PASS, 1 FAIL, 2 bad input, 3 HOLD.",
    )
    parser.add_argument("config", help="settings, such as configs/train/anneal.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY.SUB=VALUE", help="changes, such as anneal.window=10")
    parser.add_argument(
        "--data", type=Path, action="append", metavar="DIR", help="dataset for clone stages; once for each"
    )
    parser.add_argument("--out", type=Path, required=True, help=f"folder for checkpoints, {FILE} and {RESULT}")
    parser.add_argument("--init-from", metavar="PLACE", help="begin with the weights of another run or file")
    parser.add_argument("--save-every", type=int, default=10, metavar="N", help="updates between checkpoints")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Anneal as the options say."""
    ready = runtime.configure()
    remarks = Console(stderr=True, quiet=given.quiet)
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    run = recipes.load(AnnealRun, given.config, given.overrides)
    if given.save_every < 1:
        raise RunError(f"--save-every is {given.save_every}, but must be 1 or more; change it.")
    setup = building.set_up(run.learner())
    lessons = lessons_of(given, run, setup)
    files.check_folder(given.out)
    with ExitStack() as held:
        request = held.enter_context(StopRequest())
        saver = held.enter_context(
            Checkpoints(given.out / sources.FOLDER, setup, Rules(every=given.save_every, latest=3))
        )
        saver.demand_room(0)
        log = held.enter_context(Log(given.out))
        advance = held.enter_context(progress.bar("updates", run.learner().updates, remarks))

        def note(row: Row) -> None:
            log.add(row)
            share = row.get("script_share")
            said = f"clone, accuracy {row['accuracy']:.3f}" if share is None else f"script {share:.0%}"
            advance(row["update"] + 1 if share is not None else 0, said)

        annealing = Annealing(run, setup, lessons, saver=saver, on_row=note, stop=lambda: request.is_made)
        if given.init_from is not None:
            annealing.course = checkpoints.taught(setup, annealing.course, given.init_from)
        annealed = annealing.run_all()
        saver.store.wait()
        step = saver.store.latest()
    judged = judge(run, annealed, stopped=request.is_made)
    document = result(run, annealed, judged, given.out / sources.FOLDER, step)
    with files.replacing(given.out / RESULT) as file:
        file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    if given.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    reasons = f": {'; '.join(judged.reasons)}" if judged.reasons else ""
    remarks.print(Text(f"{judged.status}{reasons}."))
    return request.exit_code if request.is_made else CODES[judged.status]


def lessons_of(given: argparse.Namespace, run: AnnealRun, setup: building.Setup) -> Lessons | None:
    """Return the checked rows for clone stages, None where there is no such stage."""
    clones = any(stage.kind == "clone" for stage in run.anneal.stages)
    if not clones:
        return None
    if given.data is None:
        raise RunError("A clone stage needs a dataset; give --data, or leave the stage out of anneal.stages.")
    settings = CloneRun(town=run.town, network=run.network, clone=run.clone, seed=run.seed)
    return bc.lessons_of(given.data, setup.built, settings)


def judge(run: AnnealRun, annealed: Annealed, *, stopped: bool) -> Verdict:
    """Return the verdict."""
    missed = [
        f"cloning reached {exam.accuracy:.2%} on held-out towns, below {run.clone.accuracy:.0%}"
        for exam in annealed.exams[-1:]
        if exam.accuracy < run.clone.accuracy
    ]
    return handover.verdict(annealed.end, annealed.rules, gates_missed=missed, lost=annealed.lost, stopped=stopped)


def result(run: AnnealRun, annealed: Annealed, judged: Verdict, folder: Path, step: int | None) -> dict[str, Any]:
    """Return what a promotion gate reads: the verdict, the figures it rests on, and where the weights are."""
    end = annealed.end
    measured = end is not None and end.start is not None
    start = dict(end.start) if end is not None and end.start is not None else None
    share = None if end is None else end.share
    return {
        "kind": "anneal",
        "format": FORMAT,
        "status": judged.status,
        "reasons": list(judged.reasons),
        "metrics": handover.means(end.recent) if end is not None and measured else None,
        "start": start,
        "thresholds": None if start is None else handover.thresholds(start, annealed.rules.tolerance),
        "clone_accuracy": annealed.exams[-1].accuracy if annealed.exams else None,
        "clone_threshold": run.clone.accuracy,
        "script_share": share,
        "anneal_ratio": None if share is None else 1.0 - share,
        "frozen_updates": 0 if end is None else end.frozen,
        "updates": annealed.updates,
        "checkpoint": None if step is None else f"{folder}@{step}",
        "identity": replace_ratio(annealed, share),
        "stages": annealed.stages,
        "settings": run.model_dump(mode="json"),
        "seconds": annealed.seconds,
        "device": runtime.device(),
        "versions": runtime.versions(),
    }


def replace_ratio(annealed: Annealed, share: float | None) -> dict[str, Any]:
    """Return whose checkpoint it is, with the share of decisions that are its own."""
    whole = checkpoints.identity_of(annealed.setup)
    return whole.model_copy(update={"anneal_ratio": None if share is None else 1.0 - share}).model_dump(mode="json")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
