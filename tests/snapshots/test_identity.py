"""Identities: what differs, what may differ, and how it is said."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.snapshots.trees import IDENTITY, is_sentence
from townlet_jax.snapshots import Identity, IdentityError, Match
from townlet_jax.snapshots.identity import demand, differences


def other(**changes: Any) -> Identity:
    """Return the identity of the tests with other fields."""
    return Identity.model_validate(IDENTITY.model_dump() | changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"config_id": "hamlet"}, "config_id is default in the snapshot and hamlet here"),
        ({"observation_variant": "full"}, "observation_variant is hybrid in the snapshot and full here"),
        ({"action_space": "options"}, "action_space is flat in the snapshot and options here"),
        ({"policy_hash": ""}, f'policy_hash is {"f" * 64} in the snapshot and "" here'),
        ({"anneal_ratio": None}, "anneal_ratio is 0.25 in the snapshot and null here"),
        ({"anneal_ratio": 0.2500011}, "anneal_ratio is 0.25 in the snapshot and 0.2500011 here"),
        ({"more": {"lstm": True}}, "more.lstm is absent in the snapshot and true here"),
        ({"spec": {"num_agents": 24}}, 'spec.object_channels is ["bed", "stove"] in the snapshot and absent here'),
        ({"spec": {**IDENTITY.spec, "num_agents": 24.0}}, "spec.num_agents is 24 in the snapshot and 24.0 here"),
        ({"spec": {**IDENTITY.spec, "num_agents": "\x1b[31m"}}, "spec.num_agents is 24 in the snapshot and [31m here"),
    ],
)
def test_a_field_that_differs_is_named_with_both_values(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(IdentityError) as refusal:
        demand(IDENTITY, other(**changes), Match(), "Snapshot 3 in runs/x")
    assert str(refusal.value) == f"Snapshot 3 in runs/x belongs to something else: {text}."
    assert is_sentence(str(refusal.value))


def test_equal_identities_do_not_differ() -> None:
    assert differences(IDENTITY, other()) == ()
    assert differences(IDENTITY, other(anneal_ratio=0.25 + 9e-7)) == ()
    assert differences(IDENTITY, Identity.model_validate_json(IDENTITY.model_dump_json())) == ()


def test_the_configuration_may_differ_if_that_is_said() -> None:
    running = other(config_hash="3" * 64, config_id="hamlet")
    found = demand(IDENTITY, running, Match(exact_config=False), "It")
    assert [one.field for one in found] == ["config_id", "config_hash"]
    with pytest.raises(IdentityError) as refusal:
        demand(IDENTITY, running.model_copy(update={"action_space": "options"}), Match(exact_config=False), "It")
    assert refusal.value.fields == ("action_space",)


def test_single_fields_may_differ_if_that_is_said() -> None:
    running = other(spec={**IDENTITY.spec, "num_agents": 3, "num_objects": 4})
    assert len(demand(IDENTITY, running, Match(ignore=frozenset({"spec"})), "It")) == 2
    with pytest.raises(IdentityError) as refusal:
        demand(IDENTITY, running, Match(ignore=frozenset({"spec.num_agents"})), "It")
    assert refusal.value.fields == ("spec.num_objects",)


def test_many_differences_are_counted() -> None:
    running = other(spec={f"field_{number}": number for number in range(20)})
    with pytest.raises(IdentityError, match=r"field_3 is absent in the snapshot and 3 here; and 16 more\.$") as refusal:
        demand(IDENTITY, running, Match(), "It")
    assert len(refusal.value.fields) == 22


@pytest.mark.parametrize(
    "changes",
    [
        {"config_hash": "A" * 64},
        {"policy_hash": "f" * 63},
        {"anneal_ratio": float("nan")},
        {"spec": {"bad": float("inf")}},
        {"spec": []},
        {"colour": "red"},
        {"config_id": 3},
    ],
)
def test_identities_that_say_nothing_sensible_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        other(**changes)
