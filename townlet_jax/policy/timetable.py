"""From the timetable entries of a scenario to the arrays of `policy.schedule` (MECHANICS 14.8). Host only.

The entries have been checked by the configuration: names exist, every verb has its keys.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from townlet_jax.core.enums import NOBODY, Direction, Kind, Option
from townlet_jax.policy.schedule import Schedule

Tile = tuple[int, int]
_KINDS = {
    "wait": Kind.WAIT,
    "walk_to": Kind.WAIT,
    "hold": Kind.WAIT,
    "request": Kind.REQUEST,
    "start": Kind.START,
    "use": Kind.USE,
    "release": Kind.RELEASE,
    "blocked": Kind.BLOCKED,
    "leave": Kind.LEAVE,
    "chat": Kind.CHAT,
    "move": Kind.MOVE,
}
_STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))  # (x, y) by Direction


class Entry(Protocol):
    """One entry of a timetable; what its verb does not use is None."""

    @property
    def do(self) -> str: ...
    @property
    def ticks(self) -> int | None: ...
    @property
    def object(self) -> str | None: ...
    @property
    def affordance(self) -> str | None: ...
    @property
    def success(self) -> bool | None: ...
    @property
    def target(self) -> str | None: ...
    @property
    def quality(self) -> float | None: ...
    @property
    def direction(self) -> str | None: ...
    @property
    def position(self) -> Tile | None: ...
    @property
    def option(self) -> str | None: ...


class Words(Protocol):
    """The names that entries use."""

    @property
    def agents(self) -> tuple[str, ...]: ...
    @property
    def objects(self) -> tuple[str, ...]: ...
    @property
    def affordances(self) -> tuple[str, ...]: ...


def compile_schedule(
    schedules: Sequence[Sequence[Entry]], words: Words, *, num_agents: int, blocked: npt.NDArray[np.bool_]
) -> Schedule:
    """Turn the timetables of the slots (in slot order, missing ones empty) into one table.

    `blocked` is the map [y, x]. Raises `ValueError` in one sentence where a tile to walk to is off the map or
    blocked, or where there are more timetables than slots.
    """
    if len(schedules) > num_agents:
        raise ValueError(f"scenario: {len(schedules)} timetables do not fit {num_agents} agent slots; raise num_agents")
    lists = [list(entries) for entries in schedules] + [[] for _ in range(num_agents - len(schedules))]
    walks = sorted({_tile(entry) for entries in lists for entry in entries if entry.do == "walk_to"})
    width = max(1, max(map(len, lists), default=1))
    rows = [[_row(entry, words, walks) for entry in entries] for entries in lists]
    padded = [row + [_BLANK] * (width - len(row)) for row in rows]
    column = {name: [[cell[name] for cell in row] for row in padded] for name in _BLANK}
    fields = [direction_field(blocked, tile) for tile in walks] or [np.full(blocked.shape, NOBODY, np.int8)]

    def whole(name: str) -> npt.NDArray[np.int32]:
        return np.asarray(column[name], np.int32)

    return Schedule(
        length=jnp.asarray([len(entries) for entries in lists], jnp.int32),
        kind=jnp.asarray(whole("kind")),
        direction=jnp.asarray(whole("direction")),
        object=jnp.asarray(whole("object")),
        affordance=jnp.asarray(whole("affordance")),
        target=jnp.asarray(whole("target")),
        success=jnp.asarray(np.asarray(column["success"], np.bool_)),
        quality=jnp.asarray(np.asarray(column["quality"], np.float32)),
        ticks=jnp.asarray(whole("ticks")),
        option=jnp.asarray(whole("option")),
        walk=jnp.asarray(whole("walk")),
        tile=jnp.asarray(np.asarray(walks or [(NOBODY, NOBODY)], np.int32)),
        field=jnp.asarray(np.stack(fields)),
        has_holds=any(entry.do == "hold" for entries in lists for entry in entries),
    )


_BLANK: dict[str, float] = {
    "kind": Kind.WAIT,
    "direction": NOBODY,
    "object": NOBODY,
    "affordance": NOBODY,
    "target": NOBODY,
    "success": True,
    "quality": -1.0,
    "ticks": 1,
    "option": NOBODY,
    "walk": NOBODY,
}


def _row(entry: Entry, words: Words, walks: Sequence[Tile]) -> dict[str, float]:
    return _BLANK | {
        "kind": _KINDS[entry.do],
        "direction": NOBODY if entry.direction is None else Direction[entry.direction.upper()],
        "object": NOBODY if entry.object is None else words.objects.index(entry.object),
        "affordance": NOBODY if entry.affordance is None else words.affordances.index(entry.affordance),
        "target": NOBODY if entry.target is None else words.agents.index(entry.target),
        "success": entry.success is not False,
        "quality": -1.0 if entry.quality is None else entry.quality,
        "ticks": 1 if entry.ticks is None else entry.ticks,
        "option": NOBODY if entry.option is None else Option[entry.option.upper()],
        "walk": walks.index(_tile(entry)) if entry.do == "walk_to" else NOBODY,
    }


def _tile(entry: Entry) -> Tile:
    assert entry.position is not None, "the configuration has checked that walk_to has a position"
    return int(entry.position[0]), int(entry.position[1])


def direction_field(blocked: npt.NDArray[np.bool_], tile: Tile) -> npt.NDArray[np.int8]:
    """Return for every tile [y, x] the first of N, E, S, W that comes closer to a tile; -1 there and without a way."""
    height, width = blocked.shape
    x, y = tile
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"scenario: walk_to [{x}, {y}] lies off the map of {width} x {height} tiles; use a tile on it")
    if blocked[y, x]:
        raise ValueError(f"scenario: walk_to [{x}, {y}] is a blocked tile; walk to a free tile beside it")
    steps = np.full(blocked.shape, NOBODY, np.int32)
    steps[y, x] = 0
    frontier = deque([tile])
    while frontier:
        here = frontier.popleft()
        for there in _neighbours(here, blocked):
            if steps[there[1], there[0]] == NOBODY:
                steps[there[1], there[0]] = steps[here[1], here[0]] + 1
                frontier.append(there)
    field = np.full(blocked.shape, NOBODY, np.int8)
    for row, column in zip(*np.nonzero(steps > 0), strict=True):
        for direction, (dx, dy) in enumerate(_STEPS):
            nx, ny = int(column) + dx, int(row) + dy
            if 0 <= nx < width and 0 <= ny < height and steps[ny, nx] == steps[row, column] - 1:
                field[row, column] = direction
                break
    return field


def _neighbours(tile: Tile, blocked: npt.NDArray[np.bool_]) -> list[Tile]:
    height, width = blocked.shape
    around = [(tile[0] + dx, tile[1] + dy) for dx, dy in _STEPS]
    return [(x, y) for x, y in around if 0 <= x < width and 0 <= y < height and not blocked[y, x]]
