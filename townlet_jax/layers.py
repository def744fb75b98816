"""What stands around a policy, in a snapshot and here: analysers, an operator's orders, or neither.

Towns that were saved with other things around their policy can still be gone on with: what both have is taken over,
what is new begins, and what nobody here knows is left. A layer is known by the names of its fields.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from townlet_jax.policy.interface import Wrapping

INNER = "inner"
Layers = Sequence[Sequence[str]]  # the own fields of each layer, the outermost first
Path = tuple[Any, ...]


def layers_of(memory: Any) -> list[list[str]]:
    """Return the layers around the memory of a policy."""
    found = []
    while isinstance(memory, Wrapping):
        names = [field.name for field in dataclasses.fields(memory)]  # type: ignore[arg-type]  # every Pytree is one
        found.append(sorted(name for name in names if name != INNER))
        memory = memory.inner
    return found


def wanted(memory: Any, saved: Layers) -> Any:
    """Return what to ask a snapshot for, so that `adapted` can make a memory like this one; maps by name."""
    tree: dict[Any, Any] = {}
    for path, leaf in _leaves(memory):
        there = _path_there(path, layers_of(memory), saved)
        if there == ():
            return leaf  # the policy remembers one array, and nothing stood around it
        if there is not None:
            place = tree
            for part in there[:-1]:
                place = place.setdefault(part, {})
            place[there[-1]] = leaf
    return tree


def adapted(fresh: Any, saved: Layers, found: Any) -> Any:
    """Return a memory like the fresh one, with what a snapshot gave for `wanted` in its place."""
    known = dict(_leaves(found))
    leaves = []
    for path, leaf in _leaves(fresh):
        there = _path_there(path, layers_of(fresh), saved)
        leaves.append(leaf if there is None else known[there])
    return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def _leaves(tree: Any) -> list[tuple[Path, Any]]:
    found = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(tuple(_part(key) for key in path), leaf) for path, leaf in found]


def _part(key: Any) -> Any:
    for name in ("name", "key", "idx"):
        if hasattr(key, name):
            return getattr(key, name)
    raise TypeError(f"{key!r} is no part of a path")


def _path_there(path: Path, here: Layers, saved: Layers) -> Path | None:
    """Return where a snapshot has a leaf, None if it has not."""
    depth = 0
    while depth < len(here) and path[depth] == INNER:
        depth += 1
    if depth == len(here):
        return (INNER,) * len(saved) + path[depth:]
    known = [list(layer) for layer in saved]
    own = list(here[depth])
    return (INNER,) * known.index(own) + path[depth:] if own in known else None
