"""Ranks, first-true, guarded gathers, tolerant comparisons, rare work (core.arrays)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.core import arrays
from townlet_jax.core.enums import EPSILON, NOBODY


def test_tolerance() -> None:
    x = jnp.array([0.5, 0.5 - 0.9 * EPSILON, 0.5 - 2 * EPSILON], jnp.float32)
    assert arrays.at_least(x, 0.5).tolist() == [True, True, False]
    assert arrays.at_most(-x, -0.5).tolist() == [True, True, False]


def test_take_gives_the_default_outside() -> None:
    table = jnp.array([[1, 2], [3, 4]], jnp.int32)
    index = jnp.array([1, -1, 2, 0, 2**31 - 1, -(2**31)], jnp.int32)
    assert arrays.take(table, index, 9).tolist() == [[3, 4], [9, 9], [9, 9], [1, 2], [9, 9], [9, 9]]


def test_scatters_to_nobody_are_dropped() -> None:
    index = arrays.drop_unless(jnp.array([True, False]), jnp.array([1, -1], jnp.int32))
    assert jnp.zeros(3, jnp.int32).at[index].add(1, mode="drop").tolist() == [0, 1, 0]


def test_first_true() -> None:
    mask = jnp.array([[False, True, True], [False, False, False], [True, False, True]])
    assert arrays.first_true(mask).tolist() == [1, NOBODY, 0]


def test_first_min_and_max_take_the_lowest_index_on_ties() -> None:
    values = jnp.array([[3, 1, 1, 0], [5, 5, 5, 5]], jnp.int32)
    mask = jnp.array([[True, True, True, False], [False] * 4])
    assert arrays.first_min(values, mask).tolist() == [1, NOBODY]
    floats = jnp.array([[-0.0, 0.0, -1.5, 9.0], [-2.0, -1.0, -1.0, -3.0]])
    allowed = jnp.array([[True, True, True, False], [True] * 4])
    assert arrays.first_max(floats, allowed).tolist() == [0, 1]


def test_sortable_keeps_the_order_of_floats() -> None:
    values = np.array([-np.inf, -1e30, -1.5, -1e-40, -0.0, 0.0, 1e-40, 0.1, 1.5, 1e30, np.inf], np.float32)
    keys = np.asarray(arrays.sortable(jnp.asarray(values)))
    assert (np.diff(keys[[0, 1, 2, 4, 7, 8, 9, 10]]) > 0).all()
    assert keys[4] == keys[5]


def test_count_rank_wrap_bits() -> None:
    mask = jnp.array([True, False, True, True])
    assert int(arrays.count(mask)) == 3
    assert arrays.rank(mask).tolist() == [0, 1, 1, 2]
    assert arrays.wrap(jnp.array([-5, 0, 9, 10, 19]), jnp.array(10)).tolist() == [5, 0, 9, 0, 9]
    assert arrays.has_bit(jnp.array([0, 4, 7]), 4).tolist() == [False, True, True]
    assert arrays.indices(jnp.zeros((3, 2))).tolist() == [0, 1, 2]


def test_where_rows() -> None:
    rows = jnp.array([[1, 2], [3, 4]])
    assert arrays.where_rows(jnp.array([True, False]), 0, rows).tolist() == [[0, 0], [3, 4]]
    assert arrays.where_rows(jnp.array([False, True]), jnp.array([8, 9]), rows).tolist() == [[1, 2], [8, 9]]


def test_total_sums_the_last_axis() -> None:
    assert arrays.total(jnp.array([[1.0, 2.0, 4.0], [0.5, 0.0, -1.0]])).tolist() == [7, -0.5]


def test_while_pending_goes_in_ascending_order() -> None:
    def note(index: jax.Array, order: jax.Array, step: jax.Array) -> jax.Array:
        return order * step + index + 1

    pending = jnp.array([False, True, False, True, True])
    run = jax.jit(lambda mask: arrays.while_pending(mask, note, jnp.int32(0), jnp.int32(10)))
    assert int(run(pending)) == 245
    assert int(run(jnp.zeros(5, bool))) == 0
    assert jax.vmap(run)(jnp.stack([pending, ~pending, jnp.zeros(5, bool)])).tolist() == [245, 13, 0]


@pytest.mark.parametrize("needed", [True, False])
def test_only_if(needed: bool) -> None:
    result = arrays.only_if(jnp.array(needed), lambda value, more: value + more, jnp.int32(1), jnp.int32(5))
    assert int(result) == (6 if needed else 1)


def test_units_compute_what_they_wrap() -> None:
    @arrays.unit
    def halves(mask: jax.Array, values: tuple[jax.Array, jax.Array], *, scale: int) -> dict[str, jax.Array]:
        """Return masks and floats."""
        return {"mask": ~mask, "sum": (values[0] + values[1]) * scale}

    given = (jnp.array([True, False]), (jnp.array([1.0, 2.0]), jnp.array([0.5, 0.5])))
    for call in (halves, jax.jit(halves, static_argnames="scale")):
        found = call(*given, scale=2)
        assert found["mask"].tolist() == [False, True]
        assert found["mask"].dtype == bool
        assert found["sum"].tolist() == [3, 5]
    batch = jax.vmap(lambda mask: halves(mask, given[1], scale=2)["mask"])(jnp.array([[True, True], [False, True]]))
    assert batch.tolist() == [[False, False], [True, False]]
    assert halves.__doc__ == "Return masks and floats."
    assert arrays.settled(given)[0].tolist() == [True, False]
