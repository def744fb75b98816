"""Gymnasium's checks of spaces, seeds, wrappers and autoreset, and that the rows are those of the towns."""

from typing import Any, ClassVar

import gymnasium as gym
import jax
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.utils.passive_env_checker import check_action_space, check_observation_space
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FlattenObservation
from gymnasium.wrappers.vector import (
    DictInfoToList,
    NormalizeReward,
    RecordEpisodeStatistics,
    VectorizeTransformObservation,
)

from env.adapters.towns import AGENTS, EAST, ENV, LAYOUT, SPEC, WAIT, deadly, default, lasting
from townlet_jax.core import rng
from townlet_jax.core.params import Params
from townlet_jax.env import TownEnv
from townlet_jax.env.adapters import TownVectorEnv

TOWNS = 2
ROWS = TOWNS * AGENTS
HORIZON = 25
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
NOTHING = np.zeros(ROWS, np.int64)
WAIT_ONLY = [1] + [0] * (SPEC.num_actions - 1)


def towns(mode: AutoresetMode | str = AutoresetMode.NEXT_STEP, params: Params | None = None) -> TownVectorEnv:
    """Return two towns in which everybody starves again and again."""
    return TownVectorEnv(ENV, deadly(HORIZON) if params is None else params, TOWNS, autoreset_mode=mode)


def drawn(env: TownVectorEnv, infos: dict[str, Any], number: int) -> Any:
    """Return legal actions, the same ones for the same number."""
    unit = np.random.default_rng(number).random(ROWS)
    legal = infos["action_mask"].cumsum(axis=1)
    return (legal > (unit * legal[:, -1])[:, None]).argmax(axis=1)


def played(env: Any, steps: int, seed: int = 4) -> list[tuple[Any, ...]]:
    """Return what every step gave, with actions that do not depend on the mode."""
    env.reset(seed=seed)
    return [env.step(np.full(ROWS, step % 5)) for step in range(steps)]


def test_spaces_are_batches_of_those_of_one_agent() -> None:
    env = towns()
    assert env.num_envs == ROWS
    assert env.single_action_space == spaces.Discrete(15)
    assert env.action_space == spaces.MultiDiscrete([15] * ROWS)
    assert {name: (part.shape, part.dtype) for name, part in env.single_observation_space.items()} == {
        "features": ((len(LAYOUT.features),), np.dtype("float32")),
        "map": ((5, 11, 11), np.dtype("uint8")),
    }
    assert env.observation_space["map"].shape == (ROWS, 5, 11, 11)
    check_observation_space(env.single_observation_space)
    check_action_space(env.single_action_space)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert repr(env) == "TownVectorEnv(num_envs=16)"


@pytest.mark.parametrize("mode", MODES)
def test_steps_stay_in_their_spaces(mode: AutoresetMode) -> None:
    env = towns(mode)
    observation, infos = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    for number in range(HORIZON + 3):
        observation, rewards, terminated, truncated, infos = env.step(drawn(env, infos, number))
        assert env.observation_space.contains(observation)
        assert (rewards.shape, rewards.dtype) == ((ROWS,), np.dtype("float64"))
        assert (terminated.shape, terminated.dtype) == ((ROWS,), np.dtype("bool"))
        assert (truncated.shape, truncated.dtype) == ((ROWS,), np.dtype("bool"))
        assert (infos["action_mask"].shape, infos["action_mask"].dtype) == ((ROWS, 15), np.dtype("int8"))
        assert infos["_action_mask"].all()
        assert infos["_valid"].all()
        for row in np.flatnonzero(infos.get("_final_obs", [])):
            assert env.single_observation_space.contains(infos["final_obs"][row])


