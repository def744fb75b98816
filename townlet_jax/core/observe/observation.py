"""One observation of a whole town: features, maps, legal actions (MECHANICS 4.6.5, 6)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from townlet_jax.core import legality
from townlet_jax.core.observe import features, maps
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree


class Observation(Pytree):
    """What the agents see at the end of a tick; rows of vacant slots are zero and may only wait.

    `observe.layout(spec)` names features, channels and sizes. Axes without entries (path, option_mask) have size 0.
    """

    features: Float[Array, "A D"]
    map: UInt8[Array, "A channels w w"]  # [channel, y, x], the agent stands in the middle
    path: Float[Array, "axes w w"]  # variant full: unit vectors from the centre, the same for all
    mask: Bool[Array, "A X"]  # flat actions that may succeed in the next tick
    option_mask: Bool[Array, "A options"]  # options that are possible; none with flat actions
    valid: Bool[Array, "A"]  # alive after judge: agents that leave in this tick see it once more


def observe(spec: Spec, params: Params, *, seen: TownState, after: TownState, option: Int[Array, "A"]) -> Observation:
    """Return the observation of a tick, with no columns in `option_mask`: the core knows no options.

    `seen` is the town after judge (`TickOutput.seen`), `after` the town at the end of the tick, which decides what
    is legal next; at a reset and after edits both are the town itself. `option` is the acting option of each slot,
    read with `action_space: options` only.
    """
    around = maps.surroundings(params, seen)
    leaves = seen.roster.alive & ~after.roster.alive
    num_agents = option.shape[0]
    return Observation(
        features=features.features(spec, params, seen, around, resets=seen.roster.reset_flag | leaves, option=option),
        map=maps.maps(spec, params, seen, around),
        path=maps.path(spec),
        mask=legality.mask(params, after, legality.outlook(params, after)),
        option_mask=jnp.zeros((num_agents, 0), bool),
        valid=seen.roster.alive,
    )
