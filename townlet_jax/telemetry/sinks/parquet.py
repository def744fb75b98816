"""Measures and events as Parquet tables: `NAME.parquet` and `NAME.events.parquet`.

Rows wait in memory for a few minutes at most, then they become a part: a whole file in the folder `NAME.parts`. Now and
then, and at the end, parts are poured into the table, which is replaced as a whole and remembers in its metadata up to
which part it holds; so a kill costs what was still in memory, and never a row twice.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.flat import flat, record_of
from townlet_jax.telemetry.sinks.sentences import extra, reason, shown

PART_ROWS, PART_SECONDS = 5_000, 300.0  # a part is written after so many rows or seconds
MOST_PARTS = 64  # then they are poured into the table
POURED = b"townlet.parts"  # in the metadata of a table: the number of the last part it holds
PART = re.compile(r"(measures|events)-([0-9]{9})\.parquet")
FRAMES = ("snapshot", "diff")
GIVEN = ("run_id", "sequence", "tick", "town")  # what an event takes from its record


class ParquetSink:
    """Writes the measures records and the events of frames; other records have no table."""

    def __init__(self, path: Path) -> None:
        self.name = f"parquet {shown(path)}"
        self._path = path
        self._arrow = extra("pyarrow", "parquet", "Parquet")
        self._files = extra("pyarrow.parquet", "parquet", "Parquet")
        self._lock = -1
        self._parts = parts = path.with_name(f"{path.stem}.parts")
        self._tables = {
            "measures": Table(path, parts, "measures", self._arrow, self._files),
            "events": Table(path.with_name(f"{path.stem}.events.parquet"), parts, "events", self._arrow, self._files),
        }

    def open(self) -> None:
        """Take over what an earlier run left in the folder of parts."""
        try:
            if self._path.is_dir():
                raise SinkError(f"{shown(self._path)} is a folder; give the name of a file.", lasting=True)
            self._hold()
            for table in self._tables.values():
                table.open()
        except BlockingIOError as error:
            self._release()
            raise SinkError(
                f"{self.name} is being written by another process; give another file.", lasting=True
            ) from error
        except (OSError, self._arrow.ArrowException) as error:
            self._release()
            raise SinkError(
                f"{self.name} cannot be written ({reason(error)}); give another file, in a folder that can be.",
                lasting=True,
            ) from error

    def write(self, items: Sequence[Item]) -> None:
        """Take the rows of records, after what was due before: where that fails, they can be offered again."""
        rows: list[tuple[str, dict[str, Any]]] = []
        for item in items:
            if item.kind == "measures":
                rows.append(("measures", row_of(record_of(item))))
            elif item.kind in FRAMES:
                rows += (("events", row) for row in events_of(record_of(item)))
        self._try(finish=False)
        for name, row in rows:
            self._tables[name].rows.append(row)

    def close(self) -> None:
        """Pour everything into the tables."""
        if self._lock < 0:
            return
        try:
            self._try(finish=True)
            with suppress(OSError):  # parts that could not be poured stay
                self._parts.rmdir()
        finally:
            self._release()

    def _hold(self) -> None:
        """Make the folder of parts and keep other writers out of it."""
        self._parts.mkdir(exist_ok=True)
        self._lock = os.open(self._parts, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _try(self, *, finish: bool) -> None:
        try:
            for table in self._tables.values():
                table.settle(finish=finish)
        except (OSError, self._arrow.ArrowException) as error:
            raise SinkError(f"{self.name} cannot be written ({reason(error)}); make room.") from error


class Table:
    """One table and its parts. `rows` are those in memory."""

    def __init__(self, path: Path, parts: Path, name: str, arrow: Any, files: Any) -> None:
        self.rows: list[dict[str, Any]] = []
        self._path, self._folder, self._name = path, parts, name
        self._arrow, self._files = arrow, files
        self._number = 0  # of the last part
        self._since = time.monotonic()

    def open(self) -> None:
        """Look at what is there, and see that the folder can be written."""
        self._number = self._poured()
        for number, part in self._parts():
            if number <= self._poured():
                part.unlink()
            self._number = max(self._number, number)
        trial = self._folder / f".{self._name}"
        trial.touch()
        trial.unlink()

    def settle(self, *, finish: bool) -> None:
        """Write a part if it is time, pour parts if there are many, or all of them if this is the end."""
        is_time = len(self.rows) >= PART_ROWS or time.monotonic() - self._since >= PART_SECONDS
        if self.rows and (is_time or finish):
            self._write_part()
        parts = self._parts() if finish or is_time else []
        if parts and (finish or len(parts) >= MOST_PARTS):
            self._pour(parts)

    def _write_part(self) -> None:
        names = dict.fromkeys(name for row in self.rows for name in row)
        columns = {name: self._column([row.get(name) for row in self.rows]) for name in names}
        number = self._number + 1
        self._replace(self._folder / f"{self._name}-{number:09}.parquet", [self._arrow.table(columns)])
        self._number = number
        self.rows = []
        self._since = time.monotonic()

    def _column(self, values: list[Any]) -> Any:
        """Return values as a column; where types are mixed, their JSON text."""
        kinds = {type(value) for value in values} - {type(None)}
        if kinds <= {int, float} and len(kinds) == 2:
            return self._arrow.array([None if value is None else float(value) for value in values])
        try:
            return self._arrow.array(values)
        except (self._arrow.ArrowException, OverflowError):
            return self._arrow.array([None if value is None else json.dumps(value) for value in values])

    def _pour(self, parts: list[tuple[int, Path]]) -> None:
        """Replace the table by itself and the parts."""
        sources = [self._path, *(part for _, part in parts)] if self._path.exists() else [part for _, part in parts]
        schema = self._common([self._files.read_schema(source) for source in sources])
        schema = schema.with_metadata({POURED: str(parts[-1][0]).encode()})
        groups = (group for source in sources for group in self._groups(source, schema))
        self._replace(self._path, groups, schema)
        for _, part in parts:
            part.unlink()

    def _common(self, schemas: list[Any]) -> Any:
        """Return a schema for all: numbers stay numbers, what clashes becomes text."""
        arrow = self._arrow
        kinds: dict[str, Any] = {}
        for schema in schemas:
            for field in schema:
                known = kinds.get(field.name, arrow.null())
                if known == arrow.null() or known == field.type:
                    kinds[field.name] = field.type
                elif field.type != arrow.null():
                    are_numbers = {known, field.type} == {arrow.int64(), arrow.float64()}
                    kinds[field.name] = arrow.float64() if are_numbers else arrow.string()
        return arrow.schema(list(kinds.items()))

    def _groups(self, source: Path, schema: Any) -> Iterator[Any]:
        """Go through a file in groups of rows, in the columns of the schema."""
        with self._files.ParquetFile(source) as file:
            for number in range(file.num_row_groups):
                group = file.read_row_group(number)
                missing = self._arrow.nulls(group.num_rows)
                columns = [group[name] if name in group.column_names else missing for name in schema.names]
                casts = [column.cast(kind) for column, kind in zip(columns, schema.types, strict=True)]
                yield self._arrow.table(casts, schema=schema)

    def _replace(self, path: Path, groups: "Iterator[Any] | list[Any]", schema: Any = None) -> None:
        """Write a file that takes the place of an older one when it is whole and on the disk."""
        temporary = path.with_name(f".{path.name}.new")
        writer = None
        try:
            for group in groups:
                if writer is None:
                    writer = self._files.ParquetWriter(temporary, schema if schema is not None else group.schema)
                writer.write_table(group)
            if writer is not None:
                writer.close()
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _parts(self) -> list[tuple[int, Path]]:
        """Return the parts, oldest first."""
        found = ((PART.fullmatch(path.name), path) for path in self._folder.glob("*.parquet"))
        return sorted((int(match[2]), path) for match, path in found if match is not None and match[1] == self._name)

    def _poured(self) -> int:
        """Return the number of the last part that the table holds."""
        if not self._path.exists():
            return 0
        return int((self._files.read_schema(self._path).metadata or {}).get(POURED, b"0"))


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as one row; what is null is left out, since a table says that by itself."""
    return {path: value for path, value in flat(record) if value is not None}


def events_of(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Go through the events of a frame, each with the run, number, tick and town of its record."""
    changes = record.get("changes")
    events = (changes if isinstance(changes, dict) else record).get("events")
    given = {key: record[key] for key in GIVEN if key in record}
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield {**given, **row_of(event)}
