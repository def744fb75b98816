"""Numbers and names as JSON text. Owns the rounding of everything that is published: six decimals."""

import functools
import json
from typing import Any

import numpy as np

from townlet_jax.telemetry.lived import Table

DECIMALS = 6
NULL, TRUE, FALSE = "null", "true", "false"

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def dumps(value: Any) -> str:
    """Return plain data as JSON without blanks."""
    return _ENCODER.encode(value)


@functools.lru_cache(maxsize=65_536)
def quote(name: str) -> str:
    """Return a name as a JSON string."""
    return _ENCODER.encode(name)


def quoted(name: str | None) -> str:
    """Return a name as a JSON string, null for None."""
    return NULL if name is None else quote(name)


def truth(value: Any) -> str:
    """Return a flag as JSON."""
    return TRUE if value else FALSE


def rounded(values: Any) -> Table:
    """Return numbers as they are published: float64, six decimals, 0 where they are not finite, no negative zero."""
    numbers = np.round(np.asarray(values, np.float64), DECIMALS)
    return np.where(np.isfinite(numbers), numbers, 0.0) + 0.0


def mapping(parts: list[str]) -> str:
    """Return `"key":value` parts as an object."""
    return "{" + ",".join(parts) + "}"


def listing(parts: list[str]) -> str:
    """Return values as a list."""
    return "[" + ",".join(parts) + "]"


def entry(name: str, value: str) -> str:
    """Return a name and a value that is JSON already."""
    return f"{quote(name)}:{value}"
