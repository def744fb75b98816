"""Memories of a watched town: lists, series, windows of lost ties."""

import collections
import json

import numpy as np
import pytest
from core import stories

from tests.telemetry import lives
from townlet_jax.core.enums import Counter
from townlet_jax.telemetry.frames_ties import Churn, Loss, losses
from townlet_jax.telemetry.histories import LENGTHS, SERIES, Histories
from townlet_jax.telemetry.lived import known


def test_series_hold_one_value_a_tick_and_the_last_fifty() -> None:
    story, memory = stories.told("dense"), Histories()
    late = story.after.tally.count[:, 0, :, Counter.LATE_SHIFTS] * story.after.roster.alive[:, 0]
    lateness = late.sum(axis=1) / np.maximum(story.after.roster.alive[:, 0].sum(axis=1), 1)
    measures = story.out.measures
    expected = {
        "queue_conflict_intensity": measures.conflict_intensity[:, 0],
        "employment_lateness": lateness,
        "late_help_events": measures.late_help[:, 0],
        "queue_rotation_events": measures.rotations[:, 0],
        "queue_ghost_step_events": measures.ghost_steps[:, 0],
        "need_min": measures.need_min[:, 0].min(axis=-1),
    }
    assert tuple(expected) == SERIES
    first = 0
    for last in (3, 40, 120):
        memory.extend(lives.lived(story, 0, first, last))
        for row in (0, last - first - 1):
            shown = json.loads(memory.text(row))
            end = first + row + 1
            for name, values in expected.items():
                assert shown[name] == pytest.approx(values[max(0, end - 50) : end], abs=1e-6)
        first = last
    assert memory.series()["need_min"] == pytest.approx(expected["need_min"][70:120], abs=1e-6)


def test_lists_keep_the_newest_of_their_kind() -> None:
    memory = Histories()
    for tick in range(1, 301):
        memory.note([{"event": "chat_success", "tick": tick}, {"event": "action.move", "tick": tick}])
        memory.note([{"event": "alert_raised", "tick": tick}, {"event": "console.result", "tick": tick}])
    kept = {name: len(values) for name, values in memory.lists.items()}
    expected = {"social_events": 60, "alerts": 120, "console_results": 200, "conflicts": 0, "promotion": 0}
    assert kept == expected | {"queue_increments": 0}
    assert [event["tick"] for event in memory.lists["social_events"]] == list(range(241, 301))


def test_queue_increments_are_the_ticks_in_which_a_counter_rose() -> None:
    memory, lived = Histories(), lives.whole("dense", 0)
    memory.note_queues(lived)
    entries = list(memory.lists["queue_increments"])
    line = lived.states.queues
    for name in ("cooldown_events", "ghost_steps", "rotations"):
        totals = np.asarray(getattr(line, name))
        assert len(entries) < LENGTHS["queue_increments"]
        assert sum(entry[name] for entry in entries) == totals[-1] - totals[0]
    assert [entry["tick"] for entry in entries] == sorted({entry["tick"] for entry in entries})


def test_a_memory_goes_on_where_it_was() -> None:
    story, memory, other = stories.told("dense"), Histories(), Histories()
    for i, events in enumerate(lives.happened("dense", 0)[:90]):
        memory.note(events)
        assert i < 90
    memory.extend(lives.lived(story, 0, 0, 90))
    other.restore(json.loads(json.dumps(memory.figures())))
    assert other.figures() == memory.figures()
    for one in (memory, other):
        one.extend(lives.lived(story, 0, 90, 100))
    assert memory.text(9) == other.text(9)


def test_windows_of_lost_ties_roll_by_time_alone() -> None:
    churn = Churn(600)
    churn.add(Loss(598, "ada", "ben", "capacity"))
    churn.add(Loss(599, "ada", "eva", "fade"))
    assert churn.at(599) == {
        "window_start": 0,
        "window_end": 599,
        "total": 2,
        "owners": {"ada": 2},
        "reasons": {"capacity": 1, "fade": 1, "departed": 0},
    }
    empty = {"total": 0, "owners": {}, "reasons": {"capacity": 0, "fade": 0, "departed": 0}}
    assert churn.at(600) == {"window_start": 600, "window_end": 1199} | empty
    assert churn.at(1800) == {"window_start": 1800, "window_end": 2399} | empty


def test_every_tie_that_goes_is_a_loss() -> None:
    for town in range(stories.TOWNS):
        lived = lives.whole("dense", town)
        lost = losses(lives.words("dense", town), lived)
        reasons = collections.Counter(loss.reason for loss in lost)
        changes = lived.outcomes.tie_changes
        assert reasons["capacity"] == changes.evicted.sum()
        assert reasons["fade"] == changes.faded.sum()
        assert [loss.tick for loss in lost] == sorted(loss.tick for loss in lost)
        amount = known(lived.states.ties).sum(axis=(1, 2)).astype(int)
        made = int(changes.added.sum()) + int((changes.evicted & ~known(lived.states.ties)[:-1]).sum())
        assert amount[-1] - amount[0] == made - len(lost)
