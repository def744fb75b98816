"""Episodes: what each mode returns when, fresh keys, and what resets cost (env.auto_reset)."""

import functools
import math
import re
from collections.abc import Iterator
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core import crowds

from env.places import ADA, AGENTS, EAST, ENV, SPEC, STEP, WAITING, acting, begun, edited, plain, seeded, shapes, still
from townlet_jax.core import batch, rng, town
from townlet_jax.core.enums import Stream
from townlet_jax.core.params import Params
from townlet_jax.env import (
    AutoReset,
    BatchEnv,
    Decision,
    EpisodeState,
    Moment,
    TimeStep,
    TownEnv,
    Transition,
    begin,
    rollout,
)
from townlet_jax.env.auto_reset import episode_key

TOWNS, STEPS = 13, 8  # a number of towns that no other axis has
HORIZONS = (3, 0, 1, 4, *(3,) * 9)
INIT = jax.jit(functools.partial(town.init, SPEC))


def eastward(params: Any, moment: Moment, memory: Any) -> Decision:
    """Let ada walk east and everybody wait; remember how often it was asked."""
    del params
    return Decision(actions=acting(ada=EAST), memory=memory + 1, notes=moment.fresh)


def everything(transition: Transition) -> Any:
    """Keep all but the keys, and the episode."""
    return transition.timestep, transition.moment.observation, transition.decision, transition.memory


def limited(params: Params, horizon: jax.Array) -> Params:
    """Return the parameters with another time limit."""
    return params.replace(clock=params.clock.replace(horizon_ticks=horizon))


@functools.cache
def program(mode: str) -> tuple[jax.stages.Compiled, Any]:
    """Return the compiled rollout of a mode with a horizon for each town, and what it is called with."""
    params, axes = batch.sweep(still(), jnp.asarray(HORIZONS, jnp.int32), limited)
    env = BatchEnv(AutoReset(TownEnv(SPEC), mode), params_per_town=axes)
    state, timestep = env.reset(7, params, TOWNS)
    standing = begin(state, timestep, jnp.zeros(TOWNS, jnp.int32))
    run = jax.jit(lambda params, standing: rollout(env, eastward, params, standing, STEPS, collect=everything))
    return run.lower(params, standing).compile(), (params, standing)


@functools.cache
def lived(mode: str) -> tuple[EpisodeState, TimeStep, Any]:
    """Return the final state, the timesteps [time, towns] and the rest of what a rollout of a mode collected."""
    compiled, given = program(mode)
    standing, (timestep, *rest) = compiled(*given)
    return cast(EpisodeState, standing.state), plain(timestep), plain(rest)


def x_of_ada(timestep: TimeStep, index: int) -> list[float]:
    """Return by step whether ada's last action, as she sees it, was the step east (1) or nothing yet (0)."""
    column = 21  # last_action_success: every step east succeeds, a reset forgets it
    return [float(value) for value in timestep.observation.features[:, index, ADA, column]]


def flags(field: Any, index: int) -> list[bool]:
    """Return a flag of ada over the steps of a town."""
    return [bool(value) for value in field[:, index, ADA]]


def test_same_step_returns_the_first_observation_of_the_next_episode() -> None:
    state, timestep, _ = lived("same_step")
    ends = [False, False, True] * 3
    assert flags(timestep.truncated, 0) == ends[:STEPS]
    assert flags(timestep.fresh, 0) == ends[:STEPS]
    assert flags(timestep.valid, 0) == [True] * STEPS
    assert x_of_ada(timestep, 0) == [1, 1, 0, 1, 1, 0, 1, 1]
    assert [float(value) for value in timestep.final.features[:, 0, ADA, 21]] == [1] * STEPS
    assert np.all(timestep.reward[:, 0] != 0)
    assert (int(state.episode[0]), int(state.town.clock.tick[0])) == (2, 2)


