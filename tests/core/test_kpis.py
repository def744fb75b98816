"""Lifetime counters and the measures of a tick (MECHANICS 2.2, 9.1)."""

import numpy as np
import pytest

from core.worlds import (
    BARISTA,
    BENCH,
    BLACKOUT,
    COOK_MEAL,
    EAT_MEAL,
    FRIDGE,
    FRIDGE_B,
    MEALS,
    OUTAGE,
    RAW,
    REST_BENCH,
    SHOWER,
    SHOWER_B,
    STOVE,
    USE_SHOWER,
    World,
)
from townlet_jax.core.enums import Counter, Direction, Kind, Reason


def test_means_and_extremes_are_those_of_the_living() -> None:
    world = World(living=3)
    world.freeze_needs()
    world.state.needs.level[:3] = ((0.2, 0.5, 0.8), (0.4, 0.6, 0.9), (0.6, 0.7, 1.0))
    world.state.economy.wallet[:3] = (1, 2, 6)
    world.run()
    seen = world.out.measures
    assert int(seen.alive) == 3
    assert seen.need_mean == pytest.approx([0.4, 0.6, 0.9])
    assert seen.need_min == pytest.approx([0.2, 0.5, 0.8])
    assert (float(seen.wallet_mean), float(seen.wallet_min)) == (3, 1)
    assert seen.wallet_gini == pytest.approx(2 * (1 + 5 + 4) / (2 * 9 * 3))
    assert seen.reward_min == pytest.approx(min(world.out.reward[:3]))
    assert seen.reward_max == pytest.approx(max(world.out.reward[:3]))
    assert seen.reward_mean == pytest.approx(world.out.reward[:3].mean())
    assert seen.terms[0] == pytest.approx(0.02)
    assert seen.terms[1] == pytest.approx(world.out.outcomes.rewards.needs_penalty[:3].mean())
    assert seen.terms[2:] == pytest.approx([0] * 7)


def test_an_empty_town_measures_zeros() -> None:
    world = World(living=0)
    world.run()
    seen = world.out.measures
    for name in ("alive", "wallet_mean", "wallet_min", "wallet_gini", "reward_mean", "reward_min", "reward_max"):
        assert getattr(seen, name) == 0, name
    assert (seen.need_mean == 0).all()
    assert (seen.need_min == 0).all()
    assert (seen.actions == 0).all()
    assert (seen.refusals == 0).all()
    assert seen.trust_mean == seen.rivalry_max == seen.known_ties == 0
    assert seen.stock.tolist() == [24, 46]


def test_poor_towns_have_no_gini() -> None:
    world = World()
    world.state.economy.wallet[:6] = 0
    world.run()
    assert world.out.measures.wallet_gini == 0


def test_ties_are_averaged_over_ordered_pairs_of_the_living() -> None:
    world = World(living=3)
    world.params.conflict.rivalry_decay[...] = 0
    world.tie(0, 1, trust=0.6, rivalry=0.3)
    world.tie(1, 0, familiarity=-0.6)
    world.run()
    seen = world.out.measures
    assert (seen.trust_mean, seen.familiarity_mean, seen.rivalry_mean) == pytest.approx((0.1, -0.1, 0.05))
    assert seen.rivalry_max == pytest.approx(0.3)
    assert int(seen.known_ties) == 2


def test_queues() -> None:
    world = World()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.queue(1, BENCH, ticket=0)
    world.queue(2, BENCH, ticket=1)
    world.hold(3, SHOWER, USE_SHOWER, remaining=9)
    world.queue(4, SHOWER, ticket=0)
    world.run()
    assert world.out.measures.queue_length_mean == pytest.approx(3 / 11)
    assert int(world.out.measures.queue_length_max) == 2


def test_conflicts() -> None:
    world = World()
    world.at(20)
    world.hold(0, BENCH)
    world.state.queues.stalls[0] = 2
    world.queue(1, BENCH, ticket=0, joined=10)
    world.queue(2, BENCH, ticket=1, joined=10)
    outcomes = world.run()
    assert outcomes.conflicts.rival_wait[:3].tolist() == [-1, -1, 1]  # 1 holds now, 2 has waited ten ticks
    assert outcomes.conflicts.length_wait[2] == 2
    seen = world.out.measures
    assert (int(seen.conflicts), int(seen.ghost_steps), int(seen.impatience)) == (2, 1, 1)
    assert seen.conflict_intensity == pytest.approx(1.75 + 0.65)
    assert int(seen.rotations) == 1
    assert world.state.tally.count[:3, Counter.CONFLICTS].tolist() == [1, 2, 1]


def test_kinds_reasons_starts_finishes_aborts() -> None:
    world = World()
    world.begin(BLACKOUT, until=9)
    world.hold(0, SHOWER, USE_SHOWER, remaining=9)
    world.hold(1, BENCH, REST_BENCH, remaining=1)
    world.beside(2, FRIDGE)
    world.ask(2, Kind.USE, object=FRIDGE, affordance=EAT_MEAL)
    world.put(3, 1, 1)
    world.ask(3, Kind.MOVE, direction=Direction.NORTH)
    world.ask(4, Kind.LEAVE)
    world.intents.switched[[4, 9]] = True
    world.run()
    seen = world.out.measures
    assert seen.actions.tolist() == [3, 1, 0, 0, 1, 0, 0, 1, 0]
    assert np.flatnonzero(seen.refusals).tolist() == [Reason.BUMPED, Reason.NOT_WAITING]
    assert seen.starts.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert seen.finishes.tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert seen.aborts.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    assert seen.coins_spent == pytest.approx(0.4)
    assert int(seen.switches) == 1
    assert int(seen.active_perturbations) == 1


