"""The reference against the worked numbers of section 16.1: needs, affordances, queues, goods, prices, draws."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from reference.case import Case
from reference.draws import draws_of, integer, stream
from reference.handmade import (
    BALANCED,
    BED,
    COOK_MEAL,
    EAT_MEAL,
    INDUSTRIOUS,
    MEALS,
    RAW,
    REST_SLEEP,
    SOCIALITE,
    STOIC,
    USE_SHOWER,
)
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Exit, Kind, Need, Reason, Stream

SHOWER_AT, STOVE_AT, BED_AT, FRIDGE_AT = 4, 2, 3, 0  # objects


def near(*values: float) -> object:
    """Return what a sequence of amounts must be."""
    return pytest.approx(list(values), abs=2e-6)


def test_v1_decay() -> None:
    case = Case()
    case.state.needs.level[0] = [1.0, 1.0, 1.0]
    case.tick(100)
    assert case.state.needs.level[0] == near(0.9, 0.95, 0.93)


@pytest.mark.parametrize(
    ("profile", "need", "level"),
    [(STOIC, Need.HUNGER, 0.405), (SOCIALITE, Need.HYGIENE, 0.445), (INDUSTRIOUS, Need.ENERGY, 0.437)],
)
def test_v2_decay_by_personality(profile: int, need: Need, level: float) -> None:
    case = Case()
    case.state.roster.profile[0] = profile
    case.state.needs.level[0] = [0.5, 0.5, 0.5]
    case.tick(100)
    assert case.state.needs.level[0][need] == pytest.approx(level, abs=2e-6)


@pytest.mark.parametrize(("hunger", "death"), [(1.0, 97), (0.5, 47)])
def test_v3_faint_of_parity(hunger: float, death: int) -> None:
    case = Case()
    case.params.needs.decay_rate = [0.01, 0.005, 0.008]
    case.params.lifecycle.faint_ticks = 1
    case.state.needs.level[0][0] = hunger
    case.tick(death - 1)
    assert case.state.roster.alive[0]
    outcomes = case.tick()
    assert outcomes.departures.reason[0] == Exit.FAINT
    assert not case.state.roster.alive[0]


def test_v4_faint_of_default() -> None:
    case = Case()
    case.state.needs.level[0][0] = 0.5305
    case.tick(500)
    assert case.state.lifecycle.faint_streak[0] == 0
    case.tick()
    assert case.state.lifecycle.faint_streak[0] == 1
    assert case.state.needs.level[0][0] == pytest.approx(0.0295, abs=2e-6)
    case.tick(28)
    assert case.state.roster.alive[0]
    assert case.tick().departures.reason[0] == Exit.FAINT
    assert case.state.clock.tick == 530


def test_v5_finish_effect_then_decay() -> None:
    case = Case()
    case.hold(0, SHOWER_AT, USE_SHOWER, remaining=1)
    case.state.needs.level[0] = [0.7, 0.4, 0.5]
    case.tick()
    assert case.state.needs.level[0][1:] == near(0.8495, 0.4693)


def test_v6_early_release() -> None:
    case = Case()
    case.params.needs.decay_rate = [0.0, 0.0, 0.0]
    case.hold(0, SHOWER_AT, USE_SHOWER, remaining=20)
    case.state.needs.level[0] = [0.7, 0.4, 0.5]
    case.ask(0, Kind.RELEASE, object_id=SHOWER_AT)
    outcomes = case.tick()
    assert case.state.needs.level[0][1:] == near(0.55, 0.49)
    assert outcomes.early_finishes.fraction[0] == pytest.approx(1 / 3)
    assert case.state.queues.cooldown_until[SHOWER_AT][0] == 61
    assert case.state.tally.count[0][4] == 0


def test_release_without_success_has_no_effect() -> None:
    case = Case()
    case.params.needs.decay_rate = [0.0, 0.0, 0.0]
    case.hold(0, SHOWER_AT, USE_SHOWER, remaining=20)
    case.state.queues.cooldown_until[SHOWER_AT][0] = 99
    case.ask(0, Kind.RELEASE, object_id=SHOWER_AT, success=False)
    outcomes = case.tick()
    assert case.state.needs.level[0] == near(0.7, 0.7, 0.7)
    assert outcomes.aborts.reason[0] == Abort.RELEASED
    assert case.state.queues.cooldown_until[SHOWER_AT][0] == 0


def test_v7_timing() -> None:
    case = Case()
    case.at(100)
    case.place(0, 1, 1)
    case.ask(0, Kind.USE, object_id=FRIDGE_AT, affordance=EAT_MEAL)
    outcomes = case.tick()
    assert outcomes.verdicts.ok[0]
    assert case.state.activities.remaining[0] == 14
    assert case.state.economy.wallet[0] == pytest.approx(2.6)
    assert case.tick(13).finishes.affordance[0] == NOBODY
    assert case.tick().finishes.affordance[0] == EAT_MEAL
    assert case.state.clock.tick == 114
    assert case.state.queues.cooldown_until[FRIDGE_AT][0] == 174
    case.at(173)
    case.ask(0, Kind.REQUEST, object_id=FRIDGE_AT)
    assert case.tick().verdicts.reason[0] == Reason.COOLDOWN
    case.ask(0, Kind.REQUEST, object_id=FRIDGE_AT)
    assert case.tick().verdicts.ok[0]


@pytest.mark.parametrize(("waits", "winner"), [((0, 10, 25), 2), ((0, 10, 0), 0)])
def test_v8_grant(waits: tuple[int, ...], winner: int) -> None:
    case = Case()
    case.at(50)
    for a, wait in enumerate(waits):
        case.wait(a, SHOWER_AT, ticket=a, joined=50 - wait)
    outcomes = case.tick()
    assert [a for a in range(6) if outcomes.grants.act[a] == SHOWER_AT] == [winner]
    assert case.state.queues.holding[winner] == SHOWER_AT


@pytest.mark.parametrize(("waiting", "intensity"), [(1, 1.5), (2, 1.75), (3, 2.0), (20, 5.0)])
def test_v9_ghost_step_intensity(waiting: int, intensity: float) -> None:
    case = Case(num_agents=21)
    case.params.conflict.rivalry_decay = 0.0
    case.params.conflict.impatience_ticks = 0
    case.hold(0, SHOWER_AT)
    case.state.queues.stalls[0] = 2
    for a in range(1, waiting + 1):
        case.wait(a, SHOWER_AT, ticket=a, joined=0)
    outcomes = case.tick()
    assert outcomes.conflicts.intensity_ghost[0] == pytest.approx(intensity)
    assert outcomes.conflicts.rival_ghost[0] == 1
    assert outcomes.conflicts.length_ghost[0] == waiting
    assert case.state.ties.rivalry[0][1] == pytest.approx(0.15 * intensity)
    assert case.state.ties.rivalry[1][0] == pytest.approx(0.15 * intensity)


def test_v10_ghost_step_timing() -> None:
    case = Case()
    case.params.conflict.impatience_ticks = 0
    case.at(10)
    for a in (0, 1):
        case.wait(a, SHOWER_AT, ticket=a, joined=9)
    case.tick()
    assert case.state.queues.holding[0] == SHOWER_AT
    assert case.state.queues.stalls[0] == 1
    case.tick()
    assert case.state.queues.stalls[0] == 2
    outcomes = case.tick()
    assert outcomes.grants.ghost[1] == SHOWER_AT
    assert case.state.queues.holding[1] == SHOWER_AT
    assert case.state.queues.waiting[0] == SHOWER_AT
    assert case.state.queues.joined_tick[0] == 12
    assert case.state.queues.stalls[:2] == [0, 0]
    assert (case.state.queues.ghost_steps, case.state.queues.rotations) == (1, 1)


@pytest.mark.parametrize(("waiting", "intensity"), [(1, 0.4), (2, 0.65), (3, 0.9)])
def test_v11_impatience(waiting: int, intensity: float) -> None:
    case = Case()
    case.params.conflict.rivalry_decay = 0.0
    case.hold(0, SHOWER_AT, USE_SHOWER, remaining=25)
    case.at(20)
    for a in range(1, waiting + 1):
        case.wait(a, SHOWER_AT, ticket=a, joined=10 if a == 1 else 15)
    outcomes = case.tick()
    assert outcomes.conflicts.rival_wait[:3] == [NOBODY, 0, NOBODY]
    assert outcomes.conflicts.intensity_wait[1] == pytest.approx(intensity)
    assert case.state.ties.rivalry[0][1] == pytest.approx(0.15 * intensity)


def test_v11_impatience_alone_for_thirty_ticks() -> None:
    case = Case()
    case.hold(0, BED_AT, REST_SLEEP, remaining=180)
    case.at(1)
    case.wait(1, BED_AT, ticket=0, joined=0)
    case.tick(30)
    assert case.state.ties.rivalry[1][0] == pytest.approx(0.075, abs=2e-6)


def test_utility_off_ends_a_shower_without_effect() -> None:
    case = Case()
    case.params.needs.decay_rate = [0.0, 0.0, 0.0]
    case.hold(0, SHOWER_AT, USE_SHOWER, remaining=1)
    case.state.perturbations.until_tick[1] = 9
    outcomes = case.tick()
    assert outcomes.aborts.reason[0] == Abort.UTILITY_OFF
    assert case.state.needs.level[0] == near(0.7, 0.7, 0.7)
    assert case.state.queues.holding[0] == NOBODY
    assert case.out.measures.aborts == [0, 1, 0, 0, 0, 0, 0, 0]


def test_cooking_fills_the_linked_fridge() -> None:
    case = Case()
    case.hold(0, STOVE_AT, COOK_MEAL, remaining=1)
    outcomes = case.tick()
    assert case.state.economy.stock[FRIDGE_AT][MEALS] == 8
    assert outcomes.finishes.sink[0] == [FRIDGE_AT, NOBODY]
    assert case.state.tally.count[0][1] == 2


def test_v31_restock() -> None:
    case = Case()
    case.state.economy.stock[STOVE_AT][RAW] = 6.0
    case.at(300)
    case.tick()
    assert case.state.economy.stock[STOVE_AT][RAW] == 8
    case.state.economy.stock[STOVE_AT][RAW] = 3.0
    case.at(300 + 1440)
    case.tick()
    assert case.state.economy.stock[STOVE_AT][RAW] == 7
    due = []
    for tick in range(1, 1440, 1):
        case.at(tick)
        if sum(row[MEALS] for row in case.tick().trades.restocked) > 0:
            due.append(tick)
            case.state.economy.stock[FRIDGE_AT][MEALS] = 0.0
        case.state.needs.level = [[1.0] * 3 for _ in range(6)]
    assert due == [360, 840, 1320]


def test_v32_spikes_multiply() -> None:
    case = Case()
    case.params.perturbation.kind[1] = 0
    case.params.perturbation.price_mask[1][0] = True
    case.state.perturbations.until_tick[:2] = [99, 99]
    case.state.perturbations.magnitude[:2] = [1.5, 1.2]
    outcomes = case.tick()
    assert outcomes.trades.price_now == near(0.72, 0.15, 0.2)


def test_v34_successor() -> None:
    case = Case()
    case.params.queue.age_priority_weight = 0.0
    case.hold(0, SHOWER_AT, USE_SHOWER, remaining=1)
    for a in (1, 2, 3):
        case.wait(a, SHOWER_AT, ticket=a, joined=0)
    case.tie(0, 1, 0.0, 0.1, 0.2)
    case.tie(0, 2, 0.3, 0.2, 0.1)
    case.tie(0, 3, 0.2, 0.3, 0.0)
    outcomes = case.tick()
    assert outcomes.handovers.successor[0] == 3
    assert outcomes.handovers.rotated[0]
    assert case.state.queues.holding[3] == SHOWER_AT
    assert case.state.queues.rotations == 1


@pytest.mark.parametrize(
    ("tick", "third_taken", "slot", "forced"), [(500, False, 3, 0), (2099, True, 2, 1), (2100, True, 2, 0)]
)
def test_v35_allocator(tick: int, third_taken: bool, slot: int, forced: int) -> None:
    case = Case(num_agents=4)
    embeddings = case.state.embeddings
    embeddings.released_tick = [NEVER, NEVER, 100, NEVER]
    embeddings.slot = [0, 1, 3 if third_taken else NOBODY, NOBODY]
    case.state.roster.alive = [True, True, third_taken, False]
    case.state.lifecycle.respawn_tick[3] = 1
    case.at(tick)
    case.tick()
    assert case.state.embeddings.slot[3] == slot
    assert case.state.embeddings.forced_reuses == forced


def test_v39_streams() -> None:
    def words(key: jax.Array) -> list[int]:
        return [int(word) for word in np.asarray(jax.random.key_data(key))]

    assert words(stream(jax.random.key(0), 1, Stream.PERTURB)) == [3152301319, 792466127]
    assert words(stream(jax.random.key(0), 0, Stream.RESET)) == [4165894930, 804218099]
    assert words(jax.random.fold_in(jax.random.key(7), 3)) == [276534068, 1641862660]


def test_v42_v43_draws() -> None:
    chats = draws_of([0, 0], 5, 6, 5).agent
    assert [row[0] for row in chats[:4]] == pytest.approx([0.723714, 0.695374, 0.899595, 0.949752], abs=1e-6)
    delays = draws_of([0, 0], 999, 6, 5).agent
    assert [integer(row[1], 5, 20) for row in delays] == [10, 14, 5, 12, 20, 9]


EVENTS = {  # tick: spec, until, cooldown_until, magnitude (V44)
    2340: (3, 2371, 3211, 1.0),
    3008: (4, 3053, 4013, 1.0),
    7433: (0, 7515, 8235, 1.69531),
    9303: (3, 9339, 10179, 1.0),
    9832: (4, 9878, 10838, 1.0),
}


def test_v44_perturbations() -> None:
    case = Case(num_agents=3)
    case.params.lifecycle.mortality = False
    case.params.economy.rent_per_day = 0.0
    case.params.perturbation.agent_cooldown_ticks = 0
    case.params.perturbation.prob_per_day[5] = 0.0
    for first, last in ((2300, 2380), (3000, 3060), (7430, 7440), (9300, 9310), (9830, 9835)):
        case.at(first)
        for tick in range(first, last):
            case.draws = draws_of([0, 0], tick, 3, 6)
            started = case.tick().shocks.started
            if tick not in EVENTS:
                assert not any(started), tick
                continue
            v, until, cooldown, magnitude = EVENTS[tick]
            assert [w for w in range(6) if started[w]] == [v]
            assert case.state.perturbations.until_tick[v] == until
            assert case.state.perturbations.cooldown_until[v] == cooldown
            assert case.state.perturbations.magnitude[v] == pytest.approx(magnitude, abs=1e-5)


def test_v45_window() -> None:
    case = Case()
    v = 1
    case.params.perturbation.cooldown_ticks[v] = 0
    case.params.perturbation.global_cooldown_ticks = 0
    case.draws.perturbation[v] = [0.0] * 4
    case.state.perturbations.fired_tick[v] = [900, 100, NEVER, NEVER]
    case.at(1539)
    assert not case.tick().shocks.started[v]
    assert case.tick().shocks.started[v]


def test_v48_best_object_prefers_the_nearer_free_one() -> None:
    case = Case()
    case.place(0, 2, 1)
    case.params.world.interaction_range = 2
    case.intents.flat[0] = 5 + EAT_MEAL
    assert case.tick().starts.object[0] == FRIDGE_AT


def test_balanced_sleepers_are_refused_above_the_limit() -> None:
    case = Case()
    case.state.roster.profile[0] = BALANCED
    case.state.needs.level[0][Need.ENERGY] = 0.98
    case.place(0, 1, 4)
    case.ask(0, Kind.USE, object_id=BED_AT, affordance=REST_SLEEP)
    outcomes = case.tick()
    assert outcomes.verdicts.reason[0] == Reason.PRECONDITION
    assert outcomes.verdicts.detail[0] == 0
    assert case.state.queues.holding[0] == NOBODY
    assert case.params.world.object_type[BED_AT] == BED


def test_draws_given_and_computed_agree() -> None:
    case = Case()
    case.state.key = [3, 4]
    given = draws_of([3, 4], 1, 6, 6)
    assert isinstance(given, SimpleNamespace)
    assert 0 <= given.agent[5][3] < 1
