"""The publisher: numbers without gaps, nothing lost under `block`, gaps that are counted, runs that go on."""

import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from core import stories

from tests.telemetry import lives
from tests.telemetry.lives import Shelf
from townlet_jax import report
from townlet_jax.config.schema.shell import Buffer, Narration, TelemetrySection
from townlet_jax.stretch import Edited, Stretch, Watched
from townlet_jax.telemetry import schema
from townlet_jax.telemetry.joining import apply
from townlet_jax.telemetry.publisher import EVERY_TICKS, MOST_WAITING, Publisher
from townlet_jax.telemetry.sinks import Channel, Item, SinkError

NAME = "default"
HIDDEN = frozenset({"transport", "health"})  # sections that depend on the clock on the wall


def publisher(shelf: Any, *, watched: Sequence[int] = (0, 1), every: int = 10, **rules: Any) -> Publisher:
    """Return a publisher of a story."""
    section = TelemetrySection(**({"redact": ()} | rules))
    return Publisher(
        lives.built(NAME), lives.plan(), section=section, watched=watched, channels=[shelf], every_ticks=every
    )


def publish(
    made: Publisher, cuts: Iterable[int], *, towns: Sequence[int] = (0, 1), edits: Sequence[Edited] = ()
) -> None:
    """Let a publisher hear a story in chunks that end at the given rows."""
    first = None
    for last in cuts:
        if first is not None:
            here = lives.stretch(NAME, first, last, towns=towns)
            ticks = range(here.first_tick, here.last_tick + 1)
            own = tuple(edited for edited in edits if edited.tick in ticks)
            made.hear(Stretch(**(vars(here) | {"edits": own})))
        first = last


def sequences(shelf: Shelf) -> list[int]:
    """Return the numbers of all records."""
    return [record["sequence"] for record in shelf.records()]


def test_a_run_is_told_from_its_first_record_to_its_last() -> None:
    shelf = Shelf()
    made = publisher(shelf)
    publish(made, (0, 40, 80, 95))
    made.close("interrupted")
    records = shelf.records()
    assert sequences(shelf) == list(range(len(records)))
    assert len({record["run_id"] for record in records}) == 1
    first, last = records[0], records[-1]
    start = lives.tick_at(stories.told(NAME), 0)
    assert (first["payload_type"], first["tick"], first["watched"]) == ("run", start - 1, [0, 1])
    assert (first["towns"], first["every_ticks"], first["resumed"]) == (stories.TOWNS, 10, False)
    assert (last["payload_type"], last["why"], last["ticks"]) == ("end", "interrupted", 95)
    assert last["tick"] == lives.tick_at(stories.told(NAME), 94)
    assert last["counters"]["records.measures"] == 3
    told = [event for town in (0, 1) for events in lives.happened(NAME, town)[:95] for event in events]
    counted = {name: amount for name, amount in last["counters"].items() if name.startswith("events.")}
    assert sum(counted.values()) == len(told)
    assert counted["events.agent_removed"] == sum(event["event"] == "agent_removed" for event in told)
    assert shelf.is_closed
    made.close()
    assert len(shelf.items) == len(records)


def test_frames_of_all_towns_come_by_tick_and_the_last_one_at_the_end() -> None:
    shelf = Shelf()
    made = publisher(shelf)
    publish(made, (0, 40, 83))
    made.close()
    frames = shelf.records("snapshot", "diff")
    start, end = (lives.tick_at(stories.told(NAME), row) for row in (0, 82))
    expected = [start, *(tick for tick in range(start + 1, end + 1) if tick % 10 == 0), end]
    assert [(frame["tick"], frame["town"]) for frame in frames] == [
        (tick, town) for tick in expected for town in (0, 1)
    ]
    for town in (0, 1):
        assert gathered(shelf, "events", town) == [
            event for events in lives.happened(NAME, town)[:83] for event in events
        ]


