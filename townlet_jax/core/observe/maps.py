"""The maps around every agent (MECHANICS 6.4). What never changes is looked up by tile, the rest is drawn in.

People and held objects are drawn as bits, one integer a row of the window, and unfolded to tiles at the end.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt8

from townlet_jax.core import arrays
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.observe import layout
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree


class Surroundings(Pytree):
    """Where others and held objects stand, seen from every agent."""

    offset: Int[Array, "A A 2"]  # column's tile minus row's tile (x, y)
    person: Bool[Array, "A"]  # alive: may be seen
    held: Int[Array, "A A 2"]  # tile of the object that column holds minus row's tile
    holds: Bool[Array, "A"]  # the first holder of an object on its tile


@arrays.unit
def surroundings(params: Params, seen: TownState) -> Surroundings:
    """Measure the way from everybody to everybody and to all held objects."""
    position, holding = seen.roster.position, seen.queues.holding
    tile = params.world.tile[jnp.maximum(holding, 0)]
    slots = arrays.indices(holding)
    holds = holding != NOBODY
    twin = jnp.all(tile[:, None] == tile[None, :], axis=-1) & holds[None, :] & (slots[None, :] < slots[:, None])
    return Surroundings(
        offset=position[None, :] - position[:, None],
        person=seen.roster.alive,
        held=tile[None, :] - position[:, None],
        holds=holds & ~jnp.any(twin, axis=-1),
    )


def within(offset: Int[Array, "A A 2"], radius: int) -> Bool[Array, "A A"]:
    """Tell which offsets lie in the window."""
    return (jnp.abs(offset[..., 0]) <= radius) & (jnp.abs(offset[..., 1]) <= radius)


def maps(spec: Spec, params: Params, seen: TownState, around: Surroundings) -> UInt8[Array, "A channels w w"]:
    """Return the maps of all agents; those of vacant slots are zero."""
    return _compact(spec, params, seen, around) if spec.variant == "compact" else _plain(spec, params, seen, around)


def path(spec: Spec) -> Float[Array, "axes w w"]:
    """Return the unit vector from the centre to every tile, (0, 0) at the centre; no axes but in variant full."""
    side = layout.window(spec)
    steps = jnp.arange(side, dtype=jnp.float32) - (side - 1) // 2
    dx, dy = jnp.meshgrid(steps, steps)
    length = jnp.maximum(jnp.sqrt(dx * dx + dy * dy), 1.0)
    return jnp.stack([dx / length, dy / length])[: 2 if spec.variant == "full" else 0]


def _still(params: Params, seen: TownState) -> UInt8[Array, "A still w w"]:
    """Look up the channels that depend on the tile alone; nothing for vacant slots."""
    position = seen.roster.position
    return params.observation.still[position[:, 1], position[:, 0]]


def _plain(spec: Spec, params: Params, seen: TownState, around: Surroundings) -> UInt8[Array, "A channels w w"]:
    side = layout.window(spec)
    still = _still(params, seen)
    people = _bits(around.offset, around.person, side)
    taken = _bits(around.held, around.holds, side)
    drawn = _unfold(jnp.stack([jnp.broadcast_to(_own(side), people.shape), people, taken], axis=1), side)
    channels = jnp.concatenate([drawn[:, :2], still[:, :1], drawn[:, 2:], still[:, 1:]], axis=1)
    return jnp.where(seen.roster.alive[:, None, None, None], channels, 0)


def _own(side: int) -> Int[Array, "w"]:
    """Return the bits of the agent's own tile."""
    middle = (side - 1) // 2
    return jnp.where(jnp.arange(side) == middle, 1 << middle, 0).astype(jnp.int32)


def _bits(offset: Int[Array, "A A 2"], there: Bool[Array, "A"], side: int) -> Int[Array, "A w"]:
    """Return one integer a row of the window, bit x set where anybody stands."""
    radius = (side - 1) // 2
    row, column = offset[..., 1] + radius, offset[..., 0] + radius
    bit = jnp.where(there[None, :] & (column >= 0) & (column < side), 1 << jnp.clip(column, 0, side - 1), 0)
    rows = jnp.arange(side, dtype=jnp.int32)
    there_on = row[:, None, :] == rows[None, :, None]
    bits = jnp.zeros((offset.shape[0], side), jnp.int32)
    for other in range(offset.shape[1]):
        bits = bits | jnp.where(there_on[..., other], bit[:, None, other], 0)
    return bits


def _unfold(bits: Int[Array, "A channels w"], side: int) -> UInt8[Array, "A channels w w"]:
    """Turn rows of bits into tiles."""
    columns = jnp.arange(side, dtype=jnp.int32)
    return ((bits[..., None] >> columns) & 1).astype(jnp.uint8)


def _compact(spec: Spec, params: Params, seen: TownState, around: Surroundings) -> UInt8[Array, "A channels w w"]:
    side = layout.window(spec)
    middle = (side - 1) // 2
    still = _still(params, seen)
    slots = arrays.indices(around.person)
    others = _count(around.offset, around.person[None, :] & (slots[None, :] != slots[:, None]), side)
    taken = _unfold(_bits(around.held, around.holds, side)[:, None], side)[:, 0]
    own = jnp.zeros((side, side), bool).at[middle, middle].set(True)
    blocked, objects = still[:, -1] > 0, still[:, 0]
    walkable = ~((others > 0) | (objects > 0) | (taken > 0) | own | blocked)
    most = jnp.where(params.observation.normalize_counts, 1, 255).astype(jnp.uint8)
    channels = [jnp.broadcast_to(own, others.shape), others, objects, taken]
    channels += [still[:, index] for index in range(1, still.shape[1] - 1)]
    stacked = jnp.stack([jnp.minimum(channel.astype(jnp.uint8), most) for channel in [*channels, walkable]], axis=1)
    return jnp.where(seen.roster.alive[:, None, None, None], stacked, 0)


def _count(offset: Int[Array, "A A 2"], there: Bool[Array, "A A"], side: int) -> UInt8[Array, "A w w"]:
    """Return how many stand on each tile of the window, at most 255."""
    num_agents, radius = offset.shape[0], (side - 1) // 2
    inside = there & within(offset, radius)
    place = (offset[..., 1] + radius) * side + offset[..., 0] + radius
    empty = jnp.zeros((num_agents, side * side), jnp.int32)
    rows = arrays.indices(offset)[:, None]
    counted = empty.at[rows, arrays.drop_unless(inside, place)].add(1, mode="drop")
    return jnp.minimum(counted, 255).astype(jnp.uint8).reshape(num_agents, side, side)
