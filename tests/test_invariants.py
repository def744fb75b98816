"""Invariants 1-16 of MECHANICS 16.2 after every tick of towns in which everybody does what it likes.

Whole stories are recorded first and checked then, over all ticks and towns at once.
Number 14 stands in `tests/core/test_legality.py`, the transformations of number 15 in `tests/test_contracts.py`.
"""

from typing import Any

import jax
import numpy as np
import pytest
from core.stories import STORIES, TOWNS, Story, dense, told
from hypothesis import given, settings
from hypothesis import strategies as st

from townlet_jax.core.enums import NEVER, NOBODY, Counter, Exit, ExitRoute, Fault, Kind, Perturb, Phase, Reason

CLOSE = 2e-5
TERMS = (
    "survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage", "punctuality",
    "shaping", "terminal",
)  # fmt: skip


@pytest.fixture(params=sorted(STORIES))
def story(request: pytest.FixtureRequest) -> Story:
    """Return each story in turn."""
    return told(request.param)


def test_01_bounds(story: Story) -> None:
    state = story.after
    for leaf in jax.tree.leaves((state, story.out)):
        assert not np.isnan(leaf).any()
    assert ((state.needs.level >= 0) & (state.needs.level <= 1)).all()
    assert (state.economy.wallet >= 0).all()
    assert (state.economy.stock >= 0).all()
    for name, low in (("trust", -1), ("familiarity", -1), ("rivalry", 0)):
        tie = getattr(state.ties, name)
        assert ((tie >= low) & (tie <= 1)).all(), name
        assert (np.diagonal(tie, axis1=-2, axis2=-1) == 0).all(), name
    assert (state.faults & ~int(Fault.BAD_INTENT) == 0).all()


def test_02_one_holder_one_engagement(story: Story) -> None:
    line, running, alive = story.after.queues, story.after.activities, story.after.roster.alive
    holds, waits = line.holding != NOBODY, line.waiting != NOBODY
    same = (line.holding[..., :, None] == line.holding[..., None, :]) & holds[..., None]
    assert (same.sum(axis=-1) <= 1).all()
    assert not (holds & waits).any()
    assert not ((holds | waits) & ~alive).any()
    runs = running.affordance != NOBODY
    assert not (runs & ~holds).any()
    length = story.of_town(story.params.affordances.duration, running.affordance)
    assert ((running.remaining >= 1) & (running.remaining <= length))[runs].all()
    assert (running.remaining[~runs] == 0).all()
    assert (line.stalls[~holds] == 0).all()
    kinds = story.of_town(story.params.world.object_type, line.holding)
    wanted = story.of_town(story.params.affordances.object_type, running.affordance)
    assert (kinds == wanted)[runs].all()


def test_03_queues(story: Story) -> None:
    line = story.after.queues
    waits = line.waiting != NOBODY
    same = (line.waiting[..., :, None] == line.waiting[..., None, :]) & waits[..., None]
    equal = same & (line.ticket[..., :, None] == line.ticket[..., None, :])
    assert (equal.sum(axis=-1) <= 1).all()
    assert (line.joined_tick <= story.tick[..., None]).all()
    assert ((line.joined_tick != NEVER) == waits).all()
    assert (line.ticket[~waits] == 0).all()
    tiles = story.params.world.tile[np.arange(TOWNS)[None, :, None], line.waiting]
    distance = np.abs(tiles - story.after.roster.position).max(axis=-1)
    near = distance <= story.number("world", "interaction_range")[..., None]
    taken = ((line.waiting[..., :, None] == line.holding[..., None, :]) & waits[..., None]).any(axis=-1)
    closed = np.take_along_axis(story.out.outcomes.shocks.closed, np.maximum(line.waiting, 0), axis=-1)
    undisturbed = ~(story.out.outcomes.departures.gone | story.out.outcomes.night.moved).any(axis=-1)
    assert not (waits & near & ~taken & ~closed & undisturbed[..., None]).any()


