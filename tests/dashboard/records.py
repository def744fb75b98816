"""Records of a town written out by hand: three people, three objects, every section filled. Checked by the schema."""

import copy
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from townlet_jax.telemetry import schema
from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.look import Glance, Look, Standing

Record = dict[str, Any]
DAY = 1440
NAMES = ("ada", "ben", "cleo")
ROWS = ("TTTTTTTT", "T######T", "T#b..s#T", "T#.H..+:", "T######T", "T,,,,,,T", "TTTTTTTT")
LEGEND = {
    "T": "tree", "#": "wall", ".": "floor", "+": "door", ":": "path", ",": "grass", "b": "bed", "s": "shower",
    "H": "home",
}  # fmt: skip
SERIES = (
    "queue_conflict_intensity", "employment_lateness", "late_help_events", "queue_rotation_events",
    "queue_ghost_step_events", "need_min",
)  # fmt: skip


def run(**said: Any) -> Record:
    """Return the first record."""
    record = {
        "payload_type": "run", "config_id": "hamlet", "config_hash": "c0", "towns": 16, "agents": list(NAMES),
        "ticks_per_day": DAY, "watched": [0, 5], "planned_ticks": 2000, "seed": 7, "policy": "scripted",
        "every_ticks": 5, "snapshot_every": 600, "privacy": "none", "versions": {"python": "3"},
        "started": "2030-01-01T00:00:00+00:00", "resumed": False, "ground": {"rows": list(ROWS), "legend": LEGEND},
    }  # fmt: skip
    return _enveloped(record | said, 0, 0)


def agent(slot: int, position: Sequence[int], needs: Sequence[float], **said: Any) -> Record:
    """Return somebody who stands about."""
    return {
        "slot": slot, "uid": slot, "generation": 0, "alive": True, "position": list(position), "home": "home_0",
        "profile": "stoic", "traits": {"extroversion": 0.5, "forgiveness": -0.2, "ambition": 0.0},
        "needs": dict(zip(("hunger", "hygiene", "energy"), needs, strict=True)), "wallet": 3.5, "job": "grocer",
        "option": "get_fed", "action": action("wait"), "activity": None, "holding": None, "queue": None,
        "embedding_slot": slot, "age_ticks": 720, "reward": 0.01, "possessed": False,
    } | said  # fmt: skip


def action(kind: str, **said: Any) -> Record:
    """Return what somebody asked for."""
    return {"kind": kind, "object": None, "affordance": None, "target": None, "ok": True, "reason": "none"} | said


def thing(kind: str, position: Sequence[int], **said: Any) -> Record:
    """Return an object that nobody uses."""
    empty = {"holder": None, "running": None, "queue": [], "stock": {}, "closed": False, "stalls": 0}
    return {"type": kind, "position": list(position)} | empty | said


def tie(owner: str, other: str, trust: float, familiarity: float, rivalry: float) -> Record:
    """Return what one feels for another."""
    return {"owner": owner, "other": other, "trust": trust, "familiarity": familiarity, "rivalry": rivalry}


def worker(phase: str, **said: Any) -> Record:
    """Return somebody's work."""
    return {
        "phase": phase, "on_shift": phase == "on_time", "late_today": 0, "late_shifts": 2, "attendance_ratio": 0.75,
        "absent_shifts": 1, "shift_paid": 1.0, "shift_withheld": 0.0, "earned": 12.25, "withheld": 0.0,
        "exit_pending": False,
    } | said  # fmt: skip


def event(name: str, tick: int, **said: Any) -> Record:
    """Return something that happened in town 0."""
    return {"event": name, "tick": tick, "town": 0, **said}


def conflict(tick: int, actor: str = "ada", rival: str = "ben") -> Record:
    """Return a quarrel at the shower."""
    return event(
        "queue_conflict", tick, object="shower_1", actor=actor, rival=rival, reason="impatience", intensity=0.4,
        queue_length=1,
    )  # fmt: skip


def story(message: str, tick: int, category: str = "shared_meal", priority: bool = False) -> Record:
    """Return a narration."""
    return {
        "tick": tick, "category": category, "message": message, "priority": priority, "data": {}, "dedupe_key": message
    }  # fmt: skip


def reward(total: float) -> Record:
    """Return somebody's reward of the tick."""
    zero = dict.fromkeys(
        ("needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "punctuality", "shaping", "terminal",
         "clip_adjustment", "social"), 0.0,
    )  # fmt: skip
    terms = {"survival": 0.02, "wage": total - 0.02, "homeostasis": 0.02, "work": total - 0.02}
    return {"total": total, **terms, **zero, "guard": False, "clipped": False}


