"""Timetables of scenarios: each slot walks through its own cyclic list of entries (MECHANICS 14.8).

Owns the table (arrays, made on the host by `policy.timetable`) and the cursor that runs through it. There is no
commitment and no guardrail under a timetable; slots without one wait.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import actions, legality
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY, Kind, Option
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree, static
from townlet_jax.policy import guardrail, options, seek
from townlet_jax.policy.interface import Policy


class Schedule(Pytree):
    """The entries of every slot, padded to the longest list. A field that an entry does not use is "absent" (5.1)."""

    length: Int[Array, "A"]  # entries, 0 = no timetable
    kind: Int[Array, "A S"]  # Kind; WAIT for walks and holds
    direction: Int[Array, "A S"]
    object: Int[Array, "A S"]
    affordance: Int[Array, "A S"]
    target: Int[Array, "A S"]
    success: Bool[Array, "A S"]
    quality: Float[Array, "A S"]
    ticks: Int[Array, "A S"]  # of the entry; a walk ends on its tile instead
    option: Int[Array, "A S"]  # held option, NOBODY = none
    walk: Int[Array, "A S"]  # row of `field` and `tile`, NOBODY = none
    tile: Int[Array, "F 2"]  # where walks lead
    field: Int[Array, "F H C"]  # int8: first step towards the tile, -1 there and where there is no way
    has_holds: bool = static()


class Cursor(Pytree):
    """Where each slot stands in its timetable."""

    place: Int[Array, "A"]  # entry, empty 0
    elapsed: Int[Array, "A"]  # ticks spent in it, empty 0
    option: Int[Array, "A"]  # option held in the last tick, IDLE if none


def schedule(table: Schedule) -> Policy:
    """Return the policy that plays a table; its memory is a `Cursor`, and it needs nothing `given`."""

    def init(params: Params, state: TownState) -> Cursor:
        del params
        zero = jnp.zeros(state.roster.alive.shape[0], jnp.int32)
        return Cursor(place=zero, elapsed=zero, option=zero + Option.IDLE)

    def act(params: Params, state: TownState, memory: Cursor, given: None) -> tuple[Intents, Cursor]:
        del given
        return play(params, state, table, memory)

    return Policy(init, act)


def play(params: Params, state: TownState, table: Schedule, cursor: Cursor) -> tuple[Intents, Cursor]:
    """Return what the timetables say for the next tick. New individuals start at the first entry."""
    cursor = _advance(state, table, cursor)
    intents = _entry(state, table, cursor.place)
    option = jnp.where(_playing(state, table), _cell(table.option, cursor.place), NOBODY)
    if table.has_holds:
        intents = intents.replace(flat=jnp.where(option == NOBODY, NOBODY, _controlled(params, state, option)))
    held = jnp.where(option == NOBODY, Option.IDLE, option)
    both = (held != Option.IDLE) & (cursor.option != Option.IDLE)
    intents = intents.replace(option=held, switched=both & (held != cursor.option))
    moved_on = Cursor(
        place=cursor.place, elapsed=cursor.elapsed + jnp.where(state.controls.possessed, 0, 1), option=held
    )
    return guardrail.hold_possessed(state.controls.possessed, intents), moved_on


def _playing(state: TownState, table: Schedule) -> Bool[Array, "A"]:
    return state.roster.alive & (table.length > 0)


def _advance(state: TownState, table: Schedule, cursor: Cursor) -> Cursor:
    """Go to the next entry where the last one is over."""
    fresh = ~state.roster.alive | (state.roster.born_tick == state.clock.tick)
    place, elapsed = jnp.where(fresh, 0, cursor.place), jnp.where(fresh, 0, cursor.elapsed)
    walk = _cell(table.walk, place)
    arrived = jnp.all(state.roster.position == table.tile[jnp.maximum(walk, 0)], axis=-1)
    spent = elapsed >= _cell(table.ticks, place)
    over = (elapsed > 0) & jnp.where(walk == NOBODY, spent, arrived)
    following = jnp.where(place + 1 >= table.length, 0, place + 1)
    return Cursor(
        place=jnp.where(over, following, place),
        elapsed=jnp.where(over, 0, elapsed),
        option=jnp.where(fresh, Option.IDLE, cursor.option),
    )


def _entry(state: TownState, table: Schedule, place: Int[Array, "A"]) -> Intents:
    """Return the structured intents of the entries; a walk takes the step of its field."""
    idle = actions.waiting(place.shape[0])
    x, y = state.roster.position[:, 0], state.roster.position[:, 1]
    walk = _cell(table.walk, place)
    step = jnp.where(walk == NOBODY, NOBODY, table.field[jnp.maximum(walk, 0), y, x].astype(jnp.int32))
    direction = jnp.where(walk == NOBODY, _cell(table.direction, place), step)
    plays = _playing(state, table)
    kind = jnp.where(step >= 0, Kind.MOVE, _cell(table.kind, place))
    return idle.replace(
        kind=jnp.where(plays, kind, Kind.WAIT),
        direction=jnp.where(plays, direction, NOBODY),
        object=jnp.where(plays, _cell(table.object, place), NOBODY),
        affordance=jnp.where(plays, _cell(table.affordance, place), NOBODY),
        target=jnp.where(plays, _cell(table.target, place), NOBODY),
        success=jnp.where(plays, _cell(table.success, place), True),
        quality=jnp.where(plays, _cell(table.quality, place), -1.0),
    )


def _controlled(params: Params, state: TownState, option: Int[Array, "A"]) -> Int[Array, "A"]:
    """Return the flat action of each held option's controller."""
    look = legality.outlook(params, state)
    prospects = seek.survey(params, state, look)
    plans = options.plans(params, state, look, prospects)
    return options.control(params, state, prospects, plans, jnp.where(option == NOBODY, Option.IDLE, option))


def _cell(table: Array, place: Int[Array, "A"]) -> Array:
    return jnp.take_along_axis(table, place[:, None], axis=1)[:, 0]
