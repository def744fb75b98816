"""Options are kept until they are over, and the newcomer starts free (MECHANICS 5.5)."""

import jax.numpy as jnp
import pytest

from policy.places import ADA, FRIDGE, NOON, SHOWER, WAIT, Place, change, feel, put, run, stand
from townlet_jax.core.enums import NOBODY, Option
from townlet_jax.policy import options

SOON = NOON + 5


def test_a_fresh_proposal_binds_for_commit_ticks(place: Place) -> None:
    after = place.memory(feel(place.start, hygiene=0.4))
    assert int(after.option[ADA]) == Option.GET_CLEAN
    assert int(after.until_tick[ADA]) == NOON + 15


def test_a_commitment_outlives_its_reason(place: Place) -> None:
    state = feel(place.start, hygiene=0.6)  # clean enough not to propose it
    assert place.option(state) == Option.SOCIALISE
    after = place.memory(state, place.bound(Option.GET_CLEAN, SOON))
    assert int(after.option[ADA]) == Option.GET_CLEAN
    assert int(after.until_tick[ADA]) == SOON


@pytest.mark.parametrize("until", [NOON, NOON - 1])
def test_a_commitment_ends_in_time(place: Place, until: int) -> None:
    after = place.memory(feel(place.start, hygiene=0.6), place.bound(Option.GET_CLEAN, until))
    assert int(after.option[ADA]) == Option.SOCIALISE
    assert int(after.until_tick[ADA]) == NOON + 15


@pytest.mark.parametrize(
    ("option", "levels", "kept"),
    [
        (Option.GET_FED, {"hunger": 0.89}, True),
        (Option.GET_FED, {"hunger": 0.9}, False),
        (Option.GET_CLEAN, {"hygiene": 0.89}, True),
        (Option.GET_CLEAN, {"hygiene": 0.9}, False),
        (Option.SLEEP, {"energy": 0.89}, True),
        (Option.SLEEP, {"energy": 0.9}, False),
        (Option.COOK, {}, False),  # the fridge holds six meals
        (Option.GO_TO_WORK, {}, False),  # not on duty and time is left
        (Option.SOCIALISE, {"hygiene": 0.4}, True),
        (Option.GO_HOME, {}, False),  # is at home
        (Option.IDLE, {}, False),  # never committed
    ],
)
def test_done(place: Place, option: Option, levels: dict[str, float], kept: bool) -> None:
    after = place.memory(feel(place.start, **levels), place.bound(option, SOON))
    assert (int(after.until_tick[ADA]) == SOON and int(after.option[ADA]) == option) is kept


def test_cooking_goes_on_until_the_pantry_is_full(place: Place) -> None:
    state = put(place.start, "economy", "stock", (FRIDGE, 0), 2.0)
    assert place.option(feel(state, energy=0.65), place.bound(Option.COOK, SOON)) == Option.COOK


def test_going_home_goes_on_until_home(place: Place) -> None:
    assert place.option(stand(place.start, 8, 7), place.bound(Option.GO_HOME, SOON)) == Option.GO_HOME


def test_an_emergency_breaks_a_commitment_unless_it_serves_it(place: Place) -> None:
    starving = feel(place.start, hunger=0.1, hygiene=0.3)
    assert place.option(starving, place.bound(Option.GET_CLEAN, SOON)) == Option.GET_FED
    kept = place.memory(starving, place.bound(Option.GET_FED, SOON))
    assert (int(kept.option[ADA]), int(kept.until_tick[ADA])) == (Option.GET_FED, SOON)


def test_what_has_become_impossible_is_dropped(place: Place) -> None:
    state = feel(place.start, hygiene=0.3)
    no_water = put(state, "perturbations", "until_tick", 2, NOON + 100)
    assert place.option(no_water, place.bound(Option.GET_CLEAN, SOON)) == Option.IDLE


def test_a_finished_option_proposed_again_keeps_its_end(place: Place) -> None:
    """Proposal and commitment agree, the option is not possible: nothing is renewed before its time."""
    state = feel(place.start, hunger=0.1)
    state = change(state, economy={"stock": jnp.zeros_like(state.economy.stock)})
    after = place.memory(state, place.bound(Option.GET_FED, SOON))
    assert (int(after.option[ADA]), int(after.until_tick[ADA])) == (Option.GET_FED, SOON)


def test_the_busy_keep_their_option_and_wait(place: Place) -> None:
    state = run(stand(feel(place.start, hunger=0.1), 21, 6), SHOWER, 0, 10)
    before = place.bound(Option.GET_CLEAN, NOON - 20)
    intents, after = place.decide(place.params, state, before)
    assert (int(after.option[ADA]), int(after.until_tick[ADA])) == (Option.GET_CLEAN, NOON - 20)
    assert int(intents.flat[ADA]) == WAIT


@pytest.mark.parametrize(
    ("slice_", "field", "value"),
    [("roster", "born_tick", NOON), ("roster", "alive", False), ("controls", "possessed", True)],
)
def test_strangers_start_free(place: Place, slice_: str, field: str, value: int) -> None:
    state = put(feel(place.start, hygiene=0.6), slice_, field, ADA, value)
    after = place.memory(state, place.bound(Option.GET_CLEAN, SOON))
    assert int(after.option[ADA]) != Option.GET_CLEAN
    if field != "born_tick":
        assert (int(after.option[ADA]), int(after.until_tick[ADA])) == (Option.IDLE, 0)


def test_switches_are_reported_between_two_options(place: Place) -> None:
    state = feel(place.start, hygiene=0.4)
    assert not bool(place.intents(state).switched[ADA])  # from nothing to something
    assert not bool(place.intents(state, place.bound(Option.GET_CLEAN, NOON)).switched[ADA])
    assert bool(place.intents(state, place.bound(Option.GET_FED, NOON)).switched[ADA])
    assert int(place.intents(state).option[ADA]) == Option.GET_CLEAN


def test_possible_options(place: Place) -> None:
    state = put(place.start, "employment", "job", ADA, NOBODY)
    state = put(state, "roster", "alive", 1, False)
    state = put(state, "perturbations", "until_tick", 1, NOON + 9)  # blackout: no cooking, no showers
    look = place.outlook(place.params, state)
    plans = options.plans(place.params, state, look, place.survey(place.params, state))
    possible = {option.name for option in Option if bool(plans.possible[ADA, option])}
    assert possible == {"IDLE", "GET_FED", "SLEEP", "COOK", "SOCIALISE", "GO_HOME"}  # COOK: groceries are for sale
    assert [bool(value) for value in plans.possible[1]] == [True] + [False] * 7
