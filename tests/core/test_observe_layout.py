"""Names, sizes and types of observations, without running anything (MECHANICS 6.1, 6.4, 1.3)."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from core.worlds import hamlet
from townlet_jax.config import Built, build, from_mapping, load
from townlet_jax.core import rng, town
from townlet_jax.core.observe.layout import layout
from townlet_jax.core.observe.observation import Observation, observe


def words(text: str) -> list[str]:
    """Split names that stand one after the other."""
    return text.split()


BODY = words("""need_hunger need_hygiene need_energy wallet lateness_counter on_shift time_sin time_cos attendance_ratio
wages_withheld shift_pre shift_on_time shift_late shift_absent shift_post embedding_slot_norm ctx_reset_flag
episode_progress rivalry_max rivalry_avoid_count last_action_id_hash last_action_success last_action_duration
reservation_active in_queue path_hint_north path_hint_south path_hint_east path_hint_west neighbor_agent_ratio
neighbor_object_ratio reserved_tile_ratio nearest_agent_distance""")
LANDMARKS = [
    f"landmark_{name}_{part}" for name in ("fridge", "stove", "bed", "shower") for part in ("dx", "dy", "dist")
]
PERSONALITY = ["personality_extroversion", "personality_forgiveness", "personality_ambition"]
SLOTS = [
    f"social_{i}_{part}"
    for i in range(4)
    for part in (*(f"embedding_{j}" for j in range(8)), "trust", "familiarity", "rivalry")
]
SUMS = ["social_trust_mean", "social_trust_max", "social_rivalry_mean", "social_rivalry_max"]
EXTENDED = words("""has_job is_busy busy_remaining is_asleep chat_ready rival_in_queue queue_position unpaid_days
shift_starts_in shift_remaining work_north work_east work_south work_west work_distance home_north home_east
home_south home_west home_distance power_on water_on price_level faint_progress""")
OPTIONS = words("""option_idle option_get_fed option_get_clean option_sleep option_cook option_go_to_work
option_socialise option_go_home""")
ALL = BODY + LANDMARKS + PERSONALITY + SLOTS + SUMS + EXTENDED


def with_flags(**flags: Any) -> Built:
    """Return the default town with other flags."""
    return build(from_mapping({"base": "default", "spec": flags}))


def shapes_of(built: Built) -> Observation:
    """Return the shapes of an observation; nothing is computed."""
    spec, params, _ = built
    state = jax.eval_shape(lambda: town.init(spec, params, rng.town_key(0, 0)))
    option = jax.ShapeDtypeStruct((spec.num_agents,), jnp.int32)
    made: Observation = jax.eval_shape(functools.partial(observe, spec), params, seen=state, after=state, option=option)
    return made


def test_the_default_layout() -> None:
    found = layout(build(load("default")).spec)
    assert list(found.features) == ALL
    assert len(found.features) == 120
    assert found.channels == ("self", "agents", "objects", "reservations", "walls")
    assert (found.window, found.path_channels) == (11, ())
    places = {"need_hunger": 0, "wallet": 3, "landmark_fridge_dx": 33, "personality_extroversion": 45,
              "social_0_embedding_0": 48, "social_1_embedding_0": 59, "social_trust_mean": 92, "has_job": 96,
              "work_distance": 110, "home_north": 111, "power_on": 116, "faint_progress": 119}  # fmt: skip
    assert {name: found.index(name) for name in places} == places


def test_options_come_last() -> None:
    assert list(layout(with_flags(action_space="options").spec).features) == ALL + OPTIONS
    assert len(ALL + OPTIONS) == 128


def test_parity_has_the_81_features_in_order() -> None:
    found = layout(build(load("parity")).spec)
    assert list(found.features) == BODY + SLOTS + SUMS
    assert len(found.features) == 81
    assert found.channels == ("self", "agents", "objects", "reservations")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"landmarks": False}, BODY + PERSONALITY + SLOTS + SUMS + EXTENDED),
        ({"personality_channels": False}, BODY + LANDMARKS + SLOTS + SUMS + EXTENDED),
        ({"aggregates": False}, BODY + LANDMARKS + PERSONALITY + SLOTS + EXTENDED),
        ({"extended_features": False}, BODY + LANDMARKS + PERSONALITY + SLOTS + SUMS),
        ({"top_friends": 0}, BODY + LANDMARKS + PERSONALITY + SLOTS[:22] + SUMS + EXTENDED),
        ({"top_friends": 0, "top_rivals": 1}, BODY + LANDMARKS + PERSONALITY + SLOTS[:11] + SUMS + EXTENDED),
        ({"top_friends": 0, "top_rivals": 0}, BODY + LANDMARKS + PERSONALITY + EXTENDED),
        ({"landmarks": False, "personality_channels": False, "extended_features": False, "top_friends": 0,
          "top_rivals": 0, "action_space": "options"}, BODY + OPTIONS),
    ],
)  # fmt: skip
def test_blocks_can_be_switched_off(flags: dict[str, Any], expected: list[str]) -> None:
    built = with_flags(**flags)
    assert list(layout(built.spec).features) == expected
    assert shapes_of(built).features.shape == (8, len(expected))


@pytest.mark.parametrize(
    ("flags", "channels", "path"),
    [
        ({}, (5, 11, 11), (0, 11, 11)),
        ({"variant": "full"}, (5, 11, 11), (2, 11, 11)),
        ({"variant": "compact"}, (5, 7, 7), (0, 7, 7)),
        ({"extended_features": False}, (4, 11, 11), (0, 11, 11)),
        ({"variant": "full", "extended_features": False}, (4, 11, 11), (2, 11, 11)),
        ({"variant": "compact", "extended_features": False}, (5, 7, 7), (0, 7, 7)),
        ({"variant": "compact", "object_channels": ["bed", "till", "bed"]}, (7, 7, 7), (0, 7, 7)),
        ({"local_window": 3}, (5, 3, 3), (0, 3, 3)),
        ({"variant": "full", "local_window": 31}, (5, 31, 31), (2, 31, 31)),
        ({"variant": "compact", "compact_window": 3, "local_window": 9}, (5, 3, 3), (0, 3, 3)),
    ],
)
def test_maps_have_the_size_of_the_window(
    flags: dict[str, Any], channels: tuple[int, ...], path: tuple[int, ...]
) -> None:
    built = with_flags(**flags)
    made, found = shapes_of(built), layout(built.spec)
    assert made.map.shape == (8, *channels)
    assert made.path.shape == path
    assert len(found.channels) == channels[0]
    assert found.window == channels[1]
    assert len(found.path_channels) == path[0]


def test_channels_of_object_types_are_named_once_in_the_order_given() -> None:
    found = layout(with_flags(variant="compact", object_channels=["till", "bed", "till"]).spec)
    assert found.channels == ("self", "agents", "objects", "reservations", "object:till", "object:bed", "walkable")
    assert found.channel("object:bed") == 5


def test_shapes_and_types() -> None:
    for built, options in ((build(load("default")), 0), (hamlet(), 0), (with_flags(action_space="options"), 0)):
        made, spec = shapes_of(built), built.spec
        assert (made.features.shape, made.features.dtype) == (
            (spec.num_agents, len(layout(spec).features)),
            jnp.float32,
        )
        assert (made.map.dtype, made.path.dtype) == (jnp.uint8, jnp.float32)
        assert (made.mask.shape, made.mask.dtype) == ((spec.num_agents, spec.num_actions), bool)
        assert (made.option_mask.shape, made.option_mask.dtype) == ((spec.num_agents, options), bool)
        assert (made.valid.shape, made.valid.dtype) == ((spec.num_agents,), bool)


def test_sizes_are_those_of_the_action_space() -> None:
    assert (layout(build(load("default")).spec).num_actions, layout(build(load("default")).spec).num_options) == (15, 0)
    assert layout(with_flags(action_space="options").spec).num_options == 8


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    found = layout(build(load("default")).spec)
    with pytest.raises(
        KeyError, match="'hunger' is not a feature of this layout; there are: need_hunger, need_hygiene"
    ):
        found.index("hunger")
    with pytest.raises(KeyError, match="'bed' is not a map channel of this layout; there are: self, agents, objects"):
        found.channel("bed")


def test_a_layout_is_plain_and_made_once() -> None:
    spec = build(load("default")).spec
    found = layout(spec)
    assert layout(dataclasses.replace(spec)) is found
    assert {type(value) for value in vars(found).values()} == {tuple, int}
    assert {type(name) for name in found.features + found.channels} == {str}
