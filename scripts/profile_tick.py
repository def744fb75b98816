"""Say what a tick is made of: instructions by phase, cost, speed, and time by phase from a trace (docs/soak.md).

    python scripts/profile_tick.py default --towns 256
    python scripts/profile_tick.py default --towns 256 --trace profile

Phases are never timed by leaving them out: the compiler fuses across them, so what is left is another program.
Instructions are counted by the scope that the compiler keeps with each, times are summed over the kernels of a trace.
Exit codes: 0 done, 2 bad input.
"""

import argparse
import collections
import gzip
import json
import re
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from townlet_jax.fleet import Fleet

PHASES = ("policy", "wake", "act", "live", "night", "judge", "leave")
REST = "between"
INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = ", re.MULTILINE)
SCOPE = re.compile(r'op_name="([^"]*)"')
LEAST_REPEATS = 3


def main(words: Sequence[str]) -> int:
    """Profile and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.run import RunError

    try:
        return carry_out(given)
    except (ConfigError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Say what a tick is made of.")
    parser.add_argument("config", nargs="?", default="default", help="configuration: a name or a file")
    parser.add_argument("--towns", type=int, default=256)
    parser.add_argument("--ticks", type=int, default=100, help="in one call of the device")
    parser.add_argument("--policy", default="scripted", choices=("scripted", "random", "idle"))
    parser.add_argument("--measure", action="store_true", help="with the sums that reports are made of")
    parser.add_argument("--trace", type=Path, metavar="FOLDER", help="keep a trace of one call, and time the phases")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Compile, count, time, trace."""
    from townlet_jax import run, runtime
    from townlet_jax.config import build, load

    runtime.configure(cpu_devices=1)
    built = build(load(given.config))
    plan = run.plan_for(
        built, towns=given.towns, ticks=given.ticks, days=None, policy=given.policy, seed=0, chunk=given.ticks
    )
    policy = run.policy_of(plan.policy, built)
    fleet = run.Fleet(
        built.spec, built.params, policy, towns=plan.towns, seed=0, chunk=plan.chunk, measure=given.measure
    )
    call = fleet.compiled()
    text = call.as_text() or ""
    seconds = timed(fleet, plan.chunk)
    scopes = scopes_of(text)
    told: dict[str, Any] = {
        "config": built.names.config_id,
        "towns": plan.towns,
        "policy": plan.policy,
        "measure": given.measure,
        "device": runtime.device(),
        "versions": runtime.versions(),
        "compile_seconds": fleet.compile_seconds,
        "us_per_town_tick": seconds / (plan.chunk * plan.towns) * 1e6,
        "hlo_instructions": len(scopes),
        "cost": cost_of(call.cost_analysis()),
        "instructions": dict(collections.Counter(scopes.values())),
        "traced_ms": None,
    }
    if given.trace is not None:
        told["traced_ms"] = traced(fleet, plan.chunk, given.trace, scopes)
    print(json.dumps(told, allow_nan=False)) if given.json else show(told)
    return 0


def timed(fleet: "Fleet", ticks: int) -> float:
    """Return the median time of a call after one to warm up."""
    seconds = []
    for _ in range(1 + LEAST_REPEATS):
        began = time.perf_counter()
        fleet.advance(ticks)
        fleet.states.clock.tick.block_until_ready()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def scopes_of(text: str) -> dict[str, str]:
    """Return the phase of every instruction of a compiled module, by the name of the instruction."""
    found = {}
    for line in text.splitlines():
        named = INSTRUCTION.match(line)
        if named is not None:
            scope = SCOPE.search(line)
            found[named.group(1)] = phase_of(scope.group(1) if scope else "")
    return found


def phase_of(scope: str) -> str:
    """Return the phase that a path of scopes lies in; transformations stand around names, as in vmap(act)."""
    for part in scope.split("/"):
        bare = re.sub(r"^(?:\w+\()*(\w*)\)*$", r"\1", part)
        if bare in PHASES:
            return bare
    return REST


def cost_of(analysis: Any) -> dict[str, float]:
    """Return what the compiler believes a tick costs; loops count once, so numbers of a chunk are those of a tick."""
    kept = ("flops", "transcendentals", "bytes accessed")
    return {name: float(analysis[name]) for name in kept if analysis and name in analysis}


def traced(fleet: "Fleet", ticks: int, folder: Path, scopes: Mapping[str, str]) -> dict[str, float] | None:
    """Trace one call into a folder, and return the time of its kernels by phase; None where no kernel can be told."""
    import jax

    with jax.profiler.trace(str(folder)):
        fleet.advance(ticks)
        fleet.states.clock.tick.block_until_ready()
    traces = sorted(folder.rglob("*.trace.json.gz"), key=lambda path: path.stat().st_mtime)
    if not traces:
        return None
    events = json.loads(gzip.decompress(traces[-1].read_bytes()))["traceEvents"]
    spent: collections.Counter[str] = collections.Counter()
    for event in events:
        name = event.get("args", {}).get("hlo_op", "")
        if event.get("ph") == "X" and name in scopes and not name.startswith(("while", "call", "conditional")):
            spent[scopes[name]] += event["dur"]
    return {phase: micros / 1000 for phase, micros in spent.items()} or None


def show(told: Mapping[str, Any]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    instructions, spent = told["instructions"], told["traced_ms"] or {}
    total = sum(spent.values())
    table = Table("phase", "instructions", "share", *(("traced ms", "share") if spent else ()))
    for phase in (*PHASES, REST):
        count = instructions.get(phase, 0)
        row = [phase, f"{count:,}", f"{count / told['hlo_instructions']:.0%}"]
        if spent:
            row += [f"{spent.get(phase, 0.0):,.1f}", f"{spent.get(phase, 0.0) / total:.0%}"]
        table.add_row(*row)
    Console().print(table)
    cost = ", ".join(f"{value:,.0f} {name}" for name, value in told["cost"].items())
    print(
        f"{told['config']}, {told['towns']:,} towns, {told['policy']}: {told['us_per_town_tick']:.2f} us a town-tick, "
        f"{told['hlo_instructions']:,} instructions, compiled in {told['compile_seconds']:.1f} s on {told['device']}"
    )
    print(f"the compiler's estimate, every loop counted once: {cost or 'none'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
