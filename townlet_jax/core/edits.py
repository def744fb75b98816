"""What an operator may do to a town between two ticks, as pure functions (MECHANICS 12.2, 2.1 `controls`).

Every edit is `(params, state, arrays...) -> state` and works under `jit` and `vmap`. The caller checks the arguments
on the host (whether the slot is alive, the tile free, the amount in bounds). An index outside its axis, a blocked
tile, a dead agent where a living one is meant change nothing: rows are chosen by comparison, so no index can wrap.
What is left out is NaN (amounts) or NOBODY (ids), as each docstring says.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from townlet_jax.core import arrays, personality, rng
from townlet_jax.core.enums import NEVER, NOBODY, Stream, TieEvent
from townlet_jax.core.params import Params
from townlet_jax.core.state import Perturbations, TownState
from townlet_jax.core.struct import Pytree
from townlet_jax.core.systems import affordances, lifecycle, queues, rewards

KEEP = -2  # "as it is", for fields in which NOBODY has a meaning
CONDEMNED_WITH_RESPAWN, CONDEMNED_FOR_GOOD = 1, 2


class Newcomer(Pytree):
    """Who is to fill a vacant slot."""

    slot: Int[Array, ""]
    position: Int[Array, "2"]  # (NOBODY, NOBODY) = home tile
    home: Int[Array, ""]  # NOBODY = the slot's
    job: Int[Array, ""]  # NOBODY = none, KEEP = the slot's
    profile: Int[Array, ""]  # NOBODY = as an arrival, drawn from the CONSOLE stream
    level: Float[Array, "N"]  # NaN = level of an arrival
    wallet: Float[Array, ""]  # coins, NaN = purse of an arrival


class Order(Pytree):
    """An operator's start of a perturbation."""

    spec: Int[Array, ""]
    starts_in: Int[Array, ""]  # ticks after the next one
    ticks: Int[Array, ""]  # duration, -1 = draw
    magnitude: Float[Array, ""]  # -1 = draw
    member: Bool[Array, "A"]  # participants of a meet, all false = by the spec's rule
    object: Int[Array, ""]  # object to close, NOBODY = by the spec's rule


def spawn(params: Params, state: TownState, newcomer: Newcomer) -> TownState:
    """Let somebody live in a vacant slot from now on: fresh uid, embedding slot, context reset."""
    roster, tick = state.roster, state.clock.tick
    who = _slot(state, newcomer.slot) & ~roster.alive
    home = jnp.where(who & _inside(newcomer.home, params.world.home_tile), newcomer.home, roster.home)
    tile = jnp.where(_standable(params, newcomer.position), newcomer.position, params.world.home_tile[home])
    unit = rng.uniform_column(rng.stream(state.key, tick, Stream.CONSOLE), who.shape[0], 1, 0)
    drawn = personality.draw(params.personality, params.start.profile, unit)
    level = jnp.where(jnp.isnan(newcomer.level), params.needs.spawn_level, jnp.clip(newcomer.level, 0.0, 1.0))
    purse = jnp.where(jnp.isnan(newcomer.wallet), params.economy.spawn_wallet, jnp.maximum(newcomer.wallet, 0.0))
    returns = who & (roster.uid != NOBODY)
    hired = (newcomer.job == NOBODY) | _inside(newcomer.job, params.jobs.start)
    profile = jnp.where(_inside(newcomer.profile, params.personality.trait), newcomer.profile, drawn)
    state = state.replace(
        roster=roster.replace(
            alive=roster.alive | who,
            uid=jnp.where(who, roster.next_uid, roster.uid),
            next_uid=roster.next_uid + arrays.count(who),
            generation=roster.generation + returns.astype(jnp.int32),
            position=arrays.where_rows(who, tile, roster.position),
            home=home,
            profile=jnp.where(who, profile, roster.profile),
            born_tick=jnp.where(who, tick, roster.born_tick),
            reset_flag=roster.reset_flag | who,
        ),
        employment=state.employment.replace(job=jnp.where(who & hired, newcomer.job, state.employment.job)),
        economy=state.economy.replace(wallet=jnp.where(who, purse, state.economy.wallet)),
        embeddings=lifecycle.allocate(params.embeddings, state.embeddings, arrived=who, tick=tick),
        lifecycle=state.lifecycle.replace(
            respawn_tick=jnp.where(who, NEVER, state.lifecycle.respawn_tick),
            condemned=jnp.where(who, 0, state.lifecycle.condemned),
        ),
    )
    return _with_levels(params, state, who, jnp.broadcast_to(level, state.needs.level.shape))


