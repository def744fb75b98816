"""The uniform random policy over legal flat actions (MECHANICS 1.6, 5.3)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, legality, rng
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import Stream
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.policy.guardrail import POLICY_COLUMNS
from townlet_jax.policy.interface import Policy, flat_intents, nothing_before

_ACTION = 0  # column of the POLICY draw


def uniform() -> Policy:
    """Return the policy that draws every legal action with the same probability; it needs nothing `given`."""

    def act(params: Params, state: TownState, memory: Int[Array, "A"], given: None) -> tuple[Intents, Int[Array, "A"]]:
        del given
        legal = legality.mask(params, state, legality.outlook(params, state))
        key = rng.stream(state.key, state.clock.tick + 1, Stream.POLICY)
        unit = rng.uniform_column(key, legal.shape[0], POLICY_COLUMNS, _ACTION)
        return flat_intents(state, previous=memory, action=pick(legal, unit))

    return Policy(nothing_before, act)


def pick(legal: Bool[Array, "A X"], unit: Float[Array, "A"]) -> Int[Array, "A"]:
    """Return the action at a draw in [0, 1): by inverse CDF over the legal ones, all alike, in index order."""
    size = arrays.count(legal)
    place = jnp.minimum(jnp.floor(unit * size.astype(jnp.float32)).astype(jnp.int32), size - 1)
    up_to = jnp.tril(jnp.ones((legal.shape[1], legal.shape[1]), bool))
    reached = arrays.count(legal[:, None, :] & up_to)
    return arrays.first_true(reached > place[:, None])
