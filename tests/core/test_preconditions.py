"""Every fact, every operator, alternatives and the failing clause (MECHANICS 14.5)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from core.worlds import BED, BENCH, HAMLET, TILL, World, editable, on_device
from townlet_jax.config import Built, build, from_mapping
from townlet_jax.core import preconditions
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params
from townlet_jax.core.preconditions import Facts

SLOTS = 40  # at least one a rule, so that one call judges all rules
HOLD = jax.jit(
    lambda params, facts, place, affordance: preconditions.hold(params, facts, object=place, affordance=affordance)
)
ALL_FACTS = [
    "needs.hunger > 0.5",
    "needs.hygiene > 0.5",
    "needs.energy > 0.5",
    "wallet > 0.5",
    "agent.on_shift",
    "agent.lateness_counter > 0.5",
    "agent.attendance_ratio > 0.5",
    "agent.wages_withheld > 0.5",
    "agent.shift_state == 'late'",
    "agent.job_id == null",
    "agent.age_ticks > 99",
    "agent.unpaid_days > 0",
    "object.is_home",
    "inventory.chats_ok > 0",
    "inventory.bumped > 0",
    "stock.meals > 0",
    "stock.raw_ingredients > 0",
    "object.capacity > 1",
    "queue_length > 0",
    "reservation_active",
    "occupied",
    "world.tick > 99",
    "world.tick_of_day > 99",
    "world.day > 0",
    "cost > 0.5",
    "power_on",
    "water_on",
]
RULES = [
    ["needs.hunger == 0.5"],
    ["needs.hunger != 0.5"],
    ["needs.hunger < 0.5"],
    ["needs.hunger <= 0.5"],
    ["needs.hunger > 0.5"],
    ["needs.hunger >= 0.5"],
    ["power_on and (stock.meals > 0 or wallet >= 0.6)"],
    ["not (occupied or needs.energy >= 0.97)"],
    [],
    ["needs.hunger in []"],
]


def town_with(rules: list[list[str]]) -> Built:
    """Return a hamlet with one bench affordance a rule."""
    rows = [
        {"id": f"rule_{index}", "object_type": "bench", "duration": 1, "preconditions": rule}
        for index, rule in enumerate(rules)
    ]
    return build(from_mapping({**HAMLET, "base": "default", "affordances": rows, "perturbations": {}}))


@pytest.fixture(scope="module")
def by_rule() -> Params:
    """Return the numbers of a town with the written-out rules."""
    return town_with(RULES).params


@pytest.fixture(scope="module")
def by_fact() -> Params:
    """Return the numbers of a town with one rule a fact."""
    return town_with([[text] for text in ALL_FACTS]).params


def facts(**changes: Any) -> Facts:
    """Return the facts of a dull town; what is changed goes to everybody."""
    base: dict[str, Any] = {
        "level": np.zeros((SLOTS, 3)), "wallet": np.zeros(SLOTS), "on_shift": np.zeros(SLOTS, bool),
        "attendance_ratio": np.zeros(SLOTS), "withheld": np.zeros(SLOTS), "phase": np.zeros(SLOTS, int),
        "job": np.zeros(SLOTS, int), "born_tick": np.zeros(SLOTS, int), "unpaid_days": np.zeros(SLOTS, int),
        "home": np.zeros(SLOTS, int), "count": np.zeros((SLOTS, 15), int), "stock": np.zeros((11, 2)),
        "queue_length": np.zeros(11, int), "holder": np.full(11, NOBODY), "cost": np.zeros(40),
        "utility_on": np.zeros(2, bool), "tick": np.zeros((), int), "tick_of_day": np.zeros((), int),
        "day": np.zeros((), int),
    }  # fmt: skip
    told = {name: np.asarray(values) for name, values in (base | changes).items()}
    kinds = {"f": np.float32, "i": np.int32, "b": np.bool_}
    return Facts(**{name: jnp.asarray(values.astype(kinds[values.dtype.kind])) for name, values in told.items()})


def judge(params: Params, given: Facts, place: int, rule: Any) -> tuple[Any, Any]:
    """Let each slot judge a rule, `rule[slot]` or one for all."""
    num_rules = params.affordances.duration.shape[0]
    rules = np.broadcast_to(np.asarray(rule, np.int32), (SLOTS,))
    given = given.replace(cost=given.cost[:num_rules])
    return HOLD(params, given, jnp.full(SLOTS, place), jnp.asarray(rules))  # type: ignore[no-any-return]  # jit hides it


def truths_of(params: Params, given: Facts, place: int = BENCH) -> list[bool]:
    """Tell which rules hold; the slot with the rule's number judges it."""
    num_rules = params.affordances.duration.shape[0]
    rules = np.minimum(np.arange(SLOTS), num_rules - 1)
    return [bool(true) for true in judge(params, given, place, rules)[0][:num_rules]]


def holds(params: Params, given: Facts, rule: int, place: int = BENCH, slot: int = 0) -> bool:
    """Tell whether a rule holds for a slot."""
    return bool(judge(params, given, place, rule)[0][slot])


def column(width: int, index: int, value: float, *, rows: int = SLOTS, whole: bool = False) -> Any:
    """Return a table that is zero but for one column."""
    table = np.zeros((rows, width), int if whole else float)
    table[:, index] = value
    return table


