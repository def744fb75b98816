"""The numbers every agent sees, in the order of `observe.layout` (MECHANICS 6.1, 6.2, 6.5)."""

import hashlib
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core import arrays, choose, personality
from townlet_jax.core.enums import NEVER, NOBODY, Counter, Direction, Kind, Option, Phase, ShiftFlag
from townlet_jax.core.observe import layout, maps, social
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.core.systems import economy, employment, perturbations, queues

KIND_HASH = tuple(
    int.from_bytes(hashlib.blake2s(kind.name.lower().encode()).digest()[:4], "little") / 2**32 for kind in Kind
)
Columns = list[Shaped[Array, "A"] | Shaped[Array, "A n"]]


@arrays.unit
def features(
    spec: Spec,
    params: Params,
    seen: TownState,
    around: maps.Surroundings,
    *,
    resets: Bool[Array, "A"],
    option: Int[Array, "A"],
) -> Float[Array, "A D"]:
    """Return the features of all agents; those of vacant slots are zero."""
    avoids = choose.avoids(params, seen.roster.profile, seen.ties.rivalry)
    tick_of_day = seen.clock.tick % params.clock.ticks_per_day
    columns = [
        *_self(params, seen, avoids, tick_of_day=tick_of_day, resets=resets, num_slots=spec.embedding_slots),
        *_hint(params, seen),
        *_neighbours(spec, params, seen, around),
    ]
    if spec.landmarks:
        columns += _landmarks(params, seen)
    if spec.personality_channels:
        columns.append(personality.traits(params.personality, seen.roster.profile))
    columns += _company(spec, params, seen)
    if spec.extended_features:
        columns += _work_and_rest(params, seen, avoids, tick_of_day=tick_of_day)
        columns += _town(params, seen)
    if spec.action_space == "options":
        columns.append(_one_hot(option, range(len(Option))))
    alive = seen.roster.alive[:, None]
    wide = (column if column.ndim == 2 else column[:, None] for column in columns)
    return jnp.concatenate([jnp.where(alive, column.astype(jnp.float32), 0.0) for column in wide], axis=1)


def norm(params: Params, value: Float[Array, "A"] | Int[Array, "A"], scale: Float[Array, ""]) -> Float[Array, "A"]:
    """Return clip(value / scale, ±feature_clip)."""
    clip = params.observation.feature_clip
    return jnp.clip(share(value, scale), -clip, clip)


def share(value: Shaped[Array, "*n"], whole: Shaped[Array, ""]) -> Float[Array, "*n"]:
    """Return value / whole, by a reciprocal taken once: so a town gives the same bits alone and in a batch."""
    return value.astype(jnp.float32) * arrays.settled(1.0 / whole.astype(jnp.float32))


def _one_hot(code: Int[Array, "A"], codes: range | tuple[int, ...]) -> Float[Array, "A n"]:
    return (code[:, None] == jnp.asarray(codes, jnp.int32)).astype(jnp.float32)


def _self(
    params: Params,
    seen: TownState,
    avoids: Bool[Array, "A A"],
    *,
    tick_of_day: Int[Array, ""],
    resets: Bool[Array, "A"],
    num_slots: int,
) -> Columns:
    """Return features 0-24: needs, purse, work, time, identity, rivals, the last action, engagement."""
    scales, roster, jobs, tally = params.observation, seen.roster, seen.employment, seen.tally
    angle = arrays.settled(share(tick_of_day, params.clock.ticks_per_day.astype(jnp.float32) / (2 * math.pi)))
    everybody = jnp.ones(roster.alive.shape, jnp.float32)
    shown = _one_hot(jobs.phase, layout.SHOWN_PHASES)
    before = (jobs.phase == Phase.IDLE) | (jobs.phase == Phase.AWAIT)
    slot = seen.embeddings.slot
    acted = roster.last_ticks > 0
    return [
        seen.needs.level,
        norm(params, seen.economy.wallet, scales.wallet_scale),
        norm(params, tally.count[:, Counter.LATE_SHIFTS], scales.count_scale),
        arrays.has_bit(jobs.flags, ShiftFlag.ON_SHIFT),
        jnp.sin(angle) * everybody,
        jnp.cos(angle) * everybody,
        employment.attendance_ratio(jobs),
        norm(params, tally.withheld, scales.withheld_scale),
        before,
        shown,
        jnp.where(slot == NOBODY, 0.0, slot.astype(jnp.float32) / num_slots),
        resets,
        jnp.clip(share(seen.clock.episode_tick, params.clock.ticks_per_day), 0.0, 1.0),
        _largest(seen.ties.rivalry),
        norm(params, arrays.count(avoids), scales.count_scale),
        jnp.where(acted, arrays.take(jnp.asarray(KIND_HASH, jnp.float32), roster.last_kind, 0.0), 0.0),
        roster.last_ok,
        norm(params, roster.last_ticks, scales.ticks_scale),
        seen.queues.holding != NOBODY,
        seen.queues.waiting != NOBODY,
    ]


