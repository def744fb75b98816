"""Commands about snapshots: save the session, go back to one, look at them (MECHANICS 13).

Paths are meant below the folder in which the session keeps its snapshots, and stay inside the folders that the
configuration allows.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from townlet_jax.console.errors import ConsoleError, shown
from townlet_jax.console.host import Host
from townlet_jax.console.rows import Answer, Arguments, Row
from townlet_jax.report import printable
from townlet_jax.resuming import newest, restored
from townlet_jax.snapshots import Identity, Store
from townlet_jax.snapshots.identity import differences
from townlet_jax.town_snapshots import MIGRATIONS, VERSION, Archive, identity_of

PLACE = "folder of snapshots, or one snapshot in it; default the session's own"


class Somewhere(Arguments):
    """Where a snapshot is, or is to be."""

    path: str | None = Field(None, min_length=1, max_length=1000, description=PLACE)


class Which(Somewhere):
    """Which snapshot."""

    step: int | None = Field(None, ge=0, description="its tick; default the newest")


class Validate(Which):
    """How much is checked."""

    strict: bool = Field(False, description="read every byte and check its hash")


class Migrate(Arguments):
    """From where to where."""

    path: str = Field(min_length=1, max_length=1000, description=PLACE)
    output: str = Field(min_length=1, max_length=1000, description="folder for the migrated snapshot")


def save(host: Host, arguments: Somewhere) -> Answer:
    """Save all towns, and answer when that is safe."""
    archive = host.session.archive
    if arguments.path is None and archive is not None:
        tick = host.between(lambda: _saved_here(host, archive))
        return {"tick": tick, "path": printable(str(archive.store.root)), "step": tick}
    folder, _ = _place(host, arguments.path, None)
    with _opened(host, folder, read_only=False) as store:
        tick = host.between(lambda: _begun(host, store))
        store.wait()
    _told(host, "snapshot.saved", tick, folder)
    return {"tick": tick, "path": printable(str(folder)), "step": tick}


def _saved_here(host: Host, archive: Archive) -> int:
    tick = host.session.save_now()
    archive.store.wait()
    _told(host, "snapshot.saved", tick, archive.store.root)
    return tick


def _begun(host: Host, store: Store) -> int:
    moment = host.session.settled_now()
    store.save(moment.tick, moment.tree, meta=moment.notes)
    return moment.tick


def load(host: Host, arguments: Which) -> Answer:
    """Go back, or forward, to a snapshot of as many towns."""
    session = host.session
    folder, step = _place(host, arguments.path, arguments.step)
    with _opened(host, folder, read_only=True) as store:
        about = newest(store, step)
        if about.meta["towns"] != session.plan.towns:
            raise ConsoleError(
                "rejected",
                f"Snapshot {about.step} has {about.meta['towns']} towns, but the session has {session.plan.towns}.",
            )
        moment, found = restored(store, session.built, session.policy, host.section, step=step)
    host.between(lambda: session.adopt(moment))
    _told(host, "snapshot.loaded", moment.tick, folder)
    return {
        "tick": moment.tick,
        "path": printable(str(folder)),
        "step": moment.tick,
        "differences": [str(difference) for difference in found.differences],
        "damaged": [str(refused) for refused in found.refused],
    }


def inspect(host: Host, arguments: Which) -> Answer:
    """Return what a snapshot says about itself."""
    folder, step = _place(host, arguments.path, arguments.step)
    with _opened(host, folder, read_only=True) as store:
        about = newest(store, step)
        document: dict[str, Any] = about.model_dump(mode="json", exclude={"leaves", "meta"})
        meta = {name: about.meta[name] for name in ("towns", "seed", "policy", "seconds") if name in about.meta}
        return {
            "path": printable(str(folder)),
            "manifest": document | {"meta": meta, "leaves": len(about.leaves)},
            "steps": store.steps(),
        }


def validate(host: Host, arguments: Validate) -> Answer:
    """Say whether a snapshot fits this session, and what differs."""
    folder, step = _place(host, arguments.path, arguments.step)
    with _opened(host, folder, read_only=True) as store:
        about = newest(store, step)
        if arguments.strict:
            store.verify(about.step)
    mine = _identity(host)
    found = [] if about.identity is None else [str(one) for one in differences(about.identity, mine)]
    if about.meta["towns"] != host.session.plan.towns:
        found.append(f"towns is {about.meta['towns']} in the snapshot and {host.session.plan.towns} here")
    return {"path": printable(str(folder)), "step": about.step, "valid": not found, "differences": found}


def migrate(host: Host, arguments: Migrate) -> Answer:
    """Write a snapshot as this version and configuration have it."""
    session = host.session
    folder, step = _place(host, arguments.path, None)
    output, _ = _place(host, arguments.output, None)
    with _opened(host, folder, read_only=True) as store:
        about = newest(store, step)
        way = store.plan(about.step)
        moment, after = restored(store, session.built, session.policy, host.section, step=about.step, migrate=True)
    with _opened(host, output, read_only=False) as writing:
        writing.save(
            moment.tick,
            moment.tree,
            meta=moment.notes,
            metrics=after.manifest.metrics,
            migrations=after.manifest.migrations,
        )
        writing.wait()
    applied = list(after.manifest.migrations)
    return {"step": moment.tick, "path": printable(str(output)), "migrations": applied, "way": way}


def _place(host: Host, path: str | None, step: int | None) -> tuple[Path, int | None]:
    """Return the folder of snapshots that is meant, and which one of them if the path says it."""
    archive = host.session.archive
    base = Path(host.section.root).resolve() if archive is None else archive.store.root
    place = base if path is None else base / path
    if place.name.isdecimal() and (place / "meta").exists():
        if step is not None and step != int(place.name):
            raise ConsoleError("invalid_args", f"The path '{shown(path)}' names a snapshot, and step another one.")
        return place.parent, int(place.name)
    return place, step


def _opened(host: Host, folder: Path, *, read_only: bool) -> Store:
    session, section = host.session, host.section
    own = [] if session.archive is None else [session.archive.store.root]
    return Store(
        folder,
        identity=_identity(host),
        keep_latest=None,
        read_only=read_only,
        allowed_roots=[Path(section.root), *map(Path, section.allowed_paths), *own],
        version=VERSION,
        migrations=MIGRATIONS,
    )


def _identity(host: Host) -> Identity:
    session = host.session
    return identity_of(session.built, session.plan.policy, host.section, policy_hash=host.policy_hash)


def _told(host: Host, event: str, tick: int, folder: Path) -> None:
    if host.publisher is not None:
        host.publisher.tell(event, tick=tick, data={"tick": tick, "folder": printable(folder.name)})


_ERRORS = ("forbidden_path", "not_found", "read_failed")
ROWS = (
    Row(
        name="snapshot_inspect", about="What a snapshot says about itself.",
        function=inspect, arguments=Which, errors=_ERRORS,
    ),
    Row(
        name="snapshot_validate", about="Whether a snapshot fits this session, and what differs.",
        function=validate, arguments=Validate, errors=_ERRORS,
    ),
    Row(
        name="snapshot_save", about="Save all towns; the answer comes when that is safe.",
        function=save, arguments=Somewhere, role="admin", needs_id=True,
        errors=("forbidden_path", "rejected", "conflict"),
    ),
    Row(
        name="snapshot_load", about="Go on from a snapshot, whatever its tick.",
        function=load, arguments=Which, role="admin", needs_id=True, errors=("rejected", *_ERRORS),
    ),
    Row(
        name="snapshot_migrate", about="Write an older snapshot as this version has it.",
        function=migrate, arguments=Migrate, role="admin", needs_id=True,
        errors=("migration_failed", "rejected", *_ERRORS),
    ),
)  # fmt: skip
