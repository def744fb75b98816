"""Which snapshot is restored: the newest that is whole. Owns the fallback from a damaged one and what is said of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax.snapshots import paths, processes, targets
from townlet_jax.snapshots.errors import DamagedError, FlawError, MissingError, StoreError, listed, shown
from townlet_jax.snapshots.identity import Difference
from townlet_jax.snapshots.manifest import Manifest
from townlet_jax.snapshots.reading import Content

NONE = -1  # no snapshot
Flaws = Mapping[int, tuple[FlawError, Path | None]]  # what is wrong with a snapshot, and where it was moved


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came back."""

    tree: Any
    manifest: Manifest
    refused: tuple[DamagedError, ...] = ()  # newer snapshots that were damaged, newest first
    differences: tuple[Difference, ...] = ()  # of the identity, let through by the match


def restored(
    root: Path,
    target: Any,
    *,
    step: int | None,
    read: Callable[[int], Content],
    put_aside: Callable[[int], Path | None],
) -> Restored:
    """Return the newest snapshot that is whole, or a certain one, in the form of the target.

    What is damaged is put aside; what vanished meanwhile, because its writer deleted it, is passed over.
    """
    flaws: dict[int, tuple[FlawError, Path | None]] = {}
    tried: set[int] = set()
    while (candidate := processes.same(_next(root, step, tried))) != NONE:
        tried.add(candidate)
        found = _read(candidate, read, root, flaws)
        if processes.all_agree(isinstance(found, Content)) and isinstance(found, Content):
            return Restored(
                tree=targets.filled(target, found.leaves),
                manifest=found.manifest,
                refused=_refused(root, flaws, candidate),
                differences=found.differences,
            )
        if processes.same(int(candidate in paths.steps(root))):
            flaw = found if isinstance(found, FlawError) else FlawError("state", "another process cannot read it")
            flaws[candidate] = flaw, put_aside(candidate)
    raise _nothing(root, step, flaws)


def _next(root: Path, step: int | None, tried: set[int]) -> int:
    """Return the newest snapshot that was not tried, or the certain one."""
    untried = [one for one in paths.steps(root) if one not in tried and step in (None, one)]
    return max(untried, default=NONE)


def _read(candidate: int, read: Callable[[int], Content], root: Path, flaws: Flaws) -> Content | FlawError:
    try:
        return read(candidate)
    except FlawError as flaw:
        return flaw
    except StoreError as error:
        for refused in _refused(root, flaws, None):
            error.add_note(str(refused))
        raise


def _refused(root: Path, flaws: Flaws, fallback: int | None) -> tuple[DamagedError, ...]:
    return tuple(
        DamagedError(root, step, flaw, moved=moved, fallback=fallback) for step, (flaw, moved) in flaws.items()
    )


def _nothing(root: Path, step: int | None, flaws: Flaws) -> StoreError:
    """Return the error that says why there is nothing to restore."""
    refused = _refused(root, flaws, None)
    if step in flaws:
        return refused[0]
    if flaws:
        found = listed((f"{bad} ({flaw})" for bad, (flaw, _) in flaws.items()), "; ")
        return MissingError(f"No snapshot in {shown(root)} can be used, because all are damaged: {found}.", refused)
    return missing(root, step)


def missing(root: Path, step: int | None) -> MissingError:
    """Return the error for a snapshot that is not there."""
    there = listed(map(str, reversed(paths.steps(root))))
    if not there:
        return MissingError(f"There are no snapshots in {shown(root)}; give a folder that holds some.")
    return MissingError(f"There is no snapshot {step} in {shown(root)}; it holds {there}.")