def _largest(values: Float[Array, "A n"]) -> Float[Array, "A"]:
    """Return the largest of each row of values >= 0, compared as the integers they are stored as."""
    bits = jax.lax.bitcast_convert_type(values, jnp.int32)
    return jax.lax.bitcast_convert_type(jnp.max(bits, axis=-1), jnp.float32)


def _at(table: Shaped[Array, "H C *n"], seen: TownState) -> Shaped[Array, "A *n"]:
    return table[seen.roster.position[:, 1], seen.roster.position[:, 0]]


def _hint(params: Params, seen: TownState) -> Columns:
    """Return features 25-28: the way towards what serves the lowest need, ties to the first need."""
    hints = _at(params.observation.hint, seen)
    lowest = arrays.first_max(-seen.needs.level, jnp.ones(seen.needs.level.shape, bool))
    return [jnp.take_along_axis(hints, lowest[:, None, None], axis=1)[:, 0]]


def _neighbours(spec: Spec, params: Params, seen: TownState, around: maps.Surroundings) -> Columns:
    """Return features 29-32: how crowded the window is."""
    side = layout.window(spec)
    radius, tiles = (side - 1) // 2, side * side
    slots = arrays.indices(around.person)
    near = maps.within(around.offset, radius) & around.person[None, :] & (slots[None, :] != slots[:, None])
    squared = around.offset[..., 0] ** 2 + around.offset[..., 1] ** 2
    closest = jnp.min(jnp.where(near & (squared > 0), squared, arrays.LARGEST), axis=-1)
    distance = jnp.sqrt(closest.astype(jnp.float32)) / radius
    taken = arrays.count(maps.within(around.held, radius) & around.holds[None, :])
    return [
        jnp.minimum(arrays.count(near).astype(jnp.float32) / (tiles - 1), 1.0),
        jnp.minimum(_at(params.observation.objects_near, seen).astype(jnp.float32) / tiles, 1.0),
        taken.astype(jnp.float32) / tiles,
        jnp.where(closest == arrays.LARGEST, 0.0, jnp.clip(distance, 0.0, 1.0)),
    ]


def _landmarks(params: Params, seen: TownState) -> Columns:
    """Return direction and distance of the nearest fridge, stove, bed and shower."""
    found = _at(params.observation.landmark, seen)
    clip = params.observation.feature_clip
    distance = jnp.clip(share(found[..., 2:], params.observation.distance_scale), -clip, clip)
    return [jnp.concatenate([found[..., :2], distance], axis=-1).reshape(found.shape[0], -1)]


def _company(spec: Spec, params: Params, seen: TownState) -> Columns:
    """Return the social slots and their aggregates over the filled ones."""
    company = social.company(seen.ties, top_friends=spec.top_friends, top_rivals=spec.top_rivals)
    slots = company.who.shape[1]
    identity = arrays.take(params.observation.identity, seen.embeddings.slot, 0.0)
    columns: Columns = []
    for place in range(slots):
        columns.append(arrays.take(identity, company.who[:, place], 0.0))
        columns += [company.trust[:, place], company.familiarity[:, place], company.rivalry[:, place]]
    if spec.aggregates:
        filled = company.who != NOBODY
        amount = jnp.maximum(arrays.count(filled), 1).astype(jnp.float32)
        trust = arrays.sortable(jnp.where(filled, company.trust, -2.0))
        best = jnp.max(trust, axis=-1, keepdims=True)
        columns += [
            arrays.total(company.trust) / amount,
            jnp.where(jnp.any(filled, axis=-1), _chosen(company.trust, trust == best), 0.0),
            arrays.total(company.rivalry) / amount,
            _largest(company.rivalry),
        ]
    return columns


