"""`townlet record` and `townlet replay`: a town's life in a file, and out of it again.

Owns what these commands say. Results go to stdout, progress and remarks to stderr; with `--json` the last line of
stdout is one object.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax import cli_render, recording, replay, report, run, watch
from townlet_jax.cli_render import Subject
from townlet_jax.files import check_target, replacing
from townlet_jax.ui import pictures
from townlet_jax.ui.pictures import Order
from townlet_jax.ui.stage import Stage


def record(subject: Subject, *, out: Path, every: int) -> int:
    """Let a town live and save what everybody asked for; returns the exit code."""
    ready = cli_render.prepare(subject)
    if not 1 <= every <= recording.MOST_EVERY:
        raise run.RunError(f"--every is {every}, but must be 1 to {recording.MOST_EVERY} ticks; change it.")
    if out.suffix.lower() != ".npz":
        raise run.RunError(f"--out {report.printable(str(out))} must end in .npz; change the name.")
    check_target(out)
    recording.demand_room(ready.plan.ticks, ready.built.spec.num_agents)
    with cli_render.progress(ready.plan.ticks) as advance:
        made, state = replay.record(
            ready.config,
            ready.built,
            ready.plan,
            ready.policy,
            town=subject.town,
            every=every,
            on_ticks=advance,
        )
    with replacing(out) as file:
        recording.save(file, made)
    print(
        f"Recorded {ready.plan.ticks:,} ticks of {ready.title} in {report.printable(str(out))} "
        f"({out.stat().st_size / 1e6:.2f} MB); {len(made.checkpoints)} checkpoints, "
        f"last digest {made.checkpoints[ready.plan.ticks][:16]}."
    )
    return cli_render.verdict(state)


@dataclass(frozen=True, kw_only=True)
class ReplayRequest:
    """The options of `townlet replay`."""

    file: Path
    order: Order | None
    last: int | None
    span_given: bool
    json: bool


def play_again(request: ReplayRequest) -> int:
    """Live a recorded run again, compare it and draw it; returns the exit code."""
    cli_render.configure()
    name = report.printable(str(request.file))
    taken = recording.load(request.file)
    about = taken.description
    built = replay.rebuild(taken, name)
    stage = Stage(
        built.names, built.params, cli_render.title_of(built, report.printable(about.policy), about.seed, about.town)
    )
    draw = _drawing(request, stage, about.ticks)
    began = time.perf_counter()
    difference: replay.DifferenceError | None = None
    with cli_render.progress(about.ticks) as advance:
        keep = replay.nothing if request.order is None else cli_render.keep_for(request.order)
        try:
            draw(replay.replay(taken, built, keep=keep), advance)
        except replay.DifferenceError as error:
            difference = error
    if request.json:
        document = summary(taken, name, difference, time.perf_counter() - began)
        print(json.dumps(document | {"out": _out(request, difference)}, allow_nan=False), flush=True)
    elif difference is None:
        print(
            f"Replayed {about.ticks:,} ticks of {stage.title}: bit for bit the recorded run at all "
            f"{len(taken.checkpoints)} checkpoints, last digest {taken.checkpoints[about.ticks][:16]}."
        )
    if difference is None:
        return cli_render.DONE
    made_with = ", ".join(f"{name} {version}" for name, version in sorted(about.versions.items()))
    print(f"{difference} It was made with {report.printable(made_with)}.", file=sys.stderr)
    return cli_render.FAULTY


def _drawing(
    request: ReplayRequest, stage: Stage, ticks: int
) -> Callable[[Iterator[watch.Chunk], Callable[[int], None]], None]:
    """Return what is to be done with a replay: draw it, or only let it happen."""
    order, last = request.order, ticks if request.last is None else request.last
    if order is None and request.span_given:
        raise run.RunError("--from and --to say what is drawn, but there is no --out; give it a file.")
    if not 1 <= last <= ticks:
        raise run.RunError(f"--to is {last}, but must be a tick from 1 to {ticks}, the last one; change it.")
    if order is None:

        def only_live(chunks: Iterator[watch.Chunk], advance: Callable[[int], None]) -> None:
            for chunk in chunks:
                advance(chunk.last_tick)

        return only_live
    layout = pictures.check(order, stage)
    shown = pictures.ticks_of(order, last)

    def draw(chunks: Iterator[watch.Chunk], advance: Callable[[int], None]) -> None:
        amount = pictures.write(order, stage, layout, cli_render.frames_of(chunks, shown, advance, []))
        cli_render.say_written(order, amount, shown)

    return draw


def _out(request: ReplayRequest, difference: replay.DifferenceError | None) -> str | None:
    return None if request.order is None or difference is not None else str(request.order.out)


def summary(
    taken: recording.Recording, name: str, difference: replay.DifferenceError | None, seconds: float
) -> dict[str, Any]:
    """Return what a replay found as one JSON object."""
    about = taken.description
    return {
        "file": name,
        "config": report.printable(about.config_id),
        "config_hash": about.config_hash,
        "policy": report.printable(about.policy),
        "seed": about.seed,
        "town": about.town,
        "agents": about.agents,
        "ticks": about.ticks,
        "checkpoints": len(taken.checkpoints),
        "equal": difference is None,
        "first_difference": None if difference is None else [difference.first, difference.last],
        "digest": taken.checkpoints[about.ticks],
        "recorded_with": about.versions,
        "seconds": seconds,
    }
