"""Small sessions for tests: two hamlets, a policy that moves by what it remembers, and ears that keep everything."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from core.worlds import hamlet
from jaxtyping import Array, Int

from townlet_jax.core import actions
from townlet_jax.core.actions import Intents
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.plans import Plan
from townlet_jax.policy.interface import Policy
from townlet_jax.session import Session
from townlet_jax.stretch import Stretch

TOWNS, CHUNK, TICKS = 2, 10, 60  # the chunk is that of a paced session, so that it is compiled once
MADNESS = 900.0  # coins from which somebody asks for what cannot be
COMPILATION = "/jax/core/compile/backend_compile_duration"


@functools.cache
def restless() -> Policy:
    """Return a policy that walks about by what it remembers; the very rich ask for what cannot be."""

    def init(params: Params, state: TownState) -> Int[Array, "A"]:
        del params
        return jnp.arange(state.roster.alive.shape[0], dtype=jnp.int32)

    def act(params: Params, state: TownState, memory: Int[Array, "A"], given: None) -> tuple[Intents, Int[Array, "A"]]:
        del params, given
        mad = state.economy.wallet > MADNESS
        return actions.flat(jnp.where(mad, 99, (memory // 3) % 5)), memory * 5 % 101 + 1

    return Policy(init, act)


def plan(**changes: Any) -> Plan:
    """Return what the tests run."""
    return Plan(**({"towns": TOWNS, "ticks": TICKS, "policy": "idle", "seed": 3, "chunk": CHUNK} | changes))


def session(**changes: Any) -> Session:
    """Return a session of two hamlets at tick 0; all of them share their programs."""
    return Session(hamlet(), plan(), **({"policy": restless()} | changes))


class Ears:
    """A listener that keeps everything, and counts across snapshots."""

    def __init__(self) -> None:
        self.heard: list[Stretch] = []
        self.count = 0
        self.closings = 0

    def hear(self, stretch: Stretch) -> None:
        """Keep a stretch."""
        self.heard.append(stretch)
        self.count += 1

    def close(self) -> None:
        """Count the ends."""
        self.closings += 1

    def figures(self) -> Mapping[str, Any]:
        """Return the count."""
        return {"count": self.count}

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on counting."""
        self.count = figures["count"]


def bits(tree: Any) -> list[tuple[str, str, bytes]]:
    """Return everything that tells two trees of arrays apart."""
    found = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        plain = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        array = jax.device_get(plain)
        found.append((jax.tree_util.keystr(path), f"{array.dtype}{array.shape}", array.tobytes()))
    return found
