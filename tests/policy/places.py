"""The default town seen from its first agent, and ways to put it into a state by hand."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config import build, load
from townlet_jax.config.names import Names
from townlet_jax.core import legality, rng, town
from townlet_jax.core.actions import Intents
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.policy import options, scripted, seek
from townlet_jax.policy.options import OptionMemory

ADA, BEN, CLEO, DAN = range(4)  # barista, barista, grocer, grocer; homes 0, 1, 2, 3
NOON = 700  # a tick at which nobody of these is on duty or about to be
BED, FRIDGE, STOVE, SINK, SHOWER = 0, 1, 2, 3, 5  # ada's home objects
CAFE = 13
USE_SHOWER, EAT_MEAL, COOK_MEAL, REST_SLEEP, BUY_MEAL, BUY_GROCERIES, WASH, REST_BENCH, LEAVE, CHAT = range(5, 15)
WAIT, NORTH, EAST, SOUTH, WEST = range(5)


@dataclass(frozen=True)
class Place:
    """A town at rest at noon: everybody at home, content, with coins."""

    spec: Spec
    params: Params
    names: Names
    start: TownState

    @cached_property
    def decide(self) -> Callable[[Params, TownState, OptionMemory], tuple[Intents, OptionMemory]]:
        """Return the scripted decision, compiled once."""
        return jax.jit(scripted.decide)

    @cached_property
    def outlook(self) -> Callable[[Params, TownState], legality.Outlook]:
        """Return the outlook, compiled once."""
        return jax.jit(legality.outlook)

    @cached_property
    def mask(self) -> Callable[[Params, TownState], Any]:
        """Return the mask, compiled once."""
        return jax.jit(lambda params, state: legality.mask(params, state, legality.outlook(params, state)))

    @cached_property
    def survey(self) -> Callable[[Params, TownState], seek.Prospects]:
        """Return the prospects, compiled once."""
        return jax.jit(lambda params, state: seek.survey(params, state, legality.outlook(params, state)))

    def option(self, state: TownState, memory: OptionMemory | None = None, slot: int = ADA) -> int:
        """Return the option a slot acts by."""
        return int(self.memory(state, memory).option[slot])

    def memory(self, state: TownState, memory: OptionMemory | None = None) -> OptionMemory:
        """Return the memory after one decision."""
        return self.decide(self.params, state, memory or self.free)[1]

    def intents(self, state: TownState, memory: OptionMemory | None = None) -> Intents:
        """Return the intents of one decision."""
        return self.decide(self.params, state, memory or self.free)[0]

    @property
    def free(self) -> OptionMemory:
        """Return the memory of nobody being committed."""
        return options.no_commitment(self.spec.num_agents)

    def bound(self, option: int, until: int, slot: int = ADA) -> OptionMemory:
        """Return the memory in which one slot is committed."""
        free = self.free
        return OptionMemory(option=free.option.at[slot].set(option), until_tick=free.until_tick.at[slot].set(until))


def default_place() -> Place:
    """Build the default town and set it to noon."""
    spec, params, names = build(load("default"))
    state = town.init(spec, params, rng.town_key(0, 0))
    state = at_tick(state, NOON)
    state = change(state, needs={"level": jnp.full_like(state.needs.level, 0.8)})
    state = change(state, economy={"wallet": jnp.full_like(state.economy.wallet, 5.0)})
    state = change(state, roster={"profile": jnp.zeros_like(state.roster.profile)})
    return Place(spec=spec, params=params, names=names, start=state)


def change(state: TownState, **slices: dict[str, Any]) -> TownState:
    """Replace fields of slices."""
    return state.replace(**{name: getattr(state, name).replace(**fields) for name, fields in slices.items()})


def plain(state: TownState) -> Any:
    """Return the slices of a town in NumPy, for loops."""
    slices = [field.name for field in dataclasses.fields(state) if field.name not in ("key", "faults")]  # type: ignore[arg-type]  # a Pytree is a dataclass
    return SimpleNamespace(**{name: jax.tree.map(np.asarray, getattr(state, name)) for name in slices})


def at_tick(state: TownState, tick: int) -> TownState:
    """Set the clock."""
    return change(state, clock={"tick": jnp.int32(tick)})


def put(state: TownState, slice_: str, field: str, index: Any, value: Any) -> TownState:
    """Set one place of one field."""
    old = getattr(getattr(state, slice_), field)
    return change(state, **{slice_: {field: old.at[index].set(value)}})


def feel(state: TownState, slot: int = ADA, **levels: float) -> TownState:
    """Set need levels of a slot by name."""
    for name, level in levels.items():
        state = put(state, "needs", "level", (slot, ("hunger", "hygiene", "energy").index(name)), level)
    return state


def stand(state: TownState, x: int, y: int, slot: int = ADA) -> TownState:
    """Put a slot on a tile."""
    return put(state, "roster", "position", slot, jnp.asarray([x, y], jnp.int32))


def hold(state: TownState, place: int, slot: int = ADA) -> TownState:
    """Let a slot hold an object."""
    return put(state, "queues", "holding", slot, place)


def run(state: TownState, place: int, affordance: int, remaining: int, slot: int = ADA) -> TownState:
    """Let a slot run an affordance on an object."""
    state = put(hold(state, place, slot), "activities", "affordance", slot, affordance)
    return put(state, "activities", "remaining", slot, remaining)


def wait_for(state: TownState, place: int, slot: int, ticket: int = 0) -> TownState:
    """Let a slot wait for an object."""
    state = put(state, "queues", "waiting", slot, place)
    state = put(state, "queues", "ticket", slot, ticket)
    return put(state, "queues", "joined_tick", slot, int(state.clock.tick))


def resent(state: TownState, owner: int, other: int, rivalry: float = 0.9) -> TownState:
    """Let one slot feel rivalry for another."""
    return put(state, "ties", "rivalry", (owner, other), rivalry)
