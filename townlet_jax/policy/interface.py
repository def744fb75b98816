"""What a policy is: pure functions over one town, and the two simplest policies.

A policy reads the state at the end of a tick and says what its agents ask for in the next one. Its memory stands
beside the town, never in it. `given` is an optional input of the tick, None for policies that need none. A policy may
`hear` what came of a tick. Wrappers are policies around policies: their memory is a record with the memory of the
wrapped policy as its field `inner`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from townlet_jax.core import actions
from townlet_jax.core.actions import FLAT_MOVE, FLAT_USE, FLAT_WAIT, Intents
from townlet_jax.core.batch import hear_of
from townlet_jax.core.enums import Direction
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.policy import guardrail

Memory = Any  # a pytree of the policy's own making
Given = Any  # a pytree, one value a tick
Hear = Callable[[Params, Memory, TownState, TownState, TickOutput], Memory]  # memory, town before, town after, output
Kind = TypeVar("Kind")


@runtime_checkable
class Wrapping(Protocol):
    """The memory of a policy around a policy."""

    inner: Memory

    def replace(self, *, inner: Memory) -> Memory:
        """Return the record around another memory."""


class Policy(NamedTuple):
    """A way to act, free of state; works under `jit`, `vmap` and `scan`."""

    init: Callable[[Params, TownState], Memory]
    act: Callable[[Params, TownState, Memory, Given], tuple[Intents, Memory]]
    hear: Hear | None = None  # called after each tick with the memory that `act` returned


def inner_hear(policy: Policy) -> Hear | None:
    """Return how a wrapper passes on what came of a tick; None if the policy within wants to hear nothing."""
    hear = hear_of(policy)
    if hear is None:
        return None

    def pass_on(params: Params, memory: Memory, before: TownState, after: TownState, output: TickOutput) -> Memory:
        return memory.replace(inner=hear(params, memory.inner, before, after, output))

    return pass_on


def within(memory: Memory, kind: type[Kind]) -> Kind | None:
    """Return the record of a kind in a memory or in what it is wrapped around, None if there is none."""
    while not isinstance(memory, kind):
        if not isinstance(memory, Wrapping):
            return None
        memory = memory.inner
    return memory


def changing(memory: Memory, kind: type[Kind], change: Callable[[Kind], Kind]) -> Memory:
    """Return a memory in which the record of a kind is another one; the same memory if there is none."""
    if isinstance(memory, kind):
        return change(memory)
    return memory.replace(inner=changing(memory.inner, kind, change)) if isinstance(memory, Wrapping) else memory


def idle() -> Policy:
    """Return the policy in which everybody waits."""

    def init(params: Params, state: TownState) -> tuple[()]:
        del params, state
        return ()

    def act(params: Params, state: TownState, memory: tuple[()], given: None) -> tuple[Intents, tuple[()]]:
        del params, given
        return actions.flat(jnp.full(state.roster.alive.shape, FLAT_WAIT, jnp.int32)), memory

    return Policy(init, act)


def given() -> Policy:
    """Return the policy that plays the flat action ids handed in as `given` (int32 [A]), legal or not.

    Its memory is the ids of the previous tick, so that it can report option switches (5.5).
    """

    def act(
        params: Params, state: TownState, memory: Int[Array, "A"], given: Int[Array, "A"]
    ) -> tuple[Intents, Int[Array, "A"]]:
        del params
        return flat_intents(state, previous=memory, action=given)

    return Policy(nothing_before, act)


def nothing_before(params: Params, state: TownState) -> Int[Array, "A"]:
    """Return the memory of a flat policy before its first tick."""
    del params
    return jnp.full(state.roster.alive.shape, FLAT_WAIT, jnp.int32)


def flat_intents(
    state: TownState, *, previous: Int[Array, "A"], action: Int[Array, "A"]
) -> tuple[Intents, Int[Array, "A"]]:
    """Return intents for flat ids with the switch report of 5.5, and what to remember of them."""
    remembered = jnp.where(state.roster.alive & ~state.controls.possessed, action, FLAT_WAIT)
    intents = actions.flat(action).replace(switched=changed_course(previous, remembered))
    return guardrail.hold_possessed(state.controls.possessed, intents), remembered


def changed_course(before: Int[Array, "A"], after: Int[Array, "A"]) -> Bool[Array, "A"]:
    """Tell whether two flat actions in a row differ in class (any move, use k, leave, chat), neither being wait."""
    both = (before != FLAT_WAIT) & (after != FLAT_WAIT)
    return both & (_course(before) != _course(after))


def _course(action: Int[Array, "A"]) -> Int[Array, "A"]:
    moves = (action >= FLAT_MOVE + Direction.NORTH) & (action < FLAT_USE)
    return jnp.where(moves, FLAT_MOVE, action)