def test_next_step_spends_a_step_on_the_reset() -> None:
    state, timestep, _ = lived("next_step")
    assert flags(timestep.truncated, 0) == [False, False, True, False] * 2
    assert flags(timestep.fresh, 0) == [False, False, False, True] * 2
    assert flags(timestep.valid, 0) == [True, True, True, False] * 2
    assert x_of_ada(timestep, 0) == [1, 1, 1, 0] * 2
    idle = ~timestep.valid[:, 0, ADA]
    assert not np.any(timestep.reward[idle, 0])
    assert not np.any(timestep.terminated[idle, 0])
    assert not any(np.any(leaf[idle, 0]) for leaf in jax.tree.leaves(timestep.measures))
    assert np.all(timestep.measures.alive[~idle, 0] == AGENTS)
    assert crowds.differences(timestep.final, timestep.observation) == []
    assert (int(state.episode[0]), int(state.town.clock.tick[0])) == (2, 0)


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_towns_end_by_their_own_time_limit(mode: str) -> None:
    state, timestep, _ = lived(mode)
    assert not np.any(timestep.truncated[:, 1])
    every = 1 if mode == "same_step" else 2
    assert flags(timestep.truncated, 2) == [step % every == 0 for step in range(STEPS)]
    assert [int(state.episode[index]) for index in (1, 2)] == [0, STEPS // every]


def test_each_episode_is_the_town_of_its_own_key() -> None:
    """Values of the first observation after each reset are those of a fresh town of the documented key."""
    _, timestep, _ = lived("same_step")
    for index in (0, 12):
        base = rng.town_key(7, index)
        for episode, step in ((1, 2), (2, 5)):
            key = episode_key(base, jnp.int32(episode))
            assert str(key) != str(base)
            levels = INIT(still(), key).needs.level
            np.testing.assert_array_equal(timestep.observation.features[step, index, :, :3], levels)


def test_no_two_episodes_are_alike() -> None:
    _, timestep, rest = lived("same_step")
    starts = [rest[0].features[0, index, :, :3].tobytes() for index in range(TOWNS)]
    starts += [
        timestep.observation.features[step, index, :, :3].tobytes() for index in (0, *range(4, 13)) for step in (2, 5)
    ]
    assert len(set(starts)) == len(starts) == 33


def test_keys_of_episodes_are_never_those_of_a_draw() -> None:
    """No stream of any early tick has the key of an early episode, nor is one made on the way to the other."""
    base, numbers = rng.town_key(7, 0), jnp.arange(200)
    words = jax.vmap(lambda n: jax.random.key_data(episode_key(base, n)))(numbers)
    ticks = jax.vmap(lambda t: jax.random.key_data(jax.random.fold_in(base, t)))(numbers)
    streams = jax.vmap(lambda t: jax.random.key_data(rng.stream(base, t, Stream.POLICY)))(numbers)
    seen = {tuple(row) for row in np.concatenate([words, ticks, streams]).tolist()}
    assert len(seen) == 600


def test_a_town_in_which_nobody_lives_ends_too() -> None:
    params = still(horizon=2)
    state = edited(begun(params)[0], lambda town: town.roster.alive.__setitem__(slice(None), False))
    for _ in range(2):
        state, timestep = STEP(state, WAITING, params)
    assert not np.any(timestep.truncated)
    assert np.all(timestep.fresh)
    assert (int(state.episode), int(state.town.clock.tick)) == (1, 0)
    assert np.all(state.town.roster.alive)


@pytest.mark.parametrize("mode", ["same_step", "next_step", "disabled"])
def test_structure_shapes_and_dtypes_never_change(mode: str) -> None:
    env = AutoReset(TownEnv(SPEC), mode)
    first = jax.eval_shape(env.reset, seeded(), still())
    second = jax.eval_shape(env.step, first[0], WAITING, still())
    assert (
        jax.tree.structure(first)
        == jax.tree.structure(second)
        == jax.tree.structure(jax.eval_shape(ENV.reset, seeded(), still()))
    )
    assert shapes(first) == shapes(second)


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="'sometimes', but must be one of same_step, next_step, disabled"):
        AutoReset(TownEnv(SPEC), "sometimes")


@pytest.mark.parametrize("mode", ["same_step", "next_step"])
def test_towns_are_not_made_in_ticks_without_a_reset(mode: str) -> None:
    """In the program, whatever of a reset has the axis of the towns stands in a loop within the loop of the steps."""
    text = program(mode)[0].as_text()
    inside, outside = 0, 0
    for depth, size in sizes_within(text, "reset"):
        if TOWNS in size:
            inside, outside = inside + math.prod(size) * (depth >= 2), outside + math.prod(size) * (depth < 2)
    assert inside > TOWNS * 10_000, "numbers worked out by resets"
    assert outside < inside / 100
    ticks = [depth for depth, size in sizes_within(text, "live") if TOWNS in size]
    assert 1 in ticks, "the steps are a loop"


def sizes_within(text: str, scope: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield for each instruction of a named scope in how many loops it stands, and the shape of its result."""
    own: dict[str, list[tuple[int, ...]]] = {}
    calls: dict[str, list[tuple[str, bool]]] = {}
    entry = name = ""
    for line in text.splitlines():
        if head := re.match(r"(ENTRY )?%?([\w.-]+) \(.*\{$", line):
            name = head[2]
            entry = name if head[1] else entry
            own[name], calls[name] = [], []
        for kind, target in re.findall(r"(body|condition|calls|to_apply)=%?([\w.-]+)", line):
            calls[name].append((target, kind == "body"))
        shape = re.match(r"\s*(?:ROOT )?%?[\w.-]+ = \w+\[([\d,]*)\]", line)
        if shape and re.search(rf'op_name="[^"]*[/(]{scope}[/)]', line):
            own[name].append(tuple(int(size) for size in shape[1].split(",") if size))
    depths, todo = {entry: 0}, [entry]
    while todo:
        caller = todo.pop()
        for target, is_loop in calls[caller]:
            depth = depths[caller] + is_loop
            if depth < depths.get(target, depth + 1):
                depths[target] = depth
                todo.append(target)
    for computation, depth in depths.items():
        yield from ((depth, size) for size in own[computation])
