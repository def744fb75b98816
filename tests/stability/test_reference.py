"""The analysers on recorded chaos agree with a slow reference, tick by tick; other numbers compile nothing."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core import stories

from stability.bench import settings
from stability.reference import NAMES, Reference
from townlet_jax.stability import analysers, thresholds
from townlet_jax.stability.alerts import ring_rows

EAGER: dict[str, Any] = {  # numbers under which much is raised and much is not
    "queue_fairness_pressure": {"threshold": 1},
    "rivalry_spike": {"window_ticks": 40, "threshold": 3},
    "starvation_spike": {"window_ticks": 60, "min_duration": 3, "level": 0.3, "max_incidents": 2},
    "option_thrashing": {"window_ticks": 30, "rate": 0.102},
    "reward_variance_spike": {"window_ticks": 50, "max_variance": 0.02},
    "affordance_failures_exceeded": {"threshold": 0},
    "lateness_spike": {"threshold": 12},
    "promotion": {"window_ticks": 16, "allowed_alerts": ("queue_fairness_pressure", "employment_exit_backlog")},
}


@jax.jit
def _lives(params: Any, known: Any, before: Any, after: Any, out: Any) -> Any:
    def town(params: Any, known: Any, *rows: Any) -> Any:
        def step(known: Any, row: Any) -> Any:
            first, last, output = row
            known = analysers.judged(params, known, before=first, after=last, output=output, bucket=7)
            return known, (known.alerts, known.window)

        return jax.lax.scan(step, known, rows)

    return jax.vmap(town, in_axes=(0, None, 1, 1, 1))(params, known, before, after, out)


def _mornings(story: Any, numbers: dict[str, Any]) -> Any:
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf[0, 0]), story.before)
    return analysers.begun(thresholds(numbers), ring_rows(numbers, 7), state)


def _warned(params: Any) -> Any:
    """Return the numbers of a story with low limits for queues of leavers and for reused identity slots."""
    made = jax.tree.map(np.array, params)
    made.embeddings.reuse_warning[:], made.employment.exit_queue_limit[:] = 0.01, 1
    return made


def test_a_slow_reference_agrees() -> None:
    story = stories.told("dense")
    numbers, town_params = settings(**EAGER), _warned(story.params)
    _, seen = _lives(town_params, _mornings(story, numbers), story.before, story.after, story.out)
    alerts, windows = jax.tree.map(np.asarray, seen)
    raised: set[str] = set()
    quiet: set[str] = set()
    for town in range(stories.TOWNS):
        params = jax.tree.map(lambda leaf, town=town: leaf[town], town_params)
        slow = Reference(settings=numbers, bucket=7)
        for i in range(stories.TICKS):
            rows = (
                jax.tree.map(lambda leaf, i=i, town=town: leaf[i, town], part)
                for part in (story.before, story.after, story.out)
            )
            expected = slow.see(params, *rows)
            found = [name for name, stands in zip(NAMES, alerts[town, i], strict=True) if stands]
            assert found == expected, f"town {town}, row {i}"
            raised |= set(found)
            quiet |= set(NAMES) - set(found)
            window = jax.tree.map(lambda leaf, i=i, town=town: leaf[town, i], windows)
            assert (window.pass_streak, window.last_result, window.last_evaluated_tick) == (
                slow.streak, slow.result, slow.evaluated,
            ), f"town {town}, row {i}"  # fmt: skip
            assert bool(window.has_failed) == slow.window_failed
            np.testing.assert_allclose(window.last_sums, slow.last_sums, rtol=1e-5)
    assert raised >= set(NAMES) - {"embedding_reuse_warning"}, "the story is lively"
    assert quiet == set(NAMES)


def test_other_numbers_are_other_inputs() -> None:
    story = stories.told("dense")
    before = _lives._cache_size()
    numbers = settings(
        **EAGER | {"rivalry_spike": {"window_ticks": 21, "threshold": 1}, "lateness_spike": {"threshold": 1}}
    )
    _lives(story.params, _mornings(story, numbers), story.before, story.after, story.out)
    assert _lives._cache_size() == max(before, 1)
