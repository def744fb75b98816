"""What goes over the wire: commands and results, and how a line is read (MECHANICS 12.1)."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from townlet_jax.console.errors import ConsoleError, shown
from townlet_jax.report import printable

MOST_BYTES = 65_536  # of a line from a client
MOST_DEPTH = 16  # of lists and maps in a command

Name = Annotated[str, Field(min_length=1, max_length=64)]
Identifier = Annotated[str, Field(min_length=1, max_length=128)]
Role = Literal["viewer", "admin"]


class Command(BaseModel):
    """What somebody wants done. `args` are the first arguments in their order, `kwargs` arguments by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    args: list[Any] = Field(default_factory=list, max_length=32)
    kwargs: dict[str, Any] = Field(default_factory=dict, max_length=32)
    cmd_id: Identifier | None = None
    issuer: Identifier | None = None
    mode: Role | None = None
    token: str | None = Field(None, max_length=512, repr=False)
    timestamp_ms: int | None = None
    metadata: dict[str, Any] = Field(default_factory=dict, max_length=32)


def parsed(line: bytes) -> Any:
    """Read one line of JSON; raises `ConsoleError` for what is none, is too long or holds no finite numbers."""
    if len(line) > MOST_BYTES:
        raise ConsoleError("usage", f"The line has {len(line):,} bytes, but may have {MOST_BYTES:,}; send less.")
    try:
        return json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ConsoleError("usage", "The line is not JSON; send one JSON object a line, in UTF-8.") from None


def command_of(data: Any) -> Command:
    """Check a command; raises `ConsoleError`."""
    if not isinstance(data, Mapping):
        raise ConsoleError("usage", f"A command is a JSON object, but this is {shown(data)}; give at least a name.")
    demand_printable(data)
    try:
        return Command.model_validate(dict(data))
    except ValidationError as error:
        raise ConsoleError("usage", f"The command is not well formed: {sentence(error)}.") from None


def sentence(error: ValidationError) -> str:
    """Return the first complaint about a value: where, what is wrong, what there is."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "it"
    what = first["msg"][0].lower() + first["msg"][1:]
    given = "" if first["type"] in ("missing", "extra_forbidden") else f", but it is {shown(first['input'])}"
    return f"{shown(place)}: {what}{given}"


def demand_printable(data: Any) -> None:
    """Refuse texts with characters that a terminal would obey, and what is nested too deeply."""
    for text in _texts(data, 0):
        if text != printable(text):
            bad = next(letter for letter in text if letter != printable(letter))
            raise ConsoleError(
                "usage", f"The text '{shown(text)}' holds U+{ord(bad):04X}, which cannot be shown; leave it out."
            )


def _texts(data: Any, depth: int) -> Iterator[str]:
    if depth > MOST_DEPTH:
        raise ConsoleError("usage", f"The command is nested more than {MOST_DEPTH} levels deep; make it flatter.")
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(key, depth + 1)
            yield from _texts(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value, depth + 1)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def result(
    name: str,
    *,
    cmd_id: str | None,
    issuer: str,
    tick: int,
    latency_ms: float,
    value: Mapping[str, Any] | None = None,
    error: ConsoleError | None = None,
) -> dict[str, Any]:
    """Return the answer to a command; without an error it is a success."""
    answer: dict[str, Any] = {
        "name": name,
        "status": "ok" if error is None else "error",
        "cmd_id": cmd_id,
        "issuer": issuer,
        "tick": tick,
        "latency_ms": round(latency_ms, 3),
    }
    if error is None:
        answer["result"] = dict(value or {})
    else:
        answer["error"] = {"code": error.code, "message": str(error), "details": dict(error.details)}
    return answer
