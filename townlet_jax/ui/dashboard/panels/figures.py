"""Key figures of the focused town with their trend, the spread over all towns, and conflict."""

from collections.abc import Mapping
from typing import Any

from townlet_jax.ui.dashboard import gauges, words
from townlet_jax.ui.dashboard.block import BAD, BOLD, DIM, HIGH, Block, Piece, Row, left, nothing, plain, right
from townlet_jax.ui.dashboard.look import Look

SERIES = {  # of the history: caption, and whether more of it is worse
    "queue_conflict_intensity": ("conflict intensity", True),
    "employment_lateness": ("lateness", True),
    "late_help_events": ("late help", False),
    "queue_rotation_events": ("queue rotations", True),
    "queue_ghost_step_events": ("ghost steps", True),
    "need_min": ("lowest need", False),
}
SAMPLED = {  # measures of the frames kept: caption, digits, whether more of it is worse
    "alive": ("living agents", 0, False),
    "wallet_mean": ("coins, mean", 2, False),
    "wallet_gini": ("coins, gini", 3, True),
    "queue_length_mean": ("queue length", 2, True),
    "basket_cost": ("basket cost", 2, True),
    "reward_mean": ("reward", 3, False),
    "trust_mean": ("trust", 3, False),
    "rivalry_mean": ("rivalry", 3, True),
    "known_ties": ("known ties", 0, False),
}
OVER_TOWNS = {  # of the report: caption, and where the watched town's own value is found in its measures
    "alive": ("living agents", ("alive",)),
    "wallet_mean": ("coins, mean", ("wallet_mean",)),
    "wallet_gini": ("coins, gini", ("wallet_gini",)),
    "hunger_mean": ("hunger", ("need_mean", "hunger")),
    "hygiene_mean": ("hygiene", ("need_mean", "hygiene")),
    "energy_mean": ("energy", ("need_mean", "energy")),
    "queue_length": ("queue length", ("queue_length_mean",)),
    "basket_cost": ("basket cost", ("basket_cost",)),
    "reward_mean": ("reward", ("reward_mean",)),
    "trust_mean": ("trust", ("trust_mean",)),
    "rivalry_mean": ("rivalry", ("rivalry_mean",)),
    "known_ties": ("known ties", ("known_ties",)),
    "active_perturbations": ("events", ("active_perturbations",)),
    "punctuality": ("punctuality", ()),
    "solvency": ("solvency", ()),
    "chats_ok_per_agent_day": ("chats /day", ()),
    "conflicts_per_agent_day": ("conflicts /day", ()),
    "ghost_steps_per_agent_day": ("ghost steps /day", ()),
    "late_starts_per_agent_day": ("late starts /day", ()),
    "absences_per_agent_day": ("absences /day", ()),
    "exits_faint_per_agent_day": ("faints /day", ()),
    "coins_spent_per_agent_day": ("spent /day", ()),
    "wages_paid_per_agent_day": ("wages /day", ()),
}
CAPTION, NARROW = 18, 50


def kpis(look: Look, width: int, height: int) -> Block:
    """Show the figures of the town: now, trend, curve."""
    town = look.town
    section: Mapping[str, Any] = town.frame["kpis"] if town is not None else {}
    if town is None or not section:
        return Block(nothing("No figures are told."), "Figures")
    history, rows = section.get("history", {}), []
    for key, (caption, is_bad_up) in SERIES.items():
        if history.get(key):
            rows.append(_row(caption, history[key], 2, is_bad_up, width))
    for key, (caption, digits, is_bad_up) in SAMPLED.items():
        series = [sample.measures[key] for sample in town.past if key in sample.measures]
        if key in section.get("measures", {}):
            rows.append(_row(caption, [*series, section["measures"][key]], digits, is_bad_up, width))
    del height
    return Block(rows, "Figures", "now, trend, before")


def _row(caption: str, series: list[float], digits: int, is_bad_up: bool, width: int) -> Row:
    now = right(gauges.number(series[-1], digits), 8)
    shape = gauges.curve(series, max(0, min(50, width - CAPTION - 12)))
    return (Piece(f" {left(caption, CAPTION)}"), Piece(now, BOLD), Piece(" "), gauges.trend(series, is_bad_up),
            Piece(f" {shape}", DIM))  # fmt: skip


