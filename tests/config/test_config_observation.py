"""Flags and numbers of the observation that make no sense get one sentence (MECHANICS 1.3, 3.1, 6)."""

from typing import Any

import pytest

from townlet_jax.config import ConfigError, build, from_mapping
from townlet_jax.core.observe.layout import layout

TOWN: dict[str, Any] = {
    "town": {"size": [5, 5]},
    "objects": [{"id": "bunk", "type": "bed", "at": [2, 2]}],
    "agents": [{"name": "a", "position": [0, 0]}],
}

CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"spec": {"variant": "hybird"}}, "spec.variant", "is 'hybird', but must be one of 'hybrid', 'full' or 'compact'"),
    ({"spec": {"variant": None}}, "spec.variant", "is null, but must be one of 'hybrid', 'full' or 'compact'"),
    ({"spec": {"action_space": "both"}}, "spec.action_space", "is 'both', but must be one of 'flat' or 'options'"),
    ({"spec": {"hints": "astar"}}, "spec.hints", "is 'astar', but must be one of 'bfs' or 'straight'"),
    ({"spec": {"local_window": 10}}, "spec.local_window",
     "is 10, but must be odd so that the window has a centre; use 11"),
    ({"spec": {"compact_window": 8}}, "spec.compact_window",
     "is 8, but must be odd so that the window has a centre; use 9"),
    ({"spec": {"local_window": 33}}, "spec.local_window", "is 33, but must be a whole number from 3 to 31 tiles"),
    ({"spec": {"compact_window": 33}}, "spec.compact_window", "is 33, but must be a whole number from 3 to 31 tiles"),
    ({"spec": {"local_window": 1}}, "spec.local_window", "is 1, but must be a whole number from 3 to 31 tiles"),
    ({"spec": {"local_window": -11}}, "spec.local_window", "is -11, but must be a whole number from 3 to 31"),
    ({"spec": {"local_window": 11.0}}, "spec.local_window", "is 11.0, but must be a whole number"),
    ({"spec": {"local_window": 10**12}}, "spec.local_window", "from 3 to 31 tiles (an odd window has a centre)"),
    ({"spec": {"landmarks": 1}}, "spec.landmarks", "is 1, but must be true or false"),
    ({"spec": {"extended_features": "yes"}}, "spec.extended_features", "is 'yes', but must be true or false"),
    ({"spec": {"landmark": True}}, "spec.landmark", "unknown key (did you mean 'landmarks'?)"),
    ({"spec": {"top_friends": 9}}, "spec.top_friends", "is 9, but must be a whole number from 0 to 8"),
    ({"spec": {"top_friends": 4, "top_rivals": 5}}, "spec.top_rivals",
     "is 5 besides 4 friends, but only 8 social slots exist; lower one"),
    ({"spec": {"object_channels": ["bed"]}}, "spec.object_channels", "need variant compact, but it is hybrid"),
    ({"spec": {"variant": "full", "object_channels": ["bed"]}}, "spec.object_channels", "but it is full"),
    ({"spec": {"variant": "compact", "object_channels": ["bde"]}}, "spec.object_channels[0]",
     "'bde' is not an object type (did you mean 'bed'?)"),
    ({"spec": {"variant": "compact", "object_channels": ["bed", "walkable"]}}, "spec.object_channels[1]",
     "'walkable' is not an object type"),
    ({"spec": {"variant": "compact", "object_channels": ["Bed"]}}, "spec.object_channels[0]",
     "must be a name of another form"),
    ({"spec": {"variant": "compact", "object_channels": "bed"}}, "spec.object_channels", "must be a list"),
    ({"spec": {"variant": "compact", "object_channels": ["bed"] * 33}}, "spec.object_channels", "32"),
    ({"observation": {"wallet_scale": 0}}, "observation.wallet_scale", "is 0, but must be a finite number from 1e-06"),
    ({"observation": {"distance_scale": -64}}, "observation.distance_scale", "is -64, but must be a finite number"),
    ({"observation": {"ticks_scale": 1e10}}, "observation.ticks_scale", "is 10000000000.0, but must be"),
    ({"observation": {"feature_clip": 0}}, "observation.feature_clip", "is 0, but must be a finite number from 1e-06"),
    ({"observation": {"normalize_counts": 0}}, "observation.normalize_counts", "is 0, but must be true or false"),
    ({"observation": {"hint_type": ["bed", "bed"]}}, "observation.hint_type[2]",
     "is missing; the list needs 3 or more entries"),
    ({"observation": {"hint_type": 3}}, "observation.hint_type[0]", "is 3, but must be a text"),
    ({"observation": {"walet_scale": 1}}, "observation.walet_scale", "unknown key (did you mean 'wallet_scale'?)"),
    ({"economy": {"utilities": ["gas", "water"]}}, "economy.utilities",
     "must begin with power, water, which observations show"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "words"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_one_sentence(change: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(from_mapping({**TOWN, **change}))
    text = str(caught.value)
    assert f" {path}: " in f" {text}"
    assert words in text
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) < 700


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scales_are_finite(value: float) -> None:
    with pytest.raises(ConfigError, match=f"holds {value}, but numbers are finite"):
        from_mapping({**TOWN, "observation": {"ticks_scale": value}})


def test_what_is_allowed_is_built() -> None:
    spec = {
        "variant": "compact", "compact_window": 31, "local_window": 3, "object_channels": ["bed", "bed"],
        "top_friends": 8, "top_rivals": 0, "hints": "straight", "action_space": "options",
    }  # fmt: skip
    found = layout(build(from_mapping({**TOWN, "spec": spec})).spec)
    assert found.window == 31
    assert found.channels == ("self", "agents", "objects", "reservations", "object:bed", "walkable")
    assert (found.index("social_7_rivalry"), found.num_options) == (found.index("social_trust_mean") - 1, 8)


def test_hints_may_name_what_the_town_lacks() -> None:
    for hint in ("sofa", ["sofa", "bed", "shower"]):
        built = build(from_mapping({**TOWN, "observation": {"hint_type": hint}}))
        assert built.spec.hints == "bfs"


def test_sums_go_when_nobody_is_shown() -> None:
    built = build(from_mapping({**TOWN, "spec": {"top_friends": 0, "top_rivals": 0, "aggregates": True}}))
    assert not built.spec.aggregates
    assert not [name for name in layout(built.spec).features if name.startswith("social")]


def test_maps_that_no_memory_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"spec.local_window: is 31, so the maps around 512 x 512 tiles"):
        from_mapping({**TOWN, "town": {"size": [512, 512]}, "spec": {"local_window": 31}})
