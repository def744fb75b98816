"""What JaxMARL asks of an environment, its wrappers, a learner, and the exact meaning of done and valid."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core import crowds
from jaxmarl.environments.multi_agent_env import MultiAgentEnv
from jaxmarl.environments.spaces import Box, Discrete
from jaxmarl.wrappers.baselines import CTRolloutManager, LogWrapper

from env.adapters import learner
from env.adapters.towns import AGENTS, EAST, ENV, LAYOUT, NAMES, SPEC, WAIT, deadly, default, lasting
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.env import TownEnv, choices
from townlet_jax.env.adapters import JaxMARLTown
from townlet_jax.env.adapters.marl import MarlState

HORIZON = 12
WIDTH = len(LAYOUT.features) + 5 * 11 * 11
RAW = jax.random.PRNGKey(3)


@pytest.fixture(autouse=True)
def standard_promotion() -> Any:
    """JaxMARL mixes dtypes; our own code is tested under strict promotion elsewhere."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@functools.cache
def town() -> JaxMARLTown:
    """Return the default town, in which everybody starves, and is replaced, again and again."""
    return JaxMARLTown(ENV, deadly(HORIZON), NAMES)


@functools.cache
def begun(seed: int) -> tuple[dict[str, jax.Array], MarlState]:
    """Return the first observations and the town of a seed."""
    seen, state = town().reset(jax.random.PRNGKey(seed))
    return seen, state


def stepped(state: MarlState, **actions: int) -> Any:
    """Return what a step gives; after the time limit comes the town of seed 8, so that one program serves all."""
    return town().step(RAW, state, waiting(**actions), begun(8)[1])


def waiting(**actions: int) -> dict[str, jax.Array]:
    """Return an action for every agent: some are named, the others wait."""
    return {name: jnp.int32(actions.get(name, WAIT)) for name in NAMES}


def column(by_agent: dict[str, jax.Array]) -> np.ndarray[Any, Any]:
    """Return the values of the agents, slot by slot."""
    return np.asarray([by_agent[name] for name in NAMES])


def test_it_is_an_environment_of_jaxmarl() -> None:
    env = town()
    assert isinstance(env, MultiAgentEnv)
    assert env.num_agents == AGENTS
    assert env.agents == list(NAMES)
    assert env.agent_classes == {"resident": list(NAMES)}
    assert env.name == "JaxMARLTown"
    for name in NAMES:
        assert env.observation_space(name) is env.observation_spaces[name]
        assert env.action_space(name) is env.action_spaces[name]
        assert isinstance(env.observation_space(name), Box)
        assert env.observation_space(name).shape == (WIDTH,)
        assert isinstance(env.action_space(name), Discrete)
        assert env.action_space(name).n == SPEC.num_actions


def test_what_is_returned_has_jaxmarls_form() -> None:
    env = town()
    seen, state = begun(3)
    actions = {name: env.action_space(name).sample(RAW) for name in env.agents}
    after, state, rewards, dones, infos = env.step(RAW, state, actions, begun(8)[1])
    for name in NAMES:
        assert bool(env.observation_space(name).contains(seen[name]))
        assert bool(env.observation_space(name).contains(after[name]))
        assert (after[name].shape, after[name].dtype) == ((WIDTH,), jnp.float32)
        assert (rewards[name].shape, rewards[name].dtype) == ((), jnp.float32)
        assert (dones[name].shape, dones[name].dtype) == ((), jnp.bool_)
    assert set(after) == set(rewards) == set(NAMES)
    assert set(dones) == {*NAMES, "__all__"}
    assert {name: value.shape for name, value in infos.items()} == {"valid": (AGENTS,)}
    assert int(state.step) == 1


def test_vectors_are_features_then_maps() -> None:
    seen, state = begun(3)
    for slot, name in enumerate(NAMES):
        width = len(LAYOUT.features)
        assert np.array_equal(seen[name][:width], state.observation.features[slot])
        assert np.array_equal(seen[name][width:], state.observation.map[slot].reshape(-1))
    assert crowds.differences(town().get_obs(state), seen) == []
    slim = JaxMARLTown(ENV, deadly(HORIZON), NAMES, maps=False)
    assert slim.observation_space("ada").shape == (len(LAYOUT.features),)
    assert np.array_equal(slim.get_obs(state)["ben"], state.observation.features[1])


def test_raw_and_typed_keys_give_the_town_of_that_key() -> None:
    typed = jax.random.wrap_key_data(RAW, impl="threefry2x32")
    assert crowds.differences(begun(3), town().reset(typed)) == []
    assert np.array_equal(jax.random.key_data(begun(3)[1].inner.town.key), RAW)
    assert crowds.differences(begun(3)[0], begun(8)[0]) != []
    with pytest.raises(TypeError, match="must be one typed threefry key"):
        town().reset(jnp.zeros(4, jnp.uint32))


def test_available_actions_are_the_mask() -> None:
    _, state = begun(3)
    available = town().get_avail_actions(state)
    assert np.array_equal(column(available), choices(state.observation))
    assert column(available)[:, WAIT].all()
    assert not column(available).all()


def test_actions_reach_their_agent() -> None:
    _, state = begun(3)
    _, after, *_ = stepped(state, ben=EAST)
    moved = np.asarray(after.inner.town.roster.position) - np.asarray(state.inner.town.roster.position)
    assert moved[1].tolist() == [1, 0]
    assert np.abs(moved).sum() == 1


