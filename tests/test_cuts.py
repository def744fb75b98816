"""Where a run is cut: at its end, before events, after the ticks that are saved; in few lengths."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from townlet_jax.cuts import Cuts

TICKS = st.integers(1, 3000)


def walked(cuts: Cuts, start: int, ticks: int) -> list[int]:
    """Return the ticks after which a run stands, from one of them on."""
    found = [start]
    while found[-1] < ticks:
        found.append(found[-1] + cuts.length(found[-1]))
    return found


@given(ticks=TICKS, chunk=st.integers(1, 400), events=st.lists(TICKS, max_size=6), every=st.integers(1, 900))
def test_all_that_must_be_a_cut_is_one_in_two_lengths(ticks: int, chunk: int, events: list[int], every: int) -> None:
    cuts = Cuts(ticks, chunk, events, every)
    stands = walked(cuts, 0, ticks)
    assert stands[-1] == ticks
    assert {tick - 1 for tick in events if tick <= ticks} <= set(stands)
    assert set(range(0, ticks, every)) <= set(stands)
    lengths = {end - start for start, end in itertools.pairwise(stands)}
    assert lengths <= set(cuts.lengths)
    assert len(cuts.lengths) <= 2
    assert max(cuts.lengths) <= chunk
    middle = stands[len(stands) // 2]
    assert walked(cuts, middle, ticks) == stands[stands.index(middle) :], "a resumed run is cut as if it never stopped"


def test_cuts_by_hand() -> None:
    assert walked(Cuts(300, 120, (), 100), 0, 300) == [0, 100, 200, 300]
    assert walked(Cuts(250, 100, [151], 200), 0, 250) == [0, 100, 150, 200, 250]
    assert Cuts(10**9, 120, (), 1000).lengths == [120, 40]
    assert Cuts(100, 120, ()).room(40) == 60
    assert Cuts(100, 30).length(99) == 1
