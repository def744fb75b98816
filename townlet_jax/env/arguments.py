"""What callers may get wrong: keys and actions. Each refusal is one sentence, raised while tracing."""

import jax.numpy as jnp
from jaxtyping import Array, Int, Key, Shaped

THREEFRY = "fry"  # short name of the key type that the draws of a town are defined on


def checked_key(key: Shaped[Array, "..."]) -> Key[Array, ""]:
    """Return the key of one town; raises `TypeError` for anything but one typed threefry key."""
    kind = str(getattr(key, "dtype", type(key).__name__))
    if kind != f"key<{THREEFRY}>" or key.shape != ():
        raise TypeError(
            f"The key of a town is {kind} of shape {jnp.shape(key)}, but must be one typed threefry key; "
            'pass jax.random.key(seed, impl="threefry2x32").'
        )
    return key


def checked_actions(actions: Shaped[Array, "..."], shape: tuple[int, ...]) -> Int[Array, "*towns A"]:
    """Return the actions; raises `ValueError` for another shape, `TypeError` for another dtype than int32."""
    if jnp.shape(actions) != shape:
        axes = "agents" if len(shape) == 1 else "towns, agents"
        raise ValueError(
            f"Actions have the shape {jnp.shape(actions)}, but must have {shape} ({axes}): give one id for every slot, "
            "also for those that nobody lives in."
        )
    if actions.dtype != jnp.int32:
        raise TypeError(
            f"Actions have the dtype {actions.dtype}, but must be int32 ids; "
            "take argmax of scores or cast with .astype(jnp.int32)."
        )
    return jnp.asarray(actions)
