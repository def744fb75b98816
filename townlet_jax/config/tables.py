"""The numeric tables of a town, as numpy arrays with the dtypes of the rules (MECHANICS 3).

Owns the order of every index axis. A table without entries gets one inert row, so that no array has length 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from townlet_jax.config.clauses import Alternatives, Facts, compiled, fact_names
from townlet_jax.config.errors import ProblemError, unknown
from townlet_jax.config.layout import Layout
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.economy import Affordance, PerturbationSpec
from townlet_jax.core.enums import (
    NOBODY,
    NUM_NEEDS,
    NUM_OPTIONS,
    Behaviour,
    Counter,
    MeetTarget,
    Need,
    Option,
    Perturb,
    RewardGroup,
    Sink,
    TieEvent,
    Trait,
)

Columns = dict[str, np.ndarray]
GLOBAL = "global"
NEVER_DRAWN = 2.0  # above every uniform draw

BUILT_IN: dict[str, dict[str, dict[str, float]]] = {
    "balanced": {"traits": {"extroversion": 0.0, "forgiveness": 0.0, "ambition": 0.0}},
    "socialite": {
        "traits": {"extroversion": 0.6, "forgiveness": 0.1, "ambition": -0.1},
        "needs": {"hygiene": 1.1},
        "reward": {"social": 1.2},
        "behaviour": {"chat_preference": 1.3},
    },
    "industrious": {
        "traits": {"extroversion": -0.2, "forgiveness": -0.1, "ambition": 0.5},
        "needs": {"energy": 0.9},
        "reward": {"employment": 1.25},
        "behaviour": {"work_affinity": 1.4},
    },
    "stoic": {
        "traits": {"extroversion": -0.3, "forgiveness": 0.5, "ambition": -0.2},
        "needs": {"hunger": 0.95},
        "reward": {"survival": 1.1},
        "behaviour": {"conflict_tolerance": 0.6},
    },
}


@dataclass(frozen=True)
class Index:
    """The order of every named axis; real entries only."""

    agents: tuple[str, ...]
    objects: tuple[str, ...]
    object_types: tuple[str, ...]
    affordances: tuple[str, ...]
    jobs: tuple[str, ...]
    goods: tuple[str, ...]
    prices: tuple[str, ...]
    utilities: tuple[str, ...]
    perturbations: tuple[str, ...]
    places: tuple[str, ...]
    profiles: tuple[str, ...]


def profile_names(config: Config) -> tuple[str, ...]:
    """Return the built-in profiles, then those of the file."""
    return (*BUILT_IN, *(name for name in config.personalities.profiles if name not in BUILT_IN))


def size(entries: Sequence[Any]) -> int:
    """Return the length of an axis: at least the one inert row."""
    return max(1, len(entries))


def spread(values: Iterable[tuple[int, float]], length: int) -> np.ndarray:
    """Put values at their places of a row of zeros."""
    row = np.zeros(length, np.float32)
    for place, value in values:
        row[place] += value
    return row


def economy(config: Config, index: Index) -> Columns:
    """Return prices and basket; the scalars are those of the section."""
    prices = spread(enumerate(config.economy.prices.values()), size(index.prices))
    return {"price": prices, "basket_weight": basket(config, index)}


def usual_affordances(config: Config) -> tuple[dict[Need, str], dict[str, str]]:
    """Return the affordance of each need and the maker of each good that the basket counts."""
    known = {affordance.id for affordance in config.affordances}
    usual = {Need.HUNGER: "eat_meal", Need.HYGIENE: "use_shower", Need.ENERGY: "rest_sleep"}
    chosen: dict[Need, str] = {}
    for need, default in usual.items():
        key = need.name.lower()
        name = getattr(config.basket, key)
        if name is not None and name not in known:
            raise unknown(("basket", key), "an affordance", name, known, "affordances")
        if name is not None or default in known:
            chosen[need] = name or default
    makers = config.basket.makers
    for good, name in (makers or {}).items():
        if name not in known:
            raise unknown(("basket", "makers", good), "an affordance", name, known, "affordances")
        if good not in config.goods.names:
            raise unknown(("basket", "makers", good), "a good", good, config.goods.names, "goods.names")
    if makers is None:
        makers = {"meals": "cook_meal"} if "cook_meal" in known else {}
    return chosen, makers


def basket(config: Config, index: Index) -> np.ndarray:
    """Return how often each price is paid on a usual day: as the file says, else by the formula of 14.6."""
    if config.economy.basket_weight is not None:
        said = config.economy.basket_weight.items()
        return spread(((index.prices.index(key), weight) for key, weight in said), size(index.prices))
    chosen, makers = usual_affordances(config)
    by_name = {affordance.id: affordance for affordance in config.affordances}
    uses: dict[str, float] = {}
    for need, name in chosen.items():
        effect = by_name[name].effects.get(need.name.lower(), 0.0)  # type: ignore[call-overload]  # a plain need name
        if effect > 0:
            uses[name] = uses.get(name, 0.0) + config.clock.ticks_per_day * config.needs.decay_rate[need] / effect
    for name, times in list(uses.items()):
        for good, amount in by_name[name].consume.items():
            maker = by_name[makers[good]] if good in makers else None
            if maker is not None and maker.produce.get(good, 0) > 0:
                uses[maker.id] = uses.get(maker.id, 0.0) + times * amount / maker.produce[good]
    total = np.zeros(size(index.prices), np.float64)
    for name, times in uses.items():
        for key, weight in by_name[name].cost.items():
            total[index.prices.index(key)] += times * weight
    return total.astype(np.float32)


def restock(config: Config, index: Index) -> Columns:
    """Return the delivery rows."""
    entries = config.restock
    return {
        "object_type": np.array([index.object_types.index(row.type) for row in entries] or [0], np.int32),
        "good": np.array([index.goods.index(row.good) for row in entries] or [0], np.int32),
        "every": np.array([row.every for row in entries] or [1], np.int32),
        "at": np.array([row.at for row in entries] or [0], np.int32),
        "amount": np.array([row.amount for row in entries] or [0], np.float32),
        "cap": np.array([row.cap for row in entries] or [0], np.float32),
    }


def jobs(config: Config) -> Columns:
    """Return one row a job; a wage of 0 is replaced by the usual one."""
    day, usual = config.clock.ticks_per_day, config.employment.default_wage
    entries = list(config.jobs.values())
    return {
        "start": np.array([job.start for job in entries] or [0], np.int32),
        "length": np.array([(job.end - job.start) % day + 1 for job in entries] or [1], np.int32),
        "wage_rate": np.array([job.wage_rate or usual for job in entries] or [0], np.float32),
        "lateness_penalty": np.array([job.lateness_penalty for job in entries] or [0], np.float32),
    }


def tie_deltas(config: Config) -> np.ndarray:
    """Return the table of tie events in the order of the enumeration."""
    return np.array([getattr(config.ties.delta, event.name.lower()) for event in TieEvent], np.float32)


def personality(config: Config) -> Columns:
    """Return traits, multipliers and the cumulated probabilities of the profiles (8.1)."""
    names = profile_names(config)
    groups: tuple[tuple[str, str, Any, float], ...] = (
        ("trait", "traits", Trait, 0.0),
        ("need_multiplier", "needs", Need, 1.0),
        ("reward_bias", "reward", RewardGroup, 1.0),
        ("behaviour_bias", "behaviour", Behaviour, 1.0),
    )
    columns: Columns = {}
    for column, key, enumeration, neutral in groups:
        rows = []
        for name in names:
            said = BUILT_IN.get(name, {}).get(key) if name in BUILT_IN else _said(config, name, key)
            rows.append([(said or {}).get(member.name.lower(), neutral) for member in enumeration])
        columns[column] = np.array(rows, np.float32)
    weights = np.array([config.personalities.distribution.get(name, 0.0) for name in names], np.float64)
    cumulative = np.cumsum(weights / weights.sum())
    cumulative[np.flatnonzero(weights)[-1] :] = NEVER_DRAWN
    columns["cumulative"] = cumulative.astype(np.float32)
    return columns


def _said(config: Config, name: str, key: str) -> Mapping[str, float]:
    """Return one group of numbers of a profile of the file."""
    value = getattr(config.personalities.profiles[name], key)
    return value if isinstance(value, dict) else value.model_dump()


def perturbations(config: Config, layout: Layout, index: Index) -> Columns:
    """Return one row a spec (3.7)."""
    specs = list(config.perturbations.specs.items())
    count = size(specs)
    columns: Columns = {
        "kind": np.zeros(count, np.int32),
        "prob_per_day": np.zeros(count, np.float32),
        "cooldown_ticks": np.zeros(count, np.int32),
        "duration_min": np.ones(count, np.int32),
        "duration_max": np.ones(count, np.int32),
        "magnitude_min": np.ones(count, np.float32),
        "magnitude_max": np.ones(count, np.float32),
        "price_mask": np.zeros((count, size(index.prices)), bool),
        "utility": np.full(count, NOBODY, np.int32),
        "meet_target": np.zeros(count, np.int32),
        "max_participants": np.full(count, 2, np.int32),
        "spare_busy": np.full(count, config.perturbations.spare_busy, bool),
        "bottleneck_type": np.full(count, NOBODY, np.int32),
        "fixed_object": np.full(count, NOBODY, np.int32),
        "is_city_event": np.zeros(count, bool),
    }
    for row, (name, spec) in enumerate(specs):
        kind = Perturb[spec.kind.upper()]
        low, high = spec.magnitude or (1.0, 1.0)
        values: dict[str, Any] = {
            "kind": kind,
            "prob_per_day": spec.prob_per_day,
            "cooldown_ticks": spec.cooldown_ticks,
            "duration_min": spec.duration[0],
            "duration_max": spec.duration[1],
            "magnitude_min": low,
            "magnitude_max": high,
            "is_city_event": kind is not Perturb.ARRANGED_MEET if spec.is_city_event is None else spec.is_city_event,
            **_kind_values(config, layout, index, name, spec, kind),
        }
        for column, value in values.items():
            columns[column][row] = value
    return columns


def _kind_values(
    config: Config, layout: Layout, index: Index, name: str, spec: PerturbationSpec, kind: Perturb
) -> dict[str, Any]:
    """Return the columns that only one kind uses."""
    path = ("perturbations", "specs", name)
    if kind is Perturb.PRICE_SPIKE:
        return {"price_mask": _price_mask(config, index, name, spec)}
    if kind in (Perturb.BLACKOUT, Perturb.OUTAGE):
        network = spec.utility or ("power" if kind is Perturb.BLACKOUT else "water")
        if network not in index.utilities:
            raise unknown((*path, "utility"), "a network", network, index.utilities, "economy.utilities")
        return {"utility": index.utilities.index(network)}
    if kind is Perturb.ARRANGED_MEET:
        chosen = {
            "meet_target": MeetTarget[(spec.target or "top_rivals").upper()],
            "max_participants": spec.max_participants or 2,
        }
        return chosen if spec.spare_busy is None else {**chosen, "spare_busy": spec.spare_busy}
    fixed = NOBODY
    kind_of_object = spec.object_type
    if spec.object is not None:
        if spec.object not in index.objects:
            raise unknown((*path, "object"), "an object", spec.object, index.objects, "objects")
        fixed = index.objects.index(spec.object)
        kind_of_object = kind_of_object or layout.objects[fixed].type
    if kind_of_object not in index.object_types:
        raise unknown((*path, "object_type"), "an object type", str(kind_of_object), index.object_types, "object_types")
    return {"bottleneck_type": index.object_types.index(kind_of_object), "fixed_object": fixed}


def _price_mask(config: Config, index: Index, name: str, spec: PerturbationSpec) -> np.ndarray:
    """Resolve price keys, groups and `global`."""
    mask = np.zeros(size(index.prices), bool)
    for place, target in enumerate(spec.targets or ()):
        if target == GLOBAL:
            keys: Sequence[str] = index.prices
        elif target in index.prices:
            keys = (target,)
        else:
            keys = config.goods.price_groups.get(target, ())
        if not keys:
            known = [*index.prices, *config.goods.price_groups, GLOBAL]
            path = ("perturbations", "specs", name, "targets", place)
            raise unknown(path, "a price key or price group", target, known, "economy.prices")
        for key in keys:
            mask[index.prices.index(key)] = True
    return mask


def menus(config: Config) -> Columns:
    """Return which affordance each option chooses from (5.4)."""
    shape = (NUM_OPTIONS, size(config.affordances))
    columns: Columns = {"menu": np.zeros(shape, bool), "fallback_menu": np.zeros(shape, bool)}
    for place, affordance in enumerate(config.affordances):
        for option in affordance.menus:
            columns["menu"][Option[option.upper()], place] = True
        for option in affordance.fallback_menus:
            columns["fallback_menu"][Option[option.upper()], place] = True
    return columns


def affordances(config: Config, index: Index) -> tuple[Columns, tuple[int, ...]]:
    """Return one row an affordance and the fact ids its clauses count in (3.3, 14.5)."""
    entries = config.affordances
    count, goods = size(entries), len(index.goods)
    columns: Columns = {
        "object_type": np.full(count, NOBODY, np.int32),
        "duration": np.ones(count, np.int32),
        "need_effect": np.zeros((count, NUM_NEEDS), np.float32),
        "price_weight": np.zeros((count, size(index.prices)), np.float32),
        "consume": np.zeros((count, size(index.goods)), np.float32),
        "produce": np.zeros((count, size(index.goods)), np.float32),
        "sink": np.zeros(count, np.int32),
        "utility": np.zeros((count, size(index.utilities)), bool),
        "slot_use": np.zeros(count, np.int32),
        "is_sleep": np.zeros(count, bool),
        "is_meal": np.zeros(count, bool),
        "count_start": np.full(count, NOBODY, np.int32),
        "count_finish": np.full(count, NOBODY, np.int32),
    }
    for row, entry in enumerate(entries):
        for column, value in _affordance_row(entry, index, goods).items():
            columns[column][row] = value
    clauses, facts = clause_tables(config, index)
    return {**columns, **clauses}, facts


def _affordance_row(entry: Affordance, index: Index, goods: int) -> dict[str, Any]:
    """Return the plain columns of one affordance."""
    places = max(1, goods)
    sink = Sink[entry.output_to.split(":")[0].upper()] if not entry.output_to.startswith("linked") else Sink.LINKED
    return {
        "object_type": index.object_types.index(entry.object_type),
        "duration": entry.duration,
        "need_effect": [entry.effects.get(name, 0.0) for name in ("hunger", "hygiene", "energy")],
        "price_weight": spread(((index.prices.index(k), w) for k, w in entry.cost.items()), size(index.prices)),
        "consume": spread(((index.goods.index(g), n) for g, n in entry.consume.items()), places),
        "produce": spread(((index.goods.index(g), n) for g, n in entry.produce.items()), places),
        "sink": sink if entry.produce else Sink.NONE,
        "utility": np.isin(index.utilities, entry.utilities),
        "slot_use": entry.slot_use,
        "is_sleep": entry.sleep,
        "is_meal": entry.meal,
        "count_start": NOBODY if entry.counts.start is None else Counter[entry.counts.start.upper()],
        "count_finish": NOBODY if entry.counts.finish is None else Counter[entry.counts.finish.upper()],
    }


def clause_tables(config: Config, index: Index) -> tuple[Columns, tuple[int, ...]]:
    """Compile all preconditions; the tables are as wide as the widest needs."""
    facts = Facts(index.goods, index.utilities, index.jobs)
    forms: list[Alternatives] = [
        compiled(entry.preconditions, facts, ("affordances", row, "preconditions"), entry.id)
        for row, entry in enumerate(config.affordances)
    ]
    used = sorted({clause.fact for form in forms for clauses in form for clause in clauses}) or [0]
    assert used[-1] < len(fact_names(index.goods, index.utilities))
    wide = max([1, *(len(form) for form in forms)])
    deep = max([1, *(len(clauses) for form in forms for clauses in form)])
    shape = (size(forms), wide, deep)
    columns: Columns = {
        "clause_used": np.zeros(shape, bool),
        "clause_fact": np.zeros(shape, np.int16),
        "clause_operator": np.zeros(shape, np.int8),
        "clause_constant": np.zeros(shape, np.float32),
    }
    for row, form in enumerate(forms):
        for alternative, clauses in enumerate(form):
            for place, clause in enumerate(clauses):
                at = (row, alternative, place)
                columns["clause_used"][at] = True
                columns["clause_fact"][at] = used.index(clause.fact)
                columns["clause_operator"][at] = clause.operator
                columns["clause_constant"][at] = clause.constant
    return columns, tuple(used)


def demand_weights(config: Config) -> None:
    """Raise `ProblemError` for unknown profiles and for weights that give nobody a chance."""
    names = profile_names(config)
    for name in config.personalities.distribution:
        if name not in names:
            raise unknown(("personalities", "distribution", name), "a profile", name, names, "personalities.profiles")
    if sum(config.personalities.distribution.values()) <= 0:
        raise ProblemError(
            ("personalities", "distribution"), "has only weights of 0; give at least one profile a weight above 0"
        )
