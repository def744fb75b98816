"""Lines of a file while it grows, across rotations. Owns how often the file is looked at."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from townlet_jax.telemetry.sinks.sentences import reason, shown
from townlet_jax.telemetry.summary.sources import FORMS, ReadError

POLL_SECONDS = 0.1
LOOK_BACK = 16 * 2**20  # of a long file only the end is read
SKIPPED = b""  # stands for lines that were passed over
MOST_WAITING = 64 * 2**20  # bytes of a line that has no end yet


def lines(path: Path | None) -> Iterator[bytes | None]:
    """Go through the lines of a file, or of standard input to its end; None means that there is nothing new now.

    Of a file longer than `LOOK_BACK` the first line and the end are read, with `SKIPPED` between; raises `ReadError`.
    """
    if path is None:
        yield from sys.stdin.buffer
        return
    file = _opened(path)
    try:
        if not file.seekable():
            yield from file
            return
        yield from _beginning(file)
        while True:
            yield from _rest(file)
            following = _next(file, path)
            if following is not None:
                yield from _rest(file)
                file.close()
                file = following
            yield None
            time.sleep(POLL_SECONDS)
    finally:
        file.close()


def _opened(path: Path) -> IO[bytes]:
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise ReadError(f"{shown(path)} cannot be followed ({reason(error)}); give {FORMS.split(',')[0]}.") from error


def _beginning(file: IO[bytes]) -> Iterator[bytes]:
    """Give the first line of a long file and go to where its last whole lines begin."""
    if os.fstat(file.fileno()).st_size <= LOOK_BACK:
        return
    yield file.readline(MOST_WAITING)
    file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - LOOK_BACK))
    file.readline(MOST_WAITING)
    yield SKIPPED


def _rest(file: IO[bytes]) -> Iterator[bytes]:
    """Go through the whole lines that are there; what has no end yet is left for later."""
    while line := file.readline(MOST_WAITING):
        if not line.endswith(b"\n") and len(line) < MOST_WAITING:
            file.seek(-len(line), os.SEEK_CUR)
            return
        yield line


def _next(file: IO[bytes], path: Path) -> IO[bytes] | None:
    """Return the file that took the place of this one, or this one anew if it was cut; None if it goes on."""
    try:
        now, here = path.stat(), os.fstat(file.fileno())
        if (now.st_dev, now.st_ino) != (here.st_dev, here.st_ino) or now.st_size < file.tell():
            return path.open("rb")
    except OSError:
        return None  # between two files of a rotation
    return None
