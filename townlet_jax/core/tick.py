"""One tick of a town: the wiring diagram of the systems (MECHANICS 4).

Phases run in the order wake, act, live, night, judge, leave. What a phase reads stands in the arguments of the
systems it calls, what it writes stands left of the `=`. Nothing else in the core knows the order.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from townlet_jax.core import actions, arrays, choose, facts, personality, rng
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NOBODY, Abort, Fault, Kind, Reason, Stream
from townlet_jax.core.outcomes import (
    Aborts,
    Arrivals,
    Conflicts,
    Grants,
    Handovers,
    Night,
    Outcomes,
    QueueLosses,
    TickOutput,
    Trades,
    Verdicts,
)
from townlet_jax.core.params import Params
from townlet_jax.core.phases import (
    Acted,
    Contested,
    Engaged,
    Judged,
    Lived,
    Now,
    Slept,
    Woken,
    abort,
    no_aborts,
)
from townlet_jax.core.state import TownState
from townlet_jax.core.systems import (
    affordances,
    economy,
    employment,
    exits,
    kpis,
    lifecycle,
    movement,
    needs,
    perturbations,
    queues,
    relationships,
    rewards,
)

_PROFILE, _AGENT_COLUMNS = 2, 4  # of the AGENT draw


def tick(params: Params, state: TownState, intents: Intents) -> tuple[TownState, TickOutput]:
    """Advance one town by one tick."""
    moment = state.clock.tick + 1
    per_day = params.clock.ticks_per_day
    now = Now(tick=moment, tick_of_day=moment % per_day, day=moment // per_day, acting=state.roster.alive)
    with jax.named_scope("wake"):
        state, woken = _wake(params, state, now)
    with jax.named_scope("act"):
        state, acted = _act(params, state, now, intents=intents, woken=woken)
    with jax.named_scope("live"):
        state, lived = _live(params, state, now, woken=woken, acted=acted)
    with jax.named_scope("night"):
        state, slept = _night(params, state, now, aborts=lived.aborts)
    with jax.named_scope("judge"):
        state, judged = _judge(params, state, now, woken=woken, acted=acted, lived=lived, avoided=intents.avoided)
    with jax.named_scope("leave"):
        return _leave(
            params,
            state,
            now,
            woken=woken,
            acted=acted,
            lived=lived,
            slept=slept,
            judged=judged,
            switched=intents.switched,
        )


def _wake(params: Params, state: TownState, now: Now) -> tuple[TownState, Woken]:
    """Let newcomers in; end and start perturbations; call agents to meets (4.1)."""
    arrived = arrays.settled(lifecycle.due(state.lifecycle, alive=state.roster.alive, tick=now.tick))

    def draw(_: Int[Array, "A"], moment: Int[Array, ""]) -> Int[Array, "A"]:
        stream = rng.stream(state.key, moment, Stream.AGENT)
        unit = rng.uniform_column(stream, arrived.shape[0], _AGENT_COLUMNS, _PROFILE)
        return personality.draw(params.personality, params.start.profile, unit)

    profile = arrays.only_if(jnp.any(arrived), draw, state.roster.profile, now.tick)
    roster = movement.admit(params, state.roster, arrived=arrived, profile=profile, tick=now.tick)
    embeddings = lifecycle.allocate(params.embeddings, state.embeddings, arrived=arrived, tick=now.tick)
    guests = perturbations.Guests(
        alive=roster.alive,
        busy=choose.busy(state.activities),
        phase=state.employment.phase,
        rivalry=state.ties.rivalry,
    )
    shaken, shocks = perturbations.advance(params, state.perturbations, guests=guests, tick=now.tick, key=state.key)
    called = arrays.settled(shocks.relocated != NOBODY)
    exhausted = jnp.any(arrived & (embeddings.slot == NOBODY))
    return state.replace(
        roster=movement.relocate(params, roster, relocated=shocks.relocated),
        needs=needs.admit(params.needs, state.needs, arrived=arrived),
        economy=economy.admit(params.economy, state.economy, arrived=arrived),
        lifecycle=lifecycle.admit(state.lifecycle, arrived=arrived),
        ledger=rewards.admit(params, state.ledger, arrived=arrived),
        embeddings=embeddings,
        perturbations=shaken,
        queues=queues.drop(state.queues, called),
        activities=affordances.stop(state.activities, called),
        faults=state.faults | jnp.where(exhausted, int(Fault.EMBEDDING_EXHAUSTED), 0),
    ), Woken(
        arrivals=Arrivals(
            arrived=arrived,
            uid=jnp.where(arrived, roster.uid, NOBODY),
            forced_reuses=embeddings.forced_reuses - state.embeddings.forced_reuses,
        ),
        shocks=shocks,
        aborts=abort(no_aborts(arrived.shape[0]), called, Abort.RELOCATED, state.queues, state.activities),
    )


def _act(params: Params, state: TownState, now: Now, *, intents: Intents, woken: Woken) -> tuple[TownState, Acted]:
    """Carry out what the agents intend (4.2)."""
    closed = woken.shocks.closed
    intents = actions.decode(
        params,
        intents,
        roster=state.roster,
        queues=state.queues,
        activities=state.activities,
        ties=state.ties,
        closed=closed,
        tick=now.tick,
    )
    num_affordances = params.affordances.duration.shape[0]
    checked = actions.check(intents, acting=now.acting, num_objects=closed.shape[0], num_affordances=num_affordances)
    intents, kind = checked.intents, checked.intents.kind
    state, engaged = _engage(params, state, now, intents=intents, woken=woken)
    ties, chats, chat_reason = relationships.chat(
        params,
        state.ties,
        kind=kind,
        target=intents.target,
        quality=intents.quality,
        roster=state.roster,
        activities=state.activities,
        tick=now.tick,
        key=state.key,
    )
    blocking = (kind == Kind.BLOCKED) & (state.queues.waiting == intents.object)
    state, contested = _contest(params, state, now, blocking=blocking, closed=closed, aborts=engaged.aborts)
    blocked_reason = jnp.where((kind == Kind.BLOCKED) & ~blocking, Reason.NOT_WAITING, Reason.NONE)
    reason = checked.reason
    for other in (engaged.reason, chat_reason, blocked_reason):
        reason = jnp.where(reason == Reason.NONE, other, reason)
    ok = now.acting & (reason == Reason.NONE) & ((kind != Kind.CHAT) | chats.ok)
    ticks = arrays.take(params.affordances.duration, engaged.starts.affordance, 1)
    bad = jnp.any(checked.reason == Reason.BAD_INDEX)
    return state.replace(
        roster=movement.remember(state.roster, acting=now.acting, kind=checked.submitted, ok=ok, ticks=ticks),
        ties=ties,
        faults=state.faults | jnp.where(bad, int(Fault.BAD_INTENT), 0),
    ), Acted(
        verdicts=Verdicts(
            kind=checked.submitted,
            ok=ok,
            reason=reason,
            detail=engaged.detail,
            direction=intents.direction,
            object=intents.object,
            affordance=intents.affordance,
            target=intents.target,
        ),
        chats=chats,
        engaged=engaged,
        contested=contested,
    )


def _engage(params: Params, state: TownState, now: Now, *, intents: Intents, woken: Woken) -> tuple[TownState, Engaged]:
    """Walk, let go, ask, be granted, start (4.2.2-4.2.6)."""
    shocks, kind, object = woken.shocks, intents.kind, intents.object
    line, running = state.queues, state.activities
    busy = choose.busy(running)
    roster, moves = movement.walk(params, state.roster, kind=kind, direction=intents.direction, busy=busy)
    held = line
    line, releases = queues.release(
        params.queue, line, kind=kind, object=object, success=intents.success, busy=busy, tick=now.tick
    )
    early_finishes, early_delta = affordances.finish_early(
        params.affordances, running, early=releases.early, object=held.holding
    )
    aborts = abort(woken.aborts, releases.aborted, Abort.RELEASED, held, running)
    running = affordances.stop(running, releases.early | releases.aborted)
    asking = (kind == Kind.REQUEST) | (kind == Kind.USE)
    line, asked = queues.request(
        params,
        line,
        asking=asking,
        object=object,
        busy=choose.busy(running),
        position=roster.position,
        closed=shocks.closed,
        tick=now.tick,
    )
    line, granted = queues.grant(params, line, position=roster.position, closed=shocks.closed, tick=now.tick)
    holds = line.holding == object
    asked = jnp.where(asking & holds & (asked == Reason.WAITING), Reason.NONE, asked)
    asked = jnp.where(asking & ~holds & (asked == Reason.NONE), Reason.WAITING, asked)
    prices = economy.price_now(state.controls.price, shocks.price_factor)
    cost = affordances.costs(params.affordances, prices)
    may_start = (kind == Kind.START) | ((kind == Kind.USE) & (asked == Reason.NONE))
    running, starts, tried = affordances.start(
        params,
        running,
        kind=jnp.where(may_start, kind, Kind.WAIT),
        object=object,
        affordance=intents.affordance,
        holding=line.holding,
        position=roster.position,
        closed=shocks.closed,
        facts=facts.gather(params, state, held=line, cost=cost, utility_on=shocks.utility_on, tick=now.tick),
    )
    reason = jnp.where(moves.bumped, Reason.BUMPED, Reason.NONE)
    reason = jnp.where((kind == Kind.MOVE) & ~moves.moved & ~moves.bumped, Reason.BUSY, reason)
    for other in (releases.reason, asked, tried.reason):
        reason = jnp.where(reason == Reason.NONE, other, reason)
    return state.replace(
        roster=roster,
        queues=queues.let_go(line, tried.loses_hold),
        activities=running,
        economy=economy.charge(params.affordances, state.economy, starts=starts),
    ), Engaged(
        reason=reason,
        detail=tried.detail,
        moves=moves,
        granted=granted,
        starts=starts,
        aborts=aborts,
        early_finishes=early_finishes,
        early_delta=early_delta,
        polite=releases.successor,
        released=releases.object,
        price_now=prices,
    )


def _contest(
    params: Params,
    state: TownState,
    now: Now,
    *,
    blocking: Bool[Array, "A"],
    closed: Bool[Array, "O"],
    aborts: Aborts,
) -> tuple[TownState, Contested]:
    """Count stalls, push idle holders out, quarrel, give up what is too far (4.2.8-4.2.10)."""
    line, running, position = state.queues, state.activities, state.roster.position
    held = line
    line, ghosts = queues.stall(
        params, line, blocking=blocking, busy=choose.busy(running), position=position, closed=closed, tick=now.tick
    )
    pushed = ghosts.rival != NOBODY
    aborts = abort(aborts, pushed, Abort.GHOST_STEP, held, running)
    running = affordances.stop(running, pushed)
    conflicts = _conflicts(params, ghosts, queues.quarrel(params, line, tick=now.tick), waiting=line.waiting)
    line, lost = queues.abandon(params, line, busy=choose.busy(running), position=position)
    return state.replace(queues=line, activities=running), Contested(
        aborts=aborts, granted=ghosts.granted, conflicts=conflicts, queue_losses=QueueLosses(object=lost)
    )


def _conflicts(
    params: Params, ghosts: queues.GhostSteps, quarrels: queues.Impatience, *, waiting: Int[Array, "A"]
) -> Conflicts:
    """Give conflicts their intensity: clip(boost + queue_length_boost * max(n - 1, 0), .1, 5)."""
    rules = params.conflict

    def intensity(rival: Int[Array, "A"], boost: Float[Array, ""], length: Int[Array, "A"]) -> Float[Array, "A"]:
        crowd = jnp.maximum(length - 1, 0).astype(jnp.float32)
        return jnp.where(rival != NOBODY, jnp.clip(boost + rules.queue_length_boost * crowd, 0.1, 5.0), 0.0)

    pushed, angry = ghosts.rival != NOBODY, quarrels.rival != NOBODY
    return Conflicts(
        rival_ghost=ghosts.rival,
        intensity_ghost=intensity(ghosts.rival, rules.ghost_step_boost, ghosts.length),
        object_ghost=jnp.where(pushed, ghosts.object, NOBODY),
        length_ghost=jnp.where(pushed, ghosts.length, 0),
        rival_wait=quarrels.rival,
        intensity_wait=intensity(quarrels.rival, rules.handover_boost, quarrels.length),
        object_wait=jnp.where(angry, waiting, NOBODY),
        length_wait=jnp.where(angry, quarrels.length, 0),
    )


def _live(params: Params, state: TownState, now: Now, *, woken: Woken, acted: Acted) -> tuple[TownState, Lived]:
    """Run what runs, hand objects over, let needs decay, work, feel (4.3, 4.4)."""
    roster, line, running = state.roster, state.queues, state.activities
    shocks = woken.shocks
    cut = affordances.interrupted(params.affordances, running, utility_on=shocks.utility_on)
    aborts = abort(acted.contested.aborts, cut, Abort.UTILITY_OFF, line, running)
    line, running = queues.let_go(line, cut), affordances.stop(running, cut)
    running, finishes = affordances.run(
        params, running, holding=line.holding, home=roster.home, early_delta=acted.engaged.early_delta
    )
    done = finishes.affordance != NOBODY
    line, passing = queues.hand_over(params, line, done=done, ties=state.ties, position=roster.position, tick=now.tick)
    line, granted = queues.grant(params, line, position=roster.position, closed=shocks.closed, tick=now.tick)
    early = acted.engaged.polite != NOBODY
    finished = passing.successor != NOBODY
    handovers = Handovers(
        object=jnp.where(early, acted.engaged.released, jnp.where(finished, finishes.object, NOBODY)),
        successor=jnp.where(early, acted.engaged.polite, passing.successor),
        preferred=passing.preferred,
        rotated=passing.rotated,
        early=early,
    )
    level = needs.live(
        params.needs,
        state.needs,
        alive=roster.alive,
        need_delta=finishes.need_delta,
        multiplier=personality.need_multiplier(params.personality, roster.profile),
    )
    jobs, shifts = employment.work(
        params,
        state.employment,
        alive=roster.alive,
        position=roster.position,
        tick=now.tick,
        tick_of_day=now.tick_of_day,
        day=now.day,
    )
    coins, shifts = economy.settle_shifts(economy.store(state.economy, finishes=finishes), shifts=shifts)
    ties, changes = relationships.live(
        params,
        state.ties,
        roster=roster,
        meals=done & arrays.take(params.affordances.is_meal, finishes.affordance, False),
        chats=acted.chats,
        handovers=handovers,
        conflicts=acted.contested.conflicts,
        shifts=shifts,
        tick=now.tick,
    )
    return state.replace(
        queues=line, activities=running, needs=level, employment=jobs, economy=coins, ties=ties
    ), Lived(
        aborts=aborts,
        finishes=finishes,
        granted_live=granted,
        handovers=handovers,
        shifts=shifts,
        tie_changes=changes,
    )


def _night(params: Params, state: TownState, now: Now, *, aborts: Aborts) -> tuple[TownState, Slept]:
    """Deliver goods; at midnight send home, lift needs, collect rent, start a new day (4.5)."""
    coins, restocked = economy.restock(params, state.economy, tick_of_day=now.tick_of_day)
    is_night = now.tick_of_day == 0
    alive = state.roster.alive
    moved = is_night & params.lifecycle.return_home & movement.away_from_home(params, state.roster)
    aborts = abort(aborts, moved, Abort.NIGHT, state.queues, state.activities)
    level, lifted = needs.night(params.needs, state.needs, alive=alive, is_night=is_night)
    coins, rent_paid, rent_unpaid = economy.collect_rent(params.economy, coins, alive=alive, is_night=is_night)
    return state.replace(
        roster=movement.send_home(params, state.roster, moved=moved),
        queues=queues.drop(state.queues, moved),
        activities=affordances.stop(state.activities, moved),
        needs=level,
        employment=employment.midnight(state.employment, alive=alive, is_night=is_night),
        economy=coins,
        exits=exits.midnight(state.exits, is_night=is_night),
        ledger=rewards.midnight(params.reward, state.ledger, alive=alive, is_night=is_night),
    ), Slept(
        aborts=aborts,
        restocked=restocked,
        rent_paid=rent_paid,
        rent_unpaid=rent_unpaid,
        night=Night(is_night=is_night, moved=moved, lifted=lifted),
    )


def _judge(
    params: Params,
    state: TownState,
    now: Now,
    *,
    woken: Woken,
    acted: Acted,
    lived: Lived,
    avoided: Int[Array, "A"],
) -> tuple[TownState, Judged]:
    """Decide who leaves and what the tick was worth (4.6.1, 4.6.2)."""
    alive, level = state.roster.alive, state.needs.level
    episode_tick = state.clock.episode_tick + 1
    episode_tick = jnp.where(episode_tick >= params.clock.ticks_per_day, 0, episode_tick)
    life = lifecycle.weaken(params.lifecycle, state.lifecycle, alive=alive, hunger=level[:, 0])
    quiet = params.lifecycle.suppress_exits & (woken.shocks.city_event | (now.tick < state.perturbations.quiet_until))
    standing = exits.Standing(
        alive=alive,
        condemned=life.condemned > 0,
        absent_shifts=employment.absent_shifts(params, state.employment, day=now.day),
        unpaid_days=state.economy.unpaid_days,
        age_ticks=now.tick - state.roster.born_tick,
    )
    queue, exit_queue, evicted = exits.judge(
        params,
        state.exits,
        standing=standing,
        daily_exit_cap=state.controls.daily_exit_cap,
        quiet=quiet,
        tick=now.tick,
    )
    reason = lifecycle.verdicts(
        params.lifecycle, life, alive=alive, mortality=state.controls.mortality, evicted=evicted
    )
    job = jnp.clip(state.employment.job, 0, params.jobs.length.shape[0] - 1)
    ledger, reward = rewards.judge(
        params,
        state.ledger,
        acting=now.acting,
        reason=reason,
        level=level,
        profile=state.roster.profile,
        chats=acted.chats,
        shifts=lived.shifts,
        ties=state.ties,
        employment=state.employment,
        job_length=params.jobs.length[job],
        avoided=avoided,
        faint_streak=life.faint_streak,
        mortality=state.controls.mortality,
    )
    return state.replace(
        clock=state.clock.replace(episode_tick=jnp.where(now.acting, episode_tick, state.clock.episode_tick)),
        lifecycle=life,
        exits=queue,
        ledger=ledger,
    ), Judged(exit_queue=exit_queue, reason=reason, rewards=reward)


def _leave(
    params: Params,
    state: TownState,
    now: Now,
    *,
    woken: Woken,
    acted: Acted,
    lived: Lived,
    slept: Slept,
    judged: Judged,
    switched: Bool[Array, "A"],
) -> tuple[TownState, TickOutput]:
    """Count, then take leavers out of every slice (4.6.4, 4.6.6, 4.6.7)."""
    life, embeddings, departures = lifecycle.leave(
        state.lifecycle,
        state.embeddings,
        reason=judged.reason,
        controls=state.controls,
        tick=now.tick,
        key=state.key,
    )
    gone = arrays.settled(departures.gone)
    outcomes = Outcomes(
        arrivals=woken.arrivals,
        shocks=woken.shocks,
        verdicts=acted.verdicts,
        moves=acted.engaged.moves,
        grants=Grants(act=acted.engaged.granted, ghost=acted.contested.granted, live=lived.granted_live),
        starts=acted.engaged.starts,
        aborts=abort(slept.aborts, gone, Abort.DEPARTED, state.queues, state.activities),
        early_finishes=acted.engaged.early_finishes,
        finishes=lived.finishes,
        handovers=lived.handovers,
        conflicts=acted.contested.conflicts,
        queue_losses=acted.contested.queue_losses,
        chats=acted.chats,
        shifts=lived.shifts,
        tie_changes=lived.tie_changes,
        trades=Trades(
            restocked=slept.restocked,
            basket_cost=economy.basket_cost(params.economy, acted.engaged.price_now),
            price_now=acted.engaged.price_now,
            rent_paid=slept.rent_paid,
            rent_unpaid=slept.rent_unpaid,
        ),
        night=slept.night,
        exit_queue=judged.exit_queue,
        departures=departures,
        rewards=judged.rewards,
    )
    tally = kpis.count_up(
        params.affordances, state.tally, acting=now.acting, employment=state.employment, outcomes=outcomes
    )
    horizon = params.clock.horizon_ticks
    at_horizon = (horizon > 0) & (now.tick % jnp.maximum(horizon, 1) == 0)
    terminated = now.acting & gone
    output = TickOutput(
        outcomes=outcomes,
        measures=kpis.measure(params, state, outcomes=outcomes, acting=now.acting, switched=switched),
        seen=state.replace(clock=state.clock.replace(tick=now.tick)),
        reward=judged.rewards.total,
        terminated=terminated,
        truncated=now.acting & ~terminated & at_horizon,
        valid=now.acting,
    )
    faults = state.faults | _faults(state)
    return TownState(
        key=state.key,
        clock=state.clock.replace(tick=now.tick, episode_tick=jnp.where(gone, 0, state.clock.episode_tick)),
        roster=movement.settle(params, state.roster, gone=gone),
        needs=needs.clear(state.needs, gone=gone),
        queues=queues.clear(state.queues, gone=gone),
        activities=affordances.stop(state.activities, gone),
        ties=relationships.clear(state.ties, gone=gone),
        employment=employment.clear(state.employment, gone=gone),
        exits=exits.clear(state.exits, gone=gone),
        economy=economy.clear(state.economy, gone=gone),
        perturbations=perturbations.clear(state.perturbations, gone=gone),
        lifecycle=life,
        embeddings=embeddings,
        controls=state.controls,
        ledger=rewards.clear(state.ledger, gone=gone),
        tally=kpis.clear(tally, gone=gone),
        faults=faults,
    ), output


def _faults(state: TownState) -> Int[Array, ""]:
    """Check the invariants that must never break."""
    holding = state.queues.holding
    slots = arrays.indices(holding)
    twice = (holding[:, None] == holding[None, :]) & (holding != NOBODY)[:, None] & (slots[:, None] < slots[None, :])
    checks = (
        (Fault.NAN_NEED, jnp.any(jnp.isnan(state.needs.level))),
        (Fault.NEGATIVE_WALLET, jnp.any(state.economy.wallet < 0)),
        (Fault.NEGATIVE_STOCK, jnp.any(state.economy.stock < 0)),
        (Fault.DOUBLE_HOLD, jnp.any(twice)),
    )
    bits: Int[Array, ""] = jnp.int32(0)
    for fault, broken in checks:
        bits = bits | jnp.where(broken, int(fault), 0)
    return bits
