"""What the scripted policy does to its flat action at the end (MECHANICS 7.3), guardrail, blend, possession (5.6)."""

import jax.numpy as jnp
import numpy as np
import pytest

from policy.places import (
    ADA,
    BEN,
    CAFE,
    CHAT,
    CLEO,
    EAST,
    EAT_MEAL,
    NOON,
    NORTH,
    SHOWER,
    SOUTH,
    USE_SHOWER,
    WAIT,
    WEST,
    Place,
    at_tick,
    feel,
    hold,
    put,
    resent,
    run,
    stand,
    wait_for,
)
from townlet_jax.core import actions, rng
from townlet_jax.core.enums import NOBODY, Avoidance, Kind, Option, Stream
from townlet_jax.core.state import TownState
from townlet_jax.policy import guardrail

MEADOW = (20, 2)  # grass on all sides


def idle_on_the_meadow(start: TownState) -> TownState:
    """Return ada, jobless, and ben on the same tile of the meadow, outside social hours; she cannot stand him."""
    state = put(at_tick(start, 500), "employment", "job", ADA, NOBODY)
    state = put(state, "employment", "job", BEN, NOBODY)
    return resent(stand(stand(state, *MEADOW), *MEADOW, BEN), ADA, BEN)


def test_sidestep_in_the_order_east_west_south_north(place: Place) -> None:
    state = idle_on_the_meadow(place.start)
    x, y = MEADOW
    flats = [int(place.intents(state).flat[ADA])]
    for slot, (dx, dy) in zip((2, 3, 4, 5), ((1, 0), (-1, 0), (0, 1), (0, -1)), strict=True):
        state = stand(state, x + dx, y + dy, slot)
        flats.append(int(place.intents(state).flat[ADA]))
    assert flats[:4] == [EAST, WEST, SOUTH, NORTH]
    assert flats[4] in (WAIT, CHAT)  # no empty tile is left; the neighbours are good company


def test_sidestep_not_into_a_wall(place: Place) -> None:
    state = idle_on_the_meadow(place.start)
    state = stand(stand(state, 1, 1), 1, 1, BEN)
    assert int(place.intents(state).flat[ADA]) == EAST
    assert int(place.intents(stand(state, 2, 1, CLEO)).flat[ADA]) == SOUTH  # a tree in the west
    assert int(place.intents(state).flat[BEN]) != EAST  # ben does not mind her


def test_sidestep_only_at_leisure(place: Place) -> None:
    state = idle_on_the_meadow(place.start)
    working = put(state, "employment", "job", ADA, 1)
    at_work = put(stand(stand(working, 10, 18), 10, 18, BEN), "employment", "shift_start_tick", ADA, 360)
    intents = place.intents(at_work)
    assert int(intents.option[ADA]) == Option.GO_TO_WORK
    assert int(intents.flat[ADA]) == WAIT
    assert int(place.intents(run(state, SHOWER, 0, 9)).flat[ADA]) == WAIT


def company(place: Place) -> TownState:
    """Return ada at work with ben beside her."""
    state = put(at_tick(place.start, 400), "employment", "shift_start_tick", ADA, 360)
    return stand(stand(state, 10, 18), 11, 18, BEN)


def test_chat_while_waiting(place: Place) -> None:
    assert int(place.intents(company(place)).flat[ADA]) == CHAT


@pytest.mark.parametrize(("ready", "action"), [(401, CHAT), (402, WAIT)])
def test_chat_waits_for_its_cooldown(place: Place, ready: int, action: int) -> None:
    state = put(company(place), "ties", "chat_ready_tick", ADA, ready)
    assert int(place.intents(state).flat[ADA]) == action


@pytest.mark.parametrize(("level", "action"), [(0.3, CHAT), (0.299, WAIT)])
def test_chat_needs_a_minimum_of_wellbeing(place: Place, level: float, action: int) -> None:
    assert int(place.intents(feel(company(place), hygiene=level)).flat[ADA]) == action


def test_chat_by_character_and_liking(place: Place) -> None:
    state = company(place)
    stoic = put(state, "roster", "profile", ADA, 3)  # extroversion -.3 is below -.25
    assert int(place.intents(stoic).flat[ADA]) == WAIT
    cool = put(state, "ties", "rivalry", (ADA, BEN), 0.05)
    assert int(place.intents(cool).flat[ADA]) == WAIT  # -.05 is not above -.05
    warmer = put(cool, "ties", "trust", (ADA, BEN), 0.01)
    assert int(place.intents(warmer).flat[ADA]) == CHAT


def test_the_awake_and_busy_may_chat_sleepers_do_not(place: Place) -> None:
    showering = run(stand(stand(place.start, 21, 6), 22, 6, BEN), SHOWER, 0, 9)
    assert int(place.intents(showering).flat[ADA]) == CHAT
    asleep = run(stand(stand(place.start, 5, 6), 5, 7, BEN), 0, 3, 9)
    assert int(place.intents(asleep).flat[ADA]) == WAIT


def test_the_waiting_repeat_their_request(place: Place) -> None:
    state = run(stand(feel(place.start, hygiene=0.3), 21, 6), SHOWER, 0, 20, BEN)
    state = wait_for(stand(state, 21, 6, BEN), SHOWER, ADA)
    assert int(place.intents(state).flat[ADA]) == USE_SHOWER


