"""Random towns at some moments of their lives, and what the reference makes of them, compared name by name."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reference.compare import leaves_of, record_ticks, row, with_leaves
from reference.handmade import small_params
from reference.observe import observe as reference
from reference.records import Plain, plain
from reference.scramble import scrambled
from reference.sight import Words
from reference.towns import AGENTS, drawn_town
from townlet_jax.config import build, load
from townlet_jax.core import town
from townlet_jax.core.enums import NUM_OPTIONS
from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState

TOWNS, TICKS, MOMENTS = 35, 50, 4  # the first two as in test_reference: one program lets all towns live
ROWS = TOWNS * MOMENTS
TOLERANCE = 1e-6  # relative above 1
INIT = jax.jit(jax.vmap(town.init, in_axes=(None, 0, 0)), static_argnums=0)


class Moments(NamedTuple):
    """Many towns, one a row."""

    spec: Spec
    params: Params
    words: list[Words]
    seen: TownState
    after: TownState
    option: Any  # [rows, A]


def drawn(seed: int, view: dict[str, Any]) -> Moments:
    """Let random towns live; return some moments of each, every other one scrambled."""
    generator = np.random.default_rng(seed)
    specs, params, words = zip(*(drawn_town(generator, **view) for _ in range(TOWNS)), strict=True)
    assert len(set(specs)) == 1
    seen, after = lived(together(params), seed)
    picks = generator.permuted(np.tile(np.arange(TICKS), (TOWNS, 1)), axis=1)[:, :MOMENTS]
    numbers = jax.tree.map(lambda leaf: np.repeat(leaf, MOMENTS, axis=0), together(params))
    seen, after = mixed(picked(seen, picks), picked(after, picks), leaves_of(numbers), generator)
    option = generator.integers(0, NUM_OPTIONS, (ROWS, AGENTS)).astype(np.int32)
    return Moments(specs[0], numbers, [word for word in words for _ in range(MOMENTS)], seen, after, option)


def shipped(preset: str, towns: int = 6) -> Moments:
    """Return a preset at tick 0 and, as many times, scrambled at some tick of the day."""
    config = load(preset)
    spec, params, names = build(config)
    numbers = together((params,) * (2 * towns))
    states = INIT(spec, numbers, jax.random.split(jax.random.key(1), 2 * towns))
    generator = np.random.default_rng(1)
    shown, later = leaves_of(states), leaves_of(states)
    part = {name: leaf[towns:] for name, leaf in shown.items()}
    part["clock.tick"][:] = generator.integers(0, 3000, towns)
    scrambled(part, {name: leaf[towns:] for name, leaf in leaves_of(numbers).items()}, generator)
    for name, leaf in part.items():
        later[name][towns:] = leaf
    words = Words(names.object_types, names.utilities, config.observation.hint_type)
    option = np.zeros((2 * towns, spec.num_agents), np.int32)
    pair = (with_leaves(states, shown), with_leaves(states, later))
    return Moments(spec, numbers, [words] * 2 * towns, *pair, option)


def together(towns: tuple[Params, ...]) -> Params:
    """Return one record whose leaves carry one row a town."""
    leaves = [leaves_of(params) for params in towns]
    batch: Params = with_leaves(towns[0], {name: np.stack([row[name] for row in leaves]) for name in leaves[0]})
    return batch


@functools.cache
def plain_view() -> Any:
    """Return a section that ticks do not read, in one shape for all views, so that one program serves them."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (TOWNS, *leaf.shape)), small_params().observation)


def lived(params: Params, seed: int) -> tuple[TownState, TownState]:
    """Return what was seen in each tick of each town, and the town after it."""
    blind = with_leaves(params, leaves_of(params))
    object.__setattr__(blind, "observation", plain_view())
    states = INIT(small_spec_of_towns(), blind, jax.random.split(jax.random.key(seed), TOWNS))
    states = with_leaves(states, leaves_of(states))
    _, (_, _, after, output) = record_ticks(blind, states, jax.random.split(jax.random.key(seed + 1), TOWNS), TICKS)
    return output.seen, after


@functools.cache
def small_spec_of_towns() -> Spec:
    """Return the sizes that all views share."""
    return drawn_town(np.random.default_rng(0))[0]


def picked(record: Any, picks: np.ndarray[Any, Any]) -> Any:
    """Return some ticks of every town, one a row."""
    towns = np.arange(TOWNS)[:, None]
    return jax.tree.map(lambda leaf: leaf[towns, picks].reshape(ROWS, *leaf.shape[2:]), record)


def mixed(
    seen: TownState, after: TownState, numbers: dict[str, Any], generator: np.random.Generator
) -> tuple[TownState, TownState]:
    """Scramble every other row; in these, `after` is what was seen without some who leave."""
    shown, later = leaves_of(seen), leaves_of(after)
    odd = np.arange(ROWS) % 2 == 1
    part = {name: leaf[odd] for name, leaf in shown.items()}
    scrambled(part, {name: leaf[odd] for name, leaf in numbers.items()}, generator)
    for name, leaf in part.items():
        shown[name][odd] = later[name][odd] = leaf
    later["roster.alive"][odd] &= generator.random((int(odd.sum()), AGENTS)) < 0.8
    return with_leaves(seen, shown), with_leaves(after, later)


def expected(moments: Moments) -> list[Plain]:
    """Return what the reference observes in each row."""
    params, seen, after = (plain(record) for record in (moments.params, moments.seen, moments.after))
    return [
        reference(
            moments.spec,
            row(params, n),
            moments.words[n],
            seen=row(seen, n),
            after=row(after, n),
            option=moments.option[n].tolist(),
        )
        for n in range(len(moments.words))
    ]


def differences(wanted: list[Plain], actual: Observation) -> list[str]:
    """Return a line for each feature, channel and other field that differs anywhere."""
    found = []
    for field, names in (("features", wanted[0].names), ("map", wanted[0].channels)):
        got = np.asarray(getattr(actual, field))
        want = np.asarray([getattr(row, field) for row in wanted]).reshape(got.shape)
        for column, name in enumerate(names):
            found += differs(
                f"{field} {name}", got[:, :, column], want[:, :, column], TOLERANCE * (field == "features")
            )
    for field in ("path", "mask", "valid"):
        got = np.asarray(getattr(actual, field))
        want = np.asarray([getattr(row, field) for row in wanted]).reshape(got.shape)
        found += differs(field, got, want, TOLERANCE * (field == "path"))
    return found


def differs(name: str, got: Any, want: Any, tolerance: float) -> list[str]:
    """Return a line about the first difference, if there is one; a NaN always is."""
    close = np.abs(got.astype(np.float64) - want) <= tolerance * np.maximum(1, np.abs(want))
    if close.all():
        return []
    place = tuple(np.argwhere(~close)[0].tolist())
    return [f"{name} {list(place)}: core {got[place]}, reference {want[place]} ({(~close).sum()} differ)"]
