"""Every command does what it says, in the town, and says no as the rules say (MECHANICS 12.2)."""

from typing import Any

import numpy as np
import pytest
from core.worlds import BALANCED, GUARD, HOMES, MEALS, SPIKE, STOIC

from console.desks import Desk
from townlet_jax.console.table import ROWS


def test_a_noop_and_help_answer(desk: Desk) -> None:
    assert desk.done("noop") == {}
    told = desk.done("help")["commands"]
    assert {line["usage"].split()[0] for line in told} == {row.name for row in ROWS}
    about = desk.done("help", "setneed")
    assert about["usage"] == "setneed agent [need] [value] [needs] [town=]"
    assert [argument["name"] for argument in about["arguments"]] == ["town", "agent", "need", "value", "needs"]
    assert desk.refused("help", "setned") == (
        "not_found",
        "There is no command 'setned' (did you mean 'setneed'?).",
    )


def test_needs_wallet_and_home_of_an_agent(desk: Desk) -> None:
    told = desk.done("setneed", "ada", "energy", 0.25)
    assert told["tick"] == desk.session.tick + 1
    assert told["needs"]["energy"] == 0.25
    assert desk.done("setneed", 0, needs={"hunger": 7, "hygiene": -1})["needs"]["hunger"] == 1.0
    np.testing.assert_allclose(desk.town().needs.level[0], [1.0, 0.0, 0.25])
    assert desk.town().roster.reset_flag[0]
    assert desk.done("set_wallet", agent="ben", amount=12.5)["wallet"] == 12.5
    assert desk.done("set_home", "ben", 2)["home"] == desk.session.built.names.homes[2]
    assert (desk.town().economy.wallet[1], desk.town().roster.home[1]) == (12.5, 2)
    assert desk.town(1).economy.wallet[1] != 12.5, "only the first watched town"
    assert desk.done("set_wallet", "ben", 3, town="all")["town"] == "all"
    assert [desk.town(town).economy.wallet[1] for town in (0, 1)] == [3, 3]
    assert desk.done("set_wallet", "ben", 4, town=1)["town"] == 1
    assert [desk.town(town).economy.wallet[1] for town in (0, 1)] == [3, 4]


def test_a_teleport_goes_to_free_tiles_only(desk: Desk) -> None:
    assert desk.done("teleport", "cleo", [7, 5])["position"] == [7, 5]
    assert desk.town().roster.position[2].tolist() == [7, 5]
    code, sentence = desk.refused("teleport", "cleo", [0, 0])
    assert (code, "[0, 0] is a blocked tile" in sentence) == ("invalid_args", True)
    assert desk.refused("teleport", "cleo", [99, 0])[0] == "invalid_args"
    assert desk.town().roster.position[2].tolist() == [7, 5]