TRUTHS: list[tuple[str, dict[str, Any]]] = [
    ("needs.hunger > 0.5", {"level": column(3, 0, 0.6)}),
    ("needs.hygiene > 0.5", {"level": column(3, 1, 0.6)}),
    ("needs.energy > 0.5", {"level": column(3, 2, 0.6)}),
    ("wallet > 0.5", {"wallet": np.full(SLOTS, 0.6)}),
    ("agent.on_shift", {"on_shift": np.ones(SLOTS, bool)}),
    ("agent.lateness_counter > 0.5", {"count": column(15, 7, 1, whole=True)}),
    ("agent.attendance_ratio > 0.5", {"attendance_ratio": np.full(SLOTS, 0.6)}),
    ("agent.wages_withheld > 0.5", {"withheld": np.full(SLOTS, 0.6)}),
    ("agent.shift_state == 'late'", {"phase": np.full(SLOTS, 3)}),
    ("agent.job_id == null", {"job": np.full(SLOTS, -1)}),
    ("agent.age_ticks > 99", {"tick": np.array(99), "born_tick": np.full(SLOTS, -1)}),
    ("agent.unpaid_days > 0", {"unpaid_days": np.ones(SLOTS, int)}),
    ("inventory.chats_ok > 0", {"count": column(15, 9, 1, whole=True)}),
    ("inventory.bumped > 0", {"count": column(15, 14, 1, whole=True)}),
    ("stock.meals > 0", {"stock": column(2, 0, 1, rows=11)}),
    ("stock.raw_ingredients > 0", {"stock": column(2, 1, 1, rows=11)}),
    ("queue_length > 0", {"queue_length": np.ones(11, int)}),
    ("reservation_active", {"holder": np.full(11, ALL_FACTS.index("occupied"))}),
    ("occupied", {"holder": np.full(11, SLOTS - 1)}),
    ("world.tick > 99", {"tick": np.array(100), "born_tick": np.full(SLOTS, 50)}),
    ("world.tick_of_day > 99", {"tick_of_day": np.array(100)}),
    ("world.day > 0", {"day": np.array(1)}),
    ("cost > 0.5", {"cost": np.full(40, 0.6)}),
    ("power_on", {"utility_on": np.array([True, False])}),
    ("water_on", {"utility_on": np.array([False, True])}),
]


@pytest.mark.parametrize(("text", "changes"), TRUTHS, ids=[text for text, _ in TRUTHS])
def test_each_fact_reads_its_own_place(by_fact: Params, text: str, changes: dict[str, Any]) -> None:
    friends = {"reservation_active"} if text == "occupied" else set()
    before, after = truths_of(by_fact, facts()), truths_of(by_fact, facts(**changes))
    changed = {other for other, was, now in zip(ALL_FACTS, before, after, strict=True) if was != now}
    assert not before[ALL_FACTS.index(text)]
    assert changed - friends == {text}


def test_facts_of_the_object(by_fact: Params) -> None:
    home = ALL_FACTS.index("object.is_home")
    assert [holds(by_fact, facts(), home, place) for place in (BENCH, BED, TILL)] == [True, True, True]
    assert not holds(by_fact, facts(), home, 7)  # the other bed
    wide = editable(by_fact)
    wide.world.capacity[BENCH] = 2
    rule = ALL_FACTS.index("object.capacity > 1")
    assert holds(on_device(wide), facts(), rule)
    assert not holds(on_device(wide), facts(), rule, TILL)


def test_being_occupied_is_about_others(by_fact: Params) -> None:
    rule = ALL_FACTS.index("occupied")
    held = facts(holder=np.full(11, 3))
    assert holds(by_fact, held, rule, slot=0)
    assert not holds(by_fact, held, rule, slot=3)


@pytest.mark.parametrize(
    ("hunger", "truths"),
    [
        (0.4, [False, True, True, True, False, False]),
        (0.499995, [True, False, True, True, False, True]),
        (0.5, [True, False, False, True, False, True]),
        (0.500005, [True, False, False, True, True, True]),
        (0.6, [False, True, False, False, True, True]),
    ],
)
def test_operators_and_their_tolerance(by_rule: Params, hunger: float, truths: list[bool]) -> None:
    given = facts(level=column(3, 0, hunger))
    assert [holds(by_rule, given, rule) for rule in range(6)] == truths


@pytest.mark.parametrize(
    ("power", "meals", "wallet", "expected"),
    [(True, 1, 0.0, True), (True, 0, 0.6, True), (True, 0, 0.5, False), (False, 1, 9.0, False)],
)
def test_v49_alternatives(by_rule: Params, power: bool, meals: int, wallet: float, expected: bool) -> None:
    given = facts(
        utility_on=np.array([power, False]), stock=column(2, 0, meals, rows=11), wallet=np.full(SLOTS, wallet)
    )
    assert holds(by_rule, given, 6) is expected


@pytest.mark.parametrize(("holder", "energy", "expected"), [(NOBODY, 0.9, True), (1, 0.9, False), (0, 0.98, False)])
def test_v50_negations(by_rule: Params, holder: int, energy: float, expected: bool) -> None:
    given = facts(holder=np.full(11, holder), level=column(3, 2, energy))
    assert holds(by_rule, given, 7) is expected


def test_constants(by_rule: Params) -> None:
    assert holds(by_rule, facts(), 8)
    assert not holds(by_rule, facts(), 9)


def test_the_failing_clause_is_the_first_of_the_first_alternative(by_rule: Params) -> None:
    def detail(given: Facts, rule: int) -> int:
        return int(judge(by_rule, given, BENCH, rule)[1][0])

    powered = np.array([True, False])
    assert detail(facts(), 6) == 0
    assert detail(facts(utility_on=powered), 6) == 1
    assert detail(facts(utility_on=powered, stock=column(2, 0, 1, rows=11)), 6) == -1
    assert detail(facts(), 8) == -1


def test_the_hamlet_knows_one_fact() -> None:
    assert World().params.affordances.facts == (3,)
