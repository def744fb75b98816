"""The maps around every agent (MECHANICS 6.4).

What never changes is looked up by tile, a row of bytes for each; people and held objects are written into it.
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

MOST = 255  # of a count


class Surroundings(Pytree):
    """Where others and held objects stand, seen from every agent."""

    offset: Int[Array, "A A 2"]  # column's tile minus row's tile (x, y)
    person: Bool[Array, "A"]  # alive: may be seen
    held: Int[Array, "A A 2"]  # tile of the object that column holds minus row's tile
    holds: Bool[Array, "A"]  # holds an object; no two stand on one tile


@arrays.unit
def surroundings(params: Params, seen: TownState) -> Surroundings:
    """Measure the way from everybody to everybody and to all held objects."""
    position, holding = seen.roster.position, seen.queues.holding
    tile = params.world.tile[jnp.maximum(holding, 0)]
    return Surroundings(
        offset=position[None, :] - position[:, None],
        person=seen.roster.alive,
        held=tile[None, :] - position[:, None],
        holds=holding != NOBODY,
    )


def within(offset: Int[Array, "A A 2"], radius: int) -> Bool[Array, "A A"]:
    """Tell which offsets lie in the window."""
    return (jnp.abs(offset[..., 0]) <= radius) & (jnp.abs(offset[..., 1]) <= radius)


def maps(spec: Spec, params: Params, seen: TownState, around: Surroundings) -> UInt8[Array, "A channels w w"]:
    """Return the maps of all agents; those of vacant slots are zero."""
    position, alive = seen.roster.position, seen.roster.alive[:, None]
    ground = jnp.where(alive, params.observation.view[position[:, 1], position[:, 0]], 0)
    taken, people = around.holds[None, :] & alive, around.person[None, :] & alive
    if spec.variant == "compact":
        whole = _compact(spec, params, ground, around, taken=taken, people=people)
    else:
        cells = [_cells(spec, "reservations", around.held, taken), _cells(spec, "agents", around.offset, people)]
        whole = _write(ground, cells, jnp.uint8(1))
    side = layout.window(spec)
    return whole.reshape(position.shape[0], len(layout.channels(spec)), side, side)


def _compact(
    spec: Spec,
    params: Params,
    ground: UInt8[Array, "A cells"],
    around: Surroundings,
    *,
    taken: Bool[Array, "A A"],
    people: Bool[Array, "A A"],
) -> UInt8[Array, "A cells"]:
    others = people & ~jnp.eye(people.shape[0], dtype=bool)
    most = jnp.where(params.observation.normalize_counts, 1, MOST).astype(jnp.uint8)
    crowd = jnp.minimum(_others_there(around), MOST).astype(jnp.uint8)
    cells = [
        _cells(spec, "reservations", around.held, taken),
        _cells(spec, "agents", around.offset, others),
        _cells(spec, "walkable", around.offset, others),
    ]
    values = jnp.concatenate([jnp.ones_like(crowd), crowd, jnp.zeros_like(crowd)], axis=1)
    return jnp.minimum(_write(ground, cells, values), most)


def _cells(spec: Spec, channel: str, offset: Int[Array, "A A 2"], shown: Bool[Array, "A A"]) -> Int[Array, "A A"]:
    """Return the cells in which things are shown in a channel; far out of range where they are not."""
    side = layout.window(spec)
    radius, first = (side - 1) // 2, layout.channels(spec).index(channel) * side * side
    cell = first + (offset[..., 1] + radius) * side + offset[..., 0] + radius
    return arrays.drop_unless(shown & within(offset, radius), cell)


def _write(
    ground: UInt8[Array, "A cells"], cells: list[Int[Array, "A A"]], values: UInt8[Array, "*n"]
) -> UInt8[Array, "A cells"]:
    """Write values into cells; where several things share a cell their values are the same."""
    where = arrays.settled(jnp.concatenate(cells, axis=1))
    return ground.at[arrays.indices(ground)[:, None], where].set(values, mode="drop")


def _others_there(around: Surroundings) -> Int[Array, "A A"]:
    """Return how many living agents other than row stand on column's tile."""
    together = jnp.all(around.offset == 0, axis=-1) & around.person[None, :]
    return arrays.count(together)[None, :] - (together & around.person[:, None]).astype(jnp.int32)


def path(spec: Spec) -> Float[Array, "axes w w"]:
    """Return the unit vector from the centre to every tile, (0, 0) at the centre; no axes but in variant full."""
    side = layout.window(spec)
    steps = jnp.arange(side, dtype=jnp.float32) - (side - 1) // 2
    dx, dy = jnp.meshgrid(steps, steps)
    length = jnp.maximum(jnp.sqrt(dx * dx + dy * dy), 1.0)
    return jnp.stack([dx / length, dy / length])[: 2 if spec.variant == "full" else 0]
