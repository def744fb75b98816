"""Each analyser on ticks written by hand (MECHANICS 9.2), with its edges."""

import numpy as np
import pytest

from stability.bench import Bench
from townlet_jax.core.enums import Abort, Kind, Reason
from townlet_jax.stability import NAMES, Alert
from townlet_jax.stability.alerts import ring_rows

NOTHING: frozenset[Alert] = frozenset()


def test_names_are_those_of_the_rules() -> None:
    assert NAMES == (
        "queue_fairness_pressure", "rivalry_spike", "starvation_spike", "option_thrashing", "reward_variance_spike",
        "embedding_reuse_warning", "affordance_failures_exceeded", "lateness_spike", "employment_exit_queue_overflow",
        "employment_exit_backlog",
    )  # fmt: skip


def test_a_quiet_town_raises_nothing() -> None:
    town = Bench()
    assert [town.see(tick) for tick in range(1, 4)] == [NOTHING] * 3
    assert ring_rows({"x": 1} | _windows(1000), 50) == 20
    assert ring_rows(_windows(1001), 50) == 21


def _windows(longest: int) -> dict[str, dict[str, int]]:
    names = ("rivalry_spike", "starvation_spike", "option_thrashing", "reward_variance_spike")
    return {name: {"window_ticks": longest if name == "starvation_spike" else 1} for name in names}


@pytest.mark.parametrize("counter", ["ghost_steps", "rotations"])
def test_queue_pressure_is_the_increment_of_a_tick(counter: str) -> None:
    town = Bench(queue_fairness_pressure={"threshold": 5})
    getattr(town.before.queues, counter)[...], getattr(town.after.queues, counter)[...] = 100, 104
    assert town.see(1) == NOTHING
    getattr(town.before.queues, counter)[...], getattr(town.after.queues, counter)[...] = 104, 109
    assert town.see(2) == {Alert.QUEUE_FAIRNESS_PRESSURE}
    assert town.reading(Alert.QUEUE_FAIRNESS_PRESSURE) == 5
    assert town.see(3) == NOTHING, "what was raised once is over in the next tick"


def test_cooldowns_are_no_queue_pressure() -> None:
    town = Bench()
    town.after.queues.cooldown_events[...] = 90
    assert town.see(1) == NOTHING


def test_strong_conflicts_add_up_over_the_window_in_buckets() -> None:
    town = Bench(rivalry_spike={"window_ticks": 100, "threshold": 5})
    town.params.conflict.avoid_threshold[...] = 0.7
    town.quarrel(0.7, 0.69, 5.0)
    assert town.see(49) == NOTHING
    assert town.reading(Alert.RIVALRY_SPIKE) == 2, "0.7 is strong enough, 0.69 is not"
    town.quarrel(1.0, 1.0, 1.0)
    assert town.see(50) == {Alert.RIVALRY_SPIKE}
    assert town.see(99) == {Alert.RIVALRY_SPIKE}, "two buckets, 0 and 1, are remembered"
    assert town.see(100) == NOTHING
    assert town.reading(Alert.RIVALRY_SPIKE) == 3, "bucket 0 is out of the window, bucket 1 in it"
    assert town.see(150) == NOTHING
    assert town.reading(Alert.RIVALRY_SPIKE) == 0


def test_a_ghost_step_counts_like_impatience_and_vacant_rows_do_not() -> None:
    town = Bench(rivalry_spike={"threshold": 2})
    town.out.outcomes.conflicts.intensity_wait[3] = 9.0  # of nobody
    town.out.outcomes.conflicts.rival_ghost[2], town.out.outcomes.conflicts.intensity_ghost[2] = 1, 1.5
    town.quarrel(0.9)
    assert town.see(7) == {Alert.RIVALRY_SPIKE}
    assert town.reading(Alert.RIVALRY_SPIKE) == 2


def test_parity_counts_one_tick_with_bucket_one() -> None:
    town = Bench(bucket=1, rivalry_spike={"window_ticks": 1, "threshold": 2}, **_exact())
    town.quarrel(1.0)
    assert town.see(1) == NOTHING
    town.quarrel(1.0)
    assert town.see(2) == NOTHING, "a window of one tick is this tick"
    town.quarrel(1.0, 1.0)
    assert town.see(3) == {Alert.RIVALRY_SPIKE}
    assert town.see(4) == NOTHING


def _exact() -> dict[str, dict[str, int]]:
    return {name: {"window_ticks": 3} for name in ("starvation_spike", "option_thrashing", "reward_variance_spike")}


