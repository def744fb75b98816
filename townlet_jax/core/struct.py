"""The base of every record that crosses `jit`: a frozen, keyword-only dataclass that is a pytree.

Owns: registration. Unflattening goes through `object.__new__`, so runtime shape checks run where a record
is *made* (constructor, `replace`) and never inside a transformation, where leaves may be batched or opaque.
"""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

import jax

Record = TypeVar("Record", bound="Pytree")


def static(default: Any = dataclasses.MISSING) -> Any:
    """Declare a field that is part of the tree's structure (hashable, compared, never traced)."""
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={"static": True})
    return dataclasses.field(default=default, metadata={"static": True})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field, static))
class Pytree:
    """A frozen record of arrays (or of records) that all of jax's transformations understand."""

    def __init_subclass__(cls) -> None:
        dataclasses.dataclass(frozen=True, kw_only=True, eq=False)(cls)
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # the decorator above makes it a dataclass
        leaves = tuple(f.name for f in fields if not f.metadata.get("static"))
        statics = tuple(f.name for f in fields if f.metadata.get("static"))

        def aux(record: Any) -> tuple[Any, ...]:
            return tuple(getattr(record, name) for name in statics)

        def flatten_with_keys(record: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
            return [(jax.tree_util.GetAttrKey(name), getattr(record, name)) for name in leaves], aux(record)

        def flatten(record: Any) -> tuple[list[Any], tuple[Any, ...]]:
            return [getattr(record, name) for name in leaves], aux(record)

        def unflatten(values: tuple[Any, ...], children: Any) -> Any:
            record = object.__new__(cls)
            for name, value in zip(leaves, children, strict=True):
                object.__setattr__(record, name, value)
            for name, value in zip(statics, values, strict=True):
                object.__setattr__(record, name, value)
            return record

        jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)

    def replace(self: Record, **changes: Any) -> Record:
        """Return a copy with some fields changed; unknown names raise `TypeError`."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]  # every subclass is a dataclass
