"""Which steps are learned from: decisions first, each at most once, with everything that belongs to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from materials import material

from train.selection import rows_of_town, select
from train.update import Material

TIME, TOWNS, AGENTS = 5, 4, 6


@pytest.fixture(scope="module")
def whole() -> Material:
    return material()[2]


def test_decisions_come_first_and_bring_their_numbers(whole: Material) -> None:
    rows = 12
    selected = jax.jit(select, static_argnums=2)(jax.random.key(1), whole, rows)
    got = selected.material
    assert got.advantage.shape == (1, TOWNS, rows)
    assert got.experience.observation.map.shape[:3] == (1, TOWNS, rows)
    assert int(selected.left_out) == 0
    for town in range(TOWNS):
        before = np.asarray(whole.advantage[:, town]).ravel()
        after = np.asarray(got.advantage[0, town])
        places = [int(np.flatnonzero(before == number)[0]) for number in after]
        assert len(set(places)) == rows
        for leaf, taken in zip(jax.tree.leaves(numbers(whole)), jax.tree.leaves(numbers(got)), strict=True):
            flat = np.asarray(leaf[:, town]).reshape(TIME * AGENTS, -1)
            np.testing.assert_array_equal(np.asarray(taken[0, town]).reshape(rows, -1), flat[places])
        assert int(np.asarray(got.chosen[0, town]).sum()) == int(np.asarray(whole.chosen[:, town]).sum())
        assert np.asarray(got.experience.valid[0, town]).all()


def numbers(of: Material) -> list[jax.Array]:
    """Return everything that belongs to a step."""
    seen = of.experience
    look = seen.observation
    read = [look.features, look.map, look.mask, look.valid, seen.action, seen.log_prob, seen.value, seen.fresh]
    return [*read, of.advantage, of.target, of.chosen]


def test_decisions_without_a_place_are_counted_and_drawn_anew(whole: Material) -> None:
    rows = 2
    everything = whole.replace(chosen=whole.experience.valid)
    drawn = [select(jax.random.key(seed), everything, rows) for seed in (1, 2)]
    for one in drawn:
        assert np.asarray(one.material.chosen).all()
        assert int(one.left_out) == int(np.asarray(everything.chosen).sum()) - TOWNS * rows
    assert not np.array_equal(drawn[0].material.advantage, drawn[1].material.advantage)


def test_rows_beyond_the_valid_steps_stay_invalid(whole: Material) -> None:
    rows = TIME * AGENTS
    got = select(jax.random.key(3), whole, rows).material
    for name in ("valid", "fresh"):
        before, after = getattr(whole.experience, name), getattr(got.experience, name)
        np.testing.assert_array_equal(np.asarray(before).sum((0, 2)), np.asarray(after).sum((0, 2)))


def test_a_share_is_rounded_up() -> None:
    assert rows_of_town(240, 8, 0.125) == 240
    assert rows_of_town(3, 1, 0.001) == 1
    assert jnp.int32(rows_of_town(3, 3, 0.5)) == 5
