"""Frame sections about what agents feel: ties with churn, conflicts and rivals (MECHANICS 11.1)."""

from collections import Counter, deque
from typing import Any, NamedTuple

import numpy as np

from townlet_jax.core.enums import EPSILON, Behaviour
from townlet_jax.core.params import Params
from townlet_jax.telemetry.decode_things import places, real
from townlet_jax.telemetry.frames_base import Section, Shot
from townlet_jax.telemetry.lived import Lived, Table, known
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.text import dumps, rounded

MOST_RIVALS = 3
Edge = tuple[str, str]
Values = tuple[float, float, float]  # trust, familiarity, rivalry


class Loss(NamedTuple):
    """A tie that was lost."""

    tick: int
    owner: str
    other: str
    reason: str  # capacity, fade, departed


STATUS = {"capacity": "evicted", "fade": "faded", "departed": "departed"}


def losses(words: Words, lived: Lived) -> list[Loss]:
    """Return the ties lost in a chunk, by tick."""
    told, gone = lived.outcomes.tie_changes, lived.outcomes.departures.gone
    left = known(lived.seen.ties) & (gone[:, :, None] | gone[:, None, :])
    found = []
    for reason, mask in (("capacity", told.evicted), ("fade", told.faded), ("departed", left)):
        for i, owner, other in places(mask):
            here = lived.generations[i]
            names = words.person(owner, here[owner]), words.person(other, here[other])
            found.append(Loss(lived.first_tick + i, *names, reason))
    return sorted(found, key=lambda loss: loss.tick)


class Churn:
    """Ties lost in the running window; windows are aligned to multiples of their length."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._losses: deque[Loss] = deque()

    def add(self, loss: Loss) -> None:
        """Note a loss; ticks do not decrease."""
        self._losses.append(loss)

    def at(self, tick: int) -> dict[str, Any]:
        """Return the window that a tick lies in, up to that tick."""
        start = tick - tick % self.window
        while self._losses and self._losses[0].tick < start:
            self._losses.popleft()
        owners, reasons = Counter[str](), Counter[str](dict.fromkeys(STATUS, 0))
        for loss in self._losses:
            owners[loss.owner] += 1
            reasons[loss.reason] += 1
        return {
            "window_start": start,
            "window_end": start + self.window - 1,
            "total": len(self._losses),
            "owners": dict(sorted(owners.items())),
            "reasons": dict(reasons),
        }

    def figures(self) -> list[list[Any]]:
        """Return what a snapshot keeps."""
        return [list(loss) for loss in self._losses]

    def restore(self, figures: list[list[Any]]) -> None:
        """Go on from what `figures` returned."""
        self._losses = deque(Loss(*entry) for entry in figures)


class Ties(Section):
    """Known ties by owner and other, rounded."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        ties = shot.lived.states.ties
        columns = [shot.after(column) for column in (ties.trust, ties.familiarity, ties.rivalry)]
        self.values = rounded(np.stack(columns, axis=-1))
        self.sources = (self.values, shot.after(shot.lived.states.roster.generation))

    def edges(self, k: int) -> dict[Edge, Values]:
        """Return the ties of frame k that are known after rounding."""
        found: dict[Edge, Values] = {}
        for owner, other in places(self.values[k].any(axis=-1)):
            trust, familiarity, rivalry = self.values[k, owner, other].tolist()
            found[self.shot.person(k, owner), self.shot.person(k, other)] = (trust, familiarity, rivalry)
        return found


class Conflict(Section):
    """Rivals and whom they avoid; the events are added by the maker of frames."""

    def __init__(self, shot: Shot) -> None:
        super().__init__(shot)
        states, params = shot.lived.states, shot.words.params
        self.rivalry = np.where(shot.after(states.roster.alive)[:, :, None], shot.after(states.ties.rivalry), 0.0)
        level = avoid_levels(params)[shot.after(states.roster.profile)]
        self.avoided = (self.rivalry + EPSILON >= level[:, :, None]) & (self.rivalry > 0)
        self.sources = (rounded(self.rivalry), self.avoided, shot.after(states.roster.generation))

    def rivals(self, k: int) -> str:
        """Return the part of the section that does not depend on events, without braces."""
        person, rivalry = self.shot.person, self.rivalry[k]
        top = []
        for owner in np.flatnonzero(rivalry.any(axis=1)).tolist():
            order = np.argsort(-rivalry[owner], kind="stable")[:MOST_RIVALS].tolist()
            names = [(person(k, other), real(rivalry[owner, other])) for other in order]
            top += [{"owner": person(k, owner), "other": name, "rivalry": level} for name, level in names if level > 0]
        avoided = [{"owner": person(k, owner), "other": person(k, other)} for owner, other in places(self.avoided[k])]
        return dumps({"rivalry_top": top, "avoided": avoided})[1:-1]


def avoid_levels(params: Params) -> Table:
    """Return by profile the rivalry from which on somebody is avoided (1.1)."""
    rules = params.personality
    tolerance = np.clip(rules.behaviour_bias[:, Behaviour.CONFLICT_TOLERANCE], 0.1, 5.0)
    tolerance = np.where(rules.modify_behaviour, tolerance, 1.0)
    return np.asarray(np.clip(params.conflict.avoid_threshold / tolerance, 0.0, 1.0))
