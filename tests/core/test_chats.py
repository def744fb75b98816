"""Chats: refusals, chances, quality, cooldowns (MECHANICS 4.2.7, 4.4.7; 16.1 V13-V17, V42)."""

import jax
import numpy as np
import pytest

from core.worlds import (
    BALANCED,
    BED,
    BENCH,
    REST_BENCH,
    REST_SLEEP,
    SOCIALITE,
    STOIC,
    World,
    talking,
)
from townlet_jax.core.enums import NOBODY, Counter, Kind, Reason


@pytest.mark.parametrize(
    ("profile", "rivalry", "avoided"), [(BALANCED, 0.7, True), (STOIC, 0.7, False), (STOIC, 1.0, True)]
)
def test_v13_avoided_agents_are_not_talked_to(profile: int, rivalry: float, avoided: bool) -> None:
    world = talking()
    world.state.roster.profile[0] = profile
    world.tie(0, 1, rivalry=rivalry)
    world.ask(0, Kind.CHAT, target=1)
    world.run()
    assert world.reason[0] == (Reason.AVOIDED if avoided else Reason.NONE)


@pytest.mark.parametrize(
    ("profile", "bond", "quality"),
    [
        (BALANCED, (0, 0, 0), 0.5),
        (SOCIALITE, (0, 0, 0), 0.884),
        (STOIC, (0, 0, 0), 0.41),
        (BALANCED, (0.5, 0.4, 0.2), 0.6),
        (SOCIALITE, (1, 1, 0), 1.0),
        (STOIC, (-1, -1, 0.99), 0.1),  # rivalry 1 would be avoided
    ],
)
def test_v14_v15_chat_quality(profile: int, bond: tuple[float, float, float], quality: float) -> None:
    world = talking(trust_coefficient=0, familiarity_coefficient=0)
    world.state.roster.profile[0] = profile
    world.tie(0, 1, *bond)
    world.ask(0, Kind.CHAT, target=1)
    outcomes = world.run()
    assert bool(world.ok[0])
    assert outcomes.chats.quality[0] == pytest.approx(quality, abs=1e-5)


@pytest.mark.parametrize(("bond", "chance"), [((0, 0), 0.7), ((0.5, 0.4), 0.8694), ((1, 1), 1.0), ((-1, -1), 0.392)])
def test_v16_chat_probability(bond: tuple[float, float], chance: float) -> None:
    """Chances compared with the draws of many speakers and ticks: all below succeed, all above fail."""
    world = World(living=24)
    world.params.chat.cooldown_ticks[...] = 0
    world.params.ties.delta[:] = 0
    world.params.conflict.max_edges[...] = 64
    for slot in range(24):
        world.put(slot, 8, 5)
        world.tie(slot, (slot + 1) % 24, *bond)
    good = []
    for moment in range(1, 9):
        for slot in range(24):
            world.ask(slot, Kind.CHAT, target=(slot + 1) % 24)
        outcomes = world.run()
        draws = uniforms(world, moment)
        good.append(outcomes.chats.ok == (draws < chance))
    assert np.all(good)


def uniforms(world: World, moment: int) -> np.ndarray:
    """Return the chat draws of a tick, by the textbook way."""
    key = jax.random.fold_in(jax.random.fold_in(world.state.key, moment), 3)
    return np.asarray(jax.random.uniform(key, (24, 4)))[:, 0]


def test_v42_chat_draws_decide() -> None:
    world = talking()
    world.seed(jax.random.key(0))
    world.params.chat.base[...] = 0.71
    world.at(5)
    world.params.chat.range[...] = 100
    for slot in range(4):
        world.ask(slot, Kind.CHAT, target=5)
    outcomes = world.run()
    assert outcomes.chats.ok[:4].tolist() == [False, True, False, False]  # .723714 .695374 .899595 .949752
    np.testing.assert_allclose(uniforms(world, 5)[:4], [0.723714, 0.695374, 0.899595, 0.949752], atol=1e-6)


@pytest.mark.parametrize(
    ("profile", "familiarity", "ready"), [(BALANCED, 0.06, 31), (SOCIALITE, 0.072, 24), (STOIC, 0.054, 31)]
)
def test_v17_chat_deltas(profile: int, familiarity: float, ready: int) -> None:
    world = talking()
    world.state.roster.profile[0] = profile
    world.ask(0, Kind.CHAT, target=1, quality=0.6)
    outcomes = world.run()
    assert world.bond(0, 1) == pytest.approx((0.03, familiarity, 0))
    assert world.bond(1, 0) == pytest.approx((0.03, 0.06, 0))
    assert world.state.ties.chat_ready_tick[:2].tolist() == [ready, 0]
    assert outcomes.tie_changes.trust_delta[0, 1] == pytest.approx(0.03)
    assert bool(outcomes.tie_changes.added[0, 1])
    assert world.state.tally.count[:2, Counter.CHATS_OK].tolist() == [1, 0]
    assert world.out.measures.chat_quality == pytest.approx(0.6)


