"""What every section of the schema is made of: the strict base record and one helper a kind of value.

Owns the reasons for bounds that many fields share. A field says what it means and, where it is bounded, why.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

REQUIRED: Any = ...
Bound = float | int

WHY = {
    "level": "levels lie between 0, empty, and 1, full",
    "share": "a share lies between nothing and all",
    "probability": "a probability",
    "ticks": "0 or more, and far below the 2^31 ticks a counter holds",
    "tiles": "0 or more; a million tiles is more than any map, so it means everywhere",
    "coins": "not negative, and small enough that sums keep their cents in float32",
    "days": "a count of days, at most a few human lives",
    "units": "whole goods, small enough that float32 counts them exactly",
    "count": "a count that fits the tables",
    "weight": "a weight; far larger ones drown every other term",
    "factor": "a multiplier around 1; far larger ones break the balance of the rules",
    "index": "an index into a table",
    "trait": "traits lie between -1 and 1",
    "tie": "ties lie between -1 and 1",
    "scale": "a divisor, so above 0",
    "bytes": "a buffer that fits the memory of a small machine",
    "seconds": "a pause a person would still wait for",
    "seed": "seeds are 32-bit",
}


class Section(BaseModel):
    """A frozen part of the configuration that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), hide_input_in_errors=True)


def _extra(unit: str, why: str | None) -> dict[str, str]:
    return {"unit": unit, "why": why or WHY.get(unit, "")}


def real(default: Any, low: Bound, high: Bound, unit: str, meaning: str, why: str | None = None) -> Any:
    """Declare a number; whole numbers are accepted, infinities and booleans are not."""
    return Field(
        default,
        ge=low,
        le=high,
        strict=True,
        allow_inf_nan=False,
        description=meaning,
        json_schema_extra=_extra(unit, why),  # type: ignore[arg-type]  # a dict of strings is a JSON dict
    )


def whole(default: Any, low: int, high: int, unit: str, meaning: str, why: str | None = None) -> Any:
    """Declare a whole number; `1.0` and booleans are not accepted."""
    return Field(
        default,
        ge=low,
        le=high,
        strict=True,
        description=meaning,
        json_schema_extra=_extra(unit, why),  # type: ignore[arg-type]  # a dict of strings is a JSON dict
    )


def flag(default: Any, meaning: str) -> Any:
    """Declare a switch: `true` or `false`, nothing else."""
    return Field(default, strict=True, description=meaning)


def table(meaning: str, most: int, why: str) -> Any:
    """Declare a map of named entries, empty by default."""
    return Field(default_factory=dict, max_length=most, description=meaning, json_schema_extra={"why": why})


def entries(meaning: str, most: int, why: str) -> Any:
    """Declare a list of entries, empty by default."""
    return Field((), max_length=most, description=meaning, json_schema_extra={"why": why})


def given(default: Any, meaning: str) -> Any:
    """Declare anything else: names, choices, nested sections."""
    return Field(default, description=meaning)


def section(kind: type[Section], meaning: str) -> Any:
    """Declare a nested section whose defaults hold where nothing is written."""
    return Field(default_factory=kind, description=meaning)


Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
AgentName = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
Sentence = Annotated[str, StringConstraints(strict=True, max_length=4000)]
Words = Annotated[str, StringConstraints(strict=True, max_length=1000)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Whole = Annotated[int, Field(strict=True)]
Tile = tuple[Annotated[int, Field(strict=True, ge=0, le=511)], Annotated[int, Field(strict=True, ge=0, le=511)]]
Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Tie = Annotated[float, Field(strict=True, ge=-1, le=1, allow_inf_nan=False)]
Rivalry = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


def _three(value: Any) -> Any:
    """Spread one value over the three needs."""
    return value if isinstance(value, list | tuple | dict) else (value, value, value)


def _two(value: Any) -> Any:
    """Let one value stand for both ends of a range."""
    return value if isinstance(value, list | tuple | dict) else (value, value)


def _need_vector(low: Bound, high: Bound) -> Any:
    number = Annotated[float, Field(strict=True, ge=low, le=high, allow_inf_nan=False)]
    item = {"type": "number", "minimum": low, "maximum": high}
    return Annotated[
        tuple[number, number, number],
        BeforeValidator(_three),
        WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 3, "maxItems": 3}]}),
    ]


def _range(kind: type[int] | type[float], low: Bound, high: Bound) -> Any:
    number = Annotated[kind, Field(strict=True, ge=low, le=high)]  # type: ignore[valid-type]  # a type held in a variable
    item = {"type": "integer" if kind is int else "number", "minimum": low, "maximum": high}
    return Annotated[
        tuple[number, number],
        BeforeValidator(_two),
        WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 2, "maxItems": 2}]}),
    ]


NeedLevels = _need_vector(0, 1)
NeedWeights = _need_vector(0, 2)
TickRange = _range(int, 1, 100_000)
FactorRange = _range(float, 0.01, 100)
NeedTypes = Annotated[
    tuple[Name, Name, Name],
    BeforeValidator(_three),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3}]}
    ),
]
