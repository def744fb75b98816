"""Streams and draws against jax.random, and the worked numbers of section 1.6 (16.1 V39-V43)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.core import rng
from townlet_jax.core.enums import Stream

STREAM = jax.jit(rng.stream, static_argnums=2)
TABLE = jax.jit(rng.uniform, static_argnums=(1, 2))
COLUMN = jax.jit(rng.uniform_column, static_argnums=(1, 2, 3))


def words(key: jax.Array) -> list[int]:
    """Return the two words of a key."""
    return [int(word) for word in jax.random.key_data(key)]


def test_v39_streams() -> None:
    key = jax.random.key(0)
    assert words(STREAM(key, 1, Stream.PERTURB)) == [3152301319, 792466127]
    assert words(STREAM(key, 0, Stream.RESET)) == [4165894930, 804218099]
    assert words(rng.town_key(7, 3)) == [276534068, 1641862660]


@pytest.mark.parametrize("member", list(Stream))
def test_streams_are_two_folds(member: Stream) -> None:
    key = rng.town_key(11, 5)
    for moment in (0, 1, 1440, 2**30):
        expected = jax.random.fold_in(jax.random.fold_in(key, moment), int(member))
        assert words(STREAM(key, jnp.int32(moment), member)) == words(expected)


def test_v40_v41_reset_draws() -> None:
    unit = np.asarray(TABLE(STREAM(jax.random.key(0), 0, Stream.RESET), 8, 5))
    np.testing.assert_allclose(0.7 + 0.2 * unit[0, :3], [0.756544, 0.857619, 0.779517], atol=1e-6)
    np.testing.assert_allclose(0.7 + 0.2 * unit[1, :3], [0.708098, 0.738520, 0.816630], atol=1e-6)
    profiles = [0.300208, 0.212398, 0.636167, 0.489023, 0.377925, 0.373270, 0.935960, 0.481862]
    np.testing.assert_allclose(unit[:, 4], profiles, atol=1e-6)


def test_v42_v43_agent_draws() -> None:
    chat = COLUMN(STREAM(jax.random.key(0), 5, Stream.AGENT), 4, 4, 0)
    np.testing.assert_allclose(chat, [0.723714, 0.695374, 0.899595, 0.949752], atol=1e-6)
    delay = COLUMN(STREAM(jax.random.key(0), 999, Stream.AGENT), 6, 4, 1)
    assert rng.uniform_integer(delay, jnp.array([5]), jnp.array([20])).tolist() == [10, 14, 5, 12, 20, 9]


@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (8, 5), (33, 4)])
def test_draws_are_those_of_jax(rows: int, columns: int) -> None:
    key = STREAM(rng.town_key(3, 1), 77, Stream.AGENT)
    expected = np.asarray(jax.random.uniform(key, (rows, columns)))
    np.testing.assert_array_equal(TABLE(key, rows, columns), expected)
    for column in range(columns):
        np.testing.assert_array_equal(COLUMN(key, rows, columns, column), expected[:, column])
    np.testing.assert_array_equal(rng.uniform_row(key, jnp.int32(rows - 1), columns), expected[-1])


def test_rows_do_not_depend_on_how_many_there_are() -> None:
    key = STREAM(jax.random.key(1), 4, Stream.PERTURB)
    np.testing.assert_array_equal(TABLE(key, 3, 4), TABLE(key, 90, 4)[:3])


def test_integers_cover_their_range() -> None:
    unit = jnp.array([0.0, 0.49, 0.5, 0.99999994], jnp.float32)
    assert rng.uniform_integer(unit, jnp.array([3]), jnp.array([4])).tolist() == [3, 3, 4, 4]
    assert rng.uniform_integer(unit, jnp.array([7]), jnp.array([7])).tolist() == [7] * 4
