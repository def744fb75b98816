"""Maps, objects, homes, jobs and people on worlds drawn by hand."""

from typing import Any

import numpy as np
import pytest

from townlet_jax.config import build, from_mapping
from townlet_jax.config.plan import plan
from townlet_jax.config.warn import check_warnings

LEGEND: dict[str, Any] = {
    "#": {"tile": "wall", "walkable": False},
    ".": {"tile": "floor", "walkable": True},
    "H": {"home": True},
    "b": {"object": "bed"},
    "S": {"site": "desk"},
    "P": {"place": "park"},
}


def town(rows: list[str], **more: Any) -> dict[str, Any]:
    return {"town": {"rows": rows, "legend": LEGEND, **more.pop("town", {})}, **more}


def test_numbering_is_row_major() -> None:
    drawn = town(["bH..", "..Sb", "H.P."], jobs={"clerk": {"start": 1, "end": 3, "site": "desk"}})
    _, params, names = build(from_mapping(drawn))
    assert names.objects == ("bed_1", "bed_2")
    assert np.asarray(params.world.tile).tolist() == [[0, 0], [3, 1]]
    assert np.asarray(params.world.home_tile).tolist() == [[1, 0], [0, 2]]
    assert np.asarray(params.world.site_tile).tolist() == [[2, 1]]
    assert np.asarray(params.world.place_tile).tolist() == [[2, 2]]
    assert np.asarray(params.world.blocked).tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert np.asarray(params.world.walkable).all()


def test_objects_name_add_and_override() -> None:
    listed = [
        {"id": "bed_2", "capacity": 3, "solid": False},
        {"id": "throne", "at": [0, 0], "stock": {"meals": 2}},
        {"id": "oven", "type": "stove", "at": [0, 1], "link": {"meals": "throne"}},
    ]
    drawn = town(["bH..", "...b"], town={"objects": listed})
    _, params, names = build(from_mapping(drawn))
    assert names.objects == ("throne", "bed_2", "oven")
    assert np.asarray(params.world.capacity).tolist() == [1, 3, 1]
    assert np.asarray(params.world.solid).tolist() == [True, False, True]
    assert np.asarray(params.world.stock_start)[:, 0].tolist() == [2, 0, 0]
    assert np.asarray(params.world.link)[:, 0].tolist() == [-1, -1, 0]


def test_stock_of_an_object_replaces_that_of_its_type_good_by_good() -> None:
    drawn = town(
        ["bH"],
        object_types={"bed": {"stock": {"meals": 4, "raw_ingredients": 5}, "capacity": 2, "domestic": True}},
        objects=[{"id": "bed_1", "stock": {"meals": 1}}],
    )
    world = build(from_mapping(drawn)).params.world
    assert np.asarray(world.stock_start).tolist() == [[1, 5]]
    assert (np.asarray(world.capacity).tolist(), np.asarray(world.domestic).tolist()) == ([2], [True])


def test_the_link_goes_to_the_nearest_by_steps_not_as_the_crow_flies() -> None:
    rows = ["H.........", ".########.", ".s.##f....", "...##....."]
    legend = {**LEGEND, "s": {"object": "stove"}, "f": {"object": "fridge"}}
    cook = {"id": "cook", "object_type": "stove", "duration": 1, "produce": {"meals": 1}, "output_to": "linked:fridge"}
    far = {"id": "fridge_2", "type": "fridge", "at": [6, 0], "solid": False}
    drawn = {"town": {"rows": rows, "legend": legend}, "affordances": [cook], "objects": [far]}
    _, params, names = build(from_mapping(drawn))
    assert names.objects == ("stove_1", "fridge_1", "fridge_2")
    assert np.asarray(params.world.link)[0, 0] == 2


