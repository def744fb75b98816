"""The environment as PettingZoo, Gymnasium and JaxMARL expect it. An adapter is imported when it is asked for."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from townlet_jax.env.adapters.marl import JaxMARLTown
    from townlet_jax.env.adapters.parallel import ParallelTown
    from townlet_jax.env.adapters.vector import TownVectorEnv

__all__ = ["JaxMARLTown", "ParallelTown", "TownVectorEnv"]
_MODULES = {"JaxMARLTown": "marl", "ParallelTown": "parallel", "TownVectorEnv": "vector"}


def __getattr__(name: str) -> Any:
    """Import an adapter, and its library with it, on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
