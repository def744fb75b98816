"""From sources to records, one at a time: memory does not grow with a file. Owns which lines count as what.

Every record is checked against the schema. Lines that are no records are noted as problems and passed over; another
major version of the schema ends the reading with `ReadError`.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import IO, Any

from townlet_jax.telemetry import schema
from townlet_jax.telemetry.sinks.sentences import reason, shown
from townlet_jax.telemetry.summary import tabled
from townlet_jax.telemetry.summary.found import MOST_TICKS, Found, Kind, is_training
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.sources import ReadError, Source, opened

LONGEST_LINE = 64 * 2**20  # bytes
HUGE = re.compile(rb"[:,\[]\s*-?[0-9]{19,}\s*[,}\]]")  # a whole number that no counter and no float can hold


def records(sources: Sequence[Source], problems: Problems) -> Iterator[Found]:
    """Go through the records of all sources in order; raises `ReadError`."""
    for source in sources:
        yield from _of_lines(source, problems) if source.kind == "lines" else tabled.records(source, problems)


def _of_lines(source: Source, problems: Problems) -> Iterator[Found]:
    with opened(source) as files:
        for index, (name, file) in enumerate(files):
            is_newest = index == len(files) - 1
            for number, line in enumerate(lines_of(file), start=1):
                found = understood(line, name, number, problems, may_be_half=is_newest)
                if found is not None:
                    yield found


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """Go through the lines of a file; of one that is too long only the beginning. Raises `ReadError`."""
    try:
        while line := file.readline(LONGEST_LINE):
            rest = line
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = file.readline(LONGEST_LINE)
            yield line
    except OSError as error:
        raise ReadError(f"{shown(file.name)} cannot be read any further ({reason(error)}); copy it first.") from error


def understood(line: bytes, file: str, number: int, problems: Problems, *, may_be_half: bool = False) -> Found | None:
    """Return the record of a line; None for an empty one, and for one that is none, which is noted.

    A last line without its end may be half written. Raises `ReadError` for another major version.
    """
    if not line.strip():
        return None
    if len(line) >= LONGEST_LINE or HUGE.search(line):
        why = (
            f"the line is longer than {LONGEST_LINE:,} bytes" if len(line) >= LONGEST_LINE else "a number is too large"
        )
        problems.add(file, number, why)
        return None
    try:
        return Found(*_record_of(line, problems), file, number)
    except schema.SchemaError as error:
        version = other_major(line)
        if version is not None:
            raise ReadError(
                f"{file}, line {number}: its schema_version is {version}, but this program reads {schema.MAJOR}.x; "
                f"read it with a townlet of that version."
            ) from None
        if may_be_half and not line.endswith(b"\n"):
            problems.unfinished.append(file)
        else:
            problems.add(file, number, str(error))
        return None


def _record_of(line: bytes, problems: Problems) -> tuple[Kind, dict[str, Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", schema.SchemaWarning)  # counted, and said once
            data = schema.read(line)
    except schema.SchemaError:
        row = plain(line)
        if row is None or not is_training(row):
            raise
        return "training", row
    schema.check(data)
    for name in ("tick", "sequence"):
        if not -1 <= data[name] < MOST_TICKS:
            raise schema.SchemaError(f"its {name} is out of range")
    if int(data["schema_version"].partition(".")[2]) > schema.MINOR:
        problems.newer[data["schema_version"]] += 1
    kind: Kind = data["payload_type"]
    return kind, data


def other_major(line: bytes) -> str | None:
    """Return the version of a record of another major version, None if the line is none."""
    said = (plain(line) or {}).get("schema_version")
    form = schema.VERSION_FORM.match(said) if isinstance(said, str) else None
    return None if form is None or int(form[1]) == schema.MAJOR else f"{form[1]}.{form[2]}"


def plain(line: bytes) -> dict[str, Any] | None:
    """Return what a line holds, None if that is no JSON object."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None
