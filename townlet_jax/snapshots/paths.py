"""Folders of a store: which names are snapshots, what may be followed, and what is safely on the disk.

Owns every look at the file system that is not the library's. `<root>/<digits>/` is a snapshot; `.trash` holds what is
being deleted, `.quarantine` what was damaged. No symbolic link below the root is ever followed.
"""

import errno
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from townlet_jax.snapshots.errors import FlawError, PathError, listed, reason, shown

STEP = re.compile(r"0|[1-9][0-9]{0,12}")
ITEMS = ("state", "meta", "manifest", "_CHECKPOINT_METADATA")
TRASH, QUARANTINE = ".trash", ".quarantine"
UNFINISHED = ".orbax-checkpoint-tmp"  # how the library names a folder until it is whole
PATIENCE = 1.0  # seconds for a folder that does not go
SYNCS = 16  # files that are written back at the same time
MOST_DOCUMENT = 64 * 2**20  # bytes of `meta` or `manifest`
PERMISSIONS = (errno.EACCES, errno.EPERM)


def resolved(root: Path, allowed: Sequence[Path]) -> Path:
    """Return the real place of a store; raises `PathError` if it is outside the allowed folders, or is a file.

    No allowed folders means that every place will do.
    """
    try:
        place = root.expanduser().resolve()
        homes = [folder.expanduser().resolve() for folder in allowed]
        is_file = place.exists() and not place.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise PathError(f"{shown(root)} cannot be a store ({reason(error)}); give another folder.") from error
    if homes and not any(place.is_relative_to(home) for home in homes):
        raise PathError(
            f"{shown(root)} lies at {shown(place)}, outside the folders in which snapshots may be "
            f"({listed(map(shown, homes))}); give a folder inside."
        )
    if is_file:
        raise PathError(f"{shown(root)} is a file, but a store is a folder; give another place.")
    return place


def made(root: Path) -> None:
    """Make the folders of a store that is written to; raises `PathError`."""
    try:
        for folder in (root, root / TRASH, root / QUARANTINE):
            folder.mkdir(parents=True, exist_ok=True)
            if folder != root and folder.is_symlink():
                raise PathError(f"{shown(folder)} is a symbolic link, which is not followed; remove it.")
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise PathError(
            f"Snapshots cannot be written to {shown(root)} ({reason(error)}); give a folder that can be."
        ) from error


def folder_of(root: Path, step: int) -> Path:
    """Return where a snapshot lies."""
    return root / str(step)


def steps(root: Path) -> list[int]:
    """Return the snapshots in a folder, oldest first; raises `PathError` if it cannot be read."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PathError(f"{shown(root)} cannot be read ({reason(error)}); check its permissions.") from error
    return sorted(int(name) for name in names if STEP.fullmatch(name) and _is_snapshot(root / name))


def _is_snapshot(folder: Path) -> bool:
    """Tell a snapshot, whole or damaged, from somebody's folder with a number for a name."""
    return any(os.path.lexists(folder / item) for item in ITEMS)


def files(folder: Path) -> Iterator[Path]:
    """Go through every file and folder below, and the folder itself last; raises `FlawError` for anything else."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise FlawError(entry.name, "it is neither a file nor a folder, and links are not followed")
    yield folder


def demand_readable(folder: Path) -> None:
    """Raise `PathError` if a snapshot may not be read, `FlawError` if it holds links or cannot be gone through."""
    try:
        for path in files(folder):
            if not path.is_dir():
                os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW))
    except OSError as error:
        if error.errno in PERMISSIONS:
            raise PathError(f"{shown(Path(error.filename))} may not be read; check its permissions.") from error
        raise FlawError("files", reason(error)) from error


def document(folder: Path, item: str) -> Any:
    """Read the JSON document of an item; raises `FlawError`."""
    path = folder / item / f"{item}.json"

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    try:
        if path.stat().st_size > MOST_DOCUMENT:
            raise FlawError(item, f"it is larger than {MOST_DOCUMENT:,} bytes")
        return json.loads(path.read_bytes(), parse_constant=refuse)
    except OSError as error:
        raise FlawError(item, reason(error)) from error
    except (ValueError, RecursionError) as error:
        raise FlawError(item, f"it is not JSON ({type(error).__name__})") from error


def settle(folder: Path) -> None:
    """Return when a snapshot, all that is in it and its name are on the disk, power cut or not."""
    with ThreadPoolExecutor(SYNCS) as syncing:  # the disk answers to many at once as fast as to one
        for _ in syncing.map(_sync, files(folder)):
            pass
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_aside(root: Path, step: int) -> Path | None:
    """Move a snapshot into quarantine and return where it is, None if it could not be moved."""
    names = (f"{step}{f'-{number}' if number else ''}" for number in range(1_000_000))
    place = next(found for name in names if not os.path.lexists(found := root / QUARANTINE / name))
    try:
        folder_of(root, step).rename(place)
        _sync(root)
    except OSError:
        return None
    return place


def swept(root: Path) -> None:
    """Delete what is in the trash."""
    for path in (root / TRASH).iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def drop_unfinished(root: Path, step: int) -> None:
    """Delete what a failed save left behind, so that a full disk gets its room back."""
    until = time.monotonic() + PATIENCE
    while (left := list(root.glob(f"{step}{UNFINISHED}*"))) and time.monotonic() < until:
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        time.sleep(0.01)  # the storage may still be writing into it