def kill(params: Params, state: TownState, slot: Int[Array, ""], respawn: Bool[Array, ""]) -> TownState:
    """Condemn a living agent: it leaves in the next tick, to come back as somebody else or for good."""
    del params
    who = _slot(state, slot) & state.roster.alive
    sentence = jnp.where(respawn, CONDEMNED_WITH_RESPAWN, CONDEMNED_FOR_GOOD)
    return state.replace(
        lifecycle=state.lifecycle.replace(condemned=jnp.where(who, sentence, state.lifecycle.condemned))
    )


def teleport(params: Params, state: TownState, slot: Int[Array, ""], position: Int[Array, "2"]) -> TownState:
    """Put a living agent on a tile; its engagement ends, what it runs aborts without effect, refund or cooldown."""
    who = _slot(state, slot) & state.roster.alive & _standable(params, position)
    return state.replace(
        roster=state.roster.replace(
            position=arrays.where_rows(who, position, state.roster.position),
            reset_flag=state.roster.reset_flag | who,
        ),
        queues=queues.drop(state.queues, who),
        activities=affordances.stop(state.activities, who),
    )


def set_home(params: Params, state: TownState, slot: Int[Array, ""], home: Int[Array, ""]) -> TownState:
    """Give a living agent another home; it stays where it stands."""
    who = _slot(state, slot) & state.roster.alive & _inside(home, params.world.home_tile)
    return state.replace(roster=state.roster.replace(home=jnp.where(who, home, state.roster.home)))


def set_needs(params: Params, state: TownState, slot: Int[Array, ""], level: Float[Array, "N"]) -> TownState:
    """Set need levels of a living agent, clipped to [0, 1]; NaN keeps a level. The shaping potential follows."""
    who = _slot(state, slot) & state.roster.alive
    wanted = jnp.where(jnp.isnan(level), state.needs.level, jnp.clip(level, 0.0, 1.0))
    state = state.replace(roster=state.roster.replace(reset_flag=state.roster.reset_flag | who))
    return _with_levels(params, state, who, wanted)


def set_wallet(params: Params, state: TownState, slot: Int[Array, ""], amount: Float[Array, ""]) -> TownState:
    """Set the coins of a living agent, at least 0."""
    del params
    who = _slot(state, slot) & state.roster.alive
    wallet = jnp.where(who, jnp.maximum(amount, 0.0), state.economy.wallet)
    return state.replace(economy=state.economy.replace(wallet=wallet))


def set_stock(
    params: Params, state: TownState, place: Int[Array, ""], good: Int[Array, ""], units: Float[Array, ""]
) -> TownState:
    """Set the units of a good at an object, at least 0."""
    del params
    stock = state.economy.stock
    rows, columns = (jnp.arange(size, dtype=jnp.int32) for size in stock.shape)
    cell = (rows == place)[:, None] & (columns == good)[None, :]
    return state.replace(economy=state.economy.replace(stock=jnp.where(cell, jnp.maximum(units, 0.0), stock)))


def set_price(params: Params, state: TownState, key: Int[Array, ""], value: Float[Array, ""]) -> TownState:
    """Set a price before spikes, at least 0 coins."""
    del params
    price = state.controls.price
    chosen = arrays.indices(price) == key
    return state.replace(controls=state.controls.replace(price=jnp.where(chosen, jnp.maximum(value, 0.0), price)))


