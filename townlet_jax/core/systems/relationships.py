"""Chats and ties (MECHANICS 4.2.7, 4.4.7, 8.3). Owns `state.ties`.

Events are kept as who-to-whom columns and become [A, A] matrices only inside the one elementwise pass that
applies them, so that XLA fuses the whole update.
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core import arrays, choose, personality, rng
from townlet_jax.core.enums import NEVER, NOBODY, Behaviour, Kind, Reason, Stream, TieEvent, Trait
from townlet_jax.core.outcomes import Chats, Conflicts, Handovers, Shifts, TieChanges
from townlet_jax.core.params import Params
from townlet_jax.core.personality import Temperament
from townlet_jax.core.state import Activities, Roster, Ties
from townlet_jax.core.struct import Pytree

_CHAT_COLUMN, _AGENT_COLUMNS = 0, 4  # of the AGENT draw
Given = TypeVar("Given")
_TRUST, _FAMILIARITY, _RIVALRY = range(3)


@arrays.unit
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
    reason = arrays.settled(jnp.where(speaks, reason, Reason.NONE))
    attempted = arrays.settled(speaks & (reason == Reason.NONE))
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
    shared, groups = _groups(params, ties, roster=roster, meals=meals, shifts=shifts, tick=tick)
    talk = _talk(params, chats, roster.profile)
    met = jnp.maximum(handovers.successor, jnp.maximum(conflicts.rival_ghost, conflicts.rival_wait))
    met_over = (handovers.successor, conflicts, roster.profile)
    quarrel = _if_any(met, lambda given: _quarrel(params, *given), met_over)
    events = (talk, quarrel, groups)
    kept, known_before_decay = _apply(params, ties, events)
    kept, evicted = _prune(params, ties, events, kept, known_before_decay)
    after = ties.replace(
        trust=kept.trust,
        familiarity=kept.familiarity,
        rivalry=kept.rivalry,
        last_meal_tick=jnp.where(meals, tick, ties.last_meal_tick),
    )
    known, was_known = _known(kept), _known(ties)
    return after, TieChanges(
        trust_delta=kept.trust - ties.trust,
        familiarity_delta=kept.familiarity - ties.familiarity,
        rivalry_delta=kept.rivalry - ties.rivalry,
        added=known & ~was_known,
        evicted=evicted,
        faded=was_known & ~known & ~evicted,
        shared_meal=shared,
    )


class _Bonds(Pytree):
    """The three channels of every ordered pair: values, or what is added to them."""

    trust: Float[Array, "A A"]
    familiarity: Float[Array, "A A"]
    rivalry: Float[Array, "A A"]


class _Event(Pytree):
    """One event an agent had with another: what it does to (a, other[a]) and to (other[a], a)."""

    other: Int[Array, "A"]  # NOBODY = no event
    mine: tuple[Float[Array, "A"], Float[Array, "A"], Float[Array, "A"]]  # trust, familiarity, rivalry
    theirs: tuple[Float[Array, "A"], Float[Array, "A"], Float[Array, "A"]]


def _if_any(other: Int[Array, "A"], decide: Callable[[Given], _Event], given: Given) -> _Event:
    """Decide what events do only in ticks that have some."""
    zero = jnp.zeros(other.shape, jnp.float32)
    none = _Event(other=jnp.full_like(other, NOBODY), mine=(zero,) * 3, theirs=(zero,) * 3)
    return arrays.only_if(jnp.any(other != NOBODY), lambda _, some: decide(some), none, given)


@arrays.unit
def _talk(params: Params, chats: Chats, profile: Int[Array, "A"]) -> _Event:
    """Chats, good and bad."""
    good, bad = params.ties.delta[TieEvent.CHAT_SUCCESS], params.ties.delta[TieEvent.CHAT_FAILURE]

    def taken_by(owner: Temperament) -> tuple[Array, Array, Array]:
        trust, familiarity, rivalry = (
            owner.softened(jnp.where(chats.ok, good[channel] * chats.quality, bad[channel])) for channel in range(3)
        )
        familiarity = familiarity + jnp.where(chats.ok, owner.warmth, 0.0)
        return personality.bounded(trust), personality.bounded(familiarity), personality.bounded(rivalry)

    other = jnp.clip(chats.listener, 0, profile.shape[0] - 1)
    return _Event(
        other=chats.listener,
        mine=taken_by(personality.temperament(params.personality, profile)),
        theirs=taken_by(personality.temperament(params.personality, profile[other])),
    )


@arrays.unit
def _quarrel(params: Params, successor: Int[Array, "A"], conflicts: Conflicts, profile: Int[Array, "A"]) -> _Event:
    """Polite handovers and conflicts: an agent has at most one of them in a tick, as leaver or as actor."""
    polite, clash = params.ties.delta[TieEvent.QUEUE_POLITE], params.ties.delta[TieEvent.CONFLICT]
    pushed, waited = conflicts.rival_ghost != NOBODY, conflicts.rival_wait != NOBODY
    intensity = jnp.where(pushed, conflicts.intensity_ghost, conflicts.intensity_wait)
    strength = params.conflict.increment * intensity
    is_clash = pushed | waited
    other = jnp.where(waited, conflicts.rival_wait, successor)
    other = jnp.where(pushed, conflicts.rival_ghost, other)

    def taken_by(owner: Temperament) -> tuple[Array, Array, Array]:
        trust, familiarity, rivalry = (
            owner.softened(jnp.where(is_clash, clash[channel] * strength, polite[channel])) for channel in range(3)
        )
        rivalry = jnp.where(is_clash & (rivalry > 0), rivalry * owner.temper, rivalry)
        return personality.bounded(trust), personality.bounded(familiarity), personality.bounded(rivalry)

    partner = jnp.clip(other, 0, profile.shape[0] - 1)
    return _Event(
        other=other,
        mine=taken_by(personality.temperament(params.personality, profile)),
        theirs=taken_by(personality.temperament(params.personality, profile[partner])),
    )


def _groups(
    params: Params,
    ties: Ties,
    *,
    roster: Roster,
    meals: Bool[Array, "A"],
    shifts: Shifts,
    tick: Int[Array, ""],
) -> tuple[Bool[Array, "A A"], _Bonds]:
    """Shared meals, help and taken shifts: events between many; rare, so most ticks skip them."""
    nothing = jnp.zeros_like(ties.trust)
    bonds = _Bonds(trust=nothing, familiarity=nothing, rivalry=nothing)
    needed = jnp.any(meals) | jnp.any(shifts.helped) | jnp.any(shifts.took_shift)

    def gather(_: tuple[Array, _Bonds], events: tuple[Array, Array, Array]) -> tuple[Array, _Bonds]:
        ate, helped, took_shift = events
        shared = _shared_meals(params, ties, meals=ate, roster=roster, tick=tick)
        owner = personality.temperament(params.personality, roster.profile)

        times = {
            event: arrays.settled(pairs.astype(jnp.float32) + pairs.T.astype(jnp.float32))
            for event, pairs in (
                (TieEvent.SHARED_MEAL, shared),
                (TieEvent.EMPLOYMENT_HELP, helped),
                (TieEvent.SHIFT_TAKEN, took_shift),
            )
        }

        def channel(which: int) -> Float[Array, "A A"]:
            value = nothing
            for event, amount in times.items():
                delta = personality.bounded(
                    owner.softened(jnp.broadcast_to(params.ties.delta[event, which], meals.shape))
                )
                value = value + amount * arrays.settled(delta)[:, None]
            return value

        return shared, _Bonds(trust=channel(_TRUST), familiarity=channel(_FAMILIARITY), rivalry=channel(_RIVALRY))

    events = (meals, shifts.helped, shifts.took_shift)
    return arrays.only_if(needed, gather, (jnp.zeros(nothing.shape, bool), bonds), events)


def _shared_meals(
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


def _felt(ties: Ties, events: tuple[_Event, _Event, _Bonds]) -> _Bonds:
    """Add the tick's events to every pair, clipped; all of them are between living agents."""
    talk, quarrel, groups = events
    slots = arrays.indices(talk.other)

    def summed(before: Float[Array, "A A"], group: Float[Array, "A A"], channel: int) -> Float[Array, "A A"]:
        value = before + group
        for event in (talk, quarrel):
            mine, theirs = event.mine[channel], event.theirs[channel]
            value = value + jnp.where(event.other[:, None] == slots[None, :], mine[:, None], 0.0)
            value = value + jnp.where(slots[:, None] == event.other[None, :], theirs[None, :], 0.0)
        low = 0.0 if channel == _RIVALRY else -1.0
        return jnp.clip(value, low, 1.0)

    return _Bonds(
        trust=summed(ties.trust, groups.trust, _TRUST),
        familiarity=summed(ties.familiarity, groups.familiarity, _FAMILIARITY),
        rivalry=summed(ties.rivalry, groups.rivalry, _RIVALRY),
    )


