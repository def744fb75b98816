"""Everybody at a glance: cards, or a line each where there is little room; and the one in focus at length."""

from townlet_jax.ui import signs
from townlet_jax.ui.dashboard import gauges, words
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.block import (
    BAD,
    BOLD,
    DIM,
    GOOD,
    HIGH,
    MARKED,
    WARN,
    Block,
    Piece,
    Row,
    beside,
    clean,
    folded,
    left,
    nothing,
    plain,
    spread,
)
from townlet_jax.ui.dashboard.look import Look
from townlet_jax.ui.dashboard.model import Record, Town

CARD_WIDTH, CARD_ROWS = 33, 5
LINE_HEAD = 13  # columns of mark and name
COLUMNS = (("doing", 22, 8), ("coins", 7, 7), ("job", 10, 10), ("friend", 10, 10), ("rival", 10, 10))  # wanted, least
FRIENDS, RIVALS = "#a98bf0", "#f05aa8"
SUMS = frozenset({"total", "homeostasis", "work", "social", "clip_adjustment"})  # of a reward: no terms
KNOWN = 0.01  # a tie weaker than this is not shown


def cards(look: Look, width: int, height: int) -> Block:
    """Show everybody: cards if most of them fit, else lines."""
    town = look.town
    if town is None or not town.frame["agents"]:
        return Block(nothing("Nobody is watched yet."), "People")
    everybody = models.people(town)
    across = max(1, width // CARD_WIDTH)
    down = (height - 1) // CARD_ROWS
    alive = sum(agent["alive"] for _, agent in everybody)
    note = f"{alive} of {len(everybody)} live here"
    if across * down * 2 <= len(everybody) or down < 1:
        return Block(_lines(look, town, everybody, width, height - 1), "People", note)
    shown = _window(look, everybody, across * down)
    card = (width - across + 1) // across
    rows: list[Row] = []
    for begin in range(0, len(shown), across):
        made = [(_card(look, town, name, agent, card), card) for name, agent in shown[begin : begin + across]]
        rows += beside(made)
    return Block(rows, "People", note)


def _window(look: Look, everybody: list[tuple[str, Record]], amount: int) -> list[tuple[str, Record]]:
    """Return so many of them, the one in focus among them."""
    focus = next((i for i, (_, agent) in enumerate(everybody) if agent["slot"] == look.glance.slot), 0)
    begin = max(0, min(focus - amount // 2, len(everybody) - amount))
    return everybody[begin : begin + amount]


def _badge(look: Look, name: str, agent: Record) -> Row:
    """Return the mark with the colour of the lowest need, and the name."""
    colour = signs.level_colour(min(agent["needs"].values())) if agent["alive"] else "#555555"
    ink = "#ffffff" if signs.is_dark(colour) else "#14181f"
    style = MARKED if agent["slot"] == look.glance.slot else BOLD
    possessed = (Piece(" driven", WARN),) if agent["possessed"] else ()
    mark = Piece(f" {signs.mark(agent['slot'])} ", f"bold {ink} on {colour}")
    return (mark, Piece(" "), Piece(clean(name), style if agent["alive"] else DIM), *possessed)


def _card(look: Look, town: Town, name: str, agent: Record, width: int) -> list[Row]:
    """Return the card of somebody: five rows."""
    doing = words.occupation(agent, _is_on_shift(town, name))
    coins = Piece(f"{gauges.number(agent['wallet'])} coins", HIGH)
    rows: list[Row] = [spread(_badge(look, name, agent), (coins,), width)]
    if not agent["alive"]:
        return [*rows, plain("   away", DIM), plain(""), plain(""), plain("")]
    rows.append((Piece("   "), Piece(left(doing, width - 3))))
    rows.append(_needs(town, name, agent, width))
    rows.append(_ties_and_work(town, name, agent))
    event = town.last_event.get(name)
    said = f"{words.hour(event['tick'], look.model.ticks_per_day)} {words.sentence(event)}" if event else "–"
    rows.append((Piece("   "), Piece(left(said, width - 3), DIM)))
    return rows


def _needs(town: Town, name: str, agent: Record, width: int) -> Row:
    """Return a bar with its curve for each need."""
    needs = agent["needs"]
    room = max(4, (width - 3) // max(1, len(needs)))
    gauge = max(2, (room - 4) // 2)
    row: list[Piece] = [Piece("   ")]
    for need, share in needs.items():
        series = [sample.agents[name]["needs"][need] for sample in town.past if name in sample.agents]
        shape = gauges.curve([*series, share], max(0, room - 4 - gauge), 0.0, 1.0)
        row += [Piece(f"{need[:2]} ", gauges.mood(share) or DIM), *gauges.level(share, gauge)]
        row += [Piece(shape, gauges.mood(share) or DIM), Piece(" ")]
    return row


def _ties_and_work(town: Town, name: str, agent: Record) -> Row:
    work = town.frame["employment"].get("agents", {}).get(name)
    job = words.in_words(agent["job"]) if agent["job"] else "no job"
    attendance = f" {work['attendance_ratio']:.0%}" if work is not None and agent["job"] else ""
    friend, rival = closest(town, name)
    row = [Piece("   "), Piece(f"{job}{attendance}", _mood(work)), Piece("  ")]
    row += [Piece("♥ ", FRIENDS), Piece(f"{friend[0] if friend else '–'}  ", "" if friend else DIM)]
    row += [Piece("✗", RIVALS), Piece(f" {rival[0] if rival else '–'}", "" if rival else DIM)]
    return row


def _mood(work: Record | None) -> str:
    if work is None:
        return DIM
    if work["phase"] in ("late", "absent") or work["exit_pending"]:
        return BAD
    return GOOD if work["on_shift"] else ""


def _is_on_shift(town: Town, name: str) -> bool:
    work = town.frame["employment"].get("agents", {}).get(name)
    return bool(work and work["on_shift"])


def closest(town: Town, name: str) -> tuple[tuple[str, float] | None, tuple[str, float] | None]:
    """Return the best friend and the worst rival with the strength of the tie; None where there is nobody."""
    ties = models.ties_of(town, name)
    warmth = [((tie["trust"] + tie["familiarity"]) / 2, tie["other"]) for tie in ties]
    grudge = [(tie["rivalry"], tie["other"]) for tie in ties]
    best, worst = max(warmth, default=(0.0, "")), max(grudge, default=(0.0, ""))
    friend = (clean(best[1]), best[0]) if best[0] > KNOWN else None
    return friend, (clean(worst[1]), worst[0]) if worst[0] > KNOWN else None


def _lines(look: Look, town: Town, everybody: list[tuple[str, Record]], width: int, height: int) -> list[Row]:
    """Return a line for each: mark, name, needs, and as many of `COLUMNS` as fit."""
    needs = list(everybody[0][1]["needs"])
    gauge = 3 if width < 50 else 6
    room = width - LINE_HEAD - len(needs) * (gauge + 1)
    columns = []
    for caption, wanted, least in COLUMNS:
        if room >= least:
            columns.append((caption, min(wanted, room)))
            room -= min(wanted, room)
    head = [Piece(left("", LINE_HEAD), DIM), *(Piece(left(need[:gauge], gauge + 1), DIM) for need in needs)]
    rows: list[Row] = [[*head, *(Piece(left(caption, size), DIM) for caption, size in columns)]]
    for name, agent in _window(look, everybody, height - 1):
        badge = _badge(look, name, agent)
        row: list[Piece] = [badge[0], Piece(" "), Piece(left(name, LINE_HEAD - 5), badge[2].style), Piece(" ")]
        if not agent["alive"]:
            rows.append([*row, Piece("away", DIM)])
            continue
        for need in needs:
            row += [*gauges.level(agent["needs"][need], gauge), Piece(" ")]
        told = _told(town, name, agent)
        rows.append([*row, *(Piece(left(told[caption][0], size), told[caption][1]) for caption, size in columns)])
    return rows


def _told(town: Town, name: str, agent: Record) -> dict[str, tuple[str, str]]:
    """Return the texts of the columns with their styles."""
    friend, rival = closest(town, name)
    work = town.frame["employment"].get("agents", {}).get(name)
    return {
        "doing": (words.occupation(agent, _is_on_shift(town, name)), ""),
        "coins": (f"{gauges.number(agent['wallet'], 1):>5}", HIGH),
        "job": (words.in_words(agent["job"] or "no job"), _mood(work)),
        "friend": (f"♥ {friend[0] if friend else '–'}", FRIENDS if friend else DIM),
        "rival": (f"✗ {rival[0] if rival else '–'}", RIVALS if rival else DIM),
    }


def person(look: Look, width: int, height: int) -> Block:
    """Show the one in focus at length."""
    town, focus = look.town, look.focus
    if town is None or focus is None:
        return Block(nothing("Nobody is in focus."), "In focus")
    name, agent = focus
    rows: list[Row] = [
        (*_badge(look, name, agent), Piece(f"  {words.occupation(agent, _is_on_shift(town, name))}")),
        *_facts(look, town, name, agent, width),
        *_levels(town, name, agent, width),
        *_reward(town, name, width),
    ]
    rows += _recent(look, town, name, max(0, height - 1 - len(rows)))
    return Block(rows, f"In focus: {clean(name)}", "[ ] other agent")


def _facts(look: Look, town: Town, name: str, agent: Record, width: int) -> list[Row]:
    traits = ", ".join(f"{trait} {gauges.signed(value, 1)}" for trait, value in agent["traits"].items())
    work = town.frame["employment"].get("agents", {}).get(name)
    age = agent["age_ticks"] / look.model.ticks_per_day
    home, profile = words.in_words(agent["home"]), words.in_words(agent["profile"])
    rows = [*folded(f"{profile}, {age:.1f} days here, lives in {home}", width), *folded(traits, width, DIM)]
    if agent["job"] and work is not None:
        said = f"{words.in_words(agent['job'])}: {words.in_words(work['phase'])}, attendance "
        said += f"{work['attendance_ratio']:.0%}, late {work['late_shifts']}, absent {work['absent_shifts']}, "
        rows += folded(f"{said}earned {gauges.number(work['earned'])}", width, _mood(work))
    option = f"option {words.in_words(agent['option'])}, " if agent["option"] else ""
    action = agent["action"]
    goals = " ".join(words.in_words(action[key]) for key in ("affordance", "object", "target") if action[key])
    result = "" if action["ok"] else f" (no: {words.in_words(action['reason'])})"
    return [*rows, *folded(f"{option}asks to {words.in_words(action['kind'])} {goals}{result}", width)]


def _levels(town: Town, name: str, agent: Record, width: int) -> list[Row]:
    rows: list[Row] = []
    for need, share in agent["needs"].items():
        series = [sample.agents[name]["needs"][need] for sample in town.past if name in sample.agents]
        shape = gauges.curve([*series, share], max(0, width - 33), 0.0, 1.0)
        row = [Piece(f" {left(need, 9)}"), *gauges.level(share, 14), Piece(f" {share:4.0%} ", gauges.mood(share))]
        rows.append([*row, Piece(shape, DIM)])
    return rows


def _reward(town: Town, name: str, width: int) -> list[Row]:
    reward = town.frame["rewards"].get(name)
    if reward is None:
        return []
    parts = [key for key, value in reward.items() if isinstance(value, float) and value and key not in SUMS]
    terms = ", ".join(f"{words.in_words(key)} {gauges.signed(reward[key], 3)}" for key in parts)
    return folded(f"reward {gauges.signed(reward['total'], 3)}: {terms or 'no term'}", width)


def _recent(look: Look, town: Town, name: str, most: int) -> list[Row]:
    """Return the newest events that somebody took part in."""
    own = [event for event in town.events if any(event.get(role) == name for role in models.ACTORS)]
    day = look.model.ticks_per_day
    shown = own[-most:][::-1] if most else []
    return [(Piece(f" {words.hour(event['tick'], day)} ", DIM), Piece(words.sentence(event))) for event in shown]
