"""Rows into files: CSV, JSON lines, Parquet. Memory holds a few thousand rows at most."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from townlet_jax.report import printable
from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.sentences import extra
from townlet_jax.telemetry.summary.sources import ReadError

Form = Literal["csv", "jsonl", "parquet"]
SUFFIXES: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
ROWS_AT_ONCE = 5_000
FORMULA = ("=", "+", "-", "@")  # with these a spreadsheet takes text for something to compute
Row = dict[str, Any]
Columns = dict[str, type]
Write = Callable[[Row], None]


def form_of(path: Path, wanted: Form | None) -> Form:
    """Return the form a file is written in: what was asked for, or what its name says; raises `ReadError`."""
    found = wanted or SUFFIXES.get(path.suffix)
    if found is None:
        raise ReadError(f"--out {path.name} does not say a form; end it in {', '.join(SUFFIXES)}, or give --format.")
    return found


@contextmanager
def writing(file: IO[bytes], columns: Columns, form: Form) -> Iterator[Write]:
    """Give something that takes rows; the file is complete when it ends. Raises `ReadError`."""
    if form == "parquet":
        with _parquet(file, columns) as write:
            yield write
        return
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    try:
        yield _csv(text, columns) if form == "csv" else _jsonl(text, columns)
        text.flush()
    finally:
        text.detach()


def _csv(text: IO[str], columns: Columns) -> Write:
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    return lambda row: writer.writerow([_csv_cell(row.get(name)) for name in columns])


def _csv_cell(value: Any) -> Any:
    """Return a value as a spreadsheet should take it: nothing for null, no formula out of somebody's name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = _tame(value)
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text


def _jsonl(text: IO[str], columns: Columns) -> Write:
    def write(row: Row) -> None:
        text.write(json.dumps({name: _tame(row.get(name)) for name in columns}, ensure_ascii=False) + "\n")

    return write


@contextmanager
def _parquet(file: IO[bytes], columns: Columns) -> Iterator[Write]:
    try:
        arrow, parquet = (extra(name, "parquet", "--format parquet") for name in ("pyarrow", "pyarrow.parquet"))
    except SinkError as error:
        raise ReadError(str(error)) from error
    kinds = {int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_(), str: arrow.string()}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    held: list[Row] = []

    def pour() -> None:
        writer.write_table(arrow.Table.from_pylist(held, schema=schema))
        held.clear()

    def write(row: Row) -> None:
        held.append({name: _typed(row.get(name), kind) for name, kind in columns.items()})
        if len(held) >= ROWS_AT_ONCE:
            pour()

    with parquet.ParquetWriter(file, schema) as writer:
        yield write
        pour()


def _typed(value: Any, kind: type) -> Any:
    """Return a value as its column holds it."""
    return None if value is None else kind(_tame(value))


def _tame(value: Any) -> Any:
    """Return text without control and bidirectional characters, and everything else as it is."""
    return printable(value) if isinstance(value, str) and not value.isprintable() else value
