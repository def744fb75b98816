"""`townlet run`: from the options to a report. Owns what is printed where, and `summary.json`.

Progress and remarks go to stderr, results to stdout. With `--json` the last line of stdout is one object.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from townlet_jax import files, report, run, runtime
from townlet_jax.cli_progress import progress_bar, stoppable
from townlet_jax.config import Built, build, load
from townlet_jax.core.batch import town_of
from townlet_jax.ui import kpi_table, text_map

DONE, FAULTY, INTERRUPTED = 0, 1, 130
SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `townlet run`."""

    config: str
    overrides: tuple[str, ...]
    towns: int
    days: float | None
    ticks: int | None
    policy: str | None
    seed: int | None
    chunk: int
    out: Path | None
    json: bool
    quiet: bool


def carry_out(request: Request) -> int:
    """Run and report; returns the exit code. Raises `ConfigError` or `RunError` before anything is simulated."""
    ready = runtime.configure()
    remarks = Console(stderr=True, quiet=request.quiet)
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    config = load(request.config, request.overrides)
    built = build(config)
    plan = run.plan_for(
        built,
        towns=request.towns,
        ticks=request.ticks,
        days=request.days,
        policy=request.policy,
        seed=config.seed if request.seed is None else request.seed,
        chunk=request.chunk,
    )
    if request.out is not None:
        check_folder(request.out)
    with stoppable() as asked_to_stop, progress_bar(plan, remarks) as advance:
        result = run.simulate(built, plan, on_progress=advance, stop=asked_to_stop)
    document = summary(built, plan, result)
    if not request.quiet and not request.json:
        show(built, plan, result, document)
    if request.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    if request.out is not None:
        with files.replacing(request.out / SUMMARY) as file:
            file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    return verdict(plan, result)


def verdict(plan: run.Plan, result: run.Result) -> int:
    """Say on stderr what was unusual and return the exit code."""
    if result.faults:
        seen = ", ".join(f"{name} in {amount}" for name, amount in result.faults.items())
        print(f"Faults were seen ({seen} of {plan.towns} towns): their figures are not to be trusted.", file=sys.stderr)
    if result.ticks < plan.ticks:
        print(
            f"Interrupted after {result.ticks:,} of {plan.ticks:,} ticks; the figures are of the ticks that were run.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return FAULTY if result.faults else DONE


def summary(built: Built, plan: run.Plan, result: run.Result) -> dict[str, Any]:
    """Return everything about a run as one JSON object; figures without a meaning are null."""
    figures = report.key_figures(
        result.totals,
        affordances=[report.printable(name) for name in built.names.affordances],
        ticks_per_day=int(built.params.clock.ticks_per_day),
    )
    return {
        "config": report.printable(built.names.config_id),
        "config_hash": built.names.config_hash,
        "policy": plan.policy,
        "seed": plan.seed,
        "towns": plan.towns,
        "agents": built.spec.num_agents,
        "ticks": result.ticks,
        "planned_ticks": plan.ticks,
        "interrupted": result.ticks < plan.ticks,
        "agent_ticks": result.agent_ticks,
        "seconds": result.seconds,
        "compile_seconds": result.compile_seconds,
        "agent_ticks_per_s": result.agent_ticks / max(result.seconds, 1e-9),
        "device": runtime.device(),
        "versions": runtime.versions(),
        "faults": dict(result.faults),
        "kpis": {name: report.spread(values) for name, values in figures.items()},
    }


def show(built: Built, plan: run.Plan, result: run.Result, document: dict[str, Any]) -> None:
    """Print the table, the speed and the map of town 0."""
    console = Console()
    day = int(built.params.clock.ticks_per_day)
    title = (
        f"{document['config']}: {plan.towns:,} towns of {built.spec.num_agents} agents, "
        f"{result.ticks:,} ticks ({result.ticks / day:.2f} days), policy {plan.policy}, seed {plan.seed}"
    )
    names = tuple(report.printable(name) for name in built.names.affordances)
    console.print(kpi_table.table(document["kpis"], affordances=names, title=title))
    console.print(
        Text(
            f"{document['agent_ticks_per_s']:,.0f} agent-ticks/s of living agents "
            f"({result.ticks * plan.towns / max(result.seconds, 1e-9):,.0f} town-ticks/s) on {document['device']}; "
            f"{result.seconds:.1f} s, and {result.compile_seconds:.1f} s to compile"
        )
    )
    console.print()
    console.print(Text(f"Town 0 at the end, tick {result.ticks}:", style="bold"))
    console.print(text_map.render(built.names, built.params, town_of(result.states, 0), width=console.width))


def check_folder(folder: Path) -> None:
    """Make the folder and try to write into it, before hours are spent; raises `RunError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise run.RunError(
            f"--out {report.printable(str(folder))} cannot be written ({reason}); give a folder that can be."
        ) from error
