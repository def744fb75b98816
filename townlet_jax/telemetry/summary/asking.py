"""What the commands do: a question in, text and troubles out. Owns how answers are put together."""

import dataclasses
import io
import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from townlet_jax.telemetry.summary import (
    collecting,
    drift,
    exporting,
    output,
    results,
    sheets,
    showing,
    tables,
    validating,
)
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.sources import STDIN, ReadError, sources
from townlet_jax.telemetry.summary.tally import Choice

PIPE_WIDTH = 200  # columns of text that goes into a file or a pipe


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a summary was asked for; the fields are the options."""

    files: tuple[str, ...]
    town: int | None = None
    first: int | None = None
    last: int | None = None
    form: Literal["text", "markdown", "json"] = "text"
    plots: Path | None = None
    top: int = 5
    baseline: str | None = None
    thresholds: tuple[str, ...] = ()
    default_threshold: float = drift.DEFAULT_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came out."""

    text: str
    troubles: tuple[str, ...]
    bad_lines: int
    has_drifted: bool


def answer(question: Question) -> Answer:
    """Read, add up, compare, draw and write; raises `ReadError`."""
    levels = drift.thresholds(question.thresholds, question.default_threshold)
    if question.thresholds and question.baseline is None:
        raise ReadError("--threshold has nothing to compare with; give --baseline too.")
    choice = _choice(question.town, question.first, question.last)
    collected, made, problems = _summarised(question.files, choice, question.top)
    compared = None
    if question.baseline is not None:
        baseline = _baseline(question.baseline, choice)
        here = drift.values_of(made, name=", ".join(made.files))
        compared = drift.compare(baseline, here, levels, name=question.baseline)
    if question.plots is not None:
        from townlet_jax.telemetry.summary import plots

        plots.draw(collected, question.plots)
    return Answer(
        text=_text(made, compared, question.form),
        troubles=tuple(problems.sentences()),
        bad_lines=problems.count,
        has_drifted=compared is not None and bool(compared.found),
    )


def _choice(town: int | None, first: int | None, last: int | None) -> Choice:
    if first is not None and last is not None and first > last:
        raise ReadError(f"--from {first} is after --to {last}; swap them.")
    return Choice(town=town, first=first, last=last)


def _summarised(
    names: tuple[str, ...], choice: Choice, top: int
) -> tuple[collecting.Collected, results.Summary, Problems]:
    problems = Problems()
    given = sources(names)
    collected = collecting.collect(given, choice, problems)
    return collected, collecting.summarise(collected, given, problems, top=top), problems


def _baseline(name: str, choice: Choice) -> drift.Values:
    """Return the figures to compare with, from a summary or from records; bad lines in records are an error."""
    saved = drift.values_of_file(Path(name))
    if saved is not None:
        return saved
    _, made, problems = _summarised((name,), choice, 1)
    if problems.count:
        raise ReadError(f"--baseline has bad lines ({problems.first[0]}); give another run.")
    return drift.values_of(made, name=f"--baseline {name}")


def _text(made: results.Summary, compared: drift.Drift | None, form: str) -> str:
    if form == "json":
        data = results.as_data(made)
        if compared is not None:
            data["drift"] = {**dataclasses.asdict(compared), "found": len(compared.found)}
        return json.dumps(data, indent=1, allow_nan=False) + "\n"
    told = [*sheets.sheets(made), *([drift.sheet(compared)] if compared is not None else [])]
    return showing.as_markdown(told) if form == "markdown" else shown(told)


def shown(told: list[sheets.Sheet]) -> str:
    """Return sheets as text: with colours and in the width of the terminal, if there is one."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(file=io.StringIO(), width=PIPE_WIDTH)
    with console.capture() as captured:
        showing.show(told, console)
    text = captured.get()
    return text if console.is_terminal else "\n".join(line.rstrip() for line in text.split("\n"))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an export was asked for; the fields are the options."""

    files: tuple[str, ...]
    out: Path
    what: exporting.What
    form: tables.Form | None = None
    town: int | None = None
    first: int | None = None
    last: int | None = None


def write_table(wanted: Wanted) -> tuple[int, list[str], int]:
    """Write a table and return its rows, what was wrong, and the number of bad lines; raises `ReadError`."""
    is_stdout = str(wanted.out) == STDIN
    form = wanted.form or "csv" if is_stdout else tables.form_of(wanted.out, wanted.form)
    problems = Problems()
    choice = _choice(wanted.town, wanted.first, wanted.last)
    rows = exporting.rows(sources(wanted.files), wanted.what, choice, problems)
    count = 0
    opened = nullcontext(sys.stdout.buffer) if is_stdout else output.replacing(wanted.out)
    with opened as file, tables.writing(file, exporting.COLUMNS[wanted.what], form) as write:
        for row in rows:
            write(row)
            count += 1
    return count, problems.sentences(), problems.count


def check(names: tuple[str, ...], *, most: int, complete: bool, json_wanted: bool) -> tuple[str, bool]:
    """Validate and return the report and whether all is well; raises `ReadError`."""
    report = validating.validate(sources(names), most)
    is_good = not report.errors and not (complete and (report.holes or report.remarks))
    if json_wanted:
        return json.dumps({**dataclasses.asdict(report), "good": is_good}, indent=1) + "\n", is_good
    counted = ", ".join(f"{count:,} {kind}" for kind, count in report.records.items()) or "no records"
    lines = [f"{problem}." for problem in report.first_errors]
    more = report.errors - len(report.first_errors)
    lines += [f"{more:,} more errors."] if more else []
    lines += [*report.holes, *report.remarks]
    runs, errors = (
        f"{report.runs:,} run{'s' * (report.runs != 1)}",
        f"{report.errors:,} error{'s' * (report.errors != 1)}",
    )
    lines.append(f"{counted}; {runs}; {errors}.")
    return "\n".join(lines) + "\n", is_good
