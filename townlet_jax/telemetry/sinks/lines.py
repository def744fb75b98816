"""A file of JSON lines that grows: whole lines only, whatever happens to the process or the disk.

What a kill left half written is cut off (or ended, if only the newline was missing) before anything is added, so that
no two records ever share a line. Older files, where rotation is on, are `NAME.1` (the newest) up to `NAME.<keep>`.
"""

import fcntl
import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.sentences import reason, shown

LOOK_BACK = 1 << 16  # bytes read at once while the last newline is looked for


class LineFile:
    """Open from `open` to `close`, and held against other writers in between.

    A batch never spans two files, so a file outgrows `rotate_bytes` only where one batch does.
    """

    def __init__(self, path: Path, *, rotate_bytes: int | None = None, keep: int = 5) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._descriptor = -1
        self._size = 0

    def open(self) -> None:
        """Open the file for appending and repair its end; raises `SinkError`."""
        try:
            self._begin()
        except BlockingIOError as error:
            self._abandon()
            raise SinkError(
                f"{shown(self._path)} is being written by another process; give another file.", lasting=True
            ) from error
        except (OSError, ValueError) as error:
            self._abandon()
            raise SinkError(
                f"{shown(self._path)} cannot be written ({reason(error)}); give a file in a folder that can be.",
                lasting=True,
            ) from error
        except SinkError:
            self._abandon()
            raise

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines, all of them or none; raises `SinkError`."""
        data = b"".join(line + b"\n" for line in lines)
        try:
            if self._rotate_bytes is not None and self._size and self._size + len(data) > self._rotate_bytes:
                self._rotate()
            self._write(data)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise SinkError(f"{shown(self._path)} cannot be written ({reason(error)}); make room.") from error

    def close(self) -> None:
        """Bring what was written to the disk and let others write; raises `SinkError` if the disk says no."""
        try:
            self._settle()
        except OSError as error:
            raise SinkError(f"{shown(self._path)} could not be finished ({reason(error)}); make room.") from error

    def _begin(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o644)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise SinkError(f"{shown(self._path)} is no file; give the name of a file.", lasting=True)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._size = _repair(self._descriptor, self._path)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        self._size += len(data)

    def _rotate(self) -> None:
        self._settle()
        ages = [self._path, *(self._path.with_name(f"{self._path.name}.{age}") for age in range(1, self._keep + 1))]
        for age in range(self._keep, 0, -1):
            with suppress(FileNotFoundError):
                ages[age - 1].replace(ages[age])
        self._begin()

    def _settle(self) -> None:
        if self._descriptor >= 0:
            try:
                os.fsync(self._descriptor)
            finally:
                self._abandon()

    def _abandon(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _repair(descriptor: int, path: Path) -> int:
    """Make the file end with a newline and return its size; raises `SinkError` if it holds no records."""
    size = os.fstat(descriptor).st_size
    if not size:
        return 0
    if os.pread(descriptor, 1, 0) != b"{":
        raise SinkError(f"{shown(path)} exists and holds no JSON lines; give another file.", lasting=True)
    if os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    end = _after_last_newline(descriptor, size)
    if _is_whole(os.pread(descriptor, size - end, end)):
        os.write(descriptor, b"\n")
        return size + 1
    os.ftruncate(descriptor, end)
    return end


def _after_last_newline(descriptor: int, size: int) -> int:
    start = size
    while start:
        start = max(0, start - LOOK_BACK)
        found = os.pread(descriptor, LOOK_BACK, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
    return 0


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
