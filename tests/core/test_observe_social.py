"""Friends and rivals in the social slots, and what they add up to (MECHANICS 6.3, 6.1 rows 48-95; 16.1 V38)."""

import pytest

from core.views import View, look
from core.worlds import World
from townlet_jax.core.enums import NOBODY

ADA, BEN, CLEO, DAN, EVA, FINN = range(6)
V38 = {
    0: (0.854902, 0.407843, 0.403922, 0.454902, 0.788235, 0.207843, 0.301961, 0.023529),
    1: (0.6, 0.188235, 0.498039, 0.764706),
    63: (0.596078, 0.07451, 0.941176, 0.643137),
}
approx = pytest.approx


def known(view: View, slot: int = ADA) -> list[list[float]]:
    """Return trust, familiarity and rivalry of the four social slots."""
    return [view(slot, *(f"social_{i}_{tie}" for tie in ("trust", "familiarity", "rivalry"))) for i in range(4)]


def test_v38_identities() -> None:
    world = World()
    for slot, identity in ((BEN, 0), (CLEO, 1), (DAN, 63), (EVA, NOBODY)):
        world.state.embeddings.slot[slot] = identity
    world.tie(ADA, BEN, trust=0.9)
    world.tie(ADA, CLEO, trust=0.8)
    world.tie(ADA, DAN, rivalry=0.9)
    world.tie(ADA, EVA, rivalry=0.8)
    view = look(world)
    for place, identity in enumerate((0, 1, 63)):
        numbers = view.block(ADA, f"social_{place}_embedding")
        assert numbers[: len(V38[identity])] == approx(V38[identity], abs=1e-6)
    assert view.block(ADA, "social_3_embedding") == [0] * 8
    assert known(view)[3] == approx([0, 0, 0.8])


def test_friends_come_first_rivals_follow() -> None:
    world = World()
    world.tie(ADA, BEN, trust=0.25, familiarity=0.25, rivalry=0.875)
    world.tie(ADA, CLEO, trust=0.75, rivalry=0.5)
    world.tie(ADA, DAN, rivalry=0.25)
    world.tie(ADA, EVA, trust=0.25, rivalry=0.75)  # the third friend may still be a rival
    view = look(world)
    assert known(view) == [[0.75, 0, 0.5], [0.25, 0.25, 0.875], [0.25, 0, 0.75], [0, 0, 0.25]]


def test_equals_go_by_slot() -> None:
    world = World()
    for slot, familiarity in ((CLEO, 0.5), (DAN, 0.25), (EVA, 0.0)):
        world.tie(ADA, slot, trust=0.5 - familiarity, familiarity=familiarity)
    world.tie(ADA, FINN, rivalry=0.25)
    world.tie(ADA, BEN, rivalry=0.25)
    assert known(look(world)) == [[0, 0.5, 0], [0.25, 0.25, 0], [0, 0, 0.25], [0, 0, 0.25]]
    world.tie(ADA, FINN, rivalry=0.5)
    world.state.embeddings.slot[:6] = range(10, 16)
    view = look(world)
    assert [row[2] for row in known(view)] == [0, 0, 0.5, 0.25]
    again = look(world)
    world.state.embeddings.slot[[BEN, FINN]] = (63, 62)
    swapped = look(world)
    assert view.block(ADA, "social_2_embedding") == again.block(ADA, "social_2_embedding")
    assert view.block(ADA, "social_2_embedding") != swapped.block(ADA, "social_2_embedding")


def test_rivals_close_up_on_few_friends() -> None:
    world = World()
    world.tie(ADA, BEN, trust=-0.5, familiarity=0.5)  # no friend: together 0
    world.tie(ADA, CLEO, trust=-0.5, familiarity=0.25, rivalry=0.5)
    world.tie(ADA, DAN, trust=0.5, familiarity=-0.25)
    view = look(world)
    assert known(view) == [[0.5, -0.25, 0], [-0.5, 0.25, 0.5], [0, 0, 0], [0, 0, 0]]
    assert view.block(ADA, "social_2_embedding") == [0] * 8
    sums = view(ADA, "social_trust_mean", "social_trust_max", "social_rivalry_mean", "social_rivalry_max")
    assert sums == [0, 0.5, 0.25, 0.5]


def test_sums_are_over_filled_slots() -> None:
    world = World()
    world.tie(ADA, BEN, trust=-0.5, rivalry=0.25)
    world.tie(CLEO, ADA, trust=0.5)
    view = look(world)
    names = ("social_trust_mean", "social_trust_max", "social_rivalry_mean", "social_rivalry_max")
    assert view(ADA, *names) == [-0.5, -0.5, 0.25, 0.25]  # the largest trust is below that of empty slots
    assert view(BEN, *names) == [0, 0, 0, 0]
    assert view(CLEO, *names) == [0.5, 0.5, 0, 0]
