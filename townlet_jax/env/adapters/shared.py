"""What all adapters need: names of slots, keys from seeds, the spaces of one agent. Knows no foreign library."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
from jaxtyping import Array, Key

from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.env.records import Environment
from townlet_jax.env.spaces import Space, declare_spaces

_SEEDS = 2**32
_SHOWN = ("features", "map", "path")  # fields of `Observation` that an agent sees


def missing(library: str, extra: str) -> ImportError:
    """Return the error for an adapter whose library is not installed."""
    return ImportError(f"This adapter needs {library}, which cannot be imported: pip install 'townlet_jax[{extra}]'.")


def slot_names(spec: Spec, agents: Sequence[str]) -> tuple[str, ...]:
    """Return one name a slot: the given ones in order, `slot_6` and so on for the rest."""
    names = (*agents, *(f"slot_{slot}" for slot in range(len(agents), spec.num_agents)))
    if len(names) != spec.num_agents or len(set(names)) != len(names):
        raise ValueError(
            f"{len(agents)} agents are named ({', '.join(agents)}), but the town has {spec.num_agents} slots; "
            "give at most that many names, each once."
        )
    return names


def town_key(seed: int, town: int = 0) -> Key[Array, ""]:
    """Return the key that `BatchEnv.reset` gives a town for a seed; raises `ValueError` for a seed of over 32 bits."""
    return jax.random.fold_in(jax.random.key(checked_seed(seed), impl="threefry2x32"), town)


def checked_seed(seed: int) -> int:
    """Return the seed as an int; raises `ValueError` where `jax.random.key` would drop bits of it."""
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"The seed is {seed}, but must be 0 to {_SEEDS - 1}.")
    return int(seed)


def agent_spaces(env: Environment, params: Params) -> tuple[Mapping[str, Space], int]:
    """Return what one agent sees, by field of `Observation`, and how many actions it has; `path` if there is one."""
    declared = declare_spaces(env, params)
    seen = {}
    for name in _SHOWN:
        space = declared.observation[name]
        if name != "path":
            space = dataclasses.replace(space, shape=space.shape[1:])
        if space.shape[0]:
            seen[name] = space
    return seen, int(declared.action.high) + 1
