"""The shards of a dataset: one `.npy` a town, uncompressed, so that rows are read where they lie.

Owns the form of a row. A shard has the axes ticks, slots; a row is a record of one agent in one tick:

    features, map, mask     what it saw, and what was legal (the mask of the action space that is played)
    action                  what was done; with options the option that was begun
    reward, return_to_go    what came of it, and the discounted sum of this and all later rewards
    terminated, truncated   the individual left, the time limit struck
    valid                   somebody acted; other rows are zeros
    choice                  more than one thing was legal, the choice had a say, and it is among them
    uid                     of the individual
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from townlet_jax.run import RunError
from townlet_jax.snapshots.errors import shown
from train.datasets import Dataset, Sight
from train.tables import CALM

NAME = re.compile(r"town-\d{6}\.npy")
AT_ONCE = 2**24  # bytes
Records = npt.NDArray[Any]  # of rows
Mapped = np.memmap[Any, np.dtype[Any]]  # likewise, in a file


def name_of(town: int) -> str:
    """Return the file of a town."""
    return f"town-{town:06d}.npy"


def row(sight: Sight) -> np.dtype[Any]:
    """Return the form of a row."""
    side = sight.window
    return np.dtype(
        [
            ("features", "<f4", (len(sight.features),)),
            ("reward", "<f4"),
            ("return_to_go", "<f4"),
            ("uid", "<i4"),
            ("action", "<i4"),
            ("map", "u1", (len(sight.channels), side, side)),
            ("mask", "?", (len(sight.choices),)),
            ("terminated", "?"),
            ("truncated", "?"),
            ("valid", "?"),
            ("choice", "?"),
        ]
    )


def made(path: Path, sight: Sight, ticks: int, slots: int) -> Mapped:
    """Make a shard of zeros to be filled; raises `RunError` if there is no room for it."""
    try:
        records: Mapped = npy.open_memmap(path, mode="w+", dtype=row(sight), shape=(ticks, slots))
    except OSError as error:
        raise RunError(f"{shown(path)} cannot be made ({error.strerror}); give another --out.") from error
    return records


def opened(dataset: Dataset, shard: str) -> Mapped:
    """Return a shard without reading its rows; raises `RunError` unless it has the form and the size it must have."""
    path = _located(dataset, shard)
    try:
        with path.open("rb") as file:
            major, _ = npy.read_magic(file)
            read: Callable[..., Any] = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
            shape, by_columns, form = read(file)
            start = file.tell()
    except (OSError, ValueError, SyntaxError, TypeError) as error:
        raise RunError(f"{shown(path)} is no array of a dataset ({type(error).__name__}); {CALM}.") from error
    wanted, size = row(dataset.head.sight), path.stat().st_size
    if form != wanted or by_columns:
        raise RunError(f"{shown(path)} has rows of another form: {_other_field(form, wanted)}; {CALM}.")
    if shape != (dataset.head.ticks, dataset.head.slots):
        said = f"{dataset.head.ticks} ticks of {dataset.head.slots} slots"
        raise RunError(f"{shown(path)} has the shape {shape}, not {said}; {CALM}.")
    declared = start + shape[0] * shape[1] * wanted.itemsize
    if size != declared:
        raise RunError(f"{shown(path)} has {size:,} bytes, but its header speaks of {declared:,}; {CALM}.")
    return np.memmap(path, dtype=wanted, mode="r", offset=start, shape=shape)


def _located(dataset: Dataset, shard: str) -> Path:
    if NAME.fullmatch(shard) is None:
        raise RunError(f"{dataset.name} names the shard {shown(shard)}, but shards are town-NUMBER.npy; {CALM}.")
    path = dataset.path(shard)
    if path.is_symlink() or path.parent.is_symlink():
        raise RunError(f"{shown(path)} is a link, which a dataset may not hold; {CALM}.")
    if not path.is_file():
        raise RunError(f"{shown(path)} is missing; {CALM}.")
    return path


def _other_field(form: np.dtype[Any], wanted: np.dtype[Any]) -> str:
    """Name the first field that is not as it must be."""
    for name in wanted.names or ():
        if name not in (form.names or ()):
            return f"there is no {name}"
        if form[name] != wanted[name]:
            return f"{name} is {form[name]}, not {wanted[name]}"
    return "the order or the number of fields"


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def returns_to_go(records: Records, *, discount: float, tail: float) -> npt.NDArray[np.float64]:
    """Return `G_t = reward_t + discount G_{t+1}` of every row, 0 where nobody acted.

    After a leave nothing follows. After a time limit, or the last tick of the recording, `tail` stands for the rest.
    """
    ends, last = cuts(records)
    rewards = np.where(records["valid"], records["reward"], 0.0).astype(np.float64)
    found = np.zeros(records.shape, np.float64)
    after = np.full(records.shape[1], tail)
    for tick in reversed(range(records.shape[0])):
        rest = np.where(ends[tick], 0.0, np.where(last[tick], tail, after))
        found[tick] = np.where(records["valid"][tick], rewards[tick] + discount * rest, 0.0)
        after = found[tick]
    return found


def cuts(records: Records) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell after which rows an individual is gone, and which rows are the last of an episode."""
    valid, uid = np.asarray(records["valid"]), np.asarray(records["uid"])
    goes_on = np.zeros_like(valid)
    goes_on[:-1] = valid[:-1] & valid[1:] & (uid[:-1] == uid[1:])
    ends = valid & records["terminated"]
    last = valid & (records["terminated"] | records["truncated"] | ~goes_on)
    return ends, last


def spans(records: Records) -> list[tuple[int, int, int]]:
    """Return slot, first row and length of every episode, slot by slot."""
    _, last = cuts(records)
    found = []
    for slot in range(records.shape[1]):
        valid = np.asarray(records["valid"][:, slot])
        first: int | None = None
        for tick in range(records.shape[0]):
            if valid[tick] and first is None:
                first = tick
            if first is not None and last[tick, slot]:
                found.append((slot, first, tick + 1 - first))
                first = None
    return found


def taken(shards: Sequence[Records], which: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Records:
    """Return rows of several shards in the order they are asked for; `rows` counts through ticks and slots."""
    found = np.empty(rows.shape, shards[0].dtype)
    order = np.lexsort((rows, which))
    places, starts = np.unique(which[order], return_index=True)
    for place, part in zip(places, np.split(order, starts[1:]), strict=True):
        found[part] = shards[place].reshape(-1)[rows[part]]
    return found
