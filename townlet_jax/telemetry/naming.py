"""What indices are called on the wire. Owns the names of agents, which privacy hides behind hashes."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from townlet_jax.config import Built
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.params import Params

HASH_DIGITS = 8


class Words:
    """The words and the numbers of a town, on the host."""

    def __init__(self, built: Built, *, hashed: bool = False, salt: str = "") -> None:
        names = built.names
        spare = range(len(names.agents), built.spec.num_agents)
        self.spec, self.names = built.spec, names
        self.params: Params = jax.tree.map(np.asarray, built.params)
        self.ticks_per_day = int(self.params.clock.ticks_per_day)
        self.slots = (*names.agents, *(f"slot_{slot}" for slot in spare))
        self.objects, self.affordances, self.jobs = names.objects, names.affordances, names.jobs
        self._hashed, self._salt = hashed, salt
        self._people: dict[tuple[int, int], str] = {}
        self._slots: dict[str, int] = {}
        longest_first = sorted(self.slots, key=len, reverse=True)
        known = "|".join(re.escape(name) for name in longest_first)
        self._mentioned = re.compile(rf"(?<![\w-])(?:{known})(?:#\d+)?(?![\w-])")

    def person(self, slot: int, generation: int) -> str:
        """Return the name of an individual: `ada`, and `ada#2` for the second newcomer after her."""
        name = self._people.get((slot, generation))
        if name is None:
            base = self.slots[slot]
            name = self.veiled(f"{base}#{generation}" if generation > 0 else base)
            self._people[slot, generation] = name
            self._slots[name] = slot
        return name

    def slot_named(self, name: str) -> int:
        """Return the slot of a published name; it must have been published."""
        return self._slots[name]

    def veiled(self, name: str) -> str:
        """Return a name as it is published: itself, or the first digits of SHA-256(salt + name)."""
        if not self._hashed:
            return name
        return hashlib.sha256(f"{self._salt}{name}".encode()).hexdigest()[:HASH_DIGITS]

    def without_names(self, value: Any) -> Any:
        """Return JSON from outside the simulation with the names of agents veiled, in keys too."""
        if not self._hashed:
            return value
        if isinstance(value, str):
            return self._mentioned.sub(lambda found: self.veiled(found[0]), value)
        if isinstance(value, dict):
            return {self.without_names(key): self.without_names(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.without_names(part) for part in value]
        return value

    def slot_of(self, given: Any) -> int:
        """Return the slot an operator means by a name, `name#generation` or a number; NOBODY if none."""
        if isinstance(given, int) and not isinstance(given, bool):
            return given if 0 <= given < len(self.slots) else NOBODY
        base = str(given).partition("#")[0]
        return self.slots.index(base) if base in self.slots else NOBODY


def named(names: Sequence[str], index: int) -> str | None:
    """Return a name, None for NOBODY or an index out of range."""
    return names[index] if 0 <= index < len(names) else None
