"""The one table of colours and characters that all pictures share; the icons are in `icons`.

Levels are coloured from orange (empty) over yellow to blue (full): told apart by everybody, with or without red
and green.
"""

import math

PAPER, INK, FAINT, RULE = "#fbfaf5", "#2d2c2a", "#8a867c", "#dcd8cc"
NIGHT = "#141c3a"  # laid over the map
NIGHT_OPACITY = 0.5  # at midnight
SKIES = ("#bfe0f5", "#f3d9b0", "#c98f86", "#5a5382", "#1f2850")  # behind the clock, day to midnight
TILES = {
    "grass": "#c5dda0",
    "tree": "#c5dda0",
    "wall": "#75675c",
    "floor": "#f0e5cf",
    "road": "#b9b5ad",
    "path": "#ddd0ab",
    "door": "#c98f4e",
    "pond": "#8fc3e0",
    "table": "#f0e5cf",
    "shelf": "#f0e5cf",
}
SECOND_FLOOR = "#ebdec4"  # every other tile of a floor
HOME, SITE, PLACE, OTHER_OBJECT = "#e0b23e", "#c2459a", "#3f8f4f", "#999999"
FRIENDS, RIVALS = "#5b2fb0", "#e0218a"
BAD = "#c4161c"
TEXT_STYLES = {  # of characters in a terminal
    "tree": "green",
    "grass": "green4",
    "wall": "bright_black",
    "pond": "blue",
    "road": "grey50",
    "path": "grey62",
    "door": "yellow",
    "floor": "grey42",
    "object": "bright_cyan",
    "held object": "bold black on bright_cyan",
    "place": "bright_magenta",
}
LEVELS = (
    "#d7431c",
    "#e8622a",
    "#f2843c",
    "#f9a654",
    "#fcc877",
    "#f3dd9c",
    "#b9d2d0",
    "#82b6d3",
    "#5397c6",
    "#2f74b3",
    "#1c4f96",
)
MARKS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def mark(slot: int) -> str:
    """Return the character of an agent slot; slots after the last one share a star."""
    return MARKS[slot] if slot < len(MARKS) else "*"


def level_colour(level: float) -> str:
    """Return the colour of a level in [0, 1]."""
    place = round(min(1.0, max(0.0, level)) * (len(LEVELS) - 1)) if math.isfinite(level) else 0
    return LEVELS[place]


def is_dark(colour: str) -> bool:
    """Tell whether white letters are read better on a colour than black ones."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue < 140
