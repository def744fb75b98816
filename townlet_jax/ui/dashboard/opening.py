"""From what was asked for to a dashboard that shows it: a recording, a running session, or a session of one's own.

Owns what is refused before anything is drawn.
"""

import functools
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from townlet_jax.report import printable
from townlet_jax.telemetry.sinks.sentences import shown
from townlet_jax.ui.dashboard import app
from townlet_jax.ui.dashboard.connecting import Own
from townlet_jax.ui.dashboard.layout import LEAST_HEIGHT, LEAST_WIDTH
from townlet_jax.ui.dashboard.live import Live
from townlet_jax.ui.dashboard.look import Glance, Look
from townlet_jax.ui.dashboard.recording import Recording
from townlet_jax.ui.dashboard.source import Source, SourceError
from townlet_jax.ui.dashboard.terminal import Terminal, TerminalError

if TYPE_CHECKING:
    from townlet_jax.console.client import Link

MOST_KEPT = 20_000  # bytes of what was written to stderr meanwhile
CLOSING_SECONDS = 20.0  # that a session of one's own may take to end
MOST_WIDTH, MOST_HEIGHT = 500, 200
NETWORK = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^/\\:\s]+):(\d{1,5})")
SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")
LINES = (".jsonl", ".json", ".ndjson")
Kind = Literal["recording", "session", "config"]


class RefusalError(Exception):
    """What was asked for cannot be had; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `townlet watch`."""

    target: str
    overrides: tuple[str, ...]
    town: int | None
    page: str
    speed: float | None
    at: int | None
    picture: Path | None
    size: str
    token_env: str | None
    token_file: Path | None
    ca: Path | None
    plaintext: bool
    towns: int
    watched: tuple[int, ...]
    seed: int | None
    policy: str | None


def kind_of(target: str) -> Kind:
    """Return what the first argument names."""
    try:
        mode = Path(target).stat().st_mode
    except (OSError, ValueError):
        if NETWORK.fullmatch(target):
            return "session"
        return "recording" if target.endswith(LINES) else "config"
    if stat.S_ISSOCK(mode):
        return "session"
    return "recording" if target.endswith(LINES) else "config"


def carry_out(request: Request) -> int:
    """Show what is asked for; returns the exit code."""
    kind = kind_of(request.target)
    _refuse_strangers(request, kind)
    glance = Glance(page=request.page, town=request.town)
    if kind == "recording":
        return _recording(request, glance)
    return _session(request, glance) if kind == "session" else _own(request, glance)


def _refuse_strangers(request: Request, kind: str) -> None:
    """Refuse options that belong to another kind of thing to watch."""
    given = {
        "--at": (request.at is not None, "recording"),
        "--picture": (request.picture is not None, "recording"),
        "--ca": (request.ca is not None, "session"),
        "--allow-plaintext": (request.plaintext, "session"),
        "--towns": (request.towns != 1, "config"),
        "--watch-town": (bool(request.watched), "config"),
        "--seed": (request.seed is not None, "config"),
        "--policy": (request.policy is not None, "config"),
        "An override": (bool(request.overrides), "config"),
    }
    articles = {"recording": "a recording", "session": "a running session", "config": "a configuration"}
    for option, (is_given, owner) in given.items():
        if is_given and owner != kind:
            raise RefusalError(
                f"{option} is for watching {articles[owner]}, but {shown(request.target)} is {articles[kind]}; "
                "leave it out."
            )
    if request.speed is not None and kind == "session":
        raise RefusalError("--speed is for recordings and new sessions; press + or - to change that of a running one.")
    if request.speed is not None and not 0 < request.speed <= 1e6:
        raise RefusalError(f"--speed is {request.speed:g}, but must be above 0 and at most 1,000,000; change it.")


def _recording(request: Request, glance: Glance) -> int:
    source = Recording(Path(request.target), speed=10 if request.speed is None else request.speed)
    try:
        if request.at is not None or request.picture is not None:
            source.read_all()
            source.pause()
            source.go_to_tick(source.last_tick if request.at is None else request.at)
        if request.town is not None and request.town not in source.towns:
            known = ", ".join(map(str, source.towns)) or "none"
            raise RefusalError(f"Town {request.town} is not in the recording; choose one of its towns: {known}.")
        return _draw(request, source, glance) if request.picture is not None else _show(source, glance)
    finally:
        source.close()


