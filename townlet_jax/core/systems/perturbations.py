"""Price spikes, blackouts, outages, arranged meets, closed objects (MECHANICS 4.1.3). Owns `state.perturbations`."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core import arrays, rng
from townlet_jax.core.enums import NEVER, NOBODY, MeetTarget, Perturb, Phase, Stream
from townlet_jax.core.outcomes import Shocks
from townlet_jax.core.params import Params, PerturbationParams
from townlet_jax.core.state import Perturbations
from townlet_jax.core.struct import Pytree

_FIRE, _DURATION, _MAGNITUDE, _PICK, _COLUMNS = 0, 1, 2, 3, 4  # of the PERTURB draw
_MEET_ORDER, _AGENT_COLUMNS = 3, 4  # of the AGENT draw


class Guests(Pytree):
    """What decides who may be called to a meet."""

    alive: Bool[Array, "A"]
    busy: Bool[Array, "A"]
    phase: Int[Array, "A"]
    rivalry: Float[Array, "A A"]


class _Begun(Pytree):
    """What the starts of one tick have added up to so far."""

    slice: Perturbations
    relocated: Int[Array, "A"]


class _Moment(Pytree):
    """What all starts of one tick share: the state before any of them."""

    tick: Int[Array, ""]
    due: Bool[Array, "V"]
    rested: Bool[Array, "A"]  # whom a meet may call
    free: Bool[Array, "A"]  # of these, who neither runs something nor works
    alive: Bool[Array, "A"]
    rivalry: Float[Array, "A A"]


def is_active(perturbations: Perturbations) -> Bool[Array, "V"]:
    """Tell which specs have a running event."""
    return perturbations.until_tick != NEVER


@arrays.unit
def advance(
    params: Params, perturbations: Perturbations, *, guests: Guests, tick: Int[Array, ""], key: Key[Array, ""]
) -> tuple[Perturbations, Shocks]:
    """End what is over, start what is due, and tell the shocks of this tick."""
    perturbations, ended = _end(params.perturbation, perturbations, tick)
    due = (perturbations.queued_tick != NEVER) & (perturbations.queued_tick <= tick) & ~is_active(perturbations)
    rested, free = arrays.settled(_candidates(perturbations, guests, tick))
    moment = _Moment(
        tick=tick,
        due=due,
        rested=rested,
        free=free,
        alive=guests.alive,
        rivalry=guests.rivalry,
    )
    started = due | _fire(params, perturbations, moment, key)
    begun = _Begun(slice=perturbations, relocated=jnp.full_like(guests.phase, NOBODY))
    begun = arrays.while_pending(
        started, lambda spec, value, given: _start(params, value, spec, given, key), begun, moment
    )
    factor, utility_on, closed, city_event = effective(params, begun.slice)
    return begun.slice, Shocks(
        price_factor=factor,
        utility_on=utility_on,
        closed=closed,
        city_event=city_event,
        started=started,
        ended=ended,
        relocated=begun.relocated,
    )


@arrays.unit
def effective(
    params: Params, perturbations: Perturbations
) -> tuple[Float[Array, "P"], Bool[Array, "U"], Bool[Array, "O"], Bool[Array, ""]]:
    """Return price factors, working utilities, closed objects and "a city event runs", from the active events."""
    specs = params.perturbation
    active = is_active(perturbations)
    spiking = (active & (specs.kind == Perturb.PRICE_SPIKE))[:, None] & specs.price_mask
    factor = jnp.ones_like(params.economy.price)
    for v in range(active.shape[0]):
        factor = factor * jnp.where(spiking[v], perturbations.magnitude[v], 1.0)
    dark = active & ((specs.kind == Perturb.BLACKOUT) | (specs.kind == Perturb.OUTAGE))
    utilities = jnp.arange(params.affordances.utility.shape[1], dtype=jnp.int32)
    utility_on = ~jnp.any(dark[None, :] & (specs.utility[None, :] == utilities[:, None]), axis=-1)
    closing = active & (specs.kind == Perturb.QUEUE_BOTTLENECK) & (perturbations.object != NOBODY)
    closed = jnp.zeros(params.world.present.shape[0], bool)
    closed = closed.at[arrays.drop_unless(closing, perturbations.object)].set(True, mode="drop")
    return factor, utility_on, closed, jnp.any(active & specs.is_city_event)


def clear(perturbations: Perturbations, *, gone: Bool[Array, "A"]) -> Perturbations:
    """Forget agents that left."""

    def dismiss(member: Bool[Array, "V A"], who: Bool[Array, "A"]) -> Bool[Array, "V A"]:
        return member & ~who[None, :]

    return perturbations.replace(
        member=arrays.only_if(jnp.any(gone), dismiss, perturbations.member, gone),
        agent_cooldown_until=jnp.where(gone, 0, perturbations.agent_cooldown_until),
    )


def _end(
    specs: PerturbationParams, perturbations: Perturbations, tick: Int[Array, ""]
) -> tuple[Perturbations, Bool[Array, "V"]]:
    over = is_active(perturbations) & (perturbations.until_tick <= tick)
    quiet = jnp.max(jnp.where(over & specs.is_city_event, perturbations.until_tick + specs.grace_window_ticks, 0))

    def dismiss(member: Bool[Array, "V A"], specs: Bool[Array, "V"]) -> Bool[Array, "V A"]:
        return member & ~specs[:, None]

    return perturbations.replace(
        until_tick=jnp.where(over, NEVER, perturbations.until_tick),
        object=jnp.where(over, NOBODY, perturbations.object),
        member=arrays.only_if(jnp.any(over), dismiss, perturbations.member, over),
        magnitude=jnp.where(over, 1.0, perturbations.magnitude),
        quiet_until=jnp.maximum(perturbations.quiet_until, quiet),
    ), over


def _candidates(
    perturbations: Perturbations, guests: Guests, tick: Int[Array, ""]
) -> tuple[Bool[Array, "A"], Bool[Array, "A"]]:
    """Return who may be called to a meet, and who of these may be called to one that spares the busy."""
    rested = guests.alive & (tick >= perturbations.agent_cooldown_until)
    at_work = (guests.phase == Phase.AWAIT) | (guests.phase == Phase.ON_TIME) | (guests.phase == Phase.LATE)
    return rested, rested & ~guests.busy & ~at_work


def _fire(params: Params, perturbations: Perturbations, moment: _Moment, key: Key[Array, ""]) -> Bool[Array, "V"]:
    """Random starts: the first `capacity` eligible specs in index order. A queued operator start blocks its spec."""
    specs = params.perturbation
    capacity = specs.max_concurrent - arrays.count(is_active(perturbations) | moment.due)
    chance = jnp.minimum(1.0, specs.prob_per_day / params.clock.ticks_per_day.astype(jnp.float32))
    recent = (perturbations.fired_tick != NEVER) & (perturbations.fired_tick > moment.tick - specs.window_ticks)
    within_limit = (specs.max_events_per_window == 0) | (arrays.count(recent) < specs.max_events_per_window)
    has_guests = jnp.where(specs.spare_busy, arrays.count(moment.free), arrays.count(moment.rested)) >= 2
    has_target = jnp.any(_bottleneck_targets(params), axis=-1)
    possible = jnp.where(specs.kind == Perturb.ARRANGED_MEET, has_guests, True)
    possible = jnp.where(specs.kind == Perturb.QUEUE_BOTTLENECK, has_target, possible)
    stream = rng.stream(key, moment.tick, Stream.PERTURB)
    unit = arrays.settled(rng.uniform_column(stream, specs.kind.shape[0], _COLUMNS, _FIRE))
    eligible = arrays.settled(
        ~is_active(perturbations)
        & (perturbations.queued_tick == NEVER)
        & (moment.tick >= perturbations.cooldown_until)
        & within_limit
        & (specs.prob_per_day > 0)
        & (unit < chance)
        & possible
    )
    return eligible & (arrays.rank(eligible) < capacity)


def _bottleneck_targets(params: Params) -> Bool[Array, "V O"]:
    """Objects a bottleneck spec may close when no operator names one."""
    specs, world = params.perturbation, params.world
    fixed = specs.fixed_object[:, None]
    of_type = world.object_type[None, :] == specs.bottleneck_type[:, None]
    chosen = jnp.where(fixed == NOBODY, of_type, arrays.indices(world.present)[None, :] == fixed)
    return chosen & world.present[None, :]


def _start(params: Params, begun: _Begun, spec: Int[Array, ""], moment: _Moment, key: Key[Array, ""]) -> _Begun:
    """Start one spec (steps 4 and 5); what an operator queued wins over what is drawn."""
    specs, was, tick = params.perturbation, begun.slice, moment.tick
    due = moment.due[spec]
    unit = rng.uniform_row(rng.stream(key, tick, Stream.PERTURB), spec, _COLUMNS)
    drawn_ticks = rng.uniform_integer(unit[_DURATION], specs.duration_min[spec], specs.duration_max[spec])
    ticks = jnp.where(due & (was.queued_ticks[spec] >= 0), was.queued_ticks[spec], drawn_ticks)
    until = tick + jnp.maximum(1, ticks)
    member = _members(params, was, spec, moment, key) & (specs.kind[spec] == Perturb.ARRANGED_MEET)
    rested = jnp.where(member, until + specs.agent_cooldown_ticks, 0)
    cooldown = until + specs.cooldown_ticks[spec] + specs.global_cooldown_ticks
    fired = jnp.concatenate([tick[None], was.fired_tick[spec, :-1]])
    return _Begun(
        slice=was.replace(
            until_tick=was.until_tick.at[spec].set(until),
            started_tick=was.started_tick.at[spec].set(tick),
            magnitude=was.magnitude.at[spec].set(_magnitude(specs, was, spec, due, unit[_MAGNITUDE])),
            object=was.object.at[spec].set(_closed_object(params, was, spec, due, unit[_PICK])),
            member=was.member.at[spec].set(member),
            cooldown_until=was.cooldown_until.at[spec].set(cooldown),
            agent_cooldown_until=jnp.maximum(was.agent_cooldown_until, rested),
            fired_tick=was.fired_tick.at[spec].set(fired),
            queued_tick=was.queued_tick.at[spec].set(NEVER),
            queued_ticks=was.queued_ticks.at[spec].set(-1),
            queued_magnitude=was.queued_magnitude.at[spec].set(-1.0),
        ),
        relocated=jnp.where(member & (begun.relocated == NOBODY), spec, begun.relocated),
    )


def _magnitude(
    specs: PerturbationParams,
    was: Perturbations,
    spec: Int[Array, ""],
    due: Bool[Array, ""],
    unit: Float[Array, ""],
) -> Float[Array, ""]:
    low, high = specs.magnitude_min[spec], specs.magnitude_max[spec]
    ordered = due & (was.queued_magnitude[spec] >= 0)
    value = jnp.where(ordered, was.queued_magnitude[spec], low + (high - low) * unit)
    return jnp.where(specs.kind[spec] == Perturb.PRICE_SPIKE, value, 1.0)


def _closed_object(
    params: Params, was: Perturbations, spec: Int[Array, ""], due: Bool[Array, ""], unit: Float[Array, ""]
) -> Int[Array, ""]:
    all_targets = _bottleneck_targets(params)
    order = jnp.cumsum(all_targets, axis=-1, dtype=jnp.int32)[spec]  # from 1, in index order
    targets = all_targets[spec]
    amount = arrays.count(targets)
    pick = jnp.minimum(jnp.floor(unit * amount.astype(jnp.float32)).astype(jnp.int32), amount - 1)
    drawn = arrays.first_true(targets & (order == pick + 1))
    value = jnp.where(due & (was.object[spec] != NOBODY), was.object[spec], drawn)
    return jnp.where(params.perturbation.kind[spec] == Perturb.QUEUE_BOTTLENECK, value, NOBODY)


def _members(
    params: Params, was: Perturbations, spec: Int[Array, ""], moment: _Moment, key: Key[Array, ""]
) -> Bool[Array, "A"]:
    """Participants of a meet: whom the operator named, else rivals or a random group among the candidates."""
    specs = params.perturbation
    named = was.member[spec] & moment.due[spec]
    candidates = jnp.where(specs.spare_busy[spec], moment.free, moment.rested)
    stream = rng.stream(key, moment.tick, Stream.AGENT)
    order = rng.uniform_column(stream, candidates.shape[0], _AGENT_COLUMNS, _MEET_ORDER)
    random = candidates & (_place(-order, candidates) < specs.max_participants[spec])
    rivals = _rivals(candidates, moment.rivalry, specs.max_participants[spec])
    drawn = jnp.where(specs.meet_target[spec] == MeetTarget.RANDOM, random, rivals)
    drawn = drawn & (arrays.count(candidates) >= 2)
    return jnp.where(jnp.any(named), named & moment.alive, drawn)


def _rivals(candidates: Bool[Array, "A"], rivalry: Float[Array, "A A"], most: Int[Array, ""]) -> Bool[Array, "A"]:
    """The pair with the most mutual rivalry, then those with the most rivalry toward the pair."""
    num_agents = candidates.shape[0]
    mutual = rivalry + rivalry.T
    slots = arrays.indices(candidates)
    pairs = candidates[:, None] & candidates[None, :] & (slots[:, None] < slots[None, :])
    best = jnp.maximum(arrays.first_max(mutual.reshape(-1), pairs.reshape(-1)), 0)
    first, second = best // num_agents, best % num_agents
    pair = (slots == first) | (slots == second)
    rest = candidates & ~pair
    return pair | (rest & (_place(mutual[first] + mutual[second], rest) < most - 2))


def _place(score: Float[Array, "A"], mask: Bool[Array, "A"]) -> Int[Array, "A"]:
    """Place of each masked entry by descending score, ties to the lowest slot."""
    keys, slots = arrays.sortable(score), arrays.indices(mask)
    ahead = (keys[None, :] > keys[:, None]) | ((keys[None, :] == keys[:, None]) & (slots[None, :] < slots[:, None]))
    return arrays.count(mask[None, :] & ahead)