def set_ties(
    params: Params,
    state: TownState,
    first: Int[Array, ""],
    second: Int[Array, ""],
    trust: Float[Array, ""],
    familiarity: Float[Array, ""],
    rivalry: Float[Array, ""],
) -> TownState:
    """Set what two living agents feel for each other, both ways, clipped to the range of each; NaN keeps a value."""
    del params
    pair = _pair(state, first, second)
    ties = state.ties

    def changed(old: Float[Array, "A A"], value: Float[Array, ""], low: float) -> Float[Array, "A A"]:
        return jnp.where(pair & ~jnp.isnan(value), jnp.clip(value, low, 1.0), old)

    return state.replace(
        ties=ties.replace(
            trust=changed(ties.trust, trust, -1.0),
            familiarity=changed(ties.familiarity, familiarity, -1.0),
            rivalry=changed(ties.rivalry, rivalry, 0.0),
        )
    )


def force_chat(
    params: Params, state: TownState, speaker: Int[Array, ""], listener: Int[Array, ""], quality: Float[Array, ""]
) -> TownState:
    """Apply a successful chat of two living agents at once: no reward, no cooldown, no distance test (4.4.7, 8.3)."""
    pair = _pair(state, speaker, listener)
    ties = state.ties
    trust, familiarity, rivalry = _taken_chat(params, state, jnp.clip(quality, 0.0, 1.0))
    return state.replace(
        ties=ties.replace(
            trust=jnp.where(pair, jnp.clip(ties.trust + trust, -1.0, 1.0), ties.trust),
            familiarity=jnp.where(pair, jnp.clip(ties.familiarity + familiarity, -1.0, 1.0), ties.familiarity),
            rivalry=jnp.where(pair, jnp.clip(ties.rivalry + rivalry, 0.0, 1.0), ties.rivalry),
        )
    )


def approve_exit(params: Params, state: TownState, slot: Int[Array, ""]) -> TownState:
    """Let a living agent leave in the next tick as a manual exit."""
    del params
    who = _slot(state, slot) & state.roster.alive
    return state.replace(exits=state.exits.replace(approved=state.exits.approved | who))


def defer_exit(params: Params, state: TownState, slot: Int[Array, ""]) -> TownState:
    """Take an agent out of the exit queue and forget its absences."""
    del params
    who = _slot(state, slot)
    return state.replace(
        exits=state.exits.replace(
            asked_tick=jnp.where(who, NEVER, state.exits.asked_tick), approved=state.exits.approved & ~who
        ),
        employment=state.employment.replace(absence_day=jnp.where(who[:, None], NEVER, state.employment.absence_day)),
    )


def possess(params: Params, state: TownState, slot: Int[Array, ""], acquire: Bool[Array, ""]) -> TownState:
    """Take over a slot or give it back; policies forget what a possessed slot was committed to."""
    del params
    who = _slot(state, slot)
    return state.replace(
        controls=state.controls.replace(possessed=jnp.where(who, acquire, state.controls.possessed)),
        roster=state.roster.replace(reset_flag=state.roster.reset_flag | (who & state.roster.alive)),
    )


def set_mortality(params: Params, state: TownState, enabled: Bool[Array, ""]) -> TownState:
    """Switch fainting on or off."""
    del params
    return state.replace(controls=state.controls.replace(mortality=enabled))


def set_exit_cap(params: Params, state: TownState, cap: Int[Array, ""]) -> TownState:
    """Set how many exits a day may take, at least 0; 0 = no cap."""
    del params
    return state.replace(controls=state.controls.replace(daily_exit_cap=jnp.maximum(cap, 0)))


def set_spawn_delay(params: Params, state: TownState, low: Int[Array, ""], high: Int[Array, ""]) -> TownState:
    """Set the range of ticks between a departure and the next arrival; pending arrivals keep their tick."""
    del params
    low = jnp.maximum(low, 0)
    return state.replace(controls=state.controls.replace(respawn_min=low, respawn_max=jnp.maximum(low, high)))


