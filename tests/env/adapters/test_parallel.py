"""PettingZoo's own checkers, and what they do not look at: names, joining and leaving, values, refusals."""

import functools
import warnings
from typing import Any

import jax
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils import parallel_to_aec

from env.adapters.towns import (
    AGENTS,
    EAST,
    ENV,
    LAYOUT,
    NAMES,
    NORTH,
    SOUTH,
    SPEC,
    WAIT,
    WEST,
    deadly,
    default,
    lasting,
)
from townlet_jax.core import rng
from townlet_jax.core.enums import Kind
from townlet_jax.core.observe.observation import observe
from townlet_jax.core.params import Params
from townlet_jax.env import TownEnv
from townlet_jax.env.adapters import ParallelTown

approx = pytest.approx
CYCLES = 60
# Hints of the checker at habits of PettingZoo's own games, none of them rules: our observations are dictionaries, and
# our agents are called by their names.
HINTS = (
    "Observation is not a NumPy array",
    "Observation space for each agent probably should be",
    "We recommend agents to be named",
)
# Agents may all be gone before the next individuals move in: the episode is over, and some never joined.
NOT_ALL_JOINED = "No agents present but not all possible_agents are terminated or truncated"


def town(params: Params | None = None, individuals: int = 1) -> ParallelTown:
    """Return the default town as PettingZoo sees it."""
    return ParallelTown(ENV, lasting(40) if params is None else params, NAMES, individuals=individuals)


def waiting(env: ParallelTown, **actions: int) -> dict[str, int]:
    """Return an action for every agent: some are named, the others wait."""
    return dict.fromkeys(env.agents, WAIT) | actions


@pytest.mark.parametrize("params", [lasting(40), deadly(40)], ids=["time limit", "deaths"])
def test_parallel_api(params: Params) -> None:
    parallel_api_test(town(params), num_cycles=CYCLES)


@pytest.mark.filterwarnings(f"ignore:{NOT_ALL_JOINED}")
def test_parallel_api_with_newcomers() -> None:
    parallel_api_test(town(deadly(40), individuals=3), num_cycles=CYCLES)


@pytest.mark.parametrize("individuals", [1, 3])
def test_parallel_seed(individuals: int) -> None:
    parallel_seed_test(lambda: town(deadly(40), individuals), num_cycles=CYCLES)


@pytest.mark.parametrize("individuals", [1, 3])
def test_api_of_the_aec_conversion(individuals: int) -> None:
    with warnings.catch_warnings():
        for hint in HINTS:
            warnings.filterwarnings("ignore", hint)
        api_test(parallel_to_aec(town(deadly(40), individuals)), num_cycles=CYCLES)


def test_seed_of_the_aec_conversion() -> None:
    seed_test(lambda: parallel_to_aec(town(deadly(40))), num_cycles=CYCLES)


def test_episodes_of_equal_seeds_are_equal() -> None:
    """The foreign check looks at one step only."""
    first, second = town(deadly(40), 3), town(deadly(40), 3)
    assert data_equivalence(first.reset(seed=5), second.reset(seed=5), exact=True)
    while first.agents:
        actions = {name: index % 5 for index, name in enumerate(first.agents)}
        assert data_equivalence(first.step(actions), second.step(actions), exact=True)
        assert first.agents == second.agents
    assert not second.agents
    again, other = first.reset(), second.reset()
    assert data_equivalence(again, other, exact=True), "later episodes follow from the seed"
    assert not data_equivalence(again, first.reset(seed=5), exact=True)


def test_a_seed_gives_the_first_town_of_a_batch() -> None:
    env = town()
    env.reset(seed=7)
    assert np.array_equal(jax.random.key_data(env.town.key), jax.random.key_data(rng.town_key(7, 0)))


def test_spaces_are_those_of_one_agent() -> None:
    env = town()
    assert env.possible_agents == list(NAMES)
    assert env.action_space("ada").n == SPEC.num_actions == 15
    space = env.observation_space("ben")
    assert {name: (part.shape, part.dtype) for name, part in space.items()} == {
        "features": ((len(LAYOUT.features),), np.dtype("float32")),
        "map": ((5, 11, 11), np.dtype("uint8")),
        "action_mask": ((15,), np.dtype("int8")),
    }
    assert env.observation_space("ben") is space
    assert env.action_space("ada") is not env.action_space("ben")  # each is seeded on its own
    assert space["features"].low[LAYOUT.index("time_sin")] == -1