def _draw(request: Request, source: Source, glance: Glance) -> int:
    """Write one picture."""
    from townlet_jax.files import check_target
    from townlet_jax.ui.dashboard import still

    size = SIZE.fullmatch(request.size)
    width, height = (int(size[1]), int(size[2])) if size else (0, 0)
    if not (LEAST_WIDTH <= width <= MOST_WIDTH and LEAST_HEIGHT <= height <= MOST_HEIGHT):
        least = f"{LEAST_WIDTH}x{LEAST_HEIGHT}"
        raise RefusalError(
            f"--size is {shown(request.size)}, but must be {least} to {MOST_WIDTH}x{MOST_HEIGHT}, as 120x40; change it."
        )
    picture = request.picture
    if picture is None or picture.suffix not in (".svg", ".txt"):
        raise RefusalError(f"--picture {shown(str(picture))} must end in .svg or .txt; choose one of these.")
    check_target(picture, "--picture")
    still.write(Look(model=source.model, glance=glance, standing=source.standing()), picture, width, height)
    return 0


def _session(request: Request, glance: Glance) -> int:
    token = _token(request)

    def connect() -> "Link":
        from townlet_jax.console.client import Link

        return Link.connect(request.target, token=token, ca=request.ca, plaintext=request.plaintext)

    source = Live(connect, name=request.target)
    try:
        return _show(source, glance)
    finally:
        source.close()


def _token(request: Request) -> str | None:
    """Return the token for a console; None if none was named."""
    if request.token_env is None and request.token_file is None:
        return None
    from townlet_jax.telemetry.tokens import token_from

    return token_from(variable=request.token_env, file=request.token_file)


def _own(request: Request, glance: Glance) -> NoReturn:
    """Start a session, watch it, and end the process."""
    Terminal()  # refuses what is no terminal before anything is compiled
    token, start = _token(request), _starter(request)
    with _kept_stderr():
        own = Own(start, sentences())

        def connect() -> "Link":
            from townlet_jax.console.client import Link

            return Link.connect(own.address(), token=token)

        source = Live(connect, name="the session: the town is compiled first, up to a minute", is_own=True)
        try:
            code = _show(source, glance)
        finally:
            source.close()
            own.close(CLOSING_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a program may still be compiled on a thread, and Python would tear that down badly


def _starter(request: Request) -> Callable[[], AbstractContextManager[str]]:
    """Return what starts the session; raises `ConfigError` or `RefusalError` for what cannot be had."""
    from townlet_jax import runtime
    from townlet_jax.config import load
    from townlet_jax.console.serving import served

    runtime.configure()
    config = load(request.target, request.overrides)
    watched = tuple(sorted({*request.watched, *(() if request.town is None else (request.town,))})) or (0,)
    if watched[-1] >= request.towns:
        raise RefusalError(f"Town {watched[-1]} is not among the {request.towns} towns; raise --towns.")
    return functools.partial(
        served,
        config,
        towns=request.towns,
        policy=request.policy,
        seed=request.seed,
        watched=watched,
        factor=1.0 if request.speed is None else request.speed,
    )


@contextmanager
def _kept_stderr() -> Iterator[None]:
    """Keep what is written to stderr meanwhile, by libraries too, and show its end afterwards."""
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            kept.seek(max(0, kept.tell() - MOST_KEPT))
            lines = kept.read().decode("utf-8", "replace").splitlines()
            with suppress(OSError):
                for line in lines:
                    print(printable(line), file=sys.stderr)


def _show(source: Source, glance: Glance) -> int:
    with Terminal() as terminal:
        return app.show(source, terminal, glance)


def sentences() -> tuple[type[Exception], ...]:
    """Return the errors whose text is for the user; imported only where they can come from."""
    from townlet_jax.telemetry.sinks.contracts import SinkError

    found: tuple[type[Exception], ...] = (RefusalError, SinkError, SourceError, TerminalError)
    if "townlet_jax.run" in sys.modules:
        from townlet_jax.config.errors import ConfigError
        from townlet_jax.run import RunError
        from townlet_jax.snapshots import StoreError

        found = (*found, ConfigError, RunError, StoreError)
    return found
