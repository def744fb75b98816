"""One town as coloured text: the map, who stands where, and what they are doing."""

import numpy as np
import numpy.typing as npt
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from townlet_jax.config.names import Names
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.report import printable

MARKS = "123456789abcdefghijklmnopqrstuvwxyz"  # agents by slot; later slots share the last one
PEOPLE_WIDTH = 56  # columns that the list of people wants
AGENT_STYLE = "bold black on bright_yellow"
OBJECT_STYLE = "bright_cyan"
PLACE_STYLE = "bright_magenta"
TILE_STYLES = {
    "tree": "green",
    "grass": "green4",
    "wall": "bright_black",
    "pond": "blue",
    "road": "grey50",
    "path": "grey62",
    "door": "yellow",
    "floor": "grey42",
}


def render(names: Names, params: Params, state: TownState, *, width: int) -> RenderableType:
    """Return the picture of one town (no batch axis): the map, and its people beside or, on narrow screens, below."""
    drawn, table = ground(names, params, state), people(names, state)
    if len(names.map_rows[0]) + PEOPLE_WIDTH > width:
        return Group(drawn, table)
    side_by_side = Table.grid(padding=(0, 3))
    side_by_side.add_row(drawn, table)
    return side_by_side


def ground(names: Names, params: Params, state: TownState) -> Text:
    """Return the map with objects and living agents on it."""
    rows = [list(row) for row in names.map_rows]
    styles = [[_style(names, params, character, x, y) for x, character in enumerate(row)] for y, row in enumerate(rows)]
    for index, name in enumerate(names.object_types):
        for x, y in np.asarray(params.world.tile)[_present_of(params, index)]:
            rows[y][x] = rows[y][x] if names.map_legend.get(rows[y][x]) == name else printable(name)[:1] or "?"
            styles[y][x] = OBJECT_STYLE
    position = np.asarray(state.roster.position)
    for slot in np.flatnonzero(np.asarray(state.roster.alive)):
        x, y = position[slot]
        rows[y][x], styles[y][x] = mark(int(slot)), AGENT_STYLE
    drawn = Text(no_wrap=True, end="")
    for row, styled in zip(rows, styles, strict=True):
        for character, style in zip(row, styled, strict=True):
            drawn.append(printable(character) or " ", style=style)
        drawn.append("\n")
    return drawn


def mark(slot: int) -> str:
    """Return the character of an agent slot."""
    return MARKS[min(slot, len(MARKS) - 1)]


def _present_of(params: Params, object_type: int) -> npt.NDArray[np.bool_]:
    chosen: npt.NDArray[np.bool_] = np.asarray(params.world.object_type) == object_type
    return chosen & np.asarray(params.world.present, np.bool_)


def _style(names: Names, params: Params, character: str, x: int, y: int) -> str:
    meaning = names.map_legend.get(character, "")
    if meaning in TILE_STYLES:
        return TILE_STYLES[meaning]
    if meaning == "home" or meaning in names.jobs or meaning in names.places:
        return PLACE_STYLE
    return TILE_STYLES["floor"] if bool(params.world.walkable[y, x]) else TILE_STYLES["wall"]


def people(names: Names, state: TownState) -> Table:
    """Return one line an agent: mark, name, needs in percent, coins, occupation."""
    made = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    made.add_column("")
    made.add_column("agent", no_wrap=True)
    for title in ("food", "clean", "rest", "coins"):
        made.add_column(title, justify="right")
    made.add_column("doing", no_wrap=True)
    alive, level = np.asarray(state.roster.alive), np.asarray(state.needs.level)
    wallet = np.asarray(state.economy.wallet)
    for slot, name in enumerate(names.agents):
        if not alive[slot]:
            made.add_row(mark(slot), Text(printable(name), style="dim"), *[""] * 4, Text("away", style="dim"))
            continue
        needs = [Text(f"{value:.0%}", style="red" if value < 0.2 else "") for value in level[slot]]
        made.add_row(
            Text(mark(slot), style=AGENT_STYLE),
            Text(printable(name)),
            *needs,
            f"{wallet[slot]:.2f}",
            Text(occupation(names, state, slot)),
        )
    return made


def occupation(names: Names, state: TownState, slot: int) -> str:
    """Return what an agent does, in two words."""
    affordance = int(state.activities.affordance[slot])
    waiting = int(state.queues.waiting[slot])
    if affordance != NOBODY:
        return printable(names.affordances[affordance])
    if waiting != NOBODY:
        return f"waits for {printable(names.objects[waiting])}"
    return "–"
