"""What an anneal says of the policy that it made: its `result.json`, read and judged, never imported."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from townlet_jax.promotion.errors import PromotionError
from townlet_jax.report import printable
from townlet_jax.snapshots import StoreError, sources

RESULT, KIND, FORMAT = "result.json", "anneal", 1
MOST_BYTES = 16 * 2**20


class AnnealResult(BaseModel):
    """The part of the file that a gate reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    kind: str
    format: int
    status: str  # PASS, HOLD, FAIL
    reasons: list[str]
    clone_accuracy: float | None  # on held-out frames; None without a clone stage
    checkpoint: str | None = None


def read(path: Path) -> AnnealResult:
    """Read a result; raises `PromotionError`."""
    shown = printable(str(path))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PromotionError("rejected", f"{shown} is too large for the result of an anneal; give another file.")
        found = AnnealResult.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise PromotionError("not_found", f"{shown} cannot be read ({error.strerror}); give {RESULT}.") from error
    except (ValueError, RecursionError, ValidationError) as error:
        raise PromotionError("rejected", f"{shown} is not the result of an anneal; give {RESULT} of one.") from error
    if (found.kind, found.format) != (KIND, FORMAT):
        raise PromotionError("rejected", f"{shown} is not the result of an anneal; give {RESULT} of one.")
    return found


def beside(place: str) -> Path | None:
    """Return the result that lies in the folder of a run, None if there is none."""
    try:
        folder, _, _ = sources.located(place)
    except StoreError:
        return None
    for candidate in (folder, folder.parent):
        path = candidate / RESULT
        if path.is_file() and _is_anneal(path):
            return path
    return None


def _is_anneal(path: Path) -> bool:
    try:
        read(path)
    except PromotionError:
        return False
    return True


def judged(found: AnnealResult, threshold: float) -> tuple[dict[str, Any], list[str]]:
    """Return what is told of a result, and why it keeps a policy from being promoted."""
    reasons = []
    if found.status != "PASS":
        why = f": {'; '.join(map(printable, found.reasons))}" if found.reasons else ""
        reasons.append(f"the anneal ended with {printable(found.status)}{why}")
    if found.clone_accuracy is not None and found.clone_accuracy < threshold:
        reasons.append(f"accuracy on held-out frames is {found.clone_accuracy:.3f}, below {threshold:g}")
    told = {"status": found.status, "clone_accuracy": found.clone_accuracy, "threshold": threshold}
    return told, reasons
