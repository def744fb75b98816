"""The arguments of a command: read by name, checked, turned into the arrays that edits take. Host only."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

INVALID, UNKNOWN, CONFLICT = "invalid_args", "not_found", "conflict"  # why a command was refused (MECHANICS 12.1)


class CommandError(ValueError):
    """A command cannot be carried out; the text is one sentence with place, value, what is allowed, what to do."""

    def __init__(self, text: str, *, code: str = INVALID) -> None:
        super().__init__(text)
        self.code = code


def index(value: int) -> Int[Array, ""]:
    """Return an id as an array."""
    return jnp.asarray(value, jnp.int32)


def amount(value: float) -> Float[Array, ""]:
    """Return a quantity as an array."""
    return jnp.asarray(value, jnp.float32)


def truth(value: bool) -> Bool[Array, ""]:
    """Return a flag as an array."""
    return jnp.asarray(value, bool)


class Arguments:
    """The arguments of one command; every reader raises `CommandError` where a value is missing or wrong."""

    def __init__(self, command: str, values: Mapping[str, Any], *, allowed: Sequence[str]) -> None:
        self.command = command
        self._values = {name: value for name, value in values.items() if value is not None}
        for name in values:
            if name not in allowed:
                raise self.error(f"has no argument {_shown(name)}{_guess(name, allowed)}; it takes {_list(allowed)}")

    def error(self, text: str, *, code: str = INVALID) -> CommandError:
        """Make the error of this command."""
        return CommandError(f"command {self.command}: {text}.", code=code)

    def has(self, name: str) -> bool:
        """Tell whether an argument is given (null counts as not given)."""
        return name in self._values

    def value(self, name: str) -> Any:
        """Return an argument that must be given."""
        if name not in self._values:
            raise self.error(f"needs the argument '{name}'")
        return self._values[name]

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Return a finite number within bounds."""
        if default is not None and not self.has(name):
            return default
        return self.checked_number(name, self.value(name), low, high)

    def checked_number(self, name: str, value: Any, low: float, high: float) -> float:
        """Check one value as a finite number within bounds."""
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or not low <= value <= high:
            raise self.error(f"'{name}' is {_shown(value)}; use a number from {low:g} to {high:g}")
        return float(value)

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number within bounds."""
        if default is not None and not self.has(name):
            return default
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(f"'{name}' is {_shown(value)}; use a whole number from {low} to {high}")
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = default if default is not None and not self.has(name) else self.value(name)
        if not isinstance(value, bool):
            raise self.error(f"'{name}' is {_shown(value)}; use true or false")
        return value

    def choice(self, name: str, names: Sequence[str], *, code: str = INVALID) -> str:
        """Return one of a few words."""
        value = self.value(name)
        if value not in names:
            text = f"'{name}' is {_shown(value)}{_guess(value, names)}; use one of {_list(names)}"
            raise self.error(text, code=code if isinstance(value, str) else INVALID)
        return str(value)

    def named(self, name: str, names: Sequence[str]) -> int:
        """Return the index of a name."""
        return list(names).index(self.choice(name, names, code=UNKNOWN))

    def slot(self, name: str, names: Sequence[str]) -> int:
        """Return the slot of an agent given by name or by number."""
        return self.checked_slot(name, self.value(name), names)

    def checked_slot(self, name: str, value: Any, names: Sequence[str]) -> int:
        """Check one value as an agent's name or slot number."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return value
        if value in names:
            return list(names).index(value)
        raise self.error(
            f"'{name}' is {_shown(value)}{_guess(value, names)}; use an agent's name or a slot from 0 to "
            f"{len(names) - 1} (agents: {_list(names)})",
            code=UNKNOWN,
        )

    def row(self, name: str, names: Sequence[str], default: int) -> int:
        """Return an index given by name or by number."""
        if not self.has(name):
            return default
        value = self.value(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return value
        return self.named(name, names)

    def tile(self, name: str, blocked: Bool[np.ndarray, "H C"]) -> tuple[int, int]:
        """Return a free tile [x, y]."""
        value = self.value(name)
        height, width = blocked.shape
        pair = isinstance(value, list | tuple) and len(value) == 2
        if not pair or not all(isinstance(part, int) and not isinstance(part, bool) for part in value):
            raise self.error(f"'{name}' is {_shown(value)}; use a tile [x, y] of two whole numbers")
        x, y = value
        if not (0 <= x < width and 0 <= y < height):
            raise self.error(f"'{name}' [{x}, {y}] lies off the map; x goes to {width - 1}, y to {height - 1}")
        if blocked[y, x]:
            raise self.error(f"'{name}' [{x}, {y}] is a blocked tile; use one that can be walked on")
        return x, y

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a map of names to values."""
        value = self.value(name)
        if not isinstance(value, Mapping):
            raise self.error(f"'{name}' is {_shown(value)}; use a map of names to values")
        return value


def _list(names: Iterable[str], most: int = 12) -> str:
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return (", ".join(every[:most]) or "nothing") + more


def _shown(value: Any) -> str:
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return "".join(c if c.isprintable() else "?" for c in text)


def _guess(value: Any, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(value[:60], list(names), n=1) if isinstance(value, str) else []
    return f" (did you mean '{close[0]}'?)" if close else ""
