"""Playing a recording: edits before a tick, the recorded intents, the tick.

One compiled tick plays all recordings, because all their towns have one shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from townlet_jax.config import Names, build, from_mapping
from townlet_jax.core import edits, rng, town
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.tick import tick as advance
from traces.recordings import Recording
from traces.translate import DEAD_TARGETS, SLOTS, intents_of, moves_of, slot_of, town_mapping

NAN = float("nan")
Edit = Callable[..., TownState]
play_tick = jax.jit(advance)
trigger: Edit = jax.jit(edits.trigger)
cancel: Edit = jax.jit(edits.cancel)
set_ties: Edit = jax.jit(edits.set_ties)
approve: Edit = jax.jit(edits.approve_exit)


@dataclass(frozen=True)
class Moment:
    """One tick of a replay, on the host: what came out, and the town with and without those who leave."""

    before_leave: TownState
    after: TownState
    output: TickOutput


@dataclass(frozen=True)
class Replay:
    """A recording played to its end; `moments[0]` is tick 1."""

    params: Params
    names: Names
    start: TownState
    moments: tuple[Moment, ...]


def play(recording: Recording) -> Replay:
    """Play every tick of a recording."""
    spec, params, names = build(from_mapping(town_mapping(recording)))
    state = town.init(spec, params, rng.town_key(recording.header["seed"], 0))
    start = state = _put(state, _start_positions(recording))
    moments = []
    for line in recording.ticks:
        state = _put(state, moves_of(recording, line["tick"]))
        for operation in line["ops_before"]:
            state = _operate(recording, params, names, state, operation)
        intents = intents_of(recording, line["tick"])
        after, output = play_tick(params, state, intents)
        before_leave = after
        if bool(jnp.any(output.terminated)):
            before_leave, _ = play_tick(params, _immortal(state), intents)
        moments.append(Moment(*jax.device_get((before_leave, after, output))))
        state = after
    return Replay(jax.device_get(params), names, jax.device_get(start), tuple(moments))


def _start_positions(recording: Recording) -> dict[int, tuple[int, int]]:
    agents = recording.header["initial"]["agents"]
    return {slot_of(recording, name): tuple(entry["position"]) for name, entry in agents.items()}


def _put(state: TownState, tiles: dict[int, tuple[int, int]]) -> TownState:
    """Put agents on tiles; unlike the operator's teleport this keeps what they hold and wait for."""
    if not tiles:
        return state
    position = jax.device_get(state.roster.position).copy()
    for slot, tile in tiles.items():
        position[slot] = tile
    return state.replace(roster=state.roster.replace(position=jnp.asarray(position)))


def _immortal(state: TownState) -> TownState:
    """Let nobody leave in the next tick, to see the town as it is before removals."""
    return state.replace(
        controls=state.controls.replace(mortality=jnp.bool_(False)),
        exits=state.exits.replace(approved=jnp.zeros(SLOTS, bool)),
    )


def _operate(
    recording: Recording, params: Params, names: Names, state: TownState, operation: dict[str, Any]
) -> TownState:
    """Repeat one thing that was done to the original from outside."""
    given = operation["args"]
    match operation["op"]:
        case "set_relationship":
            return _relate(recording, params, state, given, trust=given["trust"], familiarity=given["familiarity"])
        case "rivalry_conflict":
            added = float(params.conflict.increment) * given["intensity"]
            return _relate(recording, params, state, given, rivalry=added)
        case "manual_exit":
            return approve(params, state, jnp.int32(slot_of(recording, given["agent"])))
        case "cancel":
            return cancel(params, state, jnp.int32(names.perturbations.index("price_spike_2")))
        case "perturb" if given["spec"] in DEAD_TARGETS:
            return state
        case "perturb":
            return trigger(params, state, _order(recording, names, given))
    raise ValueError(f"{recording.name}: unknown operation {operation['op']}")


def _relate(
    recording: Recording,
    params: Params,
    state: TownState,
    pair: dict[str, Any],
    *,
    trust: float = NAN,
    familiarity: float = NAN,
    rivalry: float = NAN,
) -> TownState:
    first, second = (jnp.int32(slot_of(recording, pair[side])) for side in ("a", "b"))
    amounts = (jnp.float32(amount) for amount in (trust, familiarity, rivalry))
    return set_ties(params, state, first, second, *amounts)


def _order(recording: Recording, names: Names, given: dict[str, Any]) -> edits.Order:
    """Return an operator's start; the original counts `starts_in` from the last tick, here it is the next one."""
    spike = given["spec"] == "price_spike"
    second = spike and "targets" in given
    invited = [] if spike else [slot_of(recording, name) for name in given.get("targets", [])]
    member = jnp.asarray([slot in invited for slot in range(SLOTS)])
    return edits.Order(
        spec=jnp.int32(names.perturbations.index("price_spike_2" if second else given["spec"])),
        starts_in=jnp.int32(max(given.get("starts_in", 0) - 1, 0)),
        ticks=jnp.int32(given.get("duration", -1)),
        magnitude=jnp.float32(given.get("payload", {}).get("magnitude", -1.0)),
        member=member,
        object=jnp.int32(-1),
    )
