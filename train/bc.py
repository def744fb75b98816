"""`python -m train.bc configs/train/bc.yaml --data DIR --out DIR`: learn to act like the policy of a dataset.

Owns the command, its files and its exit codes: 0 done, 1 stopped because a loss was no number any more or a checkpoint
could not be saved, 2 bad input (one sentence on stderr), 3 done, but the accuracy on held-out towns is below the gate
(`clone.accuracy`), 130 and 143 stopped by Ctrl-C or SIGTERM.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from townlet_jax import files, runtime
from townlet_jax.config import Built, ConfigError
from townlet_jax.core.observe.layout import layout
from townlet_jax.policy.network import Network, NetworkConfig
from townlet_jax.run import RunError
from townlet_jax.snapshots import Best, SaveError, Store, StoreError, sources, weights
from townlet_jax.snapshots.signals import StopRequest
from train import arguments, audit, building, checkpoints, datasets, exams, progress, recipes, study
from train.datasets import Dataset
from train.exams import Exam
from train.learner import Knowledge
from train.lessons import Index, Lessons
from train.logging import FILE, Log
from train.recipes import CloneRun
from train.settings import Settings
from train.study import Studied
from train.writers import Row

DONE, STOPPED, BELOW_THE_GATE = 0, 1, 3
SUMMARY = "summary.json"
BEST = Best("held_out_accuracy")


def main(words: Sequence[str]) -> int:
    """Clone and return the exit code; errors become one sentence on stderr."""
    try:
        return carry_out(_parser().parse_intermixed_args(list(words)))
    except SaveError as error:
        arguments.refuse(str(error))
        return STOPPED
    except (ConfigError, RunError, StoreError) as error:
        return arguments.refuse(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = arguments.Parser(
        prog="python -m train.bc",
        description="Learn to act like the policy of a dataset.",
        epilog=f"Exit code {BELOW_THE_GATE}: the accuracy on held-out towns is below the gate, clone.accuracy.",
    )
    parser.add_argument("config", help="settings, such as configs/train/bc.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY.SUB=VALUE", help="changes, such as clone.steps=500")
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        required=True,
        metavar="DIR",
        help="folder of a dataset, or a curated table in it; once for each",
    )
    parser.add_argument("--out", type=Path, required=True, help=f"folder for checkpoints, {FILE} and {SUMMARY}")
    parser.add_argument("--init-from", metavar="PLACE", help="begin with the weights of another run or file")
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Clone as the options say."""
    ready = runtime.configure()
    remarks = Console(stderr=True, quiet=given.quiet)
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    run = recipes.load(CloneRun, given.config, given.overrides)
    built = building.built_town(Settings(town=run.town))
    lessons = lessons_of(given.data, built, run)
    net = Network(NetworkConfig(**run.network.model_dump()), layout(built.spec))
    cloner = study.cloner_for(net, built, run.clone)
    known = study.newborn(net, run.seed) if given.init_from is None else taught(net, built, run.seed, given.init_from)
    files.check_folder(given.out)
    with ExitStack() as held:
        request = held.enter_context(StopRequest())
        saver = held.enter_context(Saver(given.out / sources.FOLDER, built, net, run))
        log = held.enter_context(Log(given.out))
        advance = held.enter_context(progress.bar("steps", run.clone.steps, remarks))

        def note(row: Row) -> None:
            log.add(row)
            advance(row["update"] + 1, f"accuracy {row['accuracy']:.3f}, {row['rows_per_s']:,.0f} rows/s")

        studied = study.study(
            cloner,
            lessons,
            run.clone,
            known,
            steps=run.clone.steps,
            on_row=note,
            keep=saver.save,
            stop=lambda: request.is_made,
        )
    document = summary(run, lessons, studied, given.out / sources.FOLDER)
    with files.replacing(given.out / SUMMARY) as file:
        file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    if given.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    if studied.lost:
        print(f"error: {stopped(studied)}", file=sys.stderr)
        return STOPPED
    if studied.exam is not None:
        remarks.print(exams.shown(studied.exam, lessons.choices))
        remarks.print(Text(verdict(run, studied.steps, studied.exam)))
    if request.is_made:
        return request.exit_code
    return DONE if is_passed(run, studied) else BELOW_THE_GATE


def lessons_of(places: Sequence[Path], built: Built, run: CloneRun) -> Lessons:
    """Return the checked rows of datasets; raises `RunError` naming what is wrong with one."""
    data, clone = [checked(place, built) for place in places], run.clone
    lessons = Lessons(data, held_out=clone.held_out, seed=run.seed, hidden=clone.hidden)
    study.demand_batch(run.clone, lessons, recurrent=run.network.core != "none")
    return lessons


