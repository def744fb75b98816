"""Random intents, legal and illegal, that make things happen; random operator pokes between chunks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NEVER, NOBODY, Kind
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState

FREE_WEIGHTS = (0.03, 0.3, 0.13, 0.02, 0.27, 0.03, 0.06, 0.03, 0.12, 0.01)  # by Kind, and one that does not exist
HOLDER_WEIGHTS = (0.05, 0.08, 0.08, 0.4, 0.25, 0.04, 0.02, 0.03, 0.05, 0.0)  # of an idle holder
BUSY_WEIGHTS = (0.6, 0.1, 0.04, 0.02, 0.03, 0.05, 0.02, 0.02, 0.11, 0.01)
FLAT_SHARE = 0.4
STRAY_SHARE = 0.06  # indices drawn from a range that is too wide
ERRAND_TICKS = 40  # agents walk toward one object for so long
Leaves = dict[str, np.ndarray[Any, Any]]


def pick(key: jax.Array, weights: jax.Array) -> jax.Array:
    """Return one index per row, drawn in proportion to the weights; rows without weight give 0."""
    return jax.random.categorical(key, jnp.log(weights + 1e-30), axis=-1).astype(jnp.int32)


def strayed(key: jax.Array, values: jax.Array, size: int) -> jax.Array:
    """Replace a few indices by ones that may be out of range."""
    which, what = jax.random.split(key)
    wide = jax.random.randint(what, values.shape, -2, size + 2)
    return jnp.where(jax.random.uniform(which, values.shape) < STRAY_SHARE, wide, values).astype(jnp.int32)


def random_intents(params: Params, state: TownState, key: jax.Array) -> Intents:
    """Return random intents of one town, biased toward what is near and what is held."""
    num_agents = state.roster.alive.shape[0]
    num_objects = params.world.object_type.shape[0]
    num_affordances = params.affordances.object_type.shape[0]
    keys = jax.random.split(key, 16)
    errand = (jnp.arange(num_agents) * 7 + state.clock.tick // ERRAND_TICKS * 5) % num_objects
    position = state.roster.position
    apart = jnp.abs(position[:, None, :] - params.world.tile[None]).max(-1)
    near = (apart <= params.world.interaction_range).astype(jnp.float32) + 0.02
    engaged = jnp.maximum(state.queues.holding, state.queues.waiting)
    mine = (jnp.arange(num_objects)[None] == engaged[:, None]).astype(jnp.float32) * 12.0
    target_object = pick(keys[0], near + mine)
    fitting = params.affordances.object_type[None] == params.world.object_type[target_object][:, None]
    affordance = pick(keys[1], fitting.astype(jnp.float32) + 0.04)
    agents_apart = jnp.abs(position[:, None] - position[None]).max(-1)
    others = (agents_apart <= params.chat.range) & state.roster.alive[None] & ~jnp.eye(num_agents, dtype=bool)
    route = params.routes.direction[errand, position[:, 1], position[:, 0]].astype(jnp.int32)
    random_step = jax.random.randint(keys[2], (num_agents,), 0, 4)
    follow = (route >= 0) & (jax.random.uniform(keys[3], (num_agents,)) < 0.8)
    direction = jnp.where(follow, route, random_step).astype(jnp.int32)
    flat_use = 5 + affordance
    flat_kinds = jnp.stack(
        [jnp.zeros(num_agents, jnp.int32), 1 + direction, flat_use, jnp.full(num_agents, 5 + num_affordances),
         jnp.full(num_agents, 6 + num_affordances)], axis=-1,
    )  # fmt: skip
    flat_choice = pick(keys[4], jnp.tile(jnp.asarray([0.05, 0.5, 0.25, 0.05, 0.15]), (num_agents, 1)))
    flat = strayed(keys[5], jnp.take_along_axis(flat_kinds, flat_choice[:, None], axis=1)[:, 0], 9 + num_affordances)
    uses_flat = jax.random.uniform(keys[6], (num_agents,)) < FLAT_SHARE
    quality = jax.random.uniform(keys[7], (num_agents,), minval=-1.0, maxval=1.3)
    idle_holder = (state.queues.holding != NOBODY)[:, None]
    busy = (state.activities.affordance != NOBODY)[:, None]
    kind_weights = jnp.where(idle_holder, jnp.asarray(HOLDER_WEIGHTS), jnp.asarray(FREE_WEIGHTS))
    kind_weights = jnp.where(busy, jnp.asarray(BUSY_WEIGHTS), kind_weights)
    return Intents(
        flat=jnp.where(uses_flat, flat, NOBODY),
        kind=strayed(keys[8], pick(keys[9], kind_weights), len(Kind)),
        direction=strayed(keys[10], direction, 4),
        object=strayed(keys[11], target_object, num_objects),
        affordance=strayed(keys[12], affordance, num_affordances),
        target=strayed(keys[13], pick(keys[14], others.astype(jnp.float32) + 0.02), num_agents),
        success=jax.random.uniform(keys[15], (num_agents,)) < 0.5,
        quality=quality,
        avoided=(quality * 100 % 3).astype(jnp.int32),
        option=jnp.zeros(num_agents, jnp.int32),
        switched=quality * 10 % 1 < 0.2,
    )


def poke(generator: np.random.Generator, leaves: Leaves) -> None:
    """Edit a batch of towns in place as operators do between ticks."""
    towns, agents = leaves["roster.alive"].shape

    def some(share: float, *axes: int) -> np.ndarray[Any, Any]:
        return generator.random((towns, *axes)) < share

    living = leaves["roster.alive"]
    ticks = leaves["clock.tick"]
    condemned = some(0.05, agents) & living
    leaves["lifecycle.condemned"][condemned] = generator.integers(1, 3, condemned.sum())
    leaves["exits.approved"] |= some(0.05, agents) & living
    asked = some(0.06, agents) & living
    back = generator.integers(0, 30, (towns, agents))
    leaves["exits.asked_tick"][asked] = np.maximum(ticks[:, None] - back, 0)[asked]
    leaves["controls.possessed"] ^= some(0.1, agents)
    needy = some(0.2, agents) & living
    leaves["needs.level"][needy] = generator.random((needy.sum(), 3)).astype(np.float32)
    for name, low in (("trust", -1.0), ("familiarity", -1.0), ("rivalry", 0.0)):
        change = some(0.1, agents, agents) & living[:, None] & living[:, :, None] & ~np.eye(agents, dtype=bool)
        values = generator.uniform(low, 1.0, change.sum()).astype(np.float32)
        leaves[f"ties.{name}"][change] = values
    stocked = some(0.2, *leaves["economy.stock"].shape[1:])
    leaves["economy.stock"][stocked] = generator.integers(0, 9, stocked.sum())
    paid = some(0.2, agents) & living
    leaves["economy.wallet"][paid] = generator.uniform(0, 4, paid.sum())
    repriced = some(0.1, leaves["controls.price"].shape[1])
    leaves["controls.price"][repriced] = generator.uniform(0, 2, repriced.sum())
    queue_events(generator, leaves)


def queue_events(generator: np.random.Generator, leaves: Leaves) -> None:
    """Queue operator starts, some of them with members, an object, a length or a size of their own."""
    towns, specs = leaves["perturbations.until_tick"].shape
    agents, objects = leaves["roster.alive"].shape[1], leaves["economy.stock"].shape[1]
    for town in range(towns):
        for v in range(specs):
            if generator.random() > 0.15 or leaves["perturbations.until_tick"][town, v] != NEVER:
                continue
            leaves["perturbations.queued_tick"][town, v] = leaves["clock.tick"][town] + 1
            if generator.random() < 0.5:
                leaves["perturbations.queued_ticks"][town, v] = generator.integers(0, 12)
                leaves["perturbations.queued_magnitude"][town, v] = generator.uniform(0.2, 3)
            if generator.random() < 0.5:
                leaves["perturbations.object"][town, v] = generator.integers(0, objects)
                invited = (generator.random(agents) < 0.4) & leaves["roster.alive"][town]
                leaves["perturbations.member"][town, v] = invited
