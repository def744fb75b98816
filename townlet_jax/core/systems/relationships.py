"""Chats and ties (MECHANICS 4.2.7, 4.4.7, 8.3). Owns `state.ties`.

Events are kept as who-to-whom columns and become [A, A] matrices only inside the one elementwise pass that
applies them, so that XLA fuses the whole update.
"""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core import arrays, choose, personality, rng
from townlet_jax.core.enums import NEVER, NOBODY, Behaviour, Kind, Reason, Stream, TieEvent, Trait
from townlet_jax.core.outcomes import Chats, Conflicts, Handovers, Shifts, TieChanges
from townlet_jax.core.params import Params
from townlet_jax.core.state import Activities, Roster, Ties
from townlet_jax.core.struct import Pytree

_CHAT_COLUMN, _AGENT_COLUMNS = 0, 4  # of the AGENT draw
_TRUST, _FAMILIARITY, _RIVALRY = range(3)
_WARMTH = 0.02  # familiarity an ok chat gains per unit of extroversion
_TEMPER = 0.3  # share of a conflict's rivalry added per unit of ambition


def chat(
    params: Params,
    ties: Ties,
    *,
    kind: Int[Array, "A"],
    target: Int[Array, "A"],
    quality: Float[Array, "A"],
    roster: Roster,
    activities: Activities,
    tick: Int[Array, ""],
    key: Key[Array, ""],
) -> tuple[Ties, Chats, Int[Array, "A"]]:
    """Let agents talk (4.2.7); also return the reason of each refused chat."""
    slots = arrays.indices(target)
    speaks = kind == Kind.CHAT
    other = jnp.clip(target, 0, slots.shape[0] - 1)
    trust, familiarity, rivalry = ties.trust[slots, other], ties.familiarity[slots, other], ties.rivalry[slots, other]
    asleep = choose.asleep(params, activities)
    far = choose.chebyshev(roster.position, roster.position[other]) > params.chat.range
    reason = jnp.where(choose.avoids_one(params, roster.profile, rivalry), Reason.AVOIDED, Reason.NONE)
    reason = jnp.where(far, Reason.OUT_OF_RANGE, reason)
    reason = jnp.where(tick < ties.chat_ready_tick, Reason.CHAT_COOLDOWN, reason)
    reason = jnp.where(asleep | asleep[other], Reason.ASLEEP, reason)
    reason = jnp.where(~roster.alive[other] | (target == slots), Reason.NO_TARGET, reason)
    reason = jnp.where(speaks, reason, Reason.NONE)
    attempted = speaks & (reason == Reason.NONE)
    forced = params.chat.refused_is_failure & ((reason == Reason.OUT_OF_RANGE) | (reason == Reason.AVOIDED))
    draw = rng.uniform_column(rng.stream(key, tick, Stream.AGENT), slots.shape[0], _AGENT_COLUMNS, _CHAT_COLUMN)
    chance = params.chat.base * (1 + params.chat.trust_coefficient * trust)
    chance = chance * (1 + params.chat.familiarity_coefficient * familiarity)
    ok = attempted & (draw < jnp.clip(chance, 0.0, 1.0))
    preference = personality.behaviour(params.personality, roster.profile, Behaviour.CHAT_PREFERENCE)
    extroversion = personality.traits(params.personality, roster.profile)[:, Trait.EXTROVERSION]
    formula = 0.5 + 0.3 * extroversion + 0.2 * trust + 0.1 * familiarity - 0.2 * rivalry
    formula = jnp.clip(formula * jnp.clip(preference, 0.5, 1.5), 0.1, 1.0)
    quality = jnp.where(quality >= 0, jnp.clip(quality, 0.0, 1.0), formula)
    pause = jnp.rint(params.chat.cooldown_ticks.astype(jnp.float32) / preference).astype(jnp.int32)
    pause = jnp.where(params.chat.cooldown_ticks == 0, 0, jnp.maximum(1, pause))
    chats = Chats(
        listener=jnp.where(attempted | forced, target, NOBODY),
        ok=ok,
        quality=jnp.where(ok, quality, 0.0),
        forced_failure=forced,
    )
    ready = jnp.where(attempted, tick + pause, ties.chat_ready_tick)
    return ties.replace(chat_ready_tick=ready), chats, reason


