"""Promotion windows (MECHANICS 9.3 and worked number 51)."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from stability.bench import Bench
from townlet_jax.core.enums import Exit, Phase
from townlet_jax.stability import Result, Sum

NOISY = {"affordance_failures_exceeded": {"threshold": 0}}


def town(**promotion: Any) -> Bench:
    """Return a town in which one abort is an alert."""
    return Bench(**NOISY, promotion=promotion)


def alarm(bench: Bench, tick: int) -> None:
    """Let a tick raise an alert."""
    bench.out.outcomes.aborts.reason[0] = 1
    assert bench.see(tick)


def test_without_alerts_the_streak_is_one_at_1000_and_two_at_2000() -> None:
    bench = town()
    bench.see(1)
    bench.see(999)
    assert bench.window == {
        "start": 0, "has_failed": False, "pass_streak": 0, "is_ready": False, "last_evaluated_tick": -1,
        "last_result": Result.NONE,
    }  # fmt: skip
    bench.see(1000)
    assert (bench.window["pass_streak"], bench.window["last_evaluated_tick"], bench.window["start"]) == (1, 999, 1000)
    assert not bench.window["is_ready"]
    bench.see(2000)
    assert (bench.window["pass_streak"], bench.window["is_ready"]) == (2, True)


def test_an_alert_of_tick_1000_fails_the_window_that_begins_there() -> None:
    bench = town()
    alarm(bench, 1000)
    assert (bench.window["pass_streak"], bench.window["last_result"]) == (1, Result.PASS), "[0, 999] was well"
    assert bench.window["has_failed"]
    bench.see(1999)
    assert bench.window["last_result"] == Result.PASS
    bench.see(2000)
    assert (bench.window["pass_streak"], bench.window["last_result"]) == (0, Result.FAIL)
    assert (bench.window["last_evaluated_tick"], bench.window["has_failed"]) == (1999, False)
    bench.see(3000)
    assert (bench.window["pass_streak"], bench.window["is_ready"]) == (1, False)


def test_a_failed_window_takes_readiness_away() -> None:
    bench = town(window_ticks=10, required_passes=1)
    bench.see(10)
    assert bench.window["is_ready"]
    alarm(bench, 15)
    assert bench.window["is_ready"], "until the window is over"
    bench.see(20)
    assert not bench.window["is_ready"]


def test_allowed_alerts_fail_nothing() -> None:
    bench = town(window_ticks=10, allowed_alerts=("affordance_failures_exceeded",))
    alarm(bench, 5)
    bench.see(10)
    assert bench.window["last_result"] == Result.PASS


def test_windows_of_one_tick() -> None:
    bench = town(window_ticks=1, required_passes=2)
    streaks = []
    for tick in range(1, 7):
        if tick == 3:
            alarm(bench, tick)
        else:
            bench.see(tick)
        streaks.append(bench.window["pass_streak"])
    assert streaks == [1, 2, 3, 0, 1, 2], "the window [3, 3] is judged in tick 4"


def test_windows_that_were_made_shorter_end_at_once() -> None:
    bench = town(window_ticks=1000)
    alarm(bench, 30)
    rules = bench.known.thresholds
    bench.known = bench.known.replace(thresholds=rules.replace(promotion_ticks=jnp.int32(10)))
    bench.see(45)
    assert (bench.window["start"], bench.window["last_evaluated_tick"], bench.window["pass_streak"]) == (40, 39, 3)


def test_key_figures_are_those_of_the_ticks_of_the_window() -> None:
    bench = town(window_ticks=10)

    def lively() -> None:
        bench.out.measures.conflict_intensity[...] = 1.5
        bench.out.measures.late_help[...] = 2
        bench.out.measures.exits[Exit.FAINT] = 1
        bench.out.seen.employment.phase[:2] = Phase.LATE
        bench.out.seen.employment.phase[23] = Phase.LATE  # nobody

    lively()
    bench.see(9)
    assert np.asarray(bench.known.window.last_sums).tolist() == [0] * 5
    lively()
    bench.see(10)
    assert np.asarray(bench.known.window.last_sums).tolist() == [1.5, 2, 2, 1, 6]
    assert np.asarray(bench.known.window.sums)[Sum.LATE_TICKS] == 2
    bench.see(20)
    assert np.asarray(bench.known.window.last_sums).tolist() == [1.5, 2, 2, 1, 6]
    bench.see(30)
    assert np.asarray(bench.known.window.last_sums).tolist() == [0, 0, 0, 0, 6]
