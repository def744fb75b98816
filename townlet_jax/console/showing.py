"""A result as lines of text for people: maps as `key: value`, lists of like things as columns. Only printable text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from townlet_jax.report import printable

WIDEST = 60  # characters of a cell
Scalar = str | int | float | bool | None


def lines_of(result: Mapping[str, Any]) -> list[str]:
    """Return the answer to a command as lines."""
    if result["status"] == "error":
        return [f"{word(result['error']['code'])}: {word(result['error']['message'])}"]
    again = " (done before, not again)" if result.get("replayed") else ""
    body = list(_lines(result["result"], ""))
    return body if body and not again else [f"ok, tick {result['tick']}{again}", *body]


def word(value: Any) -> str:
    """Return a value on one printable line."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return printable(" ".join(str(value).split()))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _entry(word(key), part, indent)
    elif isinstance(value, list):
        if value and all(isinstance(part, Mapping) for part in value):
            yield from _columns(value, indent)
        else:
            yield from (f"{indent}- {_flat(part)}" for part in value)
    else:
        yield f"{indent}{word(value)}"


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping | list) and value and not _is_short(value):
        yield f"{indent}{key}:"
        yield from _lines(value, f"{indent}  ")
    else:
        yield f"{indent}{key}: {_flat(value)}"


def _is_short(value: Any) -> bool:
    parts = list(value.values()) if isinstance(value, Mapping) else value
    return all(not isinstance(part, Mapping | list) for part in parts) and len(_flat(value)) <= WIDEST


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{word(key)} {_flat(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_flat, value)) or "none"
    return word(value)


def _columns(rows: Sequence[Mapping[str, Any]], indent: str) -> Iterator[str]:
    """Yield rows under their headings; the last column may be as long as it likes."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = [[word(name) for name in names], *([_flat(row.get(name)) for name in names] for row in rows)]
    widths = [min(WIDEST, max(len(row[column]) for row in table)) for column in range(len(names))]
    for row in table:
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        yield f"{indent}{'  '.join(cells)}".rstrip()
