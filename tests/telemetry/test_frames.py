"""Frames: every section, against the arrays; redaction, privacy, ticks between frames."""

import collections
import json
import re
from typing import Any

import jax
import numpy as np
import pytest
from core import stories

from tests.telemetry import lives
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.core.enums import NEVER, NOBODY, Kind, Perturb, Phase, Reason, ShiftFlag
from townlet_jax.telemetry import schema
from townlet_jax.telemetry.frames import Town
from townlet_jax.telemetry.schema import SECTIONS

TOWN = 0
NAMES = list(stories.STORIES)
DAY = {"redact": (), "snapshot_every": 1}


def frames(name: str, town: int = TOWN, **rules: Any) -> list[dict[str, Any]]:
    """Return a whole frame of every tick of a story."""
    return lives.frames_of(name, town, **(DAY | rules))


@pytest.fixture(scope="module", params=NAMES)
def life(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]]]:
    """Return a story and its frames."""
    return request.param, frames(request.param)


Life = tuple[str, list[dict[str, Any]]]


def at(story: stories.Story, row: int) -> Any:
    """Return the state of the town after a row."""
    return jax.tree.map(lambda leaf: leaf[row, TOWN], story.after)


def test_every_section_is_there_and_follows_the_schema(life: Life) -> None:
    for frame in life[1][::9]:
        assert set(SECTIONS) <= set(frame)
        record = schema.check(frame)
        assert isinstance(record, schema.Snapshot)
        assert record.tick % lives.words(life[0], TOWN).ticks_per_day == record.tick_of_day


def test_agents_are_those_of_the_state(life: Life) -> None:
    name, shown = life
    story, words = stories.told(name), lives.words(name, TOWN)
    for row in range(0, lives.TICKS, 7):
        state, frame = at(story, row), shown[row]
        slots = np.flatnonzero(state.roster.uid != NOBODY).tolist()
        assert [agent["slot"] for agent in frame["agents"].values()] == slots
        for slot in slots:
            agent = frame["agents"][words.person(slot, int(state.roster.generation[slot]))]
            assert agent["alive"] == state.roster.alive[slot]
            assert agent["uid"] == state.roster.uid[slot]
            assert agent["position"] == state.roster.position[slot].tolist()
            assert list(agent["needs"].values()) == pytest.approx(state.needs.level[slot], abs=1e-6)
            assert agent["wallet"] == pytest.approx(state.economy.wallet[slot], abs=1e-6)
            assert agent["reward"] == pytest.approx(story.out.reward[row, TOWN, slot], abs=1e-6)
            held = state.queues.holding[slot]
            assert agent["holding"] == (None if held == NOBODY else words.objects[held])
            assert (agent["activity"] is None) == (state.activities.affordance[slot] == NOBODY)
            assert (agent["queue"] is None) == (state.queues.waiting[slot] == NOBODY)
            verdict = story.out.outcomes.verdicts
            assert agent["action"]["kind"] == Kind(int(verdict.kind[row, TOWN, slot])).name.lower()
            assert agent["action"]["reason"] == Reason(int(verdict.reason[row, TOWN, slot])).name.lower()
            born = int(state.roster.born_tick[slot])
            assert agent["age_ticks"] == (0 if born == NEVER else frame["tick"] - born)


def test_objects_and_queues_are_those_of_the_state(life: Life) -> None:
    name, shown = life
    story, words = stories.told(name), lives.words(name, TOWN)
    waited = 0
    for row in range(lives.TICKS):
        state, frame = at(story, row), shown[row]
        people = [words.person(slot, int(one)) for slot, one in enumerate(state.roster.generation)]
        for index, object in enumerate(words.objects):
            entry = frame["objects"][object]
            holders = [people[slot] for slot in np.flatnonzero(state.queues.holding == index)]
            assert entry["holder"] == (holders[0] if holders else None)
            line = np.flatnonzero(state.queues.waiting == index).tolist()
            line.sort(key=lambda slot: state.queues.ticket[slot])
            assert [one["agent"] for one in entry["queue"]] == [people[slot] for slot in line]
            assert [one["wait"] for one in entry["queue"]] == [
                frame["tick"] - state.queues.joined_tick[slot] for slot in line
            ]
            assert list(entry["stock"].values()) == pytest.approx(state.economy.stock[index], abs=1e-6)
            assert entry["closed"] == story.out.outcomes.shocks.closed[row, TOWN, index]
            for place, slot in enumerate(line):
                agent = frame["agents"][people[slot]]["queue"]
                assert (agent["object"], agent["position"]) == (object, place)
                waited += 1
    assert waited or name == "default"