def trigger(params: Params, state: TownState, order: Order) -> TownState:
    """Queue an operator's start of a spec that neither runs nor is queued."""
    del params
    slice_ = state.perturbations
    vacant = (slice_.until_tick == NEVER) & (slice_.queued_tick == NEVER)
    chosen = _spec(slice_, order.spec) & vacant
    due = state.clock.tick + 1 + jnp.maximum(order.starts_in, 0)
    return state.replace(
        perturbations=slice_.replace(
            queued_tick=jnp.where(chosen, due, slice_.queued_tick),
            queued_ticks=jnp.where(chosen, order.ticks, slice_.queued_ticks),
            queued_magnitude=jnp.where(chosen, order.magnitude, slice_.queued_magnitude),
            member=arrays.where_rows(chosen, order.member, slice_.member),
            object=jnp.where(chosen, order.object, slice_.object),
        )
    )


def cancel(params: Params, state: TownState, spec: Int[Array, ""]) -> TownState:
    """Drop the queued start of a spec and let its running event end in the next wake."""
    del params
    slice_ = state.perturbations
    chosen = _spec(slice_, spec)
    running = slice_.until_tick != NEVER
    ends = jnp.minimum(slice_.until_tick, state.clock.tick + 1)
    idle = chosen & ~running
    return state.replace(
        perturbations=slice_.replace(
            until_tick=jnp.where(chosen & running, ends, slice_.until_tick),
            queued_tick=jnp.where(chosen, NEVER, slice_.queued_tick),
            queued_ticks=jnp.where(chosen, -1, slice_.queued_ticks),
            queued_magnitude=jnp.where(chosen, -1.0, slice_.queued_magnitude),
            member=slice_.member & ~idle[:, None],
            object=jnp.where(idle, NOBODY, slice_.object),
        )
    )


def _slot(state: TownState, slot: Int[Array, ""]) -> Bool[Array, "A"]:
    return arrays.indices(state.roster.alive) == slot


def _inside(index: Int[Array, ""], table: Shaped[Array, "n *rest"]) -> Bool[Array, ""]:
    return (index >= 0) & (index < table.shape[0])


def _standable(params: Params, position: Int[Array, "2"]) -> Bool[Array, ""]:
    """Tell whether a tile lies on the grid and is not blocked."""
    height, width = params.world.blocked.shape
    x, y = position[0], position[1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside & ~params.world.blocked[jnp.clip(y, 0, height - 1), jnp.clip(x, 0, width - 1)]


def _spec(perturbations: Perturbations, spec: Int[Array, ""]) -> Bool[Array, "V"]:
    return arrays.indices(perturbations.until_tick) == spec


def _pair(state: TownState, first: Int[Array, ""], second: Int[Array, ""]) -> Bool[Array, "A A"]:
    """Mark the two places of an ordered pair of different living agents."""
    alive = state.roster.alive
    one, other = _slot(state, first) & alive, _slot(state, second) & alive
    both = (one[:, None] & other[None, :]) | (other[:, None] & one[None, :])
    return both & (first != second)


def _taken_chat(
    params: Params, state: TownState, quality: Float[Array, ""]
) -> tuple[Float[Array, "A 1"], Float[Array, "A 1"], Float[Array, "A 1"]]:
    """Return what a successful chat does to each owner's trust, familiarity, rivalry (8.3)."""
    owner = personality.temperament(params.personality, state.roster.profile)
    base = jnp.broadcast_to(params.ties.delta[TieEvent.CHAT_SUCCESS] * quality, (*owner.warmth.shape, 3))
    trust, familiarity, rivalry = (owner.softened(base[:, channel]) for channel in range(3))
    deltas = (trust, familiarity + owner.warmth, rivalry)
    trust, familiarity, rivalry = (personality.bounded(delta)[:, None] for delta in deltas)
    return trust, familiarity, rivalry


def _with_levels(params: Params, state: TownState, who: Bool[Array, "A"], level: Float[Array, "A N"]) -> TownState:
    level = jnp.where(who[:, None], level, state.needs.level)
    phi = rewards.potential(params.reward, level)
    return state.replace(
        needs=state.needs.replace(level=level),
        ledger=state.ledger.replace(potential=jnp.where(who, phi, state.ledger.potential)),
    )
