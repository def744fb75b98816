"""What is looked at before a snapshot is saved. Owns the reasons to refuse one: each is a `SaveError`."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from townlet_jax.snapshots import paths
from townlet_jax.snapshots.errors import SaveError, listed, shown
from townlet_jax.snapshots.manifest import MOST_STEP
from townlet_jax.snapshots.retention import Best


def demand_step(root: Path, step: int) -> None:
    """Refuse a step that is out of range, not above all others, or whose place is taken."""
    if not 0 <= step <= MOST_STEP:
        raise SaveError(f"Snapshot {step} was not saved, because steps are 0 to {MOST_STEP}; count from there.", step)
    newest = max(paths.steps(root), default=-1)
    if step <= newest:
        raise SaveError(
            f"Snapshot {step} was not saved, because steps must rise and {shown(root)} holds snapshot {newest}; "
            "delete what is later, or give another folder.",
            step,
        )
    if os.path.lexists(paths.folder_of(root, step)):
        raise SaveError(
            f"Snapshot {step} was not saved, because {shown(paths.folder_of(root, step))} is something else; "
            "move it away, or give another folder.",
            step,
        )


def finite(metrics: Mapping[str, Any], step: int, best: Best | None) -> dict[str, float]:
    """Return metrics as floats; refuse what is no finite number, and metrics without the one that `best` goes by."""
    numbers = {}
    for name, value in metrics.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            numbers[name] = math.nan
        if not math.isfinite(numbers[name]):
            raise SaveError(
                f"Snapshot {step} was not saved, because its metric {shown(name)} is {shown(str(value))}; "
                "give finite numbers only.",
                step,
            )
    if metrics and best is not None and best.metric not in metrics:
        raise SaveError(
            f"Snapshot {step} was not saved, because the best are kept by {shown(best.metric)}, "
            f"but its metrics are {listed(map(shown, metrics))}; add it.",
            step,
        )
    return numbers


def as_json(meta: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Return what the owner wants to be kept as it will come back; refuse what JSON cannot hold."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(meta), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise SaveError(
            f"Snapshot {step} was not saved, because its meta is not JSON ({shown(str(error))}); "
            "give texts, finite numbers, flags, lists and tables.",
            step,
        ) from None
    return found
