"""Units of compilation are a matter of speed only: other backends get the plain functions and the same town."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import build, load
from townlet_jax.core import actions, arrays, rng, town
from townlet_jax.core.tick import tick


def test_a_town_without_units_is_the_same_town(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, params, _ = build(load("default", ["perturbations.specs.price_spike.prob_per_day=200"]))
    ids = jax.random.randint(jax.random.key(3), (200, spec.num_agents), 0, spec.num_actions, dtype=jnp.int32)
    start = town.init(spec, params, rng.town_key(5, 0))

    def day() -> object:
        def step(state: object, action: jax.Array) -> tuple[object, jax.Array]:
            state, output = tick(params, state, actions.flat(action))
            return state, output.reward

        return jax.jit(lambda state: jax.lax.scan(step, state, ids))(start)

    with_units = day()
    monkeypatch.setattr(arrays.jax, "default_backend", lambda: "gpu")
    without = day()
    for ours, theirs in zip(jax.tree.leaves(with_units), jax.tree.leaves(without), strict=True):
        if jnp.issubdtype(ours.dtype, jnp.floating):
            np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=1e-5)
        elif not jnp.issubdtype(ours.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_masks_and_static_arguments_pass_a_unit() -> None:
    @arrays.unit
    def pick(values: jax.Array, mask: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
        return jnp.where(mask, values * size, 0), ~mask

    values, inverted = pick(jnp.arange(3), jnp.array([True, False, True]), 5)
    assert values.tolist() == [0, 0, 10]
    assert inverted.dtype == bool
    assert inverted.tolist() == [False, True, False]


@pytest.mark.parametrize(("pending", "visited"), [([True, False, True], [0, 2]), ([False, False, False], [])])
def test_pending_work_is_done_once_each_in_order(pending: list[bool], visited: list[int]) -> None:
    def note(index: jax.Array, log: tuple[jax.Array, jax.Array], step: jax.Array) -> tuple[jax.Array, jax.Array]:
        entries, size = log
        return entries.at[size].set(index), size + step

    log = (jnp.full(3, -1, jnp.int32), jnp.int32(0))
    entries, size = arrays.while_pending(jnp.array(pending), note, log, jnp.int32(1))
    assert entries[: int(size)].tolist() == visited
