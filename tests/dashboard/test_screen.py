"""What is sent to a terminal: whole pictures once, then what changed and nothing else, within a budget."""

import re
import time

import pytest
from rich.color import ColorSystem

from tests.dashboard import records
from townlet_jax.ui.dashboard import screen as screens
from townlet_jax.ui.dashboard import still
from townlet_jax.ui.dashboard.block import cells
from townlet_jax.ui.dashboard.look import PAGES, Look, Standing
from townlet_jax.ui.dashboard.palette import Prompt
from townlet_jax.ui.dashboard.screen import Screen

PLACED = re.compile(r"\x1b\[(\d+);(\d+)H")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Paper:
    """A terminal as far as the dashboard uses one: it clears, goes somewhere, and writes."""

    def __init__(self, width: int, height: int) -> None:
        self.rows = [[" "] * width for _ in range(height)]

    def take(self, text: str) -> None:
        """Carry out what was sent."""
        if screens.CLEAR in text:
            self.rows = [[" "] * len(row) for row in self.rows]
        parts = PLACED.split(text.replace(screens.BEGIN, "").replace(screens.END, "").replace(screens.CLEAR, ""))
        assert not parts[0]
        for y, x, said in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            plain = STYLE.sub("", said)
            assert plain.isprintable()
            assert int(x) - 1 + cells(plain) <= len(self.rows[0])
            self.rows[int(y) - 1][int(x) - 1 : int(x) - 1 + len(plain)] = plain

    @property
    def text(self) -> list[str]:
        """Return what stands there."""
        return ["".join(row) for row in self.rows]


def wanted(look: Look, width: int, height: int) -> list[str]:
    """Return the picture as it should be."""
    return ["".join(piece.text for piece in row) for row in still.canvas(look, width, height)]


def life() -> list[Look]:
    """Return looks at a town that lives on."""
    told = records.life(range(700, 780))
    known, found = records.models.Model(), []
    for record in told:
        known = records.models.take(known, record)
        found.append(Look(model=known, standing=Standing(place=0.5)))
    return found[1:-1]


def test_many_small_changes_come_to_the_same_picture() -> None:
    screen, paper = Screen(colours=ColorSystem.TRUECOLOR), Paper(120, 40)
    for look in life():
        paper.take(screen.refresh(look, 120, 40, at_once=True))
        assert paper.text == wanted(look, 120, 40)


def test_pages_overlays_and_help_leave_nothing_behind() -> None:
    screen, paper, look = Screen(colours=None), Paper(90, 30), life()[5]
    glances = [{"page": page} for page in PAGES]
    glances += [{"has_help": True}, {}, {"prompt": Prompt(text="se", choices=("setneed", "set_home"))}, {}]
    for said in glances:
        now = records.models.dataclasses.replace(look, glance=records.Glance(**said))  # type: ignore[arg-type]
        paper.take(screen.refresh(now, 90, 30, at_once=True))
        assert paper.text == wanted(now, 90, 30)


def test_nothing_is_sent_if_nothing_changed() -> None:
    screen, look = Screen(colours=ColorSystem.TRUECOLOR), life()[0]
    assert len(screen.refresh(look, 200, 60)) > 10_000
    assert screen.refresh(look, 200, 60) == ""
    same = records.models.dataclasses.replace(look, standing=Standing(place=0.5))
    assert screen.refresh(same, 200, 60) == ""


def test_a_step_sends_the_rows_that_changed_and_no_clearing() -> None:
    screen, looks = Screen(colours=ColorSystem.TRUECOLOR), life()
    whole = screen.refresh(looks[0], 200, 60)
    step = screen.refresh(looks[1], 200, 60, at_once=True)
    assert screens.CLEAR in whole
    assert screens.CLEAR not in step
    assert 0 < len(step) < len(whole) / 2


def test_a_resize_draws_everything_anew() -> None:
    screen, paper, look = Screen(colours=None), Paper(100, 30), life()[3]
    screen.refresh(look, 80, 24)
    paper.take(screen.refresh(look, 100, 30))
    assert paper.text == wanted(look, 100, 30)


def test_a_window_that_is_too_small_is_told_so_once() -> None:
    screen, look = Screen(colours=None), life()[0]
    assert STYLE.sub("", screen.refresh(look, 20, 5)).endswith("20x5 is too small; make the window 40x10 or larger.")
    assert screen.refresh(look, 20, 5) == ""
    assert screen.refresh(look, 1, 1).endswith("H")
    assert "tick" in screen.refresh(look, 80, 24)


def test_without_a_budget_one_panel_is_drawn_at_a_time_and_all_come_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "BUDGET", 0.0)
    screen, paper, looks = Screen(colours=None), Paper(120, 40), life()
    paper.take(screen.refresh(looks[0], 120, 40))
    parts = [screen.refresh(looks[-1], 120, 40) for _ in range(20)]
    for part in parts:
        paper.take(part)
    assert sum(map(bool, parts)) > 2
    assert not parts[-1]
    assert paper.text == wanted(looks[-1], 120, 40)


def test_without_unicode_only_ascii_is_sent() -> None:
    screen = Screen(colours=None, has_unicode=False)
    for look in life()[:5]:
        assert screen.refresh(look, 200, 60, at_once=True).isascii()


def test_without_colours_no_style_is_sent() -> None:
    assert not STYLE.search(Screen(colours=None).refresh(life()[0], 80, 24).replace(screens.CLEAR, ""))


def test_a_refresh_costs_little() -> None:
    screen, looks = Screen(colours=ColorSystem.TRUECOLOR), life()
    screen.refresh(looks[0], 200, 60)
    spent = []
    for look in looks[1:]:
        began = time.thread_time()
        screen.refresh(look, 200, 60)
        spent.append(time.thread_time() - began)
    assert sorted(spent)[len(spent) // 2] < 0.005  # 5 % of a core at ten pictures a second