def test_equal_seeds_equal_episodes() -> None:
    first, second = towns(), towns()
    assert data_equivalence(first.reset(seed=9), second.reset(seed=9), exact=True)
    assert data_equivalence(played(first, 12), played(second, 12), exact=True)
    again, other = first.reset(), second.reset()
    assert data_equivalence(again, other, exact=True), "later towns follow from the seed"
    assert not data_equivalence(again, first.reset(seed=9), exact=True)
    assert first.np_random_seed == 9


def test_a_seed_gives_the_towns_of_a_batch() -> None:
    env = towns()
    env.reset(seed=7)
    expected = [jax.random.key_data(rng.town_key(7, town)) for town in range(TOWNS)]
    assert np.array_equal(jax.random.key_data(env.towns.key), expected)
    assert env.towns.clock.tick.tolist() == [0, 0]


def test_rows_are_slots_of_towns() -> None:
    env = towns(params=lasting(0))
    env.reset(seed=1)
    before = np.asarray(env.towns.roster.position)
    actions = NOTHING.copy()
    actions[AGENTS + 1] = EAST  # ben of the second town
    observation, rewards, *_ = env.step(actions)
    moved = np.asarray(env.towns.roster.position) - before
    assert moved[1, 1].tolist() == [1, 0]
    assert np.abs(moved).sum() == 1
    hunger = observation["features"][:, LAYOUT.index("need_hunger")]
    assert np.array_equal(hunger.reshape(TOWNS, AGENTS), env.towns.needs.level[:, :, 0])
    assert np.allclose(rewards.reshape(TOWNS, AGENTS), env.towns.ledger.episode_return, atol=1e-6)


def test_next_step_shows_the_last_observation_and_then_begins_anew() -> None:
    env = towns()
    env.reset(seed=4)
    ended = np.zeros(ROWS, bool)
    deaths = 0
    for step in range(1, 2 * HORIZON):
        observation, rewards, terminated, truncated, infos = env.step(np.full(ROWS, WAIT))
        valid = infos["valid"]
        assert not np.any((terminated | truncated | valid)[ended]), "the step after an end is a reset"
        assert not np.any(rewards[~valid])
        assert not np.any((terminated | truncated) & ~valid)
        assert np.all(observation["features"][terminated | truncated].any(axis=1)), "the last thing it saw"
        assert not truncated.any() or step == HORIZON
        if step == HORIZON:
            assert np.array_equal(truncated, valid & ~terminated)
        if step == HORIZON + 1:
            assert not valid.any(), "new towns everywhere"
            assert env.towns.clock.tick.tolist() == [0, 0]
            assert observation["features"].any(axis=1).all()
        vacant = ~np.asarray(env.towns.roster.alive).reshape(-1) & ~terminated
        assert not observation["features"][vacant].any()
        assert infos["action_mask"][vacant].tolist() == [WAIT_ONLY] * int(vacant.sum())
        assert "final_obs" not in infos
        ended = terminated | truncated
        deaths += int(terminated.sum())
    assert deaths > ROWS, "several generations"


def test_same_step_shows_what_comes_next_and_tells_the_last_apart() -> None:
    """Until the time limit both modes live through the same towns."""
    next_step, same_step = played(towns(), HORIZON), played(towns(AutoresetMode.SAME_STEP), HORIZON)
    ends = 0
    for shown, hidden in zip(next_step, same_step, strict=True):
        for place in (1, 2, 3):
            assert np.array_equal(shown[place], hidden[place])
        ended = shown[2] | shown[3]
        infos = hidden[4]
        assert np.array_equal(infos["valid"], shown[4]["valid"])
        assert np.array_equal(infos.get("_final_obs", np.zeros(ROWS, bool)), ended)
        for row in range(ROWS):
            here = {name: array[row] for name, array in shown[0].items()}
            if ended[row]:
                assert data_equivalence(infos["final_obs"][row], here, exact=True)
                assert np.array_equal(infos["final_info"]["action_mask"][row], shown[4]["action_mask"][row])
                assert hidden[0]["features"][row].any() == bool(shown[3].any()), "vacant, or the new town"
            else:
                assert np.array_equal(hidden[0]["features"][row], here["features"]) or shown[3].any()
        ends += int(ended.sum())
    assert ends > ROWS
    assert same_step[-1][3].any()


