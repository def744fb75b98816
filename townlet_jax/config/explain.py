"""Turns the errors of pydantic into one sentence with value, allowed range, reason and way out.

Walks the annotations of the schema, so that a message can name bounds, units and neighbours of a key.
"""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from townlet_jax.config.errors import Path, ProblemError, follow, listed, nearest, shown
from townlet_jax.config.schema import Config


def bare(annotation: Any) -> Any:
    """Strip `Annotated` and `| None`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            inner = [part for part in get_args(annotation) if part is not type(None)]
            if len(inner) != 1:
                return annotation
            annotation = inner[0]
        else:
            return annotation


def bounds(metadata: Any) -> tuple[Any, Any]:
    """Return the lower and the upper bound among constraints, None where there is none."""
    low = high = None
    for item in metadata:
        inner = bounds(item.metadata) if isinstance(item, FieldInfo) else (None, None)
        low = inner[0] if inner[0] is not None else vars_of(item).get("ge", low)
        high = inner[1] if inner[1] is not None else vars_of(item).get("le", high)
    return low, high


def most(metadata: Any) -> int | None:
    """Return how many entries or characters are allowed, None where that is not bounded."""
    found = [vars_of(item)["max_length"] for item in metadata if vars_of(item).get("max_length") is not None]
    return int(found[0]) if found else None


def vars_of(item: Any) -> dict[str, Any]:
    """Return the attributes of a constraint, whatever its class keeps them in."""
    return {name: getattr(item, name) for name in ("ge", "le", "min_length", "max_length") if hasattr(item, name)}


def inside(annotation: Any) -> Any:
    """Return what the entries of a list or the values of a map are made of, None for anything else."""
    kind = bare(annotation)
    if get_origin(kind) is tuple:
        return get_args(kind)[0]
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return None


def find(path: Path) -> tuple[Any, FieldInfo | None]:
    """Follow a path through the schema; return the annotation there and the last named field."""
    annotation: Any = Config
    field: FieldInfo | None = None
    for part in path:
        kind = bare(annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = next((f for n, f in kind.model_fields.items() if part in (n, f.alias)), None)
            if field is None:
                return None, None
            annotation = field.annotation
        else:
            annotation = inside(annotation)
    return annotation, field


def keys_of(annotation: Any) -> list[str]:
    """Return the keys a section knows."""
    kind = bare(annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def explain(error: ValidationError, data: Any) -> ProblemError:
    """Make a problem of the first error; unknown keys come first because they explain the others."""
    found = error.errors(include_url=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    is_key = bool(first["loc"]) and first["loc"][-1] == "[key]"
    path: Path = first["loc"][:-1] if is_key else first["loc"]
    if is_key:
        return ProblemError(path, f"the key {shown(path[-1])} is not allowed; {_names(path[:-1], True)}")
    value, _ = follow(data, path)
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        known = keys_of(find(path[:-1])[0])
        return ProblemError(path, f"unknown key{nearest(str(path[-1]), known)}; keys allowed here are {listed(known)}")
    if kind == "missing":
        return ProblemError(path, _missing(path))
    return ProblemError(path, f"is {shown(value)}, but {_rule(kind, context, path)}")


def _missing(path: Path) -> str:
    _, field = find(path)
    if isinstance(path[-1], int):
        return f"is missing; the list needs {path[-1] + 1} or more entries"
    meaning = f" ({field.description})" if field is not None and field.description else ""
    return f"is missing and has no default{meaning}; add it"


def _names(path: Path, is_key: bool = False) -> str:
    annotation, _ = find(path)
    kind = bare(annotation)
    key = bare(get_args(kind)[0]) if is_key and get_origin(kind) is dict else None
    if get_origin(key) is Literal:
        return f"use one of: {listed(str(value) for value in get_args(key))}"
    if path[:2] == ("town", "legend"):
        return "use a single character that is not blank"
    return "use lower-case letters, digits and _, beginning with a letter, at most 64 (agents may have capitals and -)"


def _rule(kind: str, context: dict[str, Any], path: Path) -> str:
    """Say what is allowed and what to do about one kind of error."""
    if kind in ("greater_than_equal", "less_than_equal", "int_type", "float_type", "finite_number"):
        return _number(kind, path)
    if kind == "int_from_float":
        return _number("int_type", path)
    if kind == "bool_type":
        return "must be true or false, without quotes; write one of them"
    if kind == "string_type":
        return "must be a text; put it in quotes if it looks like a number"
    if kind == "string_pattern_mismatch":
        return f"must be a name of another form; {_pattern(path)}"
    if kind == "literal_error":
        return f"must be one of {context['expected']}; choose one of them"
    if kind in ("too_long", "string_too_long", "too_short", "string_too_short"):
        return _length(kind, context, path)
    if kind in ("tuple_type", "list_type", "dict_type", "model_type", "model_attributes_type"):
        return _container(kind, path)
    if kind == "site":
        return "must be the name of a site of town.legend or a tile [x, y] from 0 to 511; write one of them"
    return f"that is not allowed here ({kind.replace('_', ' ')}); see docs/configuration.md"


def _number(kind: str, path: Path) -> str:
    annotation, field = find(path)
    metadata: list[Any] = list(getattr(annotation, "__metadata__", ()))
    if field is not None and not metadata:
        metadata = list(field.metadata)
    low, high = bounds(metadata)
    extra = field.json_schema_extra if field is not None and isinstance(field.json_schema_extra, dict) else {}
    unit, why = str(extra.get("unit", "")), str(extra.get("why", ""))
    number = "a whole number" if kind == "int_type" or bare(annotation) is int else "a finite number"
    scope = f" from {plain_number(low)} to {plain_number(high)}" if low is not None and high is not None else ""
    measure = f" {unit}" if unit in ("ticks", "tiles", "coins", "days", "units", "bytes", "seconds") else ""
    return f"must be {number}{scope}{measure}{f' ({why})' if why else ''}; choose a value in that range"


def plain_number(value: Any) -> str:
    """Write a bound without a useless fraction."""
    return str(int(value)) if float(value).is_integer() else str(value)


def _pattern(path: Path) -> str:
    last = path[-1]
    if last == "output_to":
        return "use self, home or linked:<object type>"
    if last == "config_id":
        return "use letters, digits and _ . -"
    if last == "policy_hash":
        return "use infer or 64 hexadecimal digits"
    return _names(path)


def _length(kind: str, context: dict[str, Any], path: Path) -> str:
    if kind.endswith("long"):
        _, field = find(path)
        extra = field.json_schema_extra if field is not None and isinstance(field.json_schema_extra, dict) else {}
        what = "characters" if kind.startswith("string") else "entries"
        why = f" ({extra['why']})" if extra.get("why") else ""
        return f"must have at most {context['max_length']} {what}{why}; shorten it"
    return f"must have at least {context['min_length']} entries or characters; extend it"


def _container(kind: str, path: Path) -> str:
    annotation, field = find(path)
    origin = get_origin(bare(annotation))
    what = "a map of keys and values" if kind in ("dict_type", "model_type", "model_attributes_type") else "a list"
    if origin is tuple and path and path[-1] == "rows":
        what = "a block of text or a list of rows"
    meaning = f" ({field.description})" if field is not None and field.description else ""
    return f"must be {what}{meaning}; write it so"
