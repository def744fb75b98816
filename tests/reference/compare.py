"""Run the core over many towns, then the reference from every recorded state, and compare field by field."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reference.draws import tick_draws
from reference.records import Plain, is_record, plain
from reference.town import tick as reference_tick
from reference.traffic import Leaves, random_intents
from townlet_jax.core import tick as core
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState

TOLERANCE = 1e-5
SHOWN = 12  # mismatches printed at most
UNREAD = ("routes", "observation", "behaviour")  # sections of the parameters that the tick does not read


@dataclass
class Mismatch:
    """One number in which the core and the reference differ; `count` numbers of the field differ in all."""

    town: int
    tick: int
    field: str
    index: tuple[int, ...]
    core: Any
    reference: Any
    count: int

    def __str__(self) -> str:
        return (
            f"town {self.town} tick {self.tick} {self.field}{list(self.index)}: "
            f"core {self.core!r}, reference {self.reference!r} ({self.count} differ)"
        )


@partial(jax.jit, static_argnames=("num_ticks",))
def record_ticks(params: Params, states: TownState, keys: jax.Array, num_ticks: int) -> tuple[TownState, Any]:
    """Run towns (params and states batched) for some ticks; return the last states and, per tick, what was there."""

    def one_town(town_params: Params, state: TownState, key: jax.Array) -> tuple[TownState, Any]:
        def step(before: TownState, number: jax.Array) -> tuple[TownState, Any]:
            intents = random_intents(town_params, before, jax.random.fold_in(key, number))
            after, output = core.tick(town_params, before, intents)
            return after, (before, intents, after, output)

        return jax.lax.scan(step, state, jnp.arange(num_ticks))

    return jax.vmap(one_town)(params, states, keys)


def paths(record: Plain, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every leaf of a plain record."""
    for name, value in vars(record).items():
        if isinstance(value, SimpleNamespace):
            yield from paths(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def field_of(record: Any, path: str) -> Any:
    """Return a leaf of a record of arrays by its dotted name."""
    for name in path.split("."):
        record = getattr(record, name)
    return record


def row(record: Plain, *index: int) -> Plain:
    """Return one town (and tick) of a plain record whose leaves have leading axes."""
    if isinstance(record, SimpleNamespace):
        return SimpleNamespace(**{name: row(value, *index) for name, value in vars(record).items()})
    if isinstance(record, tuple):
        return record
    for i in index:
        record = record[i]
    return record


def leaves_of(record: Any, prefix: str = "") -> Leaves:
    """Return writable copies of all array leaves of a record by dotted name, keys left out."""
    leaves: Leaves = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.metadata.get("static") or field.name == "key":
            continue
        if is_record(value):
            leaves |= leaves_of(value, f"{prefix}{field.name}.")
        else:
            leaves[prefix + field.name] = np.array(value)
    return leaves


def with_leaves(record: Any, leaves: Leaves, prefix: str = "") -> Any:
    """Return a record with other leaves, batched or not; shapes are not checked."""
    changed: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if is_record(value):
            changed[field.name] = with_leaves(value, leaves, f"{prefix}{field.name}.")
        elif not field.metadata.get("static") and field.name != "key":
            changed[field.name] = jnp.asarray(leaves[prefix + field.name])
    copy = object.__new__(type(record))
    for field in fields(record):
        object.__setattr__(copy, field.name, changed.get(field.name, getattr(record, field.name)))
    return copy


def compare_ticks(params: Params, recorded: Any, first_town: int = 0) -> list[Mismatch]:
    """Redo recorded ticks by the reference, each from the core's own state; return what differs."""
    before, intents, after, output = recorded
    towns, num_ticks = before.clock.tick.shape
    plain_params, plain_before, plain_intents = plain(params, UNREAD), plain(before), plain(intents)
    agents, specs = before.roster.alive.shape[-1], before.perturbations.until_tick.shape[-1]
    first_tick = int(before.clock.tick[0, 0])
    ticks = jnp.arange(first_tick + 1, first_tick + 1 + num_ticks, dtype=jnp.int32)
    agent_draws, event_draws = (np.asarray(d).tolist() for d in tick_draws(before.key[:, 0], ticks, agents, specs))
    results: list[tuple[Plain, Plain]] = []
    gc.disable()  # millions of small lists and no cycles: a collection finds nothing and takes half of the time
    try:
        for town in range(towns):
            town_params = row(plain_params, town)
            for number in range(num_ticks):
                draws = SimpleNamespace(agent=agent_draws[town][number], perturbation=event_draws[town][number])
                state, asked = row(plain_before, town, number), row(plain_intents, town, number)
                results.append(reference_tick(town_params, state, asked, draws))
    finally:
        gc.enable()
    found = differences("state", [state for state, _ in results], after, (towns, num_ticks))
    found += differences("output", [out for _, out in results], output, (towns, num_ticks))
    for mismatch in found:
        mismatch.tick += first_tick + 1
        mismatch.town += first_town
    return sorted(found, key=lambda m: (m.tick, m.town))


def differences(name: str, expected: list[Plain], actual: Any, shape: tuple[int, int]) -> list[Mismatch]:
    """Compare all fields of all rows at once; return the first mismatch of each field."""
    columns: dict[str, list[Any]] = {}
    for record in expected:
        for path, value in paths(record):
            columns.setdefault(path, []).append(value)
    found = []
    for path, values in columns.items():
        if path == "key":
            continue
        got = np.asarray(field_of(actual, path))
        want = np.asarray(values).reshape(shape + got.shape[2:])
        tolerance = TOLERANCE if got.dtype.kind == "f" else 0
        wrong = ~(np.abs(got.astype(np.float64) - want) <= tolerance)  # true for NaN
        if wrong.any():
            where = np.argwhere(wrong)
            town, number, *index = where[np.lexsort((where[:, 0], where[:, 1]))[0]].tolist()
            place = (town, number, *index)
            pair = got[place].item(), want[place].item()
            found.append(Mismatch(town, number, f"{name}.{path}", tuple(index), *pair, len(where)))
    return found


def told(found: list[Mismatch]) -> str:
    """Return the first mismatches, one a line."""
    return "\n".join(str(mismatch) for mismatch in found[:SHOWN])
