"""Phase act: starts and their preconditions (4.2.6, 14.5)."""

from reference.act import asking
from reference.scene import Scene
from townlet_jax.core.enums import (
    EPSILON,
    NOBODY,
    NUM_COUNTERS,
    Counter,
    Kind,
    Operator,
    Reason,
    ShiftFlag,
)

LOSES_HOLD = (
    Reason.CLOSED,
    Reason.UTILITY_OFF,
    Reason.NO_CAPACITY,
    Reason.NO_GOODS,
    Reason.NO_MONEY,
    Reason.PRECONDITION,
)
FIRST_COUNTER_FACT = 14


def starts(scene: Scene) -> None:
    """4.2.6: START, and USE of a holder; all tests read the state at the start of the step."""
    holding, wanted = scene.state.queues.holding, scene.intents.object
    granted = [a for a in asking(scene, Kind.USE) if holding[a] == wanted[a] and not scene.busy(a)]
    queues = scene.queues()
    refusals = {a: first_failing_test(scene, a, queues) for a in [*asking(scene, Kind.START), *granted]}
    for a, (reason, detail) in refusals.items():
        if reason == Reason.NONE:
            begin(scene, a)
            continue
        scene.refuse(a, reason, detail)
        if reason in LOSES_HOLD:
            scene.drop(a)


def first_failing_test(scene: Scene, a: int, queues: dict[int, list[int]]) -> tuple[Reason, int]:
    """Return the reason why `a` may not start, NONE if it may, with the detail of a precondition."""
    affordances, world = scene.params.affordances, scene.params.world
    o, k = scene.intents.object[a], scene.intents.affordance[a]
    stock = scene.state.economy.stock[o]
    if not world.present[o]:
        return Reason.BAD_INDEX, -1
    if affordances.object_type[k] != world.object_type[o]:
        return Reason.WRONG_TYPE, -1
    if scene.state.queues.holding[a] != o:
        return Reason.NOT_HOLDER, -1
    if scene.busy(a):
        return Reason.BUSY, -1
    if scene.closed(o):
        return Reason.CLOSED, -1
    if not scene.in_range(a, o):
        return Reason.OUT_OF_RANGE, -1
    if not scene.utilities_on(k):
        return Reason.UTILITY_OFF, -1
    if world.capacity[o] < affordances.slot_use[k]:
        return Reason.NO_CAPACITY, -1
    if any(units < wanted for units, wanted in zip(stock, affordances.consume[k], strict=True)):
        return Reason.NO_GOODS, -1
    if scene.state.economy.wallet[a] + EPSILON < scene.cost[k]:
        return Reason.NO_MONEY, -1
    failing = failing_clause(scene, a, o, k, queues)
    if failing != -1:
        return Reason.PRECONDITION, failing
    return Reason.NONE, -1


def begin(scene: Scene, a: int) -> None:
    """Pay, consume, run."""
    affordances, economy = scene.params.affordances, scene.state.economy
    o, k = scene.intents.object[a], scene.intents.affordance[a]
    scene.accept(a)
    economy.wallet[a] = max(0.0, economy.wallet[a] - scene.cost[k])
    for g, units in enumerate(affordances.consume[k]):
        economy.stock[o][g] -= units
    scene.state.activities.affordance[a] = k
    scene.state.activities.remaining[a] = max(1, affordances.duration[k])
    begun = scene.out.outcomes.starts
    begun.affordance[a], begun.object[a], begun.cost[a] = k, o, scene.cost[k]


def failing_clause(scene: Scene, a: int, o: int, k: int, queues: dict[int, list[int]]) -> int:
    """Return -1 if the preconditions of k hold, else the first alternative's first false clause."""
    affordances = scene.params.affordances
    used = affordances.clause_used[k]
    if not any(clauses[0] for clauses in used):
        return -1
    first_false: list[int] = []
    for alternative, clauses in enumerate(used):
        if not clauses[0]:
            continue
        false_clauses = [
            c
            for c, is_used in enumerate(clauses)
            if is_used
            and not holds(
                fact(scene, affordances.facts[affordances.clause_fact[k][alternative][c]], a, o, k, queues),
                affordances.clause_operator[k][alternative][c],
                affordances.clause_constant[k][alternative][c],
            )
        ]
        if not false_clauses:
            return -1
        first_false.append(false_clauses[0])
    return first_false[0]


def holds(value: float, operator: int, constant: float) -> bool:
    """Compare a fact with a constant (14.5)."""
    match Operator(operator):
        case Operator.EQ:
            return abs(value - constant) <= EPSILON
        case Operator.NE:
            return abs(value - constant) > EPSILON
        case Operator.LT:
            return value < constant
        case Operator.LE:
            return value <= constant + EPSILON
        case Operator.GT:
            return value > constant
        case Operator.GE:
            return value + EPSILON >= constant


def fact(scene: Scene, number: int, a: int, o: int, k: int, queues: dict[int, list[int]]) -> float:
    """Return the value of a fact (14.5) for agent a, object o, affordance k."""
    state = scene.state
    num_goods = len(state.economy.stock[0])
    first_stock = FIRST_COUNTER_FACT + NUM_COUNTERS
    first_object = first_stock + num_goods
    first_utility = first_object + 8
    if number < FIRST_COUNTER_FACT:
        return agent_fact(scene, number, a, o)
    if number < first_stock:
        return float(state.tally.count[a][number - FIRST_COUNTER_FACT])
    if number < first_object:
        return float(state.economy.stock[o][number - first_stock])
    if number >= first_utility:
        return float(scene.utility_on(number - first_utility))
    holder = scene.holders().get(o, NOBODY)
    object_facts = (
        scene.params.world.capacity[o],
        len(queues.get(o, [])),
        holder != NOBODY,
        holder not in (NOBODY, a),
        scene.tick,
        scene.tick_of_day,
        scene.day,
        scene.cost[k],
    )
    return float(object_facts[number - first_object])


def agent_fact(scene: Scene, number: int, a: int, o: int) -> float:
    """Return one of the facts 0 to 13."""
    state, world = scene.state, scene.params.world
    home_object = world.home_object[state.roster.home[a]][world.object_type[o]]
    return float(
        (
            1,
            *state.needs.level[a],
            state.economy.wallet[a],
            state.employment.flags[a] & ShiftFlag.ON_SHIFT != 0,
            state.tally.count[a][Counter.LATE_SHIFTS],
            attendance_ratio(state.employment.attendance[a]),
            state.tally.withheld[a],
            state.employment.phase[a],
            state.employment.job[a],
            scene.tick - state.roster.born_tick[a],
            state.economy.unpaid_days[a],
            home_object == o,
        )[number]
    )


def attendance_ratio(samples: list[float]) -> float:
    """Return the mean of the samples that exist, 0 if none (2.2)."""
    real = [sample for sample in samples if sample >= 0]
    return sum(real) / len(real) if real else 0.0


def remember_actions(scene: Scene) -> None:
    """4.2.11: what the acting slots asked for, whether it succeeded, how long it takes."""
    roster, verdicts, begun = scene.state.roster, scene.out.outcomes.verdicts, scene.out.outcomes.starts
    for a in scene.agents:
        if scene.acting[a]:
            k = begun.affordance[a]
            roster.last_kind[a] = verdicts.kind[a]
            roster.last_ok[a] = verdicts.ok[a]
            roster.last_ticks[a] = scene.params.affordances.duration[k] if k != NOBODY else 1
