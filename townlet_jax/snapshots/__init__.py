"""Snapshots of towns and checkpoints of learners: one store for both, and the signals that ask for one more."""

from townlet_jax.snapshots.errors import (
    DamagedError,
    IdentityError,
    LockedError,
    MigrationError,
    MissingError,
    PathError,
    SaveError,
    StoreError,
    TargetError,
)
from townlet_jax.snapshots.identity import Difference, Identity, Match
from townlet_jax.snapshots.leaves import Stored
from townlet_jax.snapshots.manifest import Leaf, Manifest
from townlet_jax.snapshots.migrations import Migration, Migrations
from townlet_jax.snapshots.restoring import Restored
from townlet_jax.snapshots.retention import Best
from townlet_jax.snapshots.signals import StopRequest
from townlet_jax.snapshots.store import Store
from townlet_jax.snapshots.targets import like

__all__ = [
    "Best",
    "DamagedError",
    "Difference",
    "Identity",
    "IdentityError",
    "Leaf",
    "LockedError",
    "Manifest",
    "Match",
    "Migration",
    "MigrationError",
    "Migrations",
    "MissingError",
    "PathError",
    "Restored",
    "SaveError",
    "StopRequest",
    "Store",
    "StoreError",
    "Stored",
    "TargetError",
    "like",
]
