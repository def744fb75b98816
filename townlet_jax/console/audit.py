"""The audit log: one JSON line for each command, whoever sent it and whatever came of it. Tokens are never written."""

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from townlet_jax.plans import RunError
from townlet_jax.report import printable

MOST_ARGUMENTS = 2_000  # characters of arguments in a line
_log = logging.getLogger(__name__)


class Audit:
    """Appends lines to a file; without one it does nothing. A line that cannot be written is said once."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._is_broken = False
        self._file: IO[bytes] | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise RunError(
                f"console.audit_path {printable(str(path))} cannot be written ({error.strerror}); give another file."
            ) from error

    def note(self, command: Mapping[str, Any], answer: Mapping[str, Any], *, address: str, role: str) -> None:
        """Write down a command and what came of it."""
        if self._file is None:
            return
        arguments = json.dumps({"args": command.get("args", []), "kwargs": command.get("kwargs", {})}, default=str)
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "address": address,
            "issuer": answer["issuer"],
            "role": role,
            "name": answer["name"],
            "cmd_id": answer["cmd_id"],
            "arguments": arguments[:MOST_ARGUMENTS],
            "status": answer["status"],
            "code": answer.get("error", {}).get("code"),
            "tick": answer["tick"],
            "latency_ms": answer["latency_ms"],
            "replayed": answer.get("replayed", False),
        }
        with self._lock:
            self._write(json.dumps(line).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line)
            self._is_broken = False
        except OSError as error:
            if not self._is_broken:
                _log.error("The audit log cannot be written (%s).", error.strerror)
            self._is_broken = True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
