"""Numbers as small pictures of text: bars, curves, strips, arrows. Pure functions to strings and rows."""

import math
from collections.abc import Sequence

from townlet_jax.ui import signs
from townlet_jax.ui.dashboard.block import BAD, DIM, GOOD, HIGH, WARN, Piece, Row

STEPS = "▁▂▃▄▅▆▇█"
PARTS = " ▏▎▍▌▋▊▉"  # of a cell, from the left
TREND = 0.1  # a series that changed by more is rising or falling (MECHANICS 9.1)
LOW, MIDDLE = 0.2, 0.4  # levels


def bar(share: float, width: int) -> str:
    """Return a bar of a share of a width, in eighths of a cell."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8) if math.isfinite(share) else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + (PARTS[rest] if rest else "")).ljust(width)


def level(share: float, width: int) -> Row:
    """Return a bar of a need in the colour of its level, on a faint ground."""
    return (Piece(bar(share, width), f"{signs.level_colour(share)} on #30343d"),)


def curve(values: Sequence[float], width: int, low: float | None = None, high: float | None = None) -> str:
    """Return the newest values as a line of steps, newest on the right, between bounds or its own extremes."""
    shown = [value for value in values if math.isfinite(value)][-width:]
    if not shown:
        return " " * width
    bottom = min(shown) if low is None else low
    top = max(shown) if high is None else high
    reach = top - bottom
    if reach <= 0:
        return (STEPS[0] * len(shown)).rjust(width)
    last = len(STEPS) - 1
    heights = (round((value - bottom) / reach * last) for value in shown)
    return "".join(STEPS[min(last, max(0, height))] for height in heights).rjust(width)


def thinned(values: Sequence[float], width: int) -> list[float]:
    """Return at most `width` of the values, evenly chosen, the newest among them."""
    if len(values) <= width:
        return list(values)
    step = len(values) / width
    return [values[len(values) - 1 - int(place * step)] for place in range(width)][::-1]


def trend(values: Sequence[float], is_bad_up: bool = True) -> Piece:
    """Return an arrow: how the newer half of a series compares with the older one."""
    half = len(values) // 2
    if half < 1:
        return Piece("·", DIM)
    before, now = (sum(part) / len(part) for part in (values[:half], values[half:]))
    change = (now - before) / max(abs(before), 1e-9) if before or now else 0.0
    if abs(change) <= TREND:
        return Piece("→", DIM)
    is_up = change > 0
    return Piece("▲" if is_up else "▼", BAD if is_up == is_bad_up else GOOD)


def strip(low: float, middle: float, high: float, mark: float | None, width: int) -> Row:
    """Return the range from a low to a high percentile with its median, and a mark where one town stands."""
    ends = [low, high] if mark is None else [low, high, mark]
    bottom, top = min(ends), max(ends)
    reach = top - bottom

    def place(value: float) -> int:
        return round((value - bottom) / reach * (width - 1)) if reach > 0 else width // 2

    letters = [" "] * width
    begin, end = place(low), place(high)
    letters[begin : end + 1] = "─" * (end + 1 - begin)
    if end > begin:
        letters[begin], letters[end] = "├", "┤"
    letters[place(middle)] = "┿"
    text = "".join(letters)
    if mark is None:
        return (Piece(text, DIM),)
    spot = place(mark)
    return (Piece(text[:spot], DIM), Piece("◆", HIGH), Piece(text[spot + 1 :], DIM))


def number(value: float | None, digits: int = 2) -> str:
    """Return a number in few characters; a dash if there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    for scale, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= scale:
            return f"{value / (1e3 if letter == 'k' else scale):.3g}{letter}" if size < 1e15 else f"{value:.0e}"
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    if size >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}f}" if size >= 10.0**-digits else f"{value:.1g}"


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign."""
    return f"{value:+.{digits}f}"


def mood(share: float) -> str:
    """Return the style of a level: red when low."""
    return BAD if share < LOW else WARN if share < MIDDLE else ""
