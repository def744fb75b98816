"""`python -m train.ppo configs/train/NAME.yaml [key.sub=value ...]`: learn by PPO and report every update.

Owns the loop and the exit codes: 0 done, 1 stopped because a loss was no number any more, 2 bad input (one sentence
on stderr), 130 and 143 stopped by Ctrl-C or SIGTERM after the running update.
"""

import argparse
import json
import operator
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.text import Text

from townlet_jax import files, runtime
from townlet_jax.cli_run import check_folder
from townlet_jax.config import ConfigError
from townlet_jax.run import RunError
from townlet_jax.snapshots.signals import StopRequest
from train import building, logging, reading
from train.building import Setup
from train.learner import Report
from train.logging import Log, Row
from train.update import Hyper

DONE, DIVERGED, BAD_INPUT = 0, 1, 2
SUMMARY = "summary.json"
MOST_MEMBERS = 1024


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a run ended."""

    rows: list[Row]
    updates: int
    seconds: float  # without compiling
    compile_seconds: float
    lost: list[str]  # figures that were no numbers any more


def main(arguments: Sequence[str]) -> int:
    """Train and return the exit code; errors become one sentence on stderr."""
    try:
        return carry_out(_parser().parse_intermixed_args(list(arguments)))
    except (ConfigError, RunError) as error:
        return refuse(str(error))


def carry_out(given: argparse.Namespace) -> int:
    """Train as the options say."""
    ready = runtime.configure()
    remarks = Console(stderr=True, quiet=given.quiet)
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    settings = reading.load(given.config, given.overrides)
    if given.out is not None:
        check_folder(given.out)
    if not 0 <= given.population <= MOST_MEMBERS:
        raise RunError(f"--population is {given.population}, but must be 0 to {MOST_MEMBERS}; give how many to train.")
    setup = building.set_up(settings, members=given.population)
    with (
        StopRequest() as request,
        Log(given.out) as log,
        logging.progress_bar(settings.updates, remarks) as advance,
    ):
        trained = train(setup, log=log, on_row=advance, stop=lambda: request.is_made)
    document = summary(setup, trained)
    if given.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    if given.out is not None:
        with files.replacing(given.out / SUMMARY) as file:
            file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    if trained.rows:
        remarks.print(logging.summary_line(trained.rows))
    if trained.lost:
        print(
            f"Stopped after update {trained.updates - 1}, because {', '.join(trained.lost)} is no number any more; "
            "lower ppo.learning_rate or ppo.max_grad_norm.",
            file=sys.stderr,
        )
        return DIVERGED
    return request.exit_code if trained.updates < settings.updates else DONE


def train(
    setup: Setup,
    *,
    log: Log,
    on_row: Callable[[Row], None] = lambda row: None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Run all updates, or until `stop` says so or a figure is no number any more."""
    settings, learner = setup.settings, setup.learner
    seeds = [settings.seed + member for member in range(setup.members)]
    knowledge, standing = learner.begin(seeds or settings.seed)
    learner.compile(hyper_of(setup, 0), knowledge, standing)
    began = time.perf_counter()
    lost: list[str] = []
    done = [0] * max(1, setup.members)
    updates = 0
    while updates < settings.updates and not lost and not stop():
        started = time.perf_counter()
        knowledge, standing, report = learner.step(hyper_of(setup, updates), knowledge, standing)
        rows = rows_of(setup, report, updates)
        now = time.perf_counter()
        for member, figures in enumerate(rows):
            done[member] += figures["agent_steps"]
            row = {
                "update": updates,
                **({"member": member} if setup.members else {}),
                "agent_steps_total": done[member],
                "seconds": now - began,
                "agent_steps_per_s": figures["agent_steps"] / (now - started),
                **figures,
            }
            log.add(row)
            on_row(row)
            lost += logging.not_finite(row)
        updates += 1
    return Trained(
        rows=log.rows,
        updates=updates,
        seconds=time.perf_counter() - began,
        compile_seconds=learner.compile_seconds,
        lost=list(dict.fromkeys(lost)),
    )


def hyper_of(setup: Setup, update: int) -> Hyper:
    """Return the settings of an update, for every member of a population."""
    alone = building.hyper_at(setup.settings.ppo, update, setup.settings.updates)
    if not setup.members:
        return alone
    many: Hyper = jax.tree.map(lambda number: jnp.full(setup.members, number), alone)
    return many


def rows_of(setup: Setup, report: Report, update: int) -> list[Row]:
    """Return the figures of an update, one row a member."""
    hyper = building.hyper_at(setup.settings.ppo, update, setup.settings.updates)
    day = int(setup.built.params.clock.ticks_per_day)
    found = jax.device_get(report)
    if not setup.members:
        return [logging.row_of(found, hyper, ticks_per_day=day)]
    each = (jax.tree.map(operator.itemgetter(member), found) for member in range(setup.members))
    return [logging.row_of(one, hyper, ticks_per_day=day) for one in each]


def summary(setup: Setup, trained: Trained) -> dict[str, Any]:
    """Return everything about a run as one JSON object; `last` has the rows of the last update."""
    last = trained.rows[-max(1, setup.members) :]
    steps = sum(row["agent_steps_total"] for row in last)
    return {
        "settings": setup.settings.model_dump(mode="json"),
        "config_hash": setup.built.names.config_hash,
        "population": setup.members,
        "updates": trained.updates,
        "agent_steps": steps,
        "seconds": trained.seconds,
        "compile_seconds": trained.compile_seconds,
        "agent_steps_per_s": steps / max(trained.seconds, 1e-9),
        "devices": setup.mesh.size,
        "device": runtime.device(),
        "versions": runtime.versions(),
        "diverged": trained.lost,
        "last": [json.loads(logging.as_json(row)) for row in last],
    }


class _Parser(argparse.ArgumentParser):
    """Refuses in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        raise SystemExit(refuse(f"{message}; see 'python -m train.ppo --help'."))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m train.ppo", description="Train a network on towns by PPO.")
    parser.add_argument("config", help="settings, such as configs/train/options.yaml")
    parser.add_argument("overrides", nargs="*", metavar="KEY.SUB=VALUE", help="changes, such as ppo.clip=0.1")
    parser.add_argument("--out", type=Path, help=f"folder for {logging.FILE} and {SUMMARY}")
    parser.add_argument(
        "--population", type=int, default=0, metavar="N", help="train N seeds (seed, seed + 1, ...) beside each other"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return parser


def refuse(sentence: str) -> int:
    """Say on stderr, in one printable line, why nothing was done."""
    printable = "".join(letter if letter.isprintable() else " " for letter in sentence)
    print(f"error: {' '.join(printable.split())}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
