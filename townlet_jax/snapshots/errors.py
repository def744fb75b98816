"""How the store says no. Owns its errors; each text is one sentence: which snapshot, which item, why, what happened.

`code` is the word by which programs know the kind of a refusal (MECHANICS 12.1).
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from townlet_jax.report import printable

LISTED = 6  # differences, leaves or snapshots a message names before it counts the rest
SYSTEM_ERROR = re.compile(r"os_error_code='(\d{1,5})'")  # in what the storage of the checkpoint library says
SHOWN = 160  # characters of somebody else's text that a message repeats


class StoreError(Exception):
    """Something about a store cannot be had."""

    code: ClassVar[str] = "rejected"


class PathError(StoreError):
    """A store cannot be at this place, or not with these permissions."""

    code = "forbidden_path"


class LockedError(StoreError):
    """Another process writes to the store."""

    code = "conflict"


class SaveError(StoreError):
    """A snapshot was not saved; `step` says which."""

    def __init__(self, text: str, step: int) -> None:
        super().__init__(text)
        self.step = step


class FlawError(Exception):
    """What is wrong with an item of a snapshot, before it is known what is done about it."""

    def __init__(self, item: str, reason: str) -> None:
        super().__init__(f"{item}: {reason}")
        self.item = item
        self.reason = reason


class DamagedError(StoreError):
    """A snapshot is not what was saved. `moved` is where it lies now, `fallback` the snapshot used instead, if any."""

    code = "read_failed"

    def __init__(
        self, root: Path, step: int, flaw: FlawError, *, moved: Path | None = None, fallback: int | None = None
    ) -> None:
        place = f"it was moved to {shown(moved)}" if moved is not None else "it was left where it is"
        instead = "nothing was used instead" if fallback is None else f"snapshot {fallback} was used instead"
        super().__init__(f"Snapshot {step} in {shown(root)} is damaged ({flaw}); {place} and {instead}.")
        self.step = step
        self.item = flaw.item
        self.reason = flaw.reason
        self.moved = moved
        self.fallback = fallback


class MissingError(StoreError):
    """There is no snapshot to restore; `refused` holds those that were damaged."""

    code = "not_found"

    def __init__(self, text: str, refused: tuple[DamagedError, ...] = ()) -> None:
        super().__init__(text)
        self.refused = refused


class IdentityError(StoreError):
    """A snapshot belongs to something else; `fields` names what differs."""

    def __init__(self, text: str, fields: tuple[str, ...]) -> None:
        super().__init__(text)
        self.fields = fields


class TargetError(StoreError):
    """A snapshot is whole, but does not hold the tree that was asked for."""


class MigrationError(StoreError):
    """A snapshot is of another version and cannot be, or may not be, brought to this one."""

    code = "migration_failed"


def shown(value: object) -> str:
    """Write a path or a value on one line, without anything that a terminal would obey."""
    if isinstance(value, Path):
        return printable(str(value))
    return cut(value if isinstance(value, str) and value else json.dumps(value))


def cut(text: str) -> str:
    """Return somebody else's text on one line, shortened."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


def listed(parts: Iterable[str], joint: str = ", ") -> str:
    """Join what is to be named, and count what is left out."""
    every = list(parts)
    more = f"{joint}and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return joint.join(every[:LISTED]) + more


def reason(error: BaseException) -> str:
    """Return why something failed, in the fewest words that say it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    system = SYSTEM_ERROR.search(str(error))
    if system is not None:
        return os.strerror(int(system[1]))
    first = " ".join(str(error).split()).partition(" [source locations")[0].partition(". ")[0]
    return cut(first).rstrip(".") or type(error).__name__