def test_towns_without_homes_live_where_people_stand() -> None:
    people = [
        {"name": "a", "position": [1, 1]},
        {"name": "b", "alive": False},
        {"name": "c", "position": [1, 1]},
        {"name": "d", "position": [0, 0], "home": 0},
    ]
    _, params, names = build(from_mapping({"town": {"size": [2, 2]}, "agents": people}))
    assert names.homes == ("home_0", "home_1", "home_2")
    assert np.asarray(params.world.home_tile).tolist() == [[1, 1], [1, 1], [0, 0]]
    assert np.asarray(params.start.home).tolist() == [0, 1, 1, 0]
    assert np.asarray(params.start.position).tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]


def test_people() -> None:
    jobs = {name: {"start": 1, "end": 3, "site": [0, 0]} for name in ("x", "y")}
    people = [
        {"name": "a", "needs": {"energy": 0.25}, "ties": {"b": {"trust": 0.5, "rivalry": 0.75}}, "profile": "stoic"},
        {"name": "b", "job": None, "wallet": 4, "position": [0, 0]},
        {"name": "c", "job": "y", "home": 1},
        {"name": "d"},
    ]
    drawn = town(
        [".HH"], jobs=jobs, agents=people, personalities={"overrides": {"d": "mine"}, "profiles": {"mine": {}}}
    )
    start = build(from_mapping(drawn)).params.start
    assert np.asarray(start.job).tolist() == [0, -1, 1, 1]
    assert np.asarray(start.home).tolist() == [0, 1, 1, 1]
    assert np.asarray(start.position).tolist() == [[1, 0], [0, 0], [2, 0], [2, 0]]
    assert np.asarray(start.profile).tolist() == [3, -1, -1, 4]
    assert np.asarray(start.level)[0].tolist() == [-1, -1, 0.25]
    assert np.asarray(start.wallet).tolist() == [-1, 4, -1, -1]
    assert (float(start.trust[0, 1]), float(start.rivalry[0, 1]), float(start.trust[1, 0])) == (0.5, 0.75, 0)


def test_shifts() -> None:
    jobs = {
        "night": {"start": 1380, "end": 179, "site": [0, 0], "wage_rate": 0.5},
        "plain": {"start": 10, "end": 10, "site": [0, 0]},
    }
    params = build(from_mapping(town([".H"], jobs=jobs, employment={"default_wage": 0.25}))).params
    assert np.asarray(params.jobs.length).tolist() == [240, 1], "vector 28"
    assert np.asarray(params.jobs.wage_rate).tolist() == [0.5, 0.25]


def test_profiles_of_the_file() -> None:
    wild = {"traits": {"extroversion": 1}, "needs": {"energy": 2}, "behaviour": {"work_affinity": 0.5}}
    people = {
        "profiles": {"wild": wild},
        "distribution": {"balanced": 1, "socialite": 0, "industrious": 0, "stoic": 0, "wild": 3},
    }
    table = build(from_mapping(town([".H"], personalities=people))).params.personality
    assert np.asarray(table.trait)[4].tolist() == [1, 0, 0]
    assert np.asarray(table.need_multiplier)[4].tolist() == [1, 1, 2]
    assert np.asarray(table.behaviour_bias)[4].tolist() == [1, 0.5, 1]
    assert np.asarray(table.cumulative).tolist() == [0.25, 0.25, 0.25, 0.25, 2]


def test_the_last_profile_with_a_weight_takes_the_rest() -> None:
    people = {"distribution": {"balanced": 3, "socialite": 1, "industrious": 0, "stoic": 0}}
    table = build(from_mapping(town([".H"], personalities=people))).params.personality
    assert np.asarray(table.cumulative).tolist() == [0.75, 2, 2, 2]


@pytest.mark.parametrize(
    ("at", "tile"), [("bed_2", [2, 0]), ("bed", [1, 0]), ("park", [3, 1])], ids=["object", "type", "place"]
)
def test_meeting_tiles(at: str, tile: list[int]) -> None:
    spec = {"kind": "arranged_meet", "duration": 3, "at": at}
    drawn = town(["b..b.", "H..P."], perturbations={"specs": {"meet": spec}})
    assert np.asarray(build(from_mapping(drawn)).params.world.meet_tile).tolist() == [tile]


