"""Towns whose best policy is known: PPO finds it."""

import pytest
from hamlet import BY_HUNGER, CONSTANT, MOVING, mean_reward, trained

pytestmark = pytest.mark.slow  # compiles the whole learner: minutes on a cold cache


def test_values_become_the_discounted_sum_of_a_constant_reward() -> None:
    """With 1 in every tick and a discount of 0.5 everything is worth 2."""
    _, reports = trained(CONSTANT, 30, trace_decay=0.9)
    assert all(mean_reward(report) == 1 for report in reports)
    assert float(reports[0].value_mean) == pytest.approx(0, abs=1.5)
    assert float(reports[-1].value_mean) == pytest.approx(2, abs=0.1)


def test_the_one_thing_that_is_paid_is_done() -> None:
    _, reports = trained(MOVING, 40)
    assert mean_reward(reports[0]) < 0.7
    assert mean_reward(reports[-1]) > 0.93
    assert float(reports[-1].terms.entropy) < float(reports[0].terms.entropy)


def test_what_is_paid_may_depend_on_what_is_seen() -> None:
    """The hungry shall stay, the others move: never one action for all."""
    _, reports = trained(BY_HUNGER, 60)
    assert mean_reward(reports[0]) < 0.7
    assert mean_reward(reports[-1]) > 0.85
