"""How a line is read: what is no command is refused with one sentence, whatever it is (MECHANICS 12.1)."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.console.envelope import MOST_BYTES, command_of, parsed
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.showing import lines_of
from townlet_jax.console.typed import TypedError, command_of_line


def test_a_whole_command_is_read() -> None:
    data = {
        "name": "kill",
        "args": ["ada"],
        "kwargs": {"respawn": False},
        "cmd_id": "c1",
        "mode": "admin",
        "metadata": {"from": "web"},
    }
    command = command_of(parsed(json.dumps(data).encode()))
    assert (command.name, command.args, command.kwargs, command.cmd_id) == ("kill", ["ada"], {"respawn": False}, "c1")
    assert command_of({"name": "noop"}).args == []
    assert "secret" not in repr(command_of({"name": "noop", "token": "secret"}))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "JSON object"), ({}, "name: field required"), ({"name": 3}, "name"), ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"), ({"name": "noop", "arg": 1}, "arg"), ({"name": "noop", "args": {}}, "args"),
        ({"name": "noop", "kwargs": []}, "kwargs"), ({"name": "noop", "cmd_id": 7}, "cmd_id"),
        ({"name": "noop", "mode": "god"}, "mode"), ({"name": "no\x1b[2Jop"}, "U+001B"),
        ({"name": "kill", "args": ["ada\u202e"]}, "U+202E"), ({"name": "kill", "kwargs": {"ag\x00ent": 1}}, "U+0000"),
        ({"name": "kill", "args": ["\ud800"]}, "U+D800"), ({"name": "noop", "cmd_id": "a\nb"}, "U+000A"),
    ],
)  # fmt: skip
def test_what_is_no_command_is_a_usage_error(data: Any, said: str) -> None:
    with pytest.raises(ConsoleError) as refused:
        command_of(data)
    assert refused.value.code == "usage"
    assert said in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 50_000, b'"' + b"x" * MOST_BYTES + b'"',
        b"9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_a_usage_error(line: bytes) -> None:
    with pytest.raises(ConsoleError) as refused:
        parsed(line)
    assert refused.value.code == "usage"


def test_nested_commands_are_refused() -> None:
    data: Any = "x"
    for _ in range(20):
        data = [data]
    with pytest.raises(ConsoleError, match="levels deep"):
        command_of({"name": "kill", "args": [data]})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["name", "args", "kwargs", "cmd_id", "mode", "x\x1b"]), JSON, max_size=5) | JSON)
def test_r16_whatever_comes_the_answer_is_printable(data: Any) -> None:
    refusal = None
    try:
        command = command_of(data)
    except ConsoleError as error:
        refusal = error
    if refusal is None:
        assert command.name == data["name"]
    else:
        assert refusal.code == "usage"
        assert all(unicodedata.category(letter)[0] != "C" for letter in str(refusal))


@given(st.text(max_size=60))
def test_r16_only_printable_text_reaches_the_terminal(text: str) -> None:
    answer = {
        "name": "x",
        "status": "ok",
        "tick": 3,
        "result": {text: text, "rows": [{"a": text, text: [1, {text: 2}]}]},
    }
    refusal = {"name": "x", "status": "error", "error": {"code": text, "message": text}}
    for line in [*lines_of(answer), *lines_of(refusal)]:
        assert all(unicodedata.category(letter)[0] != "C" for letter in line)


@pytest.mark.parametrize(
    ("line", "name", "args", "kwargs"),
    [
        ("noop", "noop", [], {}),
        ("  setneed   ada energy 0.5 ", "setneed", ["ada", "energy", 0.5], {}),
        ("kill ada reason='too loud' respawn=false", "kill", ["ada"], {"reason": "too loud", "respawn": False}),
        ("teleport ada [3, 4]", "teleport", ["ada", [3, 4]], {}),
        ('order ada {"kind": "use", "affordance": "eat_meal"} ticks=3', "order",
         ["ada", {"kind": "use", "affordance": "eat_meal"}], {"ticks": 3}),
        ('announce_story "a \\"fair\\" day" priority=true', "announce_story", ['a "fair" day'], {"priority": True}),
        ("x 1 -2 +3 1e3 .5 1.5.2 null None 007 1_0", "x", [1, -2, 3, 1000.0, 0.5, "1.5.2", None, "None", 7, "1_0"], {}),
        ("x a=", "x", [], {"a": ""}),
        ("x slot_9#1", "x", ["slot_9#1"], {}),
    ],
)  # fmt: skip
def test_typed_lines(line: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    assert command_of_line(line) == {"name": name, "args": args, "kwargs": kwargs}


@pytest.mark.parametrize("line", ["", "   ", "x {", 'x "a', "x 'a", "x a=1 b", "x [1]2", 'x {"a": [' + "[" * 3000])
def test_lines_that_cannot_be_read(line: str) -> None:
    with pytest.raises(TypedError, match=r"\.$"):
        command_of_line(line)


@given(st.text(max_size=40))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        command = command_of_line(line)
    except TypedError:
        return
    assert command["name"]
    json.dumps(command)
