"""The map of the focused town: ground, objects and their queues, people on it.

Owns colours and signs of the map in a terminal. A tile is one or two columns wide; of a map that is larger than its
panel the part around the agent in focus is shown.
"""

import functools
from collections import Counter
from collections.abc import Sequence

from townlet_jax.ui import signs
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.block import DIM, Block, Piece, Row, clean, nothing, plain
from townlet_jax.ui.dashboard.look import Look
from townlet_jax.ui.dashboard.model import Record, Town

COLOURS = {  # ink and ground of a tile by its meaning
    "tree": ("#4f9a4c", "#1e3320"),
    "grass": ("#4a6b40", "#243524"),
    "wall": ("#94867a", "#6d6158"),
    "floor": ("#6a6152", "#38332b"),
    "road": ("#55565c", "#303136"),
    "path": ("#857a5a", "#4a4433"),
    "door": ("#f0c070", "#7a5630"),
    "pond": ("#6aa6d0", "#1f4460"),
    "table": ("#a58a62", "#38332b"),
    "shelf": ("#a58a62", "#38332b"),
    "": ("#565d6b", "#20242c"),  # not told
}
REPEATED = frozenset({"wall", "road", "pond"})  # signs that fill both columns of a wide tile
BLANK = frozenset({"floor", "road", "pond", "wall"})  # the colour of the ground says enough
OBJECT, HELD, CLOSED, QUEUED = "#7fe3e6", "#14181f on #7fe3e6", "#ffffff on #c4161c", "#ffffff on #b0303a"
PLACE = "#e28fd0"  # homes, sites, places
FRIENDLY, HOSTILE, UNKNOWN = "#8f6be8", "#e0218a", "#767d8c"


