"""From ticks to pictures: which ticks are shown, and what happened between two of them."""

import jax
import numpy as np

from tests.ui import towns
from tests.ui.towns import ADA, BEN, CLEO
from townlet_jax.core.enums import NOBODY
from townlet_jax.ui import view
from townlet_jax.ui.view import View

SPAN = 12


def life() -> View:
    """Return ticks 1 to SPAN: ada walks east, ben speaks in ticks 5 and 6 (once in vain), cleo quarrels in tick 9."""
    views = []
    for tick in range(1, SPAN + 1):
        state = towns.quiet(tick)
        state.roster.position[ADA] = (10 + tick, 12)
        spoke_to = np.full(8, NOBODY)
        spoke_to[BEN] = CLEO if tick in (5, 6) else NOBODY
        shown = towns.happened(
            towns.frame(state),
            spoke_to=spoke_to,
            spoke_well=np.arange(8) == (BEN if tick == 5 else NOBODY),
            quarrelled=(np.arange(8) == CLEO) & (tick == 9),
            moved=np.arange(8) == (ADA if tick < 3 else NOBODY),
        )
        views.append(shown.view)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *views)  # type: ignore[no-any-return]  # tree.map keeps it


def cut(whole: View, *lengths: int) -> list[View]:
    """Cut views into chunks."""
    ends = np.cumsum(lengths)
    return [
        jax.tree.map(lambda leaf, first=end - length, last=end: leaf[first:last], whole)
        for end, length in zip(ends, lengths, strict=True)
    ]


def test_a_film_shows_the_wanted_ticks_and_sums_up_what_lies_between() -> None:
    for chunks in (cut(life(), 12), cut(life(), 5, 5, 2), cut(life(), *[1] * 12)):
        frames = list(view.film(iter(chunks), [4, 8, 12]))
        assert [int(frame.view.tick) for frame in frames] == [4, 8, 12]
        assert [int(frame.view.doing.spoke_to[BEN]) for frame in frames] == [NOBODY, CLEO, NOBODY]
        assert [bool(frame.view.doing.spoke_well[BEN]) for frame in frames] == [False, False, False], "the last one"
        assert [bool(frame.view.doing.quarrelled[CLEO]) for frame in frames] == [False, False, True]
        assert [bool(frame.view.doing.moved[ADA]) for frame in frames] == [True, False, False]
        assert [frame.trail[:, ADA, 0].tolist() for frame in frames] == [
            [11, 12, 13, 14],
            [14, 15, 16, 17, 18],
            [18, 19, 20, 21, 22],
        ]


def test_a_single_tick_shows_that_tick_alone() -> None:
    for tick in (1, 5, 12):
        (frame,) = view.film(iter(cut(life(), 5, 7)), [tick])
        assert int(frame.view.tick) == tick
        assert frame.view.doing.spoke_well[BEN] == (tick == 5)
        assert frame.trail[-1, ADA, 0] == 10 + tick
        assert len(frame.trail) == min(tick, 2)


def test_all_chunks_are_asked_for_even_after_the_last_picture() -> None:
    asked = []

    def chunks() -> object:
        for chunk in cut(life(), 4, 4, 4):
            asked.append(int(chunk.tick[-1]))
            yield chunk

    assert len(list(view.film(chunks(), [2]))) == 1  # type: ignore[arg-type]  # a generator
    assert asked == [4, 8, 12]


def test_the_first_picture_sums_up_as_many_ticks_as_the_second() -> None:
    frames = list(view.film(iter(cut(life(), 12)), [10, 12]))
    assert frames[0].trail[:, ADA, 0].tolist() == [18, 19, 20]
    assert bool(frames[0].view.doing.quarrelled[CLEO])
