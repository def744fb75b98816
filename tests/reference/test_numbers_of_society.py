"""The reference against the worked numbers of section 16.1: ties, chats, shifts, rent, rewards."""

import pytest

from reference.act import both_ways
from reference.bonds import modified, relationships
from reference.case import Case
from reference.contest import chat_quality
from reference.handmade import BALANCED, INDUSTRIOUS, SITES, SOCIALITE, STOIC
from reference.scene import Scene
from reference.starts import attendance_ratio
from reference.town import clock
from townlet_jax.core.enums import Behaviour, Exit, Kind, Phase, Reason, TieEvent

TRUST, FAMILIARITY, RIVALRY = range(3)
FIRST_JOB, NIGHT_JOB = 0, 1  # 360-599, 1380-179


def scene_of(case: Case) -> Scene:
    """Return the scene of the next tick, to ask one question."""
    return clock(case.params, case.state, case.intents, case.draws)


@pytest.mark.parametrize(("ticks", "rivalry"), [(1, 0.22), (10, 0.175), (44, 0.005), (45, 0.0)])
def test_v12_rivalry_decay(ticks: int, rivalry: float) -> None:
    case = Case()
    case.tie(0, 1, rivalry=0.225)
    case.tick(ticks)
    assert case.state.ties.rivalry[0][1] == pytest.approx(rivalry, abs=2e-6)


@pytest.mark.parametrize(
    ("profile", "rivalry", "avoids"), [(BALANCED, 0.7, True), (STOIC, 0.7, False), (STOIC, 1.0, True)]
)
def test_v13_avoid(profile: int, rivalry: float, avoids: bool) -> None:
    case = Case()
    case.state.roster.profile[0] = profile
    case.tie(0, 1, rivalry=rivalry)
    assert scene_of(case).avoids(0, 1) == avoids


@pytest.mark.parametrize(
    ("profile", "ties", "quality"),
    [
        (BALANCED, (0, 0, 0), 0.5),
        (SOCIALITE, (0, 0, 0), 0.884),
        (STOIC, (0, 0, 0), 0.41),
        (BALANCED, (0.5, 0.4, 0.2), 0.6),
        (SOCIALITE, (1, 1, 0), 1.0),
        (STOIC, (-1, -1, 1), 0.1),
    ],
)
def test_v14_v15_chat_quality(profile: int, ties: tuple[float, float, float], quality: float) -> None:
    case = Case()
    case.state.roster.profile[0] = profile
    case.tie(0, 1, *ties)
    scene = scene_of(case)
    found = chat_quality(scene, 0, 1, scene.behaviour(0, Behaviour.CHAT_PREFERENCE))
    assert found == pytest.approx(quality, abs=1e-6)


@pytest.mark.parametrize(
    ("trust", "familiarity", "probability"), [(0, 0, 0.7), (0.5, 0.4, 0.8694), (1, 1, 1.0), (-1, -1, 0.392)]
)
def test_v16_chat_probability(trust: float, familiarity: float, probability: float) -> None:
    for draw, succeeds in ((probability - 1e-4, True), (probability + 1e-4, False)):
        case = Case()
        case.place(1, 0, 1)
        case.tie(0, 1, trust, familiarity)
        case.draws.agent[0][0] = draw
        case.ask(0, Kind.CHAT, target=1)
        assert case.tick().chats.ok[0] == succeeds


@pytest.mark.parametrize(
    ("profile", "familiarity", "ready"), [(BALANCED, 0.06, 30), (SOCIALITE, 0.072, 23), (STOIC, 0.054, 30)]
)
def test_v17_chat_deltas(profile: int, familiarity: float, ready: int) -> None:
    case = Case()
    case.state.roster.profile[0] = profile
    case.place(1, 0, 1)
    case.ask(0, Kind.CHAT, target=1, quality=0.6)
    case.tick()
    assert case.tie_values(0, 1) == pytest.approx((0.03, familiarity, 0.0), abs=1e-6)
    assert case.tie_values(1, 0) == pytest.approx((0.03, 0.06, 0.0), abs=1e-6)
    assert case.state.ties.chat_ready_tick[0] == 1 + ready


def test_chats_are_refused_for_the_first_failing_reason() -> None:
    case = Case()
    case.params.chat.refused_is_failure = True
    case.place(1, 0, 1)
    case.place(2, 5, 5)
    case.tie(3, 0, rivalry=0.9)
    case.place(3, 1, 1)
    case.place(4, 1, 0)
    case.state.ties.chat_ready_tick[4] = 2
    for a, target in ((0, 0), (1, 2), (3, 0), (4, 0)):
        case.ask(a, Kind.CHAT, target=target)
    outcomes = case.tick()
    reasons = [Reason(outcomes.verdicts.reason[a]) for a in (0, 1, 3, 4)]
    assert reasons == [Reason.NO_TARGET, Reason.OUT_OF_RANGE, Reason.AVOIDED, Reason.CHAT_COOLDOWN]
    assert outcomes.chats.forced_failure == [False, True, False, True, False, False]
    assert case.tie_values(1, 2) == pytest.approx((0.0, -0.05, 0.045), abs=1e-6)


