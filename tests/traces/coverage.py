"""Which fields of a recording are compared, and why the others are not. Nothing may stand in neither list."""

from collections.abc import Iterable
from typing import Any

_COMPARED_UNDER = {
    "agents": (
        "position", "home_position", "wallet", "profile", "traits", "last_action", "episode_tick",
    ),
    "agents.needs": (
        "hunger", "hygiene", "energy",
    ),
    "agents.inventory": (
        "meals_cooked", "meals_consumed", "wages_earned", "showers_started", "showers_taken",
    ),
    "agents.job": (
        "job_id", "on_shift", "shift_state", "lateness_counter", "late_ticks_today", "attendance_ratio",
        "absent_shifts_7d", "wages_withheld", "exit_pending",
    ),
    "agents.job.ctx": (
        "late_ticks", "wages_paid", "late_penalty_applied", "absence_penalty_applied", "late_event_emitted",
        "absence_event_emitted", "departure_event_emitted", "late_help_event_emitted",
        "took_shift_event_emitted", "shift_started_tick", "last_present_tick", "ever_on_time", "on_time_ticks",
        "attendance_samples", "absence_events",
    ),
    "objects": (
        "type", "position", "occupied_by",
    ),
    "objects.stock": (
        "meals", "raw_ingredients",
    ),
    "running": (
        "agent_id", "affordance_id", "duration_remaining",
    ),
    "queues": (
        "active", "queues", "cooldowns", "stall_counts",
    ),
    "": (
        "reservations", "rivalry", "utilities", "rewards", "terminated", "termination_reasons",
        "agents_after_finalize", "queues_after_finalize", "relationships_after_finalize",
    ),
    "queue_metrics": (
        "cooldown_events", "ghost_step_events", "rotation_events",
    ),
    "relationships": (
        "trust", "familiarity",
    ),
    "economy": (
        "meal_cost", "ingredients_cost", "cook_energy_cost", "cook_hygiene_cost",
    ),
    "perturbations.active": (
        "spec_name", "targets",
    ),
    "employment_queue": (
        "pending", "exits_today", "daily_exit_cap", "queue_limit", "review_window",
    ),
    "reward_breakdown": (
        "survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage",
        "punctuality", "shaping", "homeostasis", "work", "social", "terminal_penalty", "clip_adjustment",
        "guardrail_active",
    ),
    "events": (
        "affordance_start", "affordance_finish", "affordance_fail", "queue_conflict", "queue_interaction",
        "chat_success", "chat_failure", "shared_meal", "shift_late_start", "shift_absent",
        "shift_departed_early", "employment_helped_when_late", "employment_took_my_shift",
        "employment_exit_processed", "agent_respawn", "arranged_meet_relocated",
    ),
}  # fmt: skip
COMPARED = frozenset(f"{table}.{key}" if table else key for table, keys in _COMPARED_UNDER.items() for key in keys)

