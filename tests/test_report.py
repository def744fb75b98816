"""Key figures by hand: formulas, spread, sums over chunks."""

import json
from typing import Any

import numpy as np
import pytest

from townlet_jax import report
from townlet_jax.core.enums import NUM_ABORTS, NUM_EXITS, NUM_REASONS, Exit, Reason

AFFORDANCES = ("eat_meal", "use_shower")
DAY = 100


def totals(**changes: Any) -> dict[str, np.ndarray]:
    """Return the totals of two towns: 200 ticks, 4 and 2 living agents (8 and 4 agent-days), nothing happening."""
    per_town = np.zeros(2)
    made: dict[str, Any] = {f"sums.{name}": per_town for name in report.PER_AGENT_DAY.values()}
    made |= {f"sums.{name}": per_town for name in report.PER_TICK.values()}
    made |= {
        "ticks": np.array([200.0, 200.0]),
        "sums.alive": np.array([800.0, 400.0]),
        "sums.need_mean": np.array([[100.0, 120.0, 140.0], [160.0, 180.0, 200.0]]),
        "sums.rent_unpaid": per_town,
        "sums.exits": np.zeros((2, NUM_EXITS)),
        "sums.starts": np.zeros((2, len(AFFORDANCES))),
        "sums.finishes": np.zeros((2, len(AFFORDANCES))),
        "sums.aborts": np.zeros((2, NUM_ABORTS)),
        "sums.refusals": np.zeros((2, NUM_REASONS)),
        "need_min": np.array([[0.4, 0.5, 0.6], [0.1, 0.2, 0.3]]),
        "wallet_min": np.array([1.5, 0.0]),
        "on_time_ticks": per_town,
        "shift_ticks": per_town,
        "faint_age_ticks": per_town,
        "rents_paid": per_town,
    }
    return made | changes


def figures(**changes: Any) -> dict[str, np.ndarray]:
    """Return the figures of two towns with some totals changed."""
    return report.key_figures(totals(**changes), affordances=AFFORDANCES, ticks_per_day=DAY)


def test_rates_are_per_agent_day() -> None:
    made = figures(**{"sums.chats_ok": np.array([24.0, 6.0]), "sums.starts": np.array([[16.0, 4.0], [2.0, 0.0]])})
    np.testing.assert_allclose(made["chats_ok_per_agent_day"], [3.0, 1.5])
    np.testing.assert_allclose(made["starts_eat_meal_per_agent_day"], [2.0, 0.5])
    np.testing.assert_allclose(made["starts_use_shower_per_agent_day"], [0.5, 0.0])


def test_means_are_per_tick() -> None:
    made = figures(**{"sums.wallet_mean": np.array([500.0, 50.0]), "sums.reward_mean": np.array([4.0, -2.0])})
    np.testing.assert_allclose(made["alive"], [4.0, 2.0])
    np.testing.assert_allclose(made["wallet_mean"], [2.5, 0.25])
    np.testing.assert_allclose(made["hygiene_mean"], [0.6, 0.9])
    np.testing.assert_allclose(made["energy_min"], [0.6, 0.3])
    np.testing.assert_allclose(made["reward_mean"], [0.02, -0.01])
    np.testing.assert_allclose(made["reward_per_agent_day"], [2.0, -1.0])


def test_punctuality_solvency_and_survival() -> None:
    exits = np.zeros((2, NUM_EXITS))
    exits[0, Exit.FAINT] = 4
    made = figures(
        **{
            "on_time_ticks": np.array([90.0, 0.0]),
            "shift_ticks": np.array([120.0, 0.0]),
            "rents_paid": np.array([6.0, 0.0]),
            "sums.rent_unpaid": np.array([2.0, 0.0]),
            "sums.exits": exits,
            "faint_age_ticks": np.array([1000.0, 0.0]),
        }
    )
    np.testing.assert_allclose(made["punctuality"], [0.75, np.nan])
    np.testing.assert_allclose(made["solvency"], [0.75, np.nan])
    np.testing.assert_allclose(made["survival_days"], [2.5, np.nan])
    np.testing.assert_allclose(made["exits_faint_per_agent_day"], [0.5, 0.0])


def test_refusals_leave_out_none_and_waiting() -> None:
    refusals = np.zeros((2, NUM_REASONS))
    refusals[0, [Reason.NONE, Reason.WAITING, Reason.BUMPED, Reason.NO_MONEY]] = (500, 50, 12, 4)
    np.testing.assert_allclose(figures(**{"sums.refusals": refusals})["refused_per_agent_day"], [2.0, 0.0])


def test_a_town_in_which_nobody_lives_has_no_rates() -> None:
    made = figures(**{"sums.alive": np.array([800.0, 0.0])})
    assert np.isnan(made["conflicts_per_agent_day"][1])
    assert made["alive"][1] == 0.0


def test_spread_of_known_values_only() -> None:
    values = np.array([np.nan, *range(101)])
    assert report.spread(values) == {"mean": 50.0, "p5": 5.0, "p50": 50.0, "p95": 95.0}
    nothing = report.spread(np.array([np.nan, np.nan]))
    assert json.dumps(nothing, allow_nan=False) == '{"mean": null, "p5": null, "p50": null, "p95": null}'


def test_chunks_add_up_and_the_lowest_stays() -> None:
    first = {"ticks": np.array([10.0]), "need_min": np.array([[0.5, 0.2, 0.3]]), "wallet_min": np.array([1.0])}
    second = {"ticks": np.array([5.0]), "need_min": np.array([[0.4, 0.6, 0.3]]), "wallet_min": np.array([2.0])}
    both = report.add(report.add(None, first), second)
    np.testing.assert_array_equal(both["ticks"], [15.0])
    np.testing.assert_array_equal(both["need_min"], [[0.4, 0.2, 0.3]])
    np.testing.assert_array_equal(both["wallet_min"], [1.0])


def test_long_sums_stay_exact() -> None:
    chunk = {"ticks": np.array([2.0**24 + 1.0])}
    assert report.add(report.add(None, chunk), {"ticks": np.array([1.0])})["ticks"][0] == 2**24 + 2


@pytest.mark.parametrize(
    ("name", "shown"),
    [("ada", "ada"), ("a\x1b[31mda", "a[31mda"), ("\u202eada", "ada"), ("a\nb\tc", "abc"), ("zoë", "zoë"), ("", "")],
)
def test_names_are_printable(name: str, shown: str) -> None:
    assert report.printable(name) == shown
