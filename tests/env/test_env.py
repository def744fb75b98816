"""One town: reset, step, what ends, what counts, what is refused (env.town_env, env.records)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core import crowds
from test_contracts import counted_compilations

from env.places import (
    ADA,
    AGENTS,
    BEN,
    CHAT,
    CLEO,
    EAST,
    EAT,
    RESET,
    SPEC,
    STEP,
    WAIT,
    WAITING,
    acting,
    begun,
    edited,
    feature,
    seeded,
    shapes,
    small,
    starving,
    still,
)
from townlet_jax.core import town
from townlet_jax.core.enums import Exit, Kind, Reason
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.env import TownEnv, choices

ENV = TownEnv(SPEC)
AVOIDANCE = 4  # column of `measures.terms`


def test_a_reset_shows_the_town_and_tells_of_nothing() -> None:
    state, timestep = begun()
    fresh = jax.jit(functools.partial(town.init, SPEC))(still(), seeded())
    assert crowds.differences(state.town, fresh) == []
    assert not np.any(timestep.reward)
    assert not np.any(timestep.terminated | timestep.truncated | timestep.valid)
    assert np.all(timestep.fresh)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(timestep.measures))
    assert crowds.differences(timestep.final, timestep.observation) == []
    assert np.all(timestep.observation.valid)
    assert feature(timestep, "need_hunger") == state.town.needs.level[ADA, 0]
    assert feature(timestep, "wallet") == pytest.approx(0.3)  # 3 coins on a scale of 10


def test_equal_keys_equal_towns() -> None:
    assert crowds.differences(begun(seed=3), begun(seed=3)) == []
    assert "town.needs.level" in " ".join(crowds.differences(begun(seed=3)[0], begun(seed=4)[0]))


def test_a_step_executes_one_tick() -> None:
    state, _ = begun()
    assert state.town.roster.position[ADA].tolist() == [1, 1]
    state, timestep = STEP(state, acting(ada=EAST), still())
    assert int(state.town.clock.tick) == 1
    assert state.town.roster.position[ADA].tolist() == [2, 1]
    assert feature(timestep, "last_action_success") == 1
    assert timestep.valid.tolist() == [True] * AGENTS
    assert not np.any(timestep.fresh)
    assert int(timestep.measures.alive) == AGENTS
    assert int(timestep.measures.actions[Kind.MOVE]) == 1
    assert crowds.differences(timestep.final, timestep.observation) == []


def test_the_reward_is_that_of_the_tick() -> None:
    """Survival .02 less the squared lack of each need, weighed .10, .06, .08."""
    state, timestep = STEP(begun()[0], WAITING, still())
    level = np.asarray(state.town.needs.level[ADA], np.float64)
    expected = 0.02 - (np.array([0.10, 0.06, 0.08]) * (1 - level) ** 2).sum()
    assert float(timestep.reward[ADA]) == pytest.approx(expected, abs=1e-6)


def test_illegal_actions_are_refused_by_the_tick() -> None:
    state, timestep = STEP(begun()[0], acting(ada=-1, ben=SPEC.num_actions, cleo=5), still())
    assert int(timestep.measures.refusals[Reason.BAD_INDEX]) == 2
    assert feature(timestep, "last_action_success", ADA) == 0
    assert feature(timestep, "last_action_success", CLEO) == 1  # no shower in reach: a wait
    assert int(state.town.clock.tick) == 1


def test_the_mask_tells_what_is_legal_next() -> None:
    state, timestep = begun()
    state = edited(state, lambda town: town.roster.position.__setitem__(slice(None), (14, 8)))
    _, timestep = STEP(state, WAITING, still())
    mask = ENV.mask(timestep)
    assert mask.shape == (AGENTS, SPEC.num_actions)
    assert mask[ADA, :5].tolist() == [True, True, False, False, True]  # walls to the east and the south
    assert bool(mask[ADA, CHAT])


def test_who_leaves_is_terminated_and_sees_the_tick_once_more() -> None:
    state = edited(begun()[0], lambda town: starving(town, BEN))
    state, timestep = STEP(state, WAITING, still())
    assert timestep.terminated.tolist() == [slot == BEN for slot in range(AGENTS)]
    assert not np.any(timestep.truncated)
    assert bool(timestep.valid[BEN])
    assert int(timestep.measures.exits[Exit.FAINT]) == 1
    assert float(timestep.reward[BEN]) == pytest.approx(-5 + min(0.0, float(timestep.reward[BEN]) + 5))
    assert bool(timestep.observation.valid[BEN])
    assert feature(timestep, "need_hunger", BEN) == 0
    assert feature(timestep, "ctx_reset_flag", BEN) == 1
    assert feature(timestep, "ctx_reset_flag", ADA) == 0
    assert feature(timestep, "faint_progress", BEN) == 1
    assert np.any(timestep.observation.map[BEN])
    assert timestep.observation.mask[BEN].tolist() == [True] + [False] * (SPEC.num_actions - 1)
    assert not bool(state.town.roster.alive[BEN])


def test_an_empty_slot_neither_counts_nor_sees_until_somebody_moves_in() -> None:
    state = edited(begun()[0], lambda town: starving(town, BEN))
    state = edited(state, lambda town: town.controls.respawn_min.__setitem__(..., 3))
    state = edited(state, lambda town: town.controls.respawn_max.__setitem__(..., 3))
    seen = []
    for _ in range(5):
        state, timestep = STEP(state, acting(ben=EAST), still())
        seen.append((bool(timestep.valid[BEN]), bool(timestep.fresh[BEN]), bool(timestep.observation.valid[BEN])))
        if not seen[-1][2]:
            assert not np.any(timestep.observation.features[BEN])
            assert not np.any(timestep.observation.map[BEN])
        if not seen[-1][0]:
            assert float(timestep.reward[BEN]) == 0
    left, empty, arrived, acts = (True, False, True), (False, True, False), (False, True, True), (True, False, True)
    assert seen == [left, empty, empty, arrived, acts]


def test_the_time_limit_truncates_who_does_not_leave() -> None:
    """The same tick is somebody's last: that one is terminated, not truncated."""
    params = still(horizon=2)
    state, first = STEP(begun(params)[0], WAITING, params)
    assert not np.any(first.truncated)
    _, timestep = STEP(edited(state, lambda town: starving(town, BEN)), WAITING, params)
    assert timestep.truncated.tolist() == [slot != BEN for slot in range(AGENTS)]
    assert timestep.terminated.tolist() == [slot == BEN for slot in range(AGENTS)]
    assert np.all(timestep.valid)


