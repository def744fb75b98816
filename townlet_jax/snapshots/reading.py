"""A snapshot from disk to checked leaves. Owns the order of the checks (MECHANICS 13.2).

Permissions, links, hashes of the documents, version, identity, tree, then the arrays and their hashes: what is cheap
comes first, and nothing is believed before its hash has been seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from townlet_jax.snapshots import backend, identity, manifest, migrations, paths, targets
from townlet_jax.snapshots.errors import FlawError, MigrationError, StoreError, shown
from townlet_jax.snapshots.identity import Difference, Identity, Match
from townlet_jax.snapshots.leaves import Stored, unpack
from townlet_jax.snapshots.manifest import LeafPath, Manifest
from townlet_jax.snapshots.migrations import Migration, Migrations


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody wants of a snapshot."""

    target: Any  # the tree, None for all leaves as they are
    running: Identity | None  # None: anybody's will do
    version: int
    match: Match = field(default_factory=Match)
    subset: bool = False  # the target may lack leaves that the snapshot holds
    migrations: Migrations | None = None  # None: none may be applied


@dataclass(frozen=True, kw_only=True)
class Content:
    """A snapshot in memory, checked."""

    manifest: Manifest
    leaves: Mapping[LeafPath, Stored]
    differences: tuple[Difference, ...] = ()


def described(root: Path, step: int) -> tuple[Manifest, list[str]]:
    """Return what a snapshot says about itself and the hashes of its leaves; raises `FlawError` or `PathError`."""
    folder = paths.folder_of(root, step)
    paths.demand_readable(folder)
    return manifest.opened(paths.document(folder, "meta"), paths.document(folder, "manifest"), step)


def metrics_of(root: Path, step: int) -> Mapping[str, float]:
    """Return the metrics of a snapshot, none if it is damaged or may not be read."""
    try:
        return described(root, step)[0].metrics
    except (FlawError, StoreError):
        return {}


def whole(root: Path, step: int) -> Content:
    """Return a snapshot of which every hash has been checked; raises `FlawError` or `PathError`."""
    about, hashes = described(root, step)
    return _whole(root, about, hashes)


def _whole(root: Path, about: Manifest, hashes: list[str]) -> Content:
    data = backend.read(paths.folder_of(root, about.step), about.size)
    return Content(manifest=about, leaves=unpack(data, about.leaves, hashes))


def granted(root: Path, step: int, wish: Wish) -> Content:
    """Return a snapshot that is whole and fits a wish.

    Raises `FlawError` if it is damaged; `MigrationError`, `IdentityError` or `TargetError` if it is whole but not what
    was wished for.
    """
    about, hashes = described(root, step)
    whose = f"Snapshot {step} in {shown(root)}"
    way = way_to(about, wish, whose)
    if way:
        content = _whole(root, about, hashes)
        changed, after = migrations.applied(way, content.leaves, about)
        forgiven = _identity(after, wish, whose)
        _tree({path: targets.form_of_stored(one) for path, one in changed.items()}, wish, whose)
        return Content(manifest=after, leaves=changed, differences=forgiven)
    forgiven = _identity(about, wish, whose)
    _tree({leaf.path: targets.form_of_leaf(leaf) for leaf in about.leaves}, wish, whose)
    return replace(_whole(root, about, hashes), differences=forgiven)


def way_to(about: Manifest, wish: Wish, whose: str) -> tuple[Migration, ...]:
    """Return the migrations that a snapshot needs; raises `MigrationError` if they cannot or may not be applied."""
    known = wish.migrations or Migrations()
    way: tuple[Migration, ...] = ()
    if about.version > wish.version and not wish.match.allow_newer:
        raise MigrationError(
            f"{whose} has version {about.version}, but this program writes {wish.version}; use a later program."
        )
    if about.version < wish.version:
        if wish.migrations is None:
            raise MigrationError(
                f"{whose} has version {about.version}, but this program writes {wish.version}; migrate it first."
            )
        way = known.path(about.version, wish.version)
    saved, running = about.identity, wish.running
    if saved is not None and running is not None and known.has_way(saved.config_id, running.config_id):
        way += known.path(saved.config_id, running.config_id)
    return way


def _identity(about: Manifest, wish: Wish, whose: str) -> tuple[Difference, ...]:
    if about.identity is None or wish.running is None:
        return ()
    return identity.demand(about.identity, wish.running, wish.match, whose)


def _tree(held: Mapping[LeafPath, targets.Form], wish: Wish, whose: str) -> None:
    if wish.target is not None:
        targets.demand(wish.target, held, whose, subset=wish.subset)
