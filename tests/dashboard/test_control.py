"""What each key does to the glance, and what it asks of the source."""

from typing import Any

import pytest

from tests.dashboard import records
from townlet_jax.ui.dashboard import control, palette
from townlet_jax.ui.dashboard.control import Outcome, Wish
from townlet_jax.ui.dashboard.keys import Keys
from townlet_jax.ui.dashboard.look import Look, Standing
from townlet_jax.ui.dashboard.palette import Prompt

COMMANDS = (("setneed", "setneed agent need [value] [town=]"), ("set_home", "set_home agent home"), ("pause", "pause"))
LIVE = Standing(kind="live", can_steer=True, commands=COMMANDS)
PLAYED = Standing(place=0.5)


def look(standing: Standing = LIVE, **glance: Any) -> Look:
    """Return a look at two towns."""
    told = (records.run(), records.snapshot(720, 1), records.snapshot(720, 2, town=5))
    return records.look(*told, standing=standing, **glance)


def pressed(keys: list[str], start: Look) -> tuple[Look, list[Wish]]:
    """Press keys one after the other; return the last look and all wishes."""
    wishes: list[Wish] = []
    for key in keys:
        outcome = control.press(start, key)
        start = Look(model=start.model, glance=outcome.glance, standing=start.standing)
        wishes += outcome.wishes
    return start, wishes


@pytest.mark.parametrize(
    ("keys", "field", "value"),
    [
        (["3"], "page", "work"),
        (["tab"], "page", "people"),
        (["back tab"], "page", "run"),
        (["]"], "slot", 1),
        (["["], "slot", 2),
        (["down", "down", "down"], "slot", 0),
        (["t"], "town", 5),
        (["t", "t"], "town", 0),
        (["c"], "overlay", "ties"),
        (["c", "c", "c"], "overlay", "needs"),
        (["o"], "tie", "familiarity"),
        (["f"], "filter", "people"),
        (["F"], "filter", "actions"),
        (["?"], "has_help", True),
        (["?", "x"], "has_help", False),
        (["page down"], "scroll", 0),
    ],
)
def test_keys_change_where_one_looks(keys: list[str], field: str, value: Any) -> None:
    after, wishes = pressed(keys, look())
    assert getattr(after.glance, field) == value
    assert not wishes


def test_events_are_scrolled_no_further_than_they_go() -> None:
    events = [records.conflict(tick) for tick in range(15)]
    start = records.look(records.run(), records.snapshot(720, 1, events=events), page="stories", standing=PLAYED)
    assert pressed(["page down"] * 3, start)[0].glance.scroll == 14
    assert pressed(["page down", "page up", "page up"], start)[0].glance.scroll == 0


@pytest.mark.parametrize(
    ("key", "name"),
    [("space", "pause"), ("+", "faster"), ("-", "slower"), (".", "step"), ("left", "back"), ("right", "step"),
     ("home", "begin"), ("end", "end"), ("page up", "hour back"), ("page down", "hour on")],
)  # fmt: skip
def test_keys_of_a_recording(key: str, name: str) -> None:
    assert pressed([key], look(PLAYED))[1] == [Wish(name=name, town=0)]


def test_a_running_session_is_not_scrubbed() -> None:
    assert pressed(["left", "right", "home", "end", "page up"], look())[1] == []


@pytest.mark.parametrize("key", ["q", "escape", "quit", "interrupt"])
def test_the_end(key: str) -> None:
    assert control.press(look(), key).is_end


def test_a_command_is_typed_and_sent() -> None:
    keys = [":", *("space" if letter == " " else letter for letter in "setneed ada energy 0.5 town=5"), "enter"]
    after, wishes = pressed(keys, look())
    assert after.glance.prompt is None
    assert wishes == [
        Wish(name="command", town=0, command="setneed", positional=("ada", "energy", 0.5), arguments=(("town", 5),))
    ]


def test_a_line_that_cannot_be_read_is_a_message() -> None:
    after, wishes = pressed([*':setneed "', "enter"], look())
    assert not wishes
    assert after.glance.is_bad
    assert "JSON" in after.glance.message


def test_q_ends_as_a_command_too() -> None:
    after, _ = pressed([*":q"], look())
    assert control.press(after, "enter").is_end


def test_completion_of_commands_and_names() -> None:
    after, _ = pressed([*":set", "tab"], look())
    assert after.glance.prompt is not None
    assert after.glance.prompt.choices == ("set_home", "setneed")
    after, _ = pressed([*"n", "tab", *"c", "tab"], after)
    assert after.glance.prompt is not None
    assert after.glance.prompt.text == "setneed cleo "


