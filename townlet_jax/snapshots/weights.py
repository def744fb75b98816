"""The weights of a network: whose they are, and whether they fit a town.

Owns how a learner names itself in a snapshot (`identity_of`), and which of that decides what its network reads.
"""

import dataclasses
import hashlib
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from townlet_jax.config import Built
from townlet_jax.core.enums import Option
from townlet_jax.core.observe.layout import Layout, layout
from townlet_jax.env.spaces import action_names
from townlet_jax.policy import network
from townlet_jax.policy.network import Network, NetworkConfig
from townlet_jax.snapshots import identity
from townlet_jax.snapshots.errors import TargetError, listed
from townlet_jax.snapshots.identity import CONFIG_FIELDS, Difference, Identity, Match
from townlet_jax.snapshots.manifest import canonical, digest

READ_BY = frozenset({"observation_variant", "action_space", "more.features", "more.maps", "more.choices"})

Tree = dict[str, Any]  # nested, of NumPy arrays


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What a network has learned, on the host, and where it comes from."""

    name: str  # for people: file, or folder and step
    step: int  # updates done
    config: NetworkConfig
    identity: Identity
    parameters: Tree
    returns: Tree  # moments of the value targets
    settings: Mapping[str, Any]  # of the training


def identity_of(built: Built, config: NetworkConfig, settings: Mapping[str, Any] | None = None) -> Identity:
    """Return what a learner in a town is: `settings` are whatever else must be the same when it goes on."""
    sight = layout(built.spec)
    seen = {
        "features": digest(canonical(sight.features)),
        "maps": digest(canonical([sight.channels, sight.window, sight.path_channels])),
        "choices": choices_of(built),
    }
    return Identity(
        config_id=built.names.config_id,
        config_hash=built.names.config_hash,
        spec=dataclasses.asdict(built.spec),
        observation_variant=built.spec.variant,
        action_space=built.spec.action_space,
        policy_hash=digest(canonical([[path, *form] for path, form in sorted(shapes_of(config, sight).items())])),
        more=seen | dict(settings or {}),
    )


def hash_of(parameters: Tree) -> str:
    """Return the SHA-256 of all weights with their paths, types and shapes."""
    total = hashlib.sha256()
    for path, leaf in sorted(flat(parameters), key=operator.itemgetter(0)):
        array = np.asarray(leaf)
        total.update(f"{path} {array.dtype.str} {array.shape};".encode())
        total.update(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()


def choices_of(built: Built) -> list[str]:
    """Return the names of what a network chooses from, in order."""
    if built.spec.action_space == "options":
        return [option.name.lower() for option in Option]
    return list(action_names(built.spec, built.names.affordances))


def shapes_of(config: NetworkConfig, sight: Layout) -> dict[str, tuple[list[int], str]]:
    """Return shape and dtype of every weight by its path."""
    drawn = jax.eval_shape(lambda: network.init(Network(config, sight), jax.random.key(0)))
    return {path: (list(leaf.shape), str(leaf.dtype)) for path, leaf in flat(drawn)}


def flat(tree: Tree, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays of nested tables with their paths, `policy/kernel`."""
    for name, part in tree.items():
        path = f"{above}/{name}" if above else name
        if isinstance(part, dict):
            yield from flat(part, path)
        else:
            yield path, part


def nested(arrays: Mapping[str, Any]) -> Tree:
    """Return the nested tables of arrays by path."""
    tree: Tree = {}
    for path, array in arrays.items():
        *above, last = path.split("/")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = array
    return tree


def fitting(weights: Weights, built: Built) -> tuple[Network, tuple[Difference, ...]]:
    """Return the network that acts in a town by these weights, and in what the town is not that of the training.

    The town must have the action space of the weights. Raises `IdentityError` where the network would read or choose
    something else, `TargetError` where arrays are not those of its shape.
    """
    found = demand_reading(weights, built, weights.config)
    sight = layout(built.spec)
    demand_shapes(weights, shapes_of(weights.config, sight))
    return Network(weights.config, sight), found


def demand_reading(weights: Weights, built: Built, config: NetworkConfig) -> tuple[Difference, ...]:
    """Raise `IdentityError` unless a network sees and chooses in a town what the weights were trained on.

    Return how the town differs from that of the training.
    """
    own = frozenset(f"more.{name}" for name in weights.identity.more) - READ_BY
    ignored = own | {"config_id", "config_hash", "spec", "policy_hash", "anneal_ratio"}
    running = identity_of(built, config)
    found = identity.demand(weights.identity, running, Match(ignore=ignored), f"What {weights.name} has learned")
    return tuple(one for one in found if one.field in CONFIG_FIELDS or one.field.startswith("spec."))


def demand_shapes(weights: Weights, wanted: Mapping[str, tuple[list[int], str]]) -> None:
    """Raise `TargetError` unless there are the weights of a network, all of them finite."""
    held = dict(flat(weights.parameters))
    problems = [f"{path} is missing" for path in wanted if path not in held]
    problems += [f"{path} has no place" for path in held if path not in wanted]
    for path, (shape, dtype) in wanted.items():
        array = held.get(path)
        if array is not None and (list(array.shape), str(array.dtype)) != (shape, dtype):
            problems.append(f"{path} is {array.dtype}{list(array.shape)}, not {dtype}{shape}")
        elif array is not None and not np.all(np.isfinite(array)):
            problems.append(f"{path} holds what is no finite number")
    if problems:
        raise TargetError(f"{weights.name} does not hold the weights of the network: {listed(problems, '; ')}.")
