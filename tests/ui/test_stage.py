"""What pictures say in words: clock, occupations, events."""

import numpy as np
import pytest

from tests.ui import towns
from tests.ui.towns import ADA, BEN, CLEO, DAN, EVA, FINN, GWEN, HUGO, NOON
from townlet_jax.core.enums import Option
from townlet_jax.ui import icons
from townlet_jax.ui.stage import ordinal


@pytest.mark.parametrize(
    ("tick", "clock"),
    [(0, "day 1 00:00"), (1, "day 1 00:01"), (390, "day 1 06:30"), (1439, "day 1 23:59"), (1440, "day 2 00:00")],
)
def test_clock(tick: int, clock: str) -> None:
    assert towns.stage().clock(tick) == clock


def test_a_short_day_is_spread_over_24_hours() -> None:
    stage = towns.stage()
    stage.__dict__["ticks_per_day"] = 60
    assert stage.clock(30) == "day 1 12:00"
    assert stage.clock(61) == "day 2 00:24"


@pytest.mark.parametrize(
    ("hour", "darkness"), [(0, 1.0), (4.9, 1.0), (5.5, 0.5), (6, 0.0), (12, 0.0), (20, 0.0), (20.5, 0.5), (21, 1.0)]
)
def test_it_is_dark_from_the_nights_start_to_its_end_with_an_hour_of_twilight(hour: float, darkness: float) -> None:
    assert towns.stage().darkness(hour / 24) == pytest.approx(darkness, abs=1e-6)


def test_affordances_have_the_sign_of_what_they_do() -> None:
    assert towns.stage().uses == ("wash", "eat", "cook", "sleep", "eat", "shop", "wash", "rest")
    assert set(towns.stage().uses) <= set(icons.DOING)


def test_everybody_says_what_they_do() -> None:
    stage, shown = towns.stage(), towns.frame(towns.busy()).view
    said = [stage.occupation(shown, slot) for slot in (ADA, BEN, CLEO, DAN, EVA, FINN, GWEN, HUGO)]
    assert said == [
        "washes",
        "2nd in line: shower 1",
        "1st in line: shower 1",
        "away",
        "stands",
        "works as clerk",
        "holds till 1",
        "stands",
    ]
    assert stage.person(shown, GWEN) == "gwen#2"
    assert stage.person(shown, ADA) == "ada"


def test_who_walks_says_where_to_if_it_is_known() -> None:
    option = np.full(8, -1)
    option[BEN] = Option.GO_TO_WORK
    shown = towns.happened(towns.frame(towns.quiet()), moved=np.ones(8, bool), option=option).view
    assert towns.stage().occupation(shown, ADA) == "walks"
    assert towns.stage().occupation(shown, BEN) == "walks to work"


def test_events_in_words() -> None:
    stage, shown = towns.stage(), towns.frame(towns.eventful()).view
    assert stage.weather(shown) == (
        ("price_spike", "prices x 1.50: meal, cafe meal, groceries"),
        ("blackout", "no power"),
        ("outage", "no water"),
        ("arranged_meet", "meeting: ada, hugo"),
        ("queue_bottleneck", "closed: shower 2"),
    )
    assert {kind for kind, _ in stage.weather(shown)} == set(icons.EVENTS)
    assert stage.closed(shown) == (towns.SHOWER_B,)
    calm = towns.frame(towns.quiet(NOON)).view
    assert stage.weather(calm) == ()
    assert stage.closed(calm) == ()


def test_marks_name_residents_sites_in_use_and_places() -> None:
    stage = towns.stage()
    assert [(kind, caption) for kind, caption, _, _ in stage.marks] == [
        *(("home", name) for name in ("ada", "ben", "cleo", "dan", "eva", "finn", "gwen", "hugo")),
        ("site", "grocer"),
        ("site", "barista"),
        ("site", "clerk"),
        ("place", "park"),
    ]
    assert stage.marks[0][2:] == (5, 7)
    assert stage.ground(5, 7) == "floor"
    assert stage.ground(17, 29) == "grass", "the park's sign stands on grass"
    assert stage.ground(0, 12) == "tree"


def test_ordinals() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111)
    words = ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"]
    assert [ordinal(number) for number in numbers] == words
