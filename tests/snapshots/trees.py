"""Trees to save, and ways to hold two of them against each other without any code of the store."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.core.struct import Pytree
from townlet_jax.snapshots import Identity

IDENTITY = Identity(
    config_id="default",
    config_hash="0" * 63 + "1",
    spec={"num_agents": 24, "object_channels": ("bed", "stove")},
    observation_variant="hybrid",
    action_space="flat",
    policy_hash="f" * 64,
    anneal_ratio=0.25,
)


class Slice(Pytree):
    """A record as the state of a town is made of."""

    level: jax.Array
    alive: jax.Array


def everything(seed: int) -> dict[str, Any]:
    """Return a tree with every kind of leaf there is; another seed gives other values in all of them."""
    draw = np.random.default_rng(seed)
    return {
        "town": Slice(
            level=jnp.asarray(draw.random((64, 32), np.float32)), alive=jnp.asarray(draw.integers(0, 2, 64) == 1)
        ),
        "keys": jax.random.split(jax.random.key(seed), 5),
        "other_cipher": jax.random.key(seed, impl="rbg"),
        "a.b": jnp.asarray(draw.integers(0, 2**31, 3, np.int32)),
        "a": {"b": jnp.asarray(draw.integers(0, 2**32, (2, 2), np.uint32)), "b/c": np.float32(draw.random())},
        "empty": jnp.zeros((0, 7), jnp.float32),
        "scalar": jnp.float32(draw.random()),
        "half": jnp.asarray(draw.random(9), jnp.bfloat16),
        "wide": draw.random(5),
        "count": int(draw.integers(0, 2**62)),
        "ratio": float(draw.random()),
        "flag": bool(seed % 2),
        "pair": (np.int8(seed % 100), [np.asarray([np.nan, -0.0, np.inf, seed], np.float32)]),
        "nothing": None,
    }


def bits(tree: Any) -> list[tuple[str, str, str, bytes]]:
    """Return everything that tells two trees apart: paths, kinds, types with shapes, bits."""
    found = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        kind = "numpy" if isinstance(leaf, np.ndarray | np.generic) else type(leaf).__name__
        if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            kind, leaf = str(leaf.dtype), jax.random.key_data(leaf)
        array = np.asarray(leaf)
        found.append((jax.tree_util.keystr(path), kind, f"{array.dtype}{array.shape}", array.tobytes()))
    return found


def is_sentence(text: str) -> bool:
    """Say whether a text is one sentence on one line."""
    return (
        "\n" not in text
        and text.endswith(".")
        and ". " not in text
        and (text[:1].isupper() or text[:1] == "/")
        and len(text) < 900
    )
