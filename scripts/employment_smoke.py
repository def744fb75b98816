"""Let a town go to work for some days, and see whether it comes on time and is paid (docs/soak.md, MECHANICS 16.3).

    python scripts/employment_smoke.py
    python scripts/employment_smoke.py default --towns 64 --days 5 --json

Exit codes: 0 all figures lie within their bounds, 1 some do not, 2 bad input.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from townlet_jax.config import Built

NEAR = 0.02  # share by which wages may miss what all shifts worked to the end would pay
RARE = 0.02  # an agent-day: MECHANICS 16.3 says 0 in 30 days of 8 agents, and up to 2 under faster decay


@dataclass(frozen=True, kw_only=True)
class Line:
    """A figure, the mean over towns, and its bounds."""

    figure: str
    value: float
    low: float
    high: float

    @property
    def is_fine(self) -> bool:
        """Say whether the figure lies within its bounds; one without a meaning does not."""
        return self.low <= self.value <= self.high


def main(words: Sequence[str]) -> int:
    """Run and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.run import RunError

    try:
        return carry_out(given)
    except (ConfigError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Let a town go to work for some days and look at its shifts.")
    parser.add_argument("config", nargs="?", default="default", help="configuration: a name or a file")
    parser.add_argument("--towns", type=int, default=16)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Live the days and judge them."""
    from rich.console import Console

    from townlet_jax import run, runtime
    from townlet_jax.cli_progress import progress_bar
    from townlet_jax.config import build, load

    runtime.configure()
    built = build(load(given.config))
    plan = run.plan_for(
        built, towns=given.towns, ticks=None, days=given.days, policy="scripted", seed=given.seed, chunk=None
    )
    with progress_bar(plan, Console(stderr=True)) as tell:
        result = run.simulate(built, plan, on_progress=tell)
    lines = judged(built, result.totals, result.ticks)
    if given.json:
        rows = [asdict(line) | {"value": _known(line.value), "is_fine": line.is_fine} for line in lines]
        print(json.dumps({"config": built.names.config_id, "ticks": result.ticks, "lines": rows}, allow_nan=False))
    else:
        show(lines, f"{built.names.config_id}: {plan.towns} towns, {given.days} days, seed {plan.seed}")
    for name, amount in result.faults.items():
        print(f"error: the fault {name} was seen in {amount} towns.", file=sys.stderr)
    return 0 if all(line.is_fine for line in lines) and not result.faults else 1


def judged(built: "Built", totals: Mapping[str, Any], ticks: int) -> list[Line]:
    """Return the figures of working life with their bounds, from the totals of a run under the scripted policy."""
    import numpy as np

    from townlet_jax import report

    params = built.params
    day = int(params.clock.ticks_per_day)
    figures = report.key_figures(totals, affordances=built.names.affordances, ticks_per_day=day)
    job = np.asarray(params.start.job)
    hired = job[(job >= 0) & np.asarray(params.start.alive)]
    living = int(np.count_nonzero(np.asarray(params.start.alive)))
    if not hired.size:
        from townlet_jax.run import RunError

        raise RunError("Nobody in this town has a job, so there is no working life to look at; give another town.")
    length, rate = np.asarray(params.jobs.length, float), np.asarray(params.jobs.wage_rate, float)
    shifts = totals["shift_ticks"] / (length[hired].mean() * hired.size * ticks / day)
    wage = float((length * rate)[hired].sum()) / living

    def line(figure: str, low: float, high: float) -> Line:
        values = figures[figure][np.isfinite(figures[figure])]
        return Line(figure=figure, value=float(values.mean()) if values.size else math.nan, low=low, high=high)

    return [
        Line(figure="shifts_worked_per_worker_day", value=float(shifts.mean()), low=1 - NEAR, high=1 + NEAR),
        line("punctuality", 0.99, 1.0),
        line("wages_paid_per_agent_day", wage * (1 - NEAR), wage * (1 + NEAR)),
        line("wages_withheld_per_agent_day", 0.0, wage * NEAR),
        line("late_starts_per_agent_day", 0.0, RARE),
        line("absences_per_agent_day", 0.0, RARE),
        line("exits_eviction_job_per_agent_day", 0.0, 0.0),
        line("solvency", 1.0, 1.0),
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def show(lines: Sequence[Line], title: str) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "from", "to", "", title=title, title_justify="left")
    for line in lines:
        table.add_row(
            line.figure, f"{line.value:.4f}", f"{line.low:.4f}", f"{line.high:.4f}", "" if line.is_fine else "OUTSIDE"
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
