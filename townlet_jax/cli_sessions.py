"""From options to a session: where its snapshots go, where it goes on from, and what is refused before it begins."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax.candidates import Candidate
from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.core import batch
from townlet_jax.plans import MOST_TICKS, Plan, RunError
from townlet_jax.report import printable
from townlet_jax.resuming import allowed_roots, newest, restored
from townlet_jax.session import Session
from townlet_jax.snapshots import Manifest, Restored, Store
from townlet_jax.stretch import Listener
from townlet_jax.town_snapshots import MIGRATIONS, VERSION, Archive, FailureLog, identity_of

LEAST_EVERY = 100  # ticks between autosaves, as in the configuration


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """Where snapshots go and come from; None where there are none."""

    folder: Path | None
    every: int | None
    resume: Path | None

    @property
    def goes_on(self) -> bool:
        """Say whether the session writes into the folder that it goes on from."""
        return self.folder is not None and self.resume is not None and self.folder.resolve() == self.resume.resolve()


def keeping_of(
    section: SnapshotSection, *, snapshots: Path | None, save_every: int | None, resume: Path | None
) -> Keeping:
    """Return what the options and the configuration say together; raises `RunError`."""
    if save_every is not None and not LEAST_EVERY <= save_every <= MOST_TICKS:
        raise RunError(f"--save-every is {save_every}, but must be {LEAST_EVERY} to {MOST_TICKS} ticks; change it.")
    every = section.autosave.every_ticks if save_every is None else save_every
    folder = snapshots
    if folder is None and every is not None:
        folder = resume if resume is not None else Path(section.root)
    return Keeping(folder=folder, every=every if folder is not None else None, resume=resume)


def origin_of(keeping: Keeping, section: SnapshotSection) -> Manifest | None:
    """Return the snapshot to go on from, None to begin anew; raises `StoreError`.

    A folder that is both written to and gone on from may still be empty: then the run begins.
    """
    if keeping.resume is None:
        return None
    with Store(keeping.resume, identity=None, read_only=True, allowed_roots=allowed_roots(section)) as store:
        if keeping.goes_on and not store.steps():
            return None
        return newest(store)


def demand_same(origin: Manifest | None, plan: Plan, *, towns: int | None, seed: int | None) -> None:
    """Raise `RunError` where options contradict the snapshot that is gone on from."""
    if origin is None:
        return
    for option, given, kept in (("--towns", towns, "towns"), ("--seed", seed, "seed")):
        if given is not None and given != origin.meta[kept]:
            raise RunError(f"{option} is {given}, but the snapshot has {origin.meta[kept]}; leave the option out.")
    if origin.step > plan.ticks:
        raise RunError(
            f"The snapshot is at tick {origin.step:,}, but the run ends at tick {plan.ticks:,}; give --ticks or --days "
            "for all ticks from the first one on."
        )


@contextmanager
def session_of(
    who: Candidate,
    plan: Plan,
    section: SnapshotSection,
    keeping: Keeping,
    *,
    is_resumed: bool,
    listeners: Sequence[Listener] = (),
    watched: Sequence[int] = (),
    around: Callable[[batch.Policy], batch.Policy] = lambda policy: policy,
    cues: Mapping[int, Sequence[Callable[[], None]]] | None = None,
) -> Iterator[tuple[Session, Restored | None]]:
    """Open a session with its snapshots, and say what was restored; everything is closed at the end.

    `who` acts, `around` puts something around that policy, `cues` is what is done before certain ticks.
    """
    built, policy = who.built, around(who.acting())
    identity = identity_of(built, plan.policy, section, policy_hash=who.policy_hash)
    options: dict[str, Any] = {
        "identity": identity,
        "allowed_roots": allowed_roots(section),
        "version": VERSION,
        "migrations": MIGRATIONS,
    }
    with ExitStack() as stack:
        store, moment, found = None, None, None
        if keeping.folder is not None:
            store = stack.enter_context(Store(keeping.folder, keep_latest=section.autosave.keep, **options))
            _demand_unused(store, keeping)
        if is_resumed:
            assert keeping.resume is not None, "only then is there something to go on from"
            source = store if keeping.goes_on else None
            if source is None:
                source = stack.enter_context(Store(keeping.resume, read_only=True, **options))
            moment, found = restored(source, built, policy, section)
        archive = None if store is None else Archive(store, every=keeping.every)
        failures = None
        if section.capture_on_failure:
            failures = FailureLog(root=keeping.folder or Path(section.root), identity=identity)
        session = stack.enter_context(
            Session(
                built,
                plan,
                policy=policy,
                listeners=listeners,
                watched=watched,
                archive=archive,
                failures=failures,
                cues=cues,
                stop_at_faults=not section.allow_faults,
            )
        )
        if moment is not None:
            session.adopt(moment)
        yield session, found


def _demand_unused(store: Store, keeping: Keeping) -> None:
    """Refuse to write among the snapshots of another run."""
    latest = store.latest()
    if latest is not None and not keeping.goes_on:
        shown = printable(str(keeping.folder))
        raise RunError(
            f"{shown} holds snapshot {latest} of another run; go on from it with --resume {shown}, or give "
            "another folder."
        )
