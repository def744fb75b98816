"""The mask against a slow, obvious reading of MECHANICS 5.2 and 5.3, and against what the tick then does (16.2)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from policy.places import (
    ADA,
    BED,
    EAT_MEAL,
    FRIDGE,
    SHOWER,
    Place,
    at_tick,
    default_place,
    feel,
    hold,
    plain,
    put,
    stand,
)

from townlet_jax.config import build, from_mapping
from townlet_jax.core import batch, legality, rng, town
from townlet_jax.core.enums import NEVER, NOBODY, Reason
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.policy import uniform

STEPS = ((0, -1), (1, 0), (0, 1), (-1, 0))
TICKS = 360


@pytest.fixture(scope="module")
def place() -> Place:
    """Return the default town at noon."""
    return default_place()


@pytest.fixture(scope="module")
def lived(place: Place) -> TownState:
    """Return the states before each tick of a town that lives on random legal actions, with many shocks."""
    events = place.params.perturbation
    busy = place.params.replace(
        perturbation=events.replace(
            prob_per_day=jnp.full_like(events.prob_per_day, 60.0),
            cooldown_ticks=jnp.zeros_like(events.cooldown_ticks),
            global_cooldown_ticks=jnp.int32(0),
            max_events_per_window=jnp.int32(0),
            max_concurrent=jnp.int32(5),
        )
    )
    policy = uniform.uniform()
    crowded = place.start.roster.replace(
        position=jnp.tile(jnp.asarray([[10, 18], [9, 6]], jnp.int32), (4, 1))  # at the cafe, in a kitchen
    )
    state = place.start.replace(roster=crowded)
    memory = policy.init(busy, state)
    states: TownState = jax.jit(lambda s, m: batch.record(policy, busy, s, m, TICKS)[2])(state, memory)
    return states


class Oracle:
    """A loop over everything, for one town in NumPy."""

    def __init__(self, params: Params, state: TownState) -> None:
        self.p: Any = jax.tree.map(np.asarray, params)
        self.s = plain(state)
        self.now = int(state.clock.tick) + 1
        self.agents = range(len(self.s.roster.alive))
        self.objects = range(len(self.p.world.present))

    def closed(self, o: int) -> bool:
        active = self.s.perturbations.until_tick != NEVER
        return any(
            active[v] and self.p.perturbation.kind[v] == 4 and self.s.perturbations.object[v] == o
            for v in range(len(active))
        )

    def utility_on(self, u: int) -> bool:
        active = self.s.perturbations.until_tick != NEVER
        kinds, utility = self.p.perturbation.kind, self.p.perturbation.utility
        return not any(active[v] and kinds[v] in (1, 2) and utility[v] == u for v in range(len(active)))

    def cost(self, k: int) -> float:
        price = self.s.controls.price.astype(np.float64).copy()
        for v, until in enumerate(self.s.perturbations.until_tick):
            if until != NEVER and self.p.perturbation.kind[v] == 0:
                price[self.p.perturbation.price_mask[v]] *= self.s.perturbations.magnitude[v]
        return float((self.p.affordances.price_weight[k] * price).sum())

    def distance(self, p: Any, q: Any) -> int:
        return int(max(abs(int(p[0]) - int(q[0])), abs(int(p[1]) - int(q[1]))))

    def users(self, o: int) -> list[int]:
        return [b for b in self.agents if o in (self.s.queues.holding[b], self.s.queues.waiting[b])]

    def best_object(self, a: int, k: int) -> int:
        best = None
        for o in self.objects:
            held, waited = self.s.queues.holding[a] == o, self.s.queues.waiting[a] == o
            far = self.distance(self.s.roster.position[a], self.p.world.tile[o])
            usable = (
                self.p.world.present[o]
                and self.p.world.object_type[o] == self.p.affordances.object_type[k]
                and far <= self.p.world.interaction_range
                and not self.closed(o)
                and (held or waited or self.now >= self.s.queues.cooldown_until[o, a])
            )
            key = (not held, not waited, len(self.users(o)) > 0, len(self.users(o)), far, o)
            if usable and (best is None or key < best):
                best = key
        return NOBODY if best is None else best[-1]

    def avoids(self, a: int, b: int) -> bool:
        tolerance = float(np.clip(self.p.personality.behaviour_bias[self.s.roster.profile[a], 2], 0.1, 5))
        level = min(max(float(self.p.conflict.avoid_threshold) / tolerance, 0), 1)
        rivalry = float(self.s.ties.rivalry[a, b])
        return rivalry >= level - 1e-5 and rivalry > 0

    def asleep(self, a: int) -> bool:
        k = self.s.activities.affordance[a]
        return bool(k != NOBODY and self.p.affordances.is_sleep[k])

    def best_partner(self, a: int) -> int:
        ties, best = self.s.ties, None
        for b in self.agents:
            near = self.distance(self.s.roster.position[a], self.s.roster.position[b]) <= self.p.chat.range
            if b != a and self.s.roster.alive[b] and near and not self.asleep(b) and not self.avoids(a, b):
                score = ties.trust[a, b] + ties.familiarity[a, b] - ties.rivalry[a, b]
                if best is None or score > best[0]:
                    best = (score, b)
        return NOBODY if best is None else best[1]

    def may_use(self, a: int, k: int) -> bool:
        o = self.best_object(a, k)
        if not self.s.roster.alive[a] or self.s.activities.affordance[a] != NOBODY or o == NOBODY:
            return False
        table = self.p.affordances
        if any(table.utility[k, u] and not self.utility_on(u) for u in range(table.utility.shape[1])):
            return False
        if self.p.world.capacity[o] < table.slot_use[k] or (self.s.economy.stock[o] < table.consume[k]).any():
            return False
        if self.s.economy.wallet[a] < self.cost(k) - 1e-5:
            return False
        sleeps_when_fresh = table.is_sleep[k] and self.s.needs.level[a, 2] >= 0.97  # the only precondition of the town
        return not (sleeps_when_fresh and (self.s.queues.holding[a] == o or not self.users(o)))

    def mask(self, a: int) -> list[bool]:
        alive, busy = bool(self.s.roster.alive[a]), bool(self.s.activities.affordance[a] != NOBODY)
        x, y = self.s.roster.position[a]
        height, width = self.p.world.blocked.shape
        legal = [True]
        for dx, dy in STEPS:
            inside = 0 <= x + dx < width and 0 <= y + dy < height
            legal.append(bool(alive and not busy and inside and not self.p.world.blocked[y + dy, x + dx]))
        legal += [self.may_use(a, k) for k in range(len(self.p.affordances.duration))]
        engaged = self.s.queues.holding[a] != NOBODY or self.s.queues.waiting[a] != NOBODY
        legal.append(bool(alive and engaged and not busy))
        ready = self.now >= self.s.ties.chat_ready_tick[a]
        legal.append(bool(alive and not self.asleep(a) and ready and self.best_partner(a) != NOBODY))
        return legal


def some(states: TownState) -> list[TownState]:
    """Return a state now and then."""
    return [jax.tree.map(lambda leaf, t=t: leaf[t], states) for t in range(0, TICKS, 9)]


def test_the_mask_is_that_of_the_rules(place: Place, lived: TownState) -> None:
    seen = np.zeros(place.spec.num_actions, int)
    for state in some(lived):
        oracle = Oracle(place.params, state)
        expected = np.array([oracle.mask(a) for a in oracle.agents])
        np.testing.assert_array_equal(np.asarray(place.mask(place.params, state)), expected)
        seen += expected.sum(axis=0)
    assert (seen > 0).sum() >= 12, f"the states are too poor to test the mask: {seen}"


def test_one_action_is_judged_like_the_mask(place: Place, lived: TownState) -> None:
    num_uses = place.spec.num_affordances

    def judge(state: TownState) -> tuple[Any, Any]:
        look = legality.outlook(place.params, state)

        def column(action: Any) -> Any:
            actions = jnp.broadcast_to(action, state.roster.alive.shape)
            used = jnp.where((action >= 5) & (action < 5 + num_uses), action - 5, NOBODY)
            target = legality.best_object(place.params, state, look, jnp.broadcast_to(used, actions.shape))
            return legality.is_legal(place.params, state, look, actions, target)

        return jax.vmap(column, out_axes=1)(jnp.arange(place.spec.num_actions)), legality.mask(
            place.params, state, look
        )

    single, mask = jax.jit(jax.vmap(judge))(lived)
    np.testing.assert_array_equal(np.asarray(single), np.asarray(mask))
    assert not bool(np.any(np.asarray(jax.jit(place.outlook)(place.params, place.start).asleep)))


def test_ids_outside_the_table_are_illegal(place: Place) -> None:
    look = place.outlook(place.params, place.start)
    nobody = jnp.full(place.spec.num_agents, NOBODY)
    for action in (-1, -7, place.spec.num_actions, 1000):
        actions = jnp.full(place.spec.num_agents, action)
        assert not np.any(np.asarray(legality.is_legal(place.params, place.start, look, actions, nobody)))


def test_v48_best_object(place: Place) -> None:
    state = stand(place.start, 9, 6)
    look = place.outlook(place.params, state)
    for affordance, expected in ((1, 1), (2, 2), (6, 3), (0, NOBODY), (NOBODY, NOBODY)):
        found = legality.best_object(place.params, state, look, jnp.full(place.spec.num_agents, affordance))
        assert int(found[ADA]) == expected


def test_a_dead_slot_can_only_wait(place: Place) -> None:
    state = put(place.start, "roster", "alive", ADA, False)
    assert np.asarray(place.mask(place.params, state))[ADA].tolist() == [True] + [False] * 14


def test_preconditions_count_for_free_and_held_beds_only(place: Place) -> None:
    fresh = feel(stand(place.start, 4, 6), energy=0.98)
    taken = put(fresh, "queues", "holding", 1, BED)
    column = 5 + 3  # rest_sleep
    for state, legal in ((fresh, False), (hold(fresh, BED), False), (taken, True), (feel(fresh, energy=0.96), True)):
        assert bool(place.mask(place.params, state)[ADA, column]) is legal


@pytest.mark.parametrize(("until", "legal"), [(701, True), (702, False)])
def test_cooldowns_are_those_of_the_next_tick(place: Place, until: int, legal: bool) -> None:
    state = at_tick(stand(place.start, 9, 6), 700)
    state = put(state, "queues", "cooldown_until", (FRIDGE, ADA), until)
    assert bool(place.mask(place.params, state)[ADA, EAT_MEAL]) is legal


def test_money_decides_within_the_tolerance(place: Place) -> None:
    state = stand(place.start, 21, 6)
    for wallet, legal in ((0.2, True), (0.199995, True), (0.1999, False)):
        now = put(state, "economy", "wallet", ADA, wallet)
        assert bool(place.mask(place.params, now)[ADA, 5]) is legal
    assert SHOWER == 5


def test_invariant_14_what_the_mask_allows_succeeds() -> None:
    """In a town of one, every legal action ends ok or WAITING in the next tick; no perturbation interferes."""
    alone = {"base": "default", "spec": {"num_agents": 1}, "agents": [{"name": "ada", "home": 0, "job": "barista"}]}
    spec, params, _ = build(from_mapping(alone))
    quiet = params.replace(
        perturbation=params.perturbation.replace(prob_per_day=jnp.zeros_like(params.perturbation.prob_per_day))
    )
    policy = uniform.uniform()
    state = town.init(spec, quiet, rng.town_key(3, 0))
    kitchen = state.replace(roster=state.roster.replace(position=jnp.asarray([[9, 6]], jnp.int32)))
    run = jax.jit(lambda s: batch.record(policy, quiet, s, policy.init(quiet, s), 1500)[3])
    verdicts = run(kitchen).outcomes.verdicts
    ok, reason = np.asarray(verdicts.ok)[:, 0], np.asarray(verdicts.reason)[:, 0]
    kinds = np.asarray(verdicts.kind)[:, 0]
    refused = ~ok & (reason != Reason.WAITING)
    assert not refused.any(), f"kinds {kinds[refused]}, reasons {reason[refused]}"
    assert {0, 1, 4} <= set(kinds.tolist())  # waits, moves and uses really happened
