"""What a run adds up to, figure by figure, done by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from telling import DAY, Teller, agent, conflict, event, small_town, spread, story, training_rows, write

from townlet_jax.telemetry.summary import collecting, people
from townlet_jax.telemetry.summary.chronicle import Perturbed
from townlet_jax.telemetry.summary.curves import MOST_NAMES, MOST_POINTS, Curves
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.results import RunSummary, Summary
from townlet_jax.telemetry.summary.sources import ReadError, sources
from townlet_jax.telemetry.summary.spans import MOST_SPANS, Spans
from townlet_jax.telemetry.summary.tally import Choice


def summarised(path: Path, choice: Choice | None = None, top: int = 5) -> Summary:
    problems, given = Problems(), sources([str(path)])
    return collecting.summarise(collecting.collect(given, choice or Choice(), problems), given, problems, top=top)


def one_run(path: Path, choice: Choice | None = None, top: int = 5) -> RunSummary:
    (run,) = summarised(path, choice, top).runs
    return run


@pytest.fixture
def town(tmp_path: Path) -> RunSummary:
    """Return the summary of the small town."""
    return one_run(write(tmp_path / "run.jsonl", small_town()))


def test_key_figures_are_means_over_ticks_with_spread_and_trend(town: RunSummary) -> None:
    wallet = town.kpis["wallet_mean"]
    assert (wallet.mean, wallet.p5, wallet.p50, wallet.p95) == pytest.approx((9.5, 8.5, 9.5, 10.5))
    assert wallet.deviation == pytest.approx(np.std(range(20)))
    assert (wallet.first, wallet.last, wallet.change) == pytest.approx((0.5, 18.5, 18.0)), "two chunks are a tenth"
    alive = town.kpis["alive"]
    assert (alive.mean, alive.deviation, alive.change) == (2.0, 0.0, 0.0)
    assert town.kpis["punctuality"].mean == 1.0
    assert town.kpis["punctuality"].p5 is None
    assert not town.of_frames
    assert town.terms["survival"].mean == pytest.approx(0.05)


def test_longer_chunks_weigh_more(tmp_path: Path) -> None:
    teller = Teller()
    teller.run()
    teller.measures(1, 10, {"alive": spread(1.0)})
    teller.measures(11, 40, {"alive": spread(5.0)})
    alive = one_run(write(tmp_path / "run.jsonl", teller.records)).kpis["alive"]
    assert alive.mean == pytest.approx(4.0)
    assert alive.deviation == pytest.approx(math.sqrt(3.0))


def test_header_events_counts_and_health(town: RunSummary) -> None:
    assert town.header is not None
    assert (town.header.policy, town.header.seed, town.header.towns, town.header.agents) == ("scripted", 7, 4, 2)
    assert (town.first_tick, town.last_tick, town.days, town.ended) == (1, 200, 2.0, "finished")
    (quarrels,) = town.events
    assert (quarrels.event, quarrels.count) == ("queue_conflict", 10)
    assert quarrels.per_day == pytest.approx(10 / 1.91), "frames speak of ticks 10 to 200"
    assert quarrels.per_agent_day == pytest.approx(10 / (2 * (19 * 10 + 1) / DAY))
    assert {(one.name, one.count) for one in quarrels.most} == {("ada", 10), ("bo", 10)}
    assert town.counts == {"conflicts": 40.0, "exits.none": 0.0, "exits.faint": 1.0}
    assert town.records == {"run": 1, "snapshot": 1, "diff": 19, "measures": 20, "health": 20, "end": 1}
    assert town.speed is not None
    assert (town.speed.seconds, town.speed.ticks_per_second, town.speed.tick_ms) == pytest.approx((40.0, 40.0, 100.0))
    assert (town.channels[0].dropped, town.channels[0].retries) == (2, 1)
    assert town.published == {"records.diff": 19}


def test_people_are_ranked_by_what_frames_and_events_say(town: RunSummary) -> None:
    ranked = {ranking.figure: ranking for ranking in town.rankings}
    assert list(ranked) == ["return a day", "wallet", "needs", "conflicts"]
    (best,), (worst,) = ranked["return a day"].top, ranked["return a day"].bottom
    assert (best.name, worst.name) == ("ada", "bo")
    assert (best.return_a_day, worst.return_a_day) == pytest.approx((10.0, -10.0))
    assert best.wallet == pytest.approx(sum(10 * k for k in range(1, 20)) / 191)
    assert (best.need, best.need_lowest, best.conflicts, best.days) == pytest.approx((0.7, 0.5, 10, 1.91))


def test_rankings_show_both_ends_and_nobody_twice() -> None:
    crowd = [
        people.Person(name=f"p{k}", town=0, days=1.0, return_a_day=float(k), wallet=None, need=None, need_lowest=None,
                      conflicts=7 - k, events=0)
        for k in range(7)
    ]  # fmt: skip
    found = {ranking.figure: ranking for ranking in people.rankings(crowd, 2)}
    assert [one.name for one in found["return a day"].top] == ["p6", "p5"]
    assert [one.name for one in found["return a day"].bottom] == ["p0", "p1"]
    assert [one.name for one in found["conflicts"].top] == ["p0", "p1"]
    assert "wallet" not in found
    both = people.rankings(crowd[:3], 5)[0]
    assert ([one.name for one in both.top], [one.name for one in both.bottom]) == (["p2", "p1"], ["p0"])


def test_the_dead_and_gaps_do_not_count_as_watched(tmp_path: Path) -> None:
    teller = Teller()
    teller.run()
    teller.snapshot(10, agents={"ada": agent("ada"), "bo": agent("bo", alive=False)})
    teller.diff(20, agents={"ada": agent("ada"), "bo": agent("bo", alive=False)})
    teller.skip(3)
    teller.diff(500, agents={"ada": agent("ada")}, events=[conflict(499, "ada", "bo")])
    teller.snapshot(600, agents={"ada": agent("ada")})
    run = one_run(write(tmp_path / "run.jsonl", teller.records))
    assert (run.sequence.gaps, run.sequence.lost, run.stale_frames) == (1, 3, 1)
    assert (run.sequence.first_gaps[0].line, run.sequence.first_gaps[0].lost) == (4, 3)
    (ada,) = run.rankings[0].top
    assert ada.days == pytest.approx((1 + 10 + 10) / DAY), "a frame stands for ten ticks at most"
    assert ada.conflicts == 1, "events count in any case"


def test_a_file_that_begins_late_waits_for_a_whole_frame(tmp_path: Path) -> None:
    run = one_run(write(tmp_path / "run.jsonl", small_town()[4:]))
    assert (run.sequence.first, run.sequence.gaps) == (4, 0)
    assert run.header is None
    assert run.people == 2, "they are known from events"
    assert run.stale_frames == 19
    assert run.rankings[0].figure == "conflicts"


def test_what_a_resumed_run_tells_again_counts_once(tmp_path: Path) -> None:
    whole = small_town()
    plain = one_run(write(tmp_path / "whole.jsonl", whole))
    kept = 1 + 3 * 12  # killed after 12 chunks; the snapshot was taken after 10
    again = Teller()
    again.sequence = 1 + 3 * 10
    again.run(100, resumed=True)
    repeated = [dict(record, sequence=record["sequence"] + 1) for record in whole[1 + 3 * 10 :]]
    frame = next(record for record in whole if record["payload_type"] == "snapshot")
    first = frame | repeated[0] | {"payload_type": "snapshot"}
    first = {name: value for name, value in first.items() if name not in ("changes", "removed")}
    first |= repeated[0]["changes"] | {"tick_of_day": 10, "day": 1}
    run = one_run(write(tmp_path / "resumed.jsonl", [*whole[:kept], *again.records, first, *repeated[1:]]))
    assert (run.resumed, run.sequence.gaps, run.sequence.repeated) == (1, 0, 0)
    assert run.kpis == plain.kpis
    assert run.counts == plain.counts
    assert run.events == plain.events
    assert run.rankings == plain.rankings


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    records = small_town()
    run = one_run(write(tmp_path / "run.jsonl", [*records, *records]))
    assert run.sequence.repeated == len(records)
    assert run.kpis["wallet_mean"].mean == pytest.approx(9.5)
    assert run.events[0].count == 10


def test_a_town_and_ticks_can_be_chosen(tmp_path: Path) -> None:
    teller = Teller()
    teller.run(watched=[0, 3])
    for tick in (10, 20, 30):
        for index in (0, 3):
            teller.snapshot(
                tick, index, agents={"ada": agent("ada", wallet=float(tick + index))},
                events=[conflict(tick - 5, "ada", "bo") | {"town": index}],
                kpis={"measures": {"wallet_mean": tick + index, "need_mean": {"hunger": 0.5}}, "history": {}},
                rewards={}, narrations=[story(tick, f"tick {tick} of {index}")],
            )  # fmt: skip
        teller.measures(tick - 9, tick, {"wallet_mean": spread(-1.0)})
    path = write(tmp_path / "run.jsonl", teller.records)
    run = one_run(path, Choice(town=3, first=11))
    assert run.of_frames
    assert run.kpis["wallet_mean"].mean == pytest.approx(28.0)
    assert run.kpis["need_mean.hunger"].mean == 0.5
    assert [one.message for one in run.stories] == ["tick 20 of 3", "tick 30 of 3"]
    assert run.events[0].count == 2
    assert one_run(path, Choice(last=15)).events[0].count == 4
    assert one_run(path, Choice(first=5, last=20)).kpis["wallet_mean"].mean == -1.0, "the chunk that lies within"
    with pytest.raises(ReadError, match="--town 1 has no frames here; there are frames of towns 0, 3"):
        one_run(path, Choice(town=1))


def test_stories_departures_and_perturbations(tmp_path: Path) -> None:
    spike = {"event_id": "sale@5", "spec": "sale", "kind": "price_spike", "members": [], "prices": ["meal"],
             "factor": 2.0, "utility": None, "object": None, "ends_at": 25}  # fmt: skip
    teller = Teller()
    teller.run()
    chats = [story(tick, f"chat {tick}", category="personality_event", priority=False) for tick in range(1, 9)]
    teller.snapshot(
        10, events=[event("perturbation_started", 5, **spike), event("agent_removed", 7, agent="bo", uid=1,
                    reason="faint", respawn_tick=None)], narrations=[*chats, story(7, "bo has left.")],
    )  # fmt: skip
    teller.diff(30, events=[event("perturbation_ended", 25, **spike)])
    teller.measures(1, 30, {}, counts={"exits": {"faint": 4.0, "killed": 0.0}})
    run = one_run(write(tmp_path / "run.jsonl", teller.records), top=2)
    assert run.perturbations == (
        Perturbed(spec="sale", kind="price_spike", started=1, ended=1, cancelled=0, planned_ticks=20.0),
    )
    assert run.reasons == {"faint": 1}
    assert (run.departures[0].agent, run.departures[0].tick) == ("bo", 7)
    assert [one.message for one in run.stories] == ["chat 6", "bo has left.", "chat 7", "chat 8"]
    assert [(one.category, one.count, one.priority) for one in run.categories] == [
        ("personality_event", 8, 0), ("departure", 1, 1),
    ]  # fmt: skip


def test_training_logs_have_figures_over_updates(tmp_path: Path) -> None:
    rows = training_rows(20, kl=[float(k) for k in range(20)], loss=[None, *[1.0] * 19])
    (log,) = summarised(write(tmp_path / "log.jsonl", rows)).training
    assert (log.updates, log.first_update, log.last_update, log.agent_steps, log.seconds) == (20, 0, 19, 200, 10.0)
    assert (log.figures["kl"].mean, log.figures["kl"].first, log.figures["kl"].last) == (9.5, 0.5, 18.5)
    assert log.figures["loss"].mean == 1.0
    assert log.unlearned == {"loss": 1}
    both = [*training_rows(2, member=0, kl=[1.0, 1.0]), *training_rows(2, member=1, kl=[3.0, 5.0])]
    members = summarised(write(tmp_path / "both.jsonl", both)).training
    assert [log.figures["kl"].mean for log in members] == [1.0, 4.0]
    assert members[1].name.endswith("both.jsonl, member 1")


def test_several_runs_in_a_file_are_several_summaries(tmp_path: Path) -> None:
    one, other = Teller("one"), Teller("other")
    records = [one.run(), other.run(seed=8), one.measures(1, 10, {"alive": spread(1.0)}),
               other.measures(1, 10, {"alive": spread(3.0)})]  # fmt: skip
    runs = summarised(write(tmp_path / "both.jsonl", records)).runs
    assert [(run.run_id, run.kpis["alive"].mean) for run in runs] == [("one", 1.0), ("other", 3.0)]
    crowd = [Teller(f"r{k}").run() for k in range(40)]
    with pytest.raises(ReadError, match="more than 32 runs"):
        summarised(write(tmp_path / "crowd.jsonl", crowd))


def test_curves_stay_bounded_and_keep_their_sums() -> None:
    curves = Curves()
    for k in range(10_000):
        others = {f"b{k}": spread(1.0)} if k < 2 * MOST_NAMES else {}
        curves.add(k, k, {"a": spread(float(k)), **others})
    assert len(curves.names) == MOST_NAMES
    assert curves.left_out == MOST_NAMES + 1
    series = curves.series("a")
    assert MOST_POINTS / 2 <= len(series.at) <= MOST_POINTS
    assert np.all(np.diff(series.mean) > 0)
    figure = curves.figures()["a"]
    assert figure.mean == pytest.approx(4999.5)
    assert figure.deviation == pytest.approx(np.std(np.arange(10_000)))
    assert figure.first == pytest.approx(500, rel=0.05)
    assert figure.last == pytest.approx(9500, rel=0.05)
    assert np.isfinite(curves.series("b5").mean).sum() == 1


def test_spans_stay_bounded_and_lose_nothing() -> None:
    spans = Spans(10)
    for tick in range(0, 100_000, 5):
        spans.add(tick, "chat")
    table = spans.table()
    assert len(table) <= MOST_SPANS
    assert sum(counts["chat"] for counts in table.values()) == spans.totals["chat"] == 20_000
    assert spans.width % 10 == 0
    assert table[0]["chat"] == spans.width // 5
    for k in range(1_000):
        spans.add(0, f"name {k}")
    assert spans.totals["(other)"] == 1_000 - 499