def ground(look: Look, width: int, height: int) -> Block:
    """Draw the town."""
    town = look.town
    if town is None:
        return Block(nothing("No town is watched yet."), "Map")
    rows, legend = _ground_of(look, town)
    kinds = _kinds(rows, legend)
    wide = 2 if 2 * len(rows[0]) <= width else 1
    left, top, columns, lines = _window(look, rows, width // wide, height - 1)
    over = _over(look, town, kinds, wide)
    part = slice(left, left + columns)
    found = []
    for y in range(top, top + lines):
        upper = tuple((x - left, piece) for x, piece in sorted(over.get(y, {}).items()))
        found.append(_line(rows[y][part], kinds[y][part], upper, wide))
    return Block(found, "Map", _note(look, rows, columns, lines))


def _ground_of(look: Look, town: Town) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the rows of the map and what its signs mean; an open ground if the run does not tell."""
    told = look.model.run.get("ground")
    if told and told["rows"]:
        across = max(map(len, told["rows"]))
        return tuple(row.ljust(across) for row in told["rows"]), tuple(sorted(told["legend"].items()))
    places = [agent["position"] for agent in town.frame["agents"].values()]
    places += [thing["position"] for thing in town.frame["objects"].values()]
    places += [job["site"] for job in town.frame["employment"].get("jobs", {}).values()]
    across = 2 + max((place[0] for place in places), default=0)
    down = 2 + max((place[1] for place in places), default=0)
    return ("·" * across,) * down, (("·", ""),)


@functools.lru_cache(maxsize=8)
def _kinds(rows: tuple[str, ...], legend: tuple[tuple[str, str], ...]) -> tuple[tuple[str, ...], ...]:
    """Return what each tile is as a key of `COLOURS`; under a thing or a mark lies the ground of its neighbours."""
    meanings = dict(legend)
    known = [[meanings.get(sign, "floor") for sign in row] for row in rows]

    def kind(x: int, y: int) -> str:
        if known[y][x] in COLOURS:
            return known[y][x]
        around = ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1))
        beside = [known[j][i] for i, j in around if 0 <= j < len(rows) and 0 <= i < len(rows[0])]
        return "grass" if beside.count("grass") > beside.count("floor") else "floor"

    return tuple(tuple(kind(x, y) for x in range(len(rows[0]))) for y in range(len(rows)))


def _window(look: Look, rows: Sequence[str], columns: int, lines: int) -> tuple[int, int, int, int]:
    """Return left, top, columns and rows of the part that is shown."""
    across, down = len(rows[0]), len(rows)
    columns, lines = min(columns, across), max(0, min(lines, down))
    focus = look.focus
    x, y = focus[1]["position"] if focus else (across // 2, down // 2)
    left = min(max(0, x - columns // 2), across - columns)
    top = min(max(0, y - lines // 2), down - lines)
    return left, top, columns, lines


@functools.lru_cache(maxsize=1024)
def _line(row: str, kinds: tuple[str, ...], over: tuple[tuple[int, Piece], ...], wide: int) -> Row:
    """Return one row of tiles; neighbours of one style are one piece."""
    found: list[Piece] = []
    style, text, upper = "", "", dict(over)
    for x, (sign, kind) in enumerate(zip(row, kinds, strict=True)):
        letters, here = upper.get(x) or _tile(sign, kind, wide)
        if here != style and text:
            found.append(Piece(text, style))
            text = ""
        style, text = here, text + letters
    return (*found, Piece(text, style))


@functools.lru_cache(maxsize=1024)
def _tile(sign: str, kind: str, wide: int) -> Piece:
    ink, paper = COLOURS[kind]
    is_mark = kind in ("floor", "grass") and sign.isalpha()
    letter = " " if kind in BLANK and not is_mark else clean(sign)[:1] or " "
    return Piece(letter * wide if kind in REPEATED else letter.ljust(wide), f"{PLACE if is_mark else ink} on {paper}")


def _over(look: Look, town: Town, kinds: tuple[tuple[str, ...], ...], wide: int) -> dict[int, dict[int, Piece]]:
    """Return what stands on the ground by row and column; people over objects, the one in focus over all."""
    found: dict[int, dict[int, Piece]] = {}
    for thing in town.frame["objects"].values():
        x, y = thing["position"]
        if y < len(kinds) and x < len(kinds[y]):
            found.setdefault(y, {})[x] = _thing(thing, COLOURS[kinds[y][x]][1], wide)
    colours, focus = _colours(look, town), look.focus
    everybody = [entry for entry in models.people(town) if entry[1]["alive"]]
    crowd: Counter[tuple[int, int]] = Counter()
    for name, agent in sorted(everybody, key=lambda entry: focus is not None and entry[0] == focus[0]):
        x, y = agent["position"]
        crowd[x, y] += 1
        is_focus = focus is not None and name == focus[0]
        more = "+" if crowd[x, y] > 1 else ("‹" if is_focus else " ")
        ink = "#ffffff" if signs.is_dark(colours[name]) else "#14181f"
        text = signs.mark(agent["slot"]) + (more if wide == 2 else "")
        style = f"bold{' underline' if is_focus else ''} {ink} on {colours[name]}"
        found.setdefault(y, {})[x] = Piece(text, style)
    return found


def _thing(thing: Record, paper: str, wide: int) -> Piece:
    waiting = len(thing["queue"])
    letter = (clean(thing["type"])[:1] or "?").lower()
    if thing["closed"]:
        style = CLOSED
    elif waiting:
        style = QUEUED
    else:
        style = HELD if thing["holder"] is not None else f"{OBJECT} on {paper}"
    return Piece((letter + (str(min(waiting, 9)) if waiting else " "))[:wide], f"bold {style}")


def _colours(look: Look, town: Town) -> dict[str, str]:
    """Return the colour of everybody: by the lowest need, or by what the one in focus feels."""
    everybody = town.frame["agents"]
    focus = look.focus
    if look.glance.overlay == "needs" or focus is None:
        return {name: signs.level_colour(min(agent["needs"].values())) for name, agent in everybody.items()}
    ties = {tie["other"]: tie for tie in models.ties_of(town, focus[0])}
    found = {}
    for name in everybody:
        tie = ties.get(name)
        value = 0.0
        if tie is not None:
            value = tie["rivalry"] if look.glance.overlay == "rivals" else (tie["trust"] + tie["familiarity"]) / 2
        ends = HOSTILE if value < 0 or look.glance.overlay == "rivals" else FRIENDLY
        found[name] = "#f3dd9c" if name == focus[0] else _between(UNKNOWN, ends, min(1.0, abs(value) * 1.5))
    return found


@functools.lru_cache(maxsize=512)
def _between(begin: str, end: str, share: float) -> str:
    pairs = ((int(begin[i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _note(look: Look, rows: Sequence[str], columns: int, lines: int) -> str:
    part = "" if (columns, lines) == (len(rows[0]), len(rows)) else f"part of {len(rows[0])}x{len(rows)} · "
    focus = look.focus
    whose = f"{look.glance.overlay} of {clean(focus[0])}" if focus and look.glance.overlay != "needs" else "lowest need"
    return f"{part}colour: {whose}"


def legend(look: Look, width: int, height: int) -> Block:
    """Say what the colours and signs of the map mean."""
    del look, width, height
    steps = tuple(Piece("  ", f"on {colour}") for colour in signs.LEVELS)
    row = (Piece("low ", DIM), *steps, Piece(" full  ", DIM), Piece("b", f"bold {HELD}"), Piece(" in use ", DIM))
    more = (Piece("b", f"bold {QUEUED}"), Piece(" queue ", DIM), Piece("b", f"bold {CLOSED}"), Piece(" closed", DIM))
    return Block([plain(""), (*row, *more)][1:])