def test_done_says_that_nothing_follows() -> None:
    _, state = begun(3)
    deaths = 0
    for _ in range(1, HORIZON):
        before = np.asarray(state.inner.town.roster.alive)
        seen, state, rewards, dones, infos = stepped(state)
        alive, valid = np.asarray(state.inner.town.roster.alive), np.asarray(infos["valid"])
        assert np.array_equal(valid, before)
        assert np.array_equal(column(dones), ~(valid & alive))
        assert not bool(dones["__all__"])
        assert not bool(state.done)
        assert not column(rewards)[~valid].any()
        assert np.array_equal(column(seen).any(axis=1), valid | alive)
        newcomers = ~valid & alive
        assert column(seen)[newcomers, LAYOUT.index("ctx_reset_flag")].tolist() == [1] * int(newcomers.sum())
        deaths += int((valid & ~alive).sum())
    assert deaths >= AGENTS
    dones = stepped(state)[3]
    assert bool(dones["__all__"])
    assert column(dones).all()


def test_the_next_episode_begins_in_the_town_that_is_given() -> None:
    _, state = begun(3)
    seen, elsewhere = begun(8)
    for tick in range(1, HORIZON):
        _, state, *_ = stepped(state)
        assert int(state.step) == tick
    assert crowds.differences(state, elsewhere) != []
    after, state, *_ = stepped(state)
    assert crowds.differences(state, elsewhere) == []
    assert crowds.differences(after, seen) == []


def test_the_rollout_manager_drives_many_towns() -> None:
    manager = CTRolloutManager(town(), batch_size=2)
    manager.get_valid_actions = jax.vmap(manager.get_avail_actions)
    seen, state = manager.batch_reset(RAW)
    assert seen["ada"].shape == (2, WIDTH + AGENTS)
    assert seen["__all__"].shape == (2, WIDTH * AGENTS)
    keys = [jax.random.key_data(state.inner.town.key)]
    for tick in range(1, HORIZON + 1):
        actions = {name: manager.batch_sample(RAW, name) for name in NAMES}
        seen, state, rewards, dones, _ = manager.batch_step(RAW, state, actions)
        assert dones["__all__"].tolist() == [tick == HORIZON] * 2
        assert np.allclose(rewards["__all__"], column({name: rewards[name] for name in NAMES}).sum(axis=0), atol=1e-5)
        assert np.isfinite(seen["__all__"]).all()
    assert manager.get_valid_actions(state)["ada"].shape == (2, SPEC.num_actions)
    assert state.step.tolist() == [0, 0]
    keys.append(jax.random.key_data(state.inner.town.key))
    assert len({tuple(np.asarray(key).tolist()) for key in np.concatenate(keys)}) == 4, "each episode has its own town"


def walked(params: Params, before: TownState, after: TownState, output: TickOutput) -> Any:
    """Return 1 for a step taken: worth learning, and possible wherever one stands."""
    del params, before, after
    return output.outcomes.moves.moved.astype(jnp.float32)


def test_a_learner_of_jaxmarls_kind_learns_to_walk() -> None:
    """The figures come from JaxMARL's own log."""
    env = LogWrapper(JaxMARLTown(TownEnv(SPEC, reward=walked), lasting(HORIZON), NAMES))
    run = jax.jit(functools.partial(learner.train, env, towns=8, length=2 * HORIZON, updates=16))
    before, after, figures = run(jax.random.PRNGKey(0))
    assert np.isfinite(figures["losses"]).all()
    for name, weights in before.items():
        assert not np.allclose(weights, after[name]), f"{name} stayed the same"
    assert figures["episodes"].tolist() == [8 * AGENTS * 2] * 16
    assert np.allclose(figures["returns"], figures["reward"] * HORIZON, rtol=1e-4), "whole episodes"
    assert np.all(figures["losses"][:, -1] < figures["losses"][:, 0]), "each update lowers the loss of its own batch"
    assert float(figures["reward"][0]) < 0.3
    assert float(figures["reward"][-1]) > 0.6


# jax adds a note to an error while tracing, after our sentence and a line break.
BAD_ACTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown": (
        {"zoe": jnp.int32(0)},
        ValueError,
        r"^Actions are given for ada, .*, zoe, but each of ada, .* needs one\.\n",
    ),
    "float": (
        {"ben": jnp.float32(0)},
        TypeError,
        r"^The action of ben has the dtype float32, but must be an integer\.\n",
    ),
    "bool": ({"ben": jnp.bool_(True)}, TypeError, r"^The action of ben has the dtype bool, but must be an integer\.\n"),
    "vector": (
        {"ben": jnp.zeros(2, int)},
        ValueError,
        r"^The action of ben has the shape \(2,\), but must be one id\.\n",
    ),
}


@pytest.mark.parametrize("case", list(BAD_ACTIONS))
def test_wrong_actions_are_refused_while_tracing(case: str) -> None:
    actions, error, sentence = BAD_ACTIONS[case]
    with pytest.raises(error, match=sentence):
        town().step(RAW, begun(3)[1], waiting() | actions)


def test_missing_actions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^Actions are given for ada, but each of ada, ben, .* needs one\.\n"):
        town().step(RAW, begun(3)[1], {"ada": jnp.int32(0)})


def test_options_have_actions_of_their_own() -> None:
    built = default("options")
    env = JaxMARLTown(TownEnv(built.spec), built.params)
    assert env.agents[0] == "slot_0"
    assert env.action_space("slot_0").n == 8
    _, state = jax.eval_shape(env.reset, RAW)
    assert jax.eval_shape(env.get_avail_actions, state)["slot_5"].shape == (8,)
