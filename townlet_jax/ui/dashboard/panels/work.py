"""Work, money, utilities and the events of the town."""

from townlet_jax.ui.dashboard import gauges, words
from townlet_jax.ui.dashboard.block import (
    BAD,
    BOLD,
    DIM,
    GOOD,
    HIGH,
    WARN,
    Block,
    Piece,
    Row,
    clean,
    left,
    nothing,
    plain,
    right,
)
from townlet_jax.ui.dashboard.look import Look

PHASES = {"on_time": GOOD, "late": BAD, "absent": BAD, "await": WARN}


def employment(look: Look, width: int, height: int) -> Block:
    """Show jobs with who is at work, everybody's shift, and the exit queue."""
    town = look.town
    if town is None or not town.frame["employment"]:
        return Block(nothing("Nothing is told of work."), "Employment")
    section, day = town.frame["employment"], look.model.ticks_per_day
    rows: list[Row] = []
    for name, job in section["jobs"].items():
        hours = f"{words.hour(job['start'], day)}–{words.hour(job['end'] + 1, day)}"
        row = [Piece(f" {left(words.in_words(name), 9)}", BOLD), Piece(f" {hours} ", DIM)]
        for caption, style in (("on_shift", GOOD), ("late", WARN), ("absent", BAD)):
            if job[caption]:
                row.append(Piece(f" {words.in_words(caption)}: {', '.join(job[caption])}", style))
        rows.append(row)
    exits = section["exit_queue"]
    rows.append(plain(f" {left('', 9)} {left('shift', 8)}  attend late absent earned", DIM))
    room = max(0, height - len(rows) - 2)
    for name, work in list(section["agents"].items())[:room]:
        style = PHASES.get(work["phase"], "")
        pending = Piece(" has to go", BAD) if work["exit_pending"] else Piece("")
        figures = f" {work['attendance_ratio']:6.0%} {work['late_shifts']:4} {work['absent_shifts']:6} "
        money = f"{right(gauges.number(work['earned']), 6)}"
        rows.append(
            (Piece(f" {left(name, 9)} "), Piece(left(words.in_words(work["phase"]), 8), style),
             Piece(figures), Piece(money, HIGH), pending)
        )  # fmt: skip
    asked = ", ".join(clean(entry["agent"]) for entry in exits["pending"])
    cap = f" of {exits['cap']}" if exits["cap"] else ""
    said = f" exits today {exits['exits_today']}{cap}; waiting: {asked or 'nobody'}"
    rows.append(plain(said, BAD if asked else DIM))
    del width
    amount = len(section["agents"])
    return Block(rows, "Employment", f"{min(room, amount)} of {amount}" if room < amount else "")


def economy(look: Look, width: int, height: int) -> Block:
    """Show prices, basket, stock, deliveries, money and utilities."""
    town = look.town
    if town is None or not town.frame["economy"]:
        return Block(nothing("Nothing is told of the economy."), "Economy")
    section = town.frame["economy"]
    rows: list[Row] = [_utilities(town.frame["utilities"])]
    wallets = section["wallets"]
    rows.append(
        (Piece(" coins ", DIM), Piece(f"{gauges.number(wallets['min'])} – {gauges.number(wallets['mean'])} – "),
         Piece(gauges.number(wallets["max"])), Piece(f"  gini {wallets['gini']:.3f}", DIM))
    )  # fmt: skip
    rent = f"  rent {gauges.number(section['rent_per_day'])} a day" if section["rent_per_day"] else "  no rent"
    rows.append((Piece(" basket ", DIM), Piece(gauges.number(section["basket_cost"])), Piece(rent)))
    stock = ", ".join(f"{words.in_words(good)} {gauges.number(amount, 0)}" for good, amount in section["stock"].items())
    rows.append((Piece(" stock  ", DIM), Piece(stock)))
    half = max(20, (width - 1) // 2)
    across = 2 if len(section["prices"]) > max(1, height - len(rows) - 1 - len(section["restock"])) else 1
    prices = [_price(name, price, half) for name, price in section["prices"].items()]
    rows += [
        tuple(piece for entry in prices[begin : begin + across] for piece in entry)
        for begin in range(0, len(prices), across)
    ]
    for row in section["restock"][: max(0, height - len(rows) - 1)]:
        left_over = max(0, row["next_tick"] - town.tick)
        said = f" {words.in_words(row['type'])}: {gauges.number(row['amount'], 0)} {words.in_words(row['good'])}"
        rows.append(plain(f"{said} in {left_over} ticks", DIM))
    return Block(rows, "Economy and utilities")


def _utilities(utilities: dict[str, bool]) -> Row:
    row = [Piece(" ")]
    for name, is_on in utilities.items():
        row.append(Piece(f"{words.in_words(name)} {'on' if is_on else 'OFF'}  ", GOOD if is_on else BAD))
    return row


def _price(name: str, price: dict[str, float], width: int) -> Row:
    is_high = price["factor"] > 1
    factor = f" x{price['factor']:.2f}" if price["factor"] != 1 else ""
    now = Piece(left(f"{price['now']:.2f}{factor}", max(6, width - 15)), BAD if is_high else HIGH)
    return (Piece(f" {left(words.in_words(name), 13)} "), now)


def perturbations(look: Look, width: int, height: int) -> Block:
    """Show what happens to the town now, what is ordered, and what rests."""
    town = look.town
    if town is None or not town.frame["perturbations"]:
        return Block(nothing("Nothing is told of events."), "Events of the town")
    section = town.frame["perturbations"]
    rows: list[Row] = []
    for event in section["active"]:
        left_over = max(0, event["ends_at"] - town.tick)
        total = max(1, event["ends_at"] - event["started_at"])
        rows.append(
            (Piece(f" {left(words.in_words(event['spec']), 16)}", WARN), *gauges.level(left_over / total, 8),
             Piece(f" {left_over} ticks left", DIM))
        )  # fmt: skip
        rows.append(plain(f"   {_effect(event)}"))
    rows += [
        plain(f" {words.in_words(event['spec'])} in {max(0, event['starts_at'] - town.tick)} ticks", HIGH)
        for event in section["queued"]
    ]
    if not rows:
        rows.append(plain(" nothing special happens", DIM))
    rests = ", ".join(f"{words.in_words(name)} {ticks}" for name, ticks in section["cooldowns"].items())
    rows.append(plain(f" not again for (ticks): {rests}" if rests else " anything may happen next", DIM))
    del width, height
    return Block(rows, "Events of the town")


def _effect(event: dict[str, object]) -> str:
    """Say what a running event does."""
    members, prices = event["members"], event["prices"]
    if isinstance(members, list) and members:
        return f"{', '.join(clean(str(name)) for name in members)} are called"
    if isinstance(prices, list) and prices:
        return f"x {float(str(event['factor'])):.2f}: {', '.join(words.in_words(str(name)) for name in prices)}"
    if event["utility"]:
        return f"no {words.in_words(str(event['utility']))}"
    closed = f"{words.in_words(str(event['object']))} is closed"
    return closed if event["object"] else words.in_words(str(event["kind"]))
