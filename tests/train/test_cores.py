"""Recurrent cores: what is remembered, what is forgotten when, and the equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from tiny import APPLY, changed, close, made, sights, unrolled

from townlet_jax.policy import cores, network

every_core = pytest.mark.parametrize("core", ["gru", "lstm"])


@every_core
def test_a_sequence_cut_at_a_reset_is_two_sequences(core: str) -> None:
    net, parameters = made(core=core)
    seen = sights((8, 2, 6))
    reset = jnp.zeros((8, 2, 6), bool).at[4].set(True)
    first, second = (jax.tree.map(lambda leaf, rows=rows: leaf[rows], seen) for rows in (slice(4), slice(4, 8)))
    logits, value, memory = unrolled(net, parameters, seen, reset)
    before, after = unrolled(net, parameters, first), unrolled(net, parameters, second)
    close((logits[:4], value[:4]), before[:2])
    close((logits[4:], value[4:], memory), after)
    going_on = unrolled(net, parameters, second, memory=before[2])
    assert np.abs(np.asarray(going_on[1] - after[1]))[second.valid].max() > 1e-3


@every_core
def test_a_reset_of_one_agent_is_not_that_of_another(core: str) -> None:
    net, parameters = made(core=core)
    seen = changed(sights((4, 2, 6)), valid=jnp.ones((4, 2, 6), bool))
    reset = jnp.zeros((4, 2, 6), bool).at[2, 0, 1].set(True)
    plain, cut = unrolled(net, parameters, seen)[1], unrolled(net, parameters, seen, reset)[1]
    differs = np.zeros((4, 2, 6), bool)
    differs[2:, 0, 1] = True
    np.testing.assert_array_equal(np.abs(plain - cut) > 1e-6, differs)


@every_core
def test_an_unrolled_sequence_is_tick_after_tick(core: str) -> None:
    net, parameters = made(core=core)
    seen = sights((4, 2, 6))
    reset = jnp.asarray(np.random.default_rng(2).random((4, 2, 6)) < 0.3)
    logits, value, last = unrolled(net, parameters, seen, reset)
    memory = network.no_memory(net.config, (2, 6))
    for tick in range(4):
        moment = jax.tree.map(lambda leaf, tick=tick: leaf[tick], seen)
        tick_logits, tick_value, memory = APPLY(net, parameters, moment, memory, reset[tick])
        close((tick_logits, tick_value), (logits[tick], value[tick]))
    close(memory, last)


@every_core
def test_a_vacancy_empties_the_memory(core: str) -> None:
    """Whoever comes into a slot starts afresh, also if nobody passes a reset."""
    net, parameters = made(core=core)
    seen = changed(sights((8, 2, 6)), valid=jnp.ones((8, 2, 6), bool).at[3, 0, 0].set(False))
    late = jax.tree.map(lambda leaf: leaf[4:], seen)
    both, alone = unrolled(net, parameters, seen)[1][4:], unrolled(net, parameters, late)[1]
    close(both[:, 0, 0], alone[:, 0, 0])
    assert np.all(np.abs(both[0, 0, 1:] - alone[0, 0, 1:]) > 1e-6)


def test_no_gradient_crosses_a_reset() -> None:
    net, parameters = made(core="gru")
    seen = changed(sights((4, 2, 6)), valid=jnp.ones((4, 2, 6), bool))
    reset = jnp.zeros((4, 2, 6), bool).at[2].set(True)

    def last_value(features: Array) -> Array:
        return unrolled(net, parameters, changed(seen, features=features), reset)[1][3, 0, 0]

    gradient = np.abs(jax.jit(jax.grad(last_value))(seen.features)).sum(axis=(1, 2, 3))
    assert gradient[:2].tolist() == [0, 0]
    assert np.all(gradient[2:] > 0)


def test_gru_and_lstm_say_their_equations() -> None:
    """One unit, by hand: gates of 0 are halves."""
    given = jnp.asarray([[0.0, 0.0, 0.5]])
    recalled = jnp.asarray([[0.0, 0.0, 1.0]])
    (hidden,) = cores.gru((jnp.asarray([[0.8]]),), given, recalled)
    assert hidden[0, 0] == pytest.approx(0.5 * np.tanh(0.5 + 0.5) + 0.5 * 0.8)
    hidden, cell = cores.lstm((jnp.asarray([[0.3]]), jnp.asarray([[0.8]])), jnp.zeros((1, 4)), jnp.ones((1, 4)))
    write, keep = 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-2))
    assert cell[0, 0] == pytest.approx(keep * 0.8 + write * np.tanh(1))
    assert hidden[0, 0] == pytest.approx(write * np.tanh(float(cell[0, 0])))
