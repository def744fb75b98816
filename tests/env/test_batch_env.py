"""Many towns: keys, towns alone and together, meshes, rollouts (env.batch_env, env.rollouts)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core import crowds
from jax.sharding import NamedSharding, PartitionSpec
from test_contracts import counted_compilations

from env.places import ADA, AGENTS, BEN, EAST, SPEC, STEP, WAITING, begun, plain, still
from townlet_jax.core import batch, rng
from townlet_jax.env import (
    AutoReset,
    BatchEnv,
    Decision,
    Moment,
    Standing,
    TimeStep,
    TownEnv,
    Transition,
    at_random,
    begin,
    rollout,
)
from townlet_jax.policy.uniform import uniform

SEED, TOWNS, STEPS = 11, 16, 6
DRAW = -1  # given instead of an action: draw one
MESH = batch.town_mesh()
MANY = BatchEnv(AutoReset(TownEnv(SPEC), "disabled"), mesh=MESH)


@functools.cache
def start() -> tuple[Any, TimeStep]:
    """Return the towns at their reset."""
    return MANY.reset(SEED, still(horizon=4), TOWNS)


def act(params: Any, moment: Moment, memory: Any) -> Decision:
    """Play what is given, or draw; count the decisions in the memory and note them."""
    drawn = at_random(params, moment, memory).actions
    actions = jnp.where(moment.given == DRAW, drawn, moment.given)
    return Decision(actions=actions, memory=memory + 1, notes=moment.observation.features[:, 0])


def keep(transition: Transition) -> Any:
    """Keep what the tests look at."""
    return transition.timestep, transition.decision, transition.memory, transition.moment.fresh


@functools.cache
def program() -> Any:
    """Return the compiled rollout on all devices, one town a block, two blocks a device."""

    def run(params: Any, standing: Standing, given: jax.Array) -> Any:
        return rollout(MANY, act, params, standing, STEPS, given=given, collect=keep, block=1)

    return jax.jit(run)


@functools.cache
def lived() -> list[tuple[Any, Any, Any, Any]]:
    """Return what two rollouts one behind the other collected: drawn actions, but for ben, who walks east."""
    given = jnp.full((STEPS, TOWNS, AGENTS), DRAW, jnp.int32).at[:, :, BEN].set(EAST)
    given = jax.device_put(given, NamedSharding(MESH, PartitionSpec(None, batch.AXIS)))
    standing = begin(*start(), batch.shard(MESH, jnp.zeros(TOWNS, jnp.int32)))
    halves = []
    for _ in range(2):
        standing, collected = program()(still(horizon=4), standing, given)
        halves.append(plain(collected))
    assert program()._cache_size() == 1
    return halves


def test_towns_have_the_keys_of_their_index() -> None:
    state, _ = start()
    assert crowds.differences(state.town, batch.init_batch(SPEC, still(), SEED, TOWNS)) == []
    other, _ = MANY.reset(jax.random.key(SEED, impl="threefry2x32"), still(), TOWNS)
    assert crowds.differences(other, state) == []


def test_towns_lie_on_all_devices() -> None:
    state, timestep = start()
    assert len(state.town.clock.tick.sharding.device_set) == len(jax.devices()) > 1
    assert len(timestep.observation.map.sharding.device_set) == len(jax.devices())


@functools.cache
def stepped() -> list[tuple[Any, TimeStep]]:
    """Return states and timesteps of three steps; in step k everybody plays action k + 1."""
    state, _ = start()
    lives = []
    for step in range(3):
        state, timestep = MANY.step(state, jnp.full((TOWNS, AGENTS), step + 1, jnp.int32), still())
        lives.append((state, timestep))
    return lives


@pytest.mark.parametrize("index", [0, 5, 15])
def test_a_step_of_the_batch_is_the_step_of_each_town(index: int) -> None:
    state, _ = begun(key=rng.town_key(SEED, index))
    for step, (states, timesteps) in enumerate(stepped()):
        state, alone = STEP(state, jnp.full(AGENTS, step + 1, jnp.int32), still())
        together = jax.tree.map(lambda leaf: leaf[index], (states.inner, timesteps))
        assert crowds.differences(together, (state.inner, alone)) == []


def test_a_step_is_compiled_once() -> None:
    state, timestep = stepped()[-1]
    actions, params = jnp.zeros((TOWNS, AGENTS), jnp.int32), still(horizon=9)
    with counted_compilations() as events:
        MANY.step(MANY.step(state, actions, params)[0], actions, params)
    assert events == []
    assert MANY.mask(timestep).shape == (TOWNS, AGENTS, SPEC.num_actions)


@pytest.mark.parametrize("index", [0, 1, 15])
def test_a_rollout_is_each_town_alone(index: int) -> None:
    """The collected actions, played by one town alone, give what was collected, bit for bit; blocks do not matter."""
    state, _ = begun(key=rng.town_key(SEED, index))
    for half in lived():
        timestep, decision = (jax.tree.map(lambda leaf: leaf[:, index], part) for part in half[:2])
        for time in range(STEPS):
            state, alone = STEP(state, jnp.asarray(decision.actions[time]), still())
            together = jax.tree.map(lambda leaf, time=time: leaf[time], timestep)
            assert set(crowds.differences(together, plain(alone))) <= {".truncated"}


def test_without_resets_a_town_goes_on_after_its_time_limit() -> None:
    ticks = np.concatenate([half[0].truncated[:, 3, ADA] for half in lived()])
    assert np.flatnonzero(ticks).tolist() == [3, 7, 11]
    assert not any(np.any(half[0].fresh) for half in lived())


def test_memory_notes_and_what_is_given_reach_every_step() -> None:
    for half, (timestep, decision, memory, fresh) in enumerate(lived()):
        assert memory[:, 5].tolist() == [half * STEPS + step for step in range(STEPS)]
        assert np.all(decision.memory == memory + 1)
        assert np.all(decision.actions[:, :, BEN] == EAST)
        assert len(set(decision.actions[:, :, ADA].ravel().tolist())) > 3
        np.testing.assert_array_equal(decision.notes[1:], timestep.observation.features[:-1, :, :, 0])
        assert fresh.reshape(STEPS, -1).all(axis=1).tolist() == [half == 0 and step == 0 for step in range(STEPS)]


def test_drawn_actions_are_those_of_the_uniform_policy() -> None:
    state = jax.tree.map(lambda leaf: leaf[7], start()[0].town)
    intents, _ = jax.jit(uniform().act)(still(), state, WAITING, None)
    drawn = lived()[0][1].actions[0, 7]
    assert np.delete(drawn, BEN).tolist() == np.delete(np.asarray(intents.flat), BEN).tolist()


def test_what_nobody_collects_is_not_computed() -> None:
    env = BatchEnv(TownEnv(SPEC))
    standing = jax.eval_shape(lambda: begin(*env.reset(SEED, still(), 2)))

    def size(collect: Any) -> int:
        run = functools.partial(rollout, env, at_random, num_steps=2, collect=collect)
        return len(str(jax.make_jaxpr(run)(still(), standing)))

    measures = size(lambda transition: transition.timestep.measures)
    assert size(lambda transition: transition.timestep.reward) < 0.95 * measures


def test_towns_must_fill_the_devices() -> None:
    with pytest.raises(ValueError, match="9 towns cannot be split evenly over 8 devices; ask for a multiple of 8"):
        MANY.reset(SEED, still(), 9)
    with pytest.raises(ValueError, match="0 towns cannot be split"):
        BatchEnv(TownEnv(SPEC)).reset(SEED, still(), 0)


def test_wrong_actions_name_both_axes() -> None:
    state, _ = start()
    with pytest.raises(ValueError, match=r"shape \(6,\), but must have \(16, 6\) \(towns, agents\)"):
        MANY.step(state, WAITING, still())
    with pytest.raises(TypeError, match="dtype float32"):
        MANY.step(state, jnp.zeros((TOWNS, AGENTS)), still())


def test_wrong_keys_are_refused() -> None:
    with pytest.raises(TypeError, match="must be one typed threefry key"):
        MANY.reset(jax.random.PRNGKey(0), still(), TOWNS)


def test_keys_of_towns_are_those_of_the_seed() -> None:
    words = jax.random.key_data(start()[0].key)
    assert words[5].tolist() == jax.random.key_data(rng.town_key(SEED, 5)).tolist()