def applied(profile: int, event: TieEvent, factor: float = 1.0) -> tuple[float, float, float]:
    """Return what one event does to the tie of an agent of a profile."""
    case = Case()
    case.state.roster.profile[0] = profile
    scene = scene_of(case)
    both_ways(scene, 0, 1, event, factor)
    return modified(scene, scene.tie_deltas[0])


@pytest.mark.parametrize(("profile", "trust"), [(SOCIALITE, -0.095), (INDUSTRIOUS, -0.105), (STOIC, -0.075)])
def test_v18_shift_taken(profile: int, trust: float) -> None:
    assert applied(profile, TieEvent.SHIFT_TAKEN) == pytest.approx((trust, 0.0, 0.3), abs=1e-6)


@pytest.mark.parametrize(
    ("profile", "rivalry"), [(BALANCED, 0.225), (SOCIALITE, 0.21825), (INDUSTRIOUS, 0.25875), (STOIC, 0.2115)]
)
def test_v19_conflict(profile: int, rivalry: float) -> None:
    assert applied(profile, TieEvent.CONFLICT, 0.15 * 1.5) == pytest.approx((0.0, 0.0, rivalry), abs=1e-6)


def test_v20_sum_clip_decay() -> None:
    case = Case()
    case.tie(0, 1, 0.97, 0.3, 0.02)
    scene = scene_of(case)
    both_ways(scene, 0, 1, TieEvent.CHAT_SUCCESS, 0.8)
    both_ways(scene, 1, 0, TieEvent.CHAT_SUCCESS, 0.5)
    both_ways(scene, 0, 1, TieEvent.QUEUE_POLITE)
    both_ways(scene, 1, 0, TieEvent.CONFLICT, 0.15 * 0.4)
    relationships(scene)
    assert case.tie_values(0, 1) == pytest.approx((1.0, 0.48, 0.025), abs=1e-6)


def test_v21_capacity() -> None:
    case = Case(num_agents=9)
    strengths = (0.5, 0.125, 0.125, 0.125, 1.125, 0.125, 0.375, 1.75)
    for b, strength in enumerate(strengths, start=1):
        case.tie(0, b, trust=strength / 2, familiarity=-strength / 2)
    outcomes = case.tick()
    assert [b for b in range(9) if outcomes.tie_changes.evicted[0][b]] == [4, 6]
    assert case.tie_values(0, 4) == (0.0, 0.0, 0.0)


def test_shared_meal_within_range() -> None:
    case = Case()
    case.params.ties.shared_meal_range = 3
    case.hold(0, 0, 1, remaining=1)
    case.state.ties.last_meal_tick[1] = 5
    case.place(1, 4, 1)
    case.state.ties.last_meal_tick[2] = 4
    case.place(2, 1, 1)
    case.place(3, 5, 5)
    case.at(20)
    outcomes = case.tick()
    shared = [(a, b) for a in range(6) for b in range(6) if outcomes.tie_changes.shared_meal[a][b]]
    assert shared == [(0, 1)]
    assert case.tie_values(1, 0) == pytest.approx((0.1, 0.25, 0.0))
    assert case.state.ties.last_meal_tick[0] == 20


def work_through(case: Case, present: set[int], start: int = 360, ticks: int = 241) -> dict[str, float]:
    """Run one shift of agent 0, at its site in the ticks r of `present`; return the totals."""
    totals = dict.fromkeys(("paid", "withheld", "fine", "punctuality", "AWAIT", "ON_TIME", "LATE", "ABSENT"), 0.0)
    site = SITES[case.state.employment.job[0]]
    case.at(start)
    for r in range(ticks):
        case.place(0, *(site if r in present else (0, 0)))
        case.state.needs.level[0] = [1.0, 1.0, 1.0]
        shifts = case.tick().shifts
        totals["paid"] += shifts.paid[0]
        totals["withheld"] += shifts.withheld[0]
        totals["fine"] += shifts.fine[0]
        totals["punctuality"] += case.out.outcomes.rewards.punctuality[0]
        phase = Phase(case.state.employment.phase[0]).name
        totals[phase] = totals.get(phase, 0) + 1
    assert shifts.finalised[0]
    totals["sample"] = shifts.sample[0]
    return totals


def worker(job: int = FIRST_JOB) -> Case:
    """Return a town in which only agent 0 works."""
    case = Case()
    case.params.lifecycle.mortality = False
    case.params.economy.rent_per_day = 0.0
    case.state.employment.job[0] = job
    case.state.economy.wallet[0] = 100.0
    return case


