"""Effort and choice against a loop over all objects (MECHANICS 5.4), and the controllers' flat actions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from policy.places import (
    ADA,
    BED,
    BEN,
    BUY_MEAL,
    CAFE,
    CHAT,
    CLEO,
    EAST,
    EAT_MEAL,
    FRIDGE,
    NOON,
    NORTH,
    REST_SLEEP,
    SHOWER,
    WAIT,
    Place,
    at_tick,
    change,
    feel,
    hold,
    plain,
    put,
    resent,
    run,
    stand,
    wait_for,
)
from townlet_jax.core.enums import NOBODY, Option
from townlet_jax.core.state import TownState
from townlet_jax.policy import options, seek


def crowded(start: TownState) -> TownState:
    """Return a busy afternoon: holders, queues, rivals, cooldowns, empty shelves, poor and tired people."""
    state = run(stand(start, 21, 6, BEN), SHOWER, 0, 17, BEN)
    state = wait_for(stand(state, 22, 6, CLEO), SHOWER, CLEO)
    state = hold(stand(state, 8, 18, 3), CAFE, 3)
    state = resent(resent(state, ADA, 3), 4, BEN, 0.7)
    state = put(state, "queues", "cooldown_until", (FRIDGE, ADA), NOON + 5)
    state = put(state, "queues", "cooldown_until", (BED, BEN), NOON + 50)
    state = put(state, "economy", "stock", (25, 0), 0.0)
    state = put(state, "economy", "wallet", 6, 0.3)
    state = put(state, "needs", "level", (7, 2), 0.98)
    state = put(state, "perturbations", "until_tick", 0, NOON + 9)
    state = put(state, "perturbations", "magnitude", 0, 1.5)
    state = put(state, "perturbations", "until_tick", 4, NOON + 9)
    return put(state, "perturbations", "object", 4, 23)


def efforts(place: Place, state: TownState) -> np.ndarray[Any, Any]:
    """Return the effort of every (agent, affordance, object), infinity where it is not usable, by loops in float64."""
    p: Any = jax.tree.map(np.asarray, place.params)
    s = plain(state)
    now, table = int(s.clock.tick), p.affordances
    found = np.full((len(s.roster.alive), len(table.duration), len(p.world.present)), np.inf)
    active = s.perturbations.until_tick != NOBODY
    price = s.controls.price.astype(float)
    for v in np.flatnonzero(active & (p.perturbation.kind == 0)):
        price[p.perturbation.price_mask[v]] *= s.perturbations.magnitude[v]
    closed = {int(s.perturbations.object[v]) for v in np.flatnonzero(active & (p.perturbation.kind == 4))}
    for a, k, o in np.ndindex(*found.shape):
        x, y = s.roster.position[a]
        steps = int(p.routes.steps[o, y, x])
        users = [b for b in range(len(found)) if b != a and o in (s.queues.holding[b], s.queues.waiting[b])]
        engaged = o in (s.queues.holding[a], s.queues.waiting[a])
        cost = float((table.price_weight[k] * price).sum())
        free_or_held = s.queues.holding[a] == o or not (users or engaged)
        usable = (
            p.world.object_type[o] == table.object_type[k]
            and o not in closed
            and steps >= 0
            and (s.economy.stock[o] >= table.consume[k]).all()
            and p.world.capacity[o] >= table.slot_use[k]
            and s.economy.wallet[a] >= cost - 1e-5
            and not (k == 3 and free_or_held and s.needs.level[a, 2] >= 0.97)
            and (engaged or s.queues.cooldown_until[o, a] - now <= max(steps, 1))
            and not any(s.ties.rivalry[a, b] >= 0.7 - 1e-5 for b in users)
        )
        if not usable:
            continue
        holder = [b for b in users if s.queues.holding[b] == o]
        left = max(0, int(s.activities.remaining[holder[0]]) - steps) if holder else 0
        others = len([b for b in users if s.queues.waiting[b] == o])
        wait = 0 if engaged else left + int(table.duration[k]) * others
        own = p.world.domestic[o] and p.world.home_object[s.roster.home[a], p.world.object_type[o]] == o
        found[a, k, o] = steps + wait + 50 * cost - 30 * own
    return found


@pytest.mark.parametrize("crowd", [False, True])
def test_prospects_are_those_of_the_rules(place: Place, crowd: bool) -> None:
    state = crowded(place.start) if crowd else place.start
    expected = efforts(place, state)
    prospects = place.survey(place.params, state)
    least = expected.min(axis=-1)
    none = np.isinf(least)
    np.testing.assert_array_equal(np.asarray(prospects.object) == NOBODY, none)
    np.testing.assert_allclose(np.asarray(prospects.effort)[~none] / 1000, least[~none], atol=2e-3)
    for a, k in np.argwhere(~none):
        ties = np.flatnonzero(expected[a, k] <= least[a, k] + 2e-3)
        assert int(prospects.object[a, k]) == ties[0], (a, k)
    assert none.any() == crowd  # somebody rested or poor finds nothing


def test_the_menu_of_least_effort_wins(place: Place) -> None:
    gwen = 6  # lives far away
    near_cafe = stand(feel(place.start, gwen, hunger=0.5), 9, 18, gwen)
    assert int(place.intents(near_cafe).flat[gwen]) == BUY_MEAL  # 30 for the coins beat 20 - 30 and a long way
    ada_there = stand(feel(place.start, hunger=0.5), 9, 18)
    assert int(place.intents(ada_there).flat[ADA]) == NORTH  # 30 for the coins do not beat 20 - 30 and 30 steps
    at_home = stand(feel(place.start, hunger=0.5), 8, 6)
    assert int(place.intents(at_home).flat[ADA]) == EAT_MEAL


def test_ties_go_to_the_lowest_affordance_and_object() -> None:
    prospects = seek.Prospects(
        object=jnp.asarray([[7, 3, 5, NOBODY]]), effort=jnp.asarray([[500, 400, 400, seek.NEVER_WORTH_IT]])
    )
    everything, nothing = jnp.ones(4, bool), jnp.zeros(4, bool)
    assert int(seek.best(prospects, everything, nothing)[0]) == 1
    assert int(seek.best(prospects, jnp.asarray([True, False, False, True]), everything)[0]) == 0
    assert int(seek.best(prospects, jnp.asarray([False, False, False, True]), everything)[0]) == 1
    assert int(seek.best(prospects, jnp.asarray([False, False, False, True]), nothing)[0]) == NOBODY
    assert int(seek.best(prospects, jnp.asarray([True, False, False, False]), everything, jnp.int32(499))[0]) == 1
    assert int(seek.best(prospects, jnp.asarray([True, False, False, False]), nothing, jnp.int32(500))[0]) == 0


def controlled(place: Place, state: TownState, option: Option) -> int:
    """Return ada's flat action under an option."""
    prospects = place.survey(place.params, state)
    plans = options.plans(place.params, state, place.outlook(place.params, state), prospects)
    acting = jnp.full(place.spec.num_agents, int(option))
    return int(options.control(place.params, state, prospects, plans, acting)[ADA])


