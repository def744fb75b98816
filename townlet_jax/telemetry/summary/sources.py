"""Which files a name on the command line stands for, opened oldest first.

A file of lines brings its rotated siblings along: `NAME.2`, `NAME.1`, `NAME`. A table of the Parquet sink brings its
events and the parts that were not poured into it yet. A folder stands for what a run left in it.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from townlet_jax.telemetry.sinks.sentences import reason, shown

STDIN = "-"
ROTATED = re.compile(r"(?P<base>.+)\.(?P<age>[1-9][0-9]{0,8})")
PARTS = ".parts"
TRAINING_PART = "part-*.parquet"  # what `train.writers` makes of a log
LINES, TABLE = ".jsonl", ".parquet"
EVENTS = ".events.parquet"
FORMS = f"a file of JSON lines, a Parquet table, a folder of a run, or {STDIN} for standard input"


class ReadError(Exception):
    """What was asked for cannot be read or written; the text is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something that records are read from. `path` is None for standard input."""

    kind: Literal["lines", "table", "training"]
    path: Path | None = None

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return "standard input" if self.path is None else shown(self.path)


def sources(names: Sequence[str]) -> tuple[Source, ...]:
    """Return what the names stand for, each once; raises `ReadError`."""
    bases = {Path(name) for name in names}
    found: list[Source] = []
    for name in _oldest_first(dict.fromkeys(names)):
        if name == STDIN:
            found.append(Source(kind="lines"))
        elif not _comes_along(Path(name), bases):
            found += _of_path(Path(name))
    return tuple(dict.fromkeys(found))


def _oldest_first(names: Iterable[str]) -> list[str]:
    """Return names with the rotated files of one base behind each other, where the first of them was."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        rotated = ROTATED.fullmatch(name)
        base, age = (rotated["base"], int(rotated["age"])) if rotated is not None else (name, 0)
        groups.setdefault(base, []).append((age, name))
    return [name for group in groups.values() for _, name in sorted(group, reverse=True)]


def _comes_along(path: Path, bases: set[Path]) -> bool:
    """Tell whether a path is a rotated sibling or the events table of another name that was given."""
    rotated = ROTATED.fullmatch(path.name)
    if rotated is not None:
        return path.with_name(rotated["base"]) in bases
    return path.name.endswith(EVENTS) and path.with_name(path.name.removesuffix(EVENTS) + TABLE) in bases


def _of_path(path: Path) -> list[Source]:
    try:
        if path.is_dir():
            return _of_folder(path)
        if path.exists():
            return [Source(kind="table" if path.suffix == TABLE else "lines", path=path)]
        parts = path.with_name(path.stem + PARTS)
        if path.suffix == TABLE and parts.is_dir():
            return [Source(kind="table", path=path)]
    except (OSError, ValueError) as error:
        raise ReadError(f"{shown(path)} cannot be read ({reason(error)}); give {FORMS}.") from error
    raise ReadError(f"{shown(path)} does not exist; give {FORMS}.")


def _of_folder(folder: Path) -> list[Source]:
    if folder.suffix == PARTS:
        return [Source(kind="table", path=folder.with_name(folder.stem + TABLE))]
    if any(folder.glob(TRAINING_PART)):
        return [Source(kind="training", path=folder)]
    here = sorted(folder.iterdir())
    lines = [path for path in here if path.suffix == LINES and path.is_file()]
    if lines:
        return [Source(kind="lines", path=path) for path in lines]
    tables = {path for path in here if path.suffix == TABLE and not path.name.endswith(EVENTS)}
    tables |= {path.with_name(path.stem + TABLE) for path in here if path.suffix == PARTS and path.is_dir()}
    found = [source for path in sorted(tables) for source in _of_table(path)]
    if not found:
        raise ReadError(f"{shown(folder)} holds no {LINES} file and no {TABLE} table; give {FORMS}.")
    return found


def _of_table(path: Path) -> list[Source]:
    if path.is_dir():
        return [Source(kind="training", path=path)] if any(path.glob(TRAINING_PART)) else []
    return [Source(kind="table", path=path)]


@contextmanager
def opened(source: Source) -> Iterator[list[tuple[str, IO[bytes]]]]:
    """Give the files of a source of lines with their names, oldest first; raises `ReadError`.

    The newest file is opened first and a file is taken once, so a rotation in between neither hides nor repeats lines.
    """
    with ExitStack() as files:
        if source.path is None:
            yield [(source.name, sys.stdin.buffer)]
            return
        found: list[tuple[str, IO[bytes]]] = []
        known: set[tuple[int, int]] = set()
        for path in (source.path, *siblings(source.path)):
            try:
                file = files.enter_context(path.open("rb"))
                status = os.fstat(file.fileno())
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise ReadError(f"{shown(path)} cannot be read ({reason(error)}); give {FORMS}.") from error
            if (status.st_dev, status.st_ino) not in known:
                known.add((status.st_dev, status.st_ino))
                found.append((shown(path), file))
        yield found[::-1]


def siblings(path: Path) -> list[Path]:
    """Return the rotated files beside a file, newest first."""
    found = []
    for other in path.parent.iterdir():
        rotated = ROTATED.fullmatch(other.name)
        if rotated is not None and rotated["base"] == path.name:
            found.append((int(rotated["age"]), other))
    return [other for _, other in sorted(found)]
