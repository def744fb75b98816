"""Sizes and structural flags of a town: static, hashable; a change recompiles (MECHANICS 1.3)."""

from dataclasses import dataclass
from typing import Literal

MAX_ALTERNATIVES = 4  # of a precondition in disjunctive normal form
MAX_CLAUSES = 6  # in one alternative


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Axis sizes (at least 1 each; a table nobody filled holds one inert row) and structural flags."""

    num_agents: int
    num_objects: int
    num_object_types: int
    num_affordances: int
    num_jobs: int
    num_goods: int
    num_prices: int
    num_utilities: int
    num_perturbations: int
    num_homes: int
    num_places: int
    num_profiles: int
    num_restocks: int
    grid_height: int
    grid_width: int
    num_reachable: int  # most objects in reach of one tile: last axis of `world.reachable`
    num_alternatives: int  # most alternatives any precondition needs, at most MAX_ALTERNATIVES
    num_clauses: int  # most clauses any alternative needs, at most MAX_CLAUSES
    embedding_slots: int = 64
    attendance_window: int = 3
    absence_ring: int = 8
    fired_ring: int = 4
    stability_bucket: int = 50
    variant: Literal["hybrid", "full", "compact"] = "hybrid"
    action_space: Literal["flat", "options"] = "flat"
    hints: Literal["bfs", "straight"] = "bfs"
    landmarks: bool = True
    personality_channels: bool = True
    aggregates: bool = True
    extended_features: bool = True
    object_channels: tuple[str, ...] = ()
    local_window: int = 11
    compact_window: int = 7
    top_friends: int = 2
    top_rivals: int = 2

    @property
    def num_targets(self) -> int:
        """Axis M: route targets, in the order objects, jobs, homes, places."""
        return self.num_objects + self.num_jobs + self.num_homes + self.num_places

    @property
    def num_actions(self) -> int:
        """Axis X: flat actions (MECHANICS 5.2)."""
        return 5 + self.num_affordances + 2
