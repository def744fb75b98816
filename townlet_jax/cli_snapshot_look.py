"""What `townlet snapshot` does without a configuration: list, inspect, verify, export, prune."""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from townlet_jax import files
from townlet_jax.plans import RunError
from townlet_jax.report import printable
from townlet_jax.resuming import demand_towns, newest
from townlet_jax.snapshots import Best, Manifest, MissingError, Store, StoreError
from townlet_jax.snapshots.retention import Keep, removable
from townlet_jax.town_snapshots import ERROR_FILE, FAILURES

DONE, DAMAGED = 0, 2
HASH_SHOWN = 12
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
LARGEST = 5  # leaves that inspect names


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which snapshots `prune` keeps."""

    latest: int
    every: int = 0
    best: str | None = None


def reader(folder: Path) -> Store:
    """Return a store to look into; raises `MissingError` if it holds nothing."""
    store = Store(folder, identity=None, read_only=True)
    if not store.steps() and not captured(folder):
        store.close()
        raise MissingError(f"There are no snapshots in {printable(str(folder))}; give a folder that holds some.")
    return store


def captured(folder: Path) -> list[str]:
    """Return the folders below in which states before a failure were kept."""
    kept = folder / FAILURES
    return sorted(printable(str(path)) for path in kept.iterdir() if path.is_dir()) if kept.is_dir() else []


def show_all(folder: Path, *, as_json: bool) -> int:
    """Print a line for each snapshot; what is damaged is said, not hidden."""
    with reader(folder) as store:
        rows = [_row(store, step) for step in store.steps()]
    kept = captured(folder)
    if as_json:
        print(json.dumps({"folder": printable(str(folder)), "snapshots": rows, "failures": kept}, allow_nan=False))
        return DONE
    table = Table("tick", "towns", "size", "age", "configuration", "ok", box=box.SIMPLE)
    for row in rows:
        table.add_row(
            f"{row['tick']:,}",
            "" if row["towns"] is None else f"{row['towns']:,}",
            "" if row["bytes"] is None else _size(row["bytes"]),
            "" if row["created"] is None else _age(row["created"]),
            f"{row['config']} {row['config_hash'][:HASH_SHOWN]}",
            row["flaw"] or "yes",
        )
    console = Console()
    console.print(table)
    for path in kept:
        console.print(f"before a failure: {path}", markup=False, highlight=False)
    return DONE


def _row(store: Store, step: int) -> dict[str, Any]:
    try:
        about = store.manifest(step)
    except StoreError as error:
        row: dict[str, Any] = dict.fromkeys(("towns", "bytes", "created"))
        return {"tick": step, **row, "config": "", "config_hash": "", "ok": False, "flaw": str(error)}
    identity = about.identity
    return {
        "tick": step,
        "towns": about.meta.get("towns"),
        "bytes": about.size,
        "created": about.created,
        "config": "" if identity is None else printable(identity.config_id),
        "config_hash": "" if identity is None else identity.config_hash,
        "ok": True,
        "flaw": "",
    }


def inspect(folder: Path, step: int | None, *, as_json: bool) -> int:
    """Print what a snapshot says about itself, and what went wrong if it was kept before a failure."""
    with reader(folder) as store:
        about = store.manifest(_chosen(store, step))
    document = {"folder": printable(str(folder)), **_described(about)}
    error = folder / ERROR_FILE
    if error.is_file():
        try:
            document["failure"] = json.loads(error.read_bytes())
        except (OSError, ValueError):
            document["failure"] = "its error file cannot be read"
    if as_json:
        print(json.dumps(document, allow_nan=False))
        return DONE
    console = Console()
    for name, value in document.items():
        if name != "leaves":
            console.print(f"{name}: {_shown(value)}", markup=False, highlight=False, soft_wrap=True)
    largest = sorted(document["leaves"], key=lambda leaf: -leaf["bytes"])[:LARGEST]
    named = ", ".join(f"{leaf['path']} {leaf['dtype']}{leaf['shape']}" for leaf in largest)
    console.print(
        f"leaves: {len(document['leaves'])}, the largest {named}", markup=False, highlight=False, soft_wrap=True
    )
    return DONE


def _described(about: Manifest) -> dict[str, Any]:
    document: dict[str, Any] = about.model_dump(mode="json")
    document["leaves"] = [
        {
            "path": "/".join(map(str, leaf.path)),
            "kind": leaf.kind,
            "dtype": leaf.dtype,
            "shape": list(leaf.shape),
            "bytes": leaf.nbytes,
        }
        for leaf in about.leaves
    ]
    return document


def _shown(value: object) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value))


def verify(folder: Path, step: int | None, *, as_json: bool) -> int:
    """Check the hashes of one snapshot or of all; the exit code says whether they are whole."""
    found: dict[int, str] = {}
    with reader(folder) as store:
        for one in store.steps() if step is None else [step]:
            try:
                store.verify(one)
                found[one] = ""
            except MissingError:
                raise
            except StoreError as error:
                found[one] = str(error)
    if as_json:
        rows = [{"tick": one, "ok": not flaw, "flaw": flaw} for one, flaw in found.items()]
        print(json.dumps({"folder": printable(str(folder)), "snapshots": rows}))
    else:
        for one, flaw in found.items():
            print(flaw or f"Snapshot {one} is whole.")
    return DAMAGED if any(found.values()) else DONE


def prune(folder: Path, rules: Rules, *, dry_run: bool, as_json: bool) -> int:
    """Delete the snapshots that no rule keeps, or say which they would be."""
    if rules.latest < 1 or rules.every < 0:
        raise RunError("--keep-latest must be at least 1 and --keep-every at least 0; give other numbers.")
    with reader(folder) as store:
        metrics = {step: _metrics(store, step) for step in store.steps()}
    if rules.best is not None and not any(rules.best in known for known in metrics.values()):
        raise RunError(f"No snapshot has a figure {printable(rules.best)}; see townlet snapshot inspect.")
    best = None if rules.best is None else Best(rules.best)
    keep = Keep(latest=rules.latest, every=rules.every, best=best)
    old = removable(list(metrics), lambda step: metrics[step], keep)
    if old and not dry_run:
        with Store(folder, identity=None, keep_latest=None) as store:
            for step in old:
                store.delete(step)
    left = [step for step in metrics if step not in old]
    if as_json:
        print(json.dumps({"folder": printable(str(folder)), "deleted": old, "kept": left, "dry_run": dry_run}))
    else:
        done = "would be deleted" if dry_run else "deleted"
        print(f"{len(old)} {done} ({_listed(old)}), {len(left)} kept ({_listed(left)}).")
    return DONE


def _metrics(store: Store, step: int) -> Mapping[str, float]:
    try:
        return store.manifest(step).metrics
    except StoreError:
        return {}


def _listed(steps: list[int]) -> str:
    return ", ".join(map(str, steps)) or "none"


def export(folder: Path, step: int | None, town: int, out: Path, *, as_json: bool) -> int:
    """Write one town, its policy's memory and its totals to a file."""
    if out.suffix not in (".json", ".npz"):
        raise RunError(f"--out {printable(str(out))} must end in .json or .npz; give another name.")
    files.check_target(out)
    with reader(folder) as store:
        content = store.contents(_chosen(store, step))
        about = demand_towns(store, content.manifest)
    towns = int(str(about.meta["towns"]))
    if not 0 <= town < towns:
        raise RunError(f"There is no town {town} in the snapshot; choose one of 0 to {towns - 1}.")
    rows = {path: kept.array[town] for path, kept in content.leaves.items() if path[0] != "params"}
    head = {"tick": about.step, "town": town, "identity": _identity(about), "names": about.meta.get("names")}
    with files.replacing(out) as file:
        file.write(_as_json(head, rows) if out.suffix == ".json" else _as_arrays(head, rows))
    document = {"file": printable(str(out)), "tick": about.step, "town": town, "leaves": len(rows)}
    print(json.dumps(document) if as_json else f"Town {town} at tick {about.step} is in {document['file']}.")
    return DONE


def _identity(about: Manifest) -> Any:
    return None if about.identity is None else about.identity.model_dump(mode="json")


def _as_json(head: Mapping[str, Any], rows: Mapping[Any, Any]) -> bytes:
    document: dict[str, Any] = dict(head)
    for path, row in rows.items():
        place = document
        for part in path[:-1]:
            place = place.setdefault(str(part), {})
        place[str(path[-1])] = _finite(row.tolist())
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    """Return JSON: what is no finite number becomes null."""
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_arrays(head: Mapping[str, Any], rows: Mapping[Any, Any]) -> bytes:
    arrays = {"/".join(map(str, path)): row for path, row in rows.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def _chosen(store: Store, step: int | None) -> int:
    """Return the snapshot that was asked for, or the newest of towns that can be read."""
    return newest(store).step if step is None else step


def _size(amount: int) -> str:
    return f"{amount / 1e6:,.1f} MB" if amount >= 1e5 else f"{amount / 1e3:,.1f} kB"


def _age(created: str) -> str:
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()))
    size, unit = next((size, unit) for size, unit in UNITS if seconds >= size or size == 1)
    return f"{seconds // size} {unit}"