_SAME = "says again what another compared field says"
_FOLLOWS = "follows from the job and the start of the shift, which are compared"
_NO_COUNTERPART = "nothing here corresponds to it (D13, D19, D26, D28 or D38 say why)"
_REPLAYED = "is what was done, not what came of it: the replay does the same"
_CONSTANT = "is a number of the configuration, not a price here; constant in all recordings"
NOT_COMPARED = {
    "tick": "is the number the lines are aligned by",
    "kind": "is the format of the line",
    "actions": _REPLAYED,
    "ops_before": _REPLAYED,
    "events_emitted_twice": _NO_COUNTERPART,
    "agents.indexed_position": "is a copy of the position that the original forgets to update",
    "agents.origin_agent_id": "is the name without its number; compared with the name",
    "agents.job.ctx.state": _SAME,
    "agents.job.ctx.current_day": "is a counter of the original's shift context; all recordings stay within day 0",
    "agents.job.ctx.late_counter_recorded": _SAME,
    "agents.job.ctx.late_ticks_total": "is never written by the original",
    "agents.job.ctx.late_ticks_today": "is never written by the original; the agent's own counter is compared",
    "agents.job.ctx.shift_end_tick": _FOLLOWS,
    "agents.job.ctx.scheduled_ticks": _FOLLOWS,
    "agents.job.ctx.shift_outcome_recorded": _SAME,
    "objects.stock.power_on": _NO_COUNTERPART,
    "objects.stock.water_on": _NO_COUNTERPART,
    "objects.stock.shower_sessions": "counts starts, which are compared as events and per agent",
    "relationships.rivalry": _NO_COUNTERPART,
    "economy.wage_income": _CONSTANT,
    "economy.stove_stock_replenish": _CONSTANT,
    "price_spikes": "is the cause of prices, which are compared",
    "perturbations.pending": "is empty in all ticks: starts come due in the tick after the operation",
    "perturbations.cooldowns": "is empty in all ticks: no spec of the recording has a cooldown",
    "perturbations.active.event_id": "is a number of the original's queue",
    "perturbations.active.kind": "belongs to the spec, whose name is compared",
    "perturbations.active.payload": "is the cause of prices and utilities, which are compared",
    "perturbations.active.started_at": "shows in the ticks in which the event is active, which are compared",
    "perturbations.active.ends_at": "shows in the ticks in which the event is active, which are compared",
    "employment_queue.pending_count": _SAME,
    "reward_breakdown.total": _SAME,
    "reward_breakdown.clipped": "is raised by rounding errors of 1e-16 too; the amount, clip_adjustment, is compared",
    "events.action.chat": _REPLAYED,
    "events.action.invalid": _REPLAYED,
    "events.action.move": _REPLAYED,
    "events.action.noop": _REPLAYED,
    "events.action.release": _REPLAYED,
    "events.action.request": _REPLAYED,
    "events.action.start": _REPLAYED,
    "events.action.unknown_agent": _REPLAYED,
    "events.agent_removed": "comes one tick after the removal, which is compared as alive_after",
    "events.employment_exit_manual_request": _REPLAYED,
    "events.perturbation_arranged_meet": "shows in the ticks in which the event is active, which are compared",
    "events.perturbation_blackout": "shows in utilities, which are compared",
    "events.perturbation_cancelled": "shows in the ticks in which the event is active, which are compared",
    "events.perturbation_ended": "shows in the ticks in which the event is active, which are compared",
    "events.perturbation_outage": "shows in utilities, which are compared",
    "events.perturbation_price_spike": "shows in prices, which are compared",
    "events.perturbation_started": "shows in the ticks in which the event is active, which are compared",
    "events.shower_complete": "says again what affordance_finish says",
    "events.shower_power_outage": _NO_COUNTERPART,
}

_TABLES = ("queues", "queue_metrics", "economy", "perturbations", "employment_queue")


def fields_of(line: dict[str, Any]) -> set[str]:
    """Return the paths of all fields of a line, names of agents, objects and events left out."""
    found = set(line) - {"agents", "objects", "running", "relationships", "reward_breakdown", "events", *_TABLES}
    for agent in line["agents"].values():
        found |= _paths("agents", agent.keys() - {"needs", "inventory", "job"})
        found |= _paths("agents.needs", agent["needs"]) | _paths("agents.inventory", agent["inventory"])
        found |= _paths("agents.job", agent["job"].keys() - {"ctx"}) | _paths("agents.job.ctx", agent["job"]["ctx"])
    for entry in line["objects"].values():
        found |= _paths("objects", entry.keys() - {"stock"}) | _paths("objects.stock", entry["stock"])
    for table in _TABLES:
        found |= _paths(table, line[table].keys() - {"active"} if table == "perturbations" else line[table])
    groups = {
        "perturbations.active": line["perturbations"]["active"].values(),
        "running": line["running"].values(),
        "reward_breakdown": line["reward_breakdown"].values(),
        "relationships": [tie for ties in line["relationships"].values() for tie in ties.values()],
    }
    for prefix, entries in groups.items():
        for entry in entries:
            found |= _paths(prefix, entry)
    return found | {f"events.{event['event']}" for event in line["events"]}


def _paths(prefix: str, keys: Iterable[str]) -> set[str]:
    return {f"{prefix}.{key}" for key in keys}
