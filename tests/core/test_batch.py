"""Many towns: keys, blocks, records, the runner's sums (core.batch)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from core import crowds
from core.worlds import Chaos
from townlet_jax.core import actions, batch, rng
from townlet_jax.core.params import Params


@pytest.mark.parametrize(
    ("towns", "most", "size"), [(1, 256, 1), (7, 256, 7), (8192, 256, 256), (1000, 256, 250), (257, 256, 1), (12, 5, 4)]
)
def test_blocks_divide_the_towns(towns: int, most: int, size: int) -> None:
    assert batch.block_size(towns, most) == size


def test_towns_have_the_keys_of_their_index() -> None:
    states = crowds.starts(7)
    for index in (0, 3, 6):
        key = jax.random.key_data(rng.town_key(crowds.SEED, index))
        assert jax.random.key_data(states.key[index]).tolist() == key.tolist()
    assert states.roster.alive.shape == (7, 24)
    start = crowds.INIT(crowds.numbers(), rng.town_key(crowds.SEED, 3))
    assert crowds.differences(batch.town_of(states, 3), start) == []


def test_towns_of_a_seed_differ() -> None:
    levels = np.asarray(crowds.few().needs.level)
    assert len({row.tobytes() for row in levels}) == 7


def test_memory_is_that_of_each_town() -> None:
    assert batch.init_memory(Chaos(), crowds.numbers(), crowds.starts(7)).shape == (7,)


def test_a_batched_step_has_the_shapes_of_a_batch() -> None:
    states = crowds.starts(7)
    intents = jax.vmap(lambda _: actions.waiting(24))(jnp.arange(7))
    after, output = jax.eval_shape(batch.step_batch, crowds.numbers(), states, intents)
    same = jax.tree.map(lambda x, y: x.shape == y.shape and x.dtype == y.dtype, after, states)
    assert all(jax.tree.leaves(same))
    assert output.reward.shape == (7, 24)


@pytest.mark.parametrize("index", [0, 700])
def test_totals_are_the_sums_of_each_town(index: int) -> None:
    _, totals, _ = crowds.many()
    seen = crowds.alone(index)[2].measures
    for name in ("wages_paid", "coins_spent", "chats_ok", "starts", "refusals", "exits", "reward_mean", "terms"):
        expected = getattr(seen, name).astype(np.float64).sum(axis=0)
        found = np.asarray(getattr(totals.sums, name)[index])
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=name)
    assert int(totals.ticks[index]) == crowds.TICKS
    inhabited = seen.alive > 0
    np.testing.assert_array_equal(totals.need_min[index], seen.need_min[inhabited].min(axis=0))
    assert float(totals.wallet_min[index]) == seen.wallet_min[inhabited].min()


def test_series_are_means_over_towns() -> None:
    _, totals, series = crowds.many()
    assert series.need_mean.shape == (crowds.TICKS, 3)
    num_towns = totals.ticks.shape[0]
    for name in ("alive", "wages_paid", "actions", "need_mean"):
        summed = np.asarray(getattr(totals.sums, name), np.float64).sum(axis=0) / num_towns
        found = np.asarray(getattr(series, name), np.float64).sum(axis=0)
        np.testing.assert_allclose(found, summed, rtol=1e-4, atol=1e-5, err_msg=name)


def test_work_that_is_thrown_away_is_left_out() -> None:
    def step(carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        unused = jnp.sin(x)
        del unused
        return carry + x, carry * 2

    pruned, shapes = batch.traced(step, jnp.float32(0), jnp.float32(0), is_pruned=True)
    assert [leaf.shape for leaf in shapes] == [(), ()]
    text = str(jax.make_jaxpr(pruned)(jnp.float32(1), jnp.float32(2)))
    assert "sin" not in text
    assert [float(value) for value in pruned(jnp.float32(1), jnp.float32(2))] == [3, 2]


def test_chunks_of_any_length_share_one_program_and_give_the_same_bits() -> None:
    runner = crowds.runner()
    halves = [crowds.TICKS // 3, crowds.TICKS - crowds.TICKS // 3]
    whole_states, _, whole, _ = crowds.chunk(7)
    states, memory, rows = jax.tree.map(jnp.copy, crowds.starts(7)), None, []
    memory, ticks = batch.init_memory(Chaos(), crowds.numbers(), states), 0
    for length in halves:
        states, memory, totals, series = runner(crowds.numbers(), states, memory, None, length)
        assert totals is not None
        assert series is not None
        assert np.asarray(totals.ticks).tolist() == [length] * 7
        assert not np.asarray(series.alive)[length:].any(), "nothing after the last tick"
        rows.append(np.asarray(series.alive)[:length])
        ticks += length
    assert whole is not None
    assert crowds.differences(states, whole_states) == []
    assert np.asarray(whole.ticks).tolist() == [ticks] * 7
    assert np.concatenate(rows).tolist() == np.asarray(crowds.chunk(7)[3].alive).tolist()  # type: ignore[union-attr]  # measured
    assert runner._jitted._cache_size() <= 2, "one program for 7 towns, perhaps one for all of them"
    with pytest.raises(AssertionError, match=f"at most {crowds.TICKS} ticks"):
        runner(crowds.numbers(), states, memory, None, crowds.TICKS + 1)


def test_a_sweep_shares_what_does_not_vary() -> None:
    base, slowness = crowds.numbers(), jnp.linspace(0.0, 0.01, 16).astype(jnp.float32)

    def slowed(params: Params, rate: jax.Array) -> Params:
        return params.replace(needs=params.needs.replace(decay_rate=jnp.full(3, rate)))

    sweep, axes = batch.sweep(base, slowness, slowed)
    own, restore = batch.split_params(batch.params_axes(axes), sweep)
    assert [leaf.shape for leaf in own] == [(16, 3)]
    assert restore([own[0][4]]).needs.decay_rate.tolist() == [slowness[4]] * 3
    assert restore([own[0][4]]).routes.steps is base.routes.steps
    states = batch.init_batch(crowds.hamlet().spec, sweep, crowds.SEED, 16, params_per_town=axes)
    mesh = batch.town_mesh()
    runner = batch.Runner(Chaos(), crowds.TICKS, measure=False, block=1, mesh=mesh, params_per_town=axes)
    memory = batch.init_memory(Chaos(), sweep, states, params_per_town=axes)
    after, _, _, _ = runner(sweep, batch.shard(mesh, states), batch.shard(mesh, memory))
    for index in (0, 5):
        params = slowed(base, slowness[index])
        expected = crowds.live_alone(params, crowds.INIT(params, rng.town_key(crowds.SEED, index)))[0]
        assert crowds.differences(batch.town_of(after, index), expected) == [], f"town {index}"
