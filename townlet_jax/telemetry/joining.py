"""The reading side of frames: whole frames out of differences. Needs neither jax nor the town."""

from collections.abc import Mapping
from typing import Any

from townlet_jax.telemetry.schema import SchemaError

TIES = "relationships"
GONE = frozenset({"evicted", "faded", "departed"})  # status of a tie that is no longer there
ENVELOPE = ("schema_version", "run_id", "sequence", "tick", "town")


def apply(frame: Mapping[str, Any], diff: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole frame after a difference, both as parsed JSON. Raises `SchemaError` for another town's or run's.

    The result says `snapshot`, and has the sequence number of the difference.
    """
    for key in ("run_id", "town"):
        if frame[key] != diff[key]:
            raise SchemaError(f"the diff has {key} {diff[key]!r}, but the frame before it {frame[key]!r}")
    after = dict(frame)
    for name, value in diff["changes"].items():
        after[name] = _merged(frame[name], value) if name == TIES and frame.get(name) else value
    for name in diff["removed"]:
        after.pop(name, None)
    return after | {key: diff[key] for key in ENVELOPE}


def _merged(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    ties = {(tie["owner"], tie["other"]): tie for tie in before["ties"]}
    for tie in change["ties"]:
        edge = tie["owner"], tie["other"]
        if tie["status"] in GONE:
            ties.pop(edge, None)
        else:
            ties[edge] = {key: tie[key] for key in ("owner", "other", "trust", "familiarity", "rivalry")}
    return {"ties": [ties[edge] for edge in sorted(ties)], "churn": change["churn"]}