def test_perturbation_choices() -> None:
    specs = {
        "cut": {"kind": "blackout", "duration": 5},
        "dry": {"kind": "outage", "duration": [2, 5], "utility": "gas", "is_city_event": False},
        "shut": {"kind": "queue_bottleneck", "duration": 5, "object": "bed_2"},
        "meet": {"kind": "arranged_meet", "duration": 5, "at": "bed", "target": "random", "max_participants": 4},
    }
    drawn = town(
        ["bHb"], perturbations={"specs": specs, "spare_busy": False}, economy={"utilities": ["power", "water", "gas"]}
    )
    spec, params, _ = build(from_mapping(drawn))
    table = params.perturbation
    assert spec.num_utilities == 3
    assert np.asarray(table.utility).tolist() == [0, 2, -1, -1]
    assert (np.asarray(table.fixed_object).tolist(), np.asarray(table.bottleneck_type)[2]) == ([-1, -1, 1, -1], 0)
    assert np.asarray(table.is_city_event).tolist() == [True, False, True, False]
    assert (int(table.meet_target[3]), int(table.max_participants[3])) == (1, 4)
    assert not np.asarray(table.spare_busy).any()
    assert int(table.max_concurrent) == 2


def test_price_groups() -> None:
    economy = {"prices": {"a": 1, "b": 2, "c": 3}}
    goods = {"price_groups": {"pair": ["a", "c"]}}
    specs = {
        name: {"kind": "price_spike", "duration": 5, "magnitude": 2, "targets": targets}
        for name, targets in {"one": ["pair"], "two": ["b", "pair"], "all": ["global"]}.items()
    }
    drawn = town([".H"], economy=economy, goods=goods, perturbations={"specs": specs})
    mask = np.asarray(build(from_mapping(drawn)).params.perturbation.price_mask)
    assert mask.tolist() == [[1, 0, 1], [1, 1, 1], [1, 1, 1]]


def test_basket_of_the_own_affordances() -> None:
    affordances: list[dict[str, Any]] = [
        {"id": "dine", "effects": {"hunger": 0.5}, "cost": {"a": 2}, "consume": {"meals": 2}},
        {"id": "make", "cost": ["b", "b"], "produce": {"meals": 4}},
    ]
    affordances = [{"object_type": "bed", "duration": 1, **entry} for entry in affordances]
    drawn = town(
        ["bH"],
        affordances=affordances,
        economy={"prices": {"a": 1, "b": 1}},
        basket={"hunger": "dine", "makers": {"meals": "make"}},
        needs={"decay_rate": [0.001, 0, 0]},
    )
    weights = plan(from_mapping(drawn)).sections["economy"]["basket_weight"]
    np.testing.assert_allclose(weights, [2.88 * 2, 2.88 * 2 / 4 * 2], rtol=1e-6)


def test_warnings() -> None:
    affordances = [
        {"id": "sleep", "object_type": "bed", "duration": 1, "effects": {"energy": 0.5}, "sleep": True},
        {"id": "eat", "object_type": "bed", "duration": 1, "effects": {"hunger": 0.5}, "consume": {"meals": 1}},
    ]
    drawn = town(
        ["bHS"],
        affordances=affordances,
        agents=[{"name": "a"}, {"name": "b"}],
        object_types={"lamp": {}, "vase": {"decorative": True}},
        jobs={"clerk": {"start": 0, "end": 99, "wage_rate": 0.02, "site": "desk"}},
    )
    found = check_warnings(from_mapping(drawn))
    assert [warning[:2] for warning in found] == ["W1", "W2", "W3", "W4", "W5"]
    assert "2.00" in found[0]
    assert "hygiene" in found[2]
    assert "lamp" in found[3]
    assert "meals" in found[4]


def test_max_concurrent_is_cut_to_the_specs_there_are() -> None:
    params = build(from_mapping(town([".H"]))).params
    assert int(params.perturbation.max_concurrent) == 1
