"""The last words on an intent: blending of two policies, keeping away from rivals, possession (MECHANICS 5.6).

The order is that of the functions below; a later one overrides an earlier one.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import actions, arrays, legality, rng
from townlet_jax.core.actions import FLAT_USE, FLAT_WAIT, Intents
from townlet_jax.core.enums import NOBODY, Avoidance, Kind, Stream
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState

POLICY_COLUMNS = 2  # of the POLICY draw
_BLEND = 1  # its column for the blend


def blend(
    state: TownState, *, ratio: Float[Array, ""], provider: Int[Array, "A"], scripted: Int[Array, "A"]
) -> Int[Array, "A"]:
    """Return the provider's action where the tick's draw is below `ratio`, else the scripted one (training only)."""
    key = rng.stream(state.key, state.clock.tick + 1, Stream.POLICY)
    draw = rng.uniform_column(key, provider.shape[0], POLICY_COLUMNS, _BLEND)
    return jnp.where(draw < ratio, provider, scripted)


def queue_of_rivals(state: TownState, look: legality.Outlook, target: Int[Array, "A"]) -> Bool[Array, "A"]:
    """Tell whether an avoided agent holds or waits for an object (NOBODY: no) that the agent does not hold itself."""
    there = (look.engaged[None, :] == target[:, None]) & (target != NOBODY)[:, None]
    return jnp.any(there & look.avoids, axis=-1) & (state.queues.holding != target)


def guard(params: Params, state: TownState, look: legality.Outlook, intents: Intents) -> Intents:
    """Turn chats with avoided agents, and requests for objects they use, into waiting; note it in `avoided`."""
    num_affordances = params.affordances.duration.shape[0]
    is_flat = intents.flat != NOBODY
    use = (intents.flat >= FLAT_USE) & (intents.flat < FLAT_USE + num_affordances)
    decoded = legality.best_object(params, state, look, jnp.where(use, intents.flat - FLAT_USE, NOBODY))
    asks = (intents.kind == Kind.REQUEST) | (intents.kind == Kind.START) | (intents.kind == Kind.USE)
    target = jnp.where(is_flat, decoded, jnp.where(asks, intents.object, NOBODY))
    listener = jnp.where(~is_flat & (intents.kind == Kind.CHAT), intents.target, NOBODY)
    slots = arrays.indices(listener)
    rival_listens = jnp.any(look.avoids & (slots[None, :] == listener[:, None]), axis=-1)
    avoided = jnp.where(
        rival_listens,
        Avoidance.CHAT_RIVAL,
        jnp.where(queue_of_rivals(state, look, target), Avoidance.QUEUE_RIVAL, Avoidance.NONE),
    )
    held_back = avoided != Avoidance.NONE
    return intents.replace(
        flat=jnp.where(held_back & is_flat, FLAT_WAIT, intents.flat),
        kind=jnp.where(held_back, Kind.WAIT, intents.kind),
        avoided=jnp.where(held_back, avoided, intents.avoided),
    )


def hold_possessed(possessed: Bool[Array, "A"], intents: Intents) -> Intents:
    """Let possessed agents wait, whatever their policy wanted."""
    return obey(possessed, intents, orders=actions.waiting(possessed.shape[0]))


def obey(possessed: Bool[Array, "A"], intents: Intents, *, orders: Intents) -> Intents:
    """Give possessed agents the operator's next intents; a row that waits where nothing is queued."""
    obeyed: Intents = jax.tree.map(lambda order, own: jnp.where(possessed, order, own), orders, intents)
    return obeyed
