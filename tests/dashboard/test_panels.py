"""What each panel says of hand-made records, in words and values; and that hostile names cannot hurt a terminal."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dashboard import records
from townlet_jax.ui.dashboard import catalogue, layout, still
from townlet_jax.ui.dashboard.block import BAD, GOOD, MARKED, cells
from townlet_jax.ui.dashboard.catalogue import Panel
from townlet_jax.ui.dashboard.look import PAGES, Look, Standing
from townlet_jax.ui.dashboard.palette import Prompt
from townlet_jax.ui.signs import level_colour

RUN = records.run()


def shown(panel: Panel, look: Look, width: int = 100, height: int = 30) -> list[str]:
    """Return the rows of a panel without blanks at their ends."""
    rows = panel.draw(look, width, height).lines(width, height)
    return ["".join(piece.text for piece in row).rstrip() for row in rows]


def styles(panel: Panel, look: Look, word: str, width: int = 100, height: int = 30) -> set[str]:
    """Return the styles of the pieces in which a word stands."""
    rows = panel.draw(look, width, height).lines(width, height)
    return {piece.style for row in rows for piece in row if word in piece.text}


def at(**said: Any) -> Look:
    """Return a look at one frame."""
    return records.look(RUN, records.snapshot(720, 1, **said))


def test_the_map_shows_ground_things_and_people() -> None:
    rows = shown(catalogue.MAP, at(), 16, 8)
    assert rows[0].startswith(" Map")
    assert rows[1] == "T T T T T T T T"
    assert rows[3][8:12] == "2 1‹"
    assert rows[3][4:5] == "b"
    assert rows[6][4:5] == "3"
    assert rows[6][10:11] == "b"


def test_people_on_the_map_are_coloured_by_their_lowest_need() -> None:
    look = at()
    assert any(level_colour(0.15) in style for style in styles(catalogue.MAP, look, "1‹", 16, 8))
    assert any(level_colour(0.5) in style for style in styles(catalogue.MAP, look, "2", 16, 8))


def test_the_overlay_colours_people_by_what_the_one_in_focus_feels() -> None:
    look = records.look(RUN, records.snapshot(720, 1), overlay="rivals")
    strong, none = (styles(catalogue.MAP, look, mark, 16, 8) for mark in ("2", "3"))
    assert strong.isdisjoint(none)
    assert "rivals of ada" in shown(catalogue.MAP, look, 60, 8)[0]


def test_a_closed_thing_and_a_queue_stand_out_on_the_map() -> None:
    closed = styles(catalogue.MAP, at(), "b", 8, 8)
    assert any("#c4161c" in style for style in closed)
    alone = records.sections()["agents"]
    alone["ada"]["position"] = [2, 3]
    assert shown(catalogue.MAP, at(agents=alone), 16, 8)[3][10:12] == "s1"


def test_a_large_map_is_shown_around_the_one_in_focus() -> None:
    rows = shown(catalogue.MAP, records.look(RUN, records.snapshot(720, 1), slot=2), 4, 4)
    assert rows[1:] == ["T", "T,3,", "TTTT"]  # walls need no sign


def test_without_a_ground_people_and_things_stand_on_an_open_one() -> None:
    look = records.look(records.run(ground=None), records.snapshot(720, 1))
    rows = shown(catalogue.MAP, look, 16, 8)
    assert rows[3] == "· · b · 2 1‹· ·"[: len(rows[3])]


def test_a_card_shows_needs_work_friend_rival_and_the_last_event() -> None:
    rows = shown(catalogue.CARDS, at(events=[records.conflict(719)]), 34, 16)
    assert rows[1].split() == ["1", "ada", "3.50", "coins"]
    assert rows[2].strip() == "use shower (12)"
    assert [word for word in rows[3].split() if word.isalpha()] == ["hu", "hy", "en"]
    assert rows[4].split() == ["grocer", "75%", "♥", "cleo", "✗", "ben"]
    assert rows[5].strip().startswith("11:59 ada and ben quarrel")
    assert rows[7].strip() == "1. in line, shower 1"


def test_cards_become_lines_where_there_is_no_room() -> None:
    rows = shown(catalogue.CARDS, at(), 79, 5)
    assert rows[1].split() == ["hunger", "hygien", "energy", "doing", "coins", "job"]
    assert rows[2].split()[:2] == ["1", "ada"]
    assert "use shower (12)" in rows[2]
    assert rows[4].endswith("no job")


def test_somebody_who_is_away_is_named_and_no_more() -> None:
    people = records.sections()["agents"]
    people["ben"]["alive"] = False
    assert shown(catalogue.CARDS, at(agents=people), 79, 5)[3].split() == ["2", "ben", "away"]


def test_the_one_in_focus_is_told_at_length() -> None:
    text = "\n".join(shown(catalogue.PERSON, at(), 70, 20))
    for part in ("stoic, 0.5 days here, lives in home 0", "extroversion +0.5", "attendance 75%, late 2, absent 1",
                 "earned 12.25", "hygiene", "15%", "reward +0.050: survival +0.020, wage +0.030"):  # fmt: skip
        assert part in text


def test_figures_have_a_value_a_trend_and_a_curve() -> None:
    rows = {row.split("  ")[0].strip(): row for row in shown(catalogue.KPIS, at(), 60)}
    assert rows["conflict intensity"].split()[-3:] == ["1", "▲", "▁▁██"]
    assert rows["lowest need"].split()[-3:-1] == ["0.15", "▼"]
    assert rows["coins, mean"].split()[2] == "3.50"


def test_all_towns_are_shown_beside_the_watched_one() -> None:
    look = records.look(RUN, records.snapshot(720, 1), records.measures(720, 2))
    rows = shown(catalogue.DISTRIBUTION, look, 60)
    assert rows[0].split() == ["All", "16", "towns", "ticks", "661–720"]
    assert rows[3].split()[:4] == ["coins,", "mean", "3.50", "3"]
    assert rows[3].endswith("◆────┤")
    assert rows[4].split() == ["punctuality", "–", "no", "meaning", "yet"]


def test_conflict_shows_counters_queues_rivals_and_quarrels() -> None:
    rows = shown(catalogue.CONFLICT, at(events=[records.conflict(715)]), 80)
    assert rows[0].endswith("intensity 0.40")
    assert rows[1].split() == ["cooldown", "4", "ghost", "steps", "2", "(+1)", "rotations", "3"]
    assert rows[2].strip() == "shower 1: ada ← ben 4"
    assert rows[3].split() == ["rivals", "ada→ben", "0.72"]
    assert rows[4].split() == ["avoids", "ben→ada"]
    assert rows[5].strip() == "11:55 ada and ben quarrel at shower 1 (impatience) 0.40"


def test_employment_shows_jobs_people_and_who_has_to_go() -> None:
    rows = shown(catalogue.EMPLOYMENT, at(), 80, 10)
    assert rows[1].split() == ["grocer", "09:00–13:00", "on", "shift:", "ada", "late:", "ben"]
    assert rows[3].split() == ["ada", "on", "time", "75%", "2", "1", "12.25"]
    assert rows[4].split()[-3:] == ["has", "to", "go"]
    assert rows[6].strip() == "exits today 1 of 2; waiting: ben"
    assert BAD in styles(catalogue.EMPLOYMENT, at(), "late    ")


def test_economy_shows_prices_above_their_base_in_red() -> None:
    rows = shown(catalogue.ECONOMY, at(), 60)
    assert rows[1].split() == ["power", "on", "water", "OFF"]
    assert rows[2].split() == ["coins", "1.50", "–", "3.50", "–", "7.25", "gini", "0.125"]
    assert rows[3].split() == ["basket", "2.16", "rent", "2", "a", "day"]
    assert rows[5].split() == ["meal", "0.58", "x1.45"]
    assert rows[7].strip() == "stove: 4 raw ingredients in 80 ticks"
    assert styles(catalogue.ECONOMY, at(), "0.58") == {BAD}


def test_events_of_the_town_say_how_long_they_last() -> None:
    rows = shown(catalogue.PERTURBATIONS, at(), 60)
    assert rows[1].split()[0] == "outage"
    assert rows[1].endswith("40 ticks left")
    assert [row.strip() for row in rows[2:5]] == ["no water", "party in 30 ticks", "not again for (ticks): blackout 33"]


def test_ties_are_a_table_if_it_fits_and_else_those_of_the_one_in_focus() -> None:
    table = shown(catalogue.TIES, at(), 60)
    assert table[0].split()[:2] == ["Relationships:", "trust"]
    assert "lost 1 (fade 1)" in table[0]
    assert table[2].split() == ["1", "ada", "·", "-.30", "+.60"]
    own = shown(catalogue.TIES, at(), 22)
    assert own[1].split() == ["ada:", "♥", "cleo", "✗", "ben"]
    assert own[3].split()[:2] == ["cleo", "+0.60"]


def test_stories_are_newest_first_and_urgent_ones_are_marked() -> None:
    told = [records.story("first", 700), records.story("water is gone", 710, "utility_outage", True)]
    rows = shown(catalogue.TICKER, at(narrations=told), 50, 5)
    assert [row.strip() for row in rows[1:3]] == ["! day 1 11:50 water is gone", "day 1 11:40 first"]


def test_the_log_lets_through_what_the_filter_wants() -> None:
    happened = [records.conflict(700), records.event("rent_paid", 701, agent="ada", amount=2.0)]
    frame = records.snapshot(720, 1, events=happened)
    every, work = (shown(catalogue.LOG, records.look(RUN, frame, filter=wanted), 60, 5) for wanted in ("all", "work"))
    assert [row.strip() for row in every[1:3]] == [
        "day 1 11:41 ada pays the rent", "day 1 11:40 ada and ben quarrel at shower 1 (impatience)"
    ]  # fmt: skip
    assert work[1].strip() == "day 1 11:41 ada pays the rent"
    assert not work[2]


def test_the_policy_inspector_shows_choices_and_value() -> None:
    top = [{"action": "eat_meal", "probability": 0.75}, {"action": "wait", "probability": 0.25}]
    decision = {"action": "eat_meal", "log_prob": -0.2877, "value": 1.5, "top": top}
    rows = shown(catalogue.POLICY, at(policy={"ada": decision}), 60, 6)
    assert rows[1].split() == ["ada:", "eat", "meal", "value", "1.500", "log", "p", "-0.29"]
    assert rows[2].split()[:3] == ["eat", "meal", "75.0%"]
    assert rows[3].split()[:2] == ["wait", "25.0%"]
    assert "no learner decides here" in shown(catalogue.POLICY, at(), 60, 6)[2]


WINDOW = {
    "window_start": 0, "window_ticks": 1000, "failed": True, "pass_streak": 0, "required_passes": 2,
    "candidate_ready": False, "last_evaluated_tick": None, "last_result": "none", "sums": {"faints": 1.0},
    "last_sums": {},
}  # fmt: skip


def test_stability_compares_metrics_with_thresholds() -> None:
    section = {
        "alerts": ["rivalry_spike"], "latest_alert": "rivalry_spike", "promotion_window": WINDOW,
        "metrics": {"rivalry_spike": 6.0, "option_thrashing": 0.05, "lateness_spike": 0.0},
        "thresholds": {"rivalry_spike": 5.0, "option_thrashing": 0.25, "lateness_spike": -1.0},
    }  # fmt: skip
    trouble = {"alerts": {}, "any_alert": 0.25, "candidate_ready": 0, "windows_passed": 0, "windows_failed": 0}
    look = records.look(RUN, records.snapshot(720, 1, stability=section), records.measures(stability=trouble))
    rows = shown(catalogue.STABILITY, look, 70, 12)
    assert rows[0].endswith("25% of towns in alert")
    assert rows[1].strip() == "rivalry spike"
    assert rows[2].split()[:5] == ["rivalry", "spike", "6", "of", "5"]
    assert styles(catalogue.STABILITY, look, "0.050") == {GOOD}
    assert rows[4].split() == ["lateness", "spike", "off"]
    assert [row.strip() for row in rows[5:8]] == [
        "window 0–999 failed", "passed in a row 0 of 2; last: none", "faints 1"
    ]  # fmt: skip


def test_promotion_shows_seats_gate_canaries_and_history() -> None:
    seat = {"name": "runs/a", "step": 300, "policy_hash": "abcdef0123456789"}
    section = {
        "state": "ready", "release": seat, "shadow": seat | {"step": 900}, "previous": None, "candidate_ready": True,
        "ready_share": 0.95, "candidate_ready_tick": 2000, "promoted_tick": None, "windows_watched": 0,
        "gate": {"status": "fail", "reasons": ["faints rose"]},
        "kpis": {"faints": {"value": 2.0, "colour": "red"}}, "history": [{"event": "gate_failed", "tick": 2001}],
    }  # fmt: skip
    look = at(promotion=section)
    rows = [row.split() for row in shown(catalogue.PROMOTION, look, 60, 10)]
    assert rows[1:9] == [
        ["ready", "95%", "of", "towns", "ready"], ["release", "runs/a@300", "abcdef01"],
        ["shadow", "runs/a@900", "abcdef01"], ["previous", "–"], ["gate:", "fail"], ["faints", "rose"],
        ["faints", "2"], ["tick", "2001:", "gate", "failed"],
    ]  # fmt: skip
    assert BAD in styles(catalogue.PROMOTION, look, "2", 60, 10)


def test_transport_shows_speed_faults_losses_and_sinks() -> None:
    look = records.look(RUN, records.snapshot(720, 1), records.health(720, 4), standing=Standing(load=0.021))
    text = shown(catalogue.TRANSPORT, look, 120, 10)
    assert text[1].strip() == "6400 town-ticks/s, 2.50 ms a tick, publishing 12 ms a chunk"
    assert text[2].strip() == "queue 2, skipped chunks 1, failures 0, records 300"
    assert text[3].strip() == "faults: NAN_NEED in 1"
    assert text[4].strip() == "heard 3, lost 2; town 0 waits for a whole frame, dashboard 2.1% of a core"
    assert text[5].split()[:3] == ["○", "tcp", "10.0.0.1:7411"]
    assert text[6].strip() == "connection refused"


def test_answers_of_the_console_are_newest_first() -> None:
    error = {"code": "not_found", "message": "Who?"}
    answers = [{"name": "pause", "status": "ok", "cmd_id": "a", "result": {"tick": 7}},
               {"name": "kill", "status": "error", "cmd_id": "b", "error": error}]  # fmt: skip
    rows = shown(catalogue.ANSWERS, at(console=answers), 60, 5)
    assert [row.split() for row in rows[1:3]] == [["kill", "Who?"], ["pause", "tick", "7"]]


def test_the_header_tells_time_place_and_pace() -> None:
    standing = Standing(kind="recording", speed="10x", place=0.4, is_paused=True)
    row = shown(catalogue.HEADER, records.look(RUN, records.snapshot(750, 1), standing=standing), 120, 1)[0]
    assert row.split() == ["☀", "day", "1", "12:30", "tick", "750", "·", "town", "0", "of", "16", "·", "hamlet", "·",
                           "scripted", "‖", "10x", "40%", "●", "recording"]  # fmt: skip


def test_trouble_is_said_in_the_header() -> None:
    look = records.look(RUN, records.snapshot(750, 1), standing=Standing(trouble="connection lost; trying again"))
    assert "connection lost; trying again" in shown(catalogue.HEADER, look, 120, 1)[0]


def test_the_page_and_the_line_being_typed_are_marked() -> None:
    look = records.look(RUN, records.snapshot(750, 1), page="work", prompt=Prompt(text="setneed ada", cursor=3))
    assert styles(catalogue.TABS, look, "3 work") == {MARKED}
    assert styles(catalogue.FOOTER, look, "n", 60, 1) == {"reverse"}
    assert shown(catalogue.FOOTER, look, 60, 1) == [" : setneed ada"]


REDACTABLE = [name for name in records.sections() if name not in ("agents", "objects")]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40), (200, 60)])
def test_every_page_fills_its_size_with_everything_redacted_too(page: str, size: tuple[int, int]) -> None:
    empty = {name: type(records.sections()[name])() for name in records.sections()}
    for said in ({}, empty, {name: empty[name] for name in REDACTABLE}):
        look = records.look(RUN, records.snapshot(720, 1, **said), records.measures(), page=page)
        rows = still.canvas(look, *size)
        assert len(rows) == size[1]
        assert {sum(cells(piece.text) for piece in row) for row in rows} == {size[0]}


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (130, 42), (200, 60), (400, 100)])
@pytest.mark.parametrize("page", PAGES)
def test_panels_do_not_overlap_and_stay_on_the_screen(page: str, size: tuple[int, int]) -> None:
    look = records.look(RUN, records.snapshot(720, 1), page=page, standing=Standing(place=0.5))
    taken: set[tuple[int, int]] = set()
    for place in layout.arrange(look, *size):
        own = {(x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)}
        assert taken.isdisjoint(own)
        assert all(0 <= x < size[0] and 0 <= y < size[1] for x, y in own)
        taken |= own


TERMINAL = "\x1b[31m\x07\x9b\r\n\t[bold]\\\u202e\u2066\u200f\u200b\u2028é漢😀"
NASTY = st.text(
    st.sampled_from(TERMINAL) | st.characters(codec="utf-8"),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=15)
@given(st.lists(NASTY, min_size=8, max_size=8, unique=True), st.sampled_from(PAGES), st.integers(40, 130))
def test_hostile_names_are_only_printed(names: list[str], page: str, width: int) -> None:
    ada, ben, shower, job, price, good, message, command = names
    text = records.json.dumps([records.snapshot(720, 1, events=[records.conflict(719)])])
    for old, new in (("ada", ada), ("ben", ben), ("shower_1", shower), ("grocer", job), ("meal", price),
                     ("raw_ingredients", good)):  # fmt: skip
        text = text.replace(f'"{old}"', records.json.dumps(new))
    frame = records.json.loads(text)[0]
    frame["narrations"] = [records.story(message, 719, "alert", True)]
    frame["console"] = [{"name": command, "status": "error", "error": {"message": message}}]
    look = records.look(records.run(config_id=command, policy=message), frame, records.measures(), page=page)
    rows = still.canvas(look, width, 30)
    assert {sum(cells(piece.text) for piece in row) for row in rows} == {width}
    seen = "".join(piece.text for row in rows for piece in row)
    assert not [letter for letter in seen if unicodedata.category(letter)[0] == "C"]


class Reading(dict[str, Any]):
    """A frame that remembers which of its sections were asked for."""

    def __init__(self, frame: dict[str, Any]) -> None:
        super().__init__(frame)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


@pytest.mark.parametrize("name", [name for name, value in vars(catalogue).items() if isinstance(value, Panel)])
def test_a_panel_names_every_section_that_it_reads(name: str) -> None:
    panel: Panel = getattr(catalogue, name)
    known = records.model(RUN, records.snapshot(720, 1), records.measures())
    frame = Reading(dict(known.towns[0].frame))
    town = records.models.dataclasses.replace(known.towns[0], frame=frame)
    look = Look(model=records.models.dataclasses.replace(known, towns={0: town}))
    for size in ((40, 10), (100, 30)):
        panel.draw(look, *size)
    allowed = (
        {*panel.sections, "agents", "tick"} if name in ("FOOTER", "HEADER", "POLICY") else {*panel.sections, "tick"}
    )
    assert frame.read <= allowed
