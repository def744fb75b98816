"""What commands share while they work: stopping at Ctrl-C, a bar that shows how far a run is."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from townlet_jax import run


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a wish to stop; the second one ends the process as usual."""
    wished = [False]

    def wish(number: int, frame: FrameType | None) -> None:
        del number, frame
        wished[0] = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: wished[0]
    finally:
        signal.signal(signal.SIGINT, before)


class _Speed(ProgressColumn):
    """The agent-ticks a second so far."""

    def render(self, task: Task) -> Text:
        """Return the speed, or what is going on before there is one."""
        speed = task.fields["speed"]
        return Text(f"{speed:,.0f} agent-ticks/s" if speed else "compiling", style="cyan")


@contextmanager
def progress_bar(plan: run.Plan, console: Console, *, title: str = "") -> Iterator[Callable[[run.Progress], None]]:
    """Show how far a run is, on a terminal only."""
    ticks = TextColumn("{task.completed:,.0f}/{task.total:,.0f} ticks")
    columns = (TextColumn("{task.description}"), ticks, BarColumn(), _Speed(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or console.quiet) as bar:
        task = bar.add_task(title, total=plan.ticks, speed=0.0)

        def advance(progress: run.Progress) -> None:
            bar.update(task, completed=progress.ticks, speed=progress.agent_ticks / max(progress.seconds, 1e-9))

        yield advance
