"""Distance and direction fields by breadth-first search over the unblocked tiles (MECHANICS 3.4).

All targets are searched at once: the frontier of every target is one flat array, so the work is in numpy and grows with
the tiles, whatever the shape of the map.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from townlet_jax.core.enums import UNREACHABLE

Mask = npt.NDArray[np.bool_]
Flat = npt.NDArray[np.int64]

BLOCK_CELLS = 2**20  # cells searched together, bounds the memory of a search
BLOCKED = -2
LONGEST = 2**15 - 1


class TooLongError(Exception):
    """A route does not fit the table."""


def in_reach(tile: tuple[int, int], reach: int) -> tuple[slice, slice]:
    """Return the window of tiles within a Chebyshev distance, as `[y, x]` slices; the caller's grid cuts it."""
    x, y = tile
    return slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)


def access_mask(blocked: Mask, tile: tuple[int, int], reach: int) -> Mask:
    """Return the unblocked tiles from which an object is in reach."""
    mask = np.zeros_like(blocked)
    window = in_reach(tile, reach)
    mask[window] = ~blocked[window]
    return mask


def tile_mask(blocked: Mask, tile: tuple[int, int]) -> Mask:
    """Return one tile, nothing if it is blocked."""
    return access_mask(blocked, tile, 0)


def fields(blocked: Mask, goals: Sequence[Mask]) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]:
    """Return steps and directions `[targets, y, x]` for the goal tiles of each target; raises `TooLongError`."""
    height, width = blocked.shape
    steps = np.empty((len(goals), height, width), np.int16)
    direction = np.full((len(goals), height, width), -1, np.int8)
    everywhere = [place for place, goal in enumerate(goals) if np.array_equal(goal, ~blocked)]
    steps[everywhere] = np.where(blocked, UNREACHABLE, 0)
    left = sorted(set(range(len(goals))) - set(everywhere))
    size = max(1, BLOCK_CELLS // ((height + 2) * (width + 2)))
    for first in range(0, len(left), size):
        part = left[first : first + size]
        padded = _search(blocked, np.stack([goals[place] for place in part]))
        steps[part] = np.where(padded < 0, UNREACHABLE, padded)[:, 1:-1, 1:-1]
        direction[part] = _directions(padded)
    return steps, direction


def _search(blocked: Mask, goals: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Return the steps of a block of targets on the map with a blocked rim."""
    count = len(goals)
    rim = ((0, 0), (1, 1), (1, 1))
    ground = np.where(np.pad(blocked, 1, constant_values=True), BLOCKED, UNREACHABLE).astype(np.int32)
    grid = np.broadcast_to(ground, (count, *ground.shape)).copy()
    grid[np.pad(goals, rim) & (grid == UNREACHABLE)] = 0
    cells = grid.reshape(-1)
    claim = np.zeros(cells.shape, np.int32)
    frontier: Flat = np.flatnonzero(cells == 0)
    offsets = np.array([-ground.shape[1], 1, ground.shape[1], -1])
    distance = 0
    while frontier.size:
        distance += 1
        reached = (frontier[None, :] + offsets[:, None]).reshape(-1)
        reached = reached[cells[reached] == UNREACHABLE]
        order = np.arange(reached.size, dtype=np.int32)
        claim[reached] = order
        frontier = reached[claim[reached] == order]
        cells[frontier] = distance
        if distance > LONGEST and frontier.size:
            raise TooLongError
    return grid


def _directions(padded: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """Return the first of north, east, south, west whose neighbour is one step closer."""
    here = padded[:, 1:-1, 1:-1]
    neighbours = (padded[:, :-2, 1:-1], padded[:, 1:-1, 2:], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2])
    found = np.full(here.shape, -1, np.int8)
    for index in (3, 2, 1, 0):
        found[(here > 0) & (neighbours[index] == here - 1)] = index
    return found


def reachable(shape: tuple[int, int], tiles: Sequence[tuple[int, int]], reach: int) -> npt.NDArray[np.int32]:
    """Return for every tile the objects within reach, ascending, padded with -1; at least one column."""
    count = np.zeros(shape, np.int32)
    for tile in tiles:
        count[in_reach(tile, reach)] += 1
    found = np.full((*shape, max(1, int(count.max(initial=0)))), -1, np.int32)
    count[:] = 0
    for index, tile in enumerate(tiles):
        rows, columns = in_reach(tile, reach)
        level = count[rows, columns]
        if level.min() == level.max():  # always so where the reach covers the map
            found[rows, columns, level[0, 0]] = index
            level += 1
            continue
        ys, xs = np.mgrid[rows.start : min(rows.stop, shape[0]), columns.start : min(columns.stop, shape[1])]
        found[ys, xs, count[ys, xs]] = index
        count[ys, xs] += 1
    return found
