"""What the real publisher writes, read back: a story of the town, chunk by chunk."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from asked import ask

from tests.telemetry import lives
from tests.telemetry.lives import Shelf
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.telemetry.joining import apply
from townlet_jax.telemetry.publisher import Publisher
from townlet_jax.telemetry.summary import reading
from townlet_jax.telemetry.summary.frames import PASSED_OVER, Stream
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.sources import sources

NAME = "default"
TICKS = 80


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the records of 80 ticks of two watched towns."""
    shelf = Shelf()
    publisher = Publisher(
        lives.built(NAME), lives.plan(), section=TelemetrySection(redact=()), watched=(0, 1), channels=[shelf],
        every_ticks=1,
    )  # fmt: skip
    for first in range(0, TICKS, 20):
        publisher.hear(lives.stretch(NAME, first, first + 20, towns=(0, 1)))
    publisher.close()
    path = tmp_path_factory.mktemp("published") / "run.jsonl"
    path.write_bytes(b"".join(item.data + b"\n" for item in shelf.items))
    return path


def summary_of(path: Path, *options: str) -> dict[str, Any]:
    code, said, errors = ask("summary", path, "--format", "json", *options)
    assert (code, errors) == (0, "")
    (run,) = json.loads(said)["runs"]
    found: dict[str, Any] = run
    return found


def test_it_is_valid_and_complete(published: Path) -> None:
    code, said, _ = ask("validate", published, "--complete")
    assert code == 0
    assert said.endswith("1 run; 0 errors.\n")


def test_events_are_those_that_happened(published: Path) -> None:
    run = summary_of(published)
    told = Counter(
        event["event"] for town in (0, 1) for events in lives.happened(NAME, town)[:TICKS] for event in events
    )
    assert {one["event"]: one["count"] for one in run["events"]} == told
    assert told == {
        name.removeprefix("events."): count for name, count in run["published"].items() if "events." in name
    }


def test_key_figures_weigh_the_chunks(published: Path) -> None:
    run = summary_of(published)
    chunks = [json.loads(line) for line in published.read_bytes().splitlines()]
    chunks = [chunk for chunk in chunks if chunk["payload_type"] == "measures"]
    assert len(chunks) == TICKS // 20
    for name in ("alive", "wallet_mean", "reward_mean"):
        mean = sum(chunk["kpis"][name]["mean"] for chunk in chunks) / len(chunks)
        assert run["kpis"][name]["mean"] == pytest.approx(mean)
    assert run["counts"]["chats_ok"] == sum(chunk["counts"]["chats_ok"] for chunk in chunks)


def test_returns_are_exact_where_every_tick_has_a_frame(published: Path) -> None:
    run = summary_of(published, "--top", "1000")
    (ranking,) = (one for one in run["rankings"] if one["figure"] == "return a day")
    returns = {(one["town"], one["name"]): one for one in (*ranking["top"], *ranking["bottom"])}
    sums: Counter[tuple[int, str]] = Counter()
    ticks: Counter[tuple[int, str]] = Counter()
    frames: dict[int, dict[str, Any]] = {}
    for line in published.read_bytes().splitlines():
        record = json.loads(line)
        if record["payload_type"] in ("snapshot", "diff"):
            town = record["town"]
            frames[town] = record if record["payload_type"] == "snapshot" else apply(frames[town], record)
            for name, agent in frames[town]["agents"].items():
                if agent["alive"]:
                    sums[town, name] += agent["reward"]
                    ticks[town, name] += 1
    assert returns.keys() == sums.keys()
    day = run["header"]["ticks_per_day"]
    for who, found in returns.items():
        assert found["return_a_day"] == pytest.approx(sums[who] / ticks[who] * day)


def test_frames_are_followed_as_the_schema_says(published: Path) -> None:
    stream, whole = Stream(), {}
    for found in reading.records(sources([str(published)]), Problems()):
        stream.is_new(found)
        if found.kind in ("snapshot", "diff"):
            town = found.data["town"]
            whole[town] = found.data if found.kind == "snapshot" else apply(whole[town], found.data)
            taken = stream.frame(found)
            assert taken is not None
            assert taken[0].is_whole
            sections = taken[0].sections
            assert all(sections[name] == whole[town][name] for name in ("agents", "rewards", "kpis", "economy"))
            assert not PASSED_OVER & sections.keys()


def test_it_is_drawn_watched_and_exported(published: Path, tmp_path: Path) -> None:
    assert ask("summary", published, "--plots", tmp_path)[0] == 0
    assert {path.stem for path in tmp_path.iterdir()} == {"key_figures", "needs", "reward_terms", "events"}
    assert ask("watch", published)[1].splitlines()[-1] == "ended: finished"
    for what in ("frames", "events", "measures"):
        code, _, errors = ask("export", published, "--what", what, "--out", tmp_path / "table.parquet")
        assert (code, errors.endswith(" rows.\n")) == (0, True)
