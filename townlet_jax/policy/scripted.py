"""The teacher: a hand-written way of life, from needs and shifts to one flat action (MECHANICS 7).

Propose an option (7.2), commit (5.5), let it act (5.4), then overlays (7.3) and the guardrail (5.6).
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import actions, arrays, legality, personality
from townlet_jax.core.actions import FLAT_MOVE, FLAT_USE, FLAT_WAIT, Intents
from townlet_jax.core.enums import NOBODY, Avoidance, Direction, Need, Option
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.policy import guardrail, options, seek, shifts
from townlet_jax.policy.interface import Policy
from townlet_jax.policy.options import OptionMemory, Plans
from townlet_jax.policy.shifts import Duty

_MOST_REST = 0.95  # energy level up to which a last chance to sleep is taken
_SIDESTEPS = (Direction.EAST, Direction.WEST, Direction.SOUTH, Direction.NORTH)


def scripted() -> Policy:
    """Return the scripted policy; its memory is an `OptionMemory`, and it needs nothing `given`."""

    def init(params: Params, state: TownState) -> OptionMemory:
        del params
        return options.no_commitment(state.roster.alive.shape[0])

    def act(params: Params, state: TownState, memory: OptionMemory, given: None) -> tuple[Intents, OptionMemory]:
        del given
        return decide(params, state, memory)

    return Policy(init, act)


def decide(params: Params, state: TownState, memory: OptionMemory) -> tuple[Intents, OptionMemory]:
    """Return everybody's intents for the next tick, as flat ids, and the options they are committed to."""
    look = legality.outlook(params, state)
    prospects = seek.survey(params, state, look)
    plans = options.plans(params, state, look, prospects)
    tick_of_day = look.facts.tick_of_day
    duty = shifts.duty(params, state, tick_of_day=tick_of_day)
    before = options.forget(memory, who=options.strangers(state))
    proposed = propose(params, state, plans=plans, duty=duty, current=before.option, tick_of_day=tick_of_day)
    after = options.commit(params, state, before, proposed=proposed, plans=plans, duty=duty)
    action = options.control(params, state, prospects, plans, after.option)
    action = sidestep(params, state, look, after.option, action)
    action = chat_while_waiting(params, plans, action)
    action, avoided = permitted(params, state, look, action)
    intents = actions.flat(action).replace(
        avoided=avoided, option=after.option, switched=options.switched(before, after)
    )
    after = options.forget(after, who=~state.roster.alive | state.controls.possessed)
    return guardrail.hold_possessed(state.controls.possessed, intents), after


class _Day(Pytree):
    """The thresholds of one agent at this hour (7.2, the rows without a number)."""

    night: Bool[Array, ""]
    rest: Float[Array, "A"]  # energy below which it wants to sleep
    sleepy: Bool[Array, "A"]
    threshold: Float[Array, "A N"]  # levels below which a need is seen to


@arrays.unit
def propose(
    params: Params,
    state: TownState,
    *,
    plans: Plans,
    duty: Duty,
    current: Int[Array, "A"],
    tick_of_day: Int[Array, ""],
) -> Int[Array, "A"]:
    """Return the option of the first rule of 7.2 that applies to each agent."""
    numbers, level = params.behaviour, state.needs.level
    hunger, hygiene, energy = (level[:, need] for need in Need)
    day = _day(params, state, duty=duty, current=current, tick_of_day=tick_of_day)
    least, free = options.lowest(level), duty.free
    hungry = (hunger < day.threshold[:, Need.HUNGER]) & ((free >= numbers.time_fed) | (hunger < numbers.urgent))
    dirty = (hygiene < day.threshold[:, Need.HYGIENE]) & ((free >= numbers.time_clean) | (hygiene < numbers.urgent))
    cooking = (
        (options.pantry(params, state) < numbers.pantry_target)
        & (free > numbers.time_cook)
        & ~day.night
        & (energy >= day.rest + numbers.cook_energy_margin)
    )
    social_hours = (tick_of_day >= numbers.social_start) & (tick_of_day < numbers.social_end)
    at_leisure = (least >= numbers.social_need) & (free > numbers.social_free)
    rested = state.clock.tick + 1 >= state.ties.chat_ready_tick
    rules = (
        (~state.roster.alive, Option.IDLE),
        (least < numbers.critical, options.serving(level)),
        (duty.claims, Option.GO_TO_WORK),
        (hungry & plans.possible[:, Option.GET_FED], Option.GET_FED),
        (dirty & plans.possible[:, Option.GET_CLEAN], Option.GET_CLEAN),
        (day.sleepy & plans.possible[:, Option.SLEEP], Option.SLEEP),
        (cooking & plans.possible[:, Option.COOK], Option.COOK),
        (social_hours & at_leisure & rested, Option.SOCIALISE),
        (jnp.broadcast_to(day.night, free.shape), Option.GO_HOME),
    )
    proposal = jnp.full(free.shape, Option.IDLE, jnp.int32)
    for applies, option in reversed(rules):
        proposal = jnp.where(applies, option, proposal)
    return proposal


