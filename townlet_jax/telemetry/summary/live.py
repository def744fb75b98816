"""`watch` on a terminal or in a pipe: a table that changes, or a line now and then."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from townlet_jax.telemetry.summary import following, reading
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.watching import View

if TYPE_CHECKING:
    from rich.console import Console

REFRESHES = 4  # a second


def watch(path: Path | None, console: "Console", *, town: int | None, interval: float) -> None:
    """Show a run until it ends, or its file does; raises `ReadError`, and `BrokenPipeError` when nobody reads."""
    view = View(town)
    if console.is_terminal:
        _table(view, path, console)
    else:
        _lines(view, path, interval)


def _table(view: View, path: Path | None, console: "Console") -> None:
    from rich.live import Live

    with Live(get_renderable=view.picture, console=console, refresh_per_second=REFRESHES, vertical_overflow="crop"):
        for _ in _steps(view, path):
            if view.ended is not None:
                return


def _lines(view: View, path: Path | None, interval: float) -> None:
    """Print the newest now and then, for the first time when what was there has been read."""
    said, due = None, time.monotonic() + interval
    for is_idle in _steps(view, path):
        now = time.monotonic()
        if view.is_fresh and (now >= due or (said is None and is_idle) or view.ended is not None):
            said, due = now, now + interval
            print(view.line(), flush=True)
        if view.ended is not None:
            print(f"ended: {view.ended}", flush=True)
            return
    if view.is_fresh:
        print(view.line(), flush=True)


def _steps(view: View, path: Path | None) -> Iterator[bool]:
    """Feed the view line by line; says each time whether there is nothing new."""
    name = "standard input" if path is None else path.name
    problems = Problems()
    for number, line in enumerate(following.lines(path), start=1):
        if line == following.SKIPPED:
            view.skip()
        elif line is not None:
            found = reading.understood(line, name, number, problems)
            view.bad_lines = problems.count
            if found is not None:
                view.take(found)
        yield line is None