def test_spawn_kill_and_who_is_meant_by_a_name(desk: Desk) -> None:
    told = desk.done("spawn", slot=9, position=[7, 3], wallet=5, profile="stoic", job="guard", needs={"energy": 0.5})
    state = desk.town()
    assert (told["slot"], told["agent"], told["position"]) == (9, "slot_9", [7, 3])
    assert (state.roster.alive[9], state.economy.wallet[9], state.roster.profile[9]) == (True, 5, STOIC)
    assert state.employment.job[9] == GUARD
    assert told["uid"] == state.roster.uid[9]
    assert desk.refused("spawn", "slot_9")[0] == "conflict"
    assert desk.refused("spawn", slot=10, position=[0, 0])[0] == "invalid_args"
    assert desk.refused("spawn")[0] == "invalid_args"
    assert desk.done("kill", "slot_9", "why not", respawn=False)["condemned"] == 2
    desk.live(1)
    assert not desk.town().roster.alive[9]
    assert desk.refused("kill", "slot_9")[0] == "not_found"
    again = desk.done("spawn", "slot_9")
    assert again["agent"] == "slot_9#1"
    assert desk.done("set_wallet", "slot_9#1", 1)["slot"] == 9
    code, sentence = desk.refused("set_wallet", "slot_9#0", 1)
    assert (code, sentence) == ("not_found", "'slot_9#0' does not live here; slot 9 is now slot_9#1.")
    assert desk.refused("set_wallet", "slot_9#1", 1, town="all")[0] == "invalid_args"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("kill", ("zoe",)), ("teleport", ("zoe", [7, 5])), ("set_home", ("zoe", 0)), ("setneed", ("zoe", "energy", 1)),
        ("set_wallet", ("zoe", 1)), ("set_wallet", (77, 1)), ("set_rel", ("ada", "zoe", 1)),
        ("force_chat", ("ada", "slot_20")), ("possess", ("slot_20",)), ("order", ("zoe", "wait")),
        ("employment_exit", ("approve", "zoe")), ("set_stock", ("fridge_9", "meals", 1)),
        ("set_stock", ("fridge_1", "gold", 1)), ("price", ("gold", 1)), ("queue_inspect", ("fridge_9",)),
        ("perturbation_trigger", ("comet",)), ("perturbation_cancel", ("comet",)), ("perturbation_cancel", ("outage",)),
        ("arrange_meet", (["ada", "zoe"],)), ("relationship_detail", ("zoe",)), ("rivalry_dump", ("zoe",)),
        ("set_wallet", ("ada", 1, 9)),
    ],
)  # fmt: skip
def test_what_there_is_not_is_not_found(desk: Desk, name: str, args: tuple[Any, ...]) -> None:
    before = desk.town()
    kwargs = {}
    if len(args) == 3 and name == "set_wallet":
        args, kwargs = args[:2], {"town": 9}
    code, sentence = desk.refused(name, *args, **kwargs)
    assert code == "not_found", sentence
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0, "one sentence"
    for one, other in zip(before.needs.level, desk.town().needs.level, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("setneed", {"agent": "ada", "need": "thirst", "value": 1}, "need"),
        ("setneed", {"agent": "ada"}, "either 'need' and 'value', or 'needs'"),
        ("setneed", {"agent": "ada", "need": "energy", "value": "1"}, "value"),
        ("setneed", {"agent": True, "need": "energy", "value": 1}, "agent"),
        ("set_wallet", {"agent": "ada", "amount": -1}, "greater than or equal to 0"),
        ("set_wallet", {"agent": "ada", "amount": 1e9}, "use a number from 0"),
        ("set_wallet", {"agent": "ada", "ammount": 1}, "did you mean 'amount'?"),
        ("set_wallet", {}, "agent"),
        ("set_rel", {"a": "ada", "b": "ada", "trust": 1}, "same agent"),
        ("set_rel", {"a": "ada", "b": "ben"}, "changes nothing"),
        ("set_rel", {"a": "ada", "b": "ben", "trust": 2}, "trust"),
        ("force_chat", {"speaker": "ada", "listener": "ada"}, "same agent"),
        ("set_exit_cap", {"n": 51}, "less than or equal to 50"),
        ("set_spawn_delay", {"min": 9, "max": 3}, "max"),
        ("perturbation_trigger", {"spec": "outage", "duration": 0}, "duration"),
        ("arrange_meet", {"agents": ["ada"]}, "agents"),
        ("speed", {"factor": 3}, "factor"),
        ("step", {"ticks": 0}, "ticks"),
        ("kpis", {"last": 0}, "last"),
        ("social_events", {"limit": -1}, "limit"),
        ("announce_story", {"message": ""}, "message"),
    ],
)
def test_wrong_arguments_are_named(desk: Desk, name: str, kwargs: dict[str, Any], said: str) -> None:
    code, sentence = desk.refused(name, **kwargs)
    assert code == "invalid_args"
    assert said in sentence


def test_ties_and_forced_chats(desk: Desk) -> None:
    told = desk.done("set_rel", "ada", "ben", 0.5, rivalry=0.25)
    assert [(tie["owner"], tie["other"], tie["trust"], tie["rivalry"]) for tie in told["ties"]] == [
        ("ada", "ben", 0.5, 0.25),
        ("ben", "ada", 0.5, 0.25),
    ]
    before = desk.town().ties.familiarity[0, 1]
    told = desk.done("force_chat", speaker="ada", listener="ben", quality=1)
    after = desk.town().ties
    assert after.familiarity[0, 1] > before
    assert told["ties"][0]["trust"] == pytest.approx(float(after.trust[0, 1]), abs=1e-6)


