"""What is kept, on numbers alone."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.snapshots.retention import Best, Keep, best_of, removable

METRICS: dict[int, dict[str, float]] = {1: {"r": 3.0}, 2: {}, 3: {"r": 5.0}, 4: {"r": 5.0, "s": 1.0}, 5: {"r": -1.0}}


def metrics(step: int) -> Mapping[str, float]:
    """Return the metrics of the tests, none for other steps."""
    return METRICS.get(step, {})


@pytest.mark.parametrize(
    ("keep", "removed"),
    [
        (Keep(latest=None), []),
        (Keep(latest=2), [1, 2, 3]),
        (Keep(latest=9), []),
        (Keep(latest=0), [1, 2, 3, 4]),
        (Keep(latest=1, every=2), [1, 3]),
        (Keep(latest=1, best=Best("r")), [1, 2, 3]),
        (Keep(latest=1, best=Best("r", "max", 2)), [1, 2]),
        (Keep(latest=1, best=Best("r", "min", 2)), [2, 3, 4]),
        (Keep(latest=1, best=Best("nothing")), [1, 2, 3, 4]),
    ],
)
def test_rules(keep: Keep, removed: list[int]) -> None:
    assert removable([1, 2, 3, 4, 5], metrics, keep) == removed


def test_the_best_come_first_and_of_equal_ones_the_later() -> None:
    assert best_of([1, 2, 3, 4, 5], metrics, Best("r", "max", 3)) == [4, 3, 1]
    assert best_of([1, 2, 3, 4, 5], metrics, Best("r", "min", 2)) == [5, 1]


@given(
    steps=st.lists(st.integers(0, 50), unique=True, min_size=1),
    latest=st.integers(0, 5),
    every=st.integers(0, 9),
    count=st.integers(0, 3),
)
def test_the_newest_always_stays(steps: list[int], latest: int, every: int, count: int) -> None:
    keep = Keep(latest=latest, every=every, best=Best("r", "max", count))
    removed = removable(steps, lambda step: {"r": float(step % 7)}, keep)
    assert max(steps) not in removed
    assert removed == sorted(set(removed) & set(steps))
    assert len(steps) - len(removed) >= min(len(steps), latest)
    assert not [step for step in removed if every and step % every == 0]
