"""Who and what an agent means when it only says "use k" or "chat" (MECHANICS 1.1, 5.2)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, personality
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.state import Activities, Queues, Roster, Ties


def chebyshev(p: Int[Array, "*#n 2"], q: Int[Array, "*#n 2"]) -> Int[Array, "*#n"]:
    """Return the Chebyshev distance in tiles."""
    return arrays.settled(jnp.maximum(jnp.abs(p[..., 0] - q[..., 0]), jnp.abs(p[..., 1] - q[..., 1])))


def pairwise(position: Int[Array, "A 2"]) -> Int[Array, "A A"]:
    """Return the Chebyshev distance of every pair of slots."""
    x, y = arrays.settled((position[:, 0], position[:, 1]))
    return jnp.maximum(jnp.abs(x[:, None] - x[None, :]), jnp.abs(y[:, None] - y[None, :]))


def busy(activities: Activities) -> Bool[Array, "A"]:
    """Tell who runs an affordance."""
    return activities.affordance != NOBODY


def asleep(params: Params, activities: Activities) -> Bool[Array, "A"]:
    """Tell who runs an affordance with `is_sleep`."""
    return arrays.take(params.affordances.is_sleep, activities.affordance, False)


def avoids(params: Params, profile: Int[Array, "A"], rivalry: Float[Array, "A A"]) -> Bool[Array, "A A"]:
    """Tell for each ordered pair whether row avoids column."""
    level = personality.avoid_level(params.personality, params.conflict.avoid_threshold, profile)
    return arrays.at_least(rivalry, level[:, None]) & (rivalry > 0)


def avoids_one(params: Params, profile: Int[Array, "A"], rivalry: Float[Array, "A"]) -> Bool[Array, "A"]:
    """Tell whether each agent avoids the one it feels this rivalry for."""
    level = personality.avoid_level(params.personality, params.conflict.avoid_threshold, profile)
    return arrays.at_least(rivalry, level) & (rivalry > 0)


def reachable(params: Params, position: Int[Array, "A 2"]) -> Int[Array, "A R"]:
    """Return the objects within interaction range, ascending, NOBODY padded."""
    return params.world.reachable[position[:, 1], position[:, 0]].astype(jnp.int32)


def best_object(
    params: Params,
    queues: Queues,
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    affordance: Int[Array, "A"],
    now: Int[Array, ""],
) -> Int[Array, "A"]:
    """Return o* for (a, affordance[a]) when applied at tick `now`, NOBODY if there is none.

    Smallest (not held, not waited in, not free, queue length, distance, index) among the present, open objects
    of the right type in range whose cooldown is over (or that the agent is engaged with).
    """
    near = reachable(params, position)
    kind = arrays.take(params.affordances.object_type, affordance, NOBODY)
    wanted = jnp.where(kind == NOBODY, NOBODY - 1, kind)[:, None]
    keys, open_type, ready = object_keys(params, queues, position, closed, near, now)
    choice = arrays.first_min(keys, ready & (open_type == wanted))
    chosen = jnp.take_along_axis(near, jnp.maximum(choice, 0)[:, None], axis=1)[:, 0]
    return jnp.where(choice == NOBODY, NOBODY, chosen)


def object_keys(
    params: Params,
    queues: Queues,
    position: Int[Array, "A 2"],
    closed: Bool[Array, "O"],
    near: Int[Array, "A R"],
    now: Int[Array, ""],
) -> tuple[Int[Array, "A R"], Int[Array, "A R"], Bool[Array, "A R"]]:
    """Rank the objects in reach: key (smaller is better), type of the open ones (else NOBODY), no cooldown."""
    num_agents, num_objects = queues.waiting.shape[0], closed.shape[0]
    engaged = crowd(queues, num_objects)
    slot = jnp.arange(num_agents, dtype=jnp.int32)[:, None]
    target = jnp.clip(near, 0, num_objects - 1)
    held = near == queues.holding[:, None]
    waited = near == queues.waiting[:, None]
    length = engaged[target]
    distance = chebyshev(position[:, None, :], params.world.tile[target])
    near_grid = max(params.world.blocked.shape)
    key = jnp.where(length == 0, 0, 1)
    key = key + jnp.where(waited, 0, 2) + jnp.where(held, 0, 4)
    key = (key * (num_agents + 1) + length) * near_grid + jnp.minimum(distance, near_grid - 1)
    ready = held | waited | (now >= queues.cooldown_until[target, slot])
    open_type = jnp.where(params.world.present & ~closed, params.world.object_type, NOBODY)
    return key, jnp.where(near == NOBODY, NOBODY, open_type[target]), ready


def crowd(queues: Queues, num_objects: int) -> Int[Array, "O"]:
    """Return how many agents hold or wait for each object."""
    engaged = jnp.where(queues.holding != NOBODY, queues.holding, queues.waiting)
    return jnp.zeros(num_objects, jnp.int32).at[arrays.drop_unless(engaged != NOBODY, engaged)].add(1, mode="drop")


def best_partner(params: Params, roster: Roster, ties: Ties, activities: Activities) -> Int[Array, "A"]:
    """Return b*: the liked-best agent in chat range that is awake and not avoided; ties to the lowest slot."""
    others = roster.alive & ~asleep(params, activities)
    slots = arrays.indices(roster.alive)
    possible = (
        others[None, :]
        & (slots[None, :] != slots[:, None])
        & (pairwise(roster.position) <= params.chat.range)
        & ~avoids(params, roster.profile, ties.rivalry)
    )
    return arrays.first_max(ties.trust + ties.familiarity - ties.rivalry, possible)