def test_04_steps(story: Story) -> None:
    before, after, out = story.before.roster, story.after.roster, story.out.outcomes
    x, y = after.position[..., 0], after.position[..., 1]
    blocked = story.params.world.blocked[np.arange(TOWNS)[None, :, None], y, x]
    assert not (blocked & after.alive).any()
    stays = before.alive & after.alive & (out.shocks.relocated == NOBODY) & ~out.night.moved
    far = np.abs(after.position - before.position).sum(axis=-1)
    assert (far[stays] <= 1).all()
    assert ((far == 1) == out.moves.moved)[stays].all()
    assert not (out.moves.moved & ~before.alive).any()


def test_05_dead_slots_are_empty(story: Story) -> None:
    state, dead = story.after, ~story.after.roster.alive
    empty: dict[str, tuple[Any, float]] = {
        "level": (state.needs.level, 0), "wallet": (state.economy.wallet, 0), "unpaid": (state.economy.unpaid_days, 0),
        "holding": (state.queues.holding, NOBODY), "waiting": (state.queues.waiting, NOBODY),
        "joined": (state.queues.joined_tick, NEVER), "ticket": (state.queues.ticket, 0),
        "away": (state.queues.away_ticks, 0), "affordance": (state.activities.affordance, NOBODY),
        "phase": (state.employment.phase, Phase.IDLE), "shift": (state.employment.shift_start_tick, NEVER),
        "present": (state.employment.last_present_tick, NEVER), "flags": (state.employment.flags, 0),
        "on_time": (state.employment.on_time_ticks, 0), "late": (state.employment.late_ticks, 0),
        "today": (state.employment.late_today, 0), "paid": (state.employment.shift_paid, 0),
        "withheld": (state.employment.shift_withheld, 0), "attendance": (state.employment.attendance, -1),
        "absence": (state.employment.absence_day, NEVER), "asked": (state.exits.asked_tick, NEVER),
        "approved": (state.exits.approved, 0), "ready": (state.ties.chat_ready_tick, 0),
        "meal": (state.ties.last_meal_tick, NEVER), "streak": (state.lifecycle.faint_streak, 0),
        "condemned": (state.lifecycle.condemned, 0), "slot": (state.embeddings.slot, NOBODY),
        "return": (state.ledger.episode_return, 0), "potential": (state.ledger.potential, 0),
        "count": (state.tally.count, 0), "earned": (state.tally.earned, 0), "lost": (state.tally.withheld, 0),
        "spent": (state.tally.spent, 0), "episode": (state.clock.episode_tick, 0),
        "profile": (state.roster.profile, 0), "born": (state.roster.born_tick, NEVER),
        "kind": (state.roster.last_kind, Kind.WAIT), "ok": (state.roster.last_ok, 0),
        "ticks": (state.roster.last_ticks, 0), "rest": (state.perturbations.agent_cooldown_until, 0),
        "trust": (state.ties.trust, 0), "familiarity": (state.ties.familiarity, 0), "rivalry": (state.ties.rivalry, 0),
        "cooldown": (np.swapaxes(state.queues.cooldown_until, -1, -2), 0),
        "member": (np.swapaxes(state.perturbations.member, -1, -2), 0),
        "trust_in": (np.swapaxes(state.ties.trust, -1, -2), 0),
        "rivalry_in": (np.swapaxes(state.ties.rivalry, -1, -2), 0),
    }  # fmt: skip
    for name, (values, value) in empty.items():
        assert (values[dead] == value).all(), name
    home = story.params.world.home_tile[np.arange(TOWNS)[None, :, None], state.roster.home]
    assert (state.roster.position == home)[dead].all()
    assert not state.roster.reset_flag.any()


