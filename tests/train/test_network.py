"""The actor-critic: sizes, shapes, symmetry between agents, precision; what is vacant leaves no trace."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from tiny import APPLY, SMALL, changed, close, each_agent, made, shapes_of, sights, unrolled

from townlet_jax.core.observe.layout import Layout
from townlet_jax.core.observe.observation import Observation
from townlet_jax.policy import distribution, encoders, network
from townlet_jax.policy.network import Network, NetworkConfig, Parameters
from train import losses

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"map_encoder": "mlp", "activation": "tanh"},
    {"map_encoder": "cnn", "critic": "central"},
    {"core": "gru", "critic": "central"},
    {"core": "lstm"},
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind.values()) or "plain")


def full_size() -> Layout:
    """Return the sizes of the default town's hybrid observation."""
    features = tuple(f"feature_{index}" for index in range(120))
    channels = ("self", "agents", "objects", "reservations", "walls")
    return Layout(features=features, channels=channels, window=11, path_channels=(), num_actions=15, num_options=0)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ({}, 605 * 64 + 121 * 128 + 193 * 96 + 97 * 15 + 97),
        ({"core": "gru"}, 605 * 64 + 121 * 128 + 193 * 96 + (97 + 96) * 288 + 97 * 15 + 97),
    ],
)
def test_number_of_parameters(kind: dict[str, Any], number: int) -> None:
    shapes = shapes_of(Network(NetworkConfig(**kind), full_size()))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == number
    assert number == 74_288 or kind


@every_kind
def test_parameters_are_plain_float32_dicts(kind: dict[str, Any]) -> None:
    def check(tree: Any) -> None:
        if type(tree) is dict:
            for branch in tree.values():
                check(branch)
        else:
            assert tree.dtype == jnp.float32

    check(shapes_of(Network(NetworkConfig(**kind, compute="bfloat16"), SMALL)))


def test_matrices_are_orthogonal_with_their_gains() -> None:
    net, _ = made(core="gru")
    parameters = jax.jit(network.init, static_argnums=0)(net, jax.random.key(3))
    gains = {"features": 2.0, "trunk": 2.0, "policy": 1e-4, "value": 1.0}
    for name, square in gains.items():
        kernel = np.asarray(parameters[name]["kernel"])
        gram = kernel.T @ kernel if kernel.shape[0] >= kernel.shape[1] else kernel @ kernel.T
        np.testing.assert_allclose(gram, square * np.eye(len(gram)), atol=1e-4 * square)
        assert not np.any(parameters[name]["bias"])
    for block in np.split(np.asarray(parameters["core"]["hidden"]), 3, axis=1):
        np.testing.assert_allclose(block.T @ block, np.eye(6), atol=1e-4)


def test_a_population_is_its_members() -> None:
    net, one = made()
    other = jax.tree.map(lambda leaf: -leaf, one)
    seen = sights((4, 2, 6))
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), one, other)
    members = [unrolled(net, parameters, seen)[:2] for parameters in (one, other)]
    together = jax.vmap(lambda parameters: unrolled(net, parameters, seen)[:2])(both)
    close(together, jax.tree.map(lambda *leaves: jnp.stack(leaves), *members))


@every_kind
def test_any_leading_axes_give_the_numbers_of_a_town_alone(kind: dict[str, Any]) -> None:
    net, parameters = made(**kind)
    seen = sights((2, 2, 6))
    memory = network.no_memory(net.config, (2, 2, 6))
    reset = jnp.zeros((2, 2, 6), bool)
    logits, value, after = APPLY(net, parameters, seen, memory, reset)
    assert (logits.shape, value.shape) == ((2, 2, 6, 4), (2, 2, 6))
    assert logits.dtype == value.dtype == jnp.float32
    one = jax.tree.map(lambda leaf: leaf[1, 0], (seen, memory, reset))
    close(APPLY(net, parameters, *one), (logits[1, 0], value[1, 0], jax.tree.map(lambda part: part[1, 0], after)))


def test_illegal_actions_have_no_probability() -> None:
    net, parameters = made()
    seen = sights((4, 2, 6))
    logits, _, _ = unrolled(net, parameters, seen)
    allowed = np.array(seen.mask & seen.valid[..., None])
    allowed[..., 0] = True
    np.testing.assert_array_equal(distribution.legal(logits), allowed)
    assert not np.any(np.asarray(jax.nn.softmax(logits))[~allowed])