def distribution(look: Look, width: int, height: int) -> Block:
    """Show how the figures of all towns are spread, and where the watched one stands."""
    if not look.model.measures:
        return Block(nothing("No chunk of all towns is told yet."), "All towns")
    last, town = look.model.measures[-1], look.town
    own = town.frame["kpis"].get("measures", {}) if town is not None else {}
    caption_room, digits = (CAPTION, 8) if width >= NARROW else (13, 7)
    room = max(6, width - caption_room - 2 * digits - 4)
    head = f" {left('', caption_room)}{right('town', digits)}{right('median', digits)}  5 % to 95 %"
    rows: list[Row] = [plain(head, DIM)]
    for key, (caption, path) in OVER_TOWNS.items():
        figure = last["kpis"].get(key)
        if figure is None or len(rows) > height - 2:
            continue
        here = _at(own, path)
        values = (
            Piece(f" {left(caption, caption_room)}"),
            Piece(right("" if here is None else gauges.number(here), digits), HIGH),
            Piece(right(gauges.number(figure["p50"]), digits)),
        )
        rows.append((*values, Piece("  "), *_spread(figure, here, room)))
    ticks = f"{last['first_tick']:,}–{last['last_tick']:,}"
    return Block(rows, f"All {last['towns']:,} towns", f"ticks {ticks}")


def _spread(figure: Mapping[str, float | None], here: float | None, room: int) -> Row:
    low, middle, high = figure["p5"], figure["p50"], figure["p95"]
    if low is None or middle is None or high is None:
        return plain("no meaning yet", DIM)
    return gauges.strip(low, middle, high, here, room)


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if path and isinstance(found, int | float) else None


def conflict(look: Look, width: int, height: int) -> Block:
    """Show queues under pressure, quarrels, rivals and who avoids whom."""
    town = look.town
    if town is None or not town.frame["conflict"]:
        return Block(nothing("Nothing is told of conflict."), "Conflict")
    section, queues = town.frame["conflict"], town.frame["queue_metrics"]
    counters = [
        Piece(f" {words.in_words(name).removesuffix(' events')} {value['total']}{_more(value['increment'])} ")
        for name, value in queues.items()
    ]
    waiting = [(name, thing) for name, thing in town.frame["objects"].items() if thing["queue"]]
    lines = sorted(waiting, key=lambda entry: -len(entry[1]["queue"]))[:3]
    rows: list[Row] = [counters]
    for name, thing in lines:
        people = ", ".join(f"{place['agent']} {place['wait']}" for place in thing["queue"])
        rows.append((Piece(f" {words.in_words(name)}: ", BOLD), Piece(f"{thing['holder'] or 'free'} ← {people}")))
    if not lines:
        rows.append(plain(" nobody waits in line", DIM))
    rivals = sorted(section["rivalry_top"], key=lambda tie: -tie["rivalry"])[:4]
    said = "  ".join(f"{tie['owner']}→{tie['other']} {tie['rivalry']:.2f}" for tie in rivals)
    rows.append((Piece(" rivals  ", DIM), Piece(said or "none", "" if said else DIM)))
    avoided = "  ".join(f"{pair['owner']}→{pair['other']}" for pair in section["avoided"])
    rows.append((Piece(" avoids  ", DIM), Piece(avoided or "nobody anybody", BAD if avoided else DIM)))
    quarrels = [event for event in town.events if event["event"] == "queue_conflict"][-max(0, height - len(rows) - 1) :]
    day = look.model.ticks_per_day
    for event in reversed(quarrels):
        strength = f" {event['intensity']:.2f}" if "intensity" in event else ""
        rows.append((Piece(f" {words.hour(event['tick'], day)} ", DIM), Piece(words.sentence(event) + strength)))
    del width
    return Block(rows, "Conflict", f"intensity {section['intensity_sum']:.2f}")


def _more(increment: int) -> str:
    return f" (+{increment})" if increment else ""
