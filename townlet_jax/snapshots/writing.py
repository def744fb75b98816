"""The side of a store that writes. Owns the lock, the save that is under way, and what is deleted after it.

The order after which nothing can be lost: all files, the name, both safely on the disk, only then the old ones go.
"""

import atexit
import errno
import sys
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from townlet_jax.snapshots import backend, leaves, manifest, paths, reading, retention
from townlet_jax.snapshots.errors import FlawError, PathError, SaveError, StoreError, listed, reason, shown
from townlet_jax.snapshots.leaves import Packed
from townlet_jax.snapshots.lock import WriterLock
from townlet_jax.snapshots.manifest import Manifest
from townlet_jax.snapshots.retention import Keep


class Writer:
    """Writes one snapshot at a time, on the worker's thread; raises `LockedError` if somebody else does."""

    def __init__(self, root: Path, keep: Keep, worker: Executor) -> None:
        self.root = root
        self._keep = keep
        self._worker = worker
        self._manager: Any = None  # made by the first save, and again after a failure
        self._under_way: Future[None] | None = None
        self._step = -1  # of the save under way
        self._metrics: dict[int, Mapping[str, float]] = {}
        paths.made(root)
        self._lock = WriterLock(root)
        atexit.register(self._left_open)

    def submit(self, about: Manifest, packed: Packed) -> None:
        """Begin to write a snapshot; there must be none under way."""
        assert self._under_way is None, "wait() comes first"
        self._step = about.step
        self._under_way = self._worker.submit(self._commit, about, packed)

    def check(self) -> None:
        """Raise what went wrong with a save that has ended; does not wait."""
        if self._under_way is not None and self._under_way.done():
            self.wait()

    def wait(self) -> None:
        """Return when the save under way is safely on the disk; raises `StoreError`, once, if it is not."""
        if self._under_way is None:
            return
        try:
            self._under_way.result()
        finally:
            if self._under_way.done():
                self._under_way = None

    def close(self) -> None:
        """Let go of everything; what is under way is finished first."""
        try:
            self.wait()
        finally:
            self._drop_manager()
            self._lock.release()
            atexit.unregister(self._left_open)

    def metrics(self, step: int) -> Mapping[str, float]:
        """Return the metrics of a snapshot, none if it is damaged."""
        if step not in self._metrics:
            self._metrics[step] = reading.metrics_of(self.root, step)
        return self._metrics[step]

    def put_aside(self, step: int) -> Path | None:
        """Move a damaged snapshot into quarantine."""
        self._drop_manager()
        self._metrics.pop(step, None)
        return paths.put_aside(self.root, step)

    def delete(self, steps: list[int]) -> None:
        """Delete snapshots: first their names go, at once each, then their files."""
        try:
            manager = self._opened()
            if not set(steps) <= set(manager.all_steps()):
                manager.reload()  # somebody put a snapshot there
            for step in steps:
                paths.swept(self.root)
                manager.delete(step)
                self._metrics.pop(step, None)
            paths.swept(self.root)
        except backend.FAILURES as error:
            raise PathError(
                f"Snapshots {listed(map(str, steps))} in {shown(self.root)} could not be deleted ({reason(error)}); "
                "delete them by hand."
            ) from error

    def _opened(self) -> Any:
        if self._manager is None:
            paths.swept(self.root)  # what a killed program had not finished deleting
            self._manager = backend.opened(self.root)
        return self._manager

    def _drop_manager(self) -> None:
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def _commit(self, about: Manifest, packed: Packed) -> None:
        """Write a snapshot, see it safely on the disk, then delete what is not kept; runs on the worker's thread."""
        meta = about.model_dump(mode="json")
        try:
            seal = manifest.seal(meta, leaves.hashes(packed))
            if not self._lock.is_held():
                raise FileNotFoundError(errno.ENOENT, "the folder was removed or replaced")
            backend.write(self._opened(), about.step, packed.data, meta, seal)
            paths.settle(paths.folder_of(self.root, about.step))
        except (*backend.FAILURES, FlawError) as error:
            raise self._failed(about.step, error) from error
        self._metrics[about.step] = about.metrics
        old = retention.removable(paths.steps(self.root), self.metrics, self._keep)
        if old:
            self.delete(old)

    def _failed(self, step: int, error: Exception) -> SaveError:
        """Clear up after a failed save and say what is left."""
        self._manager = None
        paths.drop_unfinished(self.root, step)
        kept = [one for one in paths.steps(self.root) if one != step]
        left = f"snapshot {max(kept)} is still the newest" if kept else "there is no older one"
        return SaveError(f"Snapshot {step} could not be saved in {shown(self.root)} ({reason(error)}); {left}.", step)

    def _left_open(self) -> None:
        """Say so when a program ends without closing its store: python has by then stopped what was under way."""
        if self._under_way is None:
            return
        try:
            self.wait()
        except StoreError:
            place = f"Snapshot {self._step} in {shown(self.root)}"
            sys.stderr.write(f"{place} was lost, because the program ended without closing its store.\n")