def test_the_head_of_options_reads_their_mask() -> None:
    layout = dataclasses.replace(SMALL, num_options=8)
    net, parameters = made(layout)
    seen = sights((4, 2, 6), layout)
    logits, _, _ = unrolled(net, parameters, seen)
    allowed = np.array(seen.option_mask & seen.valid[..., None])
    allowed[..., 0] = True
    np.testing.assert_array_equal(distribution.legal(logits), allowed)


@every_kind
def test_agents_are_exchangeable(kind: dict[str, Any]) -> None:
    net, parameters = made(**kind)
    seen = sights((4, 2, 6))
    order = jnp.asarray([4, 2, 0, 5, 1, 3])
    swapped = each_agent(lambda leaf: leaf[:, :, order], seen)
    logits, value, memory = unrolled(net, parameters, seen)
    moved = jax.tree.map(lambda part: part[:, order], memory)
    close(unrolled(net, parameters, swapped), (logits[:, :, order], value[:, :, order], moved))


def loss_of(parameters: Parameters, net: Network, seen: Observation, memory: Any) -> Array:
    """Return a loss over the live samples in which logits and values all count."""
    logits, value, _ = unrolled(net, parameters, seen, memory=memory)
    share = losses.shares(seen.valid)
    label = jnp.zeros(seen.valid.shape, jnp.int32)
    target = jnp.ones(seen.valid.shape)
    return losses.clone(logits, value, label=label, target=target, share=share, value_weight=1.0)[0]


GRADIENT = jax.jit(jax.grad(loss_of), static_argnums=1)


@every_kind
@pytest.mark.parametrize("garbage", [np.nan, 1e6])
def test_what_stands_in_vacant_slots_changes_nothing(kind: dict[str, Any], garbage: float) -> None:
    net, parameters = made(**kind)
    seen = sights((4, 2, 6))
    vacant = ~seen.valid
    memory = jax.tree.map(lambda part: part + 0.3, network.no_memory(net.config, (2, 6)))
    spoilt = changed(
        seen,
        features=jnp.where(vacant[..., None], jnp.float32(garbage), seen.features),
        map=jnp.where(vacant[..., None, None, None], jnp.uint8(255), seen.map),
        mask=seen.mask | vacant[..., None],
    )
    bad_memory = jax.tree.map(lambda part: jnp.where(vacant[0, ..., None], jnp.float32(garbage), part), memory)
    logits, value, after = unrolled(net, parameters, seen, memory=memory)
    bad_logits, bad_value, bad_after = unrolled(net, parameters, spoilt, memory=bad_memory)
    np.testing.assert_array_equal(bad_logits[seen.valid], logits[seen.valid])
    np.testing.assert_array_equal(bad_value[seen.valid], value[seen.valid])
    jax.tree.map(np.testing.assert_array_equal, bad_after, after)
    gradient = GRADIENT(parameters, net, seen, memory)
    close(GRADIENT(parameters, net, spoilt, bad_memory), gradient, atol=1e-6)
    assert all(np.any(leaf) for leaf in jax.tree.leaves(gradient))


@every_kind
def test_vacant_slots_appended_change_nothing(kind: dict[str, Any]) -> None:
    net, parameters = made(**kind)
    seen = sights((4, 2, 6))
    longer = each_agent(lambda leaf: jnp.concatenate([leaf, jnp.zeros_like(leaf)], axis=2), seen)
    logits, value, _ = unrolled(net, parameters, seen)
    more_logits, more_values, _ = unrolled(net, parameters, longer)
    close((more_logits[:, :, :6], more_values[:, :, :6]), (logits, value))


@pytest.mark.parametrize("critic", ["own", "central"])
def test_only_a_central_critic_sees_the_others(critic: str) -> None:
    net, parameters = made(critic=critic)
    seen = sights((4, 2, 6))
    seen = changed(seen, valid=jnp.ones_like(seen.valid))
    other = changed(seen, features=seen.features.at[0, 0, 1].add(1.0))
    logits, value, _ = unrolled(net, parameters, seen)
    moved_logits, moved_value, _ = unrolled(net, parameters, other)
    np.testing.assert_array_equal(moved_logits[0, 0, 0], logits[0, 0, 0])
    np.testing.assert_array_equal(moved_value[0, 1], value[0, 1])
    assert bool(moved_value[0, 0, 0] != value[0, 0, 0]) is (critic == "central")


def test_the_town_is_pooled_over_its_living() -> None:
    hidden = jnp.asarray([[[1.0, -2.0], [3.0, -4.0], [9.0, 9.0]], [[7.0, 7.0]] * 3])
    valid = jnp.asarray([[True, True, False], [False] * 3])
    np.testing.assert_allclose(network.pooled(hidden, valid), [[2.0, -3.0, 3.0, -2.0], [0.0] * 4])


