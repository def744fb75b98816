"""The recordings of the original Townlet: reading them, and telling them cell by cell.

Owns the recorded side of the comparison. A cell is `(field, subject)`; its value is a number, a name, a flag or a
tuple. What the original says in words of its own is told in the words of this simulator, nothing is computed.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
NAMES = (
    "s01_need_decay", "s02_queue_ghost_step", "s02c_queue_handover_release", "s04_work_shift",
    "s05_rivalry_build_decay", "s06_chat", "s07_perturbations_manual", "s08_termination_respawn",
)  # fmt: skip

PRICES = {
    "meal_cost": "meal", "ingredients_cost": "ingredients", "cook_energy_cost": "cook_energy",
    "cook_hygiene_cost": "cook_hygiene",
}  # fmt: skip
PHASES = {
    "idle": "IDLE", "await_start": "AWAIT", "on_time": "ON_TIME", "late": "LATE", "absent": "ABSENT",
    "post_shift": "POST",
}  # fmt: skip
SHIFT_FLAGS = {
    "WAS_ON_TIME": "ever_on_time", "FINED": "late_penalty_applied", "LATE_TOLD": "late_event_emitted",
    "HELPED": "late_help_event_emitted", "ABSENT_FINED": "absence_penalty_applied",
    "ABSENT_TOLD": "absence_event_emitted", "TAKEN": "took_shift_event_emitted",
    "DEPARTED_TOLD": "departure_event_emitted",
}  # fmt: skip
REASONS = {"faint": "FAINT", "eviction": "EVICTION_JOB"}
ROUTES = {"manual_approve": "MANUAL"}
TERMS = (
    "survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage", "punctuality",
    "shaping", "homeostasis", "work", "social", "clip_adjustment",
)  # fmt: skip
COUNTERS = {
    "meals_cooked": "MEALS_COOKED", "meals_consumed": "MEALS_CONSUMED", "wages_earned": "WAGE_TICKS",
    "showers_started": "SHOWERS_STARTED", "showers_taken": "SHOWERS_TAKEN",
}  # fmt: skip
METRICS = {"cooldown_events": "cooldown_events", "ghost_steps": "ghost_step_events", "rotations": "rotation_events"}
GOODS = ("meals", "raw_ingredients")
SPECS = (
    "price_spike", "price_spike_2", "grocer_spike", "blackout", "outage", "meet_cafe", "meet_shower",
)  # fmt: skip
TOLERANCE = 1e-5
TICKS_PER_DAY = 1440

Cell = tuple[str, str]
Cells = dict[Cell, Any]


@dataclass(frozen=True)
class Recording:
    """One run of the original: its header and its ticks, the first is tick 1."""

    name: str
    header: dict[str, Any]
    ticks: tuple[dict[str, Any], ...]

    @property
    def agents(self) -> tuple[str, ...]:
        """Return the agents of the start, in slot order."""
        return tuple(self.header["initial"]["agents"])

    @property
    def objects(self) -> tuple[str, ...]:
        """Return the objects."""
        return tuple(self.header["initial"]["objects"])

    def at(self, tick: int) -> dict[str, Any]:
        """Return the line of a tick; tick 0 is the start."""
        return self.ticks[tick - 1] if tick > 0 else self.header["initial"]


def same(one: Any, other: Any) -> bool:
    """Compare two cells: amounts to the tolerance, everything else exactly."""
    if isinstance(one, int | float) and isinstance(other, int | float) and float in (type(one), type(other)):
        return abs(one - other) <= TOLERANCE
    return bool(one == other)


def read(name: str) -> Recording:
    """Read one recording from the folder beside this file."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        header, *ticks = (json.loads(line) for line in lines)
    if header["scenario"] != name or [line["tick"] for line in ticks] != list(range(1, header["ticks"] + 1)):
        raise ValueError(f"{name}: the recording must carry its own name and every tick once, in order")
    return Recording(name, header, tuple(ticks))


def recorded_cells(recording: Recording, tick: int) -> Cells:
    """Tell what the original was like at the end of a tick, before anybody was taken out."""
    line = recording.at(tick)
    cells: Cells = {}
    for agent, entry in line["agents"].items():
        cells |= dict(_agent(agent, entry))
        cells |= dict(_employment(agent, entry["job"]))
        cells |= dict(_reward(agent, line))
    for name in recording.objects:
        cells |= dict(_object(name, line, tick, recording))
    cells |= dict(_ties(tuple(line["agents"]), line))
    cells |= dict(_town(line))
    cells |= dict(_events(line["events"]))
    return cells


