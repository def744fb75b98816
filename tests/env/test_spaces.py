"""Declared spaces, and what is said when something is out of them (env.spaces)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from env.places import AGENTS, ENV, LAYOUT, SPEC, small, still
from env.test_auto_reset import lived
from townlet_jax.core.observe.observation import Observation
from townlet_jax.env import TimeStep, TownEnv, check_spaces, declare_spaces
from townlet_jax.env.spaces import Spaces, action_names

DECLARED = declare_spaces(ENV, still(), affordances=small().names.affordances)


def test_every_field_of_an_observation_is_declared() -> None:
    assert list(DECLARED.observation) == [field.name for field in dataclasses.fields(Observation)]  # type: ignore[arg-type]  # a Pytree is a dataclass
    assert DECLARED.observation["features"].shape == (AGENTS, len(LAYOUT.features))
    assert DECLARED.observation["features"].names == LAYOUT.features
    assert DECLARED.observation["map"].shape == (AGENTS, 5, 11, 11)
    assert DECLARED.observation["map"].names == LAYOUT.channels
    assert DECLARED.observation["option_mask"].shape == (AGENTS, 0)
    assert DECLARED.observation["mask"].names == DECLARED.action.names
    assert (int(DECLARED.action.low), int(DECLARED.action.high)) == (0, SPEC.num_actions - 1)


def test_names_of_actions() -> None:
    assert DECLARED.action.names[:6] == ("wait", "move_north", "move_east", "move_south", "move_west", "use_shower")
    assert DECLARED.action.names[-2:] == ("leave", "chat")
    assert action_names(SPEC)[5] == "use_0"
    with pytest.raises(ValueError, match="1 affordances are named, but the town has 8; name all or none"):
        action_names(SPEC, ["eat"])


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("need_hunger", 0, 1),
        ("wallet", 0, 10),
        ("time_sin", -1, 1),
        ("landmark_bed_dx", -1, 1),
        ("landmark_bed_dist", 0, 10),
        ("personality_ambition", -1, 1),
        ("social_0_embedding_3", 0, 1),
        ("social_1_trust", -1, 1),
        ("social_1_rivalry", 0, 1),
        ("unpaid_days", 0, np.inf),
        ("price_level", -1, np.inf),
        ("work_distance", 0, 10),
        ("home_north", 0, 1),
    ],
)
def test_bounds_of_features(name: str, low: float, high: float) -> None:
    space, column = DECLARED.observation["features"], LAYOUT.index(name)
    assert (float(space.low[column]), float(space.high[column])) == (low, high)


def test_spaces_of_options_in_full() -> None:
    built = small("options", "full")
    declared = declare_spaces(TownEnv(built.spec), built.params)
    assert declared.action.names[:3] == ("idle", "get_fed", "get_clean")
    assert declared.observation["option_mask"].shape == (AGENTS, 8)
    assert declared.observation["path"].names == ("path_dx", "path_dy")
    assert declared.observation["path"].shape == (2, 11, 11)


def test_counts_in_compact_maps_reach_255() -> None:
    built = small("flat", "compact")
    world = built.params.observation
    for normalised, high in ((True, 1), (False, 255)):
        params = built.params.replace(observation=world.replace(normalize_counts=jnp.asarray(normalised)))
        assert int(declare_spaces(TownEnv(built.spec), params).observation["map"].high) == high


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_what_towns_show_is_in_its_space(mode: Any) -> None:
    check_spaces(DECLARED, lived(mode)[1])


def first_of_a_town() -> TimeStep:
    """Return a timestep of one town."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[0, 0]), lived("same_step")[1])


def altered(field: str, value: Any, index: Any = ...) -> Any:
    """Return a timestep of one town with a part of its observation changed."""
    timestep = first_of_a_town()
    array = np.array(getattr(timestep.observation, field))
    array[index] = value
    return timestep.replace(observation=timestep.observation.replace(**{field: jnp.asarray(array)}))


@pytest.mark.parametrize(
    ("field", "value", "index", "words"),
    [
        (
            "features",
            1.5,
            (2, 0),
            r"observation\.features is 1\.5 at \(2, 0\) \(need_hunger\), but must be 0\.0 to 1\.0",
        ),
        ("features", np.nan, (0, 3), r"is nan at \(0, 3\) \(wallet\), but must be 0\.0 to 10\.0"),
        ("map", 2, (1, 4, 0, 0), r"observation\.map is 2 at \(1, 4, 0, 0\) \(walls\), but must be 0 to 1"),
    ],
)
def test_values_out_of_their_space_are_named(field: str, value: Any, index: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_spaces(DECLARED, altered(field, value, index))


def test_other_shapes_and_dtypes_are_named() -> None:
    timestep = first_of_a_town()
    wide = jax.tree.map(lambda leaf: leaf.astype(jnp.int32) if leaf.dtype == jnp.uint8 else leaf, timestep)
    with pytest.raises(ValueError, match=r"observation\.map has the dtype int32, but must be uint8"):
        check_spaces(DECLARED, wide)
    cut = jax.tree.map(lambda leaf: leaf[1:] if leaf.shape == (AGENTS,) else leaf, timestep)
    with pytest.raises(ValueError, match=r"reward has the shape \(5,\), but must end with \(6,\)"):
        check_spaces(DECLARED, cut)
    assert isinstance(DECLARED, Spaces)