def shared_meals(
    params: Params, ties: Ties, *, meals: Bool[Array, "A"], roster: Roster, tick: Int[Array, ""]
) -> Bool[Array, "A A"]:
    """Tell which unordered pairs (upper triangle) shared a meal: both ate within `shared_meal_ticks`, close by."""
    window = params.ties.shared_meal_ticks
    recent = (ties.last_meal_tick != NEVER) & (tick - ties.last_meal_tick <= window)
    ate = meals | recent
    pair = (meals[:, None] & ate[None, :]) | (ate[:, None] & meals[None, :])
    slots = arrays.indices(meals)
    near = choose.pairwise(roster.position) <= params.ties.shared_meal_range
    alive = roster.alive[:, None] & roster.alive[None, :]
    return (window >= 0) & pair & near & alive & (slots[:, None] < slots[None, :])


def live(
    params: Params,
    ties: Ties,
    *,
    roster: Roster,
    meals: Bool[Array, "A"],
    chats: Chats,
    handovers: Handovers,
    conflicts: Conflicts,
    shifts: Shifts,
    tick: Int[Array, ""],
) -> tuple[Ties, TieChanges]:
    """Apply the tick's events, prune rows to `max_edges`, decay (4.4.7)."""
    shared = shared_meals(params, ties, meals=meals, roster=roster, tick=tick)
    deltas = _deltas(params, roster, chats, handovers, conflicts, shifts, shared)
    both = roster.alive[:, None] & roster.alive[None, :]
    slots = arrays.indices(roster.alive)
    both = both & (slots[:, None] != slots[None, :])
    trust = jnp.where(both, jnp.clip(ties.trust + deltas[_TRUST], -1.0, 1.0), 0.0)
    familiarity = jnp.where(both, jnp.clip(ties.familiarity + deltas[_FAMILIARITY], -1.0, 1.0), 0.0)
    rivalry = jnp.where(both, jnp.clip(ties.rivalry + deltas[_RIVALRY], 0.0, 1.0), 0.0)
    evicted = _evict(trust, familiarity, rivalry, params.conflict.max_edges)
    kept = _known(trust, familiarity, rivalry) & ~evicted
    trust = _toward_zero(jnp.where(evicted, 0.0, trust), params.ties.trust_decay)
    familiarity = _toward_zero(jnp.where(evicted, 0.0, familiarity), params.ties.familiarity_decay)
    rivalry = jnp.maximum(0.0, jnp.where(evicted, 0.0, rivalry) - params.conflict.rivalry_decay)
    known = _known(trust, familiarity, rivalry)
    changes = TieChanges(
        trust_delta=trust - ties.trust,
        familiarity_delta=familiarity - ties.familiarity,
        rivalry_delta=rivalry - ties.rivalry,
        added=kept & ~_known(ties.trust, ties.familiarity, ties.rivalry),
        evicted=evicted,
        faded=kept & ~known,
        shared_meal=shared,
    )
    return ties.replace(
        trust=trust,
        familiarity=familiarity,
        rivalry=rivalry,
        last_meal_tick=jnp.where(meals, tick, ties.last_meal_tick),
    ), changes


def _toward_zero(x: Float[Array, "A A"], decay: Float[Array, ""]) -> Float[Array, "A A"]:
    return jnp.where(x > 0, jnp.maximum(0.0, x - decay), jnp.minimum(0.0, x + decay))


def _known(
    trust: Float[Array, "A A"], familiarity: Float[Array, "A A"], rivalry: Float[Array, "A A"]
) -> Bool[Array, "A A"]:
    return (trust != 0) | (familiarity != 0) | (rivalry != 0)


def _evict(
    trust: Float[Array, "A A"], familiarity: Float[Array, "A A"], rivalry: Float[Array, "A A"], most: Int[Array, ""]
) -> Bool[Array, "A A"]:
    """Mark the weakest ties of rows that know more than `most`; ties in strength lose the highest slot first."""
    known = _known(trust, familiarity, rivalry)
    nothing = jnp.zeros_like(known)

    def weakest(evicted: Bool[Array, "A A"]) -> Bool[Array, "A A"]:
        strength = arrays.sortable(jnp.abs(trust) + jnp.abs(familiarity) + rivalry)
        places = jnp.arange(known.shape[1], dtype=jnp.int32)
        left = known & ~evicted
        low = jnp.min(jnp.where(left, strength, jnp.iinfo(jnp.int32).max), axis=-1, keepdims=True)
        last = jnp.max(jnp.where(left & (strength == low), places, NOBODY), axis=-1, keepdims=True)
        return evicted | ((arrays.count(left) > most)[:, None] & (places == last))

    excess = jnp.max(arrays.count(known)) - most
    rounds = jnp.arange(known.shape[0], dtype=jnp.int32) < excess
    return arrays.while_pending(rounds, lambda _, evicted: weakest(evicted), nothing)


