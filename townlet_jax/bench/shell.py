"""What stands around the towns costs: telemetry, a sink that is dead, autosave, a snapshot, going on from one.

Sessions with and without each live side by side and take turns, so that what else the machine does weighs on all of
them alike: a cost is the median over rounds of the ratio to the silent session of the same round.
"""

import functools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import jax

from townlet_jax.bench.record import CHECKOUT, REPEATS, Record
from townlet_jax.config import Built, Config, build
from townlet_jax.plans import Plan, RunError, plan_for
from townlet_jax.runtime import CACHE_VARIABLE
from townlet_jax.session import Session
from townlet_jax.snapshots import Store
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.telemetry.sinks.channel import Channel
from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.tcp import TcpSink
from townlet_jax.town_snapshots import VERSION, Archive, identity_of

POLICY = "scripted"
TURN, SAVING_TURN = 200, 1000  # ticks; a snapshot is saved once in each of the second kind
WATCHED = 4  # towns
ENDLESS = 10**7  # ticks
TOKEN = "0" * 64  # nobody reads it
CHILD = "import sys; from townlet_jax.cli import execute; sys.exit(execute(sys.argv[1:]))"
LIMIT_SECONDS = 600


def run(config: Config, name: str, *, towns: int, ticks: int | None = None) -> Iterator[Record]:
    """Measure all of it; `name` is what the command line calls the configuration, `ticks` are those of a turn."""
    built = build(config)
    with tempfile.TemporaryDirectory(prefix="townlet-shell-") as text:
        folder = Path(text)
        yield from telemetry(config, built, folder, towns=towns, ticks=ticks or TURN)
        yield from autosave(config, built, folder, towns=towns, ticks=ticks or SAVING_TURN)
        yield from snapshot(config, built, name, folder, towns=towns, ticks=ticks or TURN)


def telemetry(config: Config, built: Built, folder: Path, *, towns: int, ticks: int) -> list[Record]:
    """Measure measures of all towns and frames of some, written to a file; then with a sink that nobody answers."""
    plan, watched = _plan(built, towns), tuple(range(min(WATCHED, towns)))
    with ExitStack() as stack:
        port = stack.enter_context(_refusing())
        sink = TcpSink("127.0.0.1", port, TOKEN, None)
        dead = Channel(sink, config.telemetry.buffer, trouble=SinkError("nobody has answered yet"))

        def published(file: str, *more: Channel) -> Session:
            publisher = Publisher(
                built,
                plan,
                section=config.telemetry,
                extra_sinks=[str(folder / file)],
                watched=watched,
                every_ticks=config.telemetry.every_ticks,
                more_channels=more,
            )
            return stack.enter_context(Session(built, plan, listeners=[publisher], watched=watched))

        sessions = {
            "silent": stack.enter_context(Session(built, plan)),
            f"telemetry, frames of {len(watched)} towns": published("alone.jsonl"),
            "the same with a dead TCP sink": published("beside.jsonl", dead),
        }
        return _in_turns(sessions, towns, ticks)


def autosave(config: Config, built: Built, folder: Path, *, towns: int, ticks: int) -> list[Record]:
    """Measure saving a snapshot in each turn."""
    plan = _plan(built, towns)
    identity = identity_of(built, POLICY, config.snapshot)
    with ExitStack() as stack:
        store = stack.enter_context(
            Store(folder / "autosaves", identity=identity, keep_latest=config.snapshot.autosave.keep, version=VERSION)
        )
        sessions = {
            "silent, beside autosave": stack.enter_context(Session(built, plan)),
            f"autosave every {ticks:,} ticks": stack.enter_context(
                Session(built, plan, archive=Archive(store, every=ticks))
            ),
        }
        return _in_turns(sessions, towns, ticks)


def snapshot(config: Config, built: Built, name: str, folder: Path, *, towns: int, ticks: int) -> Iterator[Record]:
    """Measure saving until it is safe against writing the bytes of its arrays, then going on in a fresh process."""
    plan, root = _plan(built, towns), folder / "snapshots"
    identity = identity_of(built, POLICY, config.snapshot)
    with (
        Store(root, identity=identity, keep_latest=1, version=VERSION) as store,
        Session(built, plan, archive=Archive(store)) as session,
    ):

        def step() -> None:
            session.run(session.tick + 1)

        def save() -> None:
            session.save_now()
            store.wait()

        session.run(ticks)
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(session.moment().tree))
        saving, writing = [], []
        for _ in range(REPEATS + 1):
            step()
            saving.append(_seconds(save))
            writing.append(_seconds(lambda: _write(folder / "raw", size)))
        tick = session.tick
    yield (
        _record(towns, built, "snapshot, over writing its bytes")
        | _figures(saving[1:], "wall_")
        | {
            "write_seconds": statistics.median(writing[1:]),
            "snapshot_bytes": size,
            "cost": statistics.median(saved / wrote for saved, wrote in zip(saving[1:], writing[1:], strict=True)),
        }
    )
    command = ["run", name, "--resume", str(root), "--ticks", str(tick + 1), "--quiet", "--json"]
    processes = [_seconds(lambda: _child(command, folder / "cache")) for _ in range(REPEATS + 1)]
    yield _record(towns, built, "restore and first tick in a fresh process") | _figures(processes[1:], "wall_")


def _plan(built: Built, towns: int) -> Plan:
    return plan_for(built, towns=towns, ticks=ENDLESS, days=None, policy=POLICY, seed=0, chunk=None)


def _in_turns(sessions: Mapping[str, Session], towns: int, ticks: int) -> list[Record]:
    """Let sessions live in turns, and return what a tick costs in each, against the first of them."""
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(REPEATS + 1):
        for name, session in sessions.items():
            seconds[name].append(_seconds(functools.partial(session.run, session.tick + ticks)))
    records = []
    for name, session in sessions.items():
        turns, silent = seconds[name][1:], next(iter(seconds.values()))[1:]
        cost = statistics.median(turn / base for turn, base in zip(turns, silent, strict=True))
        records.append(
            _record(towns, session.built, name)
            | _figures(turns)
            | {"ticks": ticks, "us_per_tick": statistics.median(turns) / ticks * 1e6, "cost": cost}
        )
    return records


def _figures(seconds: Sequence[float], prefix: str = "") -> Record:
    return {
        f"{prefix}seconds": statistics.median(seconds),
        f"{prefix}seconds_min": min(seconds),
        f"{prefix}seconds_max": max(seconds),
        "repeats": len(seconds),
    }


def _record(towns: int, built: Built, what: str) -> Record:
    agents = built.spec.num_agents
    line = f"{towns:,} x {agents:,}, {what}"
    return {"bench": "shell", "line": line, "towns": towns, "agents": agents, "batch": towns, "policy": POLICY}


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _write(path: Path, size: int) -> None:
    """Write so many bytes, until they are safe."""
    with path.open("wb") as file:
        file.write(os.urandom(1 << 20) * (size >> 20) + bytes(size & (1 << 20) - 1))
        file.flush()
        os.fsync(file.fileno())


def _child(arguments: Sequence[str], cache: Path) -> None:
    """Let the command line run in a fresh process that keeps compiled programs in `cache`."""
    environment = os.environ | {CACHE_VARIABLE: str(cache), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], env=environment, capture_output=True, timeout=LIMIT_SECONDS
    )
    if done.returncode != 0:
        raise RunError(f"A measured process failed: {done.stderr.decode(errors='replace').strip()}")


@contextmanager
def _refusing() -> Iterator[int]:
    """Hold a port at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
