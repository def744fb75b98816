"""Best object and best partner (MECHANICS 5.2; 16.1 V48), distances, who is busy or asleep."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from core.worlds import (
    BED,
    BENCH,
    EAT_MEAL,
    FRIDGE,
    FRIDGE_B,
    REST_BENCH,
    REST_SLEEP,
    SHOWER,
    SHOWER_B,
    USE_SHOWER,
    World,
    on_device,
)
from townlet_jax.config import build, load
from townlet_jax.core import choose, town
from townlet_jax.core.enums import NOBODY

OBJECT = jax.jit(choose.best_object)
PARTNER = jax.jit(choose.best_partner)


def best(world: World, affordance: int, *, now: int = 1, closed: tuple[int, ...] = ()) -> int:
    """Return the best object of slot 0."""
    wanted = jnp.full(world.spec.num_agents, affordance, jnp.int32)
    shut = jnp.asarray(np.isin(np.arange(world.spec.num_objects), closed))
    queues, position = on_device(world.state.queues), jnp.asarray(world.state.roster.position)
    return int(OBJECT(on_device(world.params), queues, position, shut, wanted, jnp.int32(now))[0])


def between() -> World:
    """Return a world in which slot 0 stands between two fridges."""
    world = World()
    world.put(0, 3, 3)
    return world


def test_v48_of_the_default_town() -> None:
    spec, params, _ = build(load("default"))
    state = town.init(spec, params, jax.random.key(0))
    position = jnp.tile(jnp.array([9, 6], jnp.int32), (8, 1))
    for affordance, expected in ((1, 1), (2, 2), (6, 3), (0, NOBODY), (3, NOBODY)):
        found = OBJECT(
            params, state.queues, position, jnp.zeros(34, bool), jnp.full(8, affordance, jnp.int32), jnp.int32(1)
        )
        assert found.tolist() == [expected] * 8


def test_the_lowest_index_wins_a_tie_and_the_type_counts() -> None:
    world = between()
    assert best(world, EAT_MEAL) == FRIDGE
    assert best(world, REST_BENCH) == NOBODY
    assert best(world, NOBODY) == NOBODY


def test_free_before_short_before_near() -> None:
    world = between()
    world.queue(1, FRIDGE, ticket=0)
    assert best(world, EAT_MEAL) == FRIDGE_B
    world.queue(2, FRIDGE_B, ticket=0)
    world.hold(3, FRIDGE_B)
    assert best(world, EAT_MEAL) == FRIDGE
    world.params.world.interaction_range[...] = 2
    world = World()
    world.params.world.interaction_range[...] = 4
    world.params.world.reachable[...] = NOBODY
    world.params.world.reachable[3, 9] = (SHOWER, SHOWER_B)
    world.put(0, 9, 3)
    assert best(world, USE_SHOWER) == SHOWER
    world.params.world.reachable[5, 9] = (SHOWER, SHOWER_B)
    world.put(0, 9, 5)
    assert best(world, USE_SHOWER) == SHOWER_B  # nearer


def test_own_objects_come_first() -> None:
    world = between()
    world.state.queues.waiting[0], world.state.queues.joined_tick[0] = FRIDGE_B, 0
    world.queue(1, FRIDGE_B, ticket=3)
    world.hold(2, FRIDGE_B)
    assert best(world, EAT_MEAL) == FRIDGE_B
    world = between()
    world.state.queues.holding[0] = FRIDGE_B
    assert best(world, EAT_MEAL) == FRIDGE_B


def test_closed_absent_and_cooling_objects_are_no_candidates() -> None:
    world = between()
    assert best(world, EAT_MEAL, closed=(FRIDGE,)) == FRIDGE_B
    world.params.world.present[FRIDGE_B] = False
    assert best(world, EAT_MEAL, closed=(FRIDGE,)) == NOBODY
    world = between()
    world.state.queues.cooldown_until[FRIDGE, 0] = 10
    assert best(world, EAT_MEAL, now=9) == FRIDGE_B
    assert best(world, EAT_MEAL, now=10) == FRIDGE
    world.state.queues.holding[0] = FRIDGE
    assert best(world, EAT_MEAL, now=9) == FRIDGE


def partner(world: World) -> Any:
    """Return the best partners of the first slots."""
    state = on_device(world.state)
    return PARTNER(on_device(world.params), state.roster, state.ties, state.activities)[:4].tolist()


def crowd() -> World:
    """Return a world in which the first four stand together, the others far away."""
    world = World()
    for slot in range(6):
        world.put(slot, 8 if slot < 4 else 14, 5)
    return world


def test_the_best_partner_is_liked_most_and_lowest_on_ties() -> None:
    world = crowd()
    assert partner(world) == [1, 0, 0, 0]
    world.tie(0, 3, trust=0.2, familiarity=0.2, rivalry=0.1)
    world.tie(0, 2, trust=0.25)
    world.tie(1, 0, rivalry=0.1)
    assert partner(world) == [3, 2, 0, 0]


def test_partners_are_alive_near_awake_and_not_avoided() -> None:
    world = crowd()
    world.vacate(1)
    world.put(2, 10, 5)
    world.hold(3, BED, REST_SLEEP, remaining=5)
    world.put(3, 8, 5)
    assert partner(world)[0] == NOBODY
    world.put(2, 9, 6)
    assert partner(world)[0] == 2
    world.tie(0, 2, rivalry=0.8)
    assert partner(world)[0] == NOBODY
    assert partner(world)[2] == 0  # feelings are one-sided


def test_asleep_and_busy() -> None:
    world = World()
    world.hold(0, BED, REST_SLEEP, remaining=5)
    world.hold(1, BENCH, REST_BENCH, remaining=5)
    activities = on_device(world.state.activities)
    assert choose.busy(activities)[:3].tolist() == [True, True, False]
    assert choose.asleep(on_device(world.params), activities)[:3].tolist() == [True, False, False]


@pytest.mark.parametrize(("p", "q", "distance"), [((0, 0), (3, -2), 3), ((5, 5), (5, 5), 0), ((1, 9), (2, 4), 5)])
def test_chebyshev(p: tuple[int, int], q: tuple[int, int], distance: int) -> None:
    one, two = jnp.asarray(p, jnp.int32), jnp.asarray(q, jnp.int32)
    assert int(choose.chebyshev(one, two)) == distance
    assert choose.pairwise(jnp.stack([one, two])).tolist() == [[0, distance], [distance, 0]]