def _deltas(
    params: Params,
    roster: Roster,
    chats: Chats,
    handovers: Handovers,
    conflicts: Conflicts,
    shifts: Shifts,
    shared: Bool[Array, "A A"],
) -> tuple[Float[Array, "A A"], Float[Array, "A A"], Float[Array, "A A"]]:
    """Sum the tick's deltas of trust, familiarity, rivalry for each ordered pair, personality included."""
    owner = _owner(params, roster)
    one = jnp.ones(roster.alive.shape[0], jnp.float32)
    talk = jnp.where(chats.ok, chats.listener, NOBODY)
    failed = jnp.where(chats.ok, NOBODY, chats.listener)
    increment = params.conflict.increment
    columns = (
        (TieEvent.CHAT_SUCCESS, talk, chats.quality),
        (TieEvent.CHAT_FAILURE, failed, one),
        (TieEvent.QUEUE_POLITE, handovers.successor, one),
        (TieEvent.CONFLICT, conflicts.rival_ghost, increment * conflicts.intensity_ghost),
        (TieEvent.CONFLICT, conflicts.rival_wait, increment * conflicts.intensity_wait),
    )
    matrices = (
        (TieEvent.SHARED_MEAL, shared),
        (TieEvent.EMPLOYMENT_HELP, shifts.helped),
        (TieEvent.SHIFT_TAKEN, shifts.took_shift),
    )

    def channel(which: int) -> Float[Array, "A A"]:
        terms = [
            _to_each_other(owner, other, strength * params.ties.delta[event, which], event, which)
            for event, other, strength in columns
        ]
        for event, pairs in matrices:
            delta = _modify(owner, params.ties.delta[event, which][None, None], event, which)
            terms += [jnp.where(pairs, delta, 0.0), jnp.where(pairs.T, delta, 0.0)]
        return functools.reduce(jnp.add, terms)

    return channel(_TRUST), channel(_FAMILIARITY), channel(_RIVALRY)


class _Owner(Pytree):
    """What the owner of a tie makes of events, as columns (row = owner)."""

    soften: Float[Array, "A 1"]  # factor of losses
    warmth: Float[Array, "A 1"]  # familiarity added to a good chat
    temper: Float[Array, "A 1"]  # factor of a conflict's rivalry


def _owner(params: Params, roster: Roster) -> _Owner:
    live = jnp.where(params.personality.modify_ties, params.personality.trait, 0.0)[roster.profile]
    forgiveness = live[:, Trait.FORGIVENESS, None]
    return _Owner(
        soften=jnp.where(forgiveness >= 0, 1 - 0.5 * forgiveness, 1 + 0.5 * jnp.abs(forgiveness)),
        warmth=_WARMTH * live[:, Trait.EXTROVERSION, None],
        temper=jnp.maximum(0.0, 1 + _TEMPER * live[:, Trait.AMBITION, None]),
    )


def _to_each_other(
    owner: _Owner, other: Int[Array, "A"], delta: Float[Array, "A"], event: TieEvent, channel: int
) -> Float[Array, "A A"]:
    """Put delta[a] at (a, other[a]) and at (other[a], a), each as its owner takes it."""
    slots = arrays.indices(other)
    to = other[:, None] == slots[None, :]
    fro = slots[:, None] == other[None, :]
    mine = jnp.where(to, _modify(owner, delta[:, None], event, channel), 0.0)
    return mine + jnp.where(fro, _modify(owner, delta[None, :], event, channel), 0.0)


def _modify(owner: _Owner, delta: Float[Array, "a b"], event: TieEvent, channel: int) -> Float[Array, "A b"]:
    """Pass single deltas through the owner's personality (8.3)."""
    value = jnp.where(delta < 0, delta * owner.soften, delta)
    if event is TieEvent.CHAT_SUCCESS and channel == _FAMILIARITY:
        value = value + owner.warmth
    if event is TieEvent.CONFLICT and channel == _RIVALRY:
        value = jnp.where(value > 0, value * owner.temper, value)
    return jnp.clip(value, -1.0, 1.0)


def clear(ties: Ties, *, gone: Bool[Array, "A"]) -> Ties:
    """Forget those that left, rows and columns."""
    either = gone[:, None] | gone[None, :]

    def forget(matrices: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        trust, familiarity, rivalry = (jnp.where(either, 0.0, matrix) for matrix in matrices)
        return trust, familiarity, rivalry

    trust, familiarity, rivalry = arrays.only_if(
        jnp.any(gone), forget, (ties.trust, ties.familiarity, ties.rivalry)
    )
    return Ties(
        trust=trust,
        familiarity=familiarity,
        rivalry=rivalry,
        chat_ready_tick=jnp.where(gone, 0, ties.chat_ready_tick),
        last_meal_tick=jnp.where(gone, NEVER, ties.last_meal_tick),
    )
