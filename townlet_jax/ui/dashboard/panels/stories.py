"""What happened: the narration ticker and the log of events with its filter."""

from townlet_jax.ui.dashboard import words
from townlet_jax.ui.dashboard.block import BAD, DIM, GOOD, HIGH, WARN, Block, Piece, Row, cut, folded, nothing, plain
from townlet_jax.ui.dashboard.look import Look
from townlet_jax.ui.dashboard.model import Record, Town

COLOURS = {
    "queue_conflict": BAD, "utility_outage": BAD, "alert": BAD, "departure": BAD, "relationship_rivalry": BAD,
    "relationship_friendship": GOOD, "shared_meal": GOOD, "personality_event": GOOD, "perturbation": WARN,
    "employment": WARN, "rent": WARN, "operator_story": HIGH,
}  # fmt: skip

BAD_ENDS = ("_fail", "_conflict", "_absent", "_unpaid", "_outage", "_raised", "_removed", "fault", "failure")


def ticker(look: Look, width: int, height: int) -> Block:
    """Show the stories, newest first."""
    town = look.town
    if town is None or not town.stories:
        return Block(nothing(" No story yet."), "Stories")
    rows: list[Row] = []
    for story in reversed(town.stories):
        if len(rows) >= height - 1:
            break
        clock = words.clock(story["tick"], look.model.ticks_per_day)
        style = COLOURS.get(story["category"], "") if story["priority"] else ""
        mark = Piece("! ", BAD) if story["priority"] else Piece("  ")
        lines = folded(story["message"], max(10, width - 2 - len(clock)), style)
        rows.append((mark, Piece(clock, DIM), *lines[0]) if lines else plain(""))
        rows += [(Piece(" " * (2 + len(clock))), *line) for line in lines[1:3]]
    return Block(rows, "Stories", f"{len(town.stories)} told")


def log(look: Look, width: int, height: int) -> Block:
    """Show the events that the filter lets through, newest first."""
    town, wanted = look.town, look.glance.filter
    if town is None:
        return Block(nothing(" No town is watched yet."), "Events")
    found = filtered(town, wanted)
    scroll = min(look.glance.scroll, max(0, len(found) - 1))
    shown = found[: len(found) - scroll][-(height - 1) :] if height > 1 else []
    rows = [_event(look, event, width) for event in reversed(shown)]
    back = f", {scroll} newer ones above" if scroll else ""
    return Block(rows or nothing(" Nothing of this kind yet."), f"Events: {wanted}", f"f filter · {len(found)}{back}")


def filtered(town: Town, wanted: str) -> list[Record]:
    """Return the events of a filter, oldest first."""
    if wanted == "all":
        return list(town.events)
    if wanted == "actions":
        return list(town.actions)
    found = [event for event in town.events if wanted in words.themes_of(event)]
    return sorted([*found, *town.updates], key=lambda event: event["tick"]) if wanted == "ties" else found


def _event(look: Look, event: Record, width: int) -> Row:
    clock = words.clock(event["tick"], look.model.ticks_per_day)
    bad = event["event"].endswith(BAD_ENDS)
    room = width - len(clock) - 2
    return (Piece(f" {clock} ", DIM), Piece(cut(words.sentence(event), room), BAD if bad else ""))
