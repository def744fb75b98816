"""Where a receiver puts records: one file, a file for each run, or standard output."""

import json
import re
import tempfile
from collections import OrderedDict
from pathlib import Path

from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.files import StdoutSink
from townlet_jax.telemetry.sinks.lines import LineFile
from townlet_jax.telemetry.sinks.sentences import reason, shown

RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
NAMELESS = "unnamed"  # the file of records whose run has no name that a file could have
MOST_OPEN = 64  # files at once


class OneFile:
    """All records in one file of JSON lines."""

    def __init__(self, path: Path, *, rotate_bytes: int | None = None, keep: int = 5) -> None:
        self._file = LineFile(path, rotate_bytes=rotate_bytes, keep=keep)
        self._file.open()

    def write(self, lines: list[bytes]) -> None:
        """Append lines, all of them or none."""
        self._file.append(lines)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._file.close()


class FilePerRun:
    """The records of each run in a file named by it, in one folder."""

    def __init__(self, folder: Path, *, rotate_bytes: int | None = None, keep: int = 5) -> None:
        self._folder, self._rotate_bytes, self._keep = folder, rotate_bytes, keep
        self._files: OrderedDict[str, LineFile] = OrderedDict()
        _demand_writable(folder)

    def write(self, lines: list[bytes]) -> None:
        """Append each line to the file of its run."""
        by_run: dict[str, list[bytes]] = {}
        for line in lines:
            by_run.setdefault(run_of(line), []).append(line)
        for run, its_lines in by_run.items():
            self._file_of(run).append(its_lines)

    def close(self) -> None:
        """Bring everything to the disk."""
        while self._files:
            self._files.popitem()[1].close()

    def _file_of(self, run: str) -> LineFile:
        """Return the open file of a run, closing the one that was not used for longest if there are too many."""
        file = self._files.pop(run, None)
        if file is None:
            if len(self._files) >= MOST_OPEN:
                self._files.popitem(last=False)[1].close()
            file = LineFile(self._folder / f"{run}.jsonl", rotate_bytes=self._rotate_bytes, keep=self._keep)
            file.open()
        self._files[run] = file
        return file


class Printed:
    """All records on standard output."""

    def write(self, lines: list[bytes]) -> None:
        """Print lines."""
        StdoutSink().write([Item(tick=0, kind="", data=line) for line in lines])

    def close(self) -> None:
        """Do nothing: it belongs to the process."""


def run_of(line: bytes) -> str:
    """Return the name of the run a record is of, as a file may be named."""
    run = json.loads(line).get("run_id")
    return run if isinstance(run, str) and RUN.fullmatch(run) else NAMELESS


def _demand_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise SinkError(
            f"{shown(folder)} cannot be a folder of records ({reason(error)}); give another.", lasting=True
        ) from error