def test_embedded_maps_are_sums_of_vectors() -> None:
    seen = sights((3,))
    module = encoders.Embed(width=8, dtype=jnp.float32, activation="relu")
    parameters = module.init(jax.random.key(0), seen.map, seen.path)
    table = np.asarray(parameters["params"]["table"]["kernel"]).reshape(2, 5, 5, 8)
    for agent, vector in enumerate(module.apply(parameters, seen.map, seen.path)):
        channel, y, x = np.nonzero(seen.map[agent])
        np.testing.assert_allclose(vector, np.maximum(table[channel, y, x].sum(axis=0), 0), rtol=1e-5, atol=1e-6)


def test_only_convolutions_see_the_path() -> None:
    seen = sights((4, 2, 6))
    moved = changed(seen, path=seen.path + 1)
    for kind in ("embed", "mlp", "cnn"):
        net, parameters = made(map_encoder=kind)
        same = np.array_equal(unrolled(net, parameters, seen)[1], unrolled(net, parameters, moved)[1])
        assert same is (kind != "cnn")


@every_kind
def test_bfloat16_is_close_to_float32(kind: dict[str, Any]) -> None:
    net, parameters = made(**kind)
    half = Network(dataclasses.replace(net.config, compute="bfloat16"), SMALL)
    seen = sights((4, 2, 6))
    (logits, value, memory), (near, about, held) = (unrolled(one, parameters, seen) for one in (net, half))
    assert near.dtype == about.dtype == jnp.float32
    assert all(part.dtype == jnp.float32 for part in held)
    live = np.asarray(seen.valid)
    np.testing.assert_allclose(jax.nn.softmax(near)[live], jax.nn.softmax(logits)[live], atol=0.05)
    np.testing.assert_allclose(about[live], value[live], atol=0.05 * np.abs(value[live]).max())
    np.testing.assert_allclose(jnp.stack(held) if held else 0, jnp.stack(memory) if memory else 0, atol=0.05)
    assert not np.array_equal(about, value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"core": "rnn"}, "network.core is 'rnn', but must be one of none, gru, lstm."),
        ({"map_encoder": "vit"}, "network.map_encoder is 'vit', but must be one of embed, mlp, cnn."),
        ({"trunk_width": 0}, "network.trunk_width is 0, but must be 1 or more."),
    ],
)
def test_bad_configurations_are_refused(change: dict[str, Any], sentence: str) -> None:
    bad = NetworkConfig()
    for field, value in change.items():  # the constructor's annotations, which only tests run, would be first to refuse
        object.__setattr__(bad, field, value)
    with pytest.raises(ValueError) as caught:
        bad.__post_init__()
    assert str(caught.value) == sentence


@pytest.mark.parametrize("kind", [{}, {"core": "gru"}], ids=["plain", "gru"])
def test_a_few_steps_learn_what_to_do(kind: dict[str, Any]) -> None:
    """Labels follow a feature (with a core: of the tick before); values follow another one; maps are empty."""
    net = Network(NetworkConfig(map_width=8, feature_width=32, trunk_width=32, core_width=32, **kind), SMALL)
    parameters = network.init(net, jax.random.key(0))
    seen = sights((8, 8, 6))
    seen = changed(seen, map=jnp.zeros_like(seen.map), mask=jnp.ones_like(seen.mask), valid=jnp.ones_like(seen.valid))
    told = jnp.roll(seen.features, len(kind), axis=0)
    label, target = jnp.where(told[..., 0] > 0, 2, 1), seen.features[..., 1]
    share = losses.shares(jnp.broadcast_to(jnp.arange(8)[:, None, None] >= len(kind), (8, 8, 6)))

    def loss(values: Parameters) -> tuple[Array, losses.CloneTerms]:
        logits, value, _ = unrolled(net, values, seen)
        return losses.clone(logits, value, label=label, target=target, share=share, value_weight=0.5)

    def step(values: Parameters, _: None) -> tuple[Parameters, losses.CloneTerms]:
        gradient, terms = jax.grad(loss, has_aux=True)(values)
        return jax.tree.map(lambda value, slope: value - 0.5 * slope, values, gradient), terms

    _, terms = jax.jit(lambda values: jax.lax.scan(step, values, length=300))(parameters)
    assert terms.accuracy[0] < 0.75
    assert terms.accuracy[-1] > 0.9
    assert terms.value[-1] < 0.3 * terms.value[0]
    assert terms.loss[-1] < 0.4 * terms.loss[0]
