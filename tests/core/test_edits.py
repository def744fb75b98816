"""What operators may do, field by field, and what bad indices do: nothing (MECHANICS 12.2)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from policy.places import ADA, BEN, CLEO, FRIDGE, NOON, Place, change, default_place, feel, hold, put, run, wait_for

from townlet_jax.core import edits, rng
from townlet_jax.core.enums import NEVER, NOBODY, Stream
from townlet_jax.core.state import TownState
from townlet_jax.core.systems import perturbations

NAN = float("nan")


@pytest.fixture(scope="module")
def place() -> Place:
    """Return the default town at noon."""
    return default_place()


def index(value: int) -> Any:
    """Return an id."""
    return jnp.int32(value)


def amount(value: float) -> Any:
    """Return a quantity."""
    return jnp.float32(value)


def changed(before: TownState, after: TownState) -> set[str]:
    """Return the fields that differ."""
    pairs = zip(
        _leaves(before),
        _leaves(after),
        strict=True,
    )
    return {name for (name, old), (_, new) in pairs if not np.array_equal(old, new)}


def _leaves(state: TownState) -> list[tuple[str, Any]]:
    found = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        name = "".join(str(part) for part in path).lstrip(".")
        found.append((name, np.asarray(jax.random.key_data(leaf) if name == "key" else leaf)))
    return found


def vacant(state: TownState, slot: int = ADA) -> TownState:
    """Empty a slot by hand."""
    state = put(state, "roster", "alive", slot, False)
    state = put(state, "embeddings", "slot", slot, NOBODY)
    state = put(state, "needs", "level", slot, 0.0)
    return put(state, "lifecycle", "respawn_tick", slot, NOON + 9)


def newcomer(**given: Any) -> edits.Newcomer:
    """Return a newcomer of whom nothing is said but what is given."""
    said = {"slot": 0, "position": (NOBODY, NOBODY), "home": NOBODY, "job": edits.KEEP, "profile": NOBODY} | given
    return edits.Newcomer(
        level=jnp.asarray(said.get("level", [NAN] * 3), jnp.float32),
        wallet=amount(said.get("wallet", NAN)),
        position=jnp.asarray(said["position"], jnp.int32),
        **{name: index(said[name]) for name in ("slot", "home", "job", "profile")},
    )


def test_spawn_like_an_arrival(place: Place) -> None:
    state = edits.spawn(place.params, vacant(place.start), newcomer())
    roster = state.roster
    assert bool(roster.alive[ADA])
    assert (int(roster.uid[ADA]), int(roster.next_uid), int(roster.generation[ADA])) == (8, 9, 1)
    assert (int(roster.born_tick[ADA]), bool(roster.reset_flag[ADA])) == (NOON, True)
    assert roster.position[ADA].tolist() == [5, 7]
    np.testing.assert_allclose(state.needs.level[ADA], [0.7, 0.7, 0.7])
    assert float(state.economy.wallet[ADA]) == 3.0
    assert int(state.employment.job[ADA]) == 1
    assert int(state.embeddings.slot[ADA]) == 0
    assert int(state.lifecycle.respawn_tick[ADA]) == NEVER
    np.testing.assert_allclose(state.ledger.potential[ADA], 0.7, atol=1e-6)
    draw = float(rng.uniform(rng.stream(state.key, NOON, Stream.CONSOLE), 8, 1)[ADA, 0])
    assert int(roster.profile[ADA]) == int(np.searchsorted([0.4, 0.65, 0.85], draw, side="right"))


def test_spawn_as_told(place: Place) -> None:
    told = newcomer(position=(20, 2), home=5, job=NOBODY, profile=3, level=[0.1, NAN, 2.0], wallet=7.5)
    state = edits.spawn(place.params, vacant(place.start), told)
    assert state.roster.position[ADA].tolist() == [20, 2]
    assert (int(state.roster.home[ADA]), int(state.roster.profile[ADA])) == (5, 3)
    assert int(state.employment.job[ADA]) == NOBODY
    np.testing.assert_allclose(state.needs.level[ADA], [0.1, 0.7, 1.0])
    assert float(state.economy.wallet[ADA]) == 7.5


def test_the_first_individual_of_a_slot_has_generation_0(place: Place) -> None:
    never_used = put(vacant(place.start), "roster", "uid", ADA, NOBODY)
    assert int(edits.spawn(place.params, never_used, newcomer()).roster.generation[ADA]) == 0


def test_spawn_heals_bad_arguments_and_spares_the_living(place: Place) -> None:
    assert changed(place.start, edits.spawn(place.params, place.start, newcomer(slot=BEN))) == set()
    bad = newcomer(home=-3, job=99, profile=-9, position=(-5, 7))
    state = edits.spawn(place.params, vacant(place.start), bad)
    assert state.roster.position[ADA].tolist() == [5, 7]
    assert (int(state.roster.home[ADA]), int(state.employment.job[ADA])) == (0, 1)
    assert 0 <= int(state.roster.profile[ADA]) < 4


def test_kill(place: Place) -> None:
    state = edits.kill(place.params, place.start, index(BEN), jnp.asarray(True))
    assert state.lifecycle.condemned.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    state = edits.kill(place.params, place.start, index(BEN), jnp.asarray(False))
    assert state.lifecycle.condemned.tolist() == [0, 2, 0, 0, 0, 0, 0, 0]
    assert (
        changed(vacant(place.start), edits.kill(place.params, vacant(place.start), index(ADA), jnp.asarray(True)))
        == set()
    )


def test_teleport_ends_engagements(place: Place) -> None:
    busy = put(run(place.start, FRIDGE, 1, 9), "queues", "stalls", ADA, 2)
    state = edits.teleport(place.params, busy, index(ADA), jnp.asarray([20, 2]))
    assert state.roster.position[ADA].tolist() == [20, 2]
    assert bool(state.roster.reset_flag[ADA])
    assert (int(state.queues.holding[ADA]), int(state.queues.stalls[ADA])) == (NOBODY, 0)
    assert (int(state.activities.affordance[ADA]), int(state.activities.remaining[ADA])) == (NOBODY, 0)
    assert int(state.queues.cooldown_until[FRIDGE, ADA]) == 0
    waiting = wait_for(hold(place.start, FRIDGE, BEN), FRIDGE, ADA)
    state = edits.teleport(place.params, waiting, index(ADA), jnp.asarray([20, 2]))
    assert (int(state.queues.waiting[ADA]), int(state.queues.joined_tick[ADA])) == (NOBODY, NEVER)
    assert int(state.queues.holding[BEN]) == FRIDGE
    for tile in ((0, 0), (-1, 5), (48, 5)):
        moved = edits.teleport(place.params, busy, index(ADA), jnp.asarray(tile))
        assert changed(busy, moved) == set()


def test_needs_money_home_stock_price(place: Place) -> None:
    start = place.start
    state = edits.set_needs(place.params, start, index(BEN), jnp.asarray([1.5, NAN, -1.0]))
    np.testing.assert_allclose(state.needs.level[BEN], [1.0, 0.8, 0.0])
    np.testing.assert_allclose(state.ledger.potential[BEN], (0.10 + 0.06 * 0.8) / 0.24, atol=1e-6)
    assert changed(start, state) == {"needs.level", "ledger.potential", "roster.reset_flag"}
    state = edits.set_wallet(place.params, start, index(BEN), amount(-4))
    assert (float(state.economy.wallet[BEN]), float(state.economy.wallet[ADA])) == (0.0, 5.0)
    assert int(edits.set_home(place.params, start, index(BEN), index(6)).roster.home[BEN]) == 6
    vacant = start.replace(roster=start.roster.replace(alive=start.roster.alive.at[BEN].set(False)))
    assert not changed(vacant, edits.set_home(place.params, vacant, index(BEN), index(6)))
    state = edits.set_stock(place.params, start, index(FRIDGE), index(0), amount(2.5))
    assert (float(state.economy.stock[FRIDGE, 0]), changed(start, state)) == (2.5, {"economy.stock"})
    state = edits.set_price(place.params, start, index(4), amount(9))
    assert (float(state.controls.price[4]), changed(start, state)) == (9.0, {"controls.price"})


def test_ties(place: Place) -> None:
    state = edits.set_ties(place.params, place.start, index(ADA), index(BEN), amount(0.5), amount(NAN), amount(3))
    assert (float(state.ties.trust[ADA, BEN]), float(state.ties.trust[BEN, ADA])) == (0.5, 0.5)
    assert float(state.ties.rivalry[BEN, ADA]) == 1.0
    assert changed(place.start, state) == {"ties.trust", "ties.rivalry"}
    same = edits.set_ties(place.params, place.start, index(ADA), index(ADA), amount(1), amount(1), amount(1))
    assert changed(place.start, same) == set()


def test_force_chat_v17(place: Place) -> None:
    """Quality .6: trust +.03; familiarity +.06 balanced, +.072 socialite, +.054 stoic (V17)."""
    for profile, familiarity in ((0, 0.06), (1, 0.072), (3, 0.054)):
        start = put(place.start, "roster", "profile", ADA, profile)
        state = edits.force_chat(place.params, start, index(ADA), index(BEN), amount(0.6))
        np.testing.assert_allclose(state.ties.trust[ADA, BEN], 0.03, atol=1e-6)
        np.testing.assert_allclose(state.ties.familiarity[ADA, BEN], familiarity, atol=1e-6)
        np.testing.assert_allclose(state.ties.familiarity[BEN, ADA], 0.06, atol=1e-6)
        assert changed(start, state) == {"ties.trust", "ties.familiarity"}


def test_exits(place: Place) -> None:
    state = edits.approve_exit(place.params, place.start, index(CLEO))
    assert state.exits.approved.tolist() == [slot == CLEO for slot in range(8)]
    asked = put(put(state, "exits", "asked_tick", CLEO, 600), "employment", "absence_day", (CLEO, 0), 3)
    deferred = edits.defer_exit(place.params, asked, index(CLEO))
    assert changed(place.start, deferred) == set()


def test_controls(place: Place) -> None:
    state = edits.possess(place.params, place.start, index(BEN), jnp.asarray(True))
    assert (bool(state.controls.possessed[BEN]), bool(state.roster.reset_flag[BEN])) == (True, True)
    assert not bool(edits.possess(place.params, state, index(BEN), jnp.asarray(False)).controls.possessed[BEN])
    assert not bool(edits.set_mortality(place.params, state, jnp.asarray(False)).controls.mortality)
    assert int(edits.set_exit_cap(place.params, state, index(7)).controls.daily_exit_cap) == 7
    delayed = edits.set_spawn_delay(place.params, state, index(4), index(2)).controls
    assert (int(delayed.respawn_min), int(delayed.respawn_max)) == (4, 4)


def order(**given: Any) -> edits.Order:
    """Return an order to start a spec."""
    said = {"spec": 0, "starts_in": 0, "ticks": -1, "object": NOBODY} | given
    return edits.Order(
        magnitude=amount(said.pop("magnitude", -1.0)),
        member=said.pop("member", jnp.zeros(8, bool)),
        **{name: index(value) for name, value in said.items()},
    )


def test_trigger_and_cancel(place: Place) -> None:
    members = jnp.asarray([True, True] + [False] * 6)
    told = order(spec=3, starts_in=4, ticks=30, magnitude=1.5, member=members, object=5)
    state = edits.trigger(place.params, place.start, told)
    events = state.perturbations
    assert int(events.queued_tick[3]) == NOON + 5
    assert (int(events.queued_ticks[3]), float(events.queued_magnitude[3]), int(events.object[3])) == (30, 1.5, 5)
    assert events.member[3].tolist() == members.tolist()
    assert changed(state, edits.trigger(place.params, state, order(spec=3))) == set()  # queued already
    assert changed(place.start, edits.cancel(place.params, state, index(3))) == set()
    running = put(place.start, "perturbations", "until_tick", 1, NOON + 50)
    assert changed(running, edits.trigger(place.params, running, order(spec=1))) == set()
    assert int(edits.cancel(place.params, running, index(1)).perturbations.until_tick[1]) == NOON + 1
    assert perturbations.is_active(edits.cancel(place.params, running, index(1)).perturbations)[1]


@pytest.mark.parametrize("slot", [-1, -8, 8, 1000])
def test_no_index_wraps(place: Place, slot: int) -> None:
    start, p, i = feel(place.start, hunger=0.5), place.params, index(slot)
    yes, zero = jnp.asarray(True), amount(0)
    results = [
        edits.spawn(p, vacant(start, 7), newcomer(slot=slot)),
        edits.kill(p, start, i, yes),
        edits.teleport(p, start, i, jnp.asarray([20, 2])),
        edits.set_home(p, start, i, index(1)),
        edits.set_home(p, start, index(BEN), i),
        edits.set_needs(p, start, i, jnp.zeros(3)),
        edits.set_wallet(p, start, i, zero),
        edits.set_stock(p, start, index(FRIDGE), i, zero),
        edits.set_price(p, start, i, zero),
        edits.set_ties(p, start, i, index(ADA), amount(1), amount(1), amount(1)),
        edits.force_chat(p, start, index(ADA), i, amount(1)),
        edits.approve_exit(p, start, i),
        edits.defer_exit(p, start, i),
        edits.possess(p, start, i, yes),
        edits.trigger(p, start, order(spec=slot)),
        edits.cancel(p, start, i),
    ]
    assert changed(vacant(start, 7), results[0]) == set()
    for result in results[1:]:
        assert changed(start, result) == set()
    if slot < 0 or slot >= 34:
        assert changed(start, edits.set_stock(p, start, i, index(0), zero)) == set()


def test_edits_work_under_jit_and_vmap(place: Place) -> None:
    slots = jnp.arange(3)
    many = jax.jit(jax.vmap(lambda slot: edits.set_wallet(place.params, place.start, slot, amount(1))))(slots)
    assert np.asarray(many.economy.wallet[:, :3]).tolist() == [[1, 5, 5], [5, 1, 5], [5, 5, 1]]
    assert changed(change(place.start), place.start) == set()
