"""One town as coloured text: clock and events, the map with everybody on it, and what they are doing."""

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from townlet_jax.config.names import Names
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.report import printable
from townlet_jax.ui import icons, scene, signs, view
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame, View

PEOPLE_WIDTH = 56  # columns that the list of people wants
LOW = 0.2  # needs below it are red
MOST_TIES = 8


def render(names: Names, params: Params, state: TownState, *, width: int) -> RenderableType:
    """Return the map of one town (no batch axis), and its people beside or, on narrow screens, below."""
    return _town(Stage(names, params), view.snapshot(state).view, width)


def picture(stage: Stage, frame: Frame, *, width: int, overlay: str = "none") -> RenderableType:
    """Return a moment of a film: clock, events, map, people and, if wanted, the strongest ties."""
    parts = [head(stage, frame), _town(stage, frame.view, width)]
    return Group(*parts, ties(stage, frame.view)) if overlay == "ties" else Group(*parts)


def head(stage: Stage, frame: Frame) -> Text:
    """Return the clock with sun or moon and the events."""
    sky = "☾" if scene.shade_of(stage, frame) > scene.SHADES // 2 else "☀"
    tick = int(frame.view.tick)
    line = Text(f"{sky} {stage.clock(tick)}", style="bold", overflow="fold")
    line.append(f"  tick {tick:,}", style="not bold dim")
    for kind, words in stage.weather(frame.view):
        line.append("  ")
        line.append(f" {kind.replace('_', ' ')} ", style=f"bold white on {icons.EVENTS[kind][0]}")
        line.append(f" {words}", style="not bold")
    if not stage.weather(frame.view):
        line.append("  no special events", style="not bold dim")
    return line


def _town(stage: Stage, shown: View, width: int) -> RenderableType:
    drawn, table = ground(stage, shown), people(stage, shown)
    if stage.width + PEOPLE_WIDTH > width:
        return Group(drawn, table)
    side_by_side = Table.grid(padding=(0, 3))
    side_by_side.add_row(drawn, table)
    return side_by_side


def ground(stage: Stage, shown: View) -> Text:
    """Return the map with objects and living agents on it, one character a tile."""
    rows = [list(row) for row in stage.names.map_rows]
    styles = [[_style(stage, x, y) for x in range(stage.width)] for y in range(stage.height)]
    held = set(np.asarray(shown.doing.holding).tolist())
    for row, (object_type, x, y) in enumerate(stage.objects):
        if stage.tiles[y][x] != object_type:
            rows[y][x] = printable(object_type)[:1] or "?"
        styles[y][x] = signs.TEXT_STYLES["held object" if row in held else "object"]
    for slot in np.flatnonzero(shown.people.alive):
        x, y = shown.people.position[slot]
        rows[y][x], styles[y][x] = signs.mark(int(slot)), agent_style(shown, int(slot))
    drawn = Text(no_wrap=True, end="")
    for signs_of_row, styled in zip(rows, styles, strict=True):
        for sign, style in zip(signs_of_row, styled, strict=True):
            drawn.append(printable(sign) or " ", style=style)
        drawn.append("\n")
    return drawn


def _style(stage: Stage, x: int, y: int) -> str:
    """Return the style of a tile; homes, sites and places stand out."""
    meaning, names = stage.tiles[y][x], stage.names
    if meaning in signs.TEXT_STYLES:
        return signs.TEXT_STYLES[meaning]
    if meaning == "home" or meaning in names.jobs or meaning in names.places:
        return signs.TEXT_STYLES["place"]
    return signs.TEXT_STYLES["floor" if stage.walkable[y, x] else "wall"]


def agent_style(shown: View, slot: int) -> str:
    """Return the style of an agent: black or white on the colour of its lowest need."""
    colour = signs.level_colour(float(np.min(shown.people.level[slot])))
    return f"bold {'white' if signs.is_dark(colour) else 'black'} on {colour}"


def people(stage: Stage, shown: View) -> Table:
    """Return one line an agent: mark, name, needs in percent, coins, occupation."""
    made = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    made.add_column("")
    made.add_column("agent", no_wrap=True)
    for title in ("food", "clean", "rest", "coins"):
        made.add_column(title, justify="right")
    made.add_column("doing", no_wrap=True)
    for slot in range(len(stage.names.agents)):
        name = stage.person(shown, slot)
        if not shown.people.alive[slot]:
            made.add_row(signs.mark(slot), Text(name, style="dim"), *[""] * 4, Text("away", style="dim"))
            continue
        needs = [Text(f"{level:.0%}", style="red" if level < LOW else "") for level in shown.people.level[slot]]
        made.add_row(
            Text(signs.mark(slot), style=agent_style(shown, slot)),
            Text(name),
            *needs,
            f"{shown.people.wallet[slot]:.2f}",
            Text(_occupation(stage, shown, slot)),
        )
    return made


def _occupation(stage: Stage, shown: View, slot: int) -> str:
    """Return what an agent does, with whom it spoke and that it quarrelled."""
    words = stage.occupation(shown, slot)
    listener = int(shown.doing.spoke_to[slot])
    if listener != NOBODY:
        words += (
            f", {'chatted with' if shown.doing.spoke_well[slot] else 'rebuffed by'} {stage.person(shown, listener)}"
        )
    return f"{words}, quarrelled" if shown.doing.quarrelled[slot] else words


def ties(stage: Stage, shown: View) -> Table:
    """Return the strongest ties of the town, friends and rivals."""
    made = Table(title="Strongest ties", title_justify="left", box=None, pad_edge=False, show_header=False)
    for tie in scene.strongest_ties(shown)[:MOST_TIES]:
        kind, style = ("rivals", signs.RIVALS) if tie.is_rival else ("friends", signs.FRIENDS)
        pair = f"{stage.person(shown, tie.one)} and {stage.person(shown, tie.other)}"
        made.add_row(Text(pair), Text(kind, style=style), f"{tie.strength:.2f}")
    return made
