"""Facts of a town and the compilation of preconditions to clause tables (MECHANICS 14.5).

Owns the fact ids, what may be compared with what, and the disjunctive normal form.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from townlet_jax.config.errors import Path, ProblemError, listed, nearest
from townlet_jax.config.language import All, Clause, Constant, MistakeError, Node, Places, Some, holds, understand
from townlet_jax.core.enums import Counter, Operator, Phase
from townlet_jax.core.spec import MAX_ALTERNATIVES, MAX_CLAUSES

EXPLOSION = 512  # alternatives before simplification at which compilation gives up
ONE = 0
JOB = "agent.job_id"
SHIFT = "agent.shift_state"
MEAL = "meal_available"
PHASES = {
    "idle": Phase.IDLE,
    "await_start": Phase.AWAIT,
    "on_time": Phase.ON_TIME,
    "late": Phase.LATE,
    "absent": Phase.ABSENT,
    "post_shift": Phase.POST,
}
FIRST = (
    "one", "needs.hunger", "needs.hygiene", "needs.energy", "agent.wallet", "agent.on_shift", "agent.lateness_counter",
    "agent.attendance_ratio", "agent.wages_withheld", SHIFT, JOB, "agent.age_ticks", "agent.unpaid_days",
    "object.is_home",
)  # fmt: skip
LAST = (
    "object.capacity", "queue_length", "reservation_active", "occupied", "world.tick", "world.tick_of_day", "world.day",
    "cost",
)  # fmt: skip

Alternatives = tuple[tuple[Clause, ...], ...]


def fact_names(goods: Sequence[str], utilities: Sequence[str]) -> tuple[str, ...]:
    """Return the facts in the order of their ids."""
    counters = tuple(f"inventory.{counter.name.lower()}" for counter in Counter)
    stocks = tuple(f"stock.{good}" for good in goods) or ("(no good)",)  # the inert column has an id too
    return (*FIRST, *counters, *stocks, *LAST, *(f"{name}_on" for name in utilities))


@dataclass(frozen=True)
class Facts:
    """The facts of one town: knows their ids and the words they are compared with."""

    goods: tuple[str, ...]
    utilities: tuple[str, ...]
    jobs: tuple[str, ...]

    @property
    def ids(self) -> dict[str, int]:
        """Return every name, aliases included, with its id."""
        names = {name: index for index, name in enumerate(fact_names(self.goods, self.utilities))}
        return {
            **names,
            "wallet": names["agent.wallet"],
            **{f"object.stock.{good}": names[f"stock.{good}"] for good in self.goods},
        }

    def compare(self, name: str, operator: Operator, constant: Constant, places: Places) -> Node:
        """Return the clause of a comparison, or its truth value where it is constant."""
        at_fact, at_constant = places
        if name == MEAL and "meals" in self.goods:
            return self._meal(operator, constant, at_constant)
        ids = self.ids
        if name not in ids:
            raise MistakeError(at_fact, f"there is no fact of this name{nearest(name, ids)}; facts are {listed(ids)}")
        if constant is None:
            if operator not in (Operator.EQ, Operator.NE):
                raise MistakeError(at_constant, "null has no order; compare with == or !=")
            if name != JOB:
                return operator is Operator.NE
            return Clause(ids[name], operator, -1.0)
        number = self._word(name, operator, constant, at_constant) if isinstance(constant, str) else float(constant)
        if ids[name] == ONE:
            return holds(1.0, operator, number)
        return Clause(ids[name], operator, number)

    def _meal(self, operator: Operator, constant: Constant, position: int) -> Node:
        """Read `meal_available` as `stock.meals > 0`."""
        if operator not in (Operator.EQ, Operator.NE) or constant not in (0.0, 1.0):
            raise MistakeError(position, "meal_available is true or false; compare it with one of them")
        positive = (operator is Operator.EQ) == bool(constant)
        return Clause(self.ids["stock.meals"], Operator.GT if positive else Operator.LE, 0.0)

    def _word(self, name: str, operator: Operator, word: str, position: int) -> float:
        """Return the number of a job or of a shift state."""
        known: dict[str, int] = {}
        if name == SHIFT:
            known = {key: int(value) for key, value in PHASES.items()}
        elif name == JOB:
            known = {job: index for index, job in enumerate(self.jobs)}
        else:
            raise MistakeError(position, f"{name} is a number; compare it with a number")
        if operator not in (Operator.EQ, Operator.NE):
            raise MistakeError(position, "names have no order; compare with == or !=")
        if word not in known:
            raise MistakeError(position, f"{name} is never this{nearest(word, known)}; it is one of {listed(known)}")
        return float(known[word])


def alternatives(node: Node) -> Alternatives:
    """Distribute to disjunctive normal form; `()` is never, `((),)` is always."""
    if isinstance(node, bool):
        return ((),) if node else ()
    if isinstance(node, Clause):
        return ((node,),)
    found: Alternatives = () if isinstance(node, Some) else ((),)
    for part in node.parts:
        inner = alternatives(part)
        if isinstance(node, All):
            found = _distinct([(*one, *other) for one in found for other in inner])
        else:
            found = _distinct([*found, *inner])
        if len(found) > EXPLOSION:
            raise OverflowError
    return found


def _distinct(found: Sequence[tuple[Clause, ...]]) -> Alternatives:
    """Remove repeated clauses and repeated alternatives; one that is always true swallows the others."""
    kept: dict[frozenset[Clause], tuple[Clause, ...]] = {}
    for clauses in found:
        unique = tuple(dict.fromkeys(clauses))
        kept.setdefault(frozenset(unique), unique)
    return ((),) if frozenset() in kept else tuple(kept.values())


def compiled(texts: Sequence[str], facts: Facts, path: Path, affordance: str) -> Alternatives:
    """Compile all preconditions of an affordance, joined by and; no alternative means always.

    Raises `ProblemError` with a caret for mistakes, and with counts and limits for expressions that are too large.
    """
    nodes = []
    for index, text in enumerate(texts):
        try:
            nodes.append(understand(text, facts))
        except MistakeError as mistake:
            line = "".join(c if c.isprintable() else " " for c in text)
            note = f"\n    {line}\n    {' ' * mistake.position}^"
            where = f"the precondition of {affordance} is wrong at character {mistake.position + 1}: {mistake.text}"
            raise ProblemError((*path, index), where, note) from None
    try:
        found = alternatives(All(tuple(nodes)))
    except OverflowError:
        found = ((Clause(ONE, Operator.EQ, 1.0),),) * (EXPLOSION + 1)
    most = max((len(clauses) for clauses in found), default=0)
    if len(found) > MAX_ALTERNATIVES or most > MAX_CLAUSES:
        count = f"more than {EXPLOSION}" if len(found) > EXPLOSION else str(len(found))
        raise ProblemError(
            path,
            f"the preconditions of {affordance} need {count} alternatives of up to {most} clauses, but at most "
            f"{MAX_ALTERNATIVES} alternatives of {MAX_CLAUSES} clauses fit; simplify them",
        )
    if not found:
        return ((Clause(ONE, Operator.EQ, 0.0),),)
    return () if found == ((),) else found
