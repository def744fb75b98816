"""Rewards: terms, bias, guard, clips (MECHANICS 4.6.2, 8.4; 16.1 R1-R9)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from core.worlds import BALANCED, INDUSTRIOUS, SOCIALITE, STOIC, World, editable, hamlet, on_device
from townlet_jax.core.enums import NOBODY, Avoidance, Exit, Kind, ShiftFlag
from townlet_jax.core.outcomes import Chats, Rewards
from townlet_jax.core.params import Params
from townlet_jax.core.state import Ledger
from townlet_jax.core.systems import rewards

NEUTRAL = ("survival", "needs_penalty", "social_bonus", "social_penalty", "social_avoidance", "wage", "punctuality")


def _judge(params: Params, ledger: Ledger, given: dict[str, Any]) -> tuple[Ledger, Rewards]:
    return rewards.judge(params, ledger, **given)


JUDGE: Callable[..., tuple[Ledger, Rewards]] = jax.jit(_judge)


class Case:
    """Everything the judge reads; slot 0 is judged."""

    def __init__(self, *levels: float, parity: bool = False) -> None:
        self.world = World()
        self.params: Any = editable(hamlet().params)
        if parity:
            self._as_parity()
        self.world.state.needs.level[0] = levels or (0.7, 0.7, 0.7)
        self.world.state.ledger.potential[:] = 0
        self.chats = Chats(
            listener=jnp.full(24, NOBODY),
            ok=jnp.zeros(24, bool),
            quality=jnp.zeros(24),
            forced_failure=jnp.zeros(24, bool),
        )
        self.reason, self.avoided, self.streak, self.length = Exit.NONE, Avoidance.NONE, 0, 240
        self.paid, self.withheld, self.acting, self.mortality = 0.0, 0.0, True, True
        self.shifts: Any = editable(_shifts())

    def _as_parity(self) -> None:
        rules = self.params.reward
        rules.needs_weight[:] = (1.0, 0.6, 0.8)
        for name, value in {
            "survival_tick": 0.002, "faint_penalty": -1, "eviction_penalty": -2, "social_stage": 1,
            "clip_per_tick": 0.2, "clip_per_episode": 50, "clip_terminal": True, "daily_episode": False,
        }.items():  # fmt: skip
            getattr(rules, name)[...] = value

    def talk(self, speaker: int, listener: int, *, ok: bool = True, quality: float = 0.0) -> None:
        """Let somebody talk."""
        chats = self.chats
        self.chats = chats.replace(
            listener=chats.listener.at[speaker].set(listener),
            ok=chats.ok.at[speaker].set(ok),
            quality=chats.quality.at[speaker].set(quality),
        )

    def judge(self) -> Any:
        """Return the rewards of the tick."""
        state = self.world.state
        self.shifts.paid[0], self.shifts.withheld[0] = self.paid, self.withheld
        first = jnp.arange(24) == 0
        given = {
            "acting": jnp.asarray(state.roster.alive) & (self.acting | ~first),
            "reason": jnp.where(first, int(self.reason), 0).astype(jnp.int32),
            "level": state.needs.level,
            "profile": state.roster.profile,
            "chats": self.chats,
            "shifts": self.shifts,
            "ties": state.ties,
            "employment": state.employment,
            "job_length": jnp.full(24, self.length, jnp.int32),
            "avoided": jnp.where(first, int(self.avoided), 0).astype(jnp.int32),
            "faint_streak": jnp.where(first, self.streak, 0).astype(jnp.int32),
            "mortality": jnp.asarray(self.mortality),
        }
        ledger, told = JUDGE(self.params, on_device(state.ledger), given)
        self.ledger, self.told = editable(ledger), editable(told)
        return self.told

    def total(self) -> float:
        """Judge, check that the terms add up, and return the total of slot 0."""
        told = self.judge()
        terms = sum(float(getattr(told, name)[0]) for name in (*NEUTRAL, "shaping", "terminal"))
        assert told.total[0] == pytest.approx(terms + told.clip_adjustment[0], abs=1e-6)
        assert told.homeostasis[0] == pytest.approx(told.survival[0] + told.needs_penalty[0])
        assert told.work[0] == pytest.approx(told.wage[0] + told.punctuality[0])
        social = told.social_bonus[0] + told.social_penalty[0] + told.social_avoidance[0]
        assert told.social[0] == pytest.approx(social)
        return float(told.total[0])


def _shifts() -> Any:
    """Return the empty shifts of a tick."""
    world = World()
    return world.run().shifts


def test_r1_idle() -> None:
    case = Case(0.8, 0.7, 0.6)
    assert case.total() == pytest.approx(-0.0022, abs=1e-6)
    assert case.told.needs_penalty[0] == pytest.approx(-0.0222)
    assert case.told.clip_adjustment[0] == pytest.approx(0, abs=1e-7)
    assert not case.told.clipped[0]
    assert case.ledger.episode_return[0] == pytest.approx(-0.0022, abs=1e-6)


def test_r2_industrious_at_work() -> None:
    case = Case()
    case.world.state.roster.profile[0] = INDUSTRIOUS
    case.world.state.employment.flags[0] = ShiftFlag.ON_SHIFT
    case.world.state.employment.on_time_ticks[0] = 120
    case.paid = 0.02
    assert case.total() == pytest.approx(0.05465, abs=1e-6)
    assert (case.told.wage[0], case.told.punctuality[0]) == pytest.approx((0.025, 0.03125))


def test_r3_socialite_in_conversation() -> None:
    case = Case()
    case.world.state.roster.profile[0] = SOCIALITE
    case.world.tie(0, 1, trust=0.5, familiarity=0.4)
    case.talk(0, 1, quality=0.6)
    assert case.total() == pytest.approx(0.1712, abs=1e-6)
    assert case.told.social_bonus[0] == pytest.approx(0.1728)
    assert case.told.social_bonus[1] == pytest.approx(0.006)  # who listens has no tie to the speaker


def test_r4_faint() -> None:
    case = Case(0, 0.5, 0.4)
    case.reason, case.streak = Exit.FAINT, 30
    assert case.total() == pytest.approx(-5.1238, abs=1e-5)
    assert case.told.clip_adjustment[0] == pytest.approx(0, abs=1e-6)
    assert bool(case.told.guard[0])


def test_r5_parity_clips() -> None:
    case = Case(0.29, 0.395, 0.492, parity=True)
    assert case.total() == pytest.approx(-0.2)
    assert case.told.needs_penalty[0] == pytest.approx(-0.930166, abs=1e-5)
    assert case.told.clip_adjustment[0] == pytest.approx(0.728166, abs=1e-5)
    assert bool(case.told.clipped[0])


def test_r6_parity_faint() -> None:
    case = Case(0.03, 0.3, 0.3, parity=True)
    case.reason, case.streak = Exit.FAINT, 1
    assert case.total() == pytest.approx(-0.2)
    assert case.told.clip_adjustment[0] == pytest.approx(2.4249, abs=1e-4)


def test_r7_late_and_snubbed() -> None:
    case = Case()
    case.withheld = 0.02
    case.talk(0, 1, ok=False)
    assert case.total() == pytest.approx(-0.0266, abs=1e-6)
    assert case.told.social_penalty[:2] == pytest.approx([-0.005, -0.0025])


def test_r8_the_cap_of_the_day() -> None:
    case = Case(0.8, 0.7, 0.6)
    case.world.state.ledger.episode_return[0] = -199.999
    assert case.total() == pytest.approx(-0.001, abs=2e-5)
    assert case.told.clip_adjustment[0] == pytest.approx(0.0012, abs=2e-5)
    assert bool(case.told.clipped[0])
    assert case.ledger.episode_return[0] == -200


def test_r9_nothing_good_close_to_death() -> None:
    case = Case(0.02, 0.9, 0.9)
    case.params.reward.needs_weight[:] = 0.01
    case.paid, case.streak = 0.02, 22
    assert case.total() == pytest.approx(0)
    assert case.told.clip_adjustment[0] == pytest.approx(-0.030196, abs=1e-6)
    assert bool(case.told.guard[0])
    assert not case.told.clipped[0]


@pytest.mark.parametrize(
    ("streak", "mortality", "guard"), [(19, True, False), (20, True, True), (29, False, False), (0, True, False)]
)
def test_the_guard_begins_some_ticks_before_a_faint(streak: int, mortality: bool, guard: bool) -> None:
    case = Case(1, 1, 1)
    case.streak, case.mortality = streak, mortality
    assert case.total() == pytest.approx(0 if guard else 0.02)
    assert bool(case.told.guard[0]) is guard


def test_a_streak_of_zero_is_never_guarded() -> None:
    case = Case(1, 1, 1)
    case.params.reward.no_positive_within_death_ticks[...] = 50
    case.streak = 0
    assert case.total() == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("reason", "terminal"),
    [(Exit.FAINT, -5), (Exit.EVICTION_JOB, -5), (Exit.EVICTION_RENT, -5), (Exit.AGE_OUT, -0.5), (Exit.KILLED, 0)],
)
def test_terminals_stand_outside_the_clips(reason: Exit, terminal: float) -> None:
    case = Case(1, 1, 1)
    case.params.reward.age_out_penalty[...] = -0.5
    case.reason = reason
    assert case.total() == pytest.approx(terminal)
    assert case.told.terminal[0] == pytest.approx(terminal)
    assert bool(case.told.guard[0])  # leaving agents earn nothing
    assert case.ledger.episode_return[0] == 0


def test_terminals_inside_the_clips() -> None:
    case = Case(1, 1, 1)
    case.params.reward.clip_terminal[...] = True
    case.reason = Exit.EVICTION_RENT
    assert case.total() == pytest.approx(-0.5)
    assert case.ledger.episode_return[0] == pytest.approx(-0.5)


@pytest.mark.parametrize(("stage", "bonus", "penalty", "avoidance"), [(0, 0, 0, 0), (1, 1, 1, 0), (2, 1, 1, 1)])
def test_social_stages(stage: int, bonus: int, penalty: int, avoidance: int) -> None:
    case = Case()
    case.params.reward.social_stage[...] = stage
    case.avoided = Avoidance.QUEUE_RIVAL
    case.talk(0, 1, quality=0.5)
    case.talk(2, 0, ok=False)
    case.total()
    assert case.told.social_bonus[0] == pytest.approx(0.005 * bonus)
    assert case.told.social_penalty[0] == pytest.approx(-0.0025 * penalty)
    assert case.told.social_avoidance[0] == pytest.approx(0.005 * avoidance)


def test_speakers_and_listeners_share_several_chats() -> None:
    case = Case()
    case.world.tie(0, 1, trust=0.5)
    case.world.tie(0, 2, familiarity=0.5)
    case.talk(0, 1, quality=1.0)
    case.talk(1, 0, quality=0.5)
    case.talk(2, 0, quality=0.2)
    case.talk(3, 0, ok=False)
    case.talk(4, 0, ok=False)
    case.total()
    assert case.told.social_bonus[0] == pytest.approx(0.16 + 0.08 + 0.11 * 0.2)
    assert case.told.social_penalty[[0, 3]] == pytest.approx([-0.005, -0.005])


@pytest.mark.parametrize(("hunger", "bonus"), [(0.1501, 0.005), (0.1499, 0)])
def test_no_bonus_for_the_starving(hunger: float, bonus: float) -> None:
    case = Case(hunger, 0.9, 0.9)
    case.talk(0, 1, quality=0.5)
    case.talk(2, 0, ok=False)
    case.total()
    assert case.told.social_bonus[0] == pytest.approx(bonus)
    assert case.told.social_penalty[0] == pytest.approx(-0.0025)


def test_bias_multiplies_gains_and_divides_losses() -> None:
    case = Case()
    case.world.state.roster.profile[:3] = (SOCIALITE, INDUSTRIOUS, STOIC)
    case.talk(0, 3, ok=False)
    case.shifts.withheld[1] = 0.05
    case.judge()
    assert case.told.social_penalty[0] == pytest.approx(-0.005 / 1.2)
    assert case.told.wage[1] == pytest.approx(-0.05 / 1.25)
    assert case.told.survival[[0, 2]] == pytest.approx([0.02, 0.022])
    case.params.personality.modify_rewards[...] = False
    case.judge()
    assert case.told.social_penalty[0] == pytest.approx(-0.005)
    assert case.told.survival[2] == pytest.approx(0.02)


def test_shaping() -> None:
    case = Case(0.5, 0.5, 0.5)
    case.params.reward.shaping_weight[...] = 2
    case.world.state.ledger.potential[0] = 0.4
    case.total()
    assert case.told.shaping[0] == pytest.approx(2 * (0.99 * 0.5 - 0.4))
    assert case.ledger.potential[0] == pytest.approx(0.5)
    case.reason = Exit.KILLED
    case.total()
    assert case.told.shaping[0] == pytest.approx(-0.8)
    assert case.ledger.potential[0] == 0


def test_potential_weighs_needs() -> None:
    rules = hamlet().params.reward
    level = jnp.array([[1.0, 0, 0], [0, 0.5, 1.0]])
    assert rewards.potential(rules, level).tolist() == pytest.approx([0.10 / 0.24, (0.03 + 0.08) / 0.24])
    assert float(rewards.potential(rules.replace(needs_weight=jnp.zeros(3)), level)[0]) == 0


def test_slots_that_do_not_act_get_nothing() -> None:
    case = Case()
    case.acting = False
    case.world.state.ledger.potential[0] = 0.3
    case.paid = 0.02
    told = case.judge()
    for name in (*NEUTRAL, "shaping", "terminal", "total", "clip_adjustment"):
        assert getattr(told, name)[0] == 0, name
    assert case.ledger.potential[0] == pytest.approx(0.3)
    assert told.total[1] != 0


def test_the_largest_reward_of_a_tick() -> None:
    case = Case()
    case.paid = 9.0
    assert case.total() == pytest.approx(0.5)
    assert case.ledger.episode_return[0] == pytest.approx(0.5)


@pytest.mark.parametrize("daily", [True, False])
def test_the_return_of_the_day_restarts_at_midnight(daily: bool) -> None:
    world = World()
    world.params.reward.daily_episode[...] = daily
    world.freeze_needs()
    world.state.needs.level[:6] = 1
    world.state.economy.wallet[:6] = 50
    world.state.ledger.episode_return[0] = 7
    world.at(1440)
    world.run()
    assert world.state.ledger.episode_return[0] == pytest.approx(0.02 if daily else 7.02)


def test_the_tick_rewards_who_avoids_and_reports_it_all() -> None:
    world = World()
    world.freeze_needs()
    world.intents.avoided[0] = Avoidance.CHAT_RIVAL
    outcomes = world.run()
    assert outcomes.rewards.social_avoidance[:2] == pytest.approx([0.005, 0])
    assert world.out.reward[0] == pytest.approx(0.02 - 0.24 * 0.09 + 0.005)
    assert (world.out.reward[6:] == 0).all()
    assert world.state.roster.last_kind[0] == Kind.WAIT
    assert world.state.roster.profile[0] == BALANCED
