"""Snapshots of towns: what a session keeps, whose it is, and when it is kept (MECHANICS 13).

Owns the content of a snapshot of towns and its version. How it lies on the disk is the store's.
"""

import dataclasses
import hashlib
import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from townlet_jax.config import Built
from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.core.enums import Fault
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.report import Figures
from townlet_jax.snapshots import Identity, Migrations, Store

VERSION = 1  # of the content
MIGRATIONS = Migrations()
FAILURES, ERROR_FILE = "failures", "error.json"
SHOWN_TOWNS = 5


@dataclass(frozen=True, kw_only=True)
class Moment:
    """All that a session is between two ticks."""

    tick: int
    states: TownState
    params: Params
    memory: Any
    totals: Mapping[str, Figures]  # by dotted name, one row a town; empty before the first tick
    notes: Mapping[str, Any]  # JSON: towns, seed, policy, what listeners keep

    @property
    def tree(self) -> dict[str, Any]:
        """Return the arrays as they are saved."""
        return {"states": self.states, "params": self.params, "memory": self.memory, "totals": dict(self.totals)}


def identity_of(built: Built, policy: str, section: SnapshotSection, *, policy_hash: str | None = None) -> Identity:
    """Return what a snapshot of these towns belongs to; `policy_hash` is that of the weights it began with, if any."""
    named = policy_hash or hashlib.sha256(f"policy {policy}".encode()).hexdigest()
    declared = section.identity.policy_hash
    return Identity(
        config_id=built.names.config_id,
        config_hash=built.names.config_hash,
        spec=dataclasses.asdict(built.spec),
        observation_variant=built.spec.variant,
        action_space=built.spec.action_space,
        policy_hash=named if declared == "infer" else declared,
        more={} if policy_hash else {"policy": policy},
    )


def faulty(bits: Any) -> str:
    """Name the faults and the towns that have them; empty if there are none."""
    found = []
    for fault in Fault:
        towns = np.flatnonzero(bits & fault).tolist()
        if towns:
            more = f" and {len(towns) - SHOWN_TOWNS:,} more" if len(towns) > SHOWN_TOWNS else ""
            plural = "s" if len(towns) > 1 else ""
            found.append(f"{fault.name} in town{plural} {', '.join(map(str, towns[:SHOWN_TOWNS]))}{more}")
    return "; ".join(found)


class Archive:
    """Where a session keeps its snapshots, and after which ticks; `every` None: only when it is told to."""

    def __init__(self, store: Store, *, every: int | None = None) -> None:
        self.store = store
        self.every = every
        self._saved = store.latest()

    def is_due(self, tick: int) -> bool:
        """Say whether a snapshot belongs after a tick, which is later than that of the newest one."""
        return self.every is not None and tick % self.every == 0 and tick > (self._saved or 0)

    def save(self, moment: Moment, metrics: Mapping[str, float]) -> None:
        """Begin to save a moment, unless its tick is saved already."""
        if self._saved != moment.tick:
            self.store.save(moment.tick, moment.tree, meta=moment.notes, metrics=metrics)
            self._saved = moment.tick


@dataclass(frozen=True, kw_only=True)
class FailureLog:
    """Where the state before a failing chunk is kept."""

    root: Path
    identity: Identity

    def capture(self, moment: Moment, last_tick: int, error: BaseException) -> Path:
        """Save the moment before a chunk with what went wrong in it; returns the folder, itself a store."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        folder = self.root / FAILURES / f"tick_{moment.tick:09d}_{stamp}"
        with Store(folder, identity=self.identity, version=VERSION, keep_latest=None) as store:
            store.save(moment.tick, moment.tree, meta=moment.notes)
        document = {
            "first_tick": moment.tick + 1,
            "last_tick": last_tick,
            "error": type(error).__name__,
            "message": str(error),
            "trace": traceback.format_exception(error),
        }
        (folder / ERROR_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        return folder
