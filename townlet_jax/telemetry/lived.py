"""A watched town over a chunk of ticks, as NumPy arrays on the host. Owns the copy from the device."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NEVER, Perturb
from townlet_jax.core.outcomes import Measures, Outcomes
from townlet_jax.core.params import Params
from townlet_jax.core.state import Employment, Ties, TownState
from townlet_jax.policy.interface import within
from townlet_jax.policy.options import OptionMemory
from townlet_jax.stability import Analysed, Stability, Thresholds, Window
from townlet_jax.stretch import Watched

Table = npt.NDArray[Any]
_NO_KEY = np.zeros(())


@dataclass(frozen=True)
class Seen:
    """The parts of `TickOutput.seen` that leaving agents take with them; leading axis ticks."""

    profile: Table
    embedding_slot: Table
    member: Table
    unpaid_days: Table
    ties: Ties
    employment: Employment


@dataclass(frozen=True)
class Judged:
    """What the analysers knew before the first tick and after each; leading axis ticks + 1."""

    alerts: Table
    readings: Table
    window: Window
    thresholds: Thresholds


@dataclass(frozen=True)
class Lived:
    """What happened to one town in `ticks` ticks. Row i of `outcomes` lies between rows i and i + 1 of `states`."""

    town: int
    first_tick: int
    ticks: int
    states: TownState  # leading axis ticks + 1; the key is left out
    outcomes: Outcomes
    measures: Measures
    acting: Table  # [ticks, A]
    seen: Seen
    avoided: Table | None  # [ticks, A] Avoidance; None where nobody says
    option: Table | None  # [ticks, A] Option; None where the policy has none
    judged: Judged | None = None  # None without analysers

    @cached_property
    def generations(self) -> list[list[int]]:
        """Generation of each slot during each tick."""
        found: list[list[int]] = np.asarray(self.states.roster.generation)[1:].tolist()
        return found

    @cached_property
    def tick_numbers(self) -> Table:
        """Number of each tick."""
        return np.arange(self.first_tick, self.first_tick + self.ticks)


def fetch(town: int, first_tick: int, watched: Watched) -> Lived:
    """Copy a watched town to the host, in one transfer."""
    seen = watched.outputs.seen
    wanted = {
        "outcomes": watched.outputs.outcomes,
        "measures": watched.outputs.measures,
        "acting": watched.outputs.valid,
        "seen": {
            "profile": seen.roster.profile,
            "embedding_slot": seen.embeddings.slot,
            "member": seen.perturbations.member,
            "unpaid_days": seen.economy.unpaid_days,
            "ties": seen.ties,
            "employment": seen.employment,
        },
        "memory": _commitments(watched.memory),
        "judged": _judged(watched.memory),
        "judged_last": _judged(watched.remembered),
        "intents": watched.intents,
    }
    before, state_tree = jax.tree.flatten(watched.before)
    others, other_tree = jax.tree.flatten(wanted)
    leaves = jax.device_get([*map(_plain, before), *map(_plain, jax.tree.leaves(watched.after)), *others])
    size = len(before)
    found = jax.tree.unflatten(other_tree, leaves[2 * size :])
    asked, memory, judged = found["intents"], found["memory"], found["judged"]
    if judged is not None:
        judged = Judged(**jax.tree.map(_appended, judged, found["judged_last"]))
    return Lived(
        town=town,
        first_tick=first_tick,
        ticks=len(found["acting"]),
        states=jax.tree.unflatten(state_tree, list(map(_appended, leaves[:size], leaves[size : 2 * size]))),
        outcomes=found["outcomes"],
        measures=found["measures"],
        acting=found["acting"],
        seen=Seen(**found["seen"]),
        avoided=None if asked is None else np.asarray(asked.avoided),
        option=_options(asked, memory),
        judged=judged,
    )


def _commitments(memory: Any) -> OptionMemory | None:
    """Return the commitments to options that a memory holds, however deep."""
    parts = jax.tree.leaves(memory, is_leaf=lambda part: isinstance(part, OptionMemory))
    return next((part for part in parts if isinstance(part, OptionMemory)), None)


def _judged(memory: Any) -> dict[str, Any] | None:
    """Return what analysers know that is published."""
    found = within(memory, Analysed)
    if found is None:
        return None
    known: Stability = found.stability
    return {name: getattr(known, name) for name in ("alerts", "readings", "window", "thresholds")}


def _plain(leaf: Any) -> Any:
    """Return an array as it is, and one without axes for a random key, which has no NumPy form."""
    return _NO_KEY if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _appended(rows: Table, last: Table) -> Table:
    return np.concatenate([rows, last[None]]) if rows.ndim else rows


def _options(asked: Intents | None, memory: OptionMemory | None) -> Table | None:
    """Return the option each agent acted by; without intents that of the tick before, which is all that is known."""
    if memory is None:
        return None
    return np.asarray(memory.option if asked is None else asked.option)


def ended_in(lived: Lived, state: TownState) -> Lived:
    """Return a life that ended in another state, which lies on the host."""

    def ended(rows: Table, last: Any) -> Table:
        return np.concatenate([rows[:-1], np.asarray(last)[None]]) if rows.ndim else rows

    return dataclasses.replace(lived, states=jax.tree.map(ended, lived.states, state))


def row_of(tree: Any, index: int) -> Any:
    """Return one row of a record whose arrays have a leading axis."""
    return jax.tree.map(lambda leaf: leaf[index] if leaf.ndim else leaf, tree)


def utility_works(params: Params, states: TownState) -> Table:
    """Return which utilities work after each row of `states`, [rows, U]."""
    specs, until = params.perturbation, np.asarray(states.perturbations.until_tick)
    dark = np.isin(specs.kind, (Perturb.BLACKOUT, Perturb.OUTAGE)) & (until != NEVER)
    utilities = np.arange(params.affordances.utility.shape[1])
    return np.asarray(~np.any(dark[..., None, :] & (np.asarray(specs.utility) == utilities[:, None]), axis=-1))


def attendance_ratio(attendance: Table) -> Table:
    """Return the mean of the samples kept, 0 without any; the last axis is the window."""
    taken = attendance >= 0
    amount = taken.sum(axis=-1)
    return np.asarray(np.where(taken, attendance, 0.0).sum(axis=-1, dtype=np.float64) / np.maximum(amount, 1))


def absent_shifts(absence_day: Table, day: Table, look_back: int) -> Table:
    """Count absence days within the look-back; the last axis is the ring, `day` lacks it."""
    recent = (absence_day != NEVER) & (day[..., None] - absence_day < look_back)
    return np.asarray(recent.sum(axis=-1))


def known(ties: Ties) -> Table:
    """Tell which ties are known."""
    return np.asarray((ties.trust != 0) | (ties.familiarity != 0) | (ties.rivalry != 0))


def fields(record: Any) -> tuple[str, ...]:
    """Return the names of a record's fields."""
    return tuple(field.name for field in dataclasses.fields(record))
