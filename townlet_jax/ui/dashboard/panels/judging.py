"""Is the town well, and may the candidate take over: analysers, promotion window, promotion manager."""

from collections.abc import Mapping
from typing import Any

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
    folded,
    left,
    nothing,
    plain,
    right,
)
from townlet_jax.ui.dashboard.look import Look

COLOURS = {"green": GOOD, "amber": WARN, "red": BAD}
RESULTS = {"pass": GOOD, "fail": BAD}
SEATS = ("release", "shadow", "previous")


def stability(look: Look, width: int, height: int) -> Block:
    """Show alerts, what the analysers measure against their thresholds, and the promotion window."""
    town = look.town
    section: Mapping[str, Any] = town.frame["stability"] if town is not None else {}
    share = _share_in_alert(look)
    note = "" if share is None else f"{share:.0%} of towns in alert"
    if not section:
        return Block(nothing(" No analysers run."), "Stability", note)
    alerts = ", ".join(words.in_words(alert) for alert in section["alerts"])
    rows: list[Row] = [*folded(alerts or "no alert", width, BAD if alerts else GOOD)]
    caption = max(14, min(30, width - 27))
    window = _window(section["promotion_window"], width)
    room = max(0, height - 1 - len(rows) - len(window))
    for name, value in list(section["metrics"].items())[: max(3, room)]:
        style = BAD if name in section["alerts"] else ""
        row = _measured(value, section["thresholds"].get(name), is_alert=name in section["alerts"])
        rows.append((Piece(f" {left(words.in_words(name), caption)}", style), *row))
    return Block([*rows, *window], "Stability", note)


def _measured(value: float, limit: float | None, *, is_alert: bool) -> Row:
    """Return a figure beside its limit; one whose limit is not a number stands alone."""
    if limit is not None and limit < 0:
        return plain(right("off", 8), DIM)
    if not limit:
        return plain(right(gauges.number(value, 3), 8), BAD if is_alert else "")
    share = value / limit
    style = BAD if is_alert else WARN if share >= 0.5 else GOOD
    return (Piece(right(gauges.number(value, 3), 8), style), Piece(f" of {gauges.number(limit, 3)} ", DIM),
            Piece(gauges.bar(share, 8), style))  # fmt: skip


def _window(window: Mapping[str, Any], width: int) -> list[Row]:
    """Return how the promotion window goes, and how the last one went."""
    begin, length = window["window_start"], window["window_ticks"]
    state = Piece("failed", BAD) if window["failed"] else Piece("good so far", GOOD)
    ready = (Piece(", ready", HIGH),) if window["candidate_ready"] else ()
    last = Piece(f"; last: {window['last_result']}", RESULTS.get(window["last_result"], DIM))
    streak = f", passed in a row {window['pass_streak']} of {window['required_passes']}"
    rows: list[Row] = [
        (Piece(f" window {begin:,}–{begin + length - 1:,} ", BOLD), state),
        (Piece(f"   {streak[2:]}"), *ready, last),
    ]
    sums = ", ".join(f"{words.in_words(name)} {gauges.number(value)}" for name, value in window["sums"].items())
    return [*rows, *((Piece("  "), *row) for row in folded(sums, max(10, width - 2), DIM))]


def _share_in_alert(look: Look) -> float | None:
    """Return the share of all towns in which an alert stands; None if it is not told."""
    trouble = look.model.measures[-1].get("stability") if look.model.measures else None
    return float(trouble["any_alert"]) if trouble else None


def promotion(look: Look, width: int, height: int) -> Block:
    """Show the seats, the gate, the key figures of the last window and what happened lately."""
    town = look.town
    section: Mapping[str, Any] = town.frame["promotion"] if town is not None else {}
    if not section:
        return Block(nothing(" Nothing is promoted in this run."), "Promotion")
    ready = f"{section['ready_share']:.0%} of towns ready"
    rows: list[Row] = [
        (Piece(f" {section['state']}", HIGH), Piece(f"  {ready}", GOOD if section["candidate_ready"] else DIM))
    ]
    for seat in SEATS:
        who = section[seat]
        said = "–" if who is None else f"{clean(who['name'])}@{who['step']} {clean(who['policy_hash'])[:8]}"
        rows.append((Piece(f" {left(seat, 9)}", DIM), Piece(said, "" if who else DIM)))
    rows += _gate(section["gate"], width)
    rows += [_canary(name, figure) for name, figure in section["kpis"].items()]
    lately = section["history"][-max(0, height - 1 - len(rows)) :] if height - 1 > len(rows) else ()
    for record in reversed(lately):
        rows.append(plain(f" tick {record.get('tick', '?')}: {words.in_words(str(record.get('event', '?')))}", DIM))
    return Block(rows, "Promotion")


def _gate(gate: Mapping[str, Any] | None, width: int) -> list[Row]:
    if gate is None:
        return [plain(" gate: no candidate", DIM)]
    status = str(gate.get("status", "?"))
    rows: list[Row] = [(Piece(" gate: "), Piece(words.in_words(status), RESULTS.get(status, WARN)))]
    for reason in gate.get("reasons", ()):
        rows += folded(str(reason), width, BAD)
    return rows


def _canary(name: str, figure: Any) -> Row:
    """Return a key figure of the last window in its colour."""
    told = figure if isinstance(figure, Mapping) else {"value": figure}
    value = told.get("value")
    text = gauges.number(value, 3) if isinstance(value, int | float) else "–"
    return (
        Piece(f" {left(words.in_words(name), 26)}"),
        Piece(right(text, 8), COLOURS.get(str(told.get("colour")), DIM)),
    )
