"""A tree of any arrays as one stretch of bytes, and back.

Owns what may be saved and how it lies in the data: leaf after leaf, each at a multiple of 64 bytes, little-endian, in
the order of C. A path is the names and numbers on the way to a leaf, so names that hold dots do not collide.
"""

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from townlet_jax.snapshots import processes
from townlet_jax.snapshots.errors import FlawError, SaveError, shown
from townlet_jax.snapshots.manifest import Leaf, LeafPath, digest

ALIGNMENT = 64  # bytes
HASHING = 4  # threads; more would only wait for the memory
SCALARS = {bool: np.bool_, int: np.int64, float: np.float64}
Data = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A leaf as it is kept: the raw array and what it means (`Leaf.kind`)."""

    kind: str
    array: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A tree on the host, independent of the arrays it was made of."""

    leaves: tuple[Leaf, ...]
    data: Data


def path_name(path: LeafPath) -> str:
    """Write a path for people, `policy/dense/kernel`; a part that holds a slash is quoted."""
    parts = [f"'{shown(part)}'" if "/" in str(part) else shown(part) for part in path]
    return "/".join(parts) or "the root"


def flat(tree: Any) -> list[tuple[LeafPath, Any]]:
    """Return the leaves of a tree with their paths; raises `ValueError` for keys that are no text or whole number."""
    return [(_path(keys), leaf) for keys, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]


def _path(keys: Sequence[Any]) -> LeafPath:
    parts: list[Any] = []
    for key in keys:
        match key:
            case jax.tree_util.GetAttrKey():
                parts.append(key.name)
            case jax.tree_util.SequenceKey():
                parts.append(key.idx)
            case _:
                parts.append(key.key)
        if type(parts[-1]) not in (str, int):
            raise ValueError(f"the key {shown(str(key))} is neither text nor a whole number")
    return tuple(parts)


def is_key(leaf: Any) -> bool:
    """Say whether something is, or describes, typed random keys."""
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def key_kind(keys: jax.Array) -> str:
    """Return the kind of typed keys, which names their cipher."""
    return f"key:{jax.random.key_impl(keys)}"


def pack(tree: Any, step: int) -> Packed:
    """Copy a tree into host memory; raises `SaveError` for what cannot be kept whole.

    In a run of several processes each of them must call it, and each gets the whole tree.
    """
    try:
        named = flat(tree)
        stored = _stored(named)
    except ValueError as error:
        raise SaveError(f"Snapshot {step} was not saved, because {error}.", step) from None
    leaves, size = [], 0
    for (path, _), one in zip(named, stored, strict=True):
        array = one.array
        leaves.append(Leaf(path=path, kind=one.kind, dtype=array.dtype.name, shape=array.shape, offset=size))
        size += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    data = np.zeros(max(size, ALIGNMENT), np.uint8)
    for leaf, one in zip(leaves, stored, strict=True):
        _view(data, leaf)[...] = one.array
    return Packed(leaves=tuple(leaves), data=data)


def _stored(named: Sequence[tuple[LeafPath, Any]]) -> list[Stored]:
    """Bring every leaf to the host; all devices send at once."""
    raw = [_raw(path, leaf) for path, leaf in named]
    fetched = iter(processes.fetched([array for _, array in raw if isinstance(array, jax.Array)]))
    return [Stored(kind=kind, array=next(fetched) if isinstance(array, jax.Array) else array) for kind, array in raw]


def _raw(path: LeafPath, leaf: Any) -> tuple[str, Any]:
    """Return the kind of a leaf and the array that holds it; raises `ValueError` if there is none."""
    if type(leaf) in SCALARS:
        try:
            return type(leaf).__name__, np.asarray(leaf, SCALARS[type(leaf)])
        except OverflowError:
            raise ValueError(f"{path_name(path)} is a whole number of more than 64 bits") from None
    if isinstance(leaf, jax.Array):
        if leaf.is_deleted():
            raise ValueError(f"{path_name(path)} was donated to a computation and is gone")
        return (key_kind(leaf), jax.random.key_data(leaf)) if is_key(leaf) else ("array", leaf)
    if not isinstance(leaf, np.ndarray | np.generic):
        raise ValueError(f"{path_name(path)} is a {type(leaf).__name__}, but only arrays and numbers can be saved")
    if not (jnp.issubdtype(leaf.dtype, jnp.number) or leaf.dtype == np.bool_):
        raise ValueError(f"{path_name(path)} is an array of {leaf.dtype}, but only numbers and flags can be saved")
    return "array", np.asarray(leaf)


def _view(data: Data, leaf: Leaf) -> npt.NDArray[Any]:
    """Return the part of the data that is a leaf, in its type and shape."""
    return data[leaf.offset : leaf.offset + leaf.nbytes].view(leaf.dtype).reshape(leaf.shape)


def hashes(packed: Packed) -> list[str]:
    """Return the SHA-256 of every leaf, worked out on several threads: hashing lets other threads run."""
    with ThreadPoolExecutor(HASHING, thread_name_prefix="hashing") as threads:
        return list(threads.map(functools.partial(_hash, packed.data), packed.leaves))


def _hash(data: Data, leaf: Leaf) -> str:
    return digest(data[leaf.offset : leaf.offset + leaf.nbytes].data)


def unpack(data: Data, leaves: Sequence[Leaf], expected: Sequence[str]) -> dict[LeafPath, Stored]:
    """Return the leaves that lie in the data; raises `FlawError` for the first that has another hash."""
    for leaf, wanted in zip(leaves, expected, strict=True):
        if _hash(data, leaf) != wanted:
            raise FlawError("state", f"{path_name(leaf.path)} does not have the hash that the manifest holds")
    return {leaf.path: Stored(kind=leaf.kind, array=_view(data, leaf)) for leaf in leaves}
