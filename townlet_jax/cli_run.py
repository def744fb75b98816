"""`townlet run`: from the options to a report. Owns what is printed where, and `summary.json`.

Progress and remarks go to stderr, results to stdout. With `--json` the last line of stdout is one object.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from townlet_jax import candidates, files, report, run, runtime
from townlet_jax.candidates import Candidate
from townlet_jax.cli_progress import progress_bar
from townlet_jax.cli_sessions import Keeping, demand_same, keeping_of, origin_of, session_of
from townlet_jax.cli_steering import Steering
from townlet_jax.config import Built, Config, build, load
from townlet_jax.core.batch import town_of
from townlet_jax.failing import FailureError
from townlet_jax.session import Session
from townlet_jax.snapshots import Restored, StopRequest, StoreError
from townlet_jax.snapshots.weights import choices_of
from townlet_jax.stretch import Listener, Watched
from townlet_jax.town_snapshots import identity_of
from townlet_jax.ui import kpi_table, text_map

if TYPE_CHECKING:
    from townlet_jax.cli_live import Live
    from townlet_jax.telemetry.publisher import Publisher

DONE, FAULTY, REFUSED = 0, 1, 2
SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `townlet run`."""

    config: str
    overrides: tuple[str, ...]
    towns: int | None
    days: float | None
    ticks: int | None
    policy: str | None
    seed: int | None
    chunk: int | None
    pace: float | None
    snapshots: Path | None
    save_every: int | None
    resume: Path | None
    telemetry: tuple[str, ...]
    watch_towns: tuple[int, ...]
    out: Path | None
    json: bool
    quiet: bool
    steering: Steering = field(default_factory=Steering)


def carry_out(request: Request) -> int:
    """Run and report; returns the exit code. What cannot be had is refused before anything is simulated."""
    ready = runtime.configure()
    remarks = Console(stderr=True, quiet=request.quiet)
    if ready.note:
        remarks.print(Text(ready.note, style="yellow"))
    config = load(request.config, request.overrides)
    built, section = build(config), config.snapshot
    keeping = keeping_of(section, snapshots=request.snapshots, save_every=request.save_every, resume=request.resume)
    origin = origin_of(keeping, section)
    kept = {"towns": 1, "seed": config.seed, "policy": None} if origin is None else origin.meta
    word = _either(request.policy, kept["policy"])
    who = candidates.acting(word, request.config, request.overrides, built)
    built = who.built
    if who.remark:
        remarks.print(Text(who.remark, style="yellow"))
    plan = candidates.plan_of(
        who,
        towns=_either(request.towns, kept["towns"]),
        ticks=request.ticks,
        days=request.days,
        seed=_either(request.seed, kept["seed"]),
        chunk=request.chunk,
    )
    demand_same(origin, plan, towns=request.towns, seed=request.seed)
    live = None
    if request.steering.is_wanted:
        from townlet_jax.cli_live import Live

        live = Live(request.steering, config)
        plan = live.plan(plan, is_chunk_given=request.chunk is not None)
    if request.out is not None:
        files.check_folder(request.out)
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest())
        tell = run.Teller(stack.enter_context(progress_bar(plan, remarks)))
        publisher = publisher_of(request, config, who, plan, live, stack)
        listeners: list[Listener] = [tell, *([] if publisher is None else [publisher])]
        if live is not None and publisher is not None:
            listeners += live.listeners(who, publisher, (request.config, request.overrides), stack)
        session, found = stack.enter_context(
            session_of(
                who,
                plan,
                section,
                keeping,
                is_resumed=origin is not None,
                listeners=listeners,
                watched=watched_of(request),
                around=(lambda policy: policy) if live is None else live.around(built),
                cues=None if live is None else live.cues,
            )
        )
        _say_where_from(found, remarks)
        session.set_pace(request.pace)
        if publisher is not None and who.actor is not None:
            publisher.look_into(inspection_of(who, publisher, session))
        if live is not None and publisher is not None:
            place = live.begin(session, publisher)
            if place is not None:
                remarks.print(Text(f"The console answers at {report.printable(place)}."))
        failure = let_live(session, plan, stop)
        if publisher is not None:
            publisher.close(str(failure) if failure else "interrupted" if session.tick < plan.ticks else "finished")
    if not session.totals:
        raise failure or run.RunError("Nothing was run.")
    result = run.result_of(session)
    document = summary(built, plan, result)
    if not request.quiet and not request.json and "-" not in request.telemetry:
        show(built, plan, result, document)
    if request.json:
        print(json.dumps(document, allow_nan=False), flush=True)
    if request.out is not None:
        with files.replacing(request.out / SUMMARY) as file:
            file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    return verdict(plan, result, failure, keeping, stop.exit_code)


def _either(given: Any, kept: Any) -> Any:
    return kept if given is None else given


def watched_of(request: Request) -> tuple[int, ...]:
    """Return the towns that are watched: those named, and where there is a console at least the first one."""
    return request.watch_towns or ((0,) if request.steering.is_wanted else ())


