"""The words of a town: what the indices in its arrays mean. Host only; the core never sees a string."""

from collections.abc import Mapping
from dataclasses import dataclass

from townlet_jax.config.schema.scenario import ScheduleEntry, TimelineEntry


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The checked scenario block: what happens besides the rules (14.8)."""

    description: str
    ticks: int
    schedules: tuple[tuple[ScheduleEntry, ...], ...]  # one a slot, empty where there is none
    timeline: tuple[TimelineEntry, ...]  # by tick, stable


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names by index, real entries only: inert rows are not listed."""

    config_id: str
    config_hash: str
    agents: tuple[str, ...]
    objects: tuple[str, ...]
    object_types: tuple[str, ...]
    affordances: tuple[str, ...]
    jobs: tuple[str, ...]
    goods: tuple[str, ...]
    prices: tuple[str, ...]
    utilities: tuple[str, ...]
    perturbations: tuple[str, ...]
    homes: tuple[str, ...]
    places: tuple[str, ...]
    profiles: tuple[str, ...]
    preconditions: tuple[tuple[str, ...], ...]  # texts by affordance
    map_rows: tuple[str, ...]  # the map as it was drawn; an open map is drawn with dots
    map_legend: Mapping[str, str]  # character -> tile name, object type, `home`, site or place
    scenario: Scenario | None
