"""What people feel for each other: a table of all pairs, or the ties of the one in focus."""

import functools

from townlet_jax.ui import signs
from townlet_jax.ui.dashboard import gauges, words
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.block import BOLD, DIM, HIGH, MARKED, Block, Piece, Row, clean, left, nothing, plain
from townlet_jax.ui.dashboard.look import Look
from townlet_jax.ui.dashboard.model import Record, Town
from townlet_jax.ui.dashboard.panels.people import FRIENDS, RIVALS, closest

CELLS = (5, 4)  # columns of a pair: with two decimals, or one
GOOD_INK, BAD_INK = "#a98bf0", "#f05aa8"


def ties(look: Look, width: int, height: int) -> Block:
    """Show the table of all pairs if it fits, else the ties of the one in focus."""
    town = look.town
    if town is None or not town.frame["relationships"]:
        return Block(nothing("Nothing is told of relationships."), "Relationships")
    everybody = [(name, agent) for name, agent in models.people(town) if agent["alive"]]
    churn = town.frame["relationships"]["churn"]
    reasons = ", ".join(f"{name} {amount}" for name, amount in churn["reasons"].items() if amount)
    lost = f"lost {churn['total']}{f' ({reasons})' if reasons else ''}"
    cell = next((cell for cell in CELLS if 11 + cell * len(everybody) <= width), 0)
    if cell and len(everybody) + 2 <= height:
        rows = _table(look, town, everybody, cell)
        rows += _changes(look, town, height - len(rows) - 1)
    else:
        rows = _of_focus(look, town, height - 1)
    return Block(rows, f"Relationships: {look.glance.tie}", f"o other · {lost}")


def _table(look: Look, town: Town, everybody: list[tuple[str, Record]], cell: int) -> list[Row]:
    known = {(tie["owner"], tie["other"]): tie[look.glance.tie] for tie in town.frame["relationships"]["ties"]}
    head = [Piece(left("", 11))]
    head += [Piece(f"{signs.mark(agent['slot']):^{cell}}", _head_style(look, agent)) for _, agent in everybody]
    rows: list[Row] = [head]
    for name, agent in everybody:
        row = [Piece(f" {signs.mark(agent['slot'])} {left(name, 8)}", _head_style(look, agent))]
        for other, _ in everybody:
            value = known.get((name, other))
            text = "·" if name == other else "" if value is None else _short(value, cell - 1)
            row.append(Piece(f"{text:^{cell}}", DIM if value is None else _shade(round(value, 1), look.glance.tie)))
        rows.append(row)
    return rows


def _short(value: float, width: int) -> str:
    """Return a tie in few columns, as `+.94` or `-1.0`."""
    return f"{value:+.2f}".replace("0.", ".", 1)[:width]


def _head_style(look: Look, agent: Record) -> str:
    return MARKED if agent["slot"] == look.glance.slot else BOLD


@functools.lru_cache(maxsize=256)
def _shade(value: float, tie: str) -> str:
    """Return a ground whose strength is that of the tie."""
    ends = BAD_INK if value < 0 or tie == "rivalry" else GOOD_INK
    parts = [int(ends[i : i + 2], 16) for i in (1, 3, 5)]
    share = min(1.0, abs(value))
    ground = "#" + "".join(f"{round(0x22 + (part - 0x22) * share):02x}" for part in parts)
    return f"{'#14181f' if share > 0.7 else '#e8edf7'} on {ground}"


def _changes(look: Look, town: Town, most: int) -> list[Row]:
    """Return the newest changes, most important kind first."""
    if most < 1:
        return []
    others = [event for event in town.events if event["event"].startswith("relationship_")]
    found = sorted([*others, *town.updates], key=lambda event: event["tick"])[-most:]
    day = look.model.ticks_per_day
    return [(Piece(f" {words.hour(event['tick'], day)}", DIM), *_change(event)) for event in reversed(found)]


def _change(event: Record) -> Row:
    kind = event["event"].removeprefix("relationship_")
    row = [Piece(f" {clean(event['owner'])}→{clean(event['other'])} ", ""), Piece(f"{kind} ", DIM)]
    for tie in ("trust", "familiarity", "rivalry"):
        delta = event.get(f"{tie}_delta", 0.0)
        if abs(delta) > 0.001:
            is_good = (delta > 0) != (tie == "rivalry")
            row.append(Piece(f"{tie} {gauges.signed(delta, 3)} ", GOOD_INK if is_good else BAD_INK))
    return row


def _of_focus(look: Look, town: Town, most: int) -> list[Row]:
    focus = look.focus
    if focus is None:
        return nothing("Nobody is in focus.")
    friend, rival = closest(town, focus[0])
    rows: list[Row] = [
        (Piece(f" {clean(focus[0])}: ", BOLD), Piece("♥ ", FRIENDS), Piece(friend[0] if friend else "–"),
         Piece("  ✗ ", RIVALS), Piece(rival[0] if rival else "–"))
    ]  # fmt: skip
    rows.append(plain(f" {left('', 10)} trust  famil  rivalry", DIM))
    own = sorted(models.ties_of(town, focus[0]), key=lambda tie: -abs(tie[look.glance.tie]))
    for tie in own[: max(0, most - 2)]:
        kinds = (
            Piece(f" {tie[kind]:+.2f} ", HIGH if kind == look.glance.tie else "")
            for kind in ("trust", "familiarity", "rivalry")
        )
        rows.append((Piece(f" {left(tie['other'], 10)}"), *kinds))
    if not own:
        rows.append(plain(" knows nobody yet", DIM))
    return rows