def test_possessed_agents_wait() -> None:
    state = edited(begun()[0], lambda town: town.controls.possessed.__setitem__(ADA, True))
    state, _ = STEP(state, acting(ada=EAST, cleo=EAST), still())
    assert int(state.town.roster.last_kind[ADA]) == Kind.WAIT
    assert int(state.town.roster.last_kind[CLEO]) == Kind.MOVE


def rivals_at_the_fridge(town: Any) -> None:
    """Let ben hold the one fridge in reach of ada, who avoids him."""
    fridge = small().names.objects.index("fridge_1")
    town.queues.holding[BEN] = fridge
    x, y = small().params.world.tile[fridge]
    town.roster.position[[ADA, BEN]] = (x, y - 1)
    town.ties.rivalry[ADA, BEN] = 1


@pytest.mark.parametrize("guarded", [False, True])
def test_learners_are_held_back_from_rivals_where_the_parameters_say_so(guarded: bool) -> None:
    params = still(edit=lambda made: made.behaviour.guard_learners.__setitem__(..., guarded))
    state = edited(begun(params)[0], rivals_at_the_fridge)
    state, timestep = STEP(state, acting(ada=EAT), params)
    waits = int(state.town.queues.waiting[ADA]) != -1
    assert waits is not guarded
    assert int(state.town.roster.last_kind[ADA]) == (Kind.WAIT if guarded else Kind.USE)
    bonus = float(timestep.measures.terms[AVOIDANCE]) * AGENTS
    assert bonus == pytest.approx(0.005 if guarded else 0.0)