def test_05_dead_slots_do_nothing(story: Story) -> None:
    dead, out = ~story.before.roster.alive, story.out.outcomes
    assert (out.verdicts.kind[dead] == Kind.WAIT).all()
    assert not out.verdicts.ok[dead].any()
    assert np.isin(out.verdicts.reason[dead], (Reason.NONE, Reason.NOT_ACTING)).all()
    for name in (*TERMS, "total", "clip_adjustment", "guard", "clipped"):
        assert not getattr(out.rewards, name)[dead].any(), name
    for nothing in (out.starts.affordance, out.finishes.affordance, out.chats.listener, out.conflicts.rival_wait):
        assert (nothing[dead] == NOBODY).all()
    assert not out.departures.gone[dead & ~out.arrivals.arrived].any()
    assert not story.out.reward[dead].any()


def test_06_coins(story: Story) -> None:
    out, stays = story.out.outcomes, story.before.roster.alive & story.after.roster.alive
    comes = out.arrivals.arrived & story.after.roster.alive
    flow = out.shifts.paid - out.shifts.fine_taken - out.starts.cost - out.trades.rent_paid
    change = story.after.economy.wallet - story.before.economy.wallet
    np.testing.assert_allclose(change[stays], flow[stays], atol=CLOSE)
    starter = np.broadcast_to(story.number("economy", "spawn_wallet")[..., None], change.shape)
    np.testing.assert_allclose(change[comes], (flow + starter)[comes], atol=CLOSE)
    assert (out.shifts.fine_taken <= out.shifts.fine + 1e-6).all()


def test_07_goods(story: Story) -> None:
    out, world = story.out.outcomes, story.before.economy.stock
    change = story.after.economy.stock - world
    flow = out.trades.restocked.astype(np.float64).copy()
    time, towns, slots = np.nonzero(out.starts.affordance != NOBODY)
    used = story.params.affordances.consume[towns, out.starts.affordance[time, towns, slots]]
    np.subtract.at(flow, (time, towns, out.starts.object[time, towns, slots]), used)
    time, towns, slots, goods = np.nonzero(out.finishes.sink != NOBODY)
    made = out.finishes.produced[time, towns, slots, goods]
    np.add.at(flow, (time, towns, out.finishes.sink[time, towns, slots, goods], goods), made)
    np.testing.assert_array_equal(change, flow)
    assert (out.finishes.produced[out.finishes.sink == NOBODY] == 0).all()


def test_08_known_ties(story: Story) -> None:
    ties = story.after.ties
    known = (ties.trust != 0) | (ties.familiarity != 0) | (ties.rivalry != 0)
    assert (known.sum(axis=-1) <= story.number("conflict", "max_edges")[..., None]).all()
    dead = ~story.after.roster.alive
    assert not (known & (dead[..., None] | dead[..., None, :])).any()


def test_09_rewards(story: Story) -> None:
    rewards, cap = story.out.outcomes.rewards, story.number("reward", "clip_per_episode")[..., None]
    assert (np.abs(story.after.ledger.episode_return) <= cap).all()
    inside = story.number("reward", "clip_terminal")[..., None]
    bare = rewards.total - np.where(inside, 0, rewards.terminal)
    assert (np.abs(bare) <= story.number("reward", "clip_per_tick")[..., None] + 1e-5).all()
    terms = np.sum([getattr(rewards, name) for name in TERMS], axis=0)
    np.testing.assert_allclose(rewards.total, terms + rewards.clip_adjustment, atol=CLOSE)
    np.testing.assert_array_equal(story.out.reward, rewards.total)
    assert (bare[rewards.guard] <= 1e-6).all()


def test_10_identities(story: Story) -> None:
    slot = story.after.embeddings.slot
    twice = (slot[..., :, None] == slot[..., None, :]) & (slot != NOBODY)[..., None]
    assert (twice.sum(axis=-1) <= 1).all()
    assert ((slot != NOBODY) == story.after.roster.alive).all()
    arrived = np.cumsum(story.out.outcomes.arrivals.arrived.sum(axis=-1), axis=0)
    assert (story.after.embeddings.allocations == story.before.embeddings.allocations[:1] + arrived).all()
    assert (story.after.embeddings.forced_reuses <= arrived).all()


