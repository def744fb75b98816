"""Timelines: files of commands, each before a certain tick (YAML: a list of tick, command, args)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from townlet_jax.config.reader import UnreadableError, decode, parse
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.console.envelope import demand_printable, sentence
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.rows import OfTowns
from townlet_jax.console.table import row_named
from townlet_jax.plans import RunError
from townlet_jax.report import printable

MOST_ENTRIES = 10_000


@dataclass(frozen=True)
class Entry:
    """A command and the tick before which it is carried out."""

    tick: int
    command: str
    args: Mapping[str, Any]


def read(path: Path) -> list[Entry]:
    """Return the entries of a file by tick, in the order of the file; raises `RunError` with one sentence.

    Commands and arguments are checked as far as that can be done without a town. Commands that can change all towns do,
    unless they name one.
    """
    shown = printable(str(path))
    try:
        data = parse(decode(path.read_bytes()))
    except OSError as error:
        raise RunError(f"--timeline {shown} cannot be read ({error.strerror}); give a YAML file.") from error
    except UnreadableError as error:
        place = f", line {error.line}" if error.line else ""
        raise RunError(f"--timeline {shown}{place} {error.text}.") from error
    if not isinstance(data, list) or len(data) > MOST_ENTRIES:
        raise RunError(
            f"--timeline {shown} must hold a list of at most {MOST_ENTRIES:,} entries {{tick, command, args}}."
        )
    return sorted((_entry(shown, number, one) for number, one in enumerate(data, 1)), key=lambda entry: entry.tick)


def _entry(shown: str, number: int, given: Any) -> Entry:
    where = f"--timeline {shown}, entry {number}"
    try:
        entry = TimelineEntry.model_validate(given)
        demand_printable(entry.args)
        row = row_named(entry.command)
        args = dict(entry.args)
        if issubclass(row.arguments, OfTowns) and "town" not in args:
            args["town"] = "all"
        row.read((), args)
    except ValidationError as error:
        raise RunError(f"{where}: {sentence(error)}.") from None
    except ConsoleError as error:
        raise RunError(f"{where}, tick {entry.tick}: {error}") from None
    return Entry(entry.tick, row.name, args)


def by_tick(entries: Sequence[Entry]) -> dict[int, list[Entry]]:
    """Return the entries of each tick."""
    found: dict[int, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.tick, []).append(entry)
    return found
