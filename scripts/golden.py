"""Key figures of the scenarios and of the default town, compared with those that were written down (docs/soak.md).

    python scripts/golden.py check
    python scripts/golden.py check kitchen_breakfast queue_conflict
    python scripts/golden.py write default

Only `write` changes tests/goldens; say in the commit why. Exit codes: 0 all as written, 1 some differ, 2 bad input.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "tests" / "goldens"
TOWN = "default"
TOWNS = 16  # of the default town, for a day; a scenario is one town
SURE, ERRORS = 1e-4, 4.0  # share of a figure that rounding may change; standard errors of a mean over towns


def main(words: Sequence[str]) -> int:
    """Check or write and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.run import RunError

    try:
        return carry_out(given)
    except (ConfigError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compare key figures with those that were written down.")
    parser.add_argument("wish", choices=("check", "write"))
    parser.add_argument("names", nargs="*", help="scenarios, or default; all of them if none is named")
    parser.add_argument("--goldens", type=Path, default=GOLDENS, help="folder of the written figures")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Live every golden once, and compare or write it."""
    from rich.console import Console
    from rich.progress import track

    from townlet_jax import runtime

    names = _chosen(given.names)
    if given.wish == "check":
        written = {name: _written(given.goldens, name) for name in names}
    runtime.configure()
    console = Console(stderr=True)
    differing = 0
    for name in track(names, description="goldens", console=console, disable=not console.is_terminal):
        lived = live(name)
        if given.wish == "write":
            _write(given.goldens, name, lived)
        else:
            differing += _compared(name, written[name], lived)
    return 1 if differing else 0


def _chosen(names: Sequence[str]) -> list[str]:
    from townlet_jax.run import RunError

    known = [TOWN, *sorted(path.stem for path in (ROOT / "configs" / "scenarios").glob("*.yaml"))]
    for name in names:
        if name not in known:
            raise RunError(f"There is no golden '{name}'; choose one of {', '.join(known)}.")
    return list(names) or known


def live(name: str) -> dict[str, Any]:
    """Run a golden and return it: what it is of, and every figure with its tolerance."""
    import numpy as np

    from townlet_jax import report, run
    from townlet_jax.config import build, load

    is_town = name == TOWN
    config = load(name if is_town else str(ROOT / "configs" / "scenarios" / f"{name}.yaml"))
    built = build(config)
    plan = run.plan_for(
        built, towns=TOWNS if is_town else 1, ticks=None, days=None, policy=None, seed=config.seed, chunk=None
    )
    result = run.simulate(built, plan)
    if result.faults:
        raise run.RunError(f"Faults were seen in {name} ({', '.join(result.faults)}); its figures are not to be kept.")
    day = int(built.params.clock.ticks_per_day)
    figures = report.key_figures(result.totals, affordances=built.names.affordances, ticks_per_day=day)
    told = {}
    for figure, values in sorted(figures.items()):
        known = values[np.isfinite(values)]
        told[figure] = _figure(known.tolist())
    return {
        "config": built.names.config_id,
        "config_hash": built.names.config_hash,
        "policy": plan.policy,
        "seed": plan.seed,
        "towns": plan.towns,
        "ticks": plan.ticks,
        "figures": told,
    }


def _figure(values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean over the towns that have a figure, and how far from it another machine may come."""
    import numpy as np

    if not values:
        return {"value": None, "tolerance": 0.0}
    mean = float(np.mean(values))
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return {"value": _short(mean), "tolerance": _short(max(SURE * abs(mean), 1e-6, ERRORS * spread))}


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def _write(folder: Path, name: str, golden: Mapping[str, Any]) -> None:
    from townlet_jax import files

    folder.mkdir(parents=True, exist_ok=True)
    with files.replacing(folder / f"{name}.json") as file:
        file.write((json.dumps(golden, indent=1, allow_nan=False) + "\n").encode())
    print(f"{name}: {len(golden['figures'])} figures written")


def _written(folder: Path, name: str) -> dict[str, Any]:
    """Read a golden; raises `RunError`."""
    from townlet_jax.run import RunError

    path = folder / f"{name}.json"
    try:
        golden: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = type(error).__name__
        raise RunError(
            f"{path} cannot be read ({reason}); make it with: python scripts/golden.py write {name}"
        ) from error
    return golden


def _compared(name: str, written: Mapping[str, Any], lived: Mapping[str, Any]) -> int:
    """Print how two goldens differ, and return how many figures do."""
    from rich.console import Console
    from rich.table import Table

    of = ("policy", "seed", "towns", "ticks")
    notes = [f"{key} {written[key]} is now {lived[key]}" for key in of if written[key] != lived[key]]
    if written["config_hash"] != lived["config_hash"]:
        notes.append("the configuration has changed since")
    rows = differences(written["figures"], lived["figures"])
    print(f"{name}: {len(lived['figures']) - len(rows)} of {len(lived['figures'])} figures as written", end="")
    print(f" ({'; '.join(notes)})" if notes else "")
    if rows:
        table = Table("figure", "written", "now", "difference", "allowed")
        for row in rows:
            table.add_row(*row)
        Console(width=120).print(table)
    return len(rows)


def differences(
    written: Mapping[str, Mapping[str, float | None]], lived: Mapping[str, Mapping[str, float | None]]
) -> list[tuple[str, str, str, str, str]]:
    """Return a row for every figure that is not as written: one that came, one that went, one beyond its tolerance."""
    rows = []
    absent: Mapping[str, float | None] = {"value": None, "tolerance": 0.0}
    for name in sorted({*written, *lived}):
        before, tolerance = (written.get(name, absent)[key] for key in ("value", "tolerance"))
        now = lived.get(name, absent)["value"]
        is_known = name in written and name in lived
        if is_known and before is None and now is None:
            continue
        if before is None or now is None or not is_known:
            rows.append((name, _said(before, name in written), _said(now, name in lived), "", ""))
        elif abs(now - before) > (tolerance or 0.0):
            rows.append((name, f"{before:g}", f"{now:g}", f"{now - before:+.4g}", f"{tolerance:.4g}"))
    return rows


def _said(value: float | None, is_there: bool) -> str:
    return f"{value:g}" if value is not None else "no meaning" if is_there else "not there"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
