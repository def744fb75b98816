"""Rows that fit, gauges that say what they mean, and nothing that a terminal would obey."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from townlet_jax.ui.dashboard import block, gauges
from townlet_jax.ui.dashboard.block import Block, Piece

NASTY = st.text(st.sampled_from("a1 [/]é漢😀\x1b\x07\x9b\r\n\t\u202e\u2066\u200b\ud7ff") | st.characters(), max_size=20)


@given(st.lists(NASTY, max_size=6), st.integers(1, 40))
def test_a_row_has_exactly_its_width_and_only_printable_text(texts: list[str], width: int) -> None:
    row = block.fitted([Piece(text, "bold") for text in texts], width)
    text = "".join(piece.text for piece in row)
    assert block.cells(text) == width
    assert not [letter for letter in text if unicodedata.category(letter)[0] == "C"]


@given(NASTY, st.integers(0, 30))
def test_text_is_filled_up_or_cut_to_a_width(text: str, width: int) -> None:
    assert block.cells(block.left(text, width)) == block.cells(block.right(text, width)) == width


def test_what_is_cut_says_so_but_missing_blanks_do_not_count() -> None:
    assert block.cut("barista", 5) == "bari…"
    assert block.cut("bar    ", 5) == "bar  "
    assert block.cut("bar", 3) == "bar"


def test_the_right_part_of_a_row_wins() -> None:
    row = block.spread([Piece("a long beginning")], [Piece("end")], 8)
    assert "".join(piece.text for piece in row) == "a lo…end"


def test_folded_text_breaks_between_words() -> None:
    assert [row[0].text for row in block.folded("one two three", 8)] == [" one two", " three"]


def test_a_block_has_the_height_that_is_wanted_and_rich_can_print_it() -> None:
    made = Block([[Piece("one")], [Piece("two", "bold red")]], "Title", "note")
    lines = ["".join(piece.text for piece in row) for row in made.lines(14, 4)]
    assert lines == [" Title   note ", "one           ", "two           ", " " * 14]
    console = Console(file=io.StringIO(), width=14)
    console.print(made)
    assert console.file.getvalue().splitlines() == lines[:3]  # type: ignore[attr-defined]


def test_a_note_without_room_is_left_out() -> None:
    assert Block([], "Title", "a long note").lines(12, 1)[0][0].text == " Title"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "    "), (1.0, "████"), (0.5, "██  "), (0.3, "█▎  "), (2.0, "████"), (float("nan"), "    ")],
)
def test_bars(share: float, text: str) -> None:
    assert gauges.bar(share, 4) == text


def test_curves_show_the_newest_values_on_the_right() -> None:
    assert gauges.curve([9, 0, 1, 2, 3], 4) == "▁▃▆█"
    assert gauges.curve([0.5], 3, 0.0, 1.0) == "  ▅"
    assert gauges.curve([2, 2], 3) == " ▁▁"
    assert gauges.curve([], 3) == "   "


@pytest.mark.parametrize(
    ("series", "arrow", "style"),
    [([1, 1, 2, 2], "▲", block.BAD), ([2, 2, 1, 1], "▼", block.GOOD), ([1, 1, 1.05, 1], "→", block.DIM),
     ([0, 0, 0, 0], "→", block.DIM), ([0, 0, 1, 1], "▲", block.BAD), ([1], "·", block.DIM)],
)  # fmt: skip
def test_trends(series: list[float], arrow: str, style: str) -> None:
    assert gauges.trend(series) == Piece(arrow, style)


def test_a_good_rise_is_green() -> None:
    assert gauges.trend([1, 1, 2, 2], is_bad_up=False) == Piece("▲", block.GOOD)


def test_a_strip_shows_range_median_and_where_a_town_stands() -> None:
    assert "".join(piece.text for piece in gauges.strip(0, 5, 10, 10, 11)) == "├────┿────◆"
    assert "".join(piece.text for piece in gauges.strip(0, 5, 10, 20, 11)) == "├─┿──┤    ◆"
    assert "".join(piece.text for piece in gauges.strip(1, 1, 1, None, 5)) == "  ┿  "


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (3, "3"), (3.0, "3"), (0.125, "0.12"), (0.0004, "0.0004"), (123.4, "123"), (12345, "12.3k"),
     (6_400_000.0, "6.4M"), (float("inf"), "–"), (-0.5, "-0.50"), (1e300, "1e+300")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert gauges.number(value) == text
