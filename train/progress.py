"""A bar for work that is counted in steps; on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(unit: str, steps: int, console: Console) -> Iterator[Callable[[int, str], None]]:
    """Show how far a work is, and what is said of it."""
    said = TextColumn("{task.fields[said]}", style="cyan")
    columns = (TextColumn(unit), MofNCompleteColumn(), BarColumn(), said, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or console.quiet) as shown:
        task = shown.add_task("", total=steps, said="compiling")

        def advance(done: int, text: str) -> None:
            shown.update(task, completed=done, said=text)

        yield advance