def test_11_perturbations(story: Story) -> None:
    events, out = story.after.perturbations, story.out.outcomes
    active = events.until_tick != NEVER
    assert (active.sum(axis=-1) <= story.number("perturbation", "max_concurrent")).all()
    assert (events.until_tick[active] > np.broadcast_to(story.tick[..., None], active.shape)[active]).all()
    spiking = (active & (story.params.perturbation.kind[None] == Perturb.PRICE_SPIKE)).any(axis=-1)
    calm = np.broadcast_to(~spiking[..., None], out.trades.price_now.shape)
    np.testing.assert_array_equal(out.trades.price_now[calm], story.before.controls.price[calm])
    assert (events.magnitude[~active] == 1).all()
    assert not events.member[~active].any()
    assert (active == ((story.before.perturbations.until_tick != NEVER) & ~out.shocks.ended | out.shocks.started)).all()
    assert not (events.member & ~story.after.roster.alive[..., None, :]).any()


def test_12_shifts(story: Story) -> None:
    out, jobs = story.out.outcomes.shifts, story.after.employment
    assert ((out.sample >= 0) & (out.sample <= 1)).all()
    in_shift = np.isin(jobs.phase, (Phase.AWAIT, Phase.ON_TIME, Phase.LATE, Phase.ABSENT))
    open_shift = jobs.shift_start_tick != NEVER
    ticks, absences = np.zeros(open_shift.shape[1:], int), np.zeros(open_shift.shape[1:], int)
    complete = np.zeros(open_shift.shape[1:], bool)
    finished = 0
    for t in range(len(open_shift)):
        complete = np.where(out.begun[t], True, complete & story.after.roster.alive[t])
        ticks = np.where(out.begun[t], 0, ticks) + (in_shift[t] & open_shift[t])
        absences = np.where(out.begun[t], 0, absences) + out.absent_told[t]
        over = out.finalised[t] & complete
        assert (ticks[over] == out.length[t][over]).all()
        assert (absences[complete] <= 1).all()
        finished += int(over.sum())
        complete = complete & ~out.finalised[t]
    assert finished or int(story.params.clock.ticks_per_day[0]) > 1000
    assert not (out.paid.astype(bool) & out.withheld.astype(bool)).any()


def test_13_exits(story: Story) -> None:
    out, reason = story.out.outcomes, story.out.outcomes.departures.reason
    route = out.exit_queue.route
    free = np.isin(route, (ExitRoute.MANUAL, ExitRoute.AUTO_REVIEW))
    limited = np.isin(reason, (Exit.EVICTION_JOB, Exit.EVICTION_RENT, Exit.AGE_OUT)) & ~free
    earlier = np.where(out.night.is_night, 0, story.before.exits.exits_today)
    cap = np.broadcast_to(story.before.controls.daily_exit_cap, earlier.shape)
    room = np.where(cap == 0, 10**6, np.maximum(cap - earlier - free.sum(axis=-1), 0))
    assert (limited.sum(axis=-1) <= room).all()
    counted = np.isin(reason, (Exit.EVICTION_JOB, Exit.EVICTION_RENT, Exit.AGE_OUT)).sum(axis=-1)
    fainted = (reason == Exit.FAINT).sum(axis=-1)  # an old agent that faints has taken its room all the same
    today = story.after.exits.exits_today - earlier
    assert ((today >= counted) & (today <= counted + fainted)).all()
    quiet = out.shocks.city_event | (story.tick < story.after.perturbations.quiet_until)
    quiet = quiet & story.number("lifecycle", "suppress_exits")
    assert np.isin(reason[quiet], (Exit.NONE, Exit.FAINT, Exit.KILLED)).all()
    assert ((reason != Exit.NONE) == out.departures.gone).all()