def test_same_step_begins_a_new_town_at_the_time_limit() -> None:
    env = towns(AutoresetMode.SAME_STEP, lasting(3))
    env.reset(seed=2)
    for step in range(1, 7):
        observation, _, terminated, truncated, infos = env.step(NOTHING)
        assert truncated.tolist() == [step % 3 == 0] * ROWS
        assert not terminated.any()
        assert infos["valid"].all()
        assert env.towns.clock.tick.tolist() == [step % 3] * TOWNS
        if step % 3 == 0:
            progress = LAYOUT.index("last_action_success")
            assert not observation["features"][:, progress].any()
            assert all(infos["final_obs"][row]["features"][progress] == 1 for row in range(ROWS))


def test_infos_have_gymnasiums_form() -> None:
    """Keys, types and shapes are those of its own vector environment in the same mode."""
    theirs = SyncVectorEnv([Short, Short], autoreset_mode=AutoresetMode.SAME_STEP)
    theirs.reset(seed=0)
    *_, expected = theirs.step(np.zeros(2, int))
    infos = played(towns(AutoresetMode.SAME_STEP, lasting(1)), 1)[0][4]
    assert set(expected) - {"note", "_note"} <= set(infos)
    for name in ("final_obs", "_final_obs", "_final_info"):
        assert (infos[name].ndim, infos[name].dtype) == (expected[name].ndim, expected[name].dtype)
    assert isinstance(expected["final_obs"][0], dict)
    assert isinstance(infos["final_obs"][0], dict)
    assert isinstance(infos["final_info"], dict)
    assert set(infos["final_info"]) == {"action_mask", "_action_mask", "valid", "_valid"}
    assert set(expected["final_info"]) == {"note", "_note"}


class Short(gym.Env[dict[str, Any], int]):
    """An environment whose every episode has one step."""

    observation_space = spaces.Dict({"seen": spaces.Box(0, 1, (2,), np.float32)})
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], Any]:
        """Begin."""
        super().reset(seed=seed)
        return {"seen": np.zeros(2, np.float32)}, {"note": 1}

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """End."""
        return {"seen": np.ones(2, np.float32)}, 1.0, True, False, {"note": 2}


@pytest.mark.parametrize("mode", MODES)
def test_episode_statistics_are_those_of_lives(mode: AutoresetMode) -> None:
    env = RecordEpisodeStatistics(towns(mode))
    env.reset(seed=4)
    totals, count = np.zeros(ROWS), 0
    for _ in range(HORIZON):
        _, rewards, terminated, truncated, infos = env.step(NOTHING)
        totals += rewards
        ended = terminated | truncated
        if ended.any():
            assert np.allclose(infos["episode"]["r"][ended], totals[ended])
            assert np.array_equal(infos["_episode"], ended)
            totals[ended] = 0
            count += int(ended.sum())
    assert env.episode_count == count > ROWS


def test_other_wrappers_take_the_environment() -> None:
    env = DictInfoToList(towns(AutoresetMode.SAME_STEP, lasting(1)))
    _, infos = env.reset(seed=0)
    assert len(infos) == ROWS
    assert infos[0]["action_mask"].sum() > 1
    infos = env.step(NOTHING)[4]
    assert infos[3]["final_obs"]["features"].shape == (len(LAYOUT.features),)

    flat = VectorizeTransformObservation(towns(), FlattenObservation)
    assert flat.single_observation_space.shape == (len(LAYOUT.features) + 5 * 11 * 11,)
    observation, _ = flat.reset(seed=0)
    assert flat.observation_space.contains(observation)
    assert flat.observation_space.contains(flat.step(NOTHING)[0])

    rewards = [NormalizeReward(towns()).env, NormalizeReward(towns())]
    for wrapped in rewards:
        wrapped.reset(seed=0)
    plain, normal = (wrapped.step(NOTHING)[1] for wrapped in rewards)
    assert np.all(np.sign(plain) == np.sign(normal))


