"""One town, tick by tick, from the host: what recording, replaying and pictures stand on.

Owns the loop over one town: a policy or recorded intents act, a timeline edits the town between two ticks, and
whatever the caller wants to see of each tick is kept. A town watched here has the bits it has among many.
"""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from townlet_jax.config import Built
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.core import batch, rng, town
from townlet_jax.core.actions import Intents
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.tick import tick
from townlet_jax.policy import interface, timeline
from townlet_jax.policy.arguments import CommandError
from townlet_jax.run import RunError, pieces

CHUNK = 60  # ticks in one call
Keep = Callable[[TownState, TickOutput, Intents], Any]
Edits = Mapping[int, Sequence[TimelineEntry]]  # by the tick before which they happen


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some ticks of a town; arrays of ticks have a leading axis."""

    first_tick: int
    last_tick: int
    state: TownState  # after the last tick
    intents: Intents
    kept: Any


def begin(built: Built, *, seed: int, index: int) -> TownState:
    """Return town `index` of a seed before its first tick."""
    return begin_with(built, rng.town_key(seed, jnp.uint32(index)))


def begin_with(built: Built, key: Key[Array, ""]) -> TownState:
    """Return the town of a key before its first tick."""
    state: TownState = jax.jit(functools.partial(town.init, built.spec))(built.params, key)
    return state


@functools.cache
def replayed() -> interface.Policy:
    """Return the policy that asks for the intents handed in as `given`, whatever they are."""

    def init(params: Params, state: TownState) -> tuple[()]:
        del params, state
        return ()

    def act(params: Params, state: TownState, memory: tuple[()], given: Intents) -> tuple[Intents, tuple[()]]:
        del params, state
        return given, memory

    return interface.Policy(init, act)


def follow(
    built: Built,
    policy: batch.Policy,
    state: TownState,
    *,
    ticks: int,
    keep: Keep,
    chunk: int = CHUNK,
    edits: Edits | None = None,
    given: Any = None,
) -> Iterator[Chunk]:
    """Let a town live for some ticks from its first one on and yield them chunk by chunk.

    `given` has a leading axis of all ticks. Raises `RunError` for an edit that the town cannot take.
    """
    edits = edits or {}
    memory = policy.init(built.params, state)
    done = 0
    for length in lengths(ticks, chunk, edits):
        for entry in edits.get(done + 1, ()):
            state = _edited(built, entry, state)
        here = jax.tree.map(operator.itemgetter(slice(done, done + length)), given)
        state, memory, intents, kept = _advance(policy, keep, length, built.params, state, memory, here)
        yield Chunk(first_tick=done + 1, last_tick=done + length, state=state, intents=intents, kept=kept)
        done += length


def lengths(ticks: int, chunk: int, edits: Edits) -> list[int]:
    """Return the ticks of each call: at most `chunk`, with a cut before each tick that has an edit."""
    return pieces(ticks, min(chunk, ticks), [tick for tick in sorted(edits) if tick <= ticks])


def _edited(built: Built, entry: TimelineEntry, state: TownState) -> TownState:
    try:
        return timeline.apply(entry.command, entry.args, built.names, built.spec, built.params, state)
    except CommandError as error:
        raise RunError(f"timeline, tick {entry.tick}: {error}") from error


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _advance(
    policy: batch.Policy, keep: Keep, length: int, params: Params, state: TownState, memory: Any, given: Any
) -> tuple[TownState, Any, Intents, Any]:
    """Run some ticks of one town in one call."""
    hear = batch.hear_of(policy)

    def step(carry: tuple[TownState, Any], now: Any) -> tuple[tuple[TownState, Any], tuple[Intents, Any]]:
        before, remembered = carry
        intents, remembered = policy.act(params, before, remembered, now)
        after, output = tick(params, before, intents)
        if hear is not None:
            remembered = hear(params, remembered, before, after, output)
        return (after, remembered), (intents, keep(after, output, intents))

    (state, memory), (intents, kept) = jax.lax.scan(step, (state, memory), given, length=length)
    return state, memory, intents, kept
