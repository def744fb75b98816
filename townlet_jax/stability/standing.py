"""How all towns of a session stand: shares and means that leave the device after each chunk."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from townlet_jax.core.struct import Pytree
from townlet_jax.policy import interface
from townlet_jax.stability.analysed import Analysed
from townlet_jax.stability.windows import Result


class Standing(Pytree):
    """Shares of towns, 0 to 1, and the promotion windows they judged last."""

    alerts: Float[Array, "10"]  # in which each alert stands
    any_alert: Float[Array, ""]  # in which any does
    ready: Float[Array, ""]  # that passed enough windows in a row
    passed: Float[Array, ""]  # whose last judged window passed
    failed: Float[Array, ""]  # whose last judged window failed
    evaluated_tick: Int[Array, ""]  # last tick of the newest judged window of all, NEVER before the first
    sums: Float[Array, "5"]  # of the last judged windows, mean over towns


def shares(memory: Any) -> Standing | None:
    """Return how the towns stand from the memory of their policy (leading axis towns), None without analysers."""
    found = interface.within(memory, Analysed)
    return None if found is None else _shares(found)


@jax.jit
def _shares(memory: Analysed) -> Standing:
    alerts, window = memory.stability.alerts, memory.stability.window
    return Standing(
        alerts=jnp.mean(alerts.astype(jnp.float32), axis=0),
        any_alert=_share(jnp.any(alerts, axis=-1)),
        ready=_share(window.is_ready),
        passed=_share(window.last_result == Result.PASS),
        failed=_share(window.last_result == Result.FAIL),
        evaluated_tick=jnp.max(window.last_evaluated_tick),
        sums=jnp.mean(window.last_sums, axis=0),
    )


def _share(towns: Any) -> Any:
    return jnp.mean(towns.astype(jnp.float32))


def restarted(memory: Any, tick: int) -> Any:
    """Return the memory of all towns with streaks reset: the first promotion window begins after a tick.

    Runs between two ticks and compiles nothing.
    """
    return interface.changing(memory, Analysed, lambda known: _restarted(known, tick))


def _restarted(memory: Analysed, tick: int) -> Analysed:
    fresh = {"start": tick + 1, "has_failed": False, "pass_streak": 0, "is_ready": False, "sums": 0}

    def renewed(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        names = [key.name for key in path]
        is_fresh = names[0] == "window" and names[1] in fresh
        return _filled(leaf, fresh[names[1]]) if is_fresh else leaf

    return memory.replace(stability=jax.tree_util.tree_map_with_path(renewed, memory.stability))


def _filled(leaf: jax.Array, value: int) -> jax.Array:
    """Return an array full of one value where another array lies."""
    placed: jax.Array = jax.device_put(np.full(leaf.shape, value, leaf.dtype), leaf.sharding)
    return placed