def _day(
    params: Params, state: TownState, *, duty: Duty, current: Int[Array, "A"], tick_of_day: Int[Array, ""]
) -> _Day:
    numbers, free = params.behaviour, duty.free
    energy = state.needs.level[:, Need.ENERGY]
    decay = params.needs.decay_rate * personality.need_multiplier(params.personality, state.roster.profile)
    sleep_ticks = jnp.max(jnp.where(numbers.menu[Option.SLEEP], params.affordances.duration, 0))
    last = sleep_ticks + numbers.sleep_margin
    night = (tick_of_day >= numbers.night_start) | (tick_of_day < numbers.night_end)
    low = jnp.where(current == Option.SLEEP, sleep_ticks, last)
    last_chance = (low <= free) & (free < last + numbers.last_chance_ticks)
    ahead = (free + duty.length + 2 * duty.steps + sleep_ticks).astype(jnp.float32)
    lasting = jnp.minimum(_MOST_REST, numbers.floor + decay[:, Need.ENERGY] * ahead)
    usual = numbers.threshold[Need.ENERGY]
    rest = jnp.where(last_chance, jnp.maximum(usual, lasting), usual)
    tired = (energy < rest) | (night & (energy < numbers.night_energy))
    sleepy = tired & ((free >= low) | (energy < numbers.exhausted))
    horizon = jnp.where(free <= numbers.prep_ticks, duty.length + duty.steps + duty.buffer, 0)
    horizon = jnp.where(sleepy, jnp.maximum(horizon, sleep_ticks), horizon).astype(jnp.float32)
    threshold = jnp.maximum(numbers.threshold, numbers.floor + decay * horizon[:, None])
    return _Day(night=night, rest=rest, sleepy=sleepy, threshold=threshold)


def sidestep(
    params: Params, state: TownState, look: legality.Outlook, option: Int[Array, "A"], action: Int[Array, "A"]
) -> Int[Array, "A"]:
    """Move idling agents off the tile of somebody they avoid, to an empty tile east, west, south or north (7.3.1)."""
    at_leisure = (option == Option.IDLE) | (option == Option.SOCIALISE) | (option == Option.GO_HOME)
    restless = (action == FLAT_WAIT) & state.roster.alive & ~look.busy & at_leisure
    tile = _tile_number(params, state.roster.position[:, 0], state.roster.position[:, 1])
    shared = look.avoids & (tile[:, None] == tile[None, :]) & state.roster.alive[None, :]
    crowded = restless & jnp.any(shared, axis=-1)

    def step_aside(action: Int[Array, "A"], standing: Int[Array, "A 2"]) -> Int[Array, "A"]:
        directions = jnp.broadcast_to(jnp.asarray(_SIDESTEPS, jnp.int32), (action.shape[0], len(_SIDESTEPS)))
        position = standing[:, None]
        there = _tile_number(params, *legality.neighbour(position, directions))
        taken = jnp.any((there[:, :, None] == tile) & state.roster.alive, axis=-1)
        way = arrays.first_true(legality.open_ground(params, position, directions) & ~taken)
        step = FLAT_MOVE + jnp.asarray(_SIDESTEPS, jnp.int32)[jnp.maximum(way, 0)]
        return jnp.where(crowded & (way != NOBODY), step, action)

    return arrays.only_if(jnp.any(crowded), step_aside, action, state.roster.position)


def _tile_number(params: Params, x: Int[Array, "*n"], y: Int[Array, "*n"]) -> Int[Array, "*n"]:
    return y * (params.world.blocked.shape[1] + 1) + x


def chat_while_waiting(params: Params, plans: Plans, action: Int[Array, "A"]) -> Int[Array, "A"]:
    """Let those who wait above the social floor talk to their best partner (7.3.2)."""
    chat = FLAT_USE + params.affordances.duration.shape[0] + 1
    return jnp.where((action == FLAT_WAIT) & plans.sociable, chat, action)


def permitted(
    params: Params, state: TownState, look: legality.Outlook, action: Int[Array, "A"]
) -> tuple[Int[Array, "A"], Int[Array, "A"]]:
    """Turn illegal actions into waiting (7.3.3), then keep away from queues with rivals (5.6); also tell the latter."""
    uses = (action >= FLAT_USE) & (action < FLAT_USE + params.affordances.duration.shape[0])
    target = legality.best_object(params, state, look, jnp.where(uses, action - FLAT_USE, NOBODY))
    legal = jnp.where(legality.is_legal(params, state, look, action, target), action, FLAT_WAIT)
    held_back = (legal != FLAT_WAIT) & guardrail.queue_of_rivals(state, look, target)
    avoided = jnp.where(held_back, Avoidance.QUEUE_RIVAL, Avoidance.NONE).astype(jnp.int32)
    return jnp.where(held_back, FLAT_WAIT, legal), avoided