def wealth(params: Params, before: TownState, after: TownState, output: TickOutput) -> jax.Array:
    """Pay one coin for every coin, and something that must not count for empty slots."""
    del params, before, output
    return after.economy.wallet + 100


def test_a_guarded_env_with_another_reward() -> None:
    env = TownEnv(SPEC, guard=True, reward=wealth)
    state = edited(begun()[0], rivals_at_the_fridge)
    state = edited(state, lambda town: town.roster.alive.__setitem__(CLEO, False))
    after, timestep = jax.jit(env.step)(state.inner, acting(ada=EAT), still())
    assert int(after.town.roster.last_kind[ADA]) == Kind.WAIT
    assert timestep.reward.tolist() == [103, 103, 0, 103, 103, 103]


def test_any_town_can_be_entered() -> None:
    state, _ = STEP(begun()[0], acting(ada=EAST), still())
    entered, timestep = jax.jit(ENV.enter)(state.town, still())
    assert crowds.differences(entered.town, state.town) == []
    assert not np.any(entered.memory)
    assert np.all(timestep.fresh)
    assert not np.any(timestep.valid)
    assert feature(timestep, "last_action_success") == 1


@pytest.mark.parametrize(("action_space", "variant"), [("flat", "hybrid"), ("options", "full"), ("flat", "compact")])
def test_structure_shapes_and_dtypes_never_change(action_space: str, variant: str) -> None:
    spec, params, _ = small(action_space, variant)
    env = TownEnv(spec)
    first = jax.eval_shape(env.reset, seeded(), params)
    second = jax.eval_shape(env.step, first[0], WAITING, params)
    assert jax.tree.structure(first) == jax.tree.structure(second)
    assert shapes(first) == shapes(second)
    assert jax.eval_shape(choices, first[1].observation).shape == (AGENTS, env.num_choices)
    assert env.num_choices == (8 if action_space == "options" else SPEC.num_actions)


def test_compiled_once() -> None:
    params = [still(horizon) for horizon in (0, 1, 7)]
    state, _ = begun(params[0])
    STEP(state, WAITING, params[0])
    with counted_compilations() as events:
        for numbers in params:
            state, _ = STEP(state, WAITING, numbers)
            RESET(seeded(int(state.episode)), numbers)
    assert events == []


@pytest.mark.parametrize(
    ("actions", "error", "words"),
    [
        (jnp.zeros(AGENTS + 1, jnp.int32), ValueError, r"shape \(7,\), but must have \(6,\) \(agents\)"),
        (jnp.zeros((2, AGENTS), jnp.int32), ValueError, r"shape \(2, 6\), but must have \(6,\)"),
        (jnp.int32(WAIT), ValueError, r"shape \(\), but must have \(6,\)"),
        (jnp.zeros(AGENTS, jnp.float32), TypeError, "dtype float32, but must be int32 ids"),
        (jnp.zeros(AGENTS, bool), TypeError, "dtype bool, but must be int32 ids"),
    ],
)
def test_wrong_actions_are_refused_while_tracing(actions: jax.Array, error: type[Exception], words: str) -> None:
    state, _ = jax.eval_shape(ENV.reset, seeded(), still())
    with pytest.raises(error, match=words):
        jax.eval_shape(ENV.step, state, actions, still())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (jax.random.PRNGKey(0), r"is uint32 of shape \(2,\)"),
        (jax.random.split(jax.random.key(0), 3), r"is key<fry> of shape \(3,\)"),
        (jax.random.key(0, impl="rbg"), r"is key<rbg> of shape \(\)"),
    ],
)
def test_wrong_keys_are_refused_while_tracing(key: jax.Array, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        jax.eval_shape(ENV.reset, key, still())
