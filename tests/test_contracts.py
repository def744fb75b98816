"""What callers may rely on whatever happens in a town (DESIGN sections 3, 4 and 8; MECHANICS 16.2, 5 and 15)."""

import dataclasses
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core import crowds
from core.worlds import HAMLET, Chaos, World, editable, hamlet, recorder, turbulent

from townlet_jax.config import build, from_mapping, load
from townlet_jax.core import actions, batch, rng, town
from townlet_jax.core.enums import Counter, Fault, Kind
from townlet_jax.core.state import TownState
from townlet_jax.core.tick import tick

HUGE = 2**31 - 1
COMPILATION = "/jax/core/compile/backend_compile_duration"


@contextmanager
def counted_compilations() -> Iterator[list[str]]:
    """Note every compilation that happens inside."""
    events: list[str] = []

    def note(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs, kwargs
        if event == COMPILATION:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def shapes(tree: Any) -> list[tuple[tuple[int, ...], Any, bool]]:
    """Return shape, dtype and weakness of every leaf."""
    return [(leaf.shape, leaf.dtype, getattr(leaf, "weak_type", False)) for leaf in jax.tree.leaves(tree)]


@pytest.mark.parametrize("preset", ["default", "parity", "hamlet"])
def test_the_tick_keeps_structure_shapes_and_dtypes(preset: str) -> None:
    spec, params, _ = hamlet() if preset == "hamlet" else build(load(preset))
    before = jax.eval_shape(lambda: town.init(spec, params, rng.town_key(0, 0)))
    intents = actions.waiting(spec.num_agents)
    after, output = jax.eval_shape(tick, params, before, intents)
    assert str(jax.tree.structure(after)) == str(jax.tree.structure(before))
    assert shapes(after) == shapes(before)
    again, more = jax.eval_shape(tick, params, after, intents)
    assert shapes(again) == shapes(after)
    assert shapes(more) == shapes(output)


def test_a_default_town_is_small() -> None:
    spec, params, _ = build(load("default"))
    state = jax.eval_shape(lambda: town.init(spec, params, rng.town_key(0, 0)))
    sizes = [leaf.size * (8 if leaf.dtype.itemsize == 0 else leaf.dtype.itemsize) for leaf in jax.tree.leaves(state)]
    assert sum(sizes) < 8 * 1024


def test_phases_are_named_and_nothing_calls_the_host() -> None:
    world = World()
    given = (hamlet().params, crowds.INIT(crowds.numbers(), rng.town_key(0, 0)), actions.waiting(world.spec.num_agents))
    text = jax.jit(tick).lower(*given).as_text(debug_info=True)
    for phase in ("wake", "act", "live", "night", "judge", "leave"):
        assert f"/{phase}/" in text, phase
    jaxpr = jax.make_jaxpr(tick)(*given)
    assert not jaxpr.effects
    found = set(primitives(jaxpr.jaxpr))
    assert "while" in found
    assert not [name for name in found if any(word in name for word in ("callback", "feed", "print"))]


def primitives(jaxpr: Any) -> Iterator[str]:
    """Name all primitives, inner ones too."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(equation.params, is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


def test_one_compilation_whatever_the_numbers() -> None:
    World().run()
    with counted_compilations() as events:
        for scale in (0.5, 0.25):
            world = World()
            for leaf in jax.tree.leaves(world.params):
                leaf[...] = (leaf * scale).astype(leaf.dtype)
            world.params.clock.ticks_per_day[...] = 100
            world.params.restock.every[:] = 10
            world.params.personality.reward_bias[:] = 1
            world.run()
        World(living=2).run(3)
    assert events == []


def test_one_compilation_for_all_chunks() -> None:
    """A fresh town, its own result, and other numbers all go through the same program."""
    states, others = jax.tree.map(lambda leaf: leaf.copy(), crowds.few()), crowds.variants(3)[2]
    memory = batch.init_memory(Chaos(), crowds.numbers(), states)
    runner = crowds.runner(measure=False)
    with counted_compilations() as events:
        for params in (crowds.numbers(), others):
            states, memory, _, _ = runner(params, states, memory)
    assert events == []
    assert int(states.clock.tick[0]) == 3 * crowds.TICKS


def test_equal_keys_equal_lives() -> None:
    again = crowds.live_alone(crowds.numbers(), crowds.INIT(crowds.numbers(), rng.town_key(crowds.SEED, 4)))
    assert crowds.differences(again, crowds.alone(4)) == []
    assert crowds.differences(again[0], crowds.alone(3)[0]) != []


@pytest.mark.parametrize("index", range(7))
def test_a_town_alone_is_the_town_in_a_batch_of_seven(index: int) -> None:
    together = batch.town_of(crowds.few(), index)
    assert crowds.differences(together, crowds.alone(index)[0]) == []


@pytest.mark.parametrize("index", [0, 3, 6, 255, 256, 700, 1023])
def test_a_town_alone_is_the_town_in_a_batch_of_many(index: int) -> None:
    together = batch.town_of(crowds.many()[0], index)
    assert crowds.differences(together, crowds.alone(index)[0]) == []


def test_devices_and_blocks_do_not_matter() -> None:
    """Seven towns in one block on one device are the first of 1,024 in blocks of 64 on several devices."""
    assert len(jax.devices()) >= 2, "the tests run with several host devices"
    states, _, _ = crowds.many()
    assert len(states.clock.tick.sharding.device_set) == len(jax.devices())
    assert crowds.differences(jax.tree.map(lambda leaf: leaf[:7], states), crowds.few()) == []


def test_numbers_of_their_own_for_each_town() -> None:
    numbers = crowds.variants(6)
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *numbers)
    states = jax.tree.map(lambda leaf: leaf[:6], crowds.starts(7))
    _, together, outputs = recorder(200)(params, states)
    for index in range(6):
        _, alone, told = crowds.live_alone(numbers[index], batch.town_of(states, index))
        part = jax.tree.map(lambda leaf, index=index: leaf[index, : crowds.TICKS], (together, outputs))
        assert crowds.differences(part, (alone, told)) == [], f"town {index}"
    lives = {np.asarray(leaf).tobytes() for leaf in together.needs.level}
    assert len(lives) == 6


def test_vacant_slots_change_nothing_for_the_living() -> None:
    built = build(from_mapping({**HAMLET, "spec": {"num_agents": 6}}))
    small = jax.tree.map(jnp.asarray, turbulent(built.params))
    start = jax.jit(functools.partial(town.init, built.spec))(small, rng.town_key(crowds.SEED, 0))
    _, narrow, narrow_out = crowds.live_alone(small, start)
    _, wide, wide_out = crowds.alone(0)
    assert not np.asarray(wide.roster.alive[:, 6:]).any()
    assert np.asarray(narrow_out.outcomes.departures.gone).any()
    assert np.asarray(narrow_out.outcomes.arrivals.arrived).any()
    _compare_living(narrow, wide)
    _compare_living(narrow_out, wide_out)


def _compare_living(narrow: Any, wide: Any) -> None:
    """Compare leaf by leaf, cutting 24 slots down to 6; uids of arrivals count from the number of slots on."""
    for (path, few), many in zip(jax.tree_util.tree_leaves_with_path(narrow), jax.tree.leaves(wide), strict=True):
        name = jax.tree_util.keystr(path)
        if name.endswith(".key"):
            continue
        one, other = np.asarray(few), np.asarray(many)
        sizes = zip(one.shape, other.shape, strict=True)
        other = other[tuple(slice(6 if (few_slots, slots) == (6, 24) else None) for few_slots, slots in sizes)]
        if name.endswith("uid"):
            other = np.where(other >= 24, other - 18, other)
        exact = not np.issubdtype(one.dtype, np.floating) or ".measures" not in name
        if exact:
            np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6, err_msg=name)


ILLEGAL: list[dict[str, Any]] = [
    {"kind": 9}, {"kind": -1}, {"kind": HUGE}, {"kind": -HUGE - 1},
    {"kind": Kind.MOVE, "direction": 4}, {"kind": Kind.MOVE, "direction": -HUGE},
    {"kind": Kind.REQUEST, "object": HUGE}, {"kind": Kind.REQUEST, "object": -1}, {"kind": Kind.USE, "object": -11},
    {"kind": Kind.USE, "object": 0, "affordance": -8}, {"kind": Kind.START, "object": 2, "affordance": HUGE},
    {"kind": Kind.RELEASE, "object": -1}, {"kind": Kind.BLOCKED, "object": 11},
    {"kind": Kind.CHAT, "target": -1, "quality": np.nan}, {"kind": Kind.CHAT, "target": 24},
    {"flat": 15}, {"flat": HUGE}, {"flat": -2}, {"flat": -HUGE - 1},
]  # fmt: skip


def busy_hamlet() -> World:
    """Return a world in which the first and last objects are held, waited for and run."""
    world = World()
    world.params.chat.base[...] = 1
    world.hold(1, 0, 1, remaining=4)
    world.queue(2, 0, ticket=0)
    world.hold(3, 10)
    world.queue(4, 10, ticket=0)
    world.beside(0, 0)
    world.beside(5, 0)
    world.ask(5, Kind.CHAT, target=0, quality=0.5)
    return world


@pytest.mark.parametrize("intent", ILLEGAL, ids=str)
def test_impossible_intents_are_waits_that_leave_a_trace(intent: dict[str, Any]) -> None:
    calm, wild = busy_hamlet(), busy_hamlet()
    for name, value in intent.items():
        getattr(wild.intents, name)[0] = value
    calm.run()
    wild.run()
    assert int(wild.state.faults) == Fault.BAD_INTENT
    assert wild.state.tally.count[0, Counter.REFUSED] == 1
    assert not wild.ok[0]
    wild.state.faults[...], wild.state.tally.count[0, Counter.REFUSED] = 0, 0
    wild.state.roster.last_kind[0], wild.state.roster.last_ok[0] = 0, True
    assert crowds.differences(wild.state, calm.state) == []
    for field in dataclasses.fields(calm.out.outcomes):
        if field.name != "verdicts":
            pair = (getattr(wild.out.outcomes, field.name), getattr(calm.out.outcomes, field.name))
            assert crowds.differences(*pair) == [], field.name


def test_odd_qualities_count_as_none_or_the_most() -> None:
    worlds = []
    for quality in (np.nan, -1.0, np.inf, 1.0):
        world = busy_hamlet()
        world.intents.quality[5] = quality
        world.run()
        worlds.append(world.state)
    assert crowds.differences(worlds[0], worlds[1]) == []
    assert crowds.differences(worlds[2], worlds[3]) == []
    assert int(worlds[0].faults) == 0


def test_states_can_be_set_by_hand() -> None:
    """Editable copies in NumPy go in and come out as the same town."""
    state = editable(crowds.few())
    assert isinstance(state, TownState)
    assert crowds.differences(state, crowds.few()) == []
