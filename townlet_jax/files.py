"""Files that users name: tried before the work, put in place whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from townlet_jax.report import printable
from townlet_jax.run import RunError


def check_target(path: Path, option: str = "--out") -> None:
    """Raise `RunError` unless a file can be made at the path; an older file there may be replaced."""
    shown = f"{option} {printable(str(path))}"
    try:
        if path.is_dir():
            raise RunError(f"{shown} is a folder; give the name of a file.")
        if not path.parent.is_dir():
            raise RunError(
                f"{shown} cannot be written, because there is no folder {printable(str(path.parent))}; make it first."
            )
        with suppress(FileNotFoundError):
            path.lstat()  # refuses names that no file can have
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except (OSError, ValueError) as error:
        raise RunError(f"{shown} cannot be written ({_reason(error)}); give a file that can be.") from error


def check_folder(folder: Path, option: str = "--out") -> None:
    """Make the folder and try to write into it, before hours are spent; raises `RunError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunError(
            f"{option} {printable(str(folder))} cannot be written ({_reason(error)}); give a folder that can be."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write into that takes the place of `path` when all went well and vanishes otherwise."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".townlet-")
    except OSError as error:
        raise _unwritten(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unwritten(path: Path, error: OSError) -> RunError:
    return RunError(f"{printable(str(path))} could not be written ({_reason(error)}); make room and run again.")


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