def test_bucket_one_gives_exact_windows() -> None:
    town = Bench(bucket=1, rivalry_spike={"window_ticks": 3, "threshold": 1}, **_exact())
    town.quarrel(1.0)
    assert [town.see(tick) for tick in range(1, 6)] == [{Alert.RIVALRY_SPIKE}] * 3 + [NOTHING] * 2


def test_starvation_counts_once_a_streak() -> None:
    town = Bench(starvation_spike={"window_ticks": 100, "min_duration": 3, "level": 0.05, "max_incidents": 0})

    def hungry(tick: int, *slots: int, level: float = 0.05) -> frozenset[Alert]:
        for slot in slots:
            town.out.seen.needs.level[slot, 0] = level
        return town.see(tick)

    assert [hungry(1, 0), hungry(2, 0)] == [NOTHING] * 2
    assert hungry(3, 0) == {Alert.STARVATION_SPIKE}
    assert np.asarray(town.known.starving_ticks)[0] == 3
    hungry(4, 0, 1)
    hungry(5, 0, 1)
    assert town.reading(Alert.STARVATION_SPIKE) == 1, "a streak is one incident, however long"
    hungry(6, 1)
    assert town.reading(Alert.STARVATION_SPIKE) == 2
    assert np.asarray(town.known.starving_ticks)[:2].tolist() == [0, 3]
    hungry(7, 0, level=0.0501)
    assert np.asarray(town.known.starving_ticks)[0] == 0


def test_the_hunger_level_is_tolerant_and_leavers_lose_their_streak() -> None:
    town = Bench(starvation_spike={"min_duration": 2, "level": 0.05, "max_incidents": 1})
    town.out.seen.needs.level[0, 0] = 0.05 + 0.9e-5
    town.out.seen.needs.level[1, 0] = 0.0
    town.out.outcomes.departures.gone[1] = True
    town.see(1)
    assert np.asarray(town.known.starving_ticks)[:2].tolist() == [1, 0]
    town.out.seen.needs.level[0, 0] = 0.0
    assert town.see(2) == NOTHING, "one incident is allowed"
    town.out.seen.needs.level[23, 0] = 0.0  # a vacant slot
    town.see(3)
    assert int(np.asarray(town.known.starving_ticks)[23]) == 0


def test_thrashing_needs_samples_and_a_rate_above_the_limit() -> None:
    town = Bench(option_thrashing={"window_ticks": 100, "min_samples": 12, "rate": 0.25})
    town.out.measures.switches[...] = 6
    assert town.see(1) == NOTHING, "six agent-ticks are too few"
    assert town.reading(Alert.OPTION_THRASHING) == 1.0
    assert town.see(2) == {Alert.OPTION_THRASHING}
    assert town.reading(Alert.OPTION_THRASHING) == 0.5
    town.see(3)
    assert town.see(4) == NOTHING
    assert town.reading(Alert.OPTION_THRASHING) == 0.25, "the limit itself is no alert"


def test_reward_variance() -> None:
    town = Bench(reward_variance_spike={"window_ticks": 100, "min_samples": 12, "max_variance": 0.2})
    town.out.reward[:6] = [1, 1, 1, 0, 0, 0]
    assert town.see(1) == NOTHING, "six rewards are too few"
    town.out.reward[:6] = [1, 1, 1, 0, 0, 0]
    town.out.reward[20] = 99.0  # of a vacant slot
    assert town.see(2) == {Alert.REWARD_VARIANCE_SPIKE}
    assert town.reading(Alert.REWARD_VARIANCE_SPIKE) == pytest.approx(0.25)


def test_reuse_of_identity_slots() -> None:
    town = Bench()
    town.params.embeddings.reuse_warning[...] = 0.1
    town.after.embeddings.forced_reuses[...], town.after.embeddings.allocations[...] = 1, 10
    assert town.see(1) == NOTHING
    town.after.embeddings.forced_reuses[...], town.after.embeddings.allocations[...] = 2, 10
    assert town.see(2) == {Alert.EMBEDDING_REUSE_WARNING}
    town.params.embeddings.reuse_warning[...] = 0
    town.after.embeddings.forced_reuses[...], town.after.embeddings.allocations[...] = 2, 0
    assert town.see(3) == NOTHING