class OneSlot(gym.Env[dict[str, Any], int]):
    """One row of the vector, for a checker that knows single environments only; everybody else waits."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, env: TownVectorEnv, row: int) -> None:
        self._env, self._row = env, row
        self.observation_space, self.action_space = env.single_observation_space, env.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], Any]:
        """Begin anew everywhere."""
        super().reset(seed=seed)
        observation, infos = self._env.reset(seed=seed, options=options)
        return {name: array[self._row] for name, array in observation.items()}, {
            "mask": infos["action_mask"][self._row]
        }

    def step(self, action: int) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act in one row."""
        actions = NOTHING.copy()
        actions[self._row] = action
        observation, rewards, terminated, truncated, infos = self._env.step(actions)
        row = self._row
        told = {"mask": infos["action_mask"][row]}
        seen = {name: array[row] for name, array in observation.items()}
        return seen, float(rewards[row]), bool(terminated[row]), bool(truncated[row]), told


@pytest.mark.filterwarnings("ignore:.*A Box observation space maximum value is infinity")  # a hint: some have no bound
def test_gymnasiums_checker_passes_a_row() -> None:
    check_env(OneSlot(towns(params=lasting(0)), AGENTS + 2), skip_render_check=True)


def test_options_and_paths_are_shown_where_there_are_any() -> None:
    built = default("options", "full")
    env = TownVectorEnv(TownEnv(built.spec), built.params, TOWNS)
    assert env.single_action_space.n == 8
    observation, infos = env.reset(seed=0)
    assert observation["path"].shape == (ROWS, 2, 11, 11)
    assert infos["action_mask"].shape == (ROWS, 8)
    assert env.observation_space.contains(observation)


BAD_ACTIONS: dict[str, tuple[Any, type[Exception], str]] = {
    "shape": (
        np.zeros((TOWNS, AGENTS), int),
        ValueError,
        r"^Actions have the shape \(2, 8\), but must have \(16,\): one a",
    ),
    "float": (np.zeros(ROWS), TypeError, r"^Actions have the dtype float64, but must be integers, 0 to 14\.$"),
    "bool": (np.zeros(ROWS, bool), TypeError, r"^Actions have the dtype bool, but must be integers, 0 to 14\.$"),
    "large": (np.arange(ROWS) + 5, ValueError, r"^Action 10 is 15, but must be 0 to 14\.$"),
    "negative": (NOTHING - 1, ValueError, r"^Action 0 is -1, but must be 0 to 14\.$"),
}


@pytest.mark.parametrize("case", list(BAD_ACTIONS))
def test_wrong_actions_are_refused(case: str) -> None:
    actions, error, sentence = BAD_ACTIONS[case]
    env = towns()
    env.reset(seed=0)
    with pytest.raises(error, match=sentence):
        env.step(actions)
    assert env.towns.clock.tick.tolist() == [0, 0]


def test_wrong_uses_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^The autoreset mode is Disabled, but must be NextStep or SameStep: the slots"
    ):
        towns(AutoresetMode.DISABLED)
    with pytest.raises(ResetNeeded, match=r"^There are no towns yet: call reset\(\) first\.$"):
        towns().step(NOTHING)
    with pytest.raises(ResetNeeded, match=r"^There are no towns yet: call reset\(\) first\.$"):
        _ = towns().towns
    with pytest.raises(ValueError, match=r"cannot be reset one by one: call reset\(\) without reset_mask\.$"):
        towns().reset(options={"reset_mask": np.ones(ROWS, bool)})
    with pytest.raises(ValueError, match=r"^The seed is 4294967296, but must be 0 to 4294967295\.$"):
        towns().reset(seed=2**32)