def test_15_outcomes_agree_with_states(story: Story) -> None:
    out, before, after = story.out.outcomes, story.before, story.after
    stays = before.roster.alive & after.roster.alive
    both = stays[..., None] & stays[..., None, :]
    for name in ("trust", "familiarity", "rivalry"):
        change = getattr(after.ties, name) - getattr(before.ties, name)
        np.testing.assert_array_equal(change[both], getattr(out.tie_changes, f"{name}_delta")[both])
    profile = after.roster.profile
    multiplier = story.params.personality.need_multiplier[np.arange(TOWNS)[None, :, None], profile]
    multiplier = np.where(story.number("personality", "modify_needs")[..., None, None], multiplier, 1)
    level = np.clip(before.needs.level + out.finishes.need_delta, 0, 1)
    level = np.maximum(level - story.params.needs.decay_rate[None, :, None] * multiplier, 0)
    awake = stays & ~out.night.lifted
    np.testing.assert_allclose(after.needs.level[awake], level[awake], atol=CLOSE)
    granted = out.grants.live != NOBODY
    kept = granted & after.roster.alive & ~out.night.moved
    np.testing.assert_array_equal(after.queues.holding[kept], out.grants.live[kept])
    bumped = after.tally.count[..., Counter.BUMPED] - before.tally.count[..., Counter.BUMPED]
    np.testing.assert_array_equal(bumped[stays], out.moves.bumped[stays])
    begun = out.starts.affordance != NOBODY
    np.testing.assert_array_equal(story.out.measures.starts.sum(axis=-1), begun.sum(axis=-1))
    assert (story.out.measures.alive == (before.roster.alive | out.arrivals.arrived).sum(axis=-1)).all()


def test_16_individuals(story: Story) -> None:
    before, after, arrived = story.before.roster, story.after.roster, story.out.outcomes.arrivals.arrived
    np.testing.assert_array_equal(story.out.valid, before.alive)
    np.testing.assert_array_equal(after.generation - before.generation, arrived)
    assert not (arrived & before.alive).any()
    np.testing.assert_array_equal(after.uid != before.uid, arrived)
    for towns in range(TOWNS):
        fresh = after.uid[:, towns][arrived[:, towns]]
        known = before.uid[0, towns]
        everybody = np.concatenate([known[known != NOBODY], fresh])
        assert len(set(everybody.tolist())) == len(everybody)
    assert (after.alive == (before.alive | arrived) & ~story.out.outcomes.departures.gone).all()
    assert (story.out.terminated == story.out.outcomes.departures.gone & before.alive).all()


def test_the_stories_are_eventful() -> None:
    rich = told("dense").out.outcomes
    assert set(np.unique(rich.verdicts.reason)) == set(Reason)
    assert set(np.unique(rich.departures.reason)) >= {Exit.NONE, Exit.FAINT, Exit.EVICTION_RENT}
    assert rich.arrivals.arrived.any()
    assert (rich.conflicts.rival_ghost != NOBODY).any()
    assert (rich.conflicts.rival_wait != NOBODY).any()
    assert rich.shocks.started.any(axis=(0, 1)).all()
    assert rich.tie_changes.evicted.any()
    assert rich.tie_changes.shared_meal.any()
    assert rich.handovers.preferred.any()
    for name in ("default", "parity"):
        some = told(name).out.outcomes
        assert (some.finishes.affordance != NOBODY).any()
        assert some.night.is_night.any()
        assert some.departures.gone.any()


CHECKS = [
    test_01_bounds, test_02_one_holder_one_engagement, test_03_queues, test_04_steps, test_05_dead_slots_are_empty,
    test_05_dead_slots_do_nothing, test_06_coins, test_07_goods, test_08_known_ties, test_09_rewards,
    test_10_identities, test_11_perturbations, test_12_shifts, test_13_exits, test_15_outcomes_agree_with_states,
    test_16_individuals,
]  # fmt: skip


@settings(max_examples=6)
@given(seed=st.integers(1, 2**16))
def test_any_numbers(seed: int) -> None:
    story = dense(seed)
    for check in CHECKS:
        check(story)
