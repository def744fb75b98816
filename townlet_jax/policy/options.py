"""Temporally extended actions: what each option does now, when it is over, how long it is kept (MECHANICS 5.4, 5.5)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import arrays, choose, legality, personality
from townlet_jax.core.actions import FLAT_MOVE, FLAT_USE, FLAT_WAIT
from townlet_jax.core.enums import NOBODY, NUM_OPTIONS, UNREACHABLE, Behaviour, Need, Option, Trait
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.policy import seek
from townlet_jax.policy.shifts import Duty

_SERVED = 0.9  # level at which a need is seen to
SEEKERS = (Option.GET_FED, Option.GET_CLEAN, Option.SLEEP, Option.COOK)  # consecutive codes


class OptionMemory(Pytree):
    """What each slot is committed to."""

    option: Int[Array, "A"]  # Option, empty IDLE
    until_tick: Int[Array, "A"]  # the option is kept while now < it, empty 0


class Plans(Pytree):
    """What the options would do now."""

    affordance: Int[Array, "A seekers"]  # what each of SEEKERS would use, NOBODY if nothing serves
    possible: Bool[Array, "A 8"]  # columns Option; a dead slot can only idle
    sociable: Bool[Array, "A"]  # legal to chat and above the social floor


def no_commitment(num_agents: int) -> OptionMemory:
    """Return the memory of agents that are committed to nothing."""
    zero = jnp.zeros(num_agents, jnp.int32)
    return OptionMemory(option=zero + Option.IDLE, until_tick=zero)


def forget(memory: OptionMemory, *, who: Bool[Array, "A"]) -> OptionMemory:
    """Clear the memory of some slots."""
    return OptionMemory(
        option=jnp.where(who, Option.IDLE, memory.option), until_tick=jnp.where(who, 0, memory.until_tick)
    )


def strangers(state: TownState) -> Bool[Array, "A"]:
    """Tell which slots start afresh: the dead, the individuals of this very tick, and the possessed."""
    newborn = state.roster.born_tick == state.clock.tick
    return ~state.roster.alive | newborn | state.controls.possessed


@arrays.unit
def plans(params: Params, state: TownState, look: legality.Outlook, prospects: seek.Prospects) -> Plans:
    """Work out the best target of every seeking option and which options are possible."""
    behaviour = params.behaviour
    errand = seek.effort_units(behaviour.errand_limit)
    chosen = {
        option: seek.best(
            prospects,
            behaviour.menu[option],
            behaviour.fallback_menu[option],
            errand if option == Option.COOK else None,
        )
        for option in SEEKERS
    }
    fed = chosen[Option.GET_FED]
    chosen[Option.GET_FED] = jnp.where(fed == NOBODY, chosen[Option.COOK], fed)
    everybody = jnp.ones_like(state.roster.alive)
    possible = {option: chosen[option] != NOBODY for option in SEEKERS}
    possible |= {
        Option.IDLE: everybody,
        Option.GO_TO_WORK: state.employment.job != NOBODY,
        Option.SOCIALISE: (look.partner != NOBODY) | _place_exists(params, state),
        Option.GO_HOME: everybody,
    }
    columns = jnp.stack([possible[option] for option in Option], axis=1)
    idle_only = jnp.arange(NUM_OPTIONS) == Option.IDLE
    return Plans(
        affordance=jnp.stack([chosen[option] for option in SEEKERS], axis=1),
        possible=columns & (state.roster.alive[:, None] | idle_only),
        sociable=sociable(params, state, look),
    )


def _place_exists(params: Params, state: TownState) -> Bool[Array, "A"]:
    x, y = state.roster.position[:, 0], state.roster.position[:, 1]
    return params.routes.steps[_first_place(params), y, x] != UNREACHABLE


def _first_place(params: Params) -> int:
    world = params.world
    return world.tile.shape[0] + world.site_tile.shape[0] + world.home_tile.shape[0]


def sociable(params: Params, state: TownState, look: legality.Outlook) -> Bool[Array, "A"]:
    """Tell who may chat and feels like it: the social floor (7.3.2)."""
    behaviour, profile, ties = params.behaviour, state.roster.profile, state.ties
    preference = personality.behaviour(params.personality, profile, Behaviour.CHAT_PREFERENCE)
    extroversion = personality.traits(params.personality, profile)[:, Trait.EXTROVERSION]
    column = jnp.maximum(look.partner, 0)[:, None]
    liking = ties.trust + ties.familiarity - ties.rivalry
    score = jnp.take_along_axis(liking, column, axis=1)[:, 0] + 0.1 * extroversion
    return (
        legality.can_chat(state, look)
        & (lowest(state.needs.level) >= behaviour.chat_need_floor)
        & (extroversion >= jnp.clip(behaviour.chat_extroversion_min / preference, -1.0, 1.0))
        & (score > behaviour.chat_score_min)
    )


def lowest(level: Float[Array, "A N"]) -> Float[Array, "A"]:
    """Return the lowest need level of each agent."""
    return jnp.minimum(jnp.minimum(level[:, Need.HUNGER], level[:, Need.HYGIENE]), level[:, Need.ENERGY])


def serving(level: Float[Array, "A N"]) -> Int[Array, "A"]:
    """Return the option that serves the lowest need; ties to the first need."""
    hunger, hygiene, energy = (level[:, need] for need in Need)
    rest = jnp.where(hygiene <= energy, Option.GET_CLEAN, Option.SLEEP)
    return jnp.where((hunger <= hygiene) & (hunger <= energy), Option.GET_FED, rest).astype(jnp.int32)


def pantry(params: Params, state: TownState) -> Float[Array, "A"]:
    """Return the meals in the home store; infinitely many where a home keeps none, so that nobody cooks for it."""
    good = params.behaviour.pantry_good
    stores = jnp.where(good == NOBODY, NOBODY, jnp.take(params.world.home_store, jnp.maximum(good, 0), axis=1))
    meals = jnp.take(state.economy.stock, jnp.maximum(good, 0), axis=1)
    return arrays.take(meals, stores[state.roster.home], jnp.inf)


def done(params: Params, state: TownState, duty: Duty, option: Int[Array, "A"]) -> Bool[Array, "A"]:
    """Tell whether each agent's option has reached its end (IDLE never does)."""
    level = state.needs.level
    home = params.world.home_tile[state.roster.home]
    ends = {
        Option.GET_FED: level[:, Need.HUNGER] >= _SERVED,
        Option.GET_CLEAN: level[:, Need.HYGIENE] >= _SERVED,
        Option.SLEEP: level[:, Need.ENERGY] >= _SERVED,
        Option.COOK: pantry(params, state) >= params.behaviour.pantry_target,
        Option.GO_TO_WORK: ~duty.employed | (~duty.on_duty & (duty.free > 0)),
        Option.SOCIALISE: state.clock.tick < state.ties.chat_ready_tick,
        Option.GO_HOME: jnp.all(state.roster.position == home, axis=-1),
    }
    result = jnp.zeros_like(state.roster.alive)
    for code, end in ends.items():
        result = result | ((option == code) & end)
    return result