MEASURES = {
    "alive": 3, "need_mean": {"hunger": 0.5, "hygiene": 0.6, "energy": 0.7}, "wallet_mean": 3.5, "wallet_gini": 0.125,
    "queue_length_mean": 0.25, "basket_cost": 2.156, "reward_mean": 0.01, "trust_mean": 0.2, "rivalry_mean": 0.05,
    "known_ties": 3, "active_perturbations": 1, "starts": {"use_shower": 1, "eat_meal": 0},
}  # fmt: skip


def sections() -> Record:
    """Return every section of a frame."""
    return {
        "identity": {
            "config_id": "hamlet", "config_hash": "c0", "spec_hash": "s0", "policy": "scripted", "policy_hash": None,
            "observation_variant": "hybrid", "action_space": "flat", "anneal_ratio": None, "seed": 7,
        },
        "agents": {
            "ada": agent(0, (5, 2), (0.9, 0.15, 0.8), holding="shower_1",
                         activity={"object": "shower_1", "affordance": "use_shower", "remaining": 12}),
            "ben": agent(1, (4, 2), (0.5, 0.5, 0.5), wallet=7.25,
                         queue={"object": "shower_1", "position": 0, "wait": 4}),
            "cleo": agent(2, (2, 5), (0.7, 0.6, 1.0), job=None, action=action("move"), option="go_home"),
        },
        "objects": {
            "bed_1": thing("bed", (2, 2)),
            "shower_1": thing("shower", (5, 2), holder="ada",
                              running={"agent": "ada", "affordance": "use_shower", "remaining": 12},
                              queue=[{"agent": "ben", "wait": 4, "ticket": 1}]),
            "bench_1": thing("bench", (5, 5), closed=True),
        },
        "queue_metrics": {
            name: {"total": total, "increment": more}
            for name, total, more in (("cooldown_events", 4, 0), ("ghost_steps", 2, 1), ("rotations", 3, 0))
        },
        "conflict": {
            "events": [], "intensity_sum": 0.4, "rivalry_top": [{"owner": "ada", "other": "ben", "rivalry": 0.72}],
            "avoided": [{"owner": "ben", "other": "ada"}],
        },
        "relationships": {
            "ties": [tie("ada", "ben", -0.3, 0.1, 0.72), tie("ada", "cleo", 0.6, 0.4, 0.0),
                     tie("ben", "ada", 0.25, 0.75, 0.1)],
            "churn": {"window_start": 600, "window_end": 1199, "total": 1, "owners": {"ben": 1},
                      "reasons": {"capacity": 0, "fade": 1, "departed": 0}},
        },
        "employment": {
            "jobs": {"grocer": {"start": 540, "end": 779, "wage": 0.02, "site": [6, 3], "on_shift": ["ada"],
                                "late": ["ben"], "absent": []}},
            "agents": {"ada": worker("on_time"), "ben": worker("late", exit_pending=True), "cleo": worker("idle")},
            "exit_queue": {"pending": [{"agent": "ben", "asked_tick": 700}], "exits_today": 1, "cap": 2, "limit": 3,
                           "review_ticks": 1440},
        },
        "utilities": {"power": True, "water": False},
        "economy": {
            "prices": {"meal": {"base": 0.4, "factor": 1.45, "now": 0.58},
                       "shower": {"base": 0.2, "factor": 1.0, "now": 0.2}},
            "basket_cost": 2.156, "rent_per_day": 2.0, "stock": {"meals": 41.0, "raw_ingredients": 9.0},
            "restock": [{"type": "stove", "good": "raw_ingredients", "next_tick": 800, "amount": 4.0}],
            "wallets": {"min": 1.5, "mean": 3.5, "max": 7.25, "gini": 0.125},
        },
        "perturbations": {
            "active": [{"event_id": "outage@700", "spec": "outage", "kind": "outage", "started_at": 700,
                        "ends_at": 760, "members": [], "prices": [], "factor": 1.0, "utility": "water",
                        "object": None}],
            "queued": [{"spec": "party", "starts_at": 750, "duration": None, "factor": None, "members": [],
                        "object": None}],
            "cooldowns": {"blackout": 33}, "agent_cooldowns": {},
        },
        "events": [], "narrations": [],
        "rewards": {"ada": reward(0.05)},
        "kpis": {"measures": copy.deepcopy(MEASURES),
                 "history": {name: [0.0, 0.0, 1.0, 1.0] for name in SERIES} | {"need_min": [0.4, 0.4, 0.2, 0.15]}},
        "stability": {}, "promotion": {}, "policy": {},
        "embedding": {"allocations": 3, "forced_reuses": 0, "rate": 0.0, "warning": False, "in_use": 3},
        "console": [], "transport": [],
        "health": {"tick_ms": 2.0, "ticks_per_second": 500.0, "failures": 0, "queue": 0},
    }  # fmt: skip


