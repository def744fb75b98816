"""Run every shipped scenario with telemetry, a folder each, and say what lies there (docs/soak.md).

    python scripts/capture_suite.py captured
    python scripts/capture_suite.py captured --only kitchen_breakfast --only queue_conflict --every 1

Exit codes: 0 all were run, 1 a run had faults, 2 bad input, otherwise that of the run that was interrupted.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).resolve().parent.parent / "configs" / "scenarios"
MANIFEST, TELEMETRY = "manifest.json", "telemetry.jsonl"


def main(words: Sequence[str]) -> int:
    """Capture and return the exit code."""
    given = _parser().parse_args(list(words))
    from townlet_jax.config.errors import ConfigError
    from townlet_jax.run import RunError
    from townlet_jax.telemetry.sinks import SinkError

    try:
        return carry_out(given)
    except (ConfigError, RunError, SinkError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run every shipped scenario with telemetry, a folder each.")
    parser.add_argument("folder", type=Path, help="where the captures go; must be empty or not there yet")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this scenario")
    parser.add_argument("--every", type=int, default=1, help="ticks from one frame to the next")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def carry_out(given: argparse.Namespace) -> int:
    """Capture the scenarios that were asked for; ends with the first run that did not end well."""
    from rich.console import Console
    from rich.progress import track

    chosen = _chosen(given.only)
    folder: Path = given.folder
    _check_empty(folder)
    manifests = []
    console = Console(stderr=True)
    for name in track(chosen, description="scenarios", console=console, disable=not console.is_terminal):
        code = _captured(name, folder / name, given.every)
        if code:
            return code
        manifests.append(_described(folder / name))
    told = {"folder": str(folder), "scenarios": manifests}
    print(json.dumps(told, allow_nan=False)) if given.json else _show(manifests)
    return 0


def _chosen(only: Sequence[str]) -> list[str]:
    from townlet_jax.run import RunError

    names = sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
    for name in only:
        if name not in names:
            raise RunError(f"--only is '{name}', but must be one of {', '.join(names)}; choose one.")
    return [name for name in names if not only or name in only]


def _check_empty(folder: Path) -> None:
    from townlet_jax.files import check_folder
    from townlet_jax.run import RunError

    check_folder(folder)
    if any(folder.iterdir()):
        raise RunError(f"{folder} is not empty, but captures go into a folder of their own; give another one.")


def _captured(name: str, folder: Path, every: int) -> int:
    """Run one scenario into a folder and return the exit code of the run."""
    from townlet_jax.cli_run import Request
    from townlet_jax.cli_run import carry_out as run

    folder.mkdir()
    request = Request(
        config=str(SCENARIOS / f"{name}.yaml"),
        overrides=(f"telemetry.every_ticks={every}",),
        towns=1,
        days=None,
        ticks=None,
        policy=None,
        seed=None,
        chunk=None,
        pace=None,
        snapshots=None,
        save_every=None,
        resume=None,
        telemetry=(str(folder / TELEMETRY),),
        watch_towns=(0,),
        out=folder,
        json=False,
        quiet=True,
    )
    return run(request)


def _described(folder: Path) -> Mapping[str, Any]:
    """Write down what lies in a folder, and return it."""
    from townlet_jax import files
    from townlet_jax.cli_run import SUMMARY

    summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    kept = ("config", "config_hash", "policy", "seed", "towns", "agents", "ticks", "versions")
    manifest = {
        "scenario": folder.name,
        **{name: summary[name] for name in kept},
        "files": [
            {
                "name": path.name,
                "bytes": path.stat().st_size,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for path in sorted(folder.iterdir())
        ],
    }
    with files.replacing(folder / MANIFEST) as file:
        file.write((json.dumps(manifest, indent=2) + "\n").encode())
    return manifest


def _show(manifests: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("scenario", "ticks", "agents", "seed", "files", "KiB", "configuration")
    for one in manifests:
        size = sum(file["bytes"] for file in one["files"])
        table.add_row(
            one["scenario"],
            f"{one['ticks']:,}",
            str(one["agents"]),
            str(one["seed"]),
            ", ".join(file["name"] for file in one["files"]),
            f"{size / 1024:,.0f}",
            str(one["config_hash"])[:12],
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
