"""What a picture consists of: shapes where the town has something to say, whatever draws them."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.ui import towns
from tests.ui.towns import ADA, BEN, CLEO, DAN, EVA, FINN, MIDNIGHT
from townlet_jax.config import build, from_mapping
from townlet_jax.ui import icons, scene, signs
from townlet_jax.ui.layout import Layout, PictureError, lay_out
from townlet_jax.ui.shapes import Box, Disc, Line, Shape, Words, placed, shortened
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame


def shapes(frame: Frame, overlay: str = "none") -> tuple[Layout, list[Shape]]:
    """Return what moves in a picture of the default town."""
    stage = towns.stage()
    layout = lay_out(stage, overlay=overlay)
    return layout, scene.moving(stage, layout, frame)


def words(drawn: Sequence[Shape]) -> list[str]:
    """Return all texts."""
    return [shape.text for shape in drawn if isinstance(shape, Words)]


def test_a_disc_has_the_colour_of_the_lowest_need_at_its_tile() -> None:
    frame = towns.frame(towns.busy())
    layout, drawn = shapes(frame)
    size = scene.radius(layout)
    for slot, tile, lowest in ((ADA, (21, 6), 0.04), (BEN, (20, 6), 0.3), (EVA, (5, 40), 0.75)):
        x, y = layout.centre(*tile)
        (disc,) = [s for s in drawn if isinstance(s, Disc) and (s.x, s.y, s.radius) == (x, y, size)]
        assert disc.fill == signs.level_colour(lowest), slot
    assert len([s for s in drawn if isinstance(s, Disc) and s.radius == size and s.x < layout.panel_left]) == 7


def test_level_colours_go_from_orange_to_blue_and_are_told_apart_without_red_and_green() -> None:
    assert signs.level_colour(0.0) == signs.LEVELS[0]
    assert signs.level_colour(1.0) == signs.LEVELS[-1]
    assert signs.level_colour(-1.0) == signs.level_colour(float("nan")) == signs.LEVELS[0]
    blue_minus_red = [int(colour[5:7], 16) - int(colour[1:3], 16) for colour in signs.LEVELS]
    assert blue_minus_red[0] < -150
    assert blue_minus_red[-1] > 100
    assert len(set(signs.LEVELS)) == 11


def test_people_on_one_tile_stand_beside_each_other() -> None:
    state = towns.quiet()
    state.roster.position[[ADA, BEN, CLEO]] = (24, 24)
    layout = lay_out(towns.stage())
    places = scene.spots(layout, towns.frame(state).view)
    crowd = [places[slot] for slot in (ADA, BEN, CLEO)]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert math.dist(crowd[one], crowd[other]) > 0.8 * layout.tile
    assert np.mean(crowd, axis=0) == pytest.approx(layout.centre(24, 24))
    assert places[EVA] == layout.centre(5, 40)


def test_queues_show_who_waits_where_and_what_is_in_use() -> None:
    layout, drawn = shapes(towns.frame(towns.busy()))
    dashed = [shape.points for shape in drawn if isinstance(shape, Line) and shape.dashed]
    assert dashed == [(layout.centre(20, 6), layout.centre(21, 5)), (layout.centre(22, 6), layout.centre(21, 5))]
    left, top = layout.tile_at(21, 5)
    (number,) = [s for s in drawn if isinstance(s, Words) and s.x == left and s.text == "2"]
    assert number.colour == "#ffffff"
    frames = [s for s in drawn if isinstance(s, Box) and s.stroke == "#ffb400"]
    for x, y in ((21, 5), (37, 18)):
        left, top = layout.tile_at(x, y)
        expected = placed(icons.HELD, left, top, layout.tile)[1]
        assert expected in frames
    assert len(frames) == 2


def test_signs_say_what_people_do() -> None:
    layout, drawn = shapes(towns.frame(towns.busy()))
    x, y = layout.centre(32, 28)
    reach = 2 * scene.radius(layout)
    briefcases = [s for s in drawn if isinstance(s, Box) and s.fill == "#7a4a1e" and s.x < layout.panel_left]
    assert len(briefcases) == 1
    assert math.dist((briefcases[0].x, briefcases[0].y), (x, y)) < reach


def test_chats_and_quarrels_are_seen_over_both_heads() -> None:
    spoke_to, quarrelled = np.full(8, -1), np.zeros(8, bool)
    spoke_to[EVA], spoke_to[FINN], quarrelled[BEN] = FINN, DAN, True
    frame = towns.frame(towns.busy())

    def bubbles(*, well: bool) -> tuple[int, int]:
        spoken = towns.happened(frame, spoke_to=spoke_to, spoke_well=np.full(8, well), quarrelled=quarrelled)
        _, drawn = shapes(spoken)
        side = scene.radius(lay_out(towns.stage())) * 1.9
        white = [
            s for s in drawn if isinstance(s, Box) and s.fill == "#ffffff" and s.width == pytest.approx(0.92 * side)
        ]
        return sum(s.stroke == signs.INK for s in white), sum(s.stroke == signs.BAD for s in white)

    assert bubbles(well=True) == (2, 0), "dan is away and has no head"
    assert bubbles(well=False) == (0, 2)
    layout, drawn = shapes(towns.happened(frame, quarrelled=quarrelled))
    side = scene.radius(layout) * 1.2
    assert [s for s in drawn if isinstance(s, Disc) and s.fill == signs.BAD and s.radius == pytest.approx(0.48 * side)]


def test_a_closed_object_is_crossed_out_and_events_stand_above() -> None:
    layout, drawn = shapes(towns.frame(towns.eventful()))
    x, y = layout.centre(26, 5)
    assert any(isinstance(s, Disc) and (s.x, s.y, s.fill) == (x, y, signs.BAD) for s in drawn)
    assert "no power" in words(drawn)
    assert "no special events" in words(shapes(towns.frame(towns.quiet()))[1])


def test_chips_stay_within_the_picture() -> None:
    layout, drawn = shapes(towns.frame(towns.eventful()))
    chips = [s for s in drawn if isinstance(s, Box) and s.fill in {colour for colour, _ in icons.EVENTS.values()}]
    assert len(chips) == 5
    assert all(chip.x + chip.width <= layout.width for chip in chips)
    assert all(one.x + one.width < other.x for one, other in itertools.pairwise(chips))


def test_ties_are_lines_between_people_only_if_wanted() -> None:
    frame = towns.frame(towns.busy())

    def lines(overlay: str) -> dict[str, list[Line]]:
        _, drawn = shapes(frame, overlay)
        found = [s for s in drawn if isinstance(s, Line)]
        return {colour: [s for s in found if s.colour == colour] for colour in (signs.FRIENDS, signs.RIVALS)}

    assert lines("none") == {signs.FRIENDS: [], signs.RIVALS: []}
    seen = lines("ties")
    layout = lay_out(towns.stage(), overlay="ties")
    (friends,), (rivals,) = seen.values()
    assert friends.points == (layout.centre(21, 6), layout.centre(20, 6))
    assert friends.thickness == pytest.approx(1.2 + 5 * 0.5)
    assert rivals.thickness == pytest.approx(1.2 + 5 * 0.3)
    assert rivals.dashed
    assert not friends.dashed


def test_ties_with_the_dead_are_not_shown() -> None:
    state = towns.busy()
    state.roster.alive[BEN] = False
    assert scene.strongest_ties(towns.frame(state).view) == []


def test_the_way_since_the_picture_before_is_drawn_unless_somebody_was_moved() -> None:
    shown = towns.frame(towns.quiet())
    way = np.repeat(shown.trail, 3, axis=0)
    way[:, EVA] = ((5, 38), (5, 39), (5, 40))
    way[:, FINN] = ((30, 30), (30, 30), (13, 40))
    layout, drawn = shapes(Frame(view=shown.view, trail=way))
    trails = [s for s in drawn if isinstance(s, Line) and s.colour == "#ffffff"]
    assert [trail.points for trail in trails] == [tuple(layout.centre(5, y) for y in (38, 39, 40))]


@pytest.mark.parametrize(("hour", "shade"), [(12, 0), (20.5, 2), (0, 4)])
def test_the_night_is_laid_over_the_map(hour: float, shade: int) -> None:
    stage, frame = towns.stage(), towns.frame(towns.quiet(round(hour * 60) + MIDNIGHT))
    assert scene.shade_of(stage, frame) == shade
    layout = lay_out(stage)
    drawn = scene.night(stage, layout, shade)
    dark = [s for s in drawn if isinstance(s, Box) and s.fill == signs.NIGHT]
    assert [box.opacity for box in dark] == ([signs.NIGHT_OPACITY * shade / 4] if shade else [])
    captions = [s for s in drawn if isinstance(s, Words)]
    assert {s.text for s in captions} >= {"ada", "hugo", "barista", "park"}
    assert {s.colour for s in captions} == {"#ffffff" if shade > 2 else signs.INK}


def test_the_panel_tells_needs_coins_and_absence() -> None:
    _, drawn = shapes(towns.frame(towns.busy()))
    said = words(drawn)
    for text in ("ada", "gwen#2", "12.50", "90%", "4%", "2nd in line: shower 1", "away", "works as clerk", "12:00"):
        assert text in said, text
    assert said.count("dan") == 1


def test_a_crowd_gets_short_entries_and_the_rest_is_counted() -> None:
    agents = [{"name": f"a{slot}", "home": slot % 8} for slot in range(40)]
    built = build(from_mapping({"base": "default", "spec": {"num_agents": 44}, "agents": agents}))
    stage = Stage(built.names, built.params)
    layout = lay_out(stage)
    state: Any = towns.quiet()
    shown = towns.frame(state).view
    grown = {
        "people": shown.people.replace(
            alive=np.arange(44) < 40,
            generation=np.zeros(44, int),
            position=np.tile([[24, 24]], (44, 1)),
            level=np.full((44, 3), 0.5),
            wallet=np.full(44, 2000.0),
        ),
        "doing": shown.doing.replace(
            **{
                name: np.resize(getattr(shown.doing, name), 44)
                for name in ("holding", "waiting", "place", "affordance", "on_shift", "moved", "option", "spoke_to")
            },
            spoke_well=np.zeros(44, bool),
            quarrelled=np.zeros(44, bool),
        ),
    }
    drawn = scene.moving(stage, layout, Frame(view=shown.replace(**grown), trail=np.zeros((1, 44, 2), np.int32)))
    said = words(drawn)
    fitting = int(layout.people_height / (22 * layout.unit)) - 1
    assert f"{40 - fitting} more, 4 away" in said
    assert f"a{fitting - 1}" in said
    assert f"a{fitting}" not in said
    assert "2,000" in said
    assert max(s.y for s in drawn if isinstance(s, Words) and s.x > layout.panel_left) < layout.legend_top


def test_the_legend_names_every_type_of_object() -> None:
    stage = towns.stage()
    said = words(scene.still(stage, lay_out(stage)))
    for name in ("bed", "cafe counter", "home", "work site", "place", "sleep", "chat", "quarrel", "in use", "waits"):
        assert name in said
    assert "friends" not in said
    assert "friends" in words(scene.still(stage, lay_out(stage, overlay="ties")))


def test_everything_lies_within_the_picture() -> None:
    for overlay in ("none", "ties"):
        layout, drawn = shapes(towns.frame(towns.eventful()), overlay)
        for shape in (*drawn, *scene.still(towns.stage(), layout)):
            if isinstance(shape, Box):
                assert shape.x >= -1
                assert shape.y >= -1
                assert shape.x + shape.width <= layout.width + 1
                assert shape.y + shape.height <= layout.height + 1


def test_an_unknown_type_of_object_gets_its_letter() -> None:
    assert icons.look("zither") == (signs.OTHER_OBJECT, "z", ())
    assert [s.text for s in icons.object_icon("zither") if isinstance(s, Words)] == ["z"]
    assert icons.look("\u202e").letter == "?"


def test_marks_of_slots() -> None:
    assert [signs.mark(slot) for slot in (0, 8, 9, 34, 35, 60, 61, 2000)] == ["1", "9", "a", "z", "A", "Z", "*", "*"]


def test_long_texts_are_cut() -> None:
    assert shortened("short", 10, 100) == "short"
    assert shortened("much too long for this", 10, 54) == "much too…"


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"scale": 3}, "--scale is 3, but a tile is 4 to 64 pixels"),
        ({"scale": 65}, "--scale is 65"),
        ({"overlay": "love"}, "--overlay is 'love', but must be one of none, ties"),
    ],
)
def test_layouts_that_cannot_be_had(wish: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        lay_out(towns.stage(), **wish)


def test_too_large_a_picture_is_refused() -> None:
    built = build(from_mapping({"base": "parity", "town": {"size": [200, 200], "fill": "floor"}}))
    stage = Stage(built.names, built.params)
    assert lay_out(stage).tile == 4
    with pytest.raises(PictureError, match="choose a smaller scale"):
        lay_out(stage, scale=40)


def test_scale_sets_the_size_of_the_map() -> None:
    for scale in (4, 10, 32, 64):
        layout = lay_out(towns.stage(), scale=scale)
        assert (layout.tile, layout.map_width) == (scale, 48 * scale)
        assert layout.width > layout.map_width + layout.panel_width
