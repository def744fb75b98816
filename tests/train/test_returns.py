"""Advantages and targets: worked numbers, a loop that says the same, and everything that must not pass through."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from train.returns import Estimates, Steps, advantages, decays, next_values

DISCOUNT, TRACE_DECAY = 0.99, 0.95
NAN = float("nan")


def steps(**rows: Any) -> Steps:
    """Return steps of one agent; flags that are not given are false, all steps valid."""
    length = len(rows["reward"])
    flags = {"terminated": [False] * length, "truncated": [False] * length, "valid": [True] * length}
    floats = {name: jnp.asarray(rows[name], jnp.float32) for name in ("reward", "value", "next_value")}
    return Steps(**floats, **{name: jnp.asarray(rows.get(name, flag)) for name, flag in flags.items()})


def estimates(given: Steps) -> Estimates:
    """Return advantages and targets with the discount and trace decay of the worked numbers."""
    return advantages(given, discount=DISCOUNT, trace_decay=TRACE_DECAY)


def close(actual: Any, expected: Any) -> None:
    """Assert agreement to 1e-5."""
    np.testing.assert_allclose(np.asarray(actual), expected, atol=1e-5)


def test_trace_that_ends_with_a_death() -> None:
    given = steps(reward=[1, 0, 1], value=[0.5, 0.4, 0.3], next_value=[0.4, 0.3, NAN], terminated=[False, False, True])
    result = estimates(given)
    close(result.advantage, [1.418307, 0.555350, 0.700000])  # rule book 16.1, V36
    close(result.target, [1.918307, 0.955350, 1.0])


def test_trace_that_runs_on() -> None:
    result = estimates(steps(reward=[1, 0, 1], value=[0.5, 0.4, 0.3], next_value=[0.4, 0.3, 0.2]))
    close(result.advantage, [1.593446, 0.741569, 0.898])  # V37


def test_trace_that_is_truncated_bootstraps_from_the_final_observation() -> None:
    truncated = jnp.asarray([False, True, False])
    value = jnp.asarray([0.5, 0.4, 0.3])
    following = next_values(value, last=jnp.float32(0.2), truncated=truncated, final=jnp.asarray([NAN, 0.35, NAN]))
    close(following, [0.4, 0.35, 0.2])
    result = estimates(steps(reward=[1, 0, 1], value=value, next_value=following, truncated=truncated))
    close(result.advantage, [0.845683, -0.0535, 0.898])  # V37


def test_a_vacancy_parts_two_individuals() -> None:
    """Death in row 1, nobody in rows 2 and 3 (arrival is no act), the next individual acts from row 4 on."""
    given = steps(
        reward=[1, -1, NAN, NAN, 2, 1],
        value=[0.5, 0.4, NAN, NAN, 0.3, 0.2],
        next_value=[0.4, NAN, NAN, 0.3, 0.2, 0.1],
        terminated=[False, True, False, False, False, False],
        valid=[True, True, False, False, True, True],
    )
    first = steps(reward=[1, -1], value=[0.5, 0.4], next_value=[0.4, 0], terminated=[False, True])
    second = steps(reward=[2, 1], value=[0.3, 0.2], next_value=[0.2, 0.1])
    result = estimates(given)
    assert estimates(first).advantage[1] == pytest.approx(-1.4)
    close(result.advantage, [*estimates(first).advantage, 0, 0, *estimates(second).advantage])
    close(result.target, [*estimates(first).target, 0, 0, *estimates(second).target])


def test_a_slot_emptied_from_outside_is_bootstrapped_once() -> None:
    given = steps(reward=[1, 5], value=[0.5, 7], next_value=[0.4, 9], valid=[True, False], terminated=[False, False])
    close(estimates(given).advantage, [1 + 0.99 * 0.4 - 0.5, 0])


def test_death_outranks_the_time_limit() -> None:
    given = steps(reward=[1.0], value=[0.5], next_value=[NAN], terminated=[True], truncated=[True])
    close(estimates(given).advantage, [0.5])


def test_traces_say_what_a_loop_says() -> None:
    """Every advantage is the sum of (g l)^k delta up to and with the first cut."""
    random = np.random.default_rng(3)
    shape = (40, 3, 5)
    reward, value, following = random.normal(size=(3, *shape)).astype(np.float32)
    valid = random.random(shape) < 0.8
    terminated = (random.random(shape) < 0.1) & valid
    truncated = (random.random(shape) < 0.1) & valid & ~terminated
    result = estimates(
        steps(
            reward=reward,
            value=value,
            next_value=following,
            terminated=terminated,
            truncated=truncated,
            valid=valid,
        )
    )
    expected = np.zeros(shape)
    for place in np.ndindex(*shape):
        step, factor = place[0], 1.0
        while step < shape[0] and valid[(here := (step, *place[1:]))]:
            bootstrap = 0.0 if terminated[here] else DISCOUNT * following[here]
            expected[place] += factor * (reward[here] + bootstrap - value[here])
            if terminated[here] or truncated[here]:
                break
            step, factor = step + 1, factor * DISCOUNT * TRACE_DECAY
    close(result.advantage, expected)
    close(result.target, np.where(valid, expected + value, 0))


def test_without_trace_decay_an_advantage_is_the_error_of_one_step() -> None:
    given = steps(reward=[1, 1, 1], value=[0.4, 0.4, 0.4], next_value=[0.4, 0.0, -0.2])
    close(advantages(given, discount=0.5, trace_decay=0.0).advantage, [0.8, 0.6, 0.5])


def test_with_a_full_trace_a_target_is_the_discounted_return() -> None:
    """1 + 1/2 (1 + 1/2 (1 + 1/2 bootstrap)) with a bootstrap of -0.2."""
    given = steps(reward=[1, 1, 1], value=[0.4, 0.3, 0.6], next_value=[0.3, 0.6, -0.2])
    close(advantages(given, discount=0.5, trace_decay=1.0).target, [1.725, 1.45, 0.9])


def test_where_options_are_kept_the_estimates_are_those_of_a_process_of_decisions() -> None:
    """A loop over decisions: earn until the next one, then its value, and the trace decays once a decision."""
    random = np.random.default_rng(3)
    length, decided = 30, [0, 1, 5, 6, 17, 24]
    reward, value = random.normal(size=length), random.normal(size=length + 1)
    chosen = np.isin(np.arange(length), decided)
    given = steps(reward=reward, value=value[:-1], next_value=value[1:])
    result = advantages(given, discount=DISCOUNT, trace_decay=decays(jnp.asarray(chosen), TRACE_DECAY))
    expected = {}
    later = 0.0
    for at, until in reversed(list(zip(decided, [*decided[1:], length], strict=True))):
        earned = sum(DISCOUNT**tick * reward[at + tick] for tick in range(until - at))
        ahead = DISCOUNT ** (until - at)
        later = earned + ahead * value[until] - value[at] + ahead * TRACE_DECAY * later
        expected[at] = later
    close(result.advantage[np.asarray(decided)], [expected[at] for at in decided])


def test_with_a_choice_in_every_tick_the_decay_is_that_of_every_tick() -> None:
    given = steps(reward=[1, 0, 1], value=[0.5, 0.4, 0.3], next_value=[0.4, 0.3, 0.2])
    result = advantages(given, discount=DISCOUNT, trace_decay=decays(jnp.ones(3, bool), TRACE_DECAY))
    close(result.advantage, estimates(given).advantage)