SHIFTS = {  # name: presence, then paid, withheld, fine, AWAIT, ON_TIME, LATE, ABSENT, sample
    "v22": (set(range(240)), 4.8, 0.0, 0.0, 0, 240, 0, 0, 1.0),
    "v23": (set(range(12, 240)), 4.56, 0.12, 0.13, 6, 0, 234, 0, 0.0),
    "v24": (set[int](), 0.0, 4.68, 0.425, 6, 0, 25, 209, 0.0),
    "v26 away": (set(range(10)) | set(range(30, 240)), 4.4, 0.4, 0.1, 0, 220, 20, 0, 0.916667),
    "v26 leaves": (set(range(8)), 0.16, 4.64, 0.3, 0, 8, 20, 212, 0.033333),
    "v27": (set(range(5, 240)), 4.7, 0.0, 0.0, 5, 235, 0, 0, 0.979167),
    "v25": (set(range(100)) | set(range(110, 240)), 4.6, 0.2, 0.2, 0, 230, 0, 10, 0.958333),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_v22_to_v27_shifts(name: str) -> None:
    present, paid, withheld, fine, await_ticks, on_time, late, absent, sample = SHIFTS[name]
    case = worker()
    totals = work_through(case, present)
    assert totals["paid"] == pytest.approx(paid, abs=1e-5)
    assert totals["withheld"] == pytest.approx(withheld, abs=1e-5)
    assert totals["fine"] == pytest.approx(fine, abs=1e-5)
    assert [totals[phase] for phase in ("AWAIT", "ON_TIME", "LATE", "ABSENT")] == [await_ticks, on_time, late, absent]
    assert totals["POST"] == 1
    assert totals["sample"] == pytest.approx(sample, abs=1e-5)
    assert case.state.economy.wallet[0] == pytest.approx(100 + paid - fine, abs=1e-4)


def test_v22_punctuality_terms() -> None:
    case = worker()
    assert work_through(case, set(range(240)))["punctuality"] == pytest.approx(6.025, abs=1e-4)


def test_v28_midnight_shift() -> None:
    case = worker(NIGHT_JOB)
    totals = work_through(case, set(range(240)), start=1380)
    assert totals["ON_TIME"] == 240
    assert case.state.clock.tick % 1440 == 180


def test_v29_attendance() -> None:
    assert attendance_ratio([1.0, 0.0, 0.958333]) == pytest.approx(0.652778, abs=1e-6)
    assert attendance_ratio([-1.0, -1.0]) == 0


def test_v30_rent() -> None:
    case = Case()
    case.params.lifecycle.suppress_exits = False
    case.params.needs.decay_rate = [0.0] * 3
    case.state.economy.wallet = [5.5, 1.9, 9.0, 9.0, 9.0, 9.0]
    case.at(1440)
    outcomes = case.tick()
    assert case.state.economy.wallet[0] == pytest.approx(3.5)
    assert case.state.economy.unpaid_days[:2] == [0, 1]
    assert outcomes.trades.rent_unpaid[:2] == [False, True]
    case.at(2880)
    outcomes = case.tick()
    assert outcomes.departures.reason[1] == Exit.EVICTION_RENT
    assert case.state.exits.exits_today == 1


def test_helped_and_taken_shifts_move_ties() -> None:
    case = worker()
    case.params.conflict.rivalry_decay = 0.0
    case.state.employment.job[1] = FIRST_JOB
    case.place(1, *SITES[FIRST_JOB])
    case.place(0, 0, 0)
    case.at(360)
    for _ in range(7):
        outcomes = case.tick()
    assert outcomes.shifts.helped[0][1]
    assert case.tie_values(0, 1) == pytest.approx((0.2, 0.1, 0.0), abs=1e-6)
    for _ in range(25):
        outcomes = case.tick()
    assert outcomes.shifts.took_shift[0][1]
    assert outcomes.shifts.absent_told[0]
    assert case.state.employment.absence_day[0][0] == 0
    assert case.tie_values(1, 0) == pytest.approx((0.1, 0.1, 0.3), abs=1e-6)


def test_exit_queue_leaves_in_its_order() -> None:
    case = Case()
    case.params.lifecycle.suppress_exits = False
    exits = case.state.exits
    exits.asked_tick = [5, 4, -1, 5, 6, -1]
    exits.approved[4] = True
    case.at(10)
    outcomes = case.tick()
    assert outcomes.exit_queue.route == [0, 3, 0, 0, 1, 0]
    assert case.state.exits.exits_today == 2
    case.tick()
    assert case.state.roster.alive == [True, False, True, True, False, True]


def test_absence_asks_for_an_exit_even_while_quiet() -> None:
    case = Case()
    case.params.employment.max_absent_shifts = 2
    case.state.perturbations.quiet_until = 99
    case.state.employment.absence_day[0] = [0, 0, -1]
    outcomes = case.tick()
    assert outcomes.exit_queue.pending[0]
    assert outcomes.departures.gone == [False] * 6
    case.at(99)
    assert case.tick().exit_queue.route[0] == 3