def test_goods() -> None:
    world = World()
    world.at(360)
    world.hold(0, STOVE, COOK_MEAL, remaining=1)
    world.run()
    seen = world.out.measures
    assert seen.stock.tolist() == [24 + 2 + 12, 46 + 20]
    assert seen.restocked.tolist() == [12, 20]
    assert world.state.economy.stock.sum(axis=0)[[MEALS, RAW]].tolist() == [38, 66]


def test_work() -> None:
    world = World()
    jobs = world.state.employment
    jobs.job[:3] = BARISTA
    world.at(360 + 8)
    jobs.shift_start_tick[:3] = 360
    jobs.flags[:2] = 1
    jobs.phase[:3] = (2, 2, 1)
    world.put(0, *world.params.world.site_tile[BARISTA])
    world.put(1, 14, 1)
    jobs.last_present_tick[:2] = (367, 340)
    world.run()
    seen = world.out.measures
    assert (int(seen.on_shift), int(seen.late_starts), int(seen.absences)) == (1, 1, 1)
    assert (int(seen.departures_early), int(seen.shifts_taken), int(seen.late_help)) == (1, 2, 1)
    assert seen.wages_paid == pytest.approx(0.02)
    assert seen.wages_withheld == pytest.approx(0.04)
    assert seen.fines == pytest.approx(0.2 + 0.105)
    counts = world.state.tally.count
    assert counts[:3, Counter.WAGE_TICKS].tolist() == [1, 0, 0]
    assert counts[:3, Counter.LATE_SHIFTS].tolist() == [0, 0, 1]
    assert counts[:3, Counter.ABSENT_SHIFTS].tolist() == [0, 1, 0]
    assert world.state.tally.withheld[:3] == pytest.approx([0, 0.02, 0.02])


def test_counters_of_affordances() -> None:
    world = World()
    world.hold(0, SHOWER)
    world.ask(0, Kind.START, object=SHOWER, affordance=USE_SHOWER)
    world.hold(1, FRIDGE)
    world.ask(1, Kind.START, object=FRIDGE, affordance=EAT_MEAL)
    world.hold(2, SHOWER_B, USE_SHOWER, remaining=1)
    world.hold(3, STOVE, COOK_MEAL, remaining=1)
    world.hold(4, FRIDGE_B, EAT_MEAL, remaining=1)
    world.run()
    counts = world.state.tally.count
    for counter, column in {
        Counter.SHOWERS_STARTED: [1, 0, 0, 0, 0],
        Counter.SHOWERS_TAKEN: [0, 0, 1, 0, 0],
        Counter.MEALS_CONSUMED: [0, 1, 0, 0, 0],
        Counter.MEALS_COOKED: [0, 0, 0, 2, 0],
    }.items():
        assert counts[:5, counter].tolist() == column, counter.name
    assert counts[:6].sum() == 5
    assert world.state.tally.spent[:3] == pytest.approx([0.2, 0.4, 0])


@pytest.mark.parametrize(
    ("reason", "counts"), [(Reason.WAITING, 0), (Reason.NONE, 0), (Reason.COOLDOWN, 1), (Reason.BAD_INDEX, 1)]
)
def test_waiting_is_no_refusal(reason: Reason, counts: int) -> None:
    world = World()
    if reason == Reason.WAITING:
        world.hold(1, BENCH)
    if reason == Reason.COOLDOWN:
        world.state.queues.cooldown_until[BENCH, 0] = 9
    world.beside(0, BENCH)
    world.ask(0, Kind.REQUEST, object=99 if reason == Reason.BAD_INDEX else BENCH)
    world.run()
    assert world.reason[0] == reason
    assert world.state.tally.count[0, Counter.REFUSED] == counts
    assert world.out.measures.refusals[reason] == (1 if reason != Reason.NONE else 0)


def test_column_none_stays_empty() -> None:
    world = World()
    world.ask(9, Kind.LEAVE)
    world.run()
    for name in ("refusals", "aborts", "exits"):
        assert (getattr(world.out.measures, name) == 0).all(), name


def test_a_leaver_is_still_measured_but_its_life_is_forgotten() -> None:
    world = World()
    world.state.lifecycle.condemned[0] = 1
    world.state.tally.count[0, Counter.REFUSED] = 4
    world.run()
    assert int(world.out.measures.alive) == 6
    assert int(world.out.measures.exits.sum()) == 1
    assert world.state.tally.count[0].sum() == 0


def test_arrivals_and_utilities() -> None:
    world = World()
    world.state.lifecycle.respawn_tick[9] = 1
    world.order(OUTAGE, due=1, ticks=3)
    world.run()
    assert (int(world.out.measures.arrivals), int(world.out.measures.alive)) == (1, 7)
    assert int(world.out.measures.active_perturbations) == 1
    assert int(world.out.measures.forced_reuses) == 0
