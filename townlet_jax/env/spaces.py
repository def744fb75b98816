"""What observations, actions and rewards may hold: declared from shapes alone, checked on the host.

Owns the bounds of every feature (MECHANICS 6.1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from townlet_jax.core.enums import Direction, Option
from townlet_jax.core.observe.layout import Layout, layout
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.env.records import Environment, TimeStep

_SIGNED = ("time_sin", "time_cos", "social_trust_mean", "social_trust_max")
_SIGNED_ENDS = ("_dx", "_dy", "_trust", "_familiarity")
_CLIPPED = ("wallet", "lateness_counter", "wages_withheld", "rivalry_avoid_count", "last_action_duration")
_CLIPPED_ENDS = ("_dist", "_distance", "busy_remaining")
_FROM_ZERO = ("unpaid_days", "faint_progress")
_PRICE = "price_level"


@dataclass(frozen=True, kw_only=True)
class Space:
    """One array: bool is a set of flags, int32 with bounds a set of choices, anything else a box."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: npt.NDArray[Any]  # broadcasts to the shape
    high: npt.NDArray[Any]  # inclusive
    names: tuple[str, ...] = ()  # of the entries along `axis`; of the choices, where the entries are ids
    axis: int | None = None


@dataclass(frozen=True, kw_only=True)
class Spaces:
    """The spaces of one town, without a town axis."""

    observation: Mapping[str, Space]  # by field of `Observation`
    action: Space
    reward: Space


def declare_spaces(env: Environment, params: Params, *, affordances: Sequence[str] = ()) -> Spaces:
    """Declare the spaces of an environment; nothing is run.

    `params` are those of one town; they give the clip of features and maps. `affordances` are the names of the uses,
    in the order of the configuration; without them they are numbered.
    """
    spec, shown = env.spec, layout(env.spec)
    key = jax.random.key(0, impl="threefry2x32")
    shapes = jax.eval_shape(env.reset, key, params)[1].observation
    low, high = _feature_bounds(shown, float(params.observation.feature_clip))
    counts = spec.variant == "compact" and not bool(params.observation.normalize_counts)
    actions = action_names(spec, affordances)
    options = tuple(option.name.lower() for option in Option)
    observation = {
        "features": _space(shapes.features, low, high, names=shown.features, axis=-1),
        "map": _space(shapes.map, 0, 255 if counts else 1, names=shown.channels, axis=-3),
        "path": _space(shapes.path, -1, 1, names=shown.path_channels, axis=-3),
        "mask": _space(shapes.mask, False, True, names=actions, axis=-1),
        "option_mask": _space(shapes.option_mask, False, True, names=options[: shown.num_options], axis=-1),
        "valid": _space(shapes.valid, False, True),
    }
    names = options if spec.action_space == "options" else actions
    ids = jax.ShapeDtypeStruct((spec.num_agents,), np.int32)
    amounts = jax.ShapeDtypeStruct((spec.num_agents,), np.float32)
    return Spaces(
        observation=observation,
        action=_space(ids, 0, len(names) - 1, names=names),
        reward=_space(amounts, -np.inf, np.inf),
    )


def action_names(spec: Spec, affordances: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of the flat actions."""
    if affordances and len(affordances) != spec.num_affordances:
        raise ValueError(
            f"{len(affordances)} affordances are named, but the town has {spec.num_affordances}; name all or none."
        )
    uses = tuple(affordances) or tuple(f"use_{row}" for row in range(spec.num_affordances))
    return ("wait", *(f"move_{way.name.lower()}" for way in Direction), *uses, "leave", "chat")


def check_spaces(declared: Spaces, timestep: TimeStep) -> None:
    """Raise `ValueError` with the first thing that is out of its space; towns may lead. For the host."""
    checked = [("reward", declared.reward, timestep.reward)]
    for moment in ("observation", "final"):
        shown = getattr(timestep, moment)
        checked += [(f"{moment}.{name}", space, getattr(shown, name)) for name, space in declared.observation.items()]
    for name, space, array in checked:
        for complaint in _complaints(space, np.asarray(array)):
            raise ValueError(f"timestep.{name} {complaint}; declare the spaces from the town's own Spec and Params.")


def _complaints(space: Space, array: npt.NDArray[Any]) -> Iterator[str]:
    """Say what is wrong with an array, most basic first."""
    leading = array.ndim - len(space.shape)
    if leading < 0 or array.shape[leading:] != space.shape:
        yield f"has the shape {array.shape}, but must end with {space.shape}"
        return
    if array.dtype != space.dtype:
        yield f"has the dtype {array.dtype}, but must be {space.dtype}"
        return
    inside = (array >= space.low) & (array <= space.high)
    for index in np.argwhere(~inside)[:1]:
        place = tuple(int(number) for number in index)
        named = f" ({space.names[place[space.axis]]})" if space.axis is not None and space.names else ""
        low, high = (np.broadcast_to(bound, array.shape)[place] for bound in (space.low, space.high))
        yield f"is {array[place]} at {place}{named}, but must be {low} to {high}"


def _space(
    like: jax.ShapeDtypeStruct,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    names: tuple[str, ...] = (),
    axis: int | None = None,
) -> Space:
    dtype = np.dtype(like.dtype)
    return Space(
        shape=like.shape, dtype=dtype, low=np.asarray(low, dtype), high=np.asarray(high, dtype), names=names, axis=axis
    )


def _feature_bounds(shown: Layout, clip: float) -> tuple[list[float], list[float]]:
    """Return the least and the greatest value of every feature."""
    bounds = [_bounds(name, clip) for name in shown.features]
    return [low for low, _ in bounds], [high for _, high in bounds]


def _bounds(name: str, clip: float) -> tuple[float, float]:
    if name in _SIGNED or name.endswith(_SIGNED_ENDS) or name.startswith("personality_"):
        return -1.0, 1.0
    if name in _CLIPPED or name.endswith(_CLIPPED_ENDS):
        return 0.0, clip
    if name in _FROM_ZERO:
        return 0.0, np.inf
    return (-1.0, np.inf) if name == _PRICE else (0.0, 1.0)
