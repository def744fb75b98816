"""Plain records: namespaces of Python lists in place of pytrees of arrays. Owns conversion and copying."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Plain = Any  # a SimpleNamespace whose leaves are Python numbers and nested lists


def is_record(value: object) -> bool:
    """Say whether a value is one of the core's records."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def leaf(value: Any) -> Any:
    """Return an array as nested lists (keys as their two words); float32 becomes float, exactly."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value).tolist()


def plain(record: Any, omit: tuple[str, ...] = ()) -> Plain:
    """Return a record of arrays as a namespace of lists, recursively, without the sections in `omit`."""
    result = SimpleNamespace()
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.name in omit:
            continue
        if field.metadata.get("static"):
            setattr(result, field.name, value)
        else:
            setattr(result, field.name, plain(value) if is_record(value) else leaf(value))
    return result


def copied(value: Any) -> Any:
    """Return a deep copy of a plain record or of nested lists."""
    if isinstance(value, list):
        if value and isinstance(value[0], list):
            return [copied(row) for row in value]
        return value[:]
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**{name: copied(part) for name, part in vars(value).items()})
    return value


def single(value: float) -> float:
    """Round to float32: for the comparisons that float noise could decide otherwise than the core does."""
    return float(np.float32(value))
