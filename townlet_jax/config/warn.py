"""Warnings about towns that work but hardly make sense (MECHANICS 14.1: W1-W5)."""

import numpy as np

from townlet_jax.config.plan import Plan, plan
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.town import ObjectType
from townlet_jax.core.enums import Need

MARGIN = 1.1  # wages over the daily basket


def check_warnings(config: Config) -> list[str]:
    """Return what is odd about a checked configuration, one sentence each; never an error."""
    made = plan(config)
    return [*_wages(config, made), *_beds(config, made), *_needs(config, made), *_unused(config, made), *_goods(config)]


def daily_basket(made: Plan) -> float:
    """Return what an agent spends on a usual day, rent included (14.6)."""
    economy = made.sections["economy"]
    spent = np.sum(economy["basket_weight"].astype(np.float64) * economy["price"].astype(np.float64))
    return float(spent) + float(economy["rent_per_day"])


def _wages(config: Config, made: Plan) -> list[str]:
    if not config.jobs:
        return []
    table = made.sections["jobs"]
    wages = table["wage_rate"].astype(np.float64) * table["length"]
    poorest = int(np.argmin(wages))
    basket = daily_basket(made)
    if wages[poorest] >= MARGIN * basket:
        return []
    return [
        f"W1: {made.names.jobs[poorest]} earns {wages[poorest]:.2f} coins a day, less than {MARGIN} times the daily "
        f"basket of {basket:.2f}; raise its wage or lower prices and rent"
    ]


def _beds(config: Config, made: Plan) -> list[str]:
    """Count objects that somebody can sleep on."""
    kinds = {entry.object_type for entry in config.affordances if entry.sleep}
    names = made.names
    types = made.sections["world"]["object_type"]
    beds = sum(names.object_types[types[place]] in kinds for place in range(len(names.objects)))
    agents = int(made.sections["start"]["alive"].sum())
    if beds >= agents:
        return []
    return [f"W2: there are fewer beds ({beds}) than agents ({agents}); add beds or expect tired people"]


def _needs(config: Config, made: Plan) -> list[str]:
    """Look for an affordance with an object that raises each need."""
    names = made.names
    types = {names.object_types[made.sections["world"]["object_type"][place]] for place in range(len(names.objects))}
    raised = {
        need
        for entry in config.affordances
        if entry.object_type in types
        for need, effect in entry.effects.items()
        if effect > 0
    }
    return [
        f"W3: nothing on this map raises {need.name.lower()}; add an object with an affordance that does"
        for need in Need
        if need.name.lower() not in raised
    ]


def _unused(config: Config, made: Plan) -> list[str]:
    used = {entry.object_type for entry in config.affordances}
    used |= {entry.output_to.removeprefix("linked:") for entry in config.affordances}
    return [
        f"W4: no affordance uses objects of type {kind}; add one or mark the type decorative"
        for kind in made.names.object_types
        if kind not in used and not config.object_types.get(kind, ObjectType()).decorative
    ]


def _goods(config: Config) -> list[str]:
    consumed = {good for entry in config.affordances for good, amount in entry.consume.items() if amount > 0}
    made = {good for entry in config.affordances for good, amount in entry.produce.items() if amount > 0}
    made |= {row.good for row in config.restock if row.amount > 0}
    return [
        f"W5: {good} is consumed but neither produced nor delivered; add a restock row or a producer"
        for good in config.goods.names
        if good in consumed - made
    ]