def test_failures_of_holders_and_aborts() -> None:
    town = Bench(affordance_failures_exceeded={"threshold": 3})
    town.fail(0, Kind.START, Reason.CLOSED, held=2, asked=2)
    town.fail(1, Kind.USE, Reason.CLOSED, held=3, asked=2)  # holds something else
    town.fail(2, Kind.USE, Reason.NO_MONEY, held=-1, asked=4)  # was granted it in this tick
    town.fail(3, Kind.REQUEST, Reason.CLOSED, held=5, asked=5)  # no start
    town.fail(4, Kind.START, Reason.PRECONDITION, held=6, asked=6)
    town.fail(5, Kind.START, Reason.NOT_HOLDER, held=-1, asked=7)
    assert town.see(1) == NOTHING
    assert town.reading(Alert.AFFORDANCE_FAILURES_EXCEEDED) == 3
    town.fail(0, Kind.START, Reason.WRONG_TYPE, held=2, asked=2)
    town.fail(1, Kind.START, Reason.CLOSED, held=3, asked=3)
    town.out.outcomes.shocks.relocated[1] = 0  # was led away first
    town.out.outcomes.aborts.reason[:3] = [Abort.NIGHT, Abort.UTILITY_OFF, Abort.DEPARTED]
    assert town.see(2) == {Alert.AFFORDANCE_FAILURES_EXCEEDED}
    assert town.reading(Alert.AFFORDANCE_FAILURES_EXCEEDED) == 4


def test_lateness_is_the_sum_over_the_living() -> None:
    town = Bench(lateness_spike={"threshold": 30})
    town.out.seen.employment.late_today[:3] = [10, 20, 0]
    town.out.seen.employment.late_today[23] = 50  # nobody
    assert town.see(1) == NOTHING
    assert town.reading(Alert.LATENESS_SPIKE) == 30
    town.out.seen.employment.late_today[:3] = [10, 20, 1]
    assert town.see(2) == {Alert.LATENESS_SPIKE}


def test_exit_queues_overflow_or_back_up() -> None:
    town = Bench()
    town.params.employment.exit_queue_limit[...] = 2
    town.after.exits.asked_tick[:2] = 1
    assert town.see(1) == {Alert.EMPLOYMENT_EXIT_BACKLOG}
    town.after.exits.asked_tick[:3] = 1
    assert town.see(2) == {Alert.EMPLOYMENT_EXIT_QUEUE_OVERFLOW}
    town.params.employment.exit_queue_limit[...] = 0
    town.after.exits.asked_tick[:3] = 1
    assert town.see(3) == {Alert.EMPLOYMENT_EXIT_BACKLOG}
    assert town.see(4) == NOTHING


@pytest.mark.parametrize("alert", list(Alert))
def test_a_limit_below_zero_switches_an_analyser_off(alert: Alert) -> None:
    town = Bench(
        rivalry_spike={"threshold": 0},
        option_thrashing={"rate": 0.0, "min_samples": 0},
        reward_variance_spike={"max_variance": 0.0, "min_samples": 0},
        queue_fairness_pressure={"threshold": 0},
        affordance_failures_exceeded={"threshold": 0},
        lateness_spike={"threshold": 0},
        starvation_spike={"min_duration": 1, "max_incidents": 0},
    )
    rules = town.known.thresholds
    town.known = town.known.replace(thresholds=rules.replace(limit=rules.limit.at[alert].set(-1)))

    def trouble() -> None:
        town.out.seen.needs.level[0, 0] = 0.0
        town.out.measures.switches[...] = 1
        town.out.reward[0] = 1.0
        town.out.outcomes.aborts.reason[0] = Abort.NIGHT
        town.out.seen.employment.late_today[0] = 1
        town.after.exits.asked_tick[0] = 1
        town.params.embeddings.reuse_warning[...] = 0.1
        town.after.embeddings.forced_reuses[...], town.after.embeddings.allocations[...] = 2, 10

    trouble()
    expected = set(Alert) - {alert, Alert.EMPLOYMENT_EXIT_QUEUE_OVERFLOW}
    assert town.see(1) == expected


def test_an_old_row_is_emptied_when_its_place_is_needed_again() -> None:
    town = Bench(rivalry_spike={"window_ticks": 1000, "threshold": 1})
    town.quarrel(1.0)
    assert town.see(10) == {Alert.RIVALRY_SPIKE}
    assert town.see(999) == {Alert.RIVALRY_SPIKE}
    assert town.see(1010) == NOTHING, "bucket 20 took the row of bucket 0"
    assert np.asarray(town.known.ring_bucket)[0] == 20
    assert not np.asarray(town.known.ring)[0, 6]
