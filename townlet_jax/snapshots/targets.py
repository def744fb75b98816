"""The tree that somebody wants: held against what a snapshot holds, and filled with it.

Owns how leaves are compared and where they are placed. A target is a tree of `ShapeDtypeStruct` (with a sharding, or
for the default device), of arrays that are taken as examples, or of Python numbers. NumPy arrays stay on the host.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from townlet_jax.snapshots.errors import TargetError, listed
from townlet_jax.snapshots.leaves import SCALARS, Stored, flat, is_key, key_kind, path_name
from townlet_jax.snapshots.manifest import Leaf, LeafPath


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a leaf is, wherever it lies."""

    kind: str
    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        if self.kind in ("bool", "int", "float"):
            return f"a Python {self.kind}"
        if self.kind == "array":
            return f"{self.dtype}{list(self.shape)}"
        return f"{self.kind.removeprefix('key:')} keys{list(self.shape[:-1])}"


def like(tree: Any) -> Any:
    """Return the target that restores a tree as it is: same shapes, types, ciphers and shardings."""
    return jax.tree.map(_example, tree)


def _example(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array):
        return leaf
    sharding = leaf.sharding if leaf.committed else None  # what nobody placed may move to other devices
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def form_of_leaf(leaf: Leaf) -> Form:
    """Return the form of a leaf in a manifest."""
    return Form(kind=leaf.kind, dtype=leaf.dtype, shape=leaf.shape)


def form_of_stored(stored: Stored) -> Form:
    """Return the form of a leaf in memory."""
    return Form(kind=stored.kind, dtype=stored.array.dtype.name, shape=stored.array.shape)


def _form_of_target(leaf: Any) -> Form:
    if type(leaf) in SCALARS:
        return Form(kind=type(leaf).__name__, dtype=np.dtype(SCALARS[type(leaf)]).name, shape=())
    if not is_key(leaf):
        return Form(kind="array", dtype=np.dtype(leaf.dtype).name, shape=tuple(leaf.shape))
    kinds = []

    def raw(keys: jax.Array) -> jax.Array:
        kinds.append(key_kind(keys))
        return jax.random.key_data(keys)

    described = jax.eval_shape(raw, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
    return Form(kind=kinds[0], dtype=described.dtype.name, shape=described.shape)


def demand(wanted: Any, held: Mapping[LeafPath, Form], whose: str, *, subset: bool) -> None:
    """Raise `TargetError` unless the target is what is held, or a part of it. `whose` begins the sentence."""
    problems = list(_problems(wanted, held, subset))
    if problems:
        raise TargetError(f"{whose} does not hold the tree that was asked for: {listed(problems, '; ')}.")


def _problems(wanted: Any, held: Mapping[LeafPath, Form], subset: bool) -> Iterator[str]:
    asked = {path: _form_of_target(leaf) for path, leaf in flat(wanted)}
    for path, form in asked.items():
        if path not in held:
            yield f"{path_name(path)} is not in it"
        elif held[path] != form:
            yield f"{path_name(path)} is {held[path]} in it, not {form}"
    if not subset:
        yield from (f"{path_name(path)} is in it, but not in the target" for path in held if path not in asked)
    x64 = jax.config.jax_enable_x64  # type: ignore[attr-defined]  # made at run time
    for path, leaf in flat(wanted):
        wide = asked[path].kind == "array" and not isinstance(leaf, np.ndarray | np.generic)
        if wide and not x64 and jax.dtypes.canonicalize_dtype(leaf.dtype) != leaf.dtype:
            yield f"{path_name(path)} is {asked[path]}, which needs 64-bit jax or a NumPy array as its target"


def filled(wanted: Any, stored: Mapping[LeafPath, Stored]) -> Any:
    """Return the target with the values in the place of its leaves, each on its devices."""
    values = [_placed(stored[path].array, leaf) for path, leaf in flat(wanted)]
    return jax.tree.unflatten(jax.tree.structure(wanted), values)


def _placed(array: npt.NDArray[Any], leaf: Any) -> Any:
    if type(leaf) in SCALARS:
        return array.item()
    own = array.copy()
    if isinstance(leaf, np.generic):
        return own[()]
    if isinstance(leaf, np.ndarray):
        return own
    return _on_devices(own, leaf)


def _on_devices(array: npt.NDArray[Any], leaf: Any) -> jax.Array:
    if not is_key(leaf):
        return _sharded(array, leaf.sharding)
    cipher = _form_of_target(leaf).kind.removeprefix("key:")
    if leaf.sharding is not None and not leaf.sharding.is_fully_addressable:
        spread: jax.Array = jax.random.wrap_key_data(_sharded(array, leaf.sharding), impl=cipher)
        return spread
    keys: jax.Array = jax.random.wrap_key_data(jnp.asarray(array), impl=cipher)
    return keys if leaf.sharding is None else jax.device_put(keys, leaf.sharding)


def _sharded(array: npt.NDArray[Any], sharding: jax.sharding.Sharding | None) -> jax.Array:
    if sharding is None:
        return jnp.asarray(array)
    placed: jax.Array
    if sharding.is_fully_addressable:
        placed = jax.device_put(array, sharding)
    else:
        placed = jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
    return placed
