"""The reference against the reward cases R1 to R9 of section 16.1."""

import pytest

from reference.case import Case
from reference.handmade import INDUSTRIOUS, SITES, SOCIALITE
from townlet_jax.core.enums import Kind, Phase

FIRST_JOB = 0


class RewardCase(Case):
    """A town without decay in which agent 0 is paid what the case says."""

    def __init__(self) -> None:
        super().__init__()
        self.params.needs.decay_rate = [0.0] * 3

    def reward(self, level: list[float]) -> float:
        """Run one tick with these needs; return the reward of agent 0."""
        self.state.needs.level[0] = level
        self.tick()
        return float(self.out.reward[0])


def test_r1_idle() -> None:
    assert RewardCase().reward([0.8, 0.7, 0.6]) == pytest.approx(-0.0022, abs=1e-6)


def test_r2_industrious_at_work() -> None:
    case = RewardCase()
    case.state.roster.profile[0] = INDUSTRIOUS
    work = case.state.employment
    work.job[0], work.shift_start_tick[0], work.flags[0], work.on_time_ticks[0] = FIRST_JOB, 360, 1, 119
    case.place(0, *SITES[FIRST_JOB])
    case.at(360 + 119)
    assert case.reward([0.7, 0.7, 0.7]) == pytest.approx(0.05465, abs=1e-6)
    assert case.out.outcomes.rewards.punctuality[0] == pytest.approx(0.03125, abs=1e-6)


def test_r3_socialite_chats() -> None:
    case = RewardCase()
    case.state.roster.profile[0] = SOCIALITE
    case.place(1, 0, 1)
    case.tie(0, 1, 0.5 - 0.03, 0.4 - 0.072)
    case.ask(0, Kind.CHAT, target=1, quality=0.6)
    assert case.reward([0.7, 0.7, 0.7]) == pytest.approx(0.1712, abs=1e-6)
    assert case.out.outcomes.rewards.social_bonus[0] == pytest.approx(0.1728, abs=1e-6)


def test_r4_faint() -> None:
    case = RewardCase()
    case.state.lifecycle.faint_streak[0] = 29
    assert case.reward([0.0, 0.5, 0.4]) == pytest.approx(-5.1238, abs=1e-6)
    rewards = case.out.outcomes.rewards
    assert rewards.guard[0]
    assert rewards.clip_adjustment[0] == pytest.approx(0.0, abs=1e-6)
    assert case.out.terminated[0]


def parity_rewards() -> RewardCase:
    """Return a town with the reward numbers of the parity preset."""
    case = RewardCase()
    reward = case.params.reward
    reward.needs_weight, reward.survival_tick, reward.clip_per_tick = [1.0, 0.6, 0.8], 0.002, 0.2
    reward.clip_terminal, reward.faint_penalty, reward.clip_per_episode = True, -1.0, 50.0
    case.params.lifecycle.faint_ticks = 1
    return case


def test_r5_parity_clip() -> None:
    case = parity_rewards()
    assert case.reward([0.29, 0.395, 0.492]) == pytest.approx(-0.2, abs=1e-6)
    assert case.out.outcomes.rewards.clip_adjustment[0] == pytest.approx(0.728166, abs=1e-6)
    assert case.out.outcomes.rewards.clipped[0]


def test_r6_parity_faint() -> None:
    case = parity_rewards()
    assert case.reward([0.03, 0.3, 0.3]) == pytest.approx(-0.2, abs=1e-6)
    assert case.out.outcomes.rewards.clip_adjustment[0] == pytest.approx(2.4249, abs=1e-6)


def test_r7_late_and_a_failed_chat() -> None:
    case = RewardCase()
    work = case.state.employment
    work.job[0], work.shift_start_tick[0], work.flags[0], work.phase[0] = FIRST_JOB, 360, 2, int(Phase.LATE)
    case.place(0, 0, 0)
    case.place(1, 0, 1)
    case.draws.agent[0][0] = 0.99
    case.ask(0, Kind.CHAT, target=1)
    case.at(370)
    assert case.reward([0.7, 0.7, 0.7]) == pytest.approx(-0.0266, abs=1e-6)
    assert case.out.outcomes.rewards.social_penalty[1] == pytest.approx(-0.0025, abs=1e-6)


def test_r8_episode_cap() -> None:
    case = RewardCase()
    case.state.ledger.episode_return[0] = -199.999
    assert case.reward([0.8, 0.7, 0.6]) == pytest.approx(-0.001, abs=1e-6)
    assert case.out.outcomes.rewards.clip_adjustment[0] == pytest.approx(0.0012, abs=1e-6)
    assert case.state.ledger.episode_return[0] == pytest.approx(-200)


def test_r9_guard_before_a_faint() -> None:
    case = RewardCase()
    case.params.reward.needs_weight = [0.01] * 3
    case.state.lifecycle.faint_streak[0] = 21
    work = case.state.employment
    work.job[0], work.shift_start_tick[0], work.phase[0] = FIRST_JOB, 360, int(Phase.LATE)
    case.place(0, *SITES[FIRST_JOB])
    case.at(400)
    assert case.reward([0.02, 0.9, 0.9]) == pytest.approx(0.0, abs=1e-6)
    assert case.out.outcomes.rewards.clip_adjustment[0] == pytest.approx(-0.030196, abs=1e-6)