def test_chats_are_refused_in_the_order_of_the_rules() -> None:
    world = talking()
    world.vacate(5)
    world.hold(4, BED, REST_SLEEP, remaining=9)
    world.state.ties.chat_ready_tick[:4] = 99
    world.ask(0, Kind.CHAT, target=5)
    world.ask(1, Kind.CHAT, target=1)
    world.ask(2, Kind.CHAT, target=4)
    world.ask(3, Kind.CHAT, target=0)
    world.ask(4, Kind.CHAT, target=0)
    world.run()
    assert world.reason[:5].tolist() == [
        Reason.NO_TARGET,
        Reason.NO_TARGET,
        Reason.ASLEEP,
        Reason.CHAT_COOLDOWN,
        Reason.ASLEEP,
    ]
    world.state.ties.chat_ready_tick[:4] = 2
    world.put(0, 14, 1)
    world.tie(0, 1, rivalry=1)
    world.tie(2, 1, rivalry=0.9)
    world.ask(0, Kind.CHAT, target=1)
    world.ask(2, Kind.CHAT, target=1)
    outcomes = world.run()
    assert world.reason[[0, 2]].tolist() == [Reason.OUT_OF_RANGE, Reason.AVOIDED]
    assert (outcomes.chats.listener == NOBODY).all()
    assert world.state.ties.chat_ready_tick[[0, 2]].tolist() == [2, 2]
    assert world.out.measures.chats_failed == 0


def test_refused_chats_can_count_as_failures() -> None:
    world = talking()
    world.params.chat.refused_is_failure[...] = True
    world.put(0, 14, 1)
    world.ask(0, Kind.CHAT, target=1)
    world.tie(2, 1, rivalry=0.9)
    world.ask(2, Kind.CHAT, target=1)
    world.vacate(5)
    world.ask(3, Kind.CHAT, target=5)
    outcomes = world.run()
    assert outcomes.chats.listener[:4].tolist() == [1, NOBODY, 1, NOBODY]
    assert outcomes.chats.forced_failure[:4].tolist() == [True, False, True, False]
    assert not outcomes.chats.ok.any()
    assert world.reason[:4].tolist() == [Reason.OUT_OF_RANGE, Reason.NONE, Reason.AVOIDED, Reason.NO_TARGET]
    assert world.bond(0, 1) == pytest.approx((0, -0.05, 0.05))
    assert world.bond(1, 0) == pytest.approx((0, -0.05, 0.05))
    assert world.bond(2, 1) == pytest.approx((0, -0.05, 0.95))
    assert world.state.ties.chat_ready_tick[:4].tolist() == [0, 0, 0, 0]
    assert world.state.tally.count[:4, Counter.CHATS_FAILED].tolist() == [1, 0, 1, 0]


def test_a_failed_chat_cools_down_without_a_reason() -> None:
    world = talking(base=0)
    world.ask(0, Kind.CHAT, target=1, quality=1.0)
    outcomes = world.run()
    assert (world.reason[0], bool(world.ok[0])) == (Reason.NONE, False)
    assert (outcomes.chats.listener[0], outcomes.chats.quality[0]) == (1, 0)
    assert not outcomes.chats.forced_failure[0]
    assert world.state.ties.chat_ready_tick[0] == 31
    assert world.bond(0, 1) == pytest.approx((0, -0.05, 0.05))
    assert world.state.tally.count[0, Counter.REFUSED] == 0


def test_cooldown_is_over_at_its_tick() -> None:
    world = talking()
    world.state.ties.chat_ready_tick[0] = 7
    for moment, reason in ((6, Reason.CHAT_COOLDOWN), (7, Reason.NONE)):
        world.at(moment)
        world.ask(0, Kind.CHAT, target=1)
        world.run()
        assert world.reason[0] == reason


@pytest.mark.parametrize(("cooldown", "ready"), [(0, 1), (1, 2)])
def test_short_cooldowns(cooldown: int, ready: int) -> None:
    world = talking(cooldown_ticks=cooldown)
    world.state.roster.profile[0] = SOCIALITE
    world.ask(0, Kind.CHAT, target=1)
    world.run()
    assert world.state.ties.chat_ready_tick[0] == ready


def test_every_speaker_counts() -> None:
    world = talking()
    world.ask(0, Kind.CHAT, target=1, quality=1.0)
    world.ask(1, Kind.CHAT, target=0, quality=1.0)
    world.ask(2, Kind.CHAT, target=0, quality=2.5)  # clipped to 1
    world.run()
    assert world.bond(0, 1) == pytest.approx((0.1, 0.2, 0))
    assert world.bond(1, 0) == pytest.approx((0.1, 0.2, 0))
    assert world.bond(0, 2) == pytest.approx((0.05, 0.1, 0))


def test_awake_busy_agents_may_chat() -> None:
    world = talking()
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    world.beside(1, BENCH)
    world.ask(0, Kind.CHAT, target=1)
    world.run()
    assert bool(world.ok[0])
    assert world.state.activities.remaining[0] == 8
