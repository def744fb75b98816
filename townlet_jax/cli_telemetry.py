"""`townlet telemetry`: from what telemetry left behind to answers. Never imports jax, so it starts fast.

Exit codes: 0 done, 2 bad input or bad lines (unless --lenient), 3 drift found, 130 interrupted.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from townlet_jax.cli_telemetry_listen import listen

BAD_INPUT, DRIFTED, INTERRUPTED = 2, 3, 130
app = typer.Typer(help="Read what telemetry left behind, and receive it.", no_args_is_help=True, rich_markup_mode=None)
app.command()(listen)

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="JSON lines (rotated ones come along), Parquet, the folder of a run, or -."),
]
Town = Annotated[int | None, typer.Option(help="Only this watched town.")]
First = Annotated[int | None, typer.Option("--from", help="First tick.")]
Last = Annotated[int | None, typer.Option("--to", help="Last tick.")]
Lenient = Annotated[bool, typer.Option("--lenient", help="Lines that are no records do not change the exit code.")]
LEVEL_HELP = "NAME=SHARE of the baseline, or NAME=AMOUNTabs; NAME may hold *; the last one that fits counts."
BASELINE_HELP = "Compare with this run, or with a summary.json; exit code 3 if a figure drifted, 0 if none did."


@app.command()
def summary(
    files: Files,
    town: Town = None,
    first: First = None,
    last: Last = None,
    form: Annotated[Literal["text", "markdown", "json"], typer.Option("--format", help="How it is written.")] = "text",
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for pictures (PNG).")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Agents at each end; twice as many stories.")] = 5,
    baseline: Annotated[str | None, typer.Option(help=BASELINE_HELP)] = None,
    threshold: Annotated[list[str] | None, typer.Option(help=LEVEL_HELP)] = None,
    default_threshold: Annotated[float, typer.Option(help="Share that a figure may differ by.")] = 0.2,
    lenient: Lenient = False,
) -> None:
    """Say what a run was like: figures, events, people, stories. Exit codes: 0 done, 2 bad lines, 3 drift."""
    from townlet_jax.telemetry.summary.asking import Question, answer

    question = Question(
        files=tuple(files), town=town, first=first, last=last, form=form, plots=plots, top=top, baseline=baseline,
        thresholds=tuple(threshold or ()), default_threshold=default_threshold,
    )  # fmt: skip
    with _sentences():
        found = answer(question)
        print(found.text, end="", flush=True)
        for sentence in found.troubles:
            print(sentence, file=sys.stderr)
    if found.bad_lines and not lenient:
        raise typer.Exit(BAD_INPUT)
    raise typer.Exit(DRIFTED if found.has_drifted else 0)


@app.command()
def watch(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines that are being written, or -.")],
    town: Annotated[int | None, typer.Option(help="Town whose people are shown; default the first.")] = None,
    interval: Annotated[float, typer.Option(min=0.05, max=3600, help="Seconds between lines.")] = 1.0,
) -> None:
    """Show a run while it goes on: a table on a terminal, lines in a pipe. Ends with the run, or with Ctrl-C."""
    from rich.console import Console

    from townlet_jax.telemetry.summary import live

    with _sentences():
        live.watch(None if file == "-" else Path(file), Console(), town=town, interval=interval)


@app.command()
def export(
    files: Files,
    out: Annotated[Path, typer.Option(help="File ending in .csv, .jsonl or .parquet; - = standard output.")],
    what: Annotated[Literal["frames", "events", "measures"], typer.Option(help="Which table.")] = "events",
    form: Annotated[
        Literal["csv", "jsonl", "parquet"] | None, typer.Option("--format", help="Form; default by the name of --out.")
    ] = None,
    town: Town = None,
    first: First = None,
    last: Last = None,
    lenient: Lenient = False,
) -> None:
    """Write records as a table: agents of frames, events, or measures."""
    from townlet_jax.telemetry.summary.asking import Wanted, write_table

    wanted = Wanted(files=tuple(files), out=out, what=what, form=form, town=town, first=first, last=last)
    with _sentences():
        count, troubles, bad_lines = write_table(wanted)
        for sentence in (*troubles, f"{count:,} rows."):
            print(sentence, file=sys.stderr)
    raise typer.Exit(BAD_INPUT if bad_lines and not lenient else 0)


@app.command()
def validate(
    files: Files,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="Errors that are shown.")] = 20,
    complete: Annotated[
        bool, typer.Option("--complete", help="What is missing or came twice is an error too.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check every line against the schema, and every run for gaps. Exit code 2 if there is an error."""
    from townlet_jax.telemetry.summary.asking import check

    with _sentences():
        text, is_good = check(tuple(files), most=most, complete=complete, json_wanted=json)
        print(text, end="", flush=True)
    raise typer.Exit(0 if is_good else BAD_INPUT)


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn what can go wrong into a sentence and an exit code; a closed pipe is a quiet end."""
    from townlet_jax.telemetry.summary.sources import ReadError

    try:
        yield
    except ReadError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(BAD_INPUT) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def main(arguments: Sequence[str]) -> int:
    """Carry out a command and return the exit code; a wrong option is one sentence on stderr."""
    try:
        return app(list(arguments), prog_name="townlet telemetry", standalone_mode=False) or 0
    except typer.TyperException as error:
        print(f"error: {error.format_message().rstrip('.')}; see --help.", file=sys.stderr)
        return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["--help"]))
