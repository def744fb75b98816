"""Features 0-24 and 45-47 of the observation, numbers worked out by hand (MECHANICS 6.1; 16.1 V13, V29)."""

import hashlib

import pytest

from core.views import TRACED, look
from core.worlds import SOCIALITE, STOIC, STOVE, World
from townlet_jax.core.enums import NOBODY, Counter, Kind, Phase, ShiftFlag

ADA, BEN, CLEO, DAN, EVA, FINN = range(6)
DAY = 1440
approx = pytest.approx


def test_needs_and_purse() -> None:
    world = World()
    world.state.needs.level[ADA] = (0.25, 0.5, 0.875)
    world.state.economy.wallet[:3] = (4.5, 250.0, 0.0)
    world.state.tally.count[ADA, Counter.LATE_SHIFTS] = 3
    world.state.tally.withheld[ADA] = 2.5
    view = look(world)
    assert view.block(ADA, "need_") == [0.25, 0.5, 0.875]
    assert [view(slot, "wallet") for slot in (ADA, BEN, CLEO)] == approx([0.45, 10.0, 0.0])
    assert view(ADA, "lateness_counter", "wages_withheld") == approx([0.3, 0.25])


def test_scales_and_the_clip_are_numbers() -> None:
    world = World()
    world.state.economy.wallet[:2] = (4.5, 3.0)
    view = look(world, wallet_scale=2.0, feature_clip=2.0)
    assert [view(slot, "wallet") for slot in (ADA, BEN)] == approx([2.0, 1.5])


@pytest.mark.parametrize(("tick", "expected"), [(0, (0, 1)), (360, (1, 0)), (DAY + 720, (0, -1)), (1080, (-1, 0))])
def test_time_of_day_is_a_circle(tick: int, expected: tuple[float, float]) -> None:
    world = World()
    world.at(tick + 1)
    assert look(world)(ADA, "time_sin", "time_cos") == approx(expected, abs=1e-6)


def test_v29_attendance() -> None:
    world = World()
    world.state.employment.attendance[ADA] = (1, 0, 0.958333)
    world.state.employment.attendance[BEN] = (0.5, -1, -1)
    view = look(world)
    assert [view(slot, "attendance_ratio") for slot in (ADA, BEN, CLEO)] == approx([0.652778, 0.5, 0.0])


@pytest.mark.parametrize(
    ("phase", "place"),
    [(Phase.IDLE, 0), (Phase.AWAIT, 0), (Phase.ON_TIME, 1), (Phase.LATE, 2), (Phase.ABSENT, 3), (Phase.POST, 4)],
)
def test_phases_of_a_shift(phase: Phase, place: int) -> None:
    world = World()
    world.state.employment.phase[ADA] = phase
    world.state.employment.flags[ADA] = ShiftFlag.ON_SHIFT | ShiftFlag.FINED
    world.state.employment.flags[BEN] = ShiftFlag.FINED
    view = look(world)
    names = ("shift_pre", "shift_on_time", "shift_late", "shift_absent", "shift_post")
    assert view(ADA, *names) == [float(index == place) for index in range(5)]
    assert [view(slot, "on_shift") for slot in (ADA, BEN)] == [1, 0]


def test_identity_and_episode() -> None:
    world = World()
    world.state.embeddings.slot[:2] = (16, NOBODY)
    world.state.clock.episode_tick[ADA] = 360
    world.state.roster.reset_flag[BEN] = True
    view = look(world)
    assert [view(slot, "embedding_slot_norm") for slot in (ADA, BEN)] == approx([0.25, 0])
    assert view(ADA, "episode_progress") == approx(0.25)
    assert [view(slot, "ctx_reset_flag") for slot in (ADA, BEN)] == [0, 1]


def test_v13_rivals() -> None:
    world = World()
    for slot, profile in ((ADA, SOCIALITE), (BEN, STOIC), (CLEO, STOIC)):
        world.state.roster.profile[slot] = profile
        for other, rivalry in ((DAN, 0.7), (EVA, 0.699), (FINN, 0.8)):
            world.tie(slot, other, rivalry=rivalry)
    world.tie(CLEO, DAN, rivalry=1.0)
    view = look(world)
    assert [view(slot, "rivalry_max") for slot in (ADA, BEN, CLEO, DAN)] == approx([0.8, 0.8, 1.0, 0.0])
    assert [view(slot, "rivalry_avoid_count") for slot in (ADA, BEN, CLEO)] == approx([0.2, 0.0, 0.1])


KIND_HASHES = (
    0.238998859, 0.704875165, 0.345671648, 0.259883309, 0.50462497, 0.7246167, 0.726617346, 0.101445929, 0.30702549,
)  # fmt: skip


@pytest.mark.parametrize("kind", Kind)
def test_the_last_action(kind: Kind) -> None:
    world = World()
    for slot, ticks in ((ADA, 30), (BEN, 0)):
        world.state.roster.last_kind[slot], world.state.roster.last_ticks[slot] = kind, ticks
    world.state.roster.last_ok[BEN] = True
    view = look(world)
    assert view.block(ADA, "last_action") == approx([KIND_HASHES[kind], 0, 0.5], abs=1e-7)
    assert view.block(BEN, "last_action") == [0, 1, 0]
    digest = hashlib.blake2s(kind.name.lower().encode()).digest()
    assert KIND_HASHES[kind] == approx(int.from_bytes(digest[:4], "little") / 2**32, abs=1e-9)


def test_holding_and_waiting() -> None:
    world = World()
    world.hold(ADA, STOVE)
    world.queue(BEN, STOVE, ticket=0)
    view = look(world)
    assert [view(slot, "reservation_active", "in_queue") for slot in (ADA, BEN, CLEO)] == [[1, 0], [0, 1], [0, 0]]


def test_traits_are_shown_whatever_the_switches() -> None:
    world = World()
    world.params.personality.modify_behaviour[...] = world.params.personality.modify_ties[...] = False
    world.state.roster.profile[:2] = (STOIC, SOCIALITE)
    view = look(world)
    assert view.block(ADA, "personality_") == approx([-0.3, 0.5, -0.2])
    assert view.block(BEN, "personality_") == approx([0.6, 0.1, -0.1])


def test_other_numbers_do_not_compile_again() -> None:
    world = World()
    look(world)
    before = len(TRACED)
    view = look(
        world, wallet_scale=3.0, count_scale=1.0, withheld_scale=2.0, distance_scale=1.0, ticks_scale=7.0,
        feature_clip=0.5, normalize_counts=False,
    )  # fmt: skip
    assert view(ADA, "wallet") == 0.5  # the clip
    world.params.clock.ticks_per_day[...] = 100
    look(world)
    assert len(TRACED) == before
