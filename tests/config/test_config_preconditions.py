"""The precondition language: grammar, normal form, facts, carets (MECHANICS 14.5, vectors 49 and 50)."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.config import ConfigError, build, from_mapping
from townlet_jax.config.clauses import Alternatives, Facts, alternatives, compiled, fact_names
from townlet_jax.config.errors import ProblemError
from townlet_jax.config.language import All, Clause, Node, Some, holds, negated, understand
from townlet_jax.core.enums import Operator, Phase

FACTS = Facts(("meals", "raw_ingredients"), ("power", "water"), ("grocer", "barista"))
IDS = FACTS.ids


def forms(text: str, *more: str) -> list[list[str]]:
    """Compile and write each clause as `fact OP constant`."""
    names = fact_names(FACTS.goods, FACTS.utilities)
    found = compiled((text, *more), FACTS, ("here",), "thing")
    return [[f"{names[c.fact]} {c.operator.name} {c.constant:g}" for c in clauses] for clauses in found]


def test_vector_49() -> None:
    assert forms("power_on == true and (stock.meals > 0 or wallet >= 0.6)") == [
        ["power_on EQ 1", "stock.meals GT 0"],
        ["power_on EQ 1", "agent.wallet GE 0.6"],
    ]


def test_vector_50() -> None:
    assert forms("not (occupied or needs.energy >= 0.97)") == [["occupied EQ 0", "needs.energy LT 0.97"]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("occupied", [["occupied NE 0"]]),
        ("not not occupied", [["occupied NE 0"]]),
        ("0.2 < needs.hunger <= 0.8", [["needs.hunger GT 0.2", "needs.hunger LE 0.8"]]),
        ("not (0.2 < needs.hunger <= 0.8)", [["needs.hunger LE 0.2"], ["needs.hunger GT 0.8"]]),
        ("-1 <= agent.job_id", [["agent.job_id GE -1"]]),
        ("agent.job_id == null", [["agent.job_id EQ -1"]]),
        ("agent.job_id == 'barista'", [["agent.job_id EQ 1"]]),
        ('agent.shift_state in ["on_time", "late"]', [["agent.shift_state EQ 2"], ["agent.shift_state EQ 3"]]),
        ("agent.shift_state not in ['idle', 'post_shift']", [["agent.shift_state NE 0", "agent.shift_state NE 5"]]),
        ("wallet > 1 and wallet > 1", [["agent.wallet GT 1"]]),
        ("wallet > 1 or agent.wallet > 1", [["agent.wallet GT 1"]]),
        ("wallet > 1 and true", [["agent.wallet GT 1"]]),
        ("wallet > 1 or false", [["agent.wallet GT 1"]]),
        ("wallet > 1 and one == 1", [["agent.wallet GT 1"]]),
        ("meal_available", [["stock.meals GT 0"]]),
        ("meal_available == false", [["stock.meals LE 0"]]),
        ("not meal_available", [["stock.meals LE 0"]]),
        ("object.stock.raw_ingredients >= 2e0", [["stock.raw_ingredients GE 2"]]),
        ("inventory.helped != 3 and world.day < 6", [["inventory.helped NE 3", "world.day LT 6"]]),
    ],
)  # fmt: skip
def test_forms(text: str, wanted: list[list[str]]) -> None:
    assert forms(text) == wanted


@pytest.mark.parametrize(
    "text", ["true", "wallet > 1 or true", "one == 1", "wallet != null", "not false", "wallet not in []"]
)
def test_always_needs_no_alternative(text: str) -> None:
    assert forms(text) == []


@pytest.mark.parametrize(
    "text", ["false", "wallet > 1 and false", "one == 0", "wallet == null", "one == 2", "wallet in []"]
)
def test_never_is_one_impossible_alternative(text: str) -> None:
    assert forms(text) == [["one EQ 0"]]


def test_several_preconditions_are_joined_by_and() -> None:
    assert forms("wallet > 1 or cost < 2", "occupied == 0") == [
        ["agent.wallet GT 1", "occupied EQ 0"],
        ["cost LT 2", "occupied EQ 0"],
    ]


def test_fact_ids_follow_the_table() -> None:
    names = fact_names(("meals", "raw_ingredients"), ("power", "water"))
    assert names.index("object.is_home") == 13
    assert names.index("inventory.meals_consumed") == 14
    assert names.index("inventory.bumped") == 28
    assert (names.index("stock.meals"), names.index("stock.raw_ingredients")) == (29, 30)
    assert names[31:39] == (
        "object.capacity", "queue_length", "reservation_active", "occupied", "world.tick", "world.tick_of_day",
        "world.day", "cost",
    )  # fmt: skip
    assert names[39:] == ("power_on", "water_on")
    assert fact_names((), ("power", "water")).index("object.capacity") == 30, "the inert good has an id"


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("needs.hunger < needs.energy", 13, "two facts"),
        ("1 < 2", 2, "two constants"),
        ("wallet + 1 > 2", 7, "belongs to no"),
        ("wallet - 1 > 2", 7, "should end here"),
        ("min(wallet) > 2", 0, "no functions"),
        ("needs.hungr < 2", 0, "did you mean 'needs.hunger'"),
        ("(wallet > 2", 11, "')' is missing"),
        ("wallet >", 8, "is missing here"),
        ("", 0, "is missing here"),
        ("wallet > 'rich'", 9, "is a number"),
        ("agent.job_id == 'baker'", 16, "one of grocer, barista"),
        ("agent.job_id < 'grocer'", 15, "no order"),
        ("wallet < null", 9, "no order"),
        ("wallet > 1e99", 9, "too large"),
        ("-wallet > 2", 1, "must follow the minus"),
        ("3", 0, "alone is no condition"),
        ("wallet in [cost]", 11, "constants only"),
        ("wallet > 2 cost < 1", 11, "should end here"),
        ("(" * 40 + "wallet" + ")" * 40, 32, "nested deeper"),
        ("meal_available > 3", 17, "true or false"),
    ],
)
def test_mistakes_point_at_their_place(text: str, position: int, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        compiled((text,), FACTS, ("here",), "thing")
    assert words in caught.value.text
    line, caret = caught.value.note.splitlines()[1:]
    assert line.strip() == text.strip()
    assert caret.index("^") - 4 == position


def test_limits_name_affordance_counts_and_limits() -> None:
    with pytest.raises(
        ProblemError, match=r"of thing need 5 alternatives of up to 1 clauses, but at most 4 .* 6 clauses"
    ):
        forms(" or ".join(f"wallet == {number}" for number in range(5)))
    with pytest.raises(ProblemError, match=r"need 1 alternatives of up to 7 clauses"):
        forms(" and ".join(f"wallet != {number}" for number in range(7)))
    with pytest.raises(ProblemError, match="more than 512 alternatives"):
        forms(" and ".join(f"(wallet > {number} or cost > {number})" for number in range(12)))


def test_tables_of_a_town() -> None:
    picky = "wallet > 1 or (power_on and wallet < 0.5)"
    town = {
        "town": {"size": [3, 3]},
        "agents": [{"name": "a", "position": [0, 0]}],
        "affordances": [
            {"id": "free", "object_type": "bench", "duration": 1},
            {"id": "picky", "object_type": "bench", "duration": 1, "preconditions": [picky]},
            {"id": "never", "object_type": "bench", "duration": 1, "preconditions": ["false"]},
        ],
    }
    spec, params, names = build(from_mapping(town))
    table = params.affordances
    assert (spec.num_alternatives, spec.num_clauses) == (2, 2)
    assert table.facts == (0, 4, 39)
    assert np.asarray(table.clause_used).tolist() == [[[0, 0], [0, 0]], [[1, 0], [1, 1]], [[1, 0], [0, 0]]]
    assert np.asarray(table.clause_fact)[1].tolist() == [[1, 0], [2, 1]]
    assert np.asarray(table.clause_operator)[1].tolist() == [[Operator.GT, 0], [Operator.NE, Operator.LT]]
    np.testing.assert_allclose(table.clause_constant[1], [[1, 0], [0, 0.5]])
    assert (int(table.clause_fact[2, 0, 0]), float(table.clause_constant[2, 0, 0])) == (0, 0.0)
    assert names.preconditions == ((), (picky,), ("false",))


def test_the_sentence_of_a_file() -> None:
    thing = {"id": "sit", "object_type": "bench", "duration": 1, "preconditions": ["wallet >> 2"]}
    with pytest.raises(ConfigError) as caught:
        from_mapping({"town": {"size": [3, 3]}, "agents": [{"name": "a", "position": [0, 0]}], "affordances": [thing]})
    first, text, caret = str(caught.value).splitlines()
    assert first.startswith(
        "<mapping>: affordances[0].preconditions[0]: the precondition of sit is wrong at character 9"
    )
    assert text[caret.index("^")] == ">"


def evaluate(node: Node, values: dict[int, float]) -> bool:
    """Evaluate a tree as it stands."""
    if isinstance(node, bool):
        return node
    if isinstance(node, Clause):
        return holds(values[node.fact], node.operator, node.constant)
    results = [evaluate(part, values) for part in node.parts]
    return all(results) if isinstance(node, All) else any(results)


CLAUSES = st.builds(Clause, st.integers(1, 3), st.sampled_from(list(Operator)), st.sampled_from([0.0, 1.0, 2.0]))


def joined(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Join trees by and or by or."""
    return st.builds(lambda kind, parts: kind(tuple(parts)), st.sampled_from([All, Some]), st.lists(inner, max_size=3))


