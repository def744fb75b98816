"""Whose snapshot it is, and whether that fits whoever restores it (MECHANICS 13.2).

Owns the identity and the rules by which two of them are held against each other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from townlet_jax.snapshots.errors import IdentityError, listed, shown

ANNEAL_TOLERANCE = 1e-6
CONFIG_FIELDS = frozenset({"config_id", "config_hash"})
HASH = "^([0-9a-f]{64})?$"
ABSENT = object()


class Model(BaseModel):
    """A frozen record that is JSON in a file; unknown fields, infinities and other types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Identity(Model):
    """What a snapshot belongs to. Hashes are 64 hexadecimal digits, or empty where there is nothing to hash."""

    config_id: str
    config_hash: str = Field(pattern=HASH)
    spec: dict[str, JsonValue]  # every field of `Spec`
    observation_variant: str
    action_space: str
    policy_hash: str = Field(default="", pattern=HASH)
    anneal_ratio: float | None = None  # None where nothing is annealed
    more: dict[str, JsonValue] = {}  # whatever else must be equal

    @field_validator("spec", "more", mode="before")
    @classmethod
    def _as_json(cls, value: object) -> Any:
        """Turn tuples into lists, as they come back from a file."""
        return json.loads(json.dumps(value)) if isinstance(value, Mapping) else value


@dataclass(frozen=True, kw_only=True)
class Match:
    """How much of an identity must be equal."""

    exact_config: bool = True  # False: another configuration is listed as a difference and let through
    ignore: frozenset[str] = frozenset()  # fields that may differ, like "policy_hash", "spec" or "spec.num_agents"
    allow_newer: bool = False  # read snapshots of a later version as if they were of this one


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field of the identity that is not the same."""

    field: str
    saved: object  # `ABSENT` where one side has no such field
    running: object

    def __str__(self) -> str:
        return f"{self.field} is {_value(self.saved)} in the snapshot and {_value(self.running)} here"


def differences(saved: Identity, running: Identity) -> tuple[Difference, ...]:
    """Return every field that differs; `anneal_ratio` may be off by a millionth."""
    ours, theirs = _fields(running), _fields(saved)
    names = [*theirs, *(name for name in ours if name not in theirs)]
    pairs = [(name, theirs.get(name, ABSENT), ours.get(name, ABSENT)) for name in names]
    return tuple(
        Difference(field=name, saved=one, running=other) for name, one, other in pairs if not _equal(name, one, other)
    )


def demand(saved: Identity, running: Identity, match: Match, whose: str) -> tuple[Difference, ...]:
    """Raise `IdentityError` for differences that count; return those that do not. `whose` begins the sentence."""
    found = differences(saved, running)
    forgiven = match.ignore | (frozenset() if match.exact_config else CONFIG_FIELDS)
    counting = [one for one in found if not {one.field, one.field.partition(".")[0]} & forgiven]
    if counting:
        raise IdentityError(
            f"{whose} belongs to something else: {listed(map(str, counting), '; ')}.",
            tuple(one.field for one in counting),
        )
    return found


def _fields(identity: Identity) -> dict[str, object]:
    """Spell an identity out, one entry for each field of `spec` and `more`."""
    data = identity.model_dump()
    nested = {f"{part}.{name}": value for part in ("spec", "more") for name, value in data.pop(part).items()}
    return data | nested


def _equal(name: str, one: object, other: object) -> bool:
    if name == "anneal_ratio" and isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= ANNEAL_TOLERANCE
    return type(one) is type(other) and one == other


def _value(value: object) -> str:
    return "absent" if value is ABSENT else shown(value)
