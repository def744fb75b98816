"""Every rule of 7.2 by a case in which it is the first that applies (MECHANICS 7.1, 7.2)."""

import jax.numpy as jnp
import pytest

from policy.places import ADA, FRIDGE, NOON, Place, at_tick, change, feel, put
from townlet_jax.core.enums import NEVER, NOBODY, Option
from townlet_jax.core.state import TownState

START, END = 360, 599  # ada's shift
WAY, BUFFER = 24, 20  # steps from home to work, ticks to be early


def on_shift(state: TownState, tick: int) -> TownState:
    """Set the clock to a tick within ada's open shift."""
    return put(at_tick(state, tick), "employment", "shift_start_tick", ADA, START)


def jobless(state: TownState) -> TownState:
    """Take ada's job."""
    return put(state, "employment", "job", ADA, NOBODY)


def test_rule_0_a_dead_slot_idles(place: Place) -> None:
    state = put(feel(place.start, hunger=0.0), "roster", "alive", ADA, False)
    assert place.option(state) == Option.IDLE


@pytest.mark.parametrize(
    ("levels", "option"),
    [
        ({"hunger": 0.149, "hygiene": 0.16, "energy": 0.16}, Option.GET_FED),
        ({"hunger": 0.14, "hygiene": 0.1, "energy": 0.12}, Option.GET_CLEAN),
        ({"hunger": 0.14, "hygiene": 0.12, "energy": 0.1}, Option.SLEEP),
        ({"hunger": 0.1, "hygiene": 0.1, "energy": 0.1}, Option.GET_FED),
        ({"hunger": 0.12, "hygiene": 0.1, "energy": 0.1}, Option.GET_CLEAN),
    ],
)
def test_rule_1_a_critical_need_comes_before_work(place: Place, levels: dict[str, float], option: Option) -> None:
    state = feel(on_shift(place.start, 400), **levels)
    assert place.option(state) == option


def test_rule_1_is_strict(place: Place) -> None:
    state = feel(on_shift(place.start, 400), hunger=0.15)
    assert place.option(state) == Option.GO_TO_WORK


def test_rule_2_on_duty(place: Place) -> None:
    hungry = feel(place.start, hunger=0.2)
    assert place.option(on_shift(hungry, 400)) == Option.GO_TO_WORK
    assert place.option(on_shift(hungry, END - 1)) == Option.GO_TO_WORK
    assert place.option(on_shift(hungry, END)) == Option.GET_FED  # the action is applied when the shift is over
    assert place.option(at_tick(hungry, 400)) == Option.GET_FED  # no shift is open: the agent came too late to it


def test_rule_2_a_shift_begins_in_its_first_tick(place: Place) -> None:
    state = put(at_tick(place.start, START - 1), "employment", "shift_start_tick", ADA, NEVER)
    state = change(state, roster={"position": state.roster.position.at[ADA].set(jnp.asarray([10, 18]))})
    assert place.option(feel(state, hunger=0.2)) == Option.GO_TO_WORK


def test_rule_2_leaves_home_in_time(place: Place) -> None:
    hungry = feel(place.start, hunger=0.2)
    leaving = START - WAY - BUFFER  # tick of day at which no free tick is left
    assert place.option(at_tick(hungry, leaving - 1)) == Option.GO_TO_WORK
    assert place.option(at_tick(hungry, leaving - 2)) == Option.GET_FED


def test_rule_2_hard_workers_leave_earlier(place: Place) -> None:
    hungry = put(feel(place.start, hunger=0.2), "roster", "profile", ADA, 2)  # industrious: 1.4 * 20 = 28 ticks early
    leaving = START - WAY - 28
    assert place.option(at_tick(hungry, leaving - 1)) == Option.GO_TO_WORK
    assert place.option(at_tick(hungry, leaving - 2)) == Option.GET_FED


def test_rule_3_hunger(place: Place) -> None:
    assert place.option(feel(place.start, hunger=0.549)) == Option.GET_FED
    assert place.option(feel(place.start, hunger=0.551)) == Option.IDLE


def test_rule_3_eats_ahead_of_a_shift(place: Place) -> None:
    ahead = 0.45 + 0.001 * (240 + WAY + BUFFER)  # .734
    soon = at_tick(place.start, START - WAY - BUFFER - 101)  # 100 free ticks
    assert place.option(feel(soon, hunger=ahead - 0.001)) == Option.GET_FED
    assert place.option(feel(soon, hunger=ahead + 0.001)) != Option.GET_FED


def test_rule_3_too_little_time_unless_urgent(place: Place) -> None:
    late = at_tick(place.start, START - WAY - BUFFER - 1 - 19)  # 19 free ticks
    assert place.option(feel(late, hunger=0.31)) != Option.GET_FED
    assert place.option(feel(late, hunger=0.29)) == Option.GET_FED
    assert place.option(feel(at_tick(late, int(late.clock.tick) - 1), hunger=0.31)) == Option.GET_FED


def test_rule_3_needs_food_somewhere(place: Place) -> None:
    state = change(place.start, economy={"stock": jnp.zeros_like(place.start.economy.stock)})
    assert place.option(feel(state, hunger=0.4, hygiene=0.4)) == Option.GET_CLEAN


