"""Reads files with their bases and overrides into a checked `Config`.

Owns where presets are found, the limits of a chain of bases, and the promise that nothing but `ConfigError` comes out.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from townlet_jax.config.checks import check
from townlet_jax.config.errors import ConfigError, ProblemError, dotted, nearest, shown
from townlet_jax.config.explain import explain
from townlet_jax.config.merge import layered, override
from townlet_jax.config.origin import Origin, Source, printable_name
from townlet_jax.config.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, UnreadableError, decode, parse
from townlet_jax.config.schema import Config

MAX_BASES = 16
PACKAGE = FilePath(__file__).parent.parent
PRESET_FOLDERS = (PACKAGE / "presets", PACKAGE.parent / "configs")


def load(path: str | FilePath, overrides: Sequence[str] = ()) -> Config:
    """Read a file with its bases, apply `key.sub=value` overrides and check everything.

    A bare name such as `default` names a shipped preset if no such file exists. Raises `ConfigError` only (14.1).
    """
    file = _resolve(os.fspath(path), None)
    source = _read(file)
    return _finish(source, file, overrides)


def from_mapping(mapping: dict[str, Any], *, source: str = "<mapping>", overrides: Sequence[str] = ()) -> Config:
    """Check a configuration given as plain data; `base` works as in files. Raises `ConfigError` only."""
    return _finish(Source(source, _plain(mapping, source)), None, overrides)


def presets() -> dict[str, FilePath]:
    """Return the shipped configurations by name; scenarios by their bare name too."""
    found: dict[str, FilePath] = {}
    for folder in PRESET_FOLDERS:
        for file in (*sorted(folder.glob("*.yaml")), *sorted(folder.glob("scenarios/*.yaml"))):
            found.setdefault(file.stem, file)
    return found


def _finish(first: Source, file: FilePath | None, overrides: Sequence[str]) -> Config:
    """Merge, override, validate and check."""
    data, sources = _chain(first, file)
    for text in overrides:
        sources = (_overridden(data, text), *sources)
    origin = Origin(sources)
    try:
        config = Config.model_validate(data)
        config._origin = origin
        check(config)
    except ValidationError as error:
        raise origin.error(explain(error, data)) from None
    except ProblemError as problem:
        raise origin.error(problem) from None
    return config


def _overridden(data: dict[str, Any], text: str) -> Source:
    """Apply one override to the data and return it as a source of its own."""
    name = f"override {printable_name(text)[:80]}"
    try:
        path = override(data, text)
    except ProblemError as problem:
        place = "" if problem.path == ("--set",) else f"{dotted(problem.path)}: "
        raise ConfigError(f"{name}: {place}{problem.text.rstrip('.')}.") from None
    said: Any = None
    for part in reversed(path):
        said = {part: said}
    return Source(name, said)


def _chain(first: Source, file: FilePath | None) -> tuple[dict[str, Any], tuple[Source, ...]]:
    """Follow `base` down and merge up again; the strongest source comes first."""
    sources = [first]
    seen = {file} if file is not None else set()
    while True:
        source = sources[-1]
        if not isinstance(source.data, dict):
            what = "is empty" if source.data is None else f"holds {shown(source.data)} at the top"
            raise ConfigError(
                f"{printable_name(source.name)}: {what}, but a configuration is a map of sections; "
                "write for example 'base: default'."
            )
        base = source.data.get("base")
        if base is None:
            break
        file = _base_file(Origin((source,)), base, file)
        if file in seen:
            raise Origin((source,)).error(
                ProblemError(("base",), f"{shown(base)} includes itself; break the circle of bases")
            )
        if len(sources) >= MAX_BASES:
            raise Origin((source,)).error(
                ProblemError(("base",), f"is the {MAX_BASES}th file on file; merge some of them")
            )
        seen.add(file)
        sources.append(_read(file))
    data: dict[str, Any] = {}
    for source in reversed(sources):
        data = layered(data, {key: value for key, value in source.data.items() if key != "base"})
    return data, tuple(sources)


def _base_file(origin: Origin, base: Any, file: FilePath | None) -> FilePath:
    """Find the file a `base` names."""
    if not isinstance(base, str) or not base:
        raise origin.error(
            ProblemError(("base",), f"is {shown(base)}, but must be default, parity or a file; write one of them")
        )
    try:
        return _resolve(base, file)
    except ConfigError as error:
        raise origin.error(ProblemError(("base",), str(error))) from None


def _resolve(name: str, relative_to: FilePath | None) -> FilePath:
    """Turn the name of a preset or file into an absolute path of a regular file."""
    known = presets()
    folder = relative_to.parent if relative_to is not None else FilePath()
    try:
        file = folder / name
        if relative_to is not None and name in known and not file.suffix:
            return known[name].resolve()
        if file.is_file():
            return file.resolve()
        if name in known:
            return known[name].resolve()
        reason = "is a directory" if file.is_dir() else "is not a regular file" if file.exists() else "does not exist"
    except (OSError, ValueError, RuntimeError):
        reason = "cannot be looked up"
    hint = nearest(name, known)
    raise ConfigError(
        f"{printable_name(name) or 'the empty name'}: the file {reason}"
        f"{hint}; give the path of a YAML file or a preset ({', '.join(sorted(known))})."
    )


def _read(file: FilePath) -> Source:
    """Read and parse a file."""
    name = _short(file)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise ConfigError(
            f"{printable_name(name)}: cannot be read ({reason}); check the path and its permissions."
        ) from None
    try:
        text = decode(raw)
        return Source(name, parse(text), text)
    except UnreadableError as error:
        place = f":{error.line}:{error.column}" if error.line else ""
        raise ConfigError(f"{printable_name(name)}{place}: {error.text}.") from None


def _short(file: FilePath) -> str:
    """Name a file as a person in this directory would."""
    try:
        return str(file.relative_to(FilePath.cwd()))
    except (ValueError, OSError):
        return str(file)


def _plain(value: Any, source: str) -> Any:
    """Copy a mapping, refusing what no file could hold."""
    count = 0

    def copy(item: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise ConfigError(
                f"{source}: is deeper than {MAX_DEPTH} levels or holds over {MAX_NODES} values; flatten it."
            )
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                wrong = next(key for key in item if not isinstance(key, str))
                raise ConfigError(f"{source}: the key {type(wrong).__name__} is not a string; keys are strings.")
            return {key: copy(inner, depth + 1) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [copy(inner, depth + 1) for inner in item]
        if isinstance(item, float) and not math.isfinite(item):
            raise ConfigError(f"{source}: holds {item}, but numbers are finite; write a finite number.")
        if item is None or type(item) in (bool, int, float, str):
            return item
        raise ConfigError(
            f"{source}: holds a {type(item).__name__}; use dicts, lists, strings, numbers, booleans and None."
        )

    return copy(value, 0)
