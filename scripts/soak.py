"""Let towns live for long while an operator meddles, and look for what must never happen (docs/soak.md).

    python scripts/soak.py default --towns 64 --agent-ticks 1e6
    python scripts/soak.py default --towns 4096 --agent-ticks 1e8 --failures soak --json

Exit codes: 0 nothing happened, 1 something did: a sentence for each on stderr, 2 bad input, 130 interrupted.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from townlet_jax.run import Progress
    from townlet_jax.soak import Report

INTERRUPTED = 130


def main(words: Sequence[str]) -> int:
    """Soak and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.run import RunError
    from townlet_jax.snapshots import StoreError

    try:
        return carry_out(given)
    except (ConfigError, RunError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Let towns live for long while an operator meddles.")
    parser.add_argument("config", nargs="?", default="default", help="configuration: a name or a file")
    parser.add_argument("--towns", type=int, default=64)
    parser.add_argument("--agent-ticks", type=float, default=1e6, help="ticks of living agents after warm-up")
    parser.add_argument("--chunk", type=int, default=60, help="ticks between two looks, commands come before each")
    parser.add_argument("--policy", default=None, help="scripted, random or idle")
    parser.add_argument("--seed", type=int, default=0, help="of the towns and of the operator")
    parser.add_argument("--commands", type=float, default=3.0, help="commands before each chunk, on average")
    parser.add_argument("--foul", type=float, default=0.3, help="share of commands with something wrong in them")
    parser.add_argument("--growth", type=float, default=0.01, help="share by which the memory may grow after warm-up")
    parser.add_argument("--failures", type=Path, help="folder that keeps the state before a chunk that went wrong")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Soak the towns that were asked for."""
    from rich.console import Console

    from townlet_jax import runtime
    from townlet_jax.cli_progress import stoppable
    from townlet_jax.config import build, load
    from townlet_jax.run import plan_for
    from townlet_jax.soak import Settings, Soak

    _check(given)
    runtime.configure()
    built = build(load(given.config))
    plan = plan_for(
        built,
        towns=given.towns,
        ticks=given.chunk,
        days=None,
        policy=given.policy,
        seed=given.seed,
        chunk=given.chunk,
    )
    settings = Settings(
        agent_ticks=given.agent_ticks,
        commands=given.commands,
        foul_share=given.foul,
        growth_limit=given.growth,
        failures=given.failures,
    )
    remarks = Console(stderr=True)
    with stoppable() as stop, bar(given.agent_ticks, remarks) as tell, Soak(built, plan, settings) as soak:
        report = soak.run(on_progress=tell, stop=stop)
        interrupted = stop()
    print(json.dumps(report.as_json, allow_nan=False) if given.json else in_words(report, plan.towns))
    for problem in report.problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if report.problems else INTERRUPTED if interrupted else 0


def _check(given: argparse.Namespace) -> None:
    """Refuse numbers that make no sense; raises `RunError`."""
    from townlet_jax.run import RunError

    bounds = {"agent_ticks": (1, 1e15), "commands": (0, 1000), "foul": (0, 1), "growth": (0, 100)}
    for name, (low, high) in bounds.items():
        value = getattr(given, name)
        if not (math.isfinite(value) and low <= value <= high):
            option = name.replace("_", "-")
            raise RunError(f"--{option} is {value:g}, but must be {low:g} to {high:g}; change it.")


@contextmanager
def bar(agent_ticks: float, console: "Console") -> "Iterator[Callable[[Progress], None]]":
    """Show how far a soak is, on a terminal only."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    done = TextColumn("{task.completed:,.0f}/{task.total:,.0f} agent-ticks")
    with Progress(done, BarColumn(), TimeRemainingColumn(), console=console, transient=True) as shown:
        shown.disable = not console.is_terminal
        task = shown.add_task("", total=agent_ticks)
        yield lambda progress: shown.update(task, completed=progress.agent_ticks)


def in_words(report: "Report", towns: int) -> str:
    """Return the report as text."""
    taken = ", ".join(f"{name} {amount:,}" for name, amount in report.taken.items())
    lines = [
        f"{towns:,} towns lived {report.ticks:,} ticks ({report.warm_ticks:,} of them to warm up), "
        f"{report.agent_ticks:,} agent-ticks after warm-up, {report.seconds:.1f} s of ticks",
        f"looks at all invariants: {report.looks:,}, problems: {len(report.problems)}",
        f"commands: {sum(report.taken.values()):,} taken, {report.refused:,} refused ({taken})",
        f"compilations after warm-up: {report.compilations}",
        f"resident memory: {report.resident_bytes / 2**20:,.0f} MiB, {report.growth:+.2%} since warm-up "
        f"(at most {report.growth_limit:.2%})",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