def commit(
    params: Params, state: TownState, memory: OptionMemory, *, proposed: Int[Array, "A"], plans: Plans, duty: Duty
) -> OptionMemory:
    """Keep the current option or take the proposed one; the acting option is `option` of the result (5.5).

    `memory` must have forgotten `strangers` before. Dead slots end with IDLE.
    """
    now, level, behaviour = state.clock.tick, state.needs.level, params.behaviour
    option = memory.option
    possible = jnp.take_along_axis(plans.possible, option[:, None], axis=1)[:, 0]
    emergency = (lowest(level) < behaviour.critical) & (option != serving(level))
    committed = (now < memory.until_tick) & (option != Option.IDLE)
    keep = committed & ~done(params, state, duty, option) & possible & ~emergency
    keep = keep | choose.busy(state.activities)
    renew = ~keep & ((proposed != option) | (now >= memory.until_tick))
    return OptionMemory(
        option=jnp.where(renew, proposed, option),
        until_tick=jnp.where(renew, now + behaviour.commit_ticks, memory.until_tick),
    )


def switched(before: OptionMemory, after: OptionMemory) -> Bool[Array, "A"]:
    """Tell who changed from one option to another, neither being IDLE."""
    both = (before.option != Option.IDLE) & (after.option != Option.IDLE)
    return both & (before.option != after.option)


def control(
    params: Params, state: TownState, prospects: seek.Prospects, plans: Plans, option: Int[Array, "A"]
) -> Int[Array, "A"]:
    """Return the flat action by which each agent's option goes on; busy agents and impossible options wait."""
    world, position = params.world, state.roster.position
    seeks = (option >= SEEKERS[0]) & (option <= SEEKERS[-1])
    column = jnp.where(seeks, option - SEEKERS[0], 0)[:, None]
    affordance = jnp.take_along_axis(plans.affordance, column, axis=1)
    target = jnp.take_along_axis(prospects.object, jnp.maximum(affordance, 0), axis=1)[:, 0]
    found = seeks & (affordance[:, 0] != NOBODY)
    near = choose.chebyshev(position, world.tile[jnp.maximum(target, 0)]) <= world.interaction_range
    in_range, use = found & near, FLAT_USE + affordance[:, 0]
    move = _walk(params, state, jnp.where(found, target, NOBODY), option)
    chat = FLAT_USE + params.affordances.duration.shape[0] + 1
    action = jnp.where(in_range, use, move)
    action = jnp.where((option == Option.SOCIALISE) & plans.sociable, chat, action)
    return jnp.where(choose.busy(state.activities) | ~state.roster.alive, FLAT_WAIT, action)


def _walk(params: Params, state: TownState, target: Int[Array, "A"], option: Int[Array, "A"]) -> Int[Array, "A"]:
    """Return the step towards the sought object, the job site, the first place or home; wait where there is none."""
    jobs, homes = params.world.tile.shape[0], params.world.tile.shape[0] + params.world.site_tile.shape[0]
    job = state.employment.job
    route = jnp.where(option == Option.GO_TO_WORK, jnp.where(job == NOBODY, NOBODY, jobs + job), target)
    route = jnp.where(option == Option.SOCIALISE, _first_place(params), route)
    route = jnp.where(option == Option.GO_HOME, homes + state.roster.home, route)
    x, y = state.roster.position[:, 0], state.roster.position[:, 1]
    direction = params.routes.direction[jnp.maximum(route, 0), y, x].astype(jnp.int32)
    return jnp.where((route == NOBODY) | (direction < 0), FLAT_WAIT, FLAT_MOVE + direction)
