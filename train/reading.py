"""Reads training settings with overrides; says no in one sentence, as town files do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from townlet_jax.config import errors, explain, merge, reader
from townlet_jax.config.errors import ConfigError, ProblemError, dotted, shown
from townlet_jax.config.origin import Origin, Source, printable_name
from train.settings import Settings


def load(path: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Read a file, apply `key.sub=value` overrides and check everything; raises `ConfigError` only."""
    return checked(_read(Path(path)), overrides)


def from_mapping(mapping: dict[str, Any], overrides: Sequence[str] = ()) -> Settings:
    """Check settings given as plain data; raises `ConfigError` only."""
    return checked(Source("<mapping>", mapping), overrides)


def checked(source: Source, overrides: Sequence[str]) -> Settings:
    """Apply overrides to what a source holds and check the result."""
    if not isinstance(source.data, dict):
        raise ConfigError(
            f"{printable_name(source.name)}: holds {shown(source.data)} at the top, but settings are a map of "
            "sections; write for example 'towns: 64'."
        )
    data = dict(source.data)
    sources: tuple[Source, ...] = (source,)
    for text in overrides:
        sources = (_overridden(data, text), *sources)
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        raise Origin(sources).error(problem_of(error, data)) from None


def problem_of(error: ValidationError, data: Any) -> ProblemError:
    """Make a problem of the first error; unknown keys come first because they explain the others."""
    found = error.errors(include_url=False)
    first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
    path = first["loc"]
    if first["type"] == "extra_forbidden":
        known = explain.keys_of(_section(path[:-1]))
        hint = errors.nearest(str(path[-1]), known)
        return ProblemError(path, f"unknown key{hint}; keys allowed here are {errors.listed(known)}")
    value, _ = errors.follow(data, path)
    return ProblemError(path, f"is {shown(value)}, but must be {_allowed(first['type'], path)}")


def _allowed(kind: str, path: errors.Path) -> str:
    """Say what may stand at a path, and what to do."""
    field = _field(path)
    if field is None or kind in ("model_type", "model_attributes_type"):
        return "a map of keys and values; write it so"
    annotation = explain.bare(field.annotation)
    meaning = f" ({field.description})"
    if annotation is bool:
        return f"true or false{meaning}; write one of them"
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(annotation.__args__)}{meaning}; choose one of them"
    if annotation in (int, float):
        low, high = explain.bounds(field.metadata)
        number = "a whole number" if annotation is int else "a finite number"
        return (
            f"{number} from {explain.plain_number(low)} to {explain.plain_number(high)}{meaning}; "
            "choose a value in that range"
        )
    return f"{'a list of texts' if get_origin(annotation) is tuple else 'a text'}{meaning}; write it so"


def _section(path: errors.Path) -> type[BaseModel] | None:
    """Return the section at a path, None if it is none."""
    kind: Any = Settings
    for part in path:
        field = kind.model_fields.get(str(part)) if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        kind = field.annotation if field is not None else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _field(path: errors.Path) -> FieldInfo | None:
    """Return the last named field of a path."""
    names = [part for part in path if isinstance(part, str)]
    section = _section(tuple(names[:-1]))
    return None if section is None or not names else section.model_fields.get(str(names[-1]))


def _overridden(data: dict[str, Any], text: str) -> Source:
    """Apply one override to the data and return it as a source of its own."""
    name = f"override {printable_name(text)[:80]}"
    try:
        path = merge.override(data, text)
    except ProblemError as problem:
        place = "" if problem.path == ("--set",) else f"{dotted(problem.path)}: "
        raise ConfigError(f"{name}: {place}{problem.text.rstrip('.')}.") from None
    said: Any = errors.follow(data, path)[0]
    for part in reversed(path):
        said = {part: said}
    return Source(name, said)


def _read(file: Path) -> Source:
    """Read and parse a file; an empty one means the defaults."""
    name = str(file)
    try:
        with file.open("rb") as stream:
            raw = stream.read(reader.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigError(
            f"{printable_name(name)}: cannot be read ({reason}); give a file such as configs/train/options.yaml."
        ) from None
    try:
        text = reader.decode(raw)
        data = reader.parse(text)
    except reader.UnreadableError as error:
        place = f":{error.line}:{error.column}" if error.line else ""
        raise ConfigError(f"{printable_name(name)}{place}: {error.text}.") from None
    return Source(name, {} if data is None else data, text)
