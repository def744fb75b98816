"""Observations of random towns against the slow reference, name by name (MECHANICS 6, 5.3).

Towns with random maps and numbers live some ticks; of each, a few moments are looked at, some as they are, some
scrambled. Features must agree within 1e-6 (relative above 1), maps and masks exactly.
"""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from reference.moments import ROWS, Moments, differences, drawn, expected, shipped
from reference.records import Plain
from reference.towns import AGENTS

from townlet_jax.core.observe.layout import layout
from townlet_jax.core.observe.observation import Observation, observe
from townlet_jax.core.spec import Spec

PARITY: dict[str, Any] = {
    "landmarks": False, "personality_channels": False, "extended_features": False, "hints": "straight",
}  # fmt: skip
VIEWS: dict[str, dict[str, Any]] = {
    "hybrid": {"action_space": "options"},
    "hybrid parity": PARITY,
    "full": {"variant": "full", "hints": "straight", "local_window": 5, "top_friends": 3, "top_rivals": 1},
    "full parity": {**PARITY, "variant": "full", "local_window": 7, "aggregates": False},
    "compact": {"variant": "compact", "object_channels": ["bench", "fridge"], "top_friends": 0, "top_rivals": 3},
    "compact parity": {**PARITY, "variant": "compact", "compact_window": 5, "top_friends": 7, "top_rivals": 1},
}


def look(spec: Spec, params: Any, seen: Any, after: Any, option: Any) -> Observation:
    """Observe one town."""
    return observe(spec, params, seen=seen, after=after, option=option)


def everywhere(moments: Moments) -> Observation:
    """Return what the core observes in every row."""
    batch = jax.jit(jax.vmap(functools.partial(look, moments.spec)))
    seen: Observation = batch(moments.params, moments.seen, moments.after, moments.option)
    return seen


@functools.cache
def seen_by_core(view: str) -> tuple[Moments, Observation]:
    """Return random moments and what the core observes in them."""
    moments = drawn(200 + list(VIEWS).index(view), VIEWS[view])
    return moments, everywhere(moments)


@functools.cache
def seen_by_reference(view: str) -> list[Plain]:
    """Return what the reference observes in the same moments."""
    return expected(seen_by_core(view)[0])


@pytest.mark.parametrize("view", VIEWS)
def test_random_towns_look_alike(view: str) -> None:
    moments, actual = seen_by_core(view)
    wanted = seen_by_reference(view)
    assert list(layout(moments.spec).features) == wanted[0].names
    assert list(layout(moments.spec).channels) == wanted[0].channels
    found = differences(wanted, actual)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("view", VIEWS)
def test_the_moments_are_rich(view: str) -> None:
    """Every feature and channel takes several values, every action is legal at times."""
    wanted = seen_by_reference(view)
    names, channels = wanted[0].names, wanted[0].channels
    features = np.asarray([row.features for row in wanted])
    constant = [name for d, name in enumerate(names) if len(np.unique(features[:, :, d])) < 2]
    never = ("landmark_stove", *(f"social_{place}_" for place in range(AGENTS - 2, 8)))  # nor everybody well known
    assert [name for name in constant if not name.startswith(never)] == []
    maps = np.asarray([row.map for row in wanted])
    assert [name for c, name in enumerate(channels) if not maps[:, :, c].any()] == []
    masks = np.asarray([row.mask for row in wanted])
    assert masks.any(axis=(0, 1)).all()
    assert not masks[:, :, 1:].all(axis=(0, 1)).any()
    assert np.asarray([row.valid for row in wanted]).mean() > 0.5


@pytest.mark.parametrize("view", VIEWS)
def test_features_are_numbers(view: str) -> None:
    moments, actual = seen_by_core(view)
    assert np.isfinite(np.asarray(actual.features)).all()
    assert not np.asarray(actual.features)[~np.asarray(moments.seen.roster.alive)].any()


@pytest.mark.parametrize("preset", ["default", "parity"])
def test_shipped_towns_look_alike(preset: str) -> None:
    moments = shipped(preset)
    found = differences(expected(moments), everywhere(moments))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("view", "shared"), [("compact", False), ("hybrid", True)], ids=["own numbers", "shared numbers"]
)
def test_a_town_alone_is_the_row_of_the_batch(view: str, *, shared: bool) -> None:
    moments, together = seen_by_core(view)
    if shared:
        one = jax.tree.map(lambda leaf: leaf[0], moments.params)
        moments = moments._replace(params=jax.tree.map(lambda leaf: leaf[:1].repeat(ROWS, 0), moments.params))
        batch = jax.jit(jax.vmap(functools.partial(look, moments.spec), in_axes=(None, 0, 0, 0)))
        together = batch(one, moments.seen, moments.after, moments.option)
    alone = jax.jit(functools.partial(look, moments.spec))
    differing = set()
    for n in range(0, ROWS, 5):
        made = alone(*jax.tree.map(lambda leaf, n=n: leaf[n], (moments.params, *moments[3:])))
        for name in ("map", "path", "mask", "option_mask", "valid"):
            assert np.asarray(getattr(made, name)).tobytes() == np.asarray(getattr(together, name)[n]).tobytes(), name
        wrong = np.asarray(made.features).view(np.int32) != np.asarray(together.features)[n].view(np.int32)
        differing |= {layout(moments.spec).features[d] for d in np.flatnonzero(wrong.any(axis=0))}
    assert differing == set()