def _agent(agent: str, entry: dict[str, Any]) -> Iterator[tuple[Cell, Any]]:
    yield ("position", agent), tuple(entry["position"])
    yield ("home", agent), tuple(entry["home_position"])
    for need, level in entry["needs"].items():
        yield (f"needs.{need}", agent), level
    yield ("wallet", agent), entry["wallet"]
    yield ("profile", agent), entry["profile"]
    yield ("traits", agent), tuple(entry["traits"])
    kind, ok, ticks = entry["last_action"]
    yield ("last_action.kind", agent), "wait" if kind == "noop" else kind
    yield ("last_action.ok", agent), ok
    yield ("last_action.ticks", agent), ticks
    yield ("episode_tick", agent), entry["episode_tick"]
    for key, counter in COUNTERS.items():
        yield (f"count.{counter}", agent), entry["inventory"].get(key, 0)


def _employment(agent: str, job: dict[str, Any]) -> Iterator[tuple[Cell, Any]]:
    shift = job["ctx"]
    yield ("job", agent), job["job_id"]
    yield ("phase", agent), PHASES[job["shift_state"]]
    yield ("on_shift", agent), job["on_shift"]
    yield ("late_shifts", agent), job["lateness_counter"]
    yield ("late_today", agent), job["late_ticks_today"]
    yield ("attendance_ratio", agent), job["attendance_ratio"]
    yield ("absent_shifts", agent), job["absent_shifts_7d"]
    yield ("withheld", agent), job["wages_withheld"]
    yield ("exit_pending", agent), job["exit_pending"]
    yield ("shift.paid", agent), shift["wages_paid"]
    yield ("shift.late_ticks", agent), shift["late_ticks"]
    yield ("shift.on_time_ticks", agent), shift["on_time_ticks"]
    yield ("shift.start_tick", agent), shift["shift_started_tick"]
    yield ("shift.last_present_tick", agent), shift["last_present_tick"]
    yield ("shift.samples", agent), tuple(round(sample, 5) for sample in shift["attendance_samples"])
    yield ("absence_days", agent), tuple(tick // TICKS_PER_DAY for tick in shift["absence_events"])
    for flag, key in SHIFT_FLAGS.items():
        yield (f"flag.{flag}", agent), shift[key]


def _reward(agent: str, line: dict[str, Any]) -> Iterator[tuple[Cell, Any]]:
    terms = line["reward_breakdown"][agent]
    yield ("reward.total", agent), line["rewards"][agent]
    yield ("reward.terminal", agent), terms["terminal_penalty"]
    yield ("reward.guard", agent), terms["guardrail_active"]
    for term in TERMS:
        yield (f"reward.{term}", agent), terms[term]
    yield ("terminated", agent), line["terminated"][agent]
    reason = line["termination_reasons"].get(agent)
    yield ("reason", agent), "NONE" if reason is None else REASONS[reason]


def _object(name: str, line: dict[str, Any], tick: int, recording: Recording) -> Iterator[tuple[Cell, Any]]:
    queues = line["queues"]
    waiting = queues["queues"].get(name, [])
    running = line["running"].get(name)
    holder = queues["active"].get(name)
    if not holder == line["reservations"].get(name) == line["objects"][name]["occupied_by"]:
        raise ValueError(f"{recording.name}, tick {tick}: three records of who holds {name} differ")
    yield ("type", name), line["objects"][name]["type"]
    yield ("tile", name), tuple(line["objects"][name]["position"])
    yield ("holder", name), holder
    yield ("queue", name), tuple(entry["agent_id"] for entry in waiting)
    yield ("joined_ticks", name), tuple(entry["joined_tick"] for entry in waiting)
    yield ("stalls", name), queues["stall_counts"].get(name, 0)
    yield ("running", name), None if running is None else (running["agent_id"], running["affordance_id"])
    yield ("remaining", name), 0 if running is None else running["duration_remaining"]
    expiry = {entry["agent_id"]: entry["expiry"] for entry in queues["cooldowns"] if entry["object_id"] == name}
    for agent in line["agents"]:
        until = expiry.get(agent, 0)
        yield ("cooldown_until", f"{name}, {agent}"), until if until > tick else 0
    for good in GOODS:
        yield (f"stock.{good}", name), line["objects"][name]["stock"].get(good, 0)


def _ties(agents: tuple[str, ...], line: dict[str, Any]) -> Iterator[tuple[Cell, Any]]:
    for owner in agents:
        for other in agents:
            if owner == other:
                continue
            pair = f"{owner} -> {other}"
            tie = line["relationships"].get(owner, {}).get(other, {})
            yield ("trust", pair), tie.get("trust", 0.0)
            yield ("familiarity", pair), tie.get("familiarity", 0.0)
            yield ("rivalry", pair), line["rivalry"].get(owner, {}).get(other, 0.0)


def _town(line: dict[str, Any]) -> Iterator[tuple[Cell, Any]]:
    for metric, key in METRICS.items():
        yield (f"queues.{metric}", ""), line["queue_metrics"][key]
    for key, price in PRICES.items():
        yield ("price", price), line["economy"][key]
    for utility, is_on in line["utilities"].items():
        yield ("utility_on", utility), is_on
    active = {event_name(event) for event in line["perturbations"]["active"].values()}
    for spec in SPECS:
        yield ("perturbed", spec), spec in active
    exits = line["employment_queue"]
    yield ("exits_today", ""), exits["exits_today"]
    yield ("exit_queue", ""), tuple(exits["pending"])
    yield ("exit_rules", ""), (exits["daily_exit_cap"], exits["queue_limit"], exits["review_window"])
    yield ("alive_after", ""), tuple(sorted(line["agents_after_finalize"]))
    yield ("holders_after", ""), tuple(sorted(line.get("queues_after_finalize", line["queues"])["active"].items()))
    yield ("known_ties_after", ""), _known(line.get("relationships_after_finalize", line["relationships"]))


def event_name(event: dict[str, Any]) -> str:
    """Return the spec of an active event; a spec that runs twice at a time needs a second row here."""
    second = event["spec_name"] == "price_spike" and event["targets"] == ["meal_cost"]
    return "price_spike_2" if second else str(event["spec_name"])


def _known(relationships: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Return the pairs that trust or know each other; a rivalry of its own has no counterpart."""
    return tuple(
        sorted(
            f"{owner} -> {other}"
            for owner, ties in relationships.items()
            for other, tie in ties.items()
            if tie["trust"] or tie["familiarity"]
        )
    )


def _events(events: list[dict[str, Any]]) -> Iterator[tuple[Cell, Any]]:
    """Tell the events that are outcomes here: one sorted tuple a kind."""
    told: dict[str, list[Any]] = {}
    for event in events:
        row = _EVENTS.get(event["event"])
        if row is not None:
            told.setdefault(row[0], []).append(tuple(_plain(event[key]) for key in row[1]))
    for kind, _ in _EVENTS.values():
        yield (f"events.{kind}", ""), tuple(sorted(told.get(kind, [])))


def _plain(value: Any) -> Any:
    """Return a list as a sorted tuple, an amount rounded, a word of the original as ours."""
    if isinstance(value, list):
        return tuple(sorted(value))
    return round(value, 5) if isinstance(value, float) else ROUTES.get(value, value)


_EVENTS = {
    "affordance_start": ("start", ("agent_id", "object_id", "affordance_id")),
    "affordance_finish": ("finish", ("agent_id", "object_id", "affordance_id")),
    "affordance_fail": ("abort", ("agent_id", "object_id", "affordance_id")),
    "queue_conflict": ("conflict", ("actor", "rival", "object_id", "intensity", "queue_length")),
    "queue_interaction": ("handover", ("actor", "rival", "object_id")),
    "chat_success": ("chat", ("speaker", "listener", "quality")),
    "chat_failure": ("failed_chat", ("speaker", "listener")),
    "shared_meal": ("shared_meal", ("agents",)),
    "shift_late_start": ("late_start", ("agent_id",)),
    "shift_absent": ("absent", ("agent_id",)),
    "shift_departed_early": ("departed_early", ("agent_id",)),
    "employment_helped_when_late": ("helped", ("agent_id", "coworkers")),
    "employment_took_my_shift": ("took_shift", ("agent_id", "coworkers")),
    "employment_exit_processed": ("exit", ("agent_id", "reason")),
    "agent_respawn": ("arrival", ("agent_id",)),
    "arranged_meet_relocated": ("relocated", ("agent_id",)),
}