@arrays.unit
def _apply(params: Params, ties: Ties, events: tuple[_Event, _Event, _Bonds]) -> tuple[_Bonds, Bool[Array, "A A"]]:
    """Apply events and decay in one elementwise pass; also tell which ties were known between the two."""
    felt = _felt(ties, events)

    def toward_zero(x: Float[Array, "A A"], decay: Float[Array, ""]) -> Float[Array, "A A"]:
        return jnp.where(x > 0, jnp.maximum(0.0, x - decay), jnp.minimum(0.0, x + decay))

    return _Bonds(
        trust=toward_zero(felt.trust, params.ties.trust_decay),
        familiarity=toward_zero(felt.familiarity, params.ties.familiarity_decay),
        rivalry=toward_zero(felt.rivalry, params.conflict.rivalry_decay),
    ), _known(felt)


def _known(bonds: _Bonds | Ties) -> Bool[Array, "A A"]:
    return (bonds.trust != 0) | (bonds.familiarity != 0) | (bonds.rivalry != 0)


def _prune(
    params: Params,
    ties: Ties,
    events: tuple[_Event, _Event, _Bonds],
    kept: _Bonds,
    known: Bool[Array, "A A"],
) -> tuple[_Bonds, Bool[Array, "A A"]]:
    """Empty the weakest ties of rows that know more than `max_edges`, the highest slot first on ties.

    Capacity is judged before decay. One tie a row and round; nearly all ticks need no round.
    """
    most = params.conflict.max_edges
    rounds = jnp.arange(known.shape[0], dtype=jnp.int32) < jnp.max(arrays.settled(arrays.count(known))) - most

    def weakest(
        _: Int[Array, ""], value: tuple[_Bonds, Array], given: tuple[Ties, tuple[_Event, _Event, _Bonds]]
    ) -> tuple[_Bonds, Array]:
        bonds, evicted = value
        felt = arrays.settled(_felt(*given))
        strength = arrays.sortable(jnp.abs(felt.trust) + jnp.abs(felt.familiarity) + felt.rivalry)
        places = jnp.arange(known.shape[1], dtype=jnp.int32)
        left = _known(felt) & ~evicted
        low = jnp.min(jnp.where(left, strength, arrays.LARGEST), axis=-1, keepdims=True)
        last = jnp.max(jnp.where(left & (strength == low), places, NOBODY), axis=-1, keepdims=True)
        evicted = evicted | ((arrays.count(left) > most)[:, None] & (places == last))
        return jax.tree.map(lambda leaf: jnp.where(evicted, 0.0, leaf), bonds), evicted

    return arrays.while_pending(rounds, weakest, (kept, jnp.zeros(known.shape, bool)), (ties, events))


@arrays.unit
def clear(ties: Ties, *, gone: Bool[Array, "A"]) -> Ties:
    """Forget those that left, rows and columns."""

    def forget(matrices: tuple[Array, Array, Array], who: Bool[Array, "A"]) -> tuple[Array, Array, Array]:
        either = who[:, None] | who[None, :]
        trust, familiarity, rivalry = (jnp.where(either, 0.0, matrix) for matrix in matrices)
        return trust, familiarity, rivalry

    trust, familiarity, rivalry = arrays.only_if(
        jnp.any(gone), forget, (ties.trust, ties.familiarity, ties.rivalry), gone
    )
    return Ties(
        trust=trust,
        familiarity=familiarity,
        rivalry=rivalry,
        chat_ready_tick=jnp.where(gone, 0, ties.chat_ready_tick),
        last_meal_tick=jnp.where(gone, NEVER, ties.last_meal_tick),
    )