def test_measures_are_the_report_of_the_chunk() -> None:
    shelf = Shelf()
    made = publisher(shelf)
    publish(made, (0, 60, 90))
    made.close()
    story, words = stories.told(NAME), lives.words(NAME, 0)
    for record, (first, last) in zip(shelf.records("measures"), ((0, 60), (60, 90)), strict=True):
        figures = report.key_figures(
            report.arrays(lives.sums(story, first, last)),
            affordances=words.affordances,
            ticks_per_day=words.ticks_per_day,
        )
        assert set(record["kpis"]) == set(figures)
        for name, values in figures.items():
            expected = report.spread(values)
            for key in ("mean", "p5", "p50", "p95"):
                assert record["kpis"][name][key] == (
                    None if expected[key] is None else pytest.approx(expected[key], abs=1e-6)
                )
        measures = story.out.measures
        assert record["counts"]["chats_ok"] == measures.chats_ok[first:last].sum()
        assert list(record["counts"]["actions"].values()) == measures.actions[first:last].sum(axis=(0, 1)).tolist()
        assert record["agent_ticks"] == measures.alive[first:last].sum()
        assert record["terms"]["survival"]["mean"] == pytest.approx(measures.terms[first:last, :, 0].mean(), abs=1e-6)
        assert record["last"]["alive"] == pytest.approx(measures.alive[last - 1].mean())
        assert record["last_tick"] - record["first_tick"] + 1 == record["sums"]["ticks"] / stories.TOWNS == last - first


def without_walls(frame: dict[str, Any]) -> dict[str, Any]:
    """Return a frame without what depends on the clock on the wall, the run or its number."""
    return {key: value for key, value in frame.items() if key not in HIDDEN | {"run_id", "sequence", "payload_type"}}


def whole_frames(records: list[dict[str, Any]], town: int) -> dict[int, dict[str, Any]]:
    """Return what a reader knows of a town, by tick."""
    frames: dict[int, dict[str, Any]] = {}
    last: dict[str, Any] = {}
    for record in records:
        if record.get("town") == town:
            last = record if record["payload_type"] == "snapshot" else apply(last, record)
            frames[record["tick"]] = last
    return frames


@pytest.mark.parametrize("cut", [40, 87, 131])
def gathered(shelf: Shelf, section: str, town: int) -> list[dict[str, Any]]:
    """Return all entries of a section of a town that holds lists."""
    frames = [record for record in shelf.records("snapshot", "diff") if record["town"] == town]
    return [entry for frame in frames for entry in frame.get("changes", frame).get(section, [])]


@pytest.mark.parametrize("cut", [40, 87, 131])
def test_a_resumed_run_goes_on_as_if_nothing_had_happened(cut: int) -> None:
    whole, first, second = Shelf(), Shelf(), Shelf()
    free = Narration(global_window_limit=10_000)
    made = publisher(whole, narration=free)
    publish(made, (0, cut, 150))
    expected = made.figures()
    made.close()
    made = publisher(first, narration=free)
    publish(made, (0, cut))
    kept = json.loads(json.dumps(made.figures()))
    before = len(first.items)
    made.close()
    resumed = publisher(second, narration=free)
    resumed.restore(kept)
    publish(resumed, (cut, 150))
    assert resumed.run_id == made.run_id
    assert resumed.figures()["towns"] == json.loads(json.dumps(expected["towns"]))
    resumed.close()
    assert sequences(first)[:before] + sequences(second) == list(range(before + len(second.items)))
    run = second.records()[0]
    assert (run["payload_type"], run["resumed"]) == ("run", True)
    framed = lives.tick_at(stories.told(NAME), cut - 1) // 10 * 10
    for town in (0, 1):
        for section in ("events", "narrations"):
            after = [entry for entry in gathered(whole, section, town) if entry["tick"] > framed]
            assert after
            assert gathered(second, section, town) == after
        known = whole_frames(whole.records(), town)
        for tick, frame in whole_frames(second.records(), town).items():
            if tick % 10 == 0 and tick > framed + 10:
                assert without_walls(frame) == without_walls(known[tick])


