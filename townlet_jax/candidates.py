"""The policies that can be compared: by name, out of a learner's checkpoint, or a mixture of the script and one.

Owns how they are spelled: `scripted`, `runs/first@best`, `policy.safetensors`, `mixture:0.2:runs/first`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.config import Built, build, load
from townlet_jax.core import batch
from townlet_jax.plans import POLICIES, Plan, RunError, plan_for, policy_of
from townlet_jax.policy import blend, learned
from townlet_jax.policy.learned import Actor
from townlet_jax.report import printable
from townlet_jax.snapshots import MissingError, StoreError, sources, weights
from townlet_jax.snapshots.errors import listed

MIXTURE = "mixture"
TownFor = Callable[[str, int], Built]  # of an action space and a time limit


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A policy and its town: the same town for all of them, with the weights beside its numbers where it has some."""

    name: str  # as it was asked for
    built: Built
    policy: batch.Policy | None = None  # None: the one of that name
    about: Mapping[str, Any] = field(default_factory=dict)  # of the weights, as JSON
    remark: str = ""  # what somebody who compares should know
    actor: Actor | None = None  # of a network
    policy_hash: str | None = None  # SHA-256 of its weights

    def acting(self) -> batch.Policy:
        """Return how its agents act."""
        return policy_of(self.name, self.built) if self.policy is None else self.policy


def candidate(word: str, built: Built, town_for: TownFor, *, greedy: bool = False) -> Candidate:
    """Return the policy of a word on the command line.

    `town_for` builds the same town for a learner's action space and time limit. Raises `RunError` for a word that
    means nothing, `StoreError` for weights that cannot be had or do not fit.
    """
    if word in POLICIES:
        return Candidate(name=word, built=built)
    share, place = 1.0, word
    if word.startswith(f"{MIXTURE}:"):
        share, place = _mixture(word)
    try:
        known = sources.read(place)
    except MissingError as error:
        if share < 1 or sources.is_there(place):
            raise
        choices = f"{', '.join(POLICIES)}, the folder of a run, a {sources.SUFFIX} file, or mixture:SHARE:PLACE"
        raise RunError(f"--policy is '{printable(word)}', but must be one of {choices}; choose one.") from error
    town = town_for(known.identity.action_space, _horizon(known.settings))
    network, differences = weights.fitting(known, town)
    actor = Actor(spec=town.spec, network=network, greedy=greedy)
    policy = learned.learned(actor) if share >= 1 else blend.mixture(actor, jnp.float32(share))
    parameters = jax.tree.map(jnp.asarray, known.parameters)
    named = [str(one) for one in differences if one.field != "config_hash"] or ["some of its numbers differ"]
    return Candidate(
        name=word,
        built=town._replace(params=learned.equip(town.params, parameters)),
        policy=policy,
        about={
            "weights": known.name,
            "updates": known.step,
            "trained_in": known.identity.config_id,
            "trained_in_hash": known.identity.config_hash,
            "share": share,
            "greedy": greedy,
        },
        actor=actor,
        policy_hash=weights.hash_of(known.parameters),
        remark=f"{known.name} was trained in another town: {listed(named, '; ')}." if differences else "",
    )


def acting(word: str | None, config: str, overrides: Sequence[str], built: Built) -> Candidate:
    """Return the policy of a run: of a word, or else timetables in a scenario and the script everywhere else.

    `config` and `overrides` are what `built` was made of. Raises `RunError` for a policy that cannot be had.
    """
    usual = "scripted" if built.names.scenario is None else "schedule"
    try:
        return candidate(word or usual, built, town_for(config, overrides))
    except StoreError as error:
        raise RunError(str(error)) from error


def town_for(config: str, overrides: Sequence[str]) -> TownFor:
    """Return what builds the town of a configuration for a learner's action space and time limit."""

    def made(action_space: str, horizon: int) -> Built:
        own = (f"spec.action_space={action_space}", f"clock.horizon_ticks={horizon}")
        return build(load(config, (*overrides, *own)))

    return made


def plan_of(one: Candidate, **wanted: Any) -> Plan:
    """Return the checked plan of a candidate from what `plan_for` takes; only timetables live through a timeline."""
    plan = plan_for(one.built, policy=one.name if one.policy is None else "scripted", **wanted)
    return replace(plan, policy=printable(one.name))


def _mixture(word: str) -> tuple[float, str]:
    """Return the share of the network in `mixture:SHARE:PLACE`, and the place."""
    _, said, place = (*word.split(":", 2), "", "")[:3]
    try:
        share = float(said)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1 or not place:
        raise RunError(
            f"--policy is '{printable(word)}', but a mixture is mixture:SHARE:PLACE: the share of decisions, 0 to 1, "
            "that the network makes; write for example mixture:0.2:runs/first."
        )
    return share, place


def _horizon(settings: Mapping[str, Any]) -> int:
    """Return the time limit under which a learner was trained, which decides nothing here but is part of its town."""
    town = settings.get("town")
    horizon = town.get("horizon") if isinstance(town, dict) else None
    return horizon if isinstance(horizon, int) else 0
