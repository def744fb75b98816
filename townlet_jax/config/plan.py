"""A configuration as numpy tables: everything `build` needs, without jax.

Owns which table goes into which section of the parameters and how sizes become a `Spec`.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from townlet_jax.config import tables
from townlet_jax.config.cast import Slots, slots
from townlet_jax.config.layout import Layout, lay_out
from townlet_jax.config.names import Names, Scenario
from townlet_jax.config.schema import Config
from townlet_jax.config.sights import sights
from townlet_jax.config.tables import Columns, Index, size
from townlet_jax.config.world import World, world
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.spec import Spec

PLAIN_SECTIONS = {  # sections of the parameters whose numbers stand in the configuration as they are
    "clock": "clock",
    "queue": "queue",
    "conflict": "conflict",
    "chat": "chat",
    "lifecycle": "lifecycle",
    "embeddings": "embeddings",
    "needs": "needs",
    "reward": "reward",
    "employment": "employment",
    "world": "world",
    "economy": "economy",
    "ties": "ties",
    "personality": "personality",
    "perturbation": "perturbations",
    "observation": "observation",
    "behaviour": "behaviour",
}


@dataclass(frozen=True)
class Plan:
    """Sizes, tables by section of the parameters, names."""

    spec: Spec
    sections: dict[str, Columns]
    facts: tuple[int, ...]
    names: Names


def plan(config: Config) -> Plan:
    """Compute all tables; raises `ProblemError`."""
    layout = lay_out(config)
    profiles = tables.profile_names(config)
    cast = slots(config, layout, profiles)
    index = _index(config, layout, cast, profiles)
    ground = world(config, layout, index)
    affordances, facts = tables.affordances(config, index)
    spec = _spec(config, layout, index, ground, affordances)
    computed: dict[str, Columns] = {
        "world": ground.columns,
        "routes": {"steps": ground.steps, "direction": ground.direction},
        "economy": tables.economy(config, index),
        "restock": tables.restock(config, index),
        "ties": {"delta": tables.tie_deltas(config)},
        "jobs": tables.jobs(config),
        "personality": tables.personality(config),
        "perturbation": _perturbation(config, layout, index),
        "observation": sights(config, layout, index, ground, spec),
        "behaviour": _behaviour(config, index),
        "affordances": affordances,
        "start": cast.columns,
    }
    sections = {name: {**plain(getattr(config, key)), **computed.pop(name, {})} for name, key in PLAIN_SECTIONS.items()}
    sections |= computed
    return Plan(spec, sections, facts, _names(config, layout, index))


def plain(section: Any) -> Columns:
    """Return the numbers of a section: flags, whole numbers and float32, alone or by need."""
    found: Columns = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, bool):
            found[name] = np.asarray(value, np.bool_)
        elif isinstance(value, int):
            found[name] = np.asarray(value, np.int32)
        elif isinstance(value, float) or (isinstance(value, tuple) and value and isinstance(value[0], float)):
            found[name] = np.asarray(value, np.float32)
    return found


def _place(name: str, names: tuple[str, ...]) -> int:
    return names.index(name) if name in names else NOBODY


def _behaviour(config: Config, index: Index) -> Columns:
    return {
        **tables.menus(config),
        "pantry_good": np.asarray(_place("meals", index.goods), np.int32),
        "pantry_target": np.asarray(config.behaviour.pantry_target, np.float32),  # compared with stocks
    }


def _perturbation(config: Config, layout: Layout, index: Index) -> Columns:
    most = min(config.perturbations.max_concurrent, size(index.perturbations))
    return {**tables.perturbations(config, layout, index), "max_concurrent": np.asarray(most, np.int32)}


def _index(config: Config, layout: Layout, cast: Slots, profiles: tuple[str, ...]) -> Index:
    return Index(
        agents=cast.names,
        objects=tuple(item.id for item in layout.objects),
        object_types=layout.object_types,
        affordances=tuple(entry.id for entry in config.affordances),
        jobs=tuple(config.jobs),
        goods=config.goods.names,
        prices=tuple(config.economy.prices),
        utilities=config.economy.utilities,
        perturbations=tuple(config.perturbations.specs),
        places=tuple(layout.places),
        profiles=profiles,
    )


def _spec(config: Config, layout: Layout, index: Index, ground: World, affordances: Columns) -> Spec:
    """Return sizes and flags; aggregates make no sense without social slots."""
    said = config.spec
    return Spec(
        num_agents=len(index.agents),
        num_objects=size(index.objects),
        num_object_types=size(index.object_types),
        num_affordances=size(index.affordances),
        num_jobs=size(index.jobs),
        num_goods=size(index.goods),
        num_prices=size(index.prices),
        num_utilities=size(index.utilities),
        num_perturbations=size(index.perturbations),
        num_homes=size(layout.homes),
        num_places=size(index.places),
        num_profiles=size(index.profiles),
        num_restocks=size(config.restock),
        grid_height=layout.height,
        grid_width=layout.width,
        num_reachable=ground.columns["reachable"].shape[2],
        num_alternatives=affordances["clause_used"].shape[1],
        num_clauses=affordances["clause_used"].shape[2],
        embedding_slots=said.embedding_slots,
        attendance_window=said.attendance_window,
        absence_ring=said.absence_ring,
        fired_ring=said.fired_ring,
        stability_bucket=said.stability_bucket,
        variant=said.variant,
        action_space=said.action_space,
        hints=said.hints,
        landmarks=said.landmarks,
        personality_channels=said.personality_channels,
        aggregates=said.aggregates and said.top_friends + said.top_rivals > 0,
        extended_features=said.extended_features,
        object_channels=tuple(dict.fromkeys(said.object_channels)),
        local_window=said.local_window,
        compact_window=said.compact_window,
        top_friends=said.top_friends,
        top_rivals=said.top_rivals,
    )


def _names(config: Config, layout: Layout, index: Index) -> Names:
    return Names(
        config_id=config.config_id,
        config_hash=config_hash(config),
        agents=index.agents,
        objects=index.objects,
        object_types=index.object_types,
        affordances=index.affordances,
        jobs=index.jobs,
        goods=index.goods,
        prices=index.prices,
        utilities=index.utilities,
        perturbations=index.perturbations,
        homes=tuple(f"home_{place}" for place in range(len(layout.homes))),
        places=index.places,
        profiles=index.profiles,
        preconditions=tuple(entry.preconditions for entry in config.affordances),
        map_rows=layout.rows,
        map_legend=layout.legend,
        scenario=_scenario(config, len(index.agents)),
    )


def _scenario(config: Config, slots_: int) -> Scenario | None:
    said = config.scenario
    schedules = [agent.schedule for agent in config.cast]
    if said is None and not any(schedules):
        return None
    timeline = said.timeline if said is not None else ()
    return Scenario(
        description=said.description if said is not None else "",
        ticks=said.ticks if said is not None else config.clock.ticks_per_day,
        schedules=(*schedules, *((),) * (slots_ - len(schedules))),
        timeline=tuple(sorted(timeline, key=lambda entry: entry.tick)),
    )


def as_data(config: Config) -> dict[str, Any]:
    """Return the merged configuration as plain data, every default written out; `base` is used up."""
    return config.model_dump(mode="json", by_alias=True, exclude={"base"})


def config_hash(config: Config) -> str:
    """Return SHA-256 of the canonical JSON of the merged configuration (14.1)."""
    text = json.dumps(as_data(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