def test_values_are_those_of_the_town() -> None:
    env = town()
    env.reset(seed=3)
    actions = dict(zip(NAMES, (EAST, WAIT, WEST, NORTH, SOUTH, WAIT, WEST, NORTH), strict=True))
    observations, rewards, terminated, truncated, infos = env.step(actions)
    here = env.town
    seen = jax.jit(functools.partial(observe, SPEC))(
        lasting(40), seen=here, after=here, option=np.zeros(AGENTS, np.int32)
    )
    assert len({tuple(row) for row in seen.mask.tolist()}) > 1
    for slot, name in enumerate(NAMES):
        assert np.array_equal(observations[name]["features"], seen.features[slot])
        assert np.array_equal(observations[name]["map"], seen.map[slot])
        assert np.array_equal(observations[name]["action_mask"], seen.mask[slot])
        assert np.array_equal(infos[name]["action_mask"], seen.mask[slot])
        assert rewards[name] == approx(float(here.ledger.episode_return[slot]), abs=1e-7)
        assert (terminated[name], truncated[name]) == (False, False)
    kinds = [Kind.WAIT if action == WAIT else Kind.MOVE for action in actions.values()]
    assert here.roster.last_kind.tolist() == kinds


def test_what_is_handed_out_can_be_written_to() -> None:
    env = town()
    observations, _ = env.reset(seed=3)
    kept = observations["ben"]["features"].copy()
    observations["ada"]["features"][:] = 9
    observations["ada"]["map"][:] = 9
    assert np.array_equal(observations["ben"]["features"], kept)
    assert env.step(waiting(env))[0]["ada"]["features"].max() < 9


def test_the_time_limit_truncates_everybody() -> None:
    env = town(lasting(4))
    env.reset(seed=1)
    for tick in range(1, 5):
        _, _, terminated, truncated, _ = env.step(waiting(env))
        assert not any(terminated.values())
        assert set(truncated.values()) == {tick == 4}
    assert env.agents == []
    with pytest.raises(ValueError, match=r"No episode is running: call reset\(\) first\."):
        env.step({})
    env.reset()
    assert env.agents == list(NAMES)


def test_who_dies_is_told_once_and_stays_away() -> None:
    env = town(deadly(0))
    env.reset(seed=2)
    gone: list[str] = []
    while env.agents:
        before = list(env.agents)
        observations, rewards, terminated, truncated, infos = env.step(waiting(env))
        for told in (observations, rewards, terminated, truncated, infos):
            assert list(told) == before
        left = [name for name in before if terminated[name]]
        assert not any(truncated.values())
        assert env.agents == [name for name in before if name not in left]
        for name in left:
            assert observations[name]["features"][LAYOUT.index("ctx_reset_flag")] == 1
            assert observations[name]["action_mask"].tolist() == [1] + [0] * 14
            assert rewards[name] < -0.1
        gone += left
    assert sorted(gone) == sorted(NAMES)


def test_newcomers_have_names_of_their_own() -> None:
    env = town(deadly(0), individuals=2)
    assert env.possible_agents == [*NAMES, *(f"{name}#1" for name in NAMES)]
    env.reset(seed=2)
    lives: dict[str, int] = {}
    while env.agents:
        before = list(env.agents)
        observations, rewards, terminated, _, infos = env.step(waiting(env))
        for name in [name for name in env.agents if name not in before]:
            slot = NAMES.index(name.removesuffix("#1"))
            assert int(env.town.roster.generation[slot]) == 1
            assert observations[name]["features"][LAYOUT.index("ctx_reset_flag")] == 1
            assert observations[name]["action_mask"].sum() > 1
            assert (rewards[name], terminated[name]) == (0.0, False)
            assert infos[name]["action_mask"].sum() > 1
        for name in before:
            lives[name] = lives.get(name, 0) + 1
    joined = [name for name in lives if "#" in name]
    assert joined
    assert len(lives) <= 2 * AGENTS
    assert all(ticks > 1 for ticks in lives.values())


def test_bystanders_wait() -> None:
    env = town(deadly(60))
    env.reset(seed=2)
    survivor = None
    while env.agents:
        survivor = list(env.agents)
        env.step(waiting(env))
    assert survivor is not None
    roster = env.town.roster
    bystanders = np.flatnonzero(roster.alive)
    assert bystanders.size, "somebody moved in, and is no agent"
    assert env.agents == []


