"""One writer a store. Owns the lock, which the kernel gives back when its process ends, however that happens."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import filelock

from townlet_jax.snapshots.errors import LockedError, PathError, reason, shown

LOCK, HOLDER = ".lock", ".writer.json"


class WriterLock:
    """Held from construction to `release`; raises `LockedError` naming who holds it, `PathError` if none can be."""

    def __init__(self, root: Path) -> None:
        self._lock = filelock.FileLock(root / LOCK, thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise LockedError(
                f"{shown(root)} is being written by {_holder(root)}; stop that process, or open the store read-only."
            ) from None
        except OSError as error:
            raise PathError(
                f"Snapshots cannot be written to {shown(root)} ({reason(error)}); give a folder that can be."
            ) from error
        try:
            _sign(root)
        except OSError as error:
            self.release()
            raise PathError(f"{shown(root / HOLDER)} cannot be written ({reason(error)}); remove it.") from error

        self._number = (root / LOCK).stat().st_ino
        self._root = root

    def is_held(self) -> bool:
        """Say whether the lock still guards the folder: not if somebody removed or replaced it."""
        try:
            return (self._root / LOCK).stat().st_ino == self._number
        except OSError:
            return False

    def release(self) -> None:
        """Let others write."""
        self._lock.release()


def _sign(root: Path) -> None:
    """Leave word of who writes, for the message that others get."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    about = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    with os.fdopen(os.open(root / HOLDER, flags, 0o644), "w", encoding="utf-8") as file:
        json.dump(about, file)


def _holder(root: Path) -> str:
    try:
        about = json.loads((root / HOLDER).read_text(encoding="utf-8")[:4096])
        pid, host, since = about["pid"], about["host"], about["since"]
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    who = "this process" if pid == os.getpid() and host == socket.gethostname() else f"process {shown(pid)}"
    return f"{who} on {shown(host)} since {shown(since)}"
