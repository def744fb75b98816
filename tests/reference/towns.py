"""Random towns with maps: what observations show of the ground is worked out when a configuration is built."""

from dataclasses import replace
from typing import Any

import numpy as np

from reference import randomise
from reference.compare import leaves_of, with_leaves
from reference.handmade import SIDE, affordances, events, numbers, people, society
from reference.randomise import Generator, Leaves, put
from reference.sight import Words
from townlet_jax.config import ConfigError, build, from_mapping
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec

AGENTS = 6
TYPES = ("fridge", "bed", "shower", "bench")  # no stove: a landmark that nobody ever sees
HINTS = (*TYPES, "sofa")
OBJECTS = 6
SIZES: dict[str, Any] = {
    "num_agents": AGENTS, "embedding_slots": AGENTS + 2, "attendance_window": 3, "absence_ring": 4, "fired_ring": 3,
}  # fmt: skip
LEGEND: dict[str, Any] = {
    ".": {"tile": "floor", "walkable": True},
    "#": {"tile": "wall", "walkable": False},
    "H": {"home": True},
    "X": {"site": "mill"},
    "Y": {"site": "quay"},
    "P": {"place": "park"},
    **{mark: {"object": kind} for mark, kind in zip("fbse", TYPES, strict=True)},
}
SHIFT = {"start": 1, "end": 2}
FIXED: dict[str, Any] = {  # tables of the sizes of the handmade town; their numbers are drawn later
    "object_types": {kind: {"decorative": True} for kind in TYPES},
    "jobs": {"miller": {**SHIFT, "site": "mill"}, "sailor": {**SHIFT, "site": "quay"}},
    "affordances": [{"id": f"use_{row}", "object_type": "bench", "duration": 1} for row in range(6)],
    "perturbations": {"specs": {f"event_{row}": {"kind": "blackout", "duration": 2} for row in range(6)}},
    "economy": {"prices": {"meal": 1, "ingredients": 1, "shower": 1}, "basket_weight": {"meal": 1}},
    "goods": {"names": ["meals", "raw_ingredients"]},
    "restock": [{"type": "bench", "good": "meals", "every": 1, "amount": 1}] * 2,
    "employment": {"absence_days": 3},
}
SCALES = ("wallet_scale", "count_scale", "withheld_scale", "distance_scale", "ticks_scale")


def drawn_map(generator: Generator) -> list[str]:
    """Return the rows of a small map: walls, homes, sites, a place, objects of random types."""
    kinds = generator.choice(list("fbse"), OBJECTS)
    marks = [*"HHHXYP", *kinds, *"#" * int(generator.integers(0, 7))]
    grid = np.full(SIDE * SIDE, ".")
    grid[generator.permutation(SIDE * SIDE)[: len(marks)]] = marks
    return ["".join(row) for row in grid.reshape(SIDE, SIDE)]


def drawn_mapping(generator: Generator, **spec: Any) -> dict[str, Any]:
    """Return a configuration with a random map and random things to hint at."""
    solid = bool(generator.random() < 0.5)
    return {
        **FIXED,
        "spec": {**SIZES, **spec},
        "town": {"rows": drawn_map(generator), "legend": LEGEND, "solid_objects": solid},
        "world": {"interaction_range": int(generator.choice([1, 1, 2, 6] if solid else [0, 1, 2, 6]))},
        "observation": {"hint_type": generator.choice(HINTS, 3).tolist()},
    }


def drawn_town(generator: Generator, **spec: Any) -> tuple[Spec, Params, Words]:
    """Return a random town all of whose numbers are drawn; maps without a way everywhere are drawn again."""
    while True:
        try:
            config = from_mapping(drawn_mapping(generator, **spec))
            built = build(config)
        except ConfigError:
            continue
        words = Words(built.names.object_types, built.names.utilities, config.observation.hint_type)
        params = built.params.replace(
            affordances=affordances(), perturbation=events(), **numbers(), **society(), **people(AGENTS)
        )
        spec_of_all = replace(built.spec, num_reachable=OBJECTS, num_alternatives=2, num_clauses=3)
        return spec_of_all, drawn_numbers(params, generator), words


def drawn_numbers(params: Params, generator: Generator) -> Params:
    """Return the town with new numbers everywhere but on its map."""
    leaves = leaves_of(params)
    day = int(generator.integers(40, 201))
    put(leaves, "clock.ticks_per_day", day)
    randomise.draw_uniform(leaves, generator)
    randomise.draw_choices(leaves, generator)
    randomise.draw_jobs(leaves, generator, day)
    randomise.draw_restock(leaves, generator, day)
    randomise.draw_affordances(leaves, generator)
    randomise.draw_events(leaves, generator, day)
    randomise.draw_people(leaves, generator)
    leaves["world.reachable"] = widened(leaves["world.reachable"])
    put(leaves, "world.capacity", generator.integers(0, 3, OBJECTS))
    put(leaves, "world.stock_start", generator.integers(0, 9, leaves["world.stock_start"].shape))
    draw_view(leaves, generator)
    drawn: Params = with_leaves(params, leaves)
    return drawn


def widened(table: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the table of reachable objects with room for all of them, so that all towns have one shape."""
    room = np.full((*table.shape[:2], OBJECTS), -1, table.dtype)
    room[:, :, : table.shape[2]] = table
    return room


def draw_view(leaves: Leaves, generator: Generator) -> None:
    """Draw the numbers of the observation."""
    for name in SCALES:
        put(leaves, f"observation.{name}", generator.uniform(0.5, 20))
    put(leaves, "observation.feature_clip", generator.choice([0.3, 1.0, 10.0, 1e9]))
    put(leaves, "observation.normalize_counts", generator.choice([True, False]))
    if generator.random() < 0.1:
        put(leaves, "economy.basket_weight", 0.0)
