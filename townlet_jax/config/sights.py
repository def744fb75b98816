"""What agents will see of the ground, worked out by tile once: hints, landmarks, map windows (MECHANICS 6.2-6.4)."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from townlet_jax.config.errors import ProblemError
from townlet_jax.config.layout import Layout
from townlet_jax.config.schema import Config
from townlet_jax.config.tables import Columns, Index
from townlet_jax.config.world import FAR, World
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.observe.layout import EMBEDDING, LANDMARKS, SHOWN_UTILITIES, channels, window
from townlet_jax.core.spec import Spec

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.uint8]
MOST_CELLS = 2**28  # of all views together: 256 MB
STEPS = np.array([[0, -1], [1, 0], [0, 1], [-1, 0], [0, 0]])  # (dx, dy) by direction; -1 takes the last: no way to go


def sights(config: Config, layout: Layout, index: Index, ground: World, spec: Spec) -> Columns:
    """Return the tables of the observation."""
    look = _along_routes if spec.hints == "bfs" else _as_the_crow_flies
    ways = {kind: look(layout, ground, kind) for kind in {*config.observation.hint_type, *LANDMARKS}}
    near = _windows(_counts(layout, index.object_types), window(spec), 0)
    utilities = [index.utilities.index(name) if name in index.utilities else NOBODY for name in SHOWN_UTILITIES]
    return {
        "hint": np.stack([ways[kind][0] for kind in config.observation.hint_type], axis=2),
        "landmark": np.stack([ways[kind][1] for kind in LANDMARKS], axis=2),
        "objects_near": near.sum(axis=(2, 3), dtype=np.int32),
        "view": _views(layout, near, spec),
        "identity": identities(spec.embedding_slots),
        "utility_shown": np.array(utilities, np.int32),
    }


def identities(slots: int) -> Floats:
    """Return the first bytes of BLAKE2s("slot_<e>") / 255 for every embedding slot."""
    digests = [hashlib.blake2s(f"slot_{slot}".encode()).digest()[:EMBEDDING] for slot in range(slots)]
    return (np.array([list(digest) for digest in digests], np.float64) / 255).astype(np.float32)


def _along_routes(layout: Layout, ground: World, kind: str) -> tuple[Floats, Floats]:
    """Return by tile the one-hot hint (N, S, E, W) and (dx, dy, steps) to the object with the fewest steps."""
    best = np.full((layout.height, layout.width), FAR, np.int32)
    direction = np.full(best.shape, -1, np.int8)
    for place in _of(layout, kind):
        closer = (ground.steps[place] >= 0) & (ground.steps[place] < best)
        best[closer] = ground.steps[place][closer]
        direction[closer] = ground.direction[place][closer]
    vector = STEPS[direction]
    distance = np.where(best == FAR, 0, best)
    return _hint(vector), np.concatenate([vector, distance[..., None]], axis=2).astype(np.float32)


def _as_the_crow_flies(layout: Layout, ground: World, kind: str) -> tuple[Floats, Floats]:
    """Return by tile the hint shares (N, S, E, W) and (dx, dy unit vector, distance) to the nearest object."""
    del ground
    tiles = np.stack(np.meshgrid(np.arange(layout.width), np.arange(layout.height)), axis=2)
    best = np.full((layout.height, layout.width), FAR, np.int64)
    vector = np.zeros((layout.height, layout.width, 2), np.int64)
    for place in _of(layout, kind):
        offset = np.array(layout.objects[place].tile) - tiles
        squared = (offset**2).sum(axis=2)
        closer = squared < best
        best[closer] = squared[closer]
        vector[closer] = offset[closer]
    shares = vector / np.maximum(np.abs(vector).sum(axis=2, keepdims=True), 1)
    distance = np.sqrt(np.where(best == FAR, 0, best))[..., None]
    unit = vector / np.where(distance > 0, distance, 1.0)
    return _hint(shares), np.concatenate([unit, distance], axis=2).astype(np.float32)


def _hint(vector: npt.NDArray[np.generic]) -> Floats:
    """Turn (dx, dy) into what points north, south, east and west."""
    dx, dy = np.asarray(vector[..., 0], np.float32), np.asarray(vector[..., 1], np.float32)
    return np.maximum(np.stack([-dy, dy, dx, -dx], axis=2), 0)


def _views(layout: Layout, near: Counts, spec: Spec) -> Counts:
    """Return the maps around every tile, channels in the order of the observation, flat: what never changes of them."""
    side, names = window(spec), channels(spec)
    cells = near.size * len(names)
    if cells > MOST_CELLS:
        raise ProblemError(
            ("spec", "compact_window" if spec.variant == "compact" else "local_window"),
            f"is {side}, so the maps around {layout.width} x {layout.height} tiles with {len(names)} channels would "
            f"have {cells} cells; at most {MOST_CELLS} are kept: take a smaller window or map",
        )
    own = np.zeros((side, side), np.uint8)
    own[side // 2, side // 2] = 1
    walls = _windows(layout.blocked.astype(np.uint8), side, 1) if spec.extended_features else np.zeros_like(near)
    grids = {
        "self": np.broadcast_to(own, near.shape),
        "objects": near,
        "walls": walls,
        "walkable": (own == 0) & (near == 0) & (walls == 0),
    }
    for name in spec.object_channels:
        grids[f"object:{name}"] = _windows(_counts(layout, (name,)), side, 0)
    rows = np.zeros((layout.height, layout.width, len(names), side, side), np.uint8)
    for place, name in enumerate(names):
        rows[:, :, place] = grids.get(name, 0)
    return rows.reshape(layout.height, layout.width, -1)


def _of(layout: Layout, kind: str) -> list[int]:
    return [place for place, item in enumerate(layout.objects) if item.type == kind]


def _counts(layout: Layout, kinds: Sequence[str]) -> Counts:
    """Return how many objects of some types stand on each tile: one or none."""
    counts = np.zeros((layout.height, layout.width), np.uint8)
    for item in layout.objects:
        if item.type in kinds:
            counts[item.tile[1], item.tile[0]] += 1
    return counts


def _windows(grid: Counts, side: int, beyond: int) -> Counts:
    """Return the window around every tile, [y, x, row, column]; `beyond` stands outside the grid."""
    padded = np.pad(grid, (side - 1) // 2, constant_values=beyond)
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side))
