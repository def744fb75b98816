"""`townlet render`: from the options to a picture of one town. Owns what is said where: all of it on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from townlet_jax import candidates, report, run, runtime, watch
from townlet_jax.config import Built, Config, build, load
from townlet_jax.core import batch
from townlet_jax.core.enums import Fault
from townlet_jax.core.state import TownState
from townlet_jax.ui import pictures, view
from townlet_jax.ui.pictures import Order
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame

DONE, FAULTY = 0, 1
TIE_BYTES = 64 * 2**20  # of ties kept at a time


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The town that is wanted and what it does."""

    config: str
    overrides: tuple[str, ...]
    days: float | None
    ticks: int | None
    policy: str | None
    seed: int | None
    town: int


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A subject whose every wish can be had."""

    config: Config
    built: Built
    plan: run.Plan
    policy: batch.Policy
    title: str


def prepare(subject: Subject) -> Prepared:
    """Check a subject; raises `ConfigError` or `RunError`."""
    configure()
    config = load(subject.config, subject.overrides)
    chosen = candidates.acting(subject.policy, subject.config, subject.overrides, build(config))
    built, seed = chosen.built, config.seed if subject.seed is None else subject.seed
    plan = candidates.plan_of(chosen, towns=1, ticks=subject.ticks, days=subject.days, seed=seed, chunk=watch.CHUNK)
    if not 0 <= subject.town < run.MOST_TOWNS:
        raise run.RunError(f"--town is {subject.town}, but must be 0 to {run.MOST_TOWNS - 1}; change it.")
    title = title_of(built, plan.policy, plan.seed, subject.town)
    return Prepared(config=config, built=built, plan=plan, policy=chosen.acting(), title=title)


def title_of(built: Built, policy: str, seed: int, town: int) -> str:
    """Return which town a picture shows."""
    return f"{report.printable(built.names.config_id)} · {policy} · seed {seed}, town {town}"


def configure() -> None:
    """Set devices and cache, and say what could not be had."""
    ready = runtime.configure()
    if ready.note:
        print(ready.note, file=sys.stderr)


def render(subject: Subject, order: Order) -> int:
    """Let a town live and draw it; returns the exit code."""
    ready = prepare(subject)
    stage = Stage(ready.built.names, ready.built.params, ready.title)
    layout = pictures.check(order, stage)
    shown = pictures.ticks_of(order, ready.plan.ticks)
    edits = run.events_of(ready.built, ready.plan)
    ends: list[TownState] = []
    with progress(ready.plan.ticks) as advance:
        chunks = watch.follow(
            ready.built,
            ready.policy,
            watch.begin(ready.built, seed=ready.plan.seed, index=subject.town),
            ticks=ready.plan.ticks,
            keep=keep_for(order),
            chunk=_chunk(order, ready.built),
            edits=edits,
        )
        amount = pictures.write(order, stage, layout, frames_of(chunks, shown, advance, ends))
    say_written(order, amount, shown)
    return verdict(ends[-1])


def keep_for(order: Order) -> watch.Keep:
    """Return what is kept of each tick."""
    return view.look_with_ties if order.overlay == "ties" else view.look


def _chunk(order: Order, built: Built) -> int:
    """Return how many ticks run in one call: ties of large towns are kept for few ticks at a time."""
    if order.overlay != "ties":
        return watch.CHUNK
    return max(1, min(watch.CHUNK, TIE_BYTES // (8 * built.spec.num_agents**2)))


def frames_of(
    chunks: Iterator[watch.Chunk], shown: list[int], advance: Callable[[int], None], ends: list[TownState]
) -> Iterator[Frame]:
    """Yield the wanted frames, then let the rest of the run happen."""

    def views() -> Iterator[view.View]:
        for chunk in chunks:
            ends[:] = [chunk.state]
            yield chunk.kept
            advance(chunk.last_tick)

    return view.film(views(), shown)


def say_written(order: Order, amount: int, shown: list[int]) -> None:
    """Say what was put where."""
    if order.out == pictures.STDOUT:
        return
    size = order.out.stat().st_size / 1e6
    what = f"{amount} pictures of ticks {shown[0]:,} to {shown[-1]:,}" if amount > 1 else f"tick {shown[-1]:,}"
    print(f"Wrote {report.printable(str(order.out))}: {what}, {size:.2f} MB.", file=sys.stderr)


def verdict(state: TownState) -> int:
    """Say on stderr if the town reported a fault and return the exit code."""
    seen = [fault.name for fault in Fault if int(state.faults) & fault]
    if seen:
        print(f"Faults were seen ({', '.join(seen)}): the town is not to be trusted.", file=sys.stderr)
    return FAULTY if seen else DONE


@contextmanager
def progress(ticks: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many ticks are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.completed:,.0f}/{task.total:,.0f} ticks"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=ticks)
        yield lambda done: bar.update(task, completed=done)
