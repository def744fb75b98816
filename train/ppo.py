"""`python -m train.ppo configs/train/NAME.yaml [key.sub=value ...]`: learn by PPO and report every update.

Owns the loop and the exit codes: 0 done, 1 stopped because a loss was no number any more or a checkpoint could not be
saved, 2 bad input (one sentence on stderr), 130 and 143 stopped by Ctrl-C or SIGTERM after the running update.
"""

import argparse
import functools
import json
import operator
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console
from rich.text import Text

from townlet_jax import files, runtime
from townlet_jax.config import ConfigError
from townlet_jax.run import RunError
from townlet_jax.snapshots import SaveError, Store, StoreError, processes, sources
from townlet_jax.snapshots.signals import StopRequest
from train import arguments, building, checkpoints, logging, reading, together, writers
from train.building import Setup
from train.checkpoints import Checkpoints, Course
from train.learner import Report
from train.logging import Log
from train.update import Hyper
from train.writers import Row

DONE, STOPPED = 0, 1
SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a run ended."""

    rows: list[Row]
    began_after: int  # updates that another run had done
    updates: int  # done in all
    seconds: float  # without compiling
    compile_seconds: float
    lost: list[str]  # figures that were no numbers any more


def main(words: Sequence[str]) -> int:
    """Train and return the exit code; errors become one sentence on stderr."""
    options = arguments.parser("python -m train.ppo", "Train a network on towns by PPO.", summary=SUMMARY)
    try:
        return carry_out(arguments.checked(options.parse_intermixed_args(list(words))))
    except SaveError as error:
        arguments.refuse(str(error))
        return STOPPED
    except (ConfigError, RunError, StoreError) as error:
        return arguments.refuse(str(error))


def carry_out(given: argparse.Namespace) -> int:
    """Train as the options say."""
    ready = runtime.configure()
    together.meet(given)
    remarks = Console(stderr=True, quiet=given.quiet or not processes.is_primary())
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    settings = reading.load(given.config, given.overrides)
    rules = arguments.rules_of(given)
    if given.out is not None:
        files.check_folder(given.out)
    setup = building.set_up(settings, members=given.population)
    together.demand_all(setup.mesh)
    with ExitStack() as held:
        request = held.enter_context(StopRequest())
        folder = arguments.folder_of(given)
        saver = None if folder is None else held.enter_context(Checkpoints(folder, setup, rules))
        course = beginning(setup, saver, given, remarks)
        log = held.enter_context(log_of(given, setup, course.update))
        advance = held.enter_context(logging.progress_bar(settings.updates, remarks))
        trained = train(setup, log=log, course=course, saver=saver, on_row=advance, stop=lambda: request.is_made)
    document = summary(setup, trained)
    if given.json and processes.is_primary():
        print(json.dumps(document, allow_nan=False), flush=True)
    if given.out is not None and processes.is_primary():
        with files.replacing(given.out / SUMMARY) as file:
            file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    if trained.rows:
        remarks.print(logging.summary_line(trained.rows))
    if trained.lost:
        print(verdict(trained, saver), file=sys.stderr)
        return STOPPED
    return request.exit_code if trained.updates < settings.updates else DONE


def beginning(setup: Setup, saver: Checkpoints | None, given: argparse.Namespace, remarks: Console) -> Course:
    """Return where the run begins: at nothing, with weights from elsewhere, or where another one stood."""
    place = given.resume
    if place == arguments.AUTO and (saver is None or saver.store.latest() is None):
        place = None
    if place is None:
        if saver is not None:
            saver.demand_room(0)
        course = checkpoints.begun(setup)
        return course if given.init_from is None else checkpoints.taught(setup, course, given.init_from)
    if place in (arguments.NEWEST, arguments.AUTO):
        assert saver is not None, "arguments.checked has seen a folder"
        course, damaged = checkpoints.resumed(setup, saver.store, None)
    else:
        root, step, _ = sources.located(place)
        with Store(root, identity=checkpoints.identity_of(setup), read_only=True) as store:
            course, damaged = checkpoints.resumed(setup, store, sources.chosen(store, step))
    for sentence in damaged:
        remarks.print(Text(sentence, style="yellow"))
    if saver is not None:
        saver.demand_room(course.update)
    remarks.print(Text(f"Going on after update {course.update}."))
    return course


def log_of(given: argparse.Namespace, setup: Setup, first: int) -> Log:
    """Return the log of a run that begins after so many updates; only the first of several processes keeps one."""
    if given.out is None or not processes.is_primary():
        return Log(None)
    settings = checkpoints.flat(setup.settings.model_dump(mode="json"))
    return Log(given.out, first=first, more=functools.partial(writers.opened, given.log, given.out, settings))


def train(
    setup: Setup,
    *,
    log: Log,
    course: Course | None = None,
    saver: Checkpoints | None = None,
    on_row: Callable[[Row], None] = lambda row: None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Run all updates, or until `stop` says so or a figure is no number any more; what is good is saved."""
    start = checkpoints.begun(setup) if course is None else course
    course, updates, learner = start, setup.settings.updates, setup.learner
    if start.update < updates:
        learner.compile(hyper_of(setup, 0), start.knowledge, start.standing)
    lost: list[str] = []
    began = time.perf_counter() - start.seconds
    while course.update < updates and not lost and processes.all_agree(not stop()):
        course, rows = step(setup, course, began)
        for row in rows:
            log.add(row)
            on_row(row)
            lost += logging.not_finite(row)
        if saver is not None and not lost:
            saver.note(rows)
            lost += saver.save(course) if saver.is_due(course.update) else []
    if saver is not None:
        lost += saver.save(course) if not lost and course.update > start.update else []
        saver.store.wait()
    return Trained(
        rows=log.rows,
        began_after=start.update,
        updates=course.update,
        seconds=time.perf_counter() - began,
        compile_seconds=learner.compile_seconds,
        lost=list(dict.fromkeys(lost)),
    )


def step(setup: Setup, course: Course, began: float) -> tuple[Course, list[Row]]:
    """Do one update; return where the run stands then, and a row for each member."""
    update, started = course.update, time.perf_counter()
    knowledge, standing, report = setup.learner.step(hyper_of(setup, update), course.knowledge, course.standing)
    found = rows_of(setup, report, update)
    now = time.perf_counter()
    steps = tuple(before + row["agent_steps"] for before, row in zip(course.agent_steps, found, strict=True))
    rows = [
        {
            "update": update,
            **({"member": member} if setup.members else {}),
            "agent_steps_total": steps[member],
            "seconds": now - began,
            "agent_steps_per_s": figures["agent_steps"] / (now - started),
            **figures,
        }
        for member, figures in enumerate(found)
    ]
    after = Course(update=update + 1, knowledge=knowledge, standing=standing, agent_steps=steps, seconds=now - began)
    return after, rows


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
        "began_after": trained.began_after,
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


def verdict(trained: Trained, saver: Checkpoints | None) -> str:
    """Say why a run was stopped, and what is left of it."""
    newest = None if saver is None else saver.store.latest()
    if saver is None or newest is None:
        left = "nothing was saved"
    else:
        left = f"checkpoint {newest} in {saver.store.root} is the last good one"
    return (
        f"Stopped after update {trained.updates - 1}, because {', '.join(trained.lost)} is no number any more; "
        f"{left}; lower ppo.learning_rate or ppo.max_grad_norm."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