def test_options_and_paths_are_shown_where_there_are_any() -> None:
    built = default("options", "full")
    env = ParallelTown(TownEnv(built.spec), built.params, NAMES)
    observations, _ = env.reset(seed=0)
    assert env.action_space("ada").n == 8
    assert observations["ada"]["path"].shape == (2, 11, 11)
    assert observations["ada"]["action_mask"].shape == (8,)
    assert observations["ada"]["action_mask"][0] == 1
    for name in NAMES:
        assert env.observation_space(name).contains(observations[name])


BAD_ACTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown": (
        {"zoe": 0},
        ValueError,
        r"^'zoe' is no agent of this town; there are: ada, ben, cleo, dan, eva, finn, gwen, hugo\.$",
    ),
    "too large": ({"ben": 15}, ValueError, r"^The action of ben is 15, but must be 0 to 14\.$"),
    "negative": ({"ben": np.int32(-1)}, ValueError, r"^The action of ben is -1, but must be 0 to 14\.$"),
    "float": ({"ben": 1.0}, TypeError, r"^The action of ben is 1\.0, but must be an integer, 0 to 14\.$"),
    "bool": ({"ben": True}, TypeError, r"^The action of ben is True, but must be an integer, 0 to 14\.$"),
    "none": ({"ben": None}, TypeError, r"^The action of ben is None, but must be an integer, 0 to 14\.$"),
    "vector": (
        {"ben": np.zeros(2, int)},
        TypeError,
        r"^The action of ben is array\(\[0, 0\]\), but must be an integer",
    ),
}


@pytest.mark.parametrize("case", list(BAD_ACTIONS))
def test_wrong_actions_are_refused(case: str) -> None:
    env = town()
    env.reset(seed=0)
    actions, error, sentence = BAD_ACTIONS[case]
    with pytest.raises(error, match=sentence):
        env.step(waiting(env) | actions)
    assert int(env.town.clock.tick) == 0, "nothing happened"


def test_missing_actions_are_refused() -> None:
    env = town()
    env.reset(seed=0)
    actions = waiting(env)
    del actions["cleo"]
    with pytest.raises(
        ValueError, match=r"^cleo has no action: give one for each of ada, ben, cleo, dan, eva, finn, gwen, hugo\.$"
    ):
        env.step(actions)


def test_actions_of_the_dead_are_refused() -> None:
    env = town(deadly(0))
    env.reset(seed=2)
    while len(env.agents) == AGENTS:
        env.step(waiting(env))
    dead = next(name for name in NAMES if name not in env.agents)
    with pytest.raises(ValueError, match=rf"^{dead} is not in the town and cannot act: give actions for .*\.$"):
        env.step(waiting(env) | {dead: WAIT})


def test_integers_of_any_kind_are_taken() -> None:
    env = town()
    env.reset(seed=0)
    env.step(waiting(env) | {"ada": np.int64(EAST), "ben": np.asarray(EAST), "cleo": jax.numpy.int32(EAST)})
    assert env.town.roster.last_kind[:3].tolist() == env.town.roster.last_kind[:1].tolist() * 3


def test_wrong_constructions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^9 agents are named .*, but the town has 8 slots; give at most that many"):
        ParallelTown(ENV, lasting(0), (*NAMES, "ian"))
    with pytest.raises(ValueError, match="each once"):
        ParallelTown(ENV, lasting(0), ("ada", "ada"))
    with pytest.raises(ValueError, match=r"^0 individuals of a slot are agents, but there must be at least 1\.$"):
        town(individuals=0)
    with pytest.raises(ValueError, match=r"^There is no town yet: call reset\(\) first\.$"):
        _ = town().town
    with pytest.raises(ValueError, match=r"^The seed is -1, but must be 0 to 4294967295\.$"):
        town().reset(seed=-1)
    with pytest.raises(ValueError, match="is no agent of this town"):
        town().action_space("zoe")


def test_slots_without_a_name_are_numbered() -> None:
    assert ParallelTown(ENV, lasting(0), ("ada", "ben")).possible_agents == [
        "ada",
        "ben",
        *(f"slot_{n}" for n in range(2, 8)),
    ]