class Gate(Shelf):
    """A shelf that takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def put(self, item: Item) -> None:
        assert self.opened.wait(30)
        super().put(item)


ROWS = range(0, 121, 10)  # twelve chunks


def test_without_blocking_chunks_are_skipped_and_counted() -> None:
    gate = Gate()
    made = publisher(gate, watched=(0,))
    publish(made, ROWS, towns=(0,))
    gate.opened.set()
    made.close()
    skipped = len(ROWS) - 1 - len(gate.records("measures"))
    assert 0 < skipped <= len(ROWS) - 1 - MOST_WAITING
    numbers = sequences(gate)
    assert numbers == sorted(numbers)
    assert numbers[-1] + 1 - len(numbers) == skipped
    assert gate.records("end")[0]["counters"]["skipped_chunks"] == skipped
    assert gate.records("health")[-1]["skipped_chunks"] == skipped
    ticks = [record["last_tick"] for record in gate.records("measures")]
    assert ticks[-1] == lives.tick_at(stories.told(NAME), 119), "the oldest ones are skipped"
    after = [frame for frame in gate.records("snapshot", "diff") if frame["tick"] > ticks[0]]
    assert after[0]["payload_type"] == "snapshot"


def test_the_newest_chunks_are_skipped_if_told_so() -> None:
    gate = Gate()
    made = publisher(gate, watched=(), buffer=Buffer(backpressure="drop_newest"))
    publish(made, ROWS, towns=())
    gate.opened.set()
    made.close()
    ticks = [record["last_tick"] for record in gate.records("measures")]
    assert ticks == [lives.tick_at(stories.told(NAME), row - 1) for row in ROWS[1 : MOST_WAITING + 1]]
    assert sequences(gate)[-1] + 1 - len(gate.items) == len(ROWS) - 1 - MOST_WAITING


@pytest.mark.parametrize("backpressure", ["block", "fan_out"])
def test_nothing_is_lost_where_the_town_may_wait(backpressure: str) -> None:
    gate = Gate()
    made = publisher(gate, buffer=Buffer(backpressure=backpressure))
    heard = threading.Thread(target=publish, args=(made, ROWS))
    heard.start()
    heard.join(0.5)
    assert heard.is_alive(), "the session waits"
    gate.opened.set()
    heard.join(30)
    made.close()
    assert sequences(gate) == list(range(len(gate.items)))
    assert len(gate.records("measures")) == len(ROWS) - 1


def test_after_a_loss_of_a_channel_the_next_frame_is_whole() -> None:
    shelf = Shelf()
    made = publisher(shelf)
    publish(made, (0, 40))
    made.figures()
    shelf.gap = True
    publish(made, (40, 80))
    made.close()
    kinds = [(frame["town"], frame["payload_type"]) for frame in shelf.records("snapshot", "diff")]
    whole = [place for place, kind in enumerate(kinds) if kind[1] == "snapshot"]
    assert len(whole) == 4
    assert [kinds[place][0] for place in whole] == [0, 1, 0, 1]


def test_a_chunk_that_cannot_be_published_is_counted_and_the_next_one_is(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    made = publisher(shelf, watched=(0,))
    publish(made, (0, 20), towns=(0,))
    good = lives.stretch(NAME, 20, 40)
    broken = Watched(before=good.watched[0].before, after=None, outputs=good.watched[0].outputs, memory=None)  # type: ignore[arg-type]  # that is what is broken
    made.hear(Stretch(**(vars(good) | {"watched": {0: broken}})))
    publish(made, (40, 60), towns=(0,))
    made.close()
    assert "could not be published" in caplog.text
    assert shelf.records("health")[-1]["failures"] == shelf.records("end")[0]["counters"]["failures"] == 1
    after = [record for record in shelf.records("snapshot", "diff") if record["tick"] > good.last_tick]
    assert after[0]["payload_type"] == "snapshot"


def test_others_fill_their_sections_and_tell_their_events() -> None:
    shelf = Shelf()
    made = publisher(shelf, watched=(0,), every=1)
    start = lives.tick_at(stories.told(NAME), 0)
    made.inform("stability", {"alerts": ["rivalry_spike"]})
    made.inform("health", {"paused": False})
    made.tell("alert_raised", tick=start + 2, alert="rivalry_spike")
    made.tell("console.result", tick=start + 12, town=0, data={"name": "noop", "status": "ok"})
    publish(made, (0, 10, 20), towns=(0,))
    made.close()
    frames = whole_frames(shelf.records(), 0)
    assert frames[start]["stability"] == {"alerts": ["rivalry_spike"]}
    assert [event for event in frames[start + 2]["events"] if event["event"] == "alert_raised"] == [
        {"event": "alert_raised", "tick": start + 2, "town": 0, "alert": "rivalry_spike"}
    ]
    assert "alert:rivalry_spike" in [story["dedupe_key"] for story in frames[start + 2]["narrations"]]
    assert frames[start + 12]["console"] == [{"name": "noop", "status": "ok"}]
    assert frames[start + 13]["console"] == []
    assert shelf.records("health")[0]["extra"] == {"paused": False}
    with pytest.raises(ValueError, match="not filled from outside"):
        made.inform("agents", {})


def test_an_operators_story_is_told_first_and_without_names() -> None:
    shelf = Shelf()
    made = publisher(shelf, watched=(0,), privacy="hashed", privacy_salt="x")
    tick = lives.tick_at(stories.told(NAME), 5)
    said = Edited(tick=tick, command="announce_story", arguments={"message": "ada wins", "priority": True})
    publish(made, (0, 20), towns=(0,), edits=[said])
    made.close()
    (story,) = [one for one in gathered(shelf, "narrations", 0) if one["category"] == "operator_story"]
    veiled = made.words.veiled("ada")
    assert (story["tick"], story["message"], story["dedupe_key"]) == (tick, f"{veiled} wins", f"{veiled} wins")
    assert veiled in shelf.records("run")[0]["agents"]
    assert b'"ada' not in b"".join(item.data for item in shelf.items)


def test_the_last_frame_and_the_histories_can_be_asked_for() -> None:
    shelf = Shelf()
    made = publisher(shelf)
    assert made.latest(0) is None
    publish(made, (0, 40))
    latest = made.latest(1)
    assert latest is not None
    assert set(latest) == set(schema.SECTIONS)
    assert len(made.histories(1)["series"]["need_min"]) == 40
    made.demand_whole()
    publish(made, (40, 60))
    made.close()
    assert [frame["payload_type"] for frame in shelf.records("snapshot", "diff")].count("snapshot") == 4


class Slow:
    """A sink that fails now and then."""

    name = "slow"

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.calls = 0

    def open(self) -> None:
        """Be ready."""

    def write(self, items: Sequence[Item]) -> None:
        """Take some, but not in every third call."""
        self.calls += 1
        if self.calls % 3 == 0:
            raise SinkError("slow has a bad day.")
        self.items += items

    def close(self) -> None:
        """Be done."""


def test_real_channels_lose_nothing_while_their_sink_fails_now_and_then() -> None:
    sink = Slow()
    limits = Buffer(max_bytes=100_000_000, retry_backoff_seconds=0, retry_attempts=5)
    channel = Channel(sink, limits)
    made = publisher(channel, every=5)
    publish(made, (0, 40, 80, 120))
    made.close()
    assert [json.loads(item.data)["sequence"] for item in sink.items] == list(range(len(sink.items)))
    assert channel.status().dropped == 0
    transport = schema.parse([item for item in sink.items if item.kind == "health"][-1].data)
    assert isinstance(transport, schema.Health)
    assert transport.channels[0].name == "slow"


def test_a_file_named_on_the_command_line_holds_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    section = TelemetrySection(buffer=Buffer(max_bytes=100_000_000))
    made = Publisher(
        lives.built(NAME), lives.plan(), section=section, extra_sinks=[str(path)], watched=(0,), run_id="monday"
    )
    publish(made, (0, 100, 200), towns=(0,))
    made.close()
    records = [schema.parse(line) for line in path.read_bytes().splitlines()]
    assert [record.sequence for record in records] == list(range(len(records)))
    assert {record.run_id for record in records} == {"monday"}
    assert records[0].payload_type == "run"
    assert records[-1].payload_type == "end"
    assert isinstance(records[0], schema.Run)
    assert records[0].every_ticks == EVERY_TICKS


def test_a_run_without_watched_towns_has_measures_only() -> None:
    shelf = Shelf()
    made = publisher(shelf, watched=())
    publish(made, (0, 40), towns=())
    made.close()
    assert [record["payload_type"] for record in shelf.records()] == ["run", "measures", "health", "end"]


def test_a_run_without_a_tick_has_a_first_and_a_last_record() -> None:
    shelf = Shelf()
    publisher(shelf).close()
    assert [record["payload_type"] for record in shelf.records()] == ["run", "end"]
    assert np.all([schema.parse(item.data).tick == 0 for item in shelf.items])
