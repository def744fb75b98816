"""What happened to releases: the last records in memory, every record one JSON line in a file."""

import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from townlet_jax.plans import RunError
from townlet_jax.report import printable

LENGTH = 50
Event = Literal["promoted", "rollback", "policy_swap", "gate_failed"]


class History:
    """Bounded in memory; the file, if there is one, only grows."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.records: deque[dict[str, Any]] = deque(maxlen=LENGTH)
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8"):
                    pass
            except OSError as error:
                shown = f"stability.promotion.log_path {printable(str(path))}"
                raise RunError(f"{shown} cannot be written ({error.strerror}); change it.") from error

    def add(self, event: Event, *, tick: int, state: str, **said: Any) -> dict[str, Any]:
        """Remember a record and write it down; returns it. A full disk loses the line, not the run."""
        record: dict[str, Any] = {"event": event, "tick": tick, "state": state, **said}
        record["time"] = datetime.now(UTC).isoformat(timespec="seconds")
        self.records.append(record)
        if self._path is not None:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record, allow_nan=False) + "\n")
            except OSError:
                record["unwritten"] = True
        return record

    def restore(self, records: list[Mapping[str, Any]]) -> None:
        """Go on from the records of a snapshot."""
        self.records.clear()
        self.records.extend(dict(record) for record in records)


def short(gate: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what the history keeps of a gate: mean, interval and verdict of every metric."""
    if gate is None:
        return None
    kept = ("mean", "low", "high", "pass")
    scenarios = gate.get("scenarios", {})
    return {
        "status": gate["status"],
        "reasons": list(gate.get("reasons", ())),
        "scenarios": {
            name: {metric: {key: one[key] for key in kept} for metric, one in judged.items()}
            for name, judged in scenarios.items()
        },
    }