def test_work_and_exits_are_those_of_the_state(life: Life) -> None:
    name, shown = life
    story, words = stories.told(name), lives.words(name, TOWN)
    for row in range(0, lives.TICKS, 5):
        state, work = at(story, row), shown[row]["employment"]
        living = np.flatnonzero(state.roster.alive).tolist()
        people = {slot: words.person(slot, int(state.roster.generation[slot])) for slot in living}
        assert list(work["agents"]) == list(people.values())
        for slot, person in people.items():
            told = work["agents"][person]
            assert told["phase"] == Phase(int(state.employment.phase[slot])).name.lower()
            paid = bool(state.employment.flags[slot] & ShiftFlag.ON_SHIFT)
            assert told["on_shift"] == paid
            job = int(state.employment.job[slot])
            if job != NOBODY:
                assert (person in work["jobs"][words.jobs[job]]["on_shift"]) == paid
            samples = [sample for sample in state.employment.attendance[slot] if sample >= 0]
            assert told["attendance_ratio"] == pytest.approx(np.mean(samples) if samples else 0, abs=1e-6)
        asked = [slot for slot in living if state.exits.asked_tick[slot] != NEVER]
        asked.sort(key=lambda slot: state.exits.asked_tick[slot])
        assert [one["agent"] for one in work["exit_queue"]["pending"]] == [people[slot] for slot in asked]
        assert work["exit_queue"]["exits_today"] == state.exits.exits_today


def test_prices_events_and_deliveries(life: Life) -> None:
    name, shown = life
    story, words = stories.told(name), lives.words(name, TOWN)
    delivered = collections.defaultdict(set)
    for row in range(lives.TICKS):
        state, frame = at(story, row), shown[row]
        economy = frame["economy"]
        now = [price["now"] for price in economy["prices"].values()]
        assert now == pytest.approx(story.out.outcomes.trades.price_now[row, TOWN], abs=1e-6)
        assert economy["wallets"]["gini"] == pytest.approx(_gini(state), abs=1e-5)
        active = np.flatnonzero(state.perturbations.until_tick != NEVER).tolist()
        assert [one["spec"] for one in frame["perturbations"]["active"]] == [
            words.names.perturbations[spec] for spec in active
        ]
        for one in frame["perturbations"]["active"]:
            assert one["kind"] in {kind.name.lower() for kind in Perturb}
            assert one["event_id"] == f"{one['spec']}@{one['started_at']}"
        for entry in economy["restock"]:
            delivered[entry["type"], entry["good"], entry["next_tick"]].add(frame["tick"])
        assert frame["utilities"] == {
            utility: bool(on)
            for utility, on in zip(words.names.utilities, story.out.outcomes.shocks.utility_on[row, TOWN], strict=False)
        }
    for (_, _, due), told in delivered.items():
        assert max(told) < due
        assert due - 1 in told or due > shown[-1]["tick"]


def _gini(state: Any) -> float:
    wallet = state.economy.wallet[state.roster.alive].astype(float)
    if not len(wallet) or not wallet.mean():
        return 0.0
    return float(np.abs(wallet[:, None] - wallet[None, :]).sum() / (2 * len(wallet) ** 2 * wallet.mean()))


def test_rewards_measures_and_counters(life: Life) -> None:
    name, shown = life
    story, words = stories.told(name), lives.words(name, TOWN)
    for row in range(0, lives.TICKS, 3):
        frame = shown[row]
        told = story.out.outcomes.rewards
        for slot in np.flatnonzero(story.out.valid[row, TOWN]).tolist():
            person = words.person(slot, int(story.after.roster.generation[row, TOWN, slot]))
            for term in ("total", "needs_penalty", "wage", "clip_adjustment"):
                value = getattr(told, term)[row, TOWN, slot]
                assert frame["rewards"][person][term] == pytest.approx(value, abs=1e-6)
        measures = frame["kpis"]["measures"]
        assert measures["alive"] == story.out.measures.alive[row, TOWN]
        assert list(measures["starts"].values()) == story.out.measures.starts[row, TOWN].tolist()
        assert measures["rivalry_max"] == pytest.approx(story.out.measures.rivalry_max[row, TOWN], abs=1e-6)
        line, before = story.after.queues, story.before.queues
        for counter in ("ghost_steps", "rotations", "cooldown_events"):
            total, earlier = getattr(line, counter)[row, TOWN], getattr(before, counter)[row, TOWN]
            assert frame["queue_metrics"][counter] == {"total": total, "increment": total - earlier}


