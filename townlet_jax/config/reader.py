"""Reads YAML text into plain values and closes the traps of YAML.

Owns the limits (size, depth, nodes) and the meaning of plain scalars. No aliases, tags or second documents; duplicate
keys are errors; `1e-3` is a number, `no`, `on` and `yes` are words, `010` is ten; infinities do not exist. Events come
from libyaml, the tree is built without recursion.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from townlet_jax.config.errors import Path, printable

MAX_BYTES = 2**20
MAX_DEPTH = 64
MAX_NODES = 100_000  # the default town has fewer than 1,500
MAX_DIGITS = 25

NULL = {"", "~", "null", "Null", "NULL"}
TRUE = {"true", "True", "TRUE"}
FALSE = {"false", "False", "FALSE"}
INTEGER = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")

Marks = dict[Path, tuple[int, int]]


class UnreadableError(Exception):
    """Text that is no acceptable YAML; line and column count from 1, 0 where the place is not known."""

    def __init__(self, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.line = line
        self.column = column


@dataclass
class _Level:
    """One open mapping or sequence while the tree is built."""

    value: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)


def decode(raw: bytes) -> str:
    """Turn bytes into text; too much, not UTF-8 and control characters raise `UnreadableError`."""
    if len(raw) > MAX_BYTES:
        raise UnreadableError(f"has more than {MAX_BYTES} bytes: a town file is a few kilobytes, split it or use base")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableError("is not UTF-8 text: save the file as UTF-8", line, 1) from None
    return text


def parse(text: str, marks: Marks | None = None) -> Any:
    """Return the one document in the text as dicts, lists, strings, numbers, booleans and None.

    Fills `marks` with the place of every key and entry if given. Raises `UnreadableError`.
    """
    control = CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        column = control.start() - text.rfind("\n", 0, control.start())
        raise UnreadableError(f"contains the control character U+{ord(control[0]):04X}: delete it", line, column)
    try:
        return _build(yaml.parse(text, Loader=yaml.CSafeLoader), marks)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = printable(error.problem or error.context or "it cannot be parsed")
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise UnreadableError(
            f"is not valid YAML ({what}): correct the indentation or the quotes there", *place
        ) from None
    except (yaml.YAMLError, UnicodeError) as error:
        first = str(error).splitlines()[0] if str(error) else "it cannot be read"
        raise UnreadableError(f"is not valid YAML ({printable(first)}): correct the text") from None


def locate(text: str, path: Path) -> tuple[int, int] | None:
    """Find line and column of the longest known part of a path, None if the text holds none of it."""
    marks: Marks = {}
    try:
        parse(text, marks)
    except UnreadableError:
        return None
    for length in range(len(path), 0, -1):
        if path[:length] in marks:
            return marks[path[:length]]
    return None


def _build(events: Iterator[Any], marks: Marks | None) -> Any:
    """Fold the events of one document into a value."""
    stack: list[_Level] = [_Level([], ())]
    nodes = documents = 0
    for event in events:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise UnreadableError(
                    "holds a second document: keep one document a file, without '---' inside", line, column
                )
            continue
        if isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentEndEvent):
            continue
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            continue
        nodes += 1
        _forbid(event, nodes, len(stack), line, column)
        _add(stack, event, line, column, marks)
    result = stack[0].value
    assert isinstance(result, list)
    return result[0] if result else None


def _forbid(event: Any, nodes: int, depth: int, line: int, column: int) -> None:
    """Refuse aliases, anchors, tags and bombs."""
    if isinstance(event, yaml.AliasEvent):
        raise UnreadableError("uses an alias (*name): write the value out, aliases are not read", line, column)
    if event.anchor is not None:
        raise UnreadableError("defines an anchor (&name): delete it, anchors are not read", line, column)
    if event.tag is not None and event.tag != "!":
        raise UnreadableError(f"uses the tag {printable(event.tag)}: delete it, tags are not read", line, column)
    if nodes > MAX_NODES:
        raise UnreadableError(f"holds more than {MAX_NODES} values: no town needs that many, split it", line, column)
    if depth > MAX_DEPTH:
        raise UnreadableError(f"is nested deeper than {MAX_DEPTH} levels: flatten it", line, column)


def _add(stack: list[_Level], event: Any, line: int, column: int, marks: Marks | None) -> None:
    """Put a key or a value where the tree is open."""
    level = stack[-1]
    if isinstance(level.value, dict) and level.key is None:
        level.key = _key(level, event, line, column)
        if marks is not None:
            marks[(*level.path, level.key)] = (line, column)
        return
    value = _value(event, line, column)
    path: Path = level.path
    if isinstance(level.value, dict):
        assert level.key is not None
        path = (*level.path, level.key)
        level.value[level.key] = value
        level.key = None
    else:
        if len(stack) > 1:
            path = (*level.path, len(level.value))
        level.value.append(value)
    if marks is not None:
        marks.setdefault(path, (line, column))
    if isinstance(value, dict | list):
        stack.append(_Level(value, path))


def _key(level: _Level, event: Any, line: int, column: int) -> str:
    """Return the text of a key; only scalars are keys, and each only once."""
    if not isinstance(event, yaml.ScalarEvent):
        raise UnreadableError("uses a list or map as a key: keys are words", line, column)
    key = str(event.value)
    if key in level.lines:
        raise UnreadableError(
            f"repeats the key '{printable(key)}' of line {level.lines[key]}: keep one of the two", line, column
        )
    level.lines[key] = line
    return key


def _value(event: Any, line: int, column: int) -> Any:
    """Return an empty container or the meaning of a scalar."""
    if isinstance(event, yaml.MappingStartEvent):
        return {}
    if isinstance(event, yaml.SequenceStartEvent):
        return []
    text = str(event.value)
    if event.style is not None and event.style != "":
        return text
    return _scalar(text, line, column)


def _scalar(text: str, line: int, column: int) -> Any:
    """Resolve an unquoted scalar."""
    if text in NULL:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise UnreadableError(f"holds a number of {len(text)} digits: no value is that large", line, column)
        return int(text)
    if SPECIAL.fullmatch(text):
        raise UnreadableError(f"holds {text}: write a finite number", line, column)
    if FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise UnreadableError(
                f"holds {printable(text)}, too large for a number: write a finite number", line, column
            )
        return number
    return text
