"""A run told record by record, with the schema's own models, so that the tests know every figure by heart."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from townlet_jax.telemetry import schema
from townlet_jax.telemetry.schema import SECTIONS
from townlet_jax.telemetry.sections import EMPTY_LISTS

DAY = 100
Record = dict[str, Any]
CHANNEL: Record = {
    "name": "file run.jsonl", "connected": True, "sent": 9, "dropped": 2, "bytes": 100, "queue": 0, "peak": 9,
    "retries": 1, "restarts": 0, "last_error": None, "last_success_tick": 20,
}  # fmt: skip


def agent(name: str, **changes: Any) -> Record:
    """Return one agent of a frame."""
    del name
    return {
        "slot": 0, "uid": 0, "generation": 0, "alive": True, "position": [1, 2], "home": "home_0", "profile": "stoic",
        "traits": {"extroversion": 0.0}, "needs": {"hunger": 0.5, "hygiene": 0.7, "energy": 0.9}, "wallet": 3.0,
        "job": None, "option": None,
        "action": {"kind": "wait", "object": None, "affordance": None, "target": None, "ok": True, "reason": "none"},
        "activity": None, "holding": None, "queue": None, "embedding_slot": None, "age_ticks": 5, "reward": 0.1,
        "possessed": False,
    } | changes  # fmt: skip


def reward(**terms: float) -> Record:
    """Return one agent's breakdown."""
    names = (
        "total", "survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage",
        "punctuality", "shaping", "terminal", "homeostasis", "work", "social", "clip_adjustment",
    )  # fmt: skip
    return dict.fromkeys(names, 0.0) | terms | {"guard": False, "clipped": False}


def spread(mean: float | None, low: float | None = None, high: float | None = None) -> Record:
    """Return a figure over towns."""
    return {"mean": mean, "p5": low, "p50": mean, "p95": high}


def event(name: str, tick: int, town: int = 0, **fields: Any) -> Record:
    """Return an event."""
    return {"event": name, "tick": tick, "town": town, **fields}


def conflict(tick: int, actor: str, rival: str) -> Record:
    """Return a quarrel."""
    return event(
        "queue_conflict", tick, object="bed_1", actor=actor, rival=rival, reason="impatience", intensity=1.0,
        queue_length=1,
    )  # fmt: skip


def story(tick: int, message: str, *, category: str = "departure", priority: bool = True) -> Record:
    """Return a narration."""
    return {
        "tick": tick, "category": category, "message": message, "priority": priority, "data": {}, "dedupe_key": message,
    }  # fmt: skip


