"""Several processes of one run: who writes, and how they stay of one mind. Owns all talk between them.

One process alone never talks, and asking here starts no device.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

STEP_BYTES = 8


def is_alone() -> bool:
    """Say whether this run has one process."""
    return not jax.distributed.is_initialized() or jax.process_count() == 1


def is_primary() -> bool:
    """Say whether this is the process that writes."""
    return is_alone() or jax.process_index() == 0


def same(value: int) -> int:
    """Return the primary's value in every process; from -1 up to 2**63."""
    if is_alone():
        return value
    from jax.experimental import multihost_utils

    spelled = np.frombuffer(value.to_bytes(STEP_BYTES, "little", signed=True), np.uint8)
    told = multihost_utils.broadcast_one_to_all(spelled)
    return int.from_bytes(np.asarray(told, np.uint8).tobytes(), "little", signed=True)


def all_agree(is_good: bool) -> bool:
    """Say whether it is good in every process."""
    if is_alone():
        return is_good
    from jax.experimental import multihost_utils

    return bool(np.all(multihost_utils.process_allgather(np.asarray(is_good))))


def placed(tree: Any, sharding: jax.sharding.Sharding) -> Any:
    """Return a tree on the devices of all processes, each of which has all of it."""
    if is_alone():
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: _spread(leaf, sharding), tree)


def _spread(leaf: Any, sharding: jax.sharding.Sharding) -> jax.Array:
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        moved: jax.Array = jax.device_put(leaf, sharding)
        return moved
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        raw = _spread(jax.random.key_data(leaf), sharding)
        keys: jax.Array = jax.random.wrap_key_data(raw, impl=jax.random.key_impl(leaf))
        return keys
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def fetched(arrays: Sequence[jax.Array]) -> list[npt.NDArray[Any]]:
    """Return arrays on the host, gathered from all processes where they are spread over them."""
    for array in arrays:
        if array.is_fully_addressable:
            array.copy_to_host_async()
    return [_whole(array) for array in arrays]


def _whole(array: jax.Array) -> npt.NDArray[Any]:
    if array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(array, tiled=True))