def _chosen(values: Float[Array, "A slots"], mask: Bool[Array, "A slots"]) -> Float[Array, "A"]:
    return jnp.take_along_axis(values, jnp.maximum(arrays.first_true(mask), 0)[:, None], axis=1)[:, 0]


def _work_and_rest(
    params: Params, seen: TownState, avoids: Bool[Array, "A A"], *, tick_of_day: Int[Array, ""]
) -> Columns:
    """Return features 96-115: what the agent is doing, its queue, its shift, the ways to work and home."""
    scales, running, lines = params.observation, seen.activities, seen.queues
    engaged = queues.engaged_object(lines)
    slots = arrays.indices(engaged)
    together = (engaged[None, :] == engaged[:, None]) & (engaged != NOBODY)[:, None]
    rival_there = jnp.any(together & avoids & (slots[None, :] != slots[:, None]), axis=-1)
    num_agents = engaged.shape[0]
    place = (queues.places(lines) + 1).astype(jnp.float32) / num_agents
    table = employment.timetable(params, seen.employment, tick_of_day=tick_of_day)
    is_open = table.has_job & (seen.employment.shift_start_tick != NEVER) & (table.since < table.length)
    per_day = params.clock.ticks_per_day
    sites, homes = params.world.tile.shape[0], params.world.tile.shape[0] + params.world.site_tile.shape[0]
    return [
        table.has_job,
        choose.busy(running),
        norm(params, running.remaining, scales.ticks_scale),
        choose.asleep(params, running),
        seen.clock.tick + 1 >= seen.ties.chat_ready_tick,
        rival_there,
        jnp.where(lines.waiting != NOBODY, place, 0.0),
        share(seen.economy.unpaid_days, jnp.maximum(params.economy.max_unpaid_days, 1)),
        jnp.where(table.has_job & ~is_open, share(table.until, per_day), 0.0),
        jnp.where(is_open, share(table.length - 1 - table.since, per_day), 0.0),
        *_way(params, seen, jnp.where(table.has_job, sites + table.row, NOBODY)),
        *_way(params, seen, homes + seen.roster.home),
    ]


def _way(params: Params, seen: TownState, target: Int[Array, "A"]) -> Columns:
    """Return the one-hot next step towards a route target and the distance; zeros there and where there is no way."""
    x, y = seen.roster.position[:, 0], seen.roster.position[:, 1]
    row = jnp.maximum(target, 0)
    direction = jnp.where(target == NOBODY, NOBODY, params.routes.direction[row, y, x].astype(jnp.int32))
    steps = jnp.where(target == NOBODY, 0, jnp.maximum(params.routes.steps[row, y, x].astype(jnp.int32), 0))
    return [_one_hot(direction, range(len(Direction))), norm(params, steps, params.observation.distance_scale)]


def _town(params: Params, seen: TownState) -> Columns:
    """Return features 116-119: utilities, prices, and how near the agent is to fainting."""
    factor, utility_on, _, _ = perturbations.effective(params, seen.perturbations)
    usual = economy.basket_cost(params.economy, seen.controls.price)
    now = economy.basket_cost(params.economy, seen.controls.price * factor)
    level = jnp.where(usual > 0, now / jnp.where(usual > 0, usual, 1.0) - 1.0, 0.0)
    everybody = jnp.ones(seen.roster.alive.shape, jnp.float32)
    shown = [arrays.take(utility_on, index, True) for index in params.observation.utility_shown]
    return [
        *(works.astype(jnp.float32) * everybody for works in shown),
        level * everybody,
        share(seen.lifecycle.faint_streak, jnp.maximum(params.lifecycle.faint_ticks, 1)),
    ]