def publisher_of(
    request: Request, config: Config, who: Candidate, plan: run.Plan, live: "Live | None", stack: ExitStack
) -> "Publisher | None":
    """Return what publishes the run, closed with the stack; None if nobody wants to hear of it."""
    if not request.telemetry and not config.telemetry.sinks and live is None:
        if request.watch_towns:
            raise run.RunError("--watch-town needs somewhere to show the town; add --telemetry FILE.")
        return None
    from townlet_jax.telemetry.publisher import Publisher

    identity = identity_of(who.built, plan.policy, config.snapshot, policy_hash=who.policy_hash)
    publisher = Publisher(
        who.built,
        plan,
        section=config.telemetry,
        extra_sinks=request.telemetry,
        watched=watched_of(request),
        every_ticks=config.telemetry.every_ticks,
        policy_hash=identity.policy_hash,
        say=lambda text: print(text, file=sys.stderr),
        more_channels=() if live is None else [live.console.hub],
        is_live=request.steering.console is not None,
    )
    stack.callback(publisher.close)
    return publisher


def inspection_of(who: Candidate, publisher: "Publisher", session: Session) -> Callable[[Watched], Mapping[str, Any]]:
    """Return what looks into the network that acts."""
    from townlet_jax.telemetry.decisions import Inspector

    assert who.actor is not None, "only then is there something to look into"
    inspector = Inspector(publisher.words, who.actor, choices_of(who.built))
    return lambda watched: inspector.section(session.fleet.params, watched)


def let_live(session: Session, plan: run.Plan, stop: StopRequest) -> run.RunError | StoreError | None:
    """Run to the end or until somebody asks to stop, save, and return what went wrong."""
    try:
        session.run(plan.ticks, asked=lambda: stop.is_made)
        session.save_at_end()
    except (FailureError, StoreError) as error:
        return error
    return None


def _say_where_from(found: Restored | None, remarks: Console) -> None:
    if found is None:
        return
    for damaged in found.refused:
        remarks.print(Text(str(damaged), style="yellow"))
    for difference in found.differences:
        remarks.print(Text(f"Another configuration: {difference}.", style="yellow"))
    remarks.print(Text(f"Going on from tick {found.manifest.step:,}."))


def verdict(
    plan: run.Plan,
    result: run.Result,
    failure: run.RunError | StoreError | None,
    keeping: Keeping,
    asked: int,
) -> int:
    """Say on stderr what was unusual and return the exit code; `asked` is that of a signal."""
    if failure is not None:
        print(f"error: {failure}", file=sys.stderr)
    elif result.faults:
        seen = ", ".join(f"{name} in {amount}" for name, amount in result.faults.items())
        print(f"Faults were seen ({seen} of {plan.towns} towns): their figures are not to be trusted.", file=sys.stderr)
    if result.ticks < plan.ticks:
        again = f" Go on with --resume {report.printable(str(keeping.folder))}." if keeping.folder else ""
        print(
            f"Interrupted after {result.ticks:,} of {plan.ticks:,} ticks; the figures are of the ticks that were run."
            f"{again}",
            file=sys.stderr,
        )
    if isinstance(failure, StoreError):
        return REFUSED
    if failure is None and asked and result.ticks < plan.ticks:
        return asked
    return FAULTY if failure is not None or result.faults else DONE


def summary(built: Built, plan: run.Plan, result: run.Result) -> dict[str, Any]:
    """Return everything about a run as one JSON object; figures without a meaning are null."""
    figures = {}
    if result.totals:
        figures = report.key_figures(
            result.totals,
            affordances=[report.printable(name) for name in built.names.affordances],
            ticks_per_day=int(built.params.clock.ticks_per_day),
        )
    return {
        "config": report.printable(built.names.config_id),
        "config_hash": built.names.config_hash,
        "policy": plan.policy,
        "seed": plan.seed,
        "towns": plan.towns,
        "agents": built.spec.num_agents,
        "ticks": result.ticks,
        "planned_ticks": plan.ticks,
        "interrupted": result.ticks < plan.ticks,
        "agent_ticks": result.agent_ticks,
        "seconds": result.seconds,
        "compile_seconds": result.compile_seconds,
        "agent_ticks_per_s": result.agent_ticks / max(result.seconds, 1e-9),
        "device": runtime.device(),
        "versions": runtime.versions(),
        "faults": dict(result.faults),
        "kpis": {name: report.spread(values) for name, values in figures.items()},
    }


def show(built: Built, plan: run.Plan, result: run.Result, document: dict[str, Any]) -> None:
    """Print the table, the speed and the map of town 0."""
    console = Console()
    day = int(built.params.clock.ticks_per_day)
    title = (
        f"{document['config']}: {plan.towns:,} towns of {built.spec.num_agents} agents, "
        f"{result.ticks:,} ticks ({result.ticks / day:.2f} days), policy {plan.policy}, seed {plan.seed}"
    )
    names = tuple(report.printable(name) for name in built.names.affordances)
    console.print(kpi_table.table(document["kpis"], affordances=names, title=title))
    console.print(
        Text(
            f"{document['agent_ticks_per_s']:,.0f} agent-ticks/s of living agents "
            f"({result.ticks * plan.towns / max(result.seconds, 1e-9):,.0f} town-ticks/s) on {document['device']}; "
            f"{result.seconds:.1f} s, and {result.compile_seconds:.1f} s to compile"
        )
    )
    console.print()
    console.print(Text(f"Town 0 at the end, tick {result.ticks}:", style="bold"))
    console.print(text_map.render(built.names, built.params, town_of(result.states, 0), width=console.width))
