"""What a measurement is worth: a record with the machine, the versions and the commit it came from.

Owns the files under `benchmarks/results/`: JSON lines, appended, never rewritten.
"""

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from townlet_jax import runtime

REPEATS = 5
CHECKOUT = Path(__file__).parent.parent.parent
RESULTS = CHECKOUT / "benchmarks" / "results"

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of one repeat, over all repeats after the warm-up."""

    median: float
    fastest: float
    slowest: float
    repeats: int


def repeat(run: Callable[[], object], *, repeats: int = REPEATS, warm_ups: int = 1) -> Timing:
    """Time `run`, which must wait for its own results."""
    for _ in range(warm_ups):
        run()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return Timing(median=statistics.median(seconds), fastest=min(seconds), slowest=max(seconds), repeats=repeats)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def provenance() -> Record:
    """Return device, processor, versions, commit and time; `dirty` leaves out what measuring itself writes."""
    changed = _git("status", "--porcelain", "--", ":/", ":(exclude,top)benchmarks/results", ":(exclude,top)README.md")
    return {
        "device": runtime.device(),
        "cpu": runtime.cpu_model(),
        "versions": runtime.versions(),
        "commit": _git("rev-parse", "--short=12", "HEAD") or "unknown",
        "dirty": changed is None or changed != "",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def append(records: Sequence[Record], path: Path) -> None:
    """Add records to a file of JSON lines, all in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
    with path.open("a", encoding="utf-8") as file:
        file.write(lines)


def read(path: Path) -> list[Record]:
    """Return the records of a file; a line that is not an object raises `ValueError` with its number."""
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number} is not JSON: {error.msg}; remove the line.") from error
        if not isinstance(record, dict):
            raise ValueError(f"{path}:{number} is no JSON object; remove the line.")
        records.append(record)
    return records


def default_file() -> Path | None:
    """Return where results go when nobody says otherwise: into the checkout, None outside of one."""
    import jax

    return RESULTS / f"{jax.default_backend()}.jsonl" if RESULTS.is_dir() else None
