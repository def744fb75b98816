"""What a training run says: one JSON line an update, a bar on the terminal, one object at the end.

Owns the names of the log fields (docs/training.md explains them). Rates of events are per agent-day: the number of
events divided by the agent-steps of the rollout, in days.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from townlet_jax import files
from townlet_jax.core.enums import Exit
from townlet_jax.run import RunError
from train.learner import Report
from train.update import Hyper
from train.writers import Row, Writer

FILE = "log.jsonl"
COUNTERS = ("update", "member", "agent_steps_total", "seconds")  # of a row: where it stands, no figures of its update


def row_of(report: Report, hyper: Hyper, *, ticks_per_day: int) -> Row:
    """Return the figures of one update by name; counts are whole numbers, the rest floats."""
    found: Report = jax.device_get(report)
    terms, events = found.terms, found.events
    steps = int(found.steps)
    days = max(steps, 1) / ticks_per_day
    mean_reward = float(found.reward_sum) / max(steps, 1)
    row: Row = {
        "agent_steps": steps,
        "choice_share": int(found.choices) / max(steps, 1),
        "choices_left_out": int(found.left_out),
        "reward_per_agent_step": mean_reward,
        "return_per_agent_day": mean_reward * ticks_per_day,
        "loss": float(terms.loss),
        "policy_loss": float(terms.policy),
        "value_loss": float(terms.value),
        "entropy": float(terms.entropy),
        "kl": float(terms.kl),
        "clip_fraction": float(terms.clip_fraction),
        "explained_variance": float(found.explained_variance),
        "value_mean": float(found.value_mean),
        "grad_norm": float(found.grad_norm),
        "epochs": int(found.epochs),
        "learning_rate": float(hyper.learning_rate),
        "entropy_weight": float(hyper.entropy_weight),
        "terminated": int(found.terminated),
        "truncated": int(found.truncated),
    }
    for name in ("conflicts", "chats_ok", "chats_failed", "shared_meals", "late_help", "late_starts", "absences"):
        row[f"{name}_per_agent_day"] = int(getattr(events, name)) / days
    row["wages_per_agent_day"] = float(events.wages_paid) / days
    for reason in Exit:
        if reason != Exit.NONE:
            row[f"exits_{reason.name.lower()}_per_agent_day"] = int(np.asarray(events.exits)[reason]) / days
    return row


def not_finite(row: Row) -> list[str]:
    """Return the figures of a row that are no numbers any more."""
    return [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]


class Log:
    """Rows in a file, each written out before the next update; without a folder they are only kept.

    A run that goes on after `first` updates keeps the rows of these and cuts off the others. `more` makes writers that
    get every row too; it is called with the rows that are kept.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        first: int = 0,
        more: Callable[[Sequence[Row]], Sequence[Writer]] = lambda kept: (),
    ) -> None:
        self.rows: list[Row] = []
        self._path = None if folder is None else folder / FILE
        self._first = first
        self._more = more
        self._writers: Sequence[Writer] = ()
        self._file: IO[str] | None = None

    def __enter__(self) -> "Log":
        if self._path is not None:
            self.rows = kept_rows(self._path, self._first)
            with files.replacing(self._path) as whole:
                whole.writelines(f"{as_json(row)}\n".encode() for row in self.rows)
            try:
                self._file = self._path.open("a", encoding="utf-8")
            except OSError as error:
                raise RunError(f"{self._path} cannot be written ({error.strerror}); give another --out.") from error
        self._writers = self._more(self.rows)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        for writer in self._writers:
            writer.close()

    def add(self, row: Row) -> None:
        """Write a row; figures that are no numbers become null."""
        self.rows.append(row)
        if self._file is not None:
            self._file.write(as_json(row) + "\n")
            self._file.flush()
        for writer in self._writers:
            writer.add(row)


def kept_rows(path: Path, first: int) -> list[Row]:
    """Return the rows of a log that come before an update, none where there is no log; a torn line is left out."""
    if first == 0 or not path.exists():
        return []
    found: list[Row] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and isinstance(row.get("update"), int) and row["update"] < first:
                found.append({name: math.nan if value is None else value for name, value in row.items()})
    return found


def as_json(row: Row) -> str:
    """Return one line of JSON."""
    lost = set(not_finite(row))
    return json.dumps({name: None if name in lost else value for name, value in row.items()}, allow_nan=False)


@contextmanager
def progress_bar(updates: int, console: Console) -> Iterator[Any]:
    """Show how far a run is, how fast, and what a day brings an agent; on a terminal only."""
    hidden = not console.is_terminal or console.quiet
    figures = TextColumn("{task.fields[figures]}", style="cyan")
    columns = (TextColumn("updates"), MofNCompleteColumn(), BarColumn(), figures, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=updates, figures="compiling")

        def advance(row: Row) -> None:
            said = f"{row['agent_steps_per_s']:,.0f} agent-steps/s, return {row['return_per_agent_day']:.2f} a day"
            bar.update(task, completed=row["update"] + 1, figures=said)

        yield advance


def summary_line(rows: list[Row]) -> Text:
    """Say in one line how a run went."""
    tenth = max(1, len(rows) // 10)
    began, ended = (
        float(np.mean([row["return_per_agent_day"] for row in part])) for part in (rows[:tenth], rows[-tenth:])
    )
    return Text(
        f"{rows[-1]['update'] + 1} updates: return {began:.2f} a day in the first tenth, {ended:.2f} in the last; "
        f"{rows[-1]['agent_steps_per_s']:,.0f} agent-steps/s at the end"
    )