def test_illegal_actions_become_waiting(place: Place) -> None:
    """The object sought is in range, but the best object of the moment is another one without goods."""
    state = stand(feel(place.start, hunger=0.3), 9, 18)
    state = put(state, "economy", "stock", (CAFE, 0), 0.0)
    state = hold(stand(state, 10, 18, BEN), CAFE + 1, BEN)
    flat = int(place.intents(state).flat[ADA])
    assert flat != 5 + 4  # buy_meal would mean the empty, free counter


@pytest.mark.parametrize(("rivalry", "avoided"), [(0.7, Avoidance.QUEUE_RIVAL), (0.69, Avoidance.NONE)])
def test_guard_queues(place: Place, rivalry: float, avoided: Avoidance) -> None:
    state = wait_for(stand(place.start, 21, 6), SHOWER, BEN)
    state = resent(state, ADA, BEN, rivalry)
    look = place.outlook(place.params, state)
    flat = actions.flat(jnp.asarray([USE_SHOWER] + [WAIT] * 7))
    guarded = guardrail.guard(place.params, state, look, flat)
    held_back = avoided != Avoidance.NONE
    assert int(guarded.flat[ADA]) == (WAIT if held_back else USE_SHOWER)
    assert int(guarded.avoided[ADA]) == avoided
    for kind in (Kind.REQUEST, Kind.START, Kind.USE, Kind.RELEASE):
        asked = actions.waiting(8).replace(
            kind=jnp.asarray([int(kind)] + [0] * 7), object=jnp.asarray([SHOWER] + [NOBODY] * 7)
        )
        result = guardrail.guard(place.params, state, look, asked)
        stopped = held_back and kind != Kind.RELEASE
        assert int(result.kind[ADA]) == (Kind.WAIT if stopped else kind)
        assert int(result.avoided[ADA]) == (Avoidance.QUEUE_RIVAL if stopped else Avoidance.NONE)


def test_guard_spares_what_one_holds(place: Place) -> None:
    state = resent(wait_for(hold(stand(place.start, 21, 6), SHOWER), SHOWER, BEN), ADA, BEN)
    flat = actions.flat(jnp.asarray([USE_SHOWER] + [WAIT] * 7))
    guarded = guardrail.guard(place.params, state, place.outlook(place.params, state), flat)
    assert int(guarded.flat[ADA]) == USE_SHOWER


def test_guard_chats(place: Place) -> None:
    state = resent(place.start, ADA, CLEO)
    look = place.outlook(place.params, state)
    for target, avoided in ((CLEO, Avoidance.CHAT_RIVAL), (BEN, Avoidance.NONE)):
        chat = actions.waiting(8).replace(
            kind=jnp.asarray([int(Kind.CHAT)] + [0] * 7), target=jnp.asarray([target] + [NOBODY] * 7)
        )
        guarded = guardrail.guard(place.params, state, look, chat)
        assert int(guarded.avoided[ADA]) == avoided
        assert int(guarded.kind[ADA]) == (Kind.WAIT if avoided else Kind.CHAT)


def test_the_scripted_policy_tells_what_it_avoided(place: Place) -> None:
    """Decoding leads to a free shower that a rival waits for from afar."""
    state = feel(stand(place.start, 21, 6), hygiene=0.1)
    state = resent(wait_for(state, SHOWER, BEN), ADA, BEN)
    intents = place.intents(state)
    assert int(intents.flat[ADA]) != USE_SHOWER


def test_possessed_slots_wait_or_obey(place: Place) -> None:
    state = put(feel(stand(place.start, 8, 6), hunger=0.3), "controls", "possessed", ADA, True)
    assert int(place.intents(put(state, "controls", "possessed", ADA, False)).flat[ADA]) == EAT_MEAL
    intents = place.intents(state)
    assert int(intents.kind[ADA]) == Kind.WAIT
    assert int(intents.flat[ADA]) == NOBODY
    orders = actions.waiting(8).replace(
        kind=jnp.full(8, int(Kind.MOVE), jnp.int32), direction=jnp.full(8, 2, jnp.int32)
    )
    own = actions.flat(jnp.full(8, CHAT))
    obeyed = guardrail.obey(state.controls.possessed, own, orders=orders)
    assert (int(obeyed.kind[ADA]), int(obeyed.direction[ADA]), int(obeyed.flat[ADA])) == (Kind.MOVE, 2, NOBODY)
    assert (int(obeyed.kind[BEN]), int(obeyed.flat[BEN])) == (Kind.WAIT, CHAT)


def test_blend_follows_the_second_column_of_the_policy_draw(place: Place) -> None:
    key = rng.stream(place.start.key, NOON + 1, Stream.POLICY)
    draws = np.asarray(rng.uniform(key, 8, 2))[:, 1]
    provider, scripted = jnp.full(8, 7), jnp.full(8, 3)
    for ratio in (0.0, 0.5, 1.0):
        mixed = guardrail.blend(place.start, ratio=jnp.float32(ratio), provider=provider, scripted=scripted)
        assert np.asarray(mixed).tolist() == [7 if draw < ratio else 3 for draw in draws]
    assert 0 < (draws < 0.5).sum() < 8