def test_rule_4_hygiene(place: Place) -> None:
    assert place.option(feel(place.start, hygiene=0.499)) == Option.GET_CLEAN
    assert place.option(feel(place.start, hygiene=0.501)) != Option.GET_CLEAN
    late = at_tick(place.start, START - WAY - BUFFER - 1 - 39)  # 39 free ticks
    assert place.option(feel(late, hygiene=0.31)) != Option.GET_CLEAN
    assert place.option(feel(late, hygiene=0.29)) == Option.GET_CLEAN


def test_rule_5_sleep(place: Place) -> None:
    assert place.option(feel(place.start, energy=0.619)) == Option.SLEEP
    assert place.option(feel(place.start, energy=0.621)) != Option.SLEEP


def test_rule_5_sleeps_longer_at_night(place: Place) -> None:
    night = jobless(at_tick(place.start, 1260 - 1))
    assert place.option(feel(night, energy=0.699)) == Option.SLEEP
    assert place.option(feel(night, energy=0.701)) == Option.GO_HOME


def test_rule_5_no_nap_that_would_end_late(place: Place) -> None:
    last = 180 + 70
    short = at_tick(place.start, START - WAY - BUFFER - 1 - (last - 1))  # one free tick less than a long sleep needs
    enough = at_tick(place.start, int(short.clock.tick) - 1)
    assert place.option(feel(short, energy=0.6)) != Option.SLEEP
    assert place.option(feel(short, energy=0.24)) == Option.SLEEP  # exhausted
    assert place.option(feel(enough, energy=0.6)) == Option.SLEEP
    asleep = place.bound(Option.SLEEP, 0)  # whoever sleeps already needs the sleep alone
    assert place.option(feel(short, energy=0.6), asleep) == Option.SLEEP


def test_rule_5_the_last_chance_before_a_shift(place: Place) -> None:
    free = 300
    rest = 0.45 + 0.0007 * (free + 240 + 2 * WAY + 180)  # .9876, capped at .95
    assert rest > 0.95
    chance = at_tick(place.start, START - WAY - BUFFER - 1 - free + 1440)
    assert place.option(feel(chance, hunger=0.95, hygiene=0.95, energy=0.949)) == Option.SLEEP
    assert place.option(feel(chance, hunger=0.95, hygiene=0.95, energy=0.951)) != Option.SLEEP
    early = at_tick(place.start, START - WAY - BUFFER - 1 - (180 + 70 + 150) + 1440)
    assert place.option(feel(early, hunger=0.95, hygiene=0.95, energy=0.94)) != Option.SLEEP


def test_rule_5_food_lasts_through_the_sleep(place: Place) -> None:
    through = 0.45 + 0.001 * 180  # .63, above the usual .55
    assert place.option(feel(place.start, hunger=through - 0.001, energy=0.6)) == Option.GET_FED
    assert place.option(feel(place.start, hunger=through + 0.001, energy=0.6)) == Option.SLEEP


def test_rule_6_cooking(place: Place) -> None:
    few = put(place.start, "economy", "stock", (FRIDGE, 0), 2.0)
    enough = put(place.start, "economy", "stock", (FRIDGE, 0), 3.0)
    assert place.option(feel(few, energy=0.701)) == Option.COOK
    assert place.option(feel(few, energy=0.699)) != Option.COOK  # too tired: .62 + .08
    assert place.option(feel(enough, energy=0.8)) != Option.COOK
    night = jobless(at_tick(few, 1300))
    assert place.option(feel(night, energy=0.9)) == Option.GO_HOME
    busy_soon = at_tick(few, START - WAY - BUFFER - 1 - 60)
    assert place.option(feel(busy_soon, hunger=0.9, hygiene=0.9, energy=0.9)) != Option.COOK


@pytest.mark.parametrize(
    ("tick", "option"), [(598, Option.IDLE), (599, Option.SOCIALISE), (1198, Option.SOCIALISE), (1199, Option.IDLE)]
)
def test_rule_7_social_hours(place: Place, tick: int, option: Option) -> None:
    assert place.option(jobless(at_tick(place.start, tick))) == option


def test_rule_7_needs_leisure(place: Place) -> None:
    assert place.option(jobless(feel(place.start, hunger=0.6))) == Option.SOCIALISE
    assert place.option(jobless(feel(place.start, hunger=0.599))) == Option.IDLE
    talked = put(place.start, "ties", "chat_ready_tick", ADA, NOON + 2)
    assert place.option(talked) == Option.IDLE
    assert place.option(put(place.start, "ties", "chat_ready_tick", ADA, NOON + 1)) == Option.SOCIALISE


def test_rule_8_home_at_night(place: Place) -> None:
    rested = feel(jobless(place.start), energy=0.9)
    assert place.option(at_tick(rested, 1258)) == Option.IDLE
    assert place.option(at_tick(rested, 1259)) == Option.GO_HOME
    assert place.option(at_tick(rested, 1440 + 298)) == Option.GO_HOME
    assert place.option(at_tick(rested, 1440 + 299)) == Option.IDLE


def test_rule_9_otherwise_idle(place: Place) -> None:
    assert place.option(jobless(at_tick(place.start, 500))) == Option.IDLE