def test_completion_stops_where_it_is_not_clear() -> None:
    done = palette.completed(Prompt(text="x be", cursor=4), [], ["bed_1", "bed_2", "bench"])
    assert (done.text, done.choices) == ("x be", ("bed_1", "bed_2", "bench"))
    done = palette.completed(Prompt(text="x bed", cursor=5), [], ["bed_1", "bed_2", "bench"])
    assert (done.text, done.choices) == ("x bed_", ("bed_1", "bed_2"))


def test_editing_the_line() -> None:
    prompt = Prompt().typed("setneed ada").moved(-3).erased().typed(" b")
    assert (prompt.text, prompt.cursor) == ("setneed bada", 9)
    assert Prompt().typed("a\x1b[31m\u202eb").text == "a[31mb"
    assert len(Prompt().typed("x" * 5000).text) == palette.MOST_LETTERS


def test_the_history_comes_back_with_the_arrows() -> None:
    prompt = Prompt(history=("first", "second"))
    assert prompt.recalled(1).text == "second"
    assert prompt.recalled(1).recalled(1).recalled(1).text == "first"
    assert prompt.recalled(1).recalled(-1).text == ""
    assert control.remembered(("a", "b"), "a") == ("b", "a")


def test_an_agent_is_driven_with_the_arrows() -> None:
    after, wishes = pressed(["]", "d", "up", "k", "x"], look())
    assert after.glance.is_driving
    sent = [(wish.command, dict(wish.arguments)) for wish in wishes]
    assert sent == [
        ("possess", {"agent": 1, "action": "acquire"}),
        ("order", {"agent": 1, "intent": {"kind": "move", "direction": "north"}}),
        ("order", {"agent": 1, "intent": {"kind": "chat"}}),
        ("order", {"agent": 1, "intent": {"kind": "leave"}}),
    ]
    released, wishes = pressed(["escape"], after)
    assert not released.glance.is_driving
    assert dict(wishes[0].arguments)["action"] == "release"


def test_a_driven_agent_uses_something_by_name() -> None:
    after, wishes = pressed(["d", "u", *"use_", "tab", "enter"], look())
    assert after.glance.is_driving
    assert dict(wishes[-1].arguments)["intent"] == {"kind": "use", "affordance": "use_shower"}


def test_a_paused_town_lives_a_tick_for_each_order() -> None:
    paused = Standing(kind="live", can_steer=True, is_paused=True)
    assert [wish.name for wish in pressed(["d", "left"], look(paused))[1]] == ["command", "command", "step"]


@pytest.mark.parametrize("standing", [PLAYED, Standing(kind="live", role="viewer")])
def test_nobody_is_driven_without_commands(standing: Standing) -> None:
    after, wishes = pressed(["d"], look(standing))
    assert (after.glance.is_driving, wishes) == (False, [])
    assert "takes no commands" in after.glance.message


def test_a_message_goes_with_the_next_key() -> None:
    after, _ = pressed(["t", "o"], look())
    assert after.glance.message == ""


def test_every_key_is_harmless_before_anything_is_known() -> None:
    keys = [*"123456[]tTcofF.d?hr: +-", "up", "left", "page down", "home", "tab", "enter", "backspace"]
    for key in keys:
        outcome = control.press(Look(model=records.models.Model()), key)
        assert isinstance(outcome, Outcome)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[B\x1bOC\x1b[1;5D", ["up", "down", "right", "left"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[Z", ["page up", "page down", "home", "end", "back tab"]),
        (b"\r\t \x7f\x03", ["enter", "tab", "space", "backspace", "interrupt"]),
        ("é漢".encode(), ["é", "漢"]),
        (b"\x1b[200~x\x1b[?1;2c", ["x"]),
        (b"\x1bq", ["escape", "q"]),
        (b"\x00\x9b\xff", ["�", "�"]),
    ],
)
def test_bytes_become_keys(data: bytes, keys: list[str]) -> None:
    whole = Keys()
    assert whole.feed(data) == keys
    bit_by_bit = Keys()
    assert [key for byte in data for key in bit_by_bit.feed(bytes([byte]))] == keys
    assert not bit_by_bit.is_open


def test_a_lone_escape_is_a_key_when_nothing_follows() -> None:
    keys = Keys()
    assert keys.feed(b"\x1b") == []
    assert keys.is_open
    assert keys.flush() == ["escape"]
    assert keys.feed(b"[") == ["["]