def test_goods_prices_and_rules_of_the_town(desk: Desk) -> None:
    assert desk.done("set_stock", "fridge_1", "meals", 3) | {"tick": 0} == {
        "town": 0, "tick": 0, "object": "fridge_1", "good": "meals", "units": 3.0,
    }  # fmt: skip
    assert desk.town().economy.stock[0, MEALS] == 3
    key = desk.session.built.names.prices[0]
    assert desk.done("price", key, 1.5)["value"] == 1.5
    assert desk.town().controls.price[0] == 1.5
    assert desk.done("toggle_mortality", False)["enabled"] is False
    assert desk.done("set_exit_cap", 4)["n"] == 4
    assert {name: desk.done("set_spawn_delay", 3)[name] for name in ("min", "max")} == {"min": 3, "max": 3}
    assert desk.done("set_spawn_delay", min=3, max=8)["max"] == 8
    controls = desk.town().controls
    assert (controls.mortality, controls.daily_exit_cap, controls.respawn_max) == (False, 4, 8)
    desk.done("toggle_mortality", True)


def test_events_are_started_queued_and_cancelled(desk: Desk) -> None:
    spec = desk.session.built.names.perturbations[SPIKE]
    told = desk.done("perturbation_trigger", spec, duration=50)
    assert told["starts_at"] == told["tick"]
    assert desk.refused("perturbation_trigger", spec)[0] == "conflict"
    desk.live(1)
    active = desk.town().perturbations
    assert active.until_tick[SPIKE] == active.started_tick[SPIKE] + 50
    event = f"{spec}@{int(active.started_tick[SPIKE])}"
    queue = desk.done("perturbation_queue")["perturbations"]
    assert [one["event_id"] for one in queue["active"]] == [event]
    assert desk.refused("perturbation_cancel", event_id=f"{spec}@1")[0] == "not_found"
    desk.done("perturbation_cancel", event)
    desk.live(1)
    assert desk.town().perturbations.until_tick[SPIKE] == -1
    assert desk.refused("perturbation_cancel", spec, event_id=event)[0] == "invalid_args"
    told = desk.done("arrange_meet", ["ada", "ben"], 30)
    assert told["starts_at"] == told["tick"] + 30
    assert desk.done("perturbation_cancel", told["spec"])["starts_at"] is None


def test_the_exit_queue(desk: Desk) -> None:
    assert desk.done("employment_exit")["pending"] == []
    assert desk.done("employment_exit", "approve", "finn")["approved"] == ["finn"]
    assert desk.done("employment_exit", "defer", "finn")["approved"] == []
    assert desk.refused("employment_exit", "approve")[0] == "usage"
    assert desk.refused("employment_exit", "review", "finn")[0] == "usage"


def test_what_is_seen_is_the_last_frame(desk: Desk) -> None:
    desk.live(1)
    told = desk.done("telemetry_snapshot")
    state, tick = desk.town(), desk.session.tick
    assert (told["town"], told["tick"]) == (0, tick)
    assert told["frame"]["agents"]["ada"]["position"] == state.roster.position[0].tolist()
    assert desk.done("snapshot") == told
    assert set(desk.done("utilities")["utilities"]) == set(desk.session.built.names.utilities)
    assert set(desk.done("employment_status")["employment"]["jobs"]) == set(desk.session.built.names.jobs)
    assert desk.done("economy_status")["economy"]["wallets"]["max"] == pytest.approx(float(state.economy.wallet.max()))
    health = desk.done("health_status")
    assert health["extra"]["pace"]["paused"] is True
    assert [sink["name"] for sink in health["transport"]] == ["console"]
    counts = desk.done("affordance_status")["counts"]
    assert set(counts) == {"start", "finish", "fail", "refused"}
    assert desk.refused("telemetry_snapshot", town=1)[0] == "unsupported"
    assert desk.refused("telemetry_snapshot", town=2)[0] == "not_found"
    assert desk.refused("promotion_status")[0] == "unsupported"


def test_an_edit_while_the_session_stands_still_is_seen_at_once(desk: Desk) -> None:
    desk.live(1)
    desk.done("teleport", "dan", [4, 3])
    told = desk.done("telemetry_snapshot")
    assert told["tick"] == desk.session.tick
    assert told["frame"]["agents"]["dan"]["position"] == [4, 3]


