"""The store: the one place where checkpoints and towns are kept and come back from (ECOSYSTEM, MECHANICS 13).

A store is used by one thread. It writes on a thread of its own, so a save costs its caller one copy into host memory.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from townlet_jax import runtime
from townlet_jax.snapshots import checks, paths, processes, reading, restoring, retention, targets
from townlet_jax.snapshots.errors import DamagedError, FlawError, SaveError, StoreError, listed, shown
from townlet_jax.snapshots.identity import Identity, Match
from townlet_jax.snapshots.leaves import pack
from townlet_jax.snapshots.manifest import FORMAT, Manifest
from townlet_jax.snapshots.migrations import Migrations
from townlet_jax.snapshots.reading import Content, Wish
from townlet_jax.snapshots.restoring import Restored
from townlet_jax.snapshots.retention import Best, Keep
from townlet_jax.snapshots.writing import Writer

Result = TypeVar("Result")


def _together(action: Callable[[], Result]) -> Result:
    """Do something in every process of a run; what fails in one is raised in all, so that none waits for it."""
    failure: StoreError | None = None
    try:
        result = action()
    except StoreError as error:
        failure = error
    if not processes.all_agree(failure is None):
        raise failure or StoreError("Another process of this run has refused it.")
    return result


class Store:
    """Snapshots in a folder: one writer, any number of readers; use it in a `with`, or call `close`.

    `identity` says what is saved and must fit what is restored; None for tools that only look. A snapshot that no rule
    keeps is deleted when a later one is safe: the rules are the `keep_latest` newest (None: all), `keep_best` by a
    metric, and multiples of `keep_every`. `version` is that of the content. With `allowed_roots` the folder must lie in
    one of them. Raises `PathError`, and `LockedError` if another process writes.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        identity: Identity | None,
        keep_latest: int | None = 3,
        keep_best: Best | None = None,
        keep_every: int = 0,
        read_only: bool = False,
        allowed_roots: Sequence[Path] = (),
        version: int = 1,
        migrations: Migrations | None = None,
    ) -> None:
        self.root = paths.resolved(Path(root), allowed_roots)
        self._identity = identity
        self._version = version
        self._migrations = migrations or Migrations()
        self._keep = Keep(latest=keep_latest, best=keep_best, every=keep_every)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        writes = not read_only and processes.is_primary()
        self._read_only = read_only
        self._writer = Writer(self.root, self._keep, self._worker) if writes else None
        self._is_open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is under way and let others write; raises what went wrong with the last save."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._worker.shutdown()

    def save(
        self,
        step: int,
        tree: Any,
        *,
        meta: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        migrations: Sequence[str] = (),
    ) -> None:
        """Copy a tree of arrays and begin to write it; `wait` returns when it is safe.

        The arrays may be changed or donated as soon as this returns. `meta` is any JSON, `migrations` what led to the
        tree (`Manifest.migrations` of what was restored). Waits for the save before; raises `SaveError` for that
        one's failure and for what cannot be saved. In a run of several processes all of them must call it.
        """
        about = _together(lambda: self._about(step, meta or {}, metrics or {}))
        packed = pack(tree, step)
        if self._writer is not None:
            whole = Manifest(**about, migrations=tuple(migrations), leaves=packed.leaves, size=packed.data.size)
            self._writer.submit(whole, packed)

    def _about(self, step: int, meta: Mapping[str, Any], metrics: Mapping[str, float]) -> dict[str, Any]:
        """Return the manifest of a snapshot to be, without its leaves; raises `StoreError`."""
        self._demand_writable(step)
        self.wait()
        step = operator.index(step)
        if self._writer is not None:
            checks.demand_step(self.root, step)
        return {
            "format": FORMAT,
            "step": step,
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "version": self._version,
            "versions": runtime.versions(),
            "identity": self._identity,
            "metrics": checks.finite(metrics, step, self._keep.best),
            "meta": checks.as_json(meta, step),
        }

    def _demand_writable(self, step: int) -> None:
        if self._read_only:
            raise SaveError(f"Snapshot {step} was not saved, because {shown(self.root)} is open read-only.", step)
        if not self._is_open:
            raise SaveError(f"Snapshot {step} was not saved, because the store {shown(self.root)} is closed.", step)

    def check(self) -> None:
        """Raise what went wrong with a save that has ended; never waits, so it can be called once a chunk."""
        if self._writer is not None:
            self._writer.check()

    def wait(self) -> None:
        """Return when the last save is safely on the disk; raises `StoreError` if it is not."""
        if self._writer is not None:
            self._writer.wait()

    def steps(self) -> list[int]:
        """Return the snapshots there are, oldest first, without opening them."""
        return paths.steps(self.root)

    def latest(self) -> int | None:
        """Return the newest snapshot, None if there is none."""
        return max(self.steps(), default=None)

    def best(self, rule: Best) -> int | None:
        """Return the best snapshot by a metric, None if no whole snapshot has it."""
        ranked = retention.best_of(self.steps(), lambda step: reading.metrics_of(self.root, step), rule)
        return ranked[0] if ranked else None

    def manifest(self, step: int) -> Manifest:
        """Return what a snapshot says about itself, without its arrays; raises `DamagedError`."""
        self._demand_listed(step)
        try:
            return reading.described(self.root, step)[0]
        except FlawError as flaw:
            raise DamagedError(self.root, step, flaw) from flaw

    def verify(self, step: int) -> Manifest:
        """Check every hash of a snapshot and leave it where it is; raises `DamagedError`."""
        return self.contents(step).manifest

    def contents(self, step: int) -> Content:
        """Return all leaves of a snapshot as they are kept, every hash checked; raises `DamagedError`."""
        self._demand_listed(step)
        try:
            return self._worker.submit(reading.whole, self.root, step).result()
        except FlawError as flaw:
            raise DamagedError(self.root, step, flaw) from flaw

    def delete(self, step: int) -> None:
        """Delete a snapshot."""
        self._demand_writable(step)
        self.wait()
        self._demand_listed(step)
        if self._writer is not None:
            self._worker.submit(self._writer.delete, [step]).result()

    def plan(self, step: int) -> str:
        """Say which migrations a snapshot needs, without applying them; raises `MigrationError` if no way is known."""
        about = self.manifest(step)
        wish = self._wish(None, Match(), subset=False, migrate=True)
        way = reading.way_to(about, wish, f"Snapshot {step} in {shown(self.root)}")
        return f"Snapshot {step} needs {listed(map(str, way), ', then ') or 'no migration'}."

    def restore(
        self,
        target: Any,
        *,
        step: int | None = None,
        match: Match | None = None,
        subset: bool = False,
        migrate: bool = False,
    ) -> Restored:
        """Return the newest snapshot that is whole, or a certain one, as the tree `target` describes.

        A damaged snapshot is moved to `.quarantine` (a reader leaves it), reported in the result, and the next older
        one is taken; a certain one is not replaced. With `subset` the target may lack leaves that the snapshot holds.
        Raises `MissingError` or `DamagedError` if there is none, `IdentityError`, `TargetError` or `MigrationError` if
        it is whole but does not fit. In a run of several processes all of them must call it.
        """
        _together(self.wait)
        wanted = targets.like(target)
        wish = self._wish(wanted, match or Match(), subset=subset, migrate=migrate)
        return restoring.restored(
            self.root,
            wanted,
            step=step,
            read=lambda candidate: self._worker.submit(reading.granted, self.root, candidate, wish).result(),
            put_aside=self._put_aside,
        )

    def _wish(self, target: Any, match: Match, *, subset: bool, migrate: bool) -> Wish:
        return Wish(
            target=target,
            running=self._identity,
            version=self._version,
            match=match,
            subset=subset,
            migrations=self._migrations if migrate else None,
        )

    def _put_aside(self, step: int) -> Path | None:
        if self._writer is not None:
            return self._writer.put_aside(step)
        return None if self._read_only else self.root / paths.QUARANTINE  # the primary does it

    def _demand_listed(self, step: int) -> None:
        if step not in self.steps():
            raise restoring.missing(self.root, step)
