"""Phases after the judgement: lifetime counters (2.2), then the empty slot (4.6.7, 2.3)."""

from reference.draws import integer
from reference.scene import Scene
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Counter, Kind, Reason, ShiftFlag

CONDEMNED_FOR_GOOD = 2


def tally(scene: Scene) -> None:
    """4.6.6: lifetime counters and coins from the outcomes."""
    out, count = scene.out.outcomes, scene.state.tally.count
    for a in scene.living:
        count_affordances(scene, a)
        count[a][Counter.WAGE_TICKS] += bool(scene.state.employment.flags[a] & ShiftFlag.ON_SHIFT)
        count[a][Counter.LATE_SHIFTS] += out.shifts.fined[a]
        count[a][Counter.ABSENT_SHIFTS] += out.shifts.absent_told[a]
        if out.chats.listener[a] != NOBODY:
            count[a][Counter.CHATS_OK if out.chats.ok[a] else Counter.CHATS_FAILED] += 1
        count[a][Counter.CONFLICTS] += sum(a in (actor, rival) for actor, rival, _ in scene.queue_records)
        count[a][Counter.HELPED] += any(out.shifts.helped[a])
        if scene.acting[a]:
            count[a][Counter.REFUSED] += out.verdicts.reason[a] not in (Reason.NONE, Reason.WAITING)
            count[a][Counter.BUMPED] += out.verdicts.reason[a] == Reason.BUMPED
        scene.state.tally.earned[a] += out.shifts.paid[a]
        scene.state.tally.withheld[a] += out.shifts.withheld[a]
        scene.state.tally.spent[a] += out.starts.cost[a] + out.trades.rent_paid[a]


def count_affordances(scene: Scene, a: int) -> None:
    """Count starts and finishes; a cook counts the meals that it makes."""
    affordances, out, count = scene.params.affordances, scene.out.outcomes, scene.state.tally.count[a]
    begun, done = out.starts.affordance[a], out.finishes.affordance[a]
    if begun != NOBODY and affordances.count_start[begun] != NOBODY:
        count[affordances.count_start[begun]] += 1
    if done == NOBODY or affordances.count_finish[done] == NOBODY:
        return
    if affordances.count_finish[done] == Counter.MEALS_COOKED:
        count[Counter.MEALS_COOKED] += round(sum(out.finishes.produced[a]))
    else:
        count[affordances.count_finish[done]] += 1


def leave(scene: Scene) -> None:
    """4.6.7: empty the slots of those who go."""
    departures, lifecycle, controls = scene.out.outcomes.departures, scene.state.lifecycle, scene.state.controls
    for a in scene.agents:
        if not departures.gone[a]:
            continue
        delay = integer(scene.draws.agent[a][1], controls.respawn_min, controls.respawn_max)
        for_good = lifecycle.condemned[a] == CONDEMNED_FOR_GOOD
        departures.respawn_tick[a] = NEVER if for_good else scene.tick + delay
        scene.end_engagement(a, Abort.DEPARTED)
        scene.state.embeddings.released_tick[scene.state.embeddings.slot[a]] = scene.tick
        clear_slot(scene, a)
        lifecycle.respawn_tick[a] = departures.respawn_tick[a]
        lifecycle.died_tick[a] = scene.tick
    scene.state.roster.reset_flag = [False] * len(scene.agents)
    scene.state.clock.tick = scene.tick


def clear_slot(scene: Scene, a: int) -> None:
    """2.3: the empty value in every per-agent field but generation, uid, home, job, possessed."""
    state = scene.state
    roster, work = state.roster, state.employment
    state.clock.episode_tick[a] = 0
    roster.alive[a] = False
    roster.position[a] = scene.params.world.home_tile[roster.home[a]][:]
    roster.profile[a] = 0
    roster.born_tick[a] = NEVER
    roster.last_kind[a], roster.last_ok[a], roster.last_ticks[a] = int(Kind.WAIT), False, 0
    state.needs.level[a] = [0.0] * len(state.needs.level[a])
    for row in state.queues.cooldown_until:
        row[a] = 0
    clear_ties(scene, a)
    work.phase[a] = work.on_time_ticks[a] = work.late_ticks[a] = work.late_today[a] = work.flags[a] = 0
    work.shift_start_tick[a] = work.last_present_tick[a] = NEVER
    work.shift_paid[a] = work.shift_withheld[a] = 0.0
    work.attendance[a] = [-1.0] * len(work.attendance[a])
    work.absence_day[a] = [NEVER] * len(work.absence_day[a])
    state.exits.asked_tick[a], state.exits.approved[a] = NEVER, False
    state.economy.wallet[a], state.economy.unpaid_days[a] = 0.0, 0
    for members in state.perturbations.member:
        members[a] = False
    state.perturbations.agent_cooldown_until[a] = 0
    state.lifecycle.faint_streak[a] = state.lifecycle.condemned[a] = 0
    state.embeddings.slot[a] = NOBODY
    state.ledger.episode_return[a] = state.ledger.potential[a] = 0.0
    state.tally.count[a] = [0] * len(state.tally.count[a])
    state.tally.earned[a] = state.tally.withheld[a] = state.tally.spent[a] = 0.0


def clear_ties(scene: Scene, a: int) -> None:
    """Nobody knows the departed, and the slot knows nobody."""
    ties = scene.state.ties
    for matrix in (ties.trust, ties.familiarity, ties.rivalry):
        matrix[a] = [0.0] * len(matrix[a])
        for row in matrix:
            row[a] = 0.0
    ties.chat_ready_tick[a] = 0
    ties.last_meal_tick[a] = NEVER
