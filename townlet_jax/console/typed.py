"""From a typed line to a command: `setneed ada energy 0.5`, `order ada {"kind": "chat"} ticks=3`.

Words are numbers, true, false, null, JSON in brackets, or texts; quotes keep blanks together. Never imports jax.
"""

import json
import re
from typing import Any

_NAMED = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)=")
_WORD = re.compile(r"[^\s]+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CONSTANTS = {"true": True, "false": False, "null": None}
_DECODER = json.JSONDecoder()


class TypedError(ValueError):
    """A line cannot be read; the text is one sentence."""


def command_of_line(line: str) -> dict[str, Any]:
    """Read a line as name, arguments in order and arguments by name; raises `TypedError`."""
    name, *_ = line.split(maxsplit=1) or [""]
    if not name:
        raise TypedError("The line is empty; type a command, or help.")
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    place = line.index(name) + len(name)
    while (place := _past_blanks(line, place)) < len(line):
        named = _NAMED.match(line, place)
        value, place = _value(line, place if named is None else named.end())
        if named is not None:
            kwargs[named[1]] = value
        elif kwargs:
            raise TypedError("An argument without a name comes after one with a name; put it before, or name it.")
        else:
            args.append(value)
    return {"name": name, "args": args, "kwargs": kwargs}


def _past_blanks(line: str, place: int) -> int:
    while place < len(line) and line[place].isspace():
        place += 1
    return place


def _value(line: str, place: int) -> tuple[Any, int]:
    """Return the value that begins at a place, and where it ends."""
    first = line[place : place + 1]
    if first in ("{", "[", '"'):
        try:
            value, end = _DECODER.raw_decode(line, place)
        except (ValueError, RecursionError):
            raise TypedError(f"'{line[place : place + 40]}' is not JSON; close its brackets and quotes.") from None
        if end < len(line) and not line[end].isspace():
            raise TypedError(f"A blank is missing after '{line[place:end]}'.")
        return value, end
    if first == "'":
        end = line.find("'", place + 1)
        if end < 0:
            raise TypedError(f"The quote in '{line[place : place + 40]}' is not closed.")
        return line[place + 1 : end], end + 1
    word = _WORD.match(line, place)
    if word is None:
        return "", place
    return plain(word[0]), word.end()


def plain(word: str) -> Any:
    """Return a word as a number, a flag, nothing, or itself."""
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if _NUMBER.fullmatch(word) is None or len(word) > 40:
        return word
    is_whole = word.lstrip("+-").isdecimal()
    return int(word) if is_whole else float(word)
