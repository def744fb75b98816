"""A recorded run: played in time, gone through back and forth, followed while it grows, and read whatever is in it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dashboard import records
from townlet_jax.ui.dashboard import recording
from townlet_jax.ui.dashboard.control import Wish
from townlet_jax.ui.dashboard.model import Model
from townlet_jax.ui.dashboard.recording import Recording
from townlet_jax.ui.dashboard.source import SourceError

TICKS = range(5, 1000, 5)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of 199 frames, every 40th of them whole."""
    return records.write(tmp_path_factory.mktemp("recorded") / "run.jsonl", records.life(TICKS, every=40))


Opener = Callable[..., Recording]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Open recordings and close them after the test."""
    found: list[Recording] = []

    def open_one(path: Path, *, speed: float = 10) -> Recording:
        found.append(Recording(path, speed=speed))
        return found[-1]

    yield open_one
    for one in found:
        one.close()


@pytest.fixture
def source(path: Path, opened: Opener) -> Recording:
    """Return the run at its beginning, standing still."""
    made = opened(path)
    made.pause()
    return made


def hunger(model: Model) -> float:
    """Return what changes from frame to frame."""
    return float(model.towns[0].frame["agents"]["ada"]["needs"]["hunger"])


def test_a_recording_begins_with_its_first_frame(source: Recording) -> None:
    assert (source.model.towns[0].tick, source.model.run["config_id"]) == (5, "hamlet")
    assert source.standing().place == pytest.approx(1 / 200)
    assert (source.standing().is_paused, source.standing().speed, source.towns) == (True, "10x", [0])


def test_it_plays_as_fast_as_it_is_told(path: Path, opened: Opener) -> None:
    source = opened(path, speed=5)
    for now in (100.0, 101.0, 102.0):
        source.advance(now)
    assert source.model.tick == 45  # 5 + 2 s of 4 * 5 ticks
    source.grant(Wish(name="faster"), 102.0)
    source.advance(102.0)
    source.advance(103.0)
    assert (source.standing().speed, source.model.tick) == ("10x", 85)


def test_it_stands_still_when_paused(source: Recording) -> None:
    source.advance(0.0)
    source.advance(1e6)
    assert source.model.tick == 5
    source.grant(Wish(name="pause"), 1e6)
    source.advance(1e6)
    source.advance(1e6 + 1)
    assert source.model.tick == 45


def test_steps_go_from_frame_to_frame_and_back_to_the_same_model(source: Recording) -> None:
    seen = {source.model.tick: hunger(source.model)}
    for _ in range(90):
        source.grant(Wish(name="step", town=0), 0)
        seen[source.model.tick] = hunger(source.model)
    assert list(seen) == list(range(5, 460, 5))
    for tick in reversed(list(seen)[:-1]):
        source.grant(Wish(name="back", town=0), 0)
        assert (source.model.tick, hunger(source.model)) == (tick, seen[tick])
    source.grant(Wish(name="back", town=0), 0)
    assert source.model.tick == 5


def test_any_tick_shows_what_playing_up_to_it_shows(path: Path, opened: Opener) -> None:
    straight = opened(path)
    for tick in (7, 500, 203, 998, 204, 600, 5, 1):
        jumped = opened(path)
        jumped.go_to_tick(tick)
        straight.go_to_tick(tick)
        played = records.model(*(record for record in records.life(TICKS, every=40) if record["tick"] <= max(tick, 5)))
        for model in (jumped.model, straight.model):
            assert model.towns[0].frame == played.towns[0].frame
            assert (model.lost, model.end) == (0, played.end)
        assert straight.model.towns[0].stories[-1] == played.towns[0].stories[-1]


def test_begin_end_and_hours(source: Recording) -> None:
    source.grant(Wish(name="end"), 0)
    assert source.standing().place == 1.0
    assert source.model.end is not None
    source.grant(Wish(name="hour back"), 0)
    assert (source.model.tick, source.model.end) == (935, None)
    source.grant(Wish(name="hour on"), 0)
    assert source.model.tick == 995
    source.grant(Wish(name="begin"), 0)
    assert source.model.tick == 5


def test_a_jump_keeps_a_past_to_show(path: Path, opened: Opener) -> None:
    source = opened(path)
    source.go_to_tick(900)
    assert len(source.model.towns[0].past) > 15


def test_commands_are_refused_with_a_sentence(source: Recording) -> None:
    source.grant(Wish(name="command", command="kill"), 0)
    answer = source.answers()[0]
    assert answer.is_bad
    assert "takes no commands" in answer.text
    assert source.answers() == []


def test_a_file_that_grows_is_followed(tmp_path: Path, opened: Opener) -> None:
    told = records.life(range(5, 60, 5))
    path = records.write(tmp_path / "run.jsonl", told[:3])
    source = opened(path, speed=1000)
    source.advance(0.0)
    source.advance(1.0)
    assert source.model.tick == 10
    line = json.dumps(told[3], separators=(",", ":")) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(line[:100])
        file.flush()
        source.advance(2.0)
        source.advance(3.0)
        assert source.model.tick == 10
        file.write(line[100:])
    source.advance(4.0)
    source.advance(5.0)
    assert source.model.tick == 15
    assert source.standing().trouble == ""


def test_lines_that_are_no_records_are_passed_over_and_counted(tmp_path: Path, opened: Opener) -> None:
    told = [json.dumps(record, separators=(",", ":")) for record in records.life(range(5, 60, 5))]
    wrong = json.dumps(records.diff(20, 4, agents={}), separators=(",", ":")).replace('"agents":{}', '"agents":{"a":1}')
    told[4:5] = ["", "\x1b]0;evil\x07", '{"schema_version":"9.0"}', wrong, "{" * 2000]
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(told) + "\n", encoding="utf-8")
    source = opened(path)
    source.read_all()
    source.grant(Wish(name="end"), 0)
    assert source.standing().trouble == "4 lines are no records"
    assert source.model.tick == 55


def test_records_in_another_form_and_of_a_newer_version_are_read(tmp_path: Path, opened: Opener) -> None:
    told = records.life(range(5, 30, 5))
    newer = [dict(sorted((record | {"schema_version": "1.7", "more": 1}).items())) for record in told]
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(record, indent=None) + "\n" for record in newer), encoding="utf-8")
    source = opened(path)
    source.go_to_tick(20)
    assert (source.model.towns[0].tick, source.standing().trouble) == (20, "")


def test_a_recording_of_measures_only_can_be_watched(tmp_path: Path, opened: Opener) -> None:
    path = records.write(
        tmp_path / "run.jsonl", [records.run(watched=[]), records.measures(60, 1), records.measures(120, 2)]
    )
    source = opened(path)
    source.grant(Wish(name="end"), 0)
    assert (source.model.towns, source.model.measures[-1]["last_tick"]) == ({}, 120)


@pytest.mark.parametrize("content", ["", "nonsense\n", "\x00\x01"])
def test_a_file_without_records_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=r"run\.jsonl holds no records"):
        Recording(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder"):
        Recording(tmp_path)
    with pytest.raises(SourceError, match="cannot be read"):
        Recording(tmp_path / "none.jsonl")


def test_few_models_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opener) -> None:
    monkeypatch.setattr(recording, "KEPT_EVERY", 10)
    monkeypatch.setattr(recording, "MOST_KEPT", 5)
    source = opened(path)
    source.grant(Wish(name="end"), 0)
    assert len(source._kept) == 5
    source.go_to_tick(600)
    assert source.model.tick == 600
