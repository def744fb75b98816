"""How a configuration says no: one exception type, one sentence, and where to look.

Owns `ConfigError`, the internal `ProblemError` that checks raise before the file is known, and the spelling of paths
and values.
"""

import difflib
import json
from collections.abc import Iterable
from typing import Any

Path = tuple[str | int, ...]

SHOWN_LENGTH = 60  # characters of a value that a message repeats
LISTED = 12  # names a message lists before it cuts


class ConfigError(Exception):
    """A configuration cannot be used; the text is one sentence with place, value, what is allowed and what to do."""


class ProblemError(Exception):
    """What is wrong at a path of the merged configuration, before it is known which file said so."""

    def __init__(self, path: Path, text: str, note: str = "") -> None:
        super().__init__(text)
        self.path = path
        self.text = text
        self.note = note  # lines below the sentence, for carets


def follow(data: Any, path: Path) -> tuple[Any, int]:
    """Go down a path as far as the data does; return what stands there and how many parts were found."""
    for depth, part in enumerate(path):
        is_key = isinstance(data, dict) and part in data
        is_index = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not is_key and not is_index:
            return data, depth
        data = data[part]
    return data, len(path)


def dotted(path: Path) -> str:
    """Write a path as it is written in overrides and messages, `affordances[2].duration`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + printable(part)
    return text or "the document"


def printable(text: str) -> str:
    """Replace everything a terminal would obey instead of print, and cut what is too long to read."""
    short = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."
    return "".join(c if c.isprintable() else "\\" + format(ord(c), "x") for c in short)


def shown(value: object) -> str:
    """Write a value as it would stand in a file, shortened to one line."""
    if isinstance(value, dict):
        return f"a map of {len(value)} keys"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if len(value) > 4 or _is_nested(value) else json.dumps(list(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHOWN_LENGTH:
        return f"a number of more than {SHOWN_LENGTH} digits"
    if isinstance(value, str):
        return f"'{printable(value)}'"
    return printable(json.dumps(value))


def _is_nested(values: Iterable[object]) -> bool:
    return any(not isinstance(value, int | float) for value in values)


def listed(names: Iterable[str]) -> str:
    """Write the allowed names for a message, cut after a dozen."""
    every = [printable(name) for name in names]
    if not every:
        return "none"
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the most similar known name, ` (did you mean 'clock'?)`, or nothing."""
    close = difflib.get_close_matches(name[:SHOWN_LENGTH], list(names), n=1, cutoff=0.5)
    return f" (did you mean '{printable(close[0])}'?)" if close else ""


def unknown(path: Path, what: str, name: str, names: Iterable[str], where: str) -> ProblemError:
    """Make the problem of a reference to something that does not exist."""
    known = list(names)
    hint = nearest(name, known)
    return ProblemError(
        path, f"{shown(name)} is not {what}{hint}; use one of: {listed(known)}, or add it under {where}"
    )
