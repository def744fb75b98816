"""What `townlet snapshot` does with a configuration: restore, branch, migrate."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from townlet_jax import cli_run, run, runtime
from townlet_jax.branching import branched
from townlet_jax.cli_progress import progress_bar
from townlet_jax.config import Built, Config, build, load
from townlet_jax.plans import MOST_TICKS, Plan, RunError, default_chunk, policy_of
from townlet_jax.report import printable
from townlet_jax.resuming import allowed_roots, newest, restored
from townlet_jax.session import Session
from townlet_jax.snapshots import Restored, StopRequest, Store
from townlet_jax.town_snapshots import MIGRATIONS, VERSION, Archive, Moment, identity_of

DONE = 0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which snapshot, under which configuration, and what is to be done with it."""

    folder: Path
    config: str
    overrides: tuple[str, ...]
    step: int | None = None
    ticks: int = 0
    towns: tuple[int, ...] | None = None
    branches: int = 1
    same_key: bool = False
    out: Path | None = None
    json: bool = False


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A snapshot that was found, and the towns it is to fit."""

    built: Built
    config: Config
    store: Store
    policy: str
    step: int | None


def restore(wanted: Wanted) -> int:
    """Check that a snapshot fits, let its towns live on if that is wanted, and report; returns the exit code."""
    if not 0 <= wanted.ticks <= MOST_TICKS:
        raise RunError(f"--ticks is {wanted.ticks}, but must be 0 to {MOST_TICKS}; change it.")
    with ExitStack() as stack:
        found = _opened(wanted, stack)
        policy = policy_of(found.policy, found.built)
        moment, origin = restored(found.store, found.built, policy, found.config.snapshot, step=wanted.step)
        moment = _chosen(wanted, moment)
        towns = int(moment.notes["towns"])
        plan = Plan(
            towns=towns,
            ticks=moment.tick + wanted.ticks,
            policy=found.policy,
            seed=int(moment.notes["seed"]),
            chunk=min(default_chunk(found.built.spec, towns), max(1, wanted.ticks)),
        )
        stop = stack.enter_context(StopRequest())
        tell = run.Teller(stack.enter_context(progress_bar(plan, Console(stderr=True))))
        archive = _archive(wanted, found, stack)
        session = stack.enter_context(
            Session(found.built, plan, policy=policy, listeners=[tell], archive=archive, stop_at_faults=False)
        )
        session.adopt(moment)
        failure = cli_run.let_live(session, plan, stop)
    if failure is not None:
        raise failure
    return _report(wanted, found, plan, session, origin)


def _opened(wanted: Wanted, stack: ExitStack) -> Opened:
    """Open the folder under the identity of the configuration, for the policy that the snapshot was made with."""
    runtime.configure()
    config = load(wanted.config, wanted.overrides)
    built = build(config)
    roots = allowed_roots(config.snapshot)
    with Store(wanted.folder, identity=None, read_only=True, allowed_roots=roots) as looking:
        about = newest(looking, wanted.step)
    policy = str(about.meta["policy"])
    store = Store(
        wanted.folder,
        identity=identity_of(built, policy, config.snapshot),
        read_only=True,
        allowed_roots=roots,
        version=VERSION,
        migrations=MIGRATIONS,
    )
    return Opened(built=built, config=config, store=stack.enter_context(store), policy=policy, step=about.step)


def _chosen(wanted: Wanted, moment: Moment) -> Moment:
    """Take towns out and branch them, and remember where they come from."""
    parent = {
        "folder": printable(str(wanted.folder)),
        "tick": moment.tick,
        "towns": None if wanted.towns is None else list(wanted.towns),
        "branches": wanted.branches,
        "same_key": wanted.same_key or wanted.branches == 1,
    }
    moment = branched(
        moment,
        towns=wanted.towns,
        branches=wanted.branches,
        same_key=wanted.same_key or wanted.branches == 1,
    )
    return replace(moment, notes={**moment.notes, "parents": [*moment.notes["parents"], parent]})


def _archive(wanted: Wanted, found: Opened, stack: ExitStack) -> Archive | None:
    """Return where the towns are saved in the end; raises `RunError` for a folder that holds snapshots already."""
    if wanted.out is None:
        return None
    store = Store(
        wanted.out,
        identity=identity_of(found.built, found.policy, found.config.snapshot),
        keep_latest=None,
        allowed_roots=allowed_roots(found.config.snapshot),
        version=VERSION,
    )
    stack.enter_context(store)
    latest = store.latest()
    if latest is not None:
        shown = printable(str(wanted.out))
        raise RunError(f"--out {shown} holds snapshot {latest} already; give a folder without snapshots.")
    return Archive(store)


def _report(wanted: Wanted, found: Opened, plan: Plan, session: Session, origin: Restored) -> int:
    result = run.result_of(session)
    document = cli_run.summary(found.built, plan, result)
    document["restored"] = {
        "tick": origin.manifest.step,
        "damaged": [str(refused) for refused in origin.refused],
        "differences": [str(difference) for difference in origin.differences],
        "migrations": list(origin.manifest.migrations),
        "out": None if wanted.out is None else printable(str(wanted.out)),
    }
    if wanted.json:
        print(json.dumps(document, allow_nan=False))
        return DONE
    for remark in (*document["restored"]["damaged"], *document["restored"]["differences"]):
        print(remark)
    fits = f"Snapshot {origin.manifest.step} fits {document['config']}"
    print(f"{fits}: {plan.towns:,} towns, now at tick {result.ticks:,}.")
    if document["kpis"]:
        cli_run.show(found.built, plan, result, document)
    return DONE


def migrate(wanted: Wanted, *, dry_run: bool) -> int:
    """Write a snapshot as this version and configuration have it, or say what would be done."""
    with ExitStack() as stack:
        found = _opened(wanted, stack)
        assert found.step is not None, "the snapshot was read"
        way = found.store.plan(found.step)
        is_needed = not way.endswith("no migration.")
        if not dry_run and is_needed:
            if wanted.out is None:
                raise RunError("A migrated snapshot needs a folder of its own; give one with --out.")
            policy = policy_of(found.policy, found.built)
            moment, after = restored(
                found.store, found.built, policy, found.config.snapshot, step=found.step, migrate=True
            )
            archive = _archive(wanted, found, stack)
            assert archive is not None, "--out is given"
            archive.store.save(
                moment.tick,
                moment.tree,
                meta=moment.notes,
                metrics=after.manifest.metrics,
                migrations=after.manifest.migrations,
            )
            archive.store.wait()
            way = f"{way.rstrip('.')}; it was written to {printable(str(wanted.out))}."
    is_done = is_needed and not dry_run
    print(json.dumps({"tick": found.step, "needed": is_needed, "done": is_done, "text": way}) if wanted.json else way)
    return DONE