def test_ties_rivals_and_whom_they_avoid(life: Life) -> None:
    name, shown = life
    story, words = stories.told(name), lives.words(name, TOWN)
    for row in range(0, lives.TICKS, 4):
        state, frame = at(story, row), shown[row]
        ties = {(tie["owner"], tie["other"]): tie for tie in frame["relationships"]["ties"]}
        assert list(ties) == sorted(ties)
        people = [words.person(slot, int(one)) for slot, one in enumerate(state.roster.generation)]
        stacked = np.stack([state.ties.trust, state.ties.familiarity, state.ties.rivalry], axis=-1)
        there = {(people[a], people[b]) for a, b in np.argwhere((np.abs(stacked) > 5e-7).any(axis=-1))}
        assert set(ties) == there
        for rival in frame["conflict"]["rivalry_top"]:
            owner, other = (words.slot_named(rival[key]) for key in ("owner", "other"))
            assert rival["rivalry"] == pytest.approx(state.ties.rivalry[owner, other], abs=1e-6)
        tops = collections.Counter(rival["owner"] for rival in frame["conflict"]["rivalry_top"])
        for slot, person in enumerate(people):
            assert tops[person] == min(3, int((state.ties.rivalry[slot] > 0).sum()))


def test_what_happened_between_frames_is_in_the_next_one(life: Life) -> None:
    name, every_tick = life
    sparse = lives.frames_of(name, TOWN, every=7, redact=())
    for key in ("events", "narrations"):
        told = [entry for frame in every_tick for entry in frame[key]]
        gathered = [entry for frame in sparse for entry in frame.get("changes", frame).get(key, [])]
        assert gathered == told
    ticks = [frame["tick"] for frame in sparse]
    assert all(tick % 7 == 0 for tick in ticks[1:-1])
    assert (ticks[0], ticks[-1]) == (every_tick[0]["tick"], every_tick[-1]["tick"])


def test_frames_do_not_depend_on_chunks() -> None:
    whole = frames("dense")
    assert frames("dense", chunks=(1, 6, 93, 100)) == whole


def test_redacted_sections_are_empty_in_whole_frames_and_absent_in_differences() -> None:
    redacted = ("identity", "agents", "events", "relationships")
    whole, *diffs = lives.frames_of("dense", TOWN, redact=redacted)
    assert [whole[name] for name in redacted] == [{}, {}, [], {}]
    assert whole["objects"]
    assert not set().union(*(diff["changes"] for diff in diffs)) & set(redacted)
    schema.check(whole)


def test_nobody_is_named_where_names_are_hashed() -> None:
    shown = lives.frames_of("dense", TOWN, hashed=True, redact=())
    text = json.dumps(shown)
    for name in lives.words("dense", TOWN).slots:
        assert not re.search(rf"(?<![\w-]){name}(#\d+)?(?![\w-])", text), name
    assert '"stove_1"' in text
    assert '"grocer"' in text
    plain = lives.frames_of("dense", TOWN, redact=())
    assert len(text) > 0.9 * len(json.dumps(plain))


def test_a_frame_after_an_edit_shows_the_town_as_it_was_left() -> None:
    town = Town(lives.words("dense", 0), TelemetrySection(), town=0, every_ticks=10)
    state = jax.tree.map(lambda leaf: leaf[29, 0].copy(), stories.told("dense").after)
    assert town.again(state, lives.OUTSIDE) is None, "nothing has been heard yet"
    bodies, _ = town.hear(lives.lived(stories.told("dense"), 0, 0, 30), (), (), lives.OUTSIDE)
    state.economy.wallet[:] = 77
    body = town.again(state, lives.OUTSIDE)
    assert body is not None
    assert (body.tick, body.kind) == (bodies[-1].tick, "diff")
    changes = json.loads(f"{{{body.text}}}")["changes"]
    rich = [agent["wallet"] for agent in changes["agents"].values() if agent["alive"]]
    assert rich
    assert set(rich) == {77.0}
    assert changes["economy"]["wallets"] == {"min": 77.0, "mean": 77.0, "max": 77.0, "gini": 0.0}
    assert "objects" not in changes
