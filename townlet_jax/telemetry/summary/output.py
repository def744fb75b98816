"""Files that are written: in place whole or not at all, and an error is one sentence."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from townlet_jax.telemetry.sinks.sentences import reason, shown
from townlet_jax.telemetry.summary.sources import ReadError


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write into that takes the place of `path` when all went well; raises `ReadError`."""
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".townlet-")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except (OSError, ValueError) as error:
        raise unwritten(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def folder(path: Path) -> Path:
    """Make a folder, and those above it, unless it is there; raises `ReadError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, ValueError) as error:
        raise unwritten(path, error) from error
    return path


def unwritten(path: Path, error: Exception) -> ReadError:
    """Return the error about a place that cannot be written."""
    return ReadError(f"{shown(path)} cannot be written ({reason(error)}); give another place, in a folder that can be.")
