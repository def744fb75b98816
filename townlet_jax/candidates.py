"""The policies that can be compared: by name, out of a learner's checkpoint, or a mixture of the script and one.

Owns how they are spelled: `scripted`, `runs/first@best`, `policy.safetensors`, `mixture:0.2:runs/first`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.config import Built
from townlet_jax.core import batch
from townlet_jax.plans import POLICIES, RunError
from townlet_jax.policy import blend, learned
from townlet_jax.policy.learned import Actor
from townlet_jax.report import printable
from townlet_jax.snapshots import MissingError, sources, weights
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
        remark=f"{known.name} was trained in another town: {listed(named, '; ')}." if differences else "",
    )


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
