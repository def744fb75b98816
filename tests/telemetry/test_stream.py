"""Whole frames and differences: a reader that puts differences together has the whole frame, exactly."""

import collections
from typing import Any

import pytest
from core import stories

from tests.telemetry import lives
from townlet_jax.telemetry import schema
from townlet_jax.telemetry.frames_ties import Loss
from townlet_jax.telemetry.joining import apply
from townlet_jax.telemetry.schema import SchemaError
from townlet_jax.telemetry.stream import Frame, Stream, changed_ties

NEVER_WHOLE = 1_000_000


def put_together(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the whole frames that a reader of a stream has."""
    frames: list[dict[str, Any]] = []
    for record in records:
        frames.append(record if record["payload_type"] == "snapshot" else apply(frames[-1], record))
    return frames


@pytest.mark.parametrize(("name", "town"), [("dense", 0), ("dense", 4), ("default", 1), ("parity", 2)])
@pytest.mark.parametrize("every", [1, 7])
def test_differences_give_the_whole_frame_at_every_tick(name: str, town: int, every: int) -> None:
    whole = lives.frames_of(name, town, every=every, snapshot_every=1, redact=())
    stream = lives.frames_of(name, town, every=every, snapshot_every=NEVER_WHOLE, redact=())
    assert [record["payload_type"] for record in stream] == ["snapshot", *["diff"] * (len(whole) - 1)]
    assert {record["payload_type"] for record in whole} == {"snapshot"}
    assert put_together(stream) == whole
    for diff in stream[1::5]:
        schema.check(diff)


def test_a_difference_holds_what_is_different_and_nothing_else() -> None:
    whole = lives.frames_of("dense", 0, snapshot_every=1, redact=())
    stream = lives.frames_of("dense", 0, snapshot_every=NEVER_WHOLE, redact=())
    for before, after, diff in zip(whole, whole[1:], stream[1:], strict=False):
        different = {name for name in schema.SECTIONS if before[name] != after[name]}
        assert set(diff["changes"]) == different
        assert not set(diff["changes"]) & {"schema_version", "payload_type", "tick", "run_id"}
        assert diff["removed"] == []


def test_changed_ties_say_how_they_changed() -> None:
    statuses = collections.Counter[str]()
    for town in range(stories.TOWNS):
        before: dict[tuple[str, str], Any] = {}
        for record in lives.frames_of("dense", town, snapshot_every=NEVER_WHOLE, redact=()):
            relationships = record.get("changes", record).get("relationships", {"ties": []})
            for tie in relationships["ties"]:
                edge, status = (tie["owner"], tie["other"]), tie.get("status")
                statuses[str(status)] += 1
                if status is not None:
                    old = before.get(edge, {"trust": 0.0, "familiarity": 0.0, "rivalry": 0.0})
                    assert (status == "added") == (edge not in before)
                    for channel in ("trust", "familiarity", "rivalry"):
                        assert tie[f"{channel}_delta"] == pytest.approx(tie[channel] - old[channel], abs=1e-9)
                before[edge] = tie
                if status in ("evicted", "faded", "departed"):
                    assert tie["trust"] == tie["familiarity"] == tie["rivalry"] == 0
                    del before[edge]
    assert {"added", "updated", "evicted", "faded", "departed"} <= set(statuses)


def test_the_last_loss_names_the_status() -> None:
    before = {("ada", "ben"): (0.5, 0.0, 0.0), ("ada", "eva"): (0.1, 0.0, 0.0)}
    lost = [Loss(3, "ada", "ben", "capacity"), Loss(5, "ada", "ben", "departed")]
    ben, eva = changed_ties(before, {}, lost)
    assert '"status":"departed"' in ben
    assert '"status":"faded"' in eva
    assert changed_ties(before, before, lost) == []


def frame(tick: int, **texts: str) -> Frame:
    """Return a frame in which only some sections matter."""
    sections = dict.fromkeys(schema.SECTIONS, "{}") | {"tick_of_day": str(tick), "day": "0"} | texts
    return Frame(tick=tick, texts=sections, edges={}, churn="{}", losses=())


def kinds(stream: Stream, ticks: list[int]) -> list[str]:
    """Return the kinds of the records of some ticks."""
    return [stream.body(frame(tick))[0] for tick in ticks]


def test_whole_frames_come_first_by_the_clock_and_on_request() -> None:
    stream = Stream(snapshot_every=600)
    assert kinds(stream, [3, 4, 599, 600, 601]) == ["snapshot", "diff", "diff", "snapshot", "diff"]
    stream.demand_whole()
    assert kinds(stream, [602, 603, 1205, 1206]) == ["snapshot", "diff", "snapshot", "diff"]


def test_equal_sections_are_left_out() -> None:
    stream = Stream(snapshot_every=600)
    stream.body(frame(1, utilities='{"power":true}'))
    assert stream.body(frame(2, utilities='{"power":false}')) == (
        "diff",
        '"changes":{"tick_of_day":2,"utilities":{"power":false}},"removed":[]',
    )
    same = "".join(['{"power":', "false}"])
    assert stream.body(frame(3, utilities=same))[1] == '"changes":{"tick_of_day":3},"removed":[]'


def test_the_latest_frame_is_whole() -> None:
    stream = Stream(snapshot_every=600, redact=("agents",))
    assert stream.latest() is None
    stream.body(frame(1, agents='{"ada":1}'))
    stream.body(frame(2, utilities='{"power":true}', agents='{"ada":2}'))
    text = stream.latest()
    assert text is not None
    assert '"agents":{}' in text
    assert '"utilities":{"power":true}' in text
    assert '"tick_of_day":2' in text


def test_a_reader_keeps_sections_it_does_not_know_and_removes_what_is_gone() -> None:
    whole = {"run_id": "r", "town": 1, "sequence": 4, "tick": 1, "payload_type": "snapshot", "old": 1, "same": 2}
    whole |= {"schema_version": "1.0"}
    diff = {"run_id": "r", "town": 1, "sequence": 9, "tick": 2, "payload_type": "diff", "changes": {"new": 3}}
    diff |= {"schema_version": "1.0", "removed": ["old"]}
    after = apply(whole, diff)
    kept = {key: value for key, value in whole.items() if key != "old"}
    assert after == kept | {"sequence": 9, "tick": 2, "new": 3}


@pytest.mark.parametrize("key", ["run_id", "town"])
def test_a_difference_of_something_else_is_refused(key: str) -> None:
    whole = {"run_id": "r", "town": 1}
    with pytest.raises(SchemaError, match=key):
        apply(whole, {"run_id": "r", "town": 1, "changes": {}, "removed": []} | {key: "other"})