class Teller:
    """Makes the records of one run, numbered; each one is checked against the schema."""

    def __init__(self, run_id: str = "r1") -> None:
        self.run_id = run_id
        self.sequence = 0
        self.records: list[Record] = []

    def _tell(self, kind: str, tick: int, fields: Mapping[str, Any]) -> Record:
        head = {"schema_version": "1.0", "payload_type": kind, "run_id": self.run_id, "sequence": self.sequence}
        record = {**head, "tick": tick, **fields}
        schema.parse(json.dumps(record))
        self.sequence += 1
        self.records.append(record)
        return record

    def skip(self, count: int = 1) -> None:
        """Lose records."""
        self.sequence += count

    def run(self, tick: int = 0, **changes: Any) -> Record:
        """Begin."""
        fields = {
            "config_id": "default", "config_hash": "c0ffee" * 8, "towns": 4, "agents": ["ada", "bo"],
            "ticks_per_day": DAY, "watched": [0], "planned_ticks": 200, "seed": 7, "policy": "scripted",
            "every_ticks": 10, "snapshot_every": 600, "privacy": "none", "versions": {"jax": "0.10.2"},
            "started": "2026-01-01T00:00:00+00:00", "resumed": False,
        }  # fmt: skip
        return self._tell("run", tick, fields | changes)

    def snapshot(self, tick: int, town: int = 0, **sections: Any) -> Record:
        """Tell a whole frame; what is not given is empty."""
        empty: Record = {name: [] if name in EMPTY_LISTS else {} for name in SECTIONS}
        empty |= {"tick_of_day": tick % DAY, "day": tick // DAY}
        return self._tell("snapshot", tick, {"town": town, **empty, **sections})

    def diff(self, tick: int, town: int = 0, **changes: Any) -> Record:
        """Tell a difference."""
        return self._tell("diff", tick, {"town": town, "changes": changes, "removed": []})

    def measures(self, first: int, last: int, kpis: Mapping[str, Record], **changes: Any) -> Record:
        """Tell a chunk."""
        fields: Record = {
            "first_tick": first, "last_tick": last, "towns": 4, "agent_ticks": 8 * (last - first + 1), "kpis": kpis,
            "terms": {}, "counts": {}, "sums": {}, "last": {},
        }  # fmt: skip
        return self._tell("measures", last, fields | changes)

    def health(self, tick: int, **changes: Any) -> Record:
        """Tell how it goes."""
        fields = {
            "seconds": 2.0, "tick_ms": 100.0, "ticks_per_second": 40.0, "faults": {}, "channels": [CHANNEL], "queue": 0,
            "records": self.sequence, "skipped_chunks": 0, "failures": 0, "publish_ms": 5.0, "extra": {},
        }  # fmt: skip
        return self._tell("health", tick, fields | changes)

    def end(self, tick: int, why: str = "finished", **counters: int) -> Record:
        """End."""
        return self._tell("end", tick, {"why": why, "ticks": tick, "counters": counters})


def lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return records as a file holds them."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def write(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write records to a file."""
    path.write_bytes(lines(records))
    return path


def training_rows(count: int, *, member: int | None = None, **figures: Sequence[float | None]) -> list[Record]:
    """Return the rows of a training log."""
    own = {} if member is None else {"member": member}
    return [
        {"update": update, **own, "agent_steps_total": 10 * (update + 1), "seconds": 0.5 * (update + 1)}
        | {name: values[update] for name, values in figures.items()}
        for update in range(count)
    ]


def small_town(days: int = 2) -> list[Record]:
    """Return a run of four towns, one watched: chunks of 10 ticks, a frame each, figures that can be done by hand.

    In chunk k (0 to 19) `alive` is 2, `wallet_mean` is k, and `need_mean` has no meaning in even chunks.
    """
    teller = Teller()
    teller.run()
    chunks = days * DAY // 10
    for k in range(chunks):
        first, last = 10 * k + 1, 10 * k + 10
        agents = {"ada": agent("ada", wallet=float(k), reward=0.1), "bo": agent("bo", wallet=1.0, reward=-0.1)}
        rewards = {"ada": reward(total=0.1, survival=0.1), "bo": reward(total=-0.1, needs_penalty=-0.1)}
        happened = [conflict(last - 1, "ada", "bo")] if k % 2 else []
        told = {
            "agents": agents,
            "rewards": rewards,
            "events": happened,
            "kpis": {"measures": {"alive": 2}, "history": {}},
        }
        if k == 0:
            teller.snapshot(last, **told)
        else:
            teller.diff(last, **(told if happened or k == 1 else told | {"events": []}))
        figures = {
            "alive": spread(2.0, 2.0, 2.0),
            "wallet_mean": spread(float(k), k - 1.0, k + 1.0),
            "punctuality": spread(None if k % 2 == 0 else 1.0),
            "hunger_mean": spread(0.5, 0.4, 0.6),
            "hunger_min": spread(0.2, 0.1, 0.3),
        }
        teller.measures(
            first, last, figures, terms={"survival": spread(0.05), "needs_penalty": spread(-0.05)},
            counts={"conflicts": 2.0, "exits": {"none": 0.0, "faint": 1.0 if k == 3 else 0.0}},
        )  # fmt: skip
        teller.health(last)
    teller.end(10 * chunks, **{"records.diff": chunks - 1})
    return teller.records
