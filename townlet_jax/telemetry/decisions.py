"""What a learner weighed: the section `policy` of a frame, about the last tick of a chunk (MECHANICS 11.1)."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from townlet_jax.core.params import Params
from townlet_jax.policy import learned
from townlet_jax.policy.interface import within
from townlet_jax.policy.learned import Actor, Remembered
from townlet_jax.policy.options import OptionMemory
from townlet_jax.stretch import Watched
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.text import rounded

MOST_SHOWN = 5  # choices
LEAST_SHOWN = 1e-4  # probability


class Inspector:
    """Looks into the network that acts. Compiles its own small program with the first look."""

    def __init__(self, words: Words, actor: Actor, choices: Sequence[str]) -> None:
        """Take the names of what the network picks from, in order (`snapshots.weights.choices_of`)."""
        self._words, self._choices = words, tuple(choices)
        self._weigh = jax.jit(functools.partial(learned.weighed, actor))

    def section(self, params: Params, watched: Watched) -> dict[str, Any]:
        """Return what was weighed in the last tick, by agent; empty without a learner."""
        known, after = within(watched.memory, Remembered), within(watched.remembered, Remembered)
        if known is None or after is None:
            return {}
        state, memory = jax.tree.map(lambda leaf: leaf[-1], (watched.before, known))
        here = jax.device_put((params, state, memory), jax.local_devices()[0])
        chances, values = jax.device_get(self._weigh(*here))
        layer = after.layer.option if isinstance(after.layer, OptionMemory) else after.layer
        acting, picked = np.asarray(state.roster.alive), np.asarray(layer)
        generations = np.asarray(state.roster.generation).tolist()
        return {
            self._words.person(slot, generations[slot]): self._decision(chances[slot], values[slot], int(picked[slot]))
            for slot in np.flatnonzero(acting).tolist()
        }

    def _decision(self, chances: Any, value: Any, picked: int) -> dict[str, Any]:
        best = [int(code) for code in np.argsort(-chances, kind="stable")[:MOST_SHOWN]]
        shares = rounded(np.exp(chances))
        return {
            "action": self._choices[picked],
            "log_prob": float(rounded(chances[picked])),
            "value": float(rounded(value)),
            "top": [
                {"action": self._choices[code], "probability": float(shares[code])}
                for code in best
                if shares[code] >= LEAST_SHOWN
            ],
        }
