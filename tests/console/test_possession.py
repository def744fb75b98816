"""Possession from the console: agents are taken over, obey, and are given back; nobody else notices."""

from typing import Any

import pytest
from core.worlds import FRIDGE

from console.desks import CHUNK, Desk
from townlet_jax.policy.possessed import MOST_ORDERS


def place(desk: Desk, slot: int = 0) -> tuple[int, int]:
    """Return where an agent stands."""
    x, y = desk.town().roster.position[slot].tolist()
    return x, y


def test_a_possessed_agent_walks_where_it_is_told(desk: Desk) -> None:
    assert desk.refused("order", "ada", "east")[0] == "conflict"
    assert desk.done("possess", "ada")["possessed"] is True
    assert desk.refused("possess", "ada")[0] == "conflict"
    desk.done("teleport", "ada", [5, 5])
    assert desk.done("order", "ada", "east", 3)["waiting"] == 3
    assert desk.done("order", "ada", {"kind": "move", "direction": "south"})["waiting"] == 4
    seen = []
    for _ in range(6):
        desk.live(1)
        seen.append(place(desk))
    assert seen == [(6, 5), (7, 5), (8, 5), (8, 6), (8, 6), (8, 6)], "then it waits"
    assert desk.town().controls.possessed[0]
    frame = desk.done("telemetry_snapshot")["frame"]
    assert frame["agents"]["ada"]["possessed"] is True
    assert frame["agents"]["ben"]["possessed"] is False


def test_orders_use_things_and_are_judged_like_other_intents(desk: Desk) -> None:
    built = desk.session.built
    x, y = built.params.world.tile[FRIDGE].tolist()
    desk.done("teleport", "ada", [x, y + 1])
    desk.done("set_stock", "fridge_1", "meals", 5)
    desk.done("set_wallet", "ada", 20)
    desk.done("setneed", "ada", "hunger", 0.2)
    desk.done("order", "ada", {"kind": "use", "affordance": "eat_meal"})
    desk.live(1)
    told = desk.done("telemetry_snapshot")["frame"]["agents"]["ada"]
    assert told["action"] == {
        "kind": "use", "object": "fridge_1", "affordance": "eat_meal", "target": None, "ok": True, "reason": "none",
    }  # fmt: skip
    assert told["activity"]["affordance"] == "eat_meal"
    assert desk.done("queue_inspect", "fridge_1")["holder"] == "ada"
    desk.done("order", "ada", {"kind": "request", "object": "cafe_1"}) if "cafe_1" in built.names.objects else None
    desk.done("order", "ada", {"kind": "release", "object": "fridge_1", "success": False})
    desk.live(2)
    assert desk.done("queue_inspect", "fridge_1")["holder"] is None


@pytest.mark.parametrize(
    ("intent", "code", "said"),
    [
        ("fly", "invalid_args", "kind"), ("move", "invalid_args", "needs direction"),
        ({"kind": "start", "object": "fridge_1"}, "invalid_args", "needs affordance"),
        ({"kind": "wait", "object": "fridge_1"}, "invalid_args", "has no object"),
        ({"kind": "use", "affordance": "juggle"}, "not_found", "affordance"),
        ({"kind": "request", "object": "moon"}, "not_found", "object"),
        ({"kind": "chat", "target": "zoe"}, "not_found", "zoe"),
        ({"kind": "move", "direction": "up"}, "invalid_args", "direction"),
        ({"kind": "wait", "weight": 1}, "invalid_args", "weight"), ({}, "invalid_args", "kind"),
        ({"kind": "chat", "quality": 7}, "invalid_args", "quality"),
    ],
)  # fmt: skip
def test_orders_that_make_no_sense_are_refused(desk: Desk, intent: Any, code: str, said: str) -> None:
    if not desk.town().controls.possessed[0]:
        desk.done("possess", "ada")
    found, sentence = desk.refused("order", "ada", intent)
    assert (found, said in sentence) == (code, True), sentence


def test_at_most_so_many_orders_wait(desk: Desk) -> None:
    desk.done("possess", "ben")
    assert desk.done("order", "ben", "wait", MOST_ORDERS - 1)["waiting"] == MOST_ORDERS - 1
    assert desk.refused("order", "ben", "wait", 2)[0] == "conflict"
    assert desk.done("order", "ben", "wait")["waiting"] == MOST_ORDERS
    assert desk.refused("order", "ben", "wait", MOST_ORDERS + 1)[0] == "invalid_args"
    desk.live(CHUNK)
    assert desk.done("order", "ben", "wait", CHUNK)["waiting"] == MOST_ORDERS


def test_a_released_agent_follows_its_policy_and_forgets_its_orders(desk: Desk) -> None:
    desk.done("possess", "cleo")
    desk.done("order", "cleo", "east", 5)
    assert desk.done("possess", "cleo", "release")["possessed"] is False
    assert desk.refused("possess", "cleo", "release")[0] == "conflict"
    desk.done("possess", "cleo")
    before = place(desk, 2)
    desk.live(2)
    assert place(desk, 2) == before, "the orders are forgotten"
    desk.done("possess", "cleo", "release")
    told = []
    for _ in range(6):
        desk.live(1)
        told.append(desk.done("telemetry_snapshot")["frame"]["agents"]["cleo"]["action"]["kind"])
    assert "move" in told, "it walks about by itself again"


def test_possession_is_of_one_town_unless_all_are_meant(desk: Desk) -> None:
    desk.done("possess", "dan", town=1)
    assert [bool(desk.town(town).controls.possessed[3]) for town in (0, 1)] == [False, True]
    assert desk.refused("order", "dan", "wait")[0] == "conflict"
    assert desk.done("order", "dan", "wait", town=1)["town"] == 1
    desk.done("possess", "eva", town="all")
    assert [bool(desk.town(town).controls.possessed[4]) for town in (0, 1)] == [True, True]
