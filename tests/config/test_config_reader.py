"""The traps of YAML are closed (ECOSYSTEM: dangers of YAML)."""

import pytest

from townlet_jax.config.reader import UnreadableError, decode, locate, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2.5e+1", -25.0),
        ("010", 10),
        ("-7", -7),
        ("+7", 7),
        ("0x10", "0x10"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("<<", "<<"),
        ("[1, two, 3.0]", [1, "two", 3.0]),
        ("{a: {b: [1]}}", {"a": {"b": [1]}}),
        ("no: 1\n1: 2\n~: 3", {"no": 1, "1": 2, "~": 3}),
        ("text: |\n  a\n  b\n", {"text": "a\nb\n"}),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = parse(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: &x 1\n", (1, 4), "anchor"),
        ("a: 1\nb: *x\n", (2, 4), "alias"),
        ("a: !!python/object 1", (1, 4), "tag"),
        ("a: !mine 1", (1, 4), "tag"),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", (4, 3), "repeats the key 'c' of line 3"),
        ("{a: 1, a: 2}", (1, 8), "repeats the key 'a' of line 1"),
        ("? [a]\n: b", (1, 3), "as a key"),
        ("a: .inf", (1, 4), "finite"),
        ("a: -.INF", (1, 4), "finite"),
        ("a: [.nan]", (1, 5), "finite"),
        ("a: 1e999", (1, 4), "too large"),
        ("a: " + "9" * 30, (1, 4), "30 digits"),
        ("a: 1\n---\nb: 2", (2, 1), "second document"),
        ("[" * 65 + "]" * 65, (1, 65), "deeper than 64"),
        ("a: b: c", (1, 5), "not valid YAML"),
        ("a:\n\t- 1", (2, 1), "not valid YAML"),
        ('a: "x', (1, 6), "not valid YAML"),
        ("a: 1\nb: \x1b[2J", (2, 4), "U+001B"),
        ("a: \u202e", (1, 4), "U+202E"),
    ],
)
def test_refusals_say_where(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == place
    assert words in caught.value.text


def test_bombs() -> None:
    with pytest.raises(UnreadableError, match="100000 values"):
        parse("[" + "1," * 200_000 + "]")
    with pytest.raises(UnreadableError, match="1048576 bytes"):
        decode(b"a" * (2**20 + 1))
    with pytest.raises(UnreadableError, match="UTF-8") as caught:
        decode(b"a: 1\nb: \xff")
    assert caught.value.line == 2
    assert parse("[" * 64 + "]" * 64) == parse("[" * 63 + "[]" + "]" * 63)
    assert decode(b"\xef\xbb\xbfa: 1\r\nb: 2") == "a: 1\nb: 2"


def test_locate() -> None:
    text = "a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n"
    assert locate(text, ("a", "b")) == (2, 3)
    assert locate(text, ("a", "c", 1)) == (5, 7)
    assert locate(text, ("a", "c", 1, "d")) == (5, 8)
    assert locate(text, ("a", "c", 1, "missing")) == (5, 7)
    assert locate(text, ("missing",)) is None