def test_ties_as_they_are_told(desk: Desk) -> None:
    desk.done("set_rel", "cleo", "dan", trust=0.9, familiarity=0.5, rivalry=0.1)
    desk.done("set_rel", "cleo", "eva", trust=-0.5, rivalry=0.8)
    desk.live(1)
    pairs = desk.done("rivalry_dump", "cleo", 1)["pairs"]
    assert [(pair["owner"], pair["other"]) for pair in pairs] == [("cleo", "eva")]
    assert pairs[0]["rivalry"] == pytest.approx(0.8, abs=0.02)
    assert len(desk.done("rivalry_dump", limit=0)["pairs"]) >= 4
    cleo = desk.done("relationship_summary")["agents"]["cleo"]
    assert cleo["friends"][0]["other"] == "dan"
    assert cleo["rivals"][0]["other"] == "eva"
    detail = desk.done("relationship_detail", "cleo")
    assert (
        {tie["other"] for tie in detail["feels"]} == {tie["owner"] for tie in detail["is_felt_for"]} == {"dan", "eva"}
    )
    status = desk.done("conflict_status", rivalries=1, history=1)
    assert len(status["rivalries"]) == 1
    assert set(status["history"]) == {"queue_increments", "conflicts", "alerts"}
    assert desk.done("social_events", 3)["events"] == []


def test_key_figures_of_the_last_ticks(desk: Desk) -> None:
    desk.live(30)
    told = desk.done("kpis", 20)
    assert told["last_tick"] == desk.session.tick
    assert told["last_tick"] - told["first_tick"] + 1 >= 20
    assert told["kpis"]["alive"] == pytest.approx(7, abs=1)
    assert "punctuality" in told["kpis"]


def test_a_queue_is_told_as_it_is(desk: Desk) -> None:
    told = desk.done("queue_inspect", "fridge_1")
    assert (told["holder"], told["queue"], told["stalls"], told["tick"]) == (None, [], 0, desk.session.tick)


def test_the_pace_of_the_session(desk: Desk) -> None:
    assert desk.done("speed", 10) == {"tick": desk.session.tick, "paused": True, "factor": 10.0, "rate": 40.0}
    before = desk.session.tick
    told = desk.done("step", 13)
    assert (told["tick"], told["done"]) == (before + 13, True)
    desk.done("resume")
    assert desk.done("pause")["paused"] is True
    assert desk.done("speed", "max")["rate"] is None
    stood = desk.session.tick
    assert desk.done("health_status")["extra"]["pace"] == {"paused": True, "factor": "max", "rate": None}
    assert desk.session.tick == stood


def test_stories_are_told_or_throttled(desk: Desk) -> None:
    told = desk.done("announce_story", "the fair begins", priority=True, cmd_id=None)
    assert (told["queued"], told["tick"]) == (True, desk.session.tick + 1)
    code, _ = desk.refused("announce_story", "the fair begins", priority=True)
    assert code == "throttled"
    assert desk.refused("announce_story", "something else")[0] == "throttled"
    desk.live(1)
    stories = desk.done("telemetry_snapshot")["frame"]["narrations"]
    assert [(story["category"], story["message"]) for story in stories] == [("operator_story", "the fair begins")]
    assert desk.refused("announce_story", "the fair begins", priority=True)[0] == "throttled"


def test_results_are_published_with_the_frames(desk: Desk) -> None:
    answer = desk.ask("set_wallet", "ada", 6)
    desk.ask("set_wallet", "nobody", 6)
    desk.live(1)
    frame = desk.done("telemetry_snapshot")["frame"]
    told = [one for one in frame["console"] if one["name"] == "set_wallet"]
    assert [(one["status"], one["issuer"]) for one in told] == [("ok", "chief"), ("error", "chief")]
    assert told[0]["result"] == answer["result"]
    events = [event for event in frame["events"] if event["event"] == "console.result"]
    assert answer["result"]["tick"] in [event["tick"] for event in events]


def test_homes_of_the_hamlet_are_known(desk: Desk) -> None:
    assert len(HOMES) == 3
    assert desk.session.built.names.profiles[BALANCED] == "balanced"
    assert desk.refused("set_home", "ada", "palace")[0] == "not_found"
    assert desk.refused("set_home", "ada", 3)[0] == "invalid_args"