def snapshot(tick: int = 720, sequence: int = 1, town: int = 0, **said: Any) -> Record:
    """Return a whole frame."""
    record = {"payload_type": "snapshot", "town": town, "tick_of_day": tick % DAY, "day": tick // DAY}
    return _enveloped(record | sections() | said, tick, sequence)


def diff(tick: int, sequence: int, town: int = 0, **changes: Any) -> Record:
    """Return what changed since the frame before."""
    fields = {"tick_of_day": tick % DAY, **changes}
    record = {"payload_type": "diff", "town": town, "changes": fields, "removed": []}
    return _enveloped(record, tick, sequence)


def measures(last: int = 720, sequence: int = 2, **said: Any) -> Record:
    """Return figures of all towns over a chunk."""
    kpis = {
        "alive": {"mean": 3.0, "p5": 3.0, "p50": 3.0, "p95": 3.0},
        "wallet_mean": {"mean": 3.0, "p5": 2.0, "p50": 3.0, "p95": 4.0},
        "punctuality": {"mean": None, "p5": None, "p50": None, "p95": None},
    }
    record = {
        "payload_type": "measures", "first_tick": last - 59, "last_tick": last, "towns": 16, "agent_ticks": 2880,
        "kpis": kpis, "terms": {}, "counts": {}, "sums": {}, "last": {},
    }  # fmt: skip
    return _enveloped(record | said, last, sequence)


def health(tick: int = 720, sequence: int = 3, **said: Any) -> Record:
    """Return how the run does."""
    channel = {
        "name": "tcp 10.0.0.1:7411", "connected": False, "sent": 1200, "dropped": 17, "bytes": 9000, "queue": 4096,
        "peak": 8192, "retries": 3, "restarts": 1, "last_error": "connection refused", "last_success_tick": 600,
    }  # fmt: skip
    record = {
        "payload_type": "health", "seconds": 0.5, "tick_ms": 2.5, "ticks_per_second": 6400.0, "faults": {"NAN_NEED": 1},
        "channels": [channel], "queue": 2, "records": 300, "skipped_chunks": 1, "failures": 0, "publish_ms": 12.5,
        "extra": {},
    }  # fmt: skip
    return _enveloped(record | said, tick, sequence)


def end(tick: int, sequence: int) -> Record:
    """Return the last record."""
    return _enveloped({"payload_type": "end", "why": "finished", "ticks": tick, "counters": {}}, tick, sequence)


def _enveloped(record: Record, tick: int, sequence: int) -> Record:
    """Add the envelope and make sure that a reader would take it."""
    head = {"schema_version": "1.0", "run_id": "r1", "sequence": sequence, "tick": tick}
    whole: Record = json.loads(json.dumps(head | record))
    order = ("schema_version", "payload_type", "run_id", "sequence", "tick", "town")
    whole = {key: whole[key] for key in order if key in whole} | whole
    schema.check(whole)
    return whole


def model(*records: Record) -> models.Model:
    """Return what is known after some records."""
    found = models.Model()
    for record in records:
        found = models.take(found, record)
    return found


def look(*records: Record, standing: Standing | None = None, **glance: Any) -> Look:
    """Return a look at what is known after some records."""
    return Look(model=model(*records), glance=Glance(**glance), standing=standing or Standing())


def life(ticks: Iterable[int], *, every: int = 100) -> list[Record]:
    """Return a run of town 0 in which ada walks east and gets hungry, whole every so many frames."""
    found = [run(watched=[0])]
    for count, tick in enumerate(ticks):
        people = sections()["agents"]
        people["ada"] |= {
            "position": [2 + count % 5, 5],
            "needs": {"hunger": 1 - count / 100, "hygiene": 1, "energy": 1},
        }
        told = {"agents": people, "events": [conflict(tick)], "narrations": [story(f"story {count}", tick)]}
        made = snapshot if count % every == 0 else diff
        found.append(made(tick, len(found), **told))
    return [*found, end(found[-1]["tick"], len(found))]


def write(path: Path, records: Iterable[Record]) -> Path:
    """Write records as telemetry does."""
    path.write_text("".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records), encoding="utf-8")
    return path