def test_preconditions_on_the_object_choose_the_object(place: Place) -> None:
    """rest_sleep asks for the own bed: the neighbour's is neither sought nor legal, a taken one is not judged."""
    table = place.params.affordances
    sleep = jnp.arange(place.spec.num_affordances) == 3
    own_bed = table.replace(
        clause_used=sleep[:, None, None],
        clause_fact=jnp.zeros_like(table.clause_fact),
        clause_operator=jnp.zeros_like(table.clause_operator),
        clause_constant=jnp.ones_like(table.clause_constant),
        facts=(13,),  # object.is_home
    )
    params = place.params.replace(affordances=own_bed)
    at_the_neighbours = stand(place.start, 14, 6)
    cleo_there = stand(at_the_neighbours, 14, 6, CLEO)
    assert int(place.survey(place.params, cleo_there).object[CLEO, 3]) == 4
    assert int(place.survey(params, cleo_there).object[CLEO, 3]) == 7
    assert bool(place.mask(place.params, at_the_neighbours)[ADA, REST_SLEEP])
    assert not bool(place.mask(params, at_the_neighbours)[ADA, REST_SLEEP])
    assert bool(place.mask(params, stand(place.start, 5, 6))[ADA, REST_SLEEP])
    taken = hold(at_the_neighbours, 4, BEN)
    assert bool(place.mask(params, taken)[ADA, REST_SLEEP])


def test_controllers(place: Place) -> None:
    start, away = place.start, stand(place.start, 8, 7)
    assert controlled(place, start, Option.IDLE) == WAIT
    assert controlled(place, start, Option.GO_TO_WORK) == EAST  # V46: the first of 24 moves
    assert controlled(place, stand(start, 10, 18), Option.GO_TO_WORK) == WAIT
    assert controlled(place, put(start, "employment", "job", ADA, NOBODY), Option.GO_TO_WORK) == WAIT
    assert controlled(place, start, Option.GO_HOME) == WAIT
    assert controlled(place, away, Option.GO_HOME) == 4  # west
    assert controlled(place, start, Option.SLEEP) == NORTH  # V46: one step to the bed
    assert controlled(place, stand(start, 5, 6), Option.SLEEP) == REST_SLEEP
    assert controlled(place, start, Option.GET_FED) == EAST
    assert controlled(place, run(stand(start, 5, 6), BED, 3, 9), Option.SLEEP) == WAIT
    assert controlled(place, put(start, "roster", "alive", ADA, False), Option.GO_HOME) == WAIT


def test_get_fed_cooks_where_there_is_nothing_to_eat(place: Place) -> None:
    stock = place.start.economy.stock.at[:, 0].set(0.0)
    state = change(stand(place.start, 9, 6), economy={"stock": stock})
    assert controlled(place, state, Option.GET_FED) == 5 + 2  # cook_meal at the stove next to it
    no_power = put(state, "perturbations", "until_tick", 1, NOON + 9)
    assert controlled(place, no_power, Option.GET_FED) in (1, 2, 3, 4)  # on the way to the grocer


def test_socialise_talks_or_walks_to_the_park(place: Place) -> None:
    assert controlled(place, place.start, Option.SOCIALISE) == EAST
    in_park = stand(place.start, 17, 29)
    assert controlled(place, in_park, Option.SOCIALISE) == WAIT
    company = stand(in_park, 17, 29, BEN)
    assert controlled(place, company, Option.SOCIALISE) == CHAT
    assert controlled(place, put(company, "ties", "chat_ready_tick", ADA, NOON + 2), Option.SOCIALISE) == WAIT
    assert controlled(place, feel(company, hunger=0.29), Option.SOCIALISE) == WAIT
    assert controlled(place, at_tick(company, NOON + 1), Option.SOCIALISE) == CHAT
