"""What the dashboard knows after each record."""

import itertools

import pytest

from tests.dashboard import records
from townlet_jax.telemetry.schema import SchemaError
from townlet_jax.ui.dashboard import model as models


def test_a_diff_changes_what_it_names_and_nothing_else() -> None:
    first = records.model(records.run(), records.snapshot(720, 1))
    after = models.take(first, records.diff(725, 2, utilities={"power": False, "water": False}))
    town = after.towns[0]
    assert (town.tick, town.frame["utilities"]) == (725, {"power": False, "water": False})
    assert town.frame["economy"] is first.towns[0].frame["economy"]
    assert first.towns[0].tick == 720
    assert (after.taken, after.lost) == (3, 0)


def test_ties_of_a_diff_are_merged_into_those_of_before() -> None:
    change = {"ties": [records.tie("ada", "cleo", 0.9, 0.4, 0.0) | {"status": "updated"},
                       records.tie("ben", "ada", 0, 0, 0) | {"status": "faded"}],
              "churn": records.sections()["relationships"]["churn"]}  # fmt: skip
    after = records.model(records.run(), records.snapshot(720, 1), records.diff(721, 2, relationships=change))
    ties = {(tie["owner"], tie["other"]): tie["trust"] for tie in after.towns[0].frame["relationships"]["ties"]}
    assert ties == {("ada", "ben"): -0.3, ("ada", "cleo"): 0.9}


def test_after_a_gap_diffs_are_passed_over_until_a_whole_frame_comes() -> None:
    late = records.diff(730, 5, utilities={"power": False, "water": False})
    lost = records.model(records.run(), records.snapshot(720, 1), late)
    assert (lost.lost, models.behind_of(lost)) == (3, (0,))
    assert lost.towns[0].tick == 720
    healed = models.take(lost, records.snapshot(740, 6))
    assert (healed.lost, models.behind_of(healed), healed.towns[0].tick) == (3, (), 740)


def test_a_subscription_that_begins_in_the_middle_loses_nothing() -> None:
    assert records.model(records.run(), records.snapshot(720, 311), records.diff(721, 312)).lost == 0


def test_another_run_starts_anew_and_a_resumed_one_goes_on() -> None:
    before = records.model(records.run(), records.snapshot(720, 1, events=[records.conflict(719)]))
    resumed = models.take(before, records.run(resumed=True) | {"sequence": 2})
    assert len(resumed.towns[0].events) == 1
    other = models.take(before, records.run() | {"run_id": "r2"})
    assert (other.towns, other.run["run_id"]) == ({}, "r2")


def test_a_diff_of_another_run_is_refused() -> None:
    with pytest.raises(SchemaError, match="run_id"):
        models.joining.apply(records.snapshot(720, 1), records.diff(721, 2) | {"run_id": "r2"})


def test_events_are_kept_apart_by_how_common_they_are_and_bounded() -> None:
    asked = records.event("action.move", 1, agent="ada", kind="move", object=None, affordance=None, target=None,
                          ok=True, reason="none")  # fmt: skip
    many = [records.conflict(tick) for tick in range(models.MOST_EVENTS + 10)]
    town = records.model(records.run(), records.snapshot(720, 1, events=[asked, *many])).towns[0]
    assert [one["tick"] for one in town.events] == list(range(10, models.MOST_EVENTS + 10))
    assert [one["event"] for one in town.actions] == ["action.move"]
    assert town.last_event["ada"] == town.last_event["ben"] == many[-1]


def test_samples_of_the_past_are_spaced_bounded_and_go_when_time_goes_back() -> None:
    frames = [records.snapshot(tick, 1 + number) for number, tick in enumerate(range(0, 2000, 5))]
    town = records.model(records.run(), *frames).towns[0]
    ticks = [sample.tick for sample in town.past]
    assert len(ticks) == models.MOST_SAMPLES
    assert {later - earlier for earlier, later in itertools.pairwise(ticks)} == {15}
    back = records.model(records.run(), *frames, records.snapshot(1500, 401)).towns[0]
    assert back.past[-1].tick == 1500


def test_results_of_the_console_are_kept_once_though_every_town_tells_them() -> None:
    result = {"name": "pause", "status": "ok", "cmd_id": "a1", "tick": 720, "result": {}}
    told = [records.snapshot(720, 1 + town, town=town, console=[result]) for town in (0, 5)]
    assert records.model(records.run(), *told).results == (result,)


def test_people_are_in_the_order_of_slots_and_the_living_go_before_the_gone() -> None:
    people = records.sections()["agents"]
    people["ada"]["alive"] = False
    people["ada#1"] = records.agent(0, (1, 5), (1, 1, 1), generation=1)
    town = records.model(records.run(), records.snapshot(720, 1, agents=people)).towns[0]
    assert [name for name, _ in models.people(town)] == ["ada#1", "ben", "cleo"]
