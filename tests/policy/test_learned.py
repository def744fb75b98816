"""A network as a policy: it sees and does in a town what it saw and did in the environment of learners."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core.worlds import editable, hamlet, on_device, turbulent
from env.places import plain, seeded

from townlet_jax.config import Built
from townlet_jax.core import batch, rng
from townlet_jax.core.enums import Stream
from townlet_jax.core.observe.layout import layout
from townlet_jax.core.params import Params
from townlet_jax.env import TownEnv
from townlet_jax.policy import distribution, learned, network
from townlet_jax.policy.guardrail import POLICY_COLUMNS
from townlet_jax.policy.learned import Actor
from townlet_jax.policy.network import Network, NetworkConfig, Parameters

TICKS = 100
WIDTHS: dict[str, Any] = {"map_width": 8, "feature_width": 8, "trunk_width": 8, "core_width": 6}
OPTIONS, FLAT = ("options", "gru", False), ("flat", "none", True)
KINDS = [OPTIONS, pytest.param(FLAT, marks=pytest.mark.slow)]


def town(action_space: str) -> Built:
    """Return the hamlet with all its events, and the action space."""
    built = hamlet()
    return built._replace(spec=dataclasses.replace(built.spec, action_space=action_space))


@functools.cache
def actor(action_space: str, core: Any, greedy: bool) -> Actor:
    """Return a tiny network that acts in the hamlet."""
    spec = town(action_space).spec
    return Actor(spec=spec, network=Network(NetworkConfig(**WIDTHS, core=core), layout(spec)), greedy=greedy)


@functools.cache
def weights(one: Actor) -> Parameters:
    """Return random weights, larger than fresh ones, so that what is seen decides."""
    shapes = jax.eval_shape(lambda: network.init(one.network, jax.random.key(0)))
    random = np.random.default_rng(3)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(scale=0.3, size=leaf.shape), leaf.dtype), shapes)


def born(params: Params, key: jax.Array, one: Actor) -> Any:
    """Return a town at tick 0."""
    return TownEnv(one.spec).reset(key, params)[0].town


@functools.cache
def in_the_environment(one: Actor) -> Any:
    """Return a compiled life as a learner leads it, and beside it what the policy would see and do in every tick."""
    env = TownEnv(one.spec)

    def live(params: learned.Equipped, key: jax.Array) -> tuple[Any, dict[str, Any]]:
        start, first = env.reset(key, params)

        def step(carry: Any, _: None) -> tuple[Any, dict[str, Any]]:
            state, timestep, memory = carry
            seen = timestep.observation
            logits, _, after = network.apply(one.network, params.weights, seen, memory, timestep.fresh)
            stream = rng.stream(state.town.key, state.town.clock.tick + 1, Stream.POLICY)
            unit = rng.uniform_column(stream, logits.shape[0], POLICY_COLUMNS, 0)
            action = distribution.mode(logits) if one.greedy else distribution.sample(logits, unit)
            sight = learned.sight(one.spec, params, state.town, state.memory)
            chosen, remembered = learned.choose(one, params, state.town, state.memory, memory)
            told = {
                "seen": seen,
                "sight": sight,
                "memory": (after, remembered),
                "action": (action, chosen),
                "alive": state.town.roster.alive,
                "resets": learned.as_seen(state.town).roster.reset_flag,
                "left": jnp.any(timestep.terminated),
            }
            state, timestep = env.step(state, action, params)
            return (state, timestep, after), told

        begun = (start, first, learned.no_memory(one, start.town))
        (end, _, memory), told = jax.lax.scan(step, begun, None, length=TICKS)
        return (end, memory), told

    return jax.jit(live)


@functools.cache
def as_a_policy(one: Actor) -> Any:
    """Return a compiled life under the policy."""
    policy = learned.learned(one)

    def live(params: learned.Equipped, key: jax.Array) -> tuple[Any, Any]:
        state = born(params, key, one)
        return batch.record(policy, params, state, policy.init(params, state), TICKS)[:2]

    return jax.jit(live)


def calm(action_space: str) -> Params:
    """Return numbers of the hamlet under which nobody leaves."""
    params = editable(town(action_space).params)
    params.needs.decay_rate[:] = 0.0005
    params.perturbation.prob_per_day[:] = 40
    made: Params = on_device(params)
    return made


def bits(tree: Any) -> list[bytes]:
    """Return the bytes of every array."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(plain(tree))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_under_the_policy_is_the_life_of_the_learner(kind: Any) -> None:
    one = actor(*kind)
    params = learned.equip(calm(kind[0]), weights(one))
    (end, memory), told = in_the_environment(one)(params, seeded(5))
    state, remembered = as_a_policy(one)(params, seeded(5))
    assert not np.any(told["left"])
    assert len(np.unique(told["action"][0])) > 3, "the network does various things"
    assert bits(state) == bits(end.town)
    assert bits(remembered) == bits(learned.Remembered(layer=end.memory, network=memory))


@pytest.mark.parametrize("kind", KINDS)
def test_arrivals_and_meets_are_seen_as_in_training(kind: Any) -> None:
    one = actor(*kind)
    params = learned.equip(on_device(turbulent(town(kind[0]).params)), weights(one))
    _, told = in_the_environment(one)(params, seeded(2))
    stayed = ~np.asarray(told["left"])
    assert 3 < np.count_nonzero(~stayed) < TICKS / 2
    assert np.asarray(told["resets"])[1:][stayed[1:]].sum() > 5, "newcomers and guests"
    for part in ("seen", "memory", "action"):
        pair = (told["seen"], told["sight"]) if part == "seen" else told[part]
        one_side, other = (jax.tree.map(lambda leaf: np.asarray(leaf)[stayed], tree) for tree in pair)
        jax.tree.map(np.testing.assert_array_equal, one_side, other)


def test_other_weights_are_another_input_of_the_same_program() -> None:
    one = actor(*OPTIONS)
    live = as_a_policy(one)
    first = live(learned.equip(calm("options"), weights(one)), seeded(5))
    size = live._cache_size()
    other = jax.tree.map(lambda leaf: -leaf, weights(one))
    second = live(learned.equip(calm("options"), other), seeded(5))
    assert live._cache_size() == size
    assert bits(first) != bits(second)
