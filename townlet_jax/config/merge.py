"""Merges a configuration with its bases and overrides, as plain data, before anything is checked.

Owns what a new map takes away from a base: things that stood on the old map do not leak onto the new one.
"""

from collections.abc import Sequence
from typing import Any

from townlet_jax.config.errors import Path, ProblemError, nearest, shown
from townlet_jax.config.reader import UnreadableError, parse

MAP_KEYS = ("rows", "size")


def merged(base: Any, child: Any) -> Any:
    """Merge maps deeply; everything else of the child replaces the base."""
    if not isinstance(base, dict) or not isinstance(child, dict):
        return child
    result = dict(base)
    for key, value in child.items():
        result[key] = merged(base[key], value) if key in base else value
    return result


def layered(base: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """Put a file on top of its base; a child with a map of its own loses what stood on that of the base.

    Dropped from the base: `town.rows`, `town.size`, `town.fill`, `town.objects`, `objects`, `agents`, `scenario`; with
    an open map also `town.legend`; jobs whose named site and events whose place the new map does not have.
    """
    town = child.get("town")
    if not isinstance(town, dict) or not any(town.get(key) is not None for key in MAP_KEYS):
        return dict(merged(base, child))
    kept = {key: value for key, value in base.items() if key not in ("objects", "agents", "scenario")}
    ground = dict(base["town"]) if isinstance(base.get("town"), dict) else {}
    for key in ("rows", "size", "fill", "objects") + (() if town.get("rows") is not None else ("legend",)):
        ground.pop(key, None)
    kept["town"] = ground
    result: dict[str, Any] = merged(kept, child)
    known = _standing(result)
    _drop_jobs(result, child, known)
    _drop_meets(result, child, known)
    return result


def _standing(data: dict[str, Any]) -> set[str]:
    """Collect the names of what stands on the map: object ids and types, sites, places."""
    town = data["town"]
    rows = town.get("rows")
    text = "".join(row for row in rows if isinstance(row, str)) if isinstance(rows, list) else rows
    names: set[str] = set()
    legend = town.get("legend")
    if isinstance(text, str) and isinstance(legend, dict):
        present = set(text)
        for character, entry in legend.items():
            if character in present and isinstance(entry, dict):
                names |= {entry[key] for key in ("object", "site", "place") if isinstance(entry.get(key), str)}
    for entries in (town.get("objects"), data.get("objects")):
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                names |= {entry[key] for key in ("id", "type") if isinstance(entry.get(key), str)}
    return names


def _drop_jobs(result: dict[str, Any], child: dict[str, Any], known: set[str]) -> None:
    """Remove inherited jobs whose site was a name on the old map."""
    jobs, own = result.get("jobs"), child.get("jobs")
    if isinstance(jobs, dict):
        result["jobs"] = {
            name: job
            for name, job in jobs.items()
            if (isinstance(own, dict) and name in own)
            or not (isinstance(job, dict) and isinstance(job.get("site"), str) and job["site"] not in known)
        }


def _drop_meets(result: dict[str, Any], child: dict[str, Any], known: set[str]) -> None:
    """Remove inherited perturbations at a place or object of the old map."""
    section, own = result.get("perturbations"), child.get("perturbations")
    specs = section.get("specs") if isinstance(section, dict) else None
    if not isinstance(section, dict) or not isinstance(specs, dict):
        return
    mine = own.get("specs") if isinstance(own, dict) else None
    kept = {}
    for name, spec in specs.items():
        lost = isinstance(spec, dict) and any(
            isinstance(spec.get(key), str) and spec[key] not in known for key in ("at", "object")
        )
        if not lost or (isinstance(mine, dict) and name in mine):
            kept[name] = spec
    result["perturbations"] = {**section, "specs": kept}


def override(data: dict[str, Any], text: str) -> Path:
    """Apply `a.b=value` in place and return the path; impossible ones raise `ProblemError`."""
    name, equals, value_text = text.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(part and part == part.strip() for part in parts):
        raise ProblemError(
            ("--set",), f"{shown(text)} is not an override; write it as key.sub=value, e.g. chat.base=0.5"
        )
    if parts == ["base"]:
        raise ProblemError(("base",), "cannot be overridden, because it is read first; write a file with another base")
    try:
        value = parse(value_text)
    except UnreadableError as error:
        raise ProblemError(tuple(parts), f"the value {shown(value_text)} of the override {error.text}") from None
    path: Path = ()
    place: Any = data
    for part in parts[:-1]:
        key = _step(place, part, path)
        if isinstance(place, dict):
            inner = place.get(key)
            place[key] = dict(inner) if isinstance(inner, dict) else list(inner) if isinstance(inner, list) else inner
            if inner is None:
                place[key] = {}
        else:
            inner = place[key]
            place[key] = dict(inner) if isinstance(inner, dict) else list(inner) if isinstance(inner, list) else inner
        place, path = place[key], (*path, key)
    key = _step(place, parts[-1], path)
    place[key] = value
    return (*path, key)


def _step(place: Any, part: str, path: Path) -> Any:
    """Return the key or index that a part of an override names."""
    if isinstance(place, dict):
        return part
    if not isinstance(place, list):
        raise ProblemError(path, f"is {shown(place)}, so '.{part}' cannot be set below it; override the value itself")
    names = [str(entry.get("name", entry.get("id", ""))) if isinstance(entry, dict) else "" for entry in place]
    if part in names:
        return names.index(part)
    if part.isascii() and part.isdigit() and len(part) < 6 and int(part) < len(place):
        return int(part)
    known: Sequence[str] = [name for name in names if name]
    raise ProblemError(
        path,
        f"has no entry {shown(part)}{nearest(part, known)}; use an index below {len(place)} or the name of one",
    )
