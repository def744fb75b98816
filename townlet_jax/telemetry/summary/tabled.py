"""Records from Parquet: what the sink wrote as tables, turned back; rows of a training log. Needs pyarrow.

A table holds measures and events only: no frames, no health, and so no gaps that could be counted.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from townlet_jax.telemetry import schema
from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.parquet import PART, POURED
from townlet_jax.telemetry.sinks.sentences import extra, reason, shown
from townlet_jax.telemetry.summary.found import MOST_TICKS, Found, is_training
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.sources import EVENTS, PARTS, TRAINING_PART, ReadError, Source

ROWS_AT_ONCE = 512
SPREADS = ("kpis", "terms")  # of a measures record: name to spread
MAPS = (*SPREADS, "counts", "sums", "last")


def records(source: Source, problems: Problems) -> Iterator[Found]:
    """Go through the measures and then the events of a table, or the rows of a training log; raises `ReadError`."""
    assert source.path is not None
    if source.kind == "training":
        for path in sorted(source.path.glob(TRAINING_PART)):
            yield from _training(path, problems)
        return
    files = _files(source.path)
    if not files:
        raise ReadError(f"{source.name} holds no table yet; wait until something was written.")
    for name, path in files:
        read = _measures if name == "measures" else _events
        yield from read(path, problems)


def _files(path: Path) -> list[tuple[str, Path]]:
    """Return the tables and their parts that were not poured yet, measures first, each in the order of writing."""
    if path.name.endswith(EVENTS):
        return [("events", path)]
    found = []
    parts = path.with_name(path.stem + PARTS)
    numbered = [(match, part) for part in _listed(parts) if (match := PART.fullmatch(part.name)) is not None]
    for name, table in (("measures", path), ("events", path.with_name(path.stem + EVENTS))):
        poured = 0
        if table.exists():
            found.append((name, table))
            said = (_opened(table).schema_arrow.metadata or {}).get(POURED, b"0")
            poured = int(said) if said.isdigit() else 0
        fresh = sorted((int(match[2]), part) for match, part in numbered if match[1] == name)
        found += [(name, part) for number, part in fresh if number > poured]
    return found


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Go through the rows of a file, numbered from 1, without what is null; a file that vanished has none."""
    number = 0
    try:
        for batch in _opened(path).iter_batches(batch_size=ROWS_AT_ONCE):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: value for name, value in row.items() if value is not None}
    except FileNotFoundError:  # poured into the table, or replaced, since it was listed
        return
    except _errors() as error:
        raise ReadError(f"{shown(path)} is not a Parquet file that can be read ({reason(error)}).") from error


def _opened(path: Path) -> Any:
    try:
        return _library("pyarrow.parquet").ParquetFile(path)
    except FileNotFoundError:
        raise
    except _errors() as error:
        raise ReadError(f"{shown(path)} is not a Parquet file that can be read ({reason(error)}).") from error


def _library(name: str) -> Any:
    try:
        return extra(name, "parquet", "Reading Parquet")
    except SinkError as error:
        raise ReadError(str(error)) from error


def _errors() -> tuple[type[Exception], ...]:
    """Return what reading a file that is no table raises."""
    arrow: type[Exception] = _library("pyarrow").ArrowException
    return (OSError, ValueError, arrow)


def _training(path: Path, problems: Problems) -> Iterator[Found]:
    for number, row in _rows(path):
        if is_training(row):
            yield Found("training", row, shown(path), number)
        else:
            problems.add(shown(path), number, "the row is not of a training log")


def _measures(path: Path, problems: Problems) -> Iterator[Found]:
    for number, row in _rows(path):
        data = nested(row)
        try:
            schema.check(data)
        except schema.SchemaError as error:
            problems.add(shown(path), number, str(error))
            continue
        yield Found("measures", data, shown(path), number, is_counted=False)


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """Return a record of measures from its row of paths such as `kpis.need_mean.p50`."""
    found: dict[str, Any] = {name: {} for name in MAPS}
    for path, value in row.items():
        section, _, rest = path.partition(".")
        if not rest or section not in MAPS:
            found[path] = value
            continue
        name, _, inner = rest.rpartition(".") if section in SPREADS else rest.partition(".")
        if inner and name:
            found[section].setdefault(name, {})[inner] = value
        else:
            found[section][rest] = value
    return found


def _events(path: Path, problems: Problems) -> Iterator[Found]:
    for number, row in _rows(path):
        if not _is_event(row):
            problems.add(shown(path), number, "the row is not an event")
            continue
        event = row | {"agents": _names(row.get("agents"))}
        yield Found("event", event, shown(path), number, is_counted=False)


def _is_event(row: dict[str, Any]) -> bool:
    texts = all(isinstance(row.get(name), str) for name in ("event", "run_id"))
    return texts and all(isinstance(row.get(name), int) and -1 <= row[name] < MOST_TICKS for name in ("tick", "town"))


def _names(text: Any) -> list[str]:
    """Return the names in a list that a table holds as JSON text."""
    try:
        names = json.loads(text) if isinstance(text, str) else []
    except ValueError:
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