def checked(place: Path, built: Built) -> Dataset:
    """Return a dataset that is what it says, and what a network in this town would see."""
    dataset = datasets.opened(place)
    datasets.demand_sight(dataset, built)
    audit.demand(dataset)
    return dataset


def taught(net: Network, built: Built, seed: int, place: str) -> Knowledge:
    """Return a learner that begins with the weights from a place; raises `StoreError` if they do not fit."""
    import jax
    import jax.numpy as jnp

    known = sources.read(place)
    weights.demand_reading(known, built, net.config)
    weights.demand_shapes(known, weights.shapes_of(net.config, layout(built.spec)))
    return study.fresh(jax.tree.map(jnp.asarray, known.parameters), jax.random.key(seed, impl="threefry2x32"))


class Saver:
    """Keeps what was learned, as the checkpoints of a learner without towns; use it in a `with`."""

    def __init__(self, folder: Path, built: Built, net: Network, run: CloneRun) -> None:
        self._about = {
            "kind": sources.KIND,
            "format": sources.FORMAT,
            "members": 0,
            "network": dataclasses.asdict(net.config),
            "settings": run.model_dump(mode="json"),
            "best": {"metric": BEST.metric, "mode": BEST.mode},
        }
        kept = checkpoints.flat(run.model_dump(mode="json"))
        self._store = Store(
            folder, identity=weights.identity_of(built, net.config, kept), keep_latest=2, keep_best=BEST
        )
        newest = self._store.latest()
        if newest is not None:
            self._store.close()
            raise RunError(f"--out holds checkpoint {newest} of another run; give a new folder.")

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *error: object) -> None:
        self._store.close()

    def save(self, knowledge: Knowledge, row: Row) -> None:
        """Begin to save what is known after a look at held-out rows."""
        figures = {name: value for name, value in row.items() if isinstance(value, float)}
        self._store.save(row["update"] + 1, {"learner": knowledge}, meta=self._about, metrics=figures)


def summary(run: CloneRun, lessons: Lessons, studied: Studied, folder: Path) -> dict[str, Any]:
    """Return everything about a run as one JSON object."""
    return {
        "settings": run.model_dump(mode="json"),
        "data": [about(one, *towns) for one, towns in zip(lessons.data, lessons.split, strict=True)],
        "decisions": len(lessons.taught),
        "checkpoints": str(folder),
        "steps": studied.steps,
        "seconds": studied.seconds,
        "compile_seconds": studied.compile_seconds,
        "device": runtime.device(),
        "versions": runtime.versions(),
        "gate": {"accuracy": run.clone.accuracy, "passed": is_passed(run, studied)},
        "diverged": studied.lost,
        "exam": None if studied.exam is None else exams.as_json(studied.exam, lessons.choices),
    }


def about(dataset: Dataset, taught: Index, held: Index) -> dict[str, Any]:
    """Return what is known of a dataset, and how its towns were split."""
    return {
        "folder": str(dataset.folder),
        "curated": dataset.curated,
        "table": dataset.head.table,
        "policy": dataset.head.policy,
        "labels": dataset.head.labels,
        "config_hash": dataset.head.config_hash,
        "taught_towns": taught.tolist(),
        "held_out_towns": held.tolist(),
    }


def is_passed(run: CloneRun, studied: Studied) -> bool:
    """Tell whether the gate is passed."""
    return studied.exam is not None and studied.exam.accuracy >= run.clone.accuracy


def stopped(studied: Studied) -> str:
    """Say why a run was stopped."""
    return (
        f"Stopped after {studied.steps} steps, because {', '.join(studied.lost)} is no number any more; lower "
        "clone.learning_rate or clone.max_grad_norm."
    )


def verdict(run: CloneRun, steps: int, exam: Exam) -> str:
    """Say how it went."""
    gate = "the gate is passed" if exam.accuracy >= run.clone.accuracy else "the gate is missed"
    return (
        f"{steps:,} steps: {exam.accuracy:.2%} of {exam.rows:,} held-out decisions are right, {gate} "
        f"({run.clone.accuracy:.0%}); the best that these observations allow is {exam.ceiling.accuracy:.2%} "
        f"({exam.ceiling.twins:,} rows look like another one), always doing the commonest thing {exam.majority:.2%}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
