"""The spaces of one agent in Gymnasium's words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from townlet_jax.env.adapters import shared
from townlet_jax.env.spaces import Space

try:
    from gymnasium import spaces
except ImportError as error:
    raise shared.missing("Gymnasium", "gymnasium") from error


def observation_space(seen: Mapping[str, Space], num_actions: int = 0) -> spaces.Space[Any]:
    """Return a dictionary of boxes, with `action_mask` where there are actions to mask."""
    boxes: dict[str, spaces.Space[Any]] = {name: box(space) for name, space in seen.items()}
    if num_actions:
        boxes["action_mask"] = spaces.MultiBinary(num_actions)
    return spaces.Dict(boxes)


def box(space: Space) -> spaces.Box:
    """Return a space of numbers between bounds, both inclusive."""
    low, high = (np.broadcast_to(bound, space.shape) for bound in (space.low, space.high))
    return spaces.Box(low=low, high=high, dtype=space.dtype.type)
