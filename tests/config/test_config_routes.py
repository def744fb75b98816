"""Distance fields against a slow search that is obviously right."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from townlet_jax.config.routes import TooLongError, access_mask, fields, reachable, tile_mask

STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))


def slow(blocked: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Search from the goal tiles one tile at a time."""
    height, width = blocked.shape
    steps = np.full(blocked.shape, -1)
    queue = deque((x, y) for y in range(height) for x in range(width) if goal[y, x] and not blocked[y, x])
    for x, y in queue:
        steps[y, x] = 0
    while queue:
        x, y = queue.popleft()
        for dx, dy in STEPS:
            u, v = x + dx, y + dy
            if 0 <= u < width and 0 <= v < height and not blocked[v, u] and steps[v, u] < 0:
                steps[v, u] = steps[y, x] + 1
                queue.append((u, v))
    direction = np.full(blocked.shape, -1)
    for y in range(height):
        for x in range(width):
            for index, (dx, dy) in reversed(list(enumerate(STEPS))):
                u, v = x + dx, y + dy
                if steps[y, x] > 0 and 0 <= u < width and 0 <= v < height and steps[v, u] == steps[y, x] - 1:
                    direction[y, x] = index
    return steps, direction


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31), st.floats(0, 0.6))
def test_fields_equal_the_slow_search(height: int, width: int, seed: int, density: float) -> None:
    draw = np.random.default_rng(seed)
    blocked = draw.random((height, width)) < density
    goals = [draw.random((height, width)) < 0.1 for _ in range(4)] + [~blocked, np.zeros_like(blocked)]
    steps, direction = fields(blocked, goals)
    for row, goal in enumerate(goals):
        wanted = slow(blocked, goal)
        np.testing.assert_array_equal(steps[row], wanted[0])
        np.testing.assert_array_equal(direction[row], wanted[1])
    assert (steps.dtype.name, direction.dtype.name) == ("int16", "int8")


def test_access_tiles() -> None:
    blocked = np.zeros((4, 4), bool)
    blocked[1, 1] = True
    assert np.argwhere(access_mask(blocked, (1, 1), 1)).tolist() == [
        [y, x] for y in range(3) for x in range(3) if (y, x) != (1, 1)
    ]
    assert access_mask(blocked, (0, 3), 1000000).sum() == 15
    assert not tile_mask(blocked, (1, 1)).any()


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 7), st.integers(0, 2**31))
def test_reachable_lists_objects_in_order(height: int, width: int, reach: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    tiles = [(int(draw.integers(width)), int(draw.integers(height))) for _ in range(5)]
    found = reachable((height, width), tiles, reach)
    for y in range(height):
        for x in range(width):
            near = [o for o, (u, v) in enumerate(tiles) if max(abs(u - x), abs(v - y)) <= reach]
            assert found[y, x].tolist() == near + [-1] * (found.shape[2] - len(near))
    assert found.shape[2] == max(1, int((found >= 0).sum(axis=2).max()))


def test_ways_that_fit_no_table_are_refused() -> None:
    blocked = np.zeros((259, 259), bool)
    blocked[1::2] = True
    blocked[1::4, -1] = blocked[3::4, 0] = False
    goal = np.zeros_like(blocked)
    goal[0, 0] = True
    with pytest.raises(TooLongError):
        fields(blocked, [goal])
    assert fields(blocked[:201, :], [goal[:201, :]])[0].max() == 201 // 2 * 2 + 258 * 101