TREES = st.recursive(st.booleans() | CLAUSES, joined, max_leaves=8)


@given(TREES, st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0]), min_size=3, max_size=3))
def test_normal_form_and_negation_keep_the_meaning(node: Node, numbers: list[float]) -> None:
    values = dict(zip((1, 2, 3), numbers, strict=True))
    wanted = evaluate(node, values)
    found = any(all(evaluate(clause, values) for clause in clauses) for clauses in alternatives(node))
    assert found == wanted
    assert evaluate(negated(node), values) != wanted


@given(st.text(alphabet="wallet.needshungr0123456789<>=!()[], andornotin'\"-_", max_size=40))
def test_any_text_is_a_tree_or_a_mistake(text: str) -> None:
    found: Alternatives = ()
    with contextlib.suppress(ProblemError):
        found = compiled((text,), FACTS, ("here",), "thing")
    assert all(math.isfinite(clause.constant) for clauses in found for clause in clauses)


def test_phases_have_the_codes_of_the_core() -> None:
    for word, phase in {"idle": Phase.IDLE, "await_start": Phase.AWAIT, "post_shift": Phase.POST}.items():
        assert understand(f"agent.shift_state == '{word}'", FACTS) == Clause(
            IDS["agent.shift_state"], Operator.EQ, phase
        )
