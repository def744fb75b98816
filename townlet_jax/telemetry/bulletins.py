"""What is said of a run as a whole: identity, the first record, speed, faults."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from townlet_jax import report, runtime
from townlet_jax.config import Built
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.core.enums import Fault
from townlet_jax.run import Plan
from townlet_jax.stretch import Stretch
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.text import rounded


def identity(built: Built, plan: Plan, *, policy_hash: str | None, anneal_ratio: float | None) -> dict[str, Any]:
    """Return the section `identity`."""
    spec, names = built.spec, built.names
    sizes = json.dumps(dataclasses.asdict(spec), sort_keys=True, separators=(",", ":"))
    return {
        "config_id": report.printable(names.config_id),
        "config_hash": names.config_hash,
        "spec_hash": hashlib.sha256(sizes.encode()).hexdigest(),
        "policy": plan.policy,
        "policy_hash": policy_hash or None,
        "observation_variant": spec.variant,
        "action_space": spec.action_space,
        "anneal_ratio": anneal_ratio,
        "seed": plan.seed,
    }


def run_fields(
    words: Words, built: Built, plan: Plan, section: TelemetrySection, *, towns: int, watched: Sequence[int]
) -> dict[str, Any]:
    """Return what the first record says, but for what changes when a run is resumed."""
    return {
        "config_id": report.printable(built.names.config_id),
        "config_hash": built.names.config_hash,
        "towns": towns,
        "agents": [words.person(slot, 0) for slot in range(built.spec.num_agents)],
        "ticks_per_day": words.ticks_per_day,
        "watched": list(watched),
        "ground": {
            "rows": [_drawn(row) for row in built.names.map_rows],
            "legend": {_drawn(mark): report.printable(what) for mark, what in built.names.map_legend.items()},
        },
        "planned_ticks": plan.ticks,
        "seed": plan.seed,
        "policy": plan.policy,
        "snapshot_every": section.snapshot_every,
        "privacy": section.privacy,
        "versions": runtime.versions(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _drawn(row: str) -> str:
    """Return a row of the map with a character for each tile, all of them printable."""
    return "".join(mark if report.printable(mark) else "?" for mark in row)


def speed(stretch: Stretch) -> dict[str, float]:
    """Return how fast a chunk was."""
    ticks, seconds = stretch.last_tick - stretch.first_tick + 1, max(stretch.seconds, 1e-9)
    return {"tick_ms": real(1e3 * seconds / ticks), "ticks_per_second": real(stretch.num_towns * ticks / seconds)}


def faults(bits: Iterable[int]) -> dict[str, int]:
    """Return in how many towns each fault was seen, from the fault bits of each."""
    words = list(bits)
    found = {fault.name: sum(bool(word & fault) for word in words) for fault in Fault}
    return {name: amount for name, amount in found.items() if amount}


def real(value: float) -> float:
    """Return a number as it is published."""
    return float(rounded(value))
