"""Fainting, leaving, coming back, identity slots (MECHANICS 4.1.2, 4.6.1, 4.6.3, 4.6.7; 16.1 V3, V4, V35, V43)."""

import jax
import jax.numpy as jnp
import pytest

from core.worlds import BENCH, HOMES, REST_BENCH, World
from townlet_jax.core.enums import NEVER, NOBODY, Abort, Exit
from townlet_jax.core.params import EmbeddingParams
from townlet_jax.core.state import Embeddings
from townlet_jax.core.systems import lifecycle


@pytest.mark.parametrize(("hunger", "death"), [(1.0, 97), (0.5, 47)])
def test_v3_faint_of_parity(hunger: float, death: int) -> None:
    world = World()
    world.params.needs.decay_rate[:] = (0.01, 0.005, 0.008)
    world.params.lifecycle.faint_ticks[...] = 1
    world.state.needs.level[0, 0] = hunger
    world.state.needs.level[1:6] = 1
    world.run(death - 1)
    assert bool(world.state.roster.alive[0])
    outcomes = world.run()
    assert outcomes.departures.reason[0] == Exit.FAINT
    assert not world.state.roster.alive[0]


def test_v4_faint_of_default() -> None:
    world = World()
    world.state.needs.level[0, 0] = 0.5305
    world.run(500)
    assert world.state.lifecycle.faint_streak[0] == 0
    world.run()
    assert world.state.lifecycle.faint_streak[0] == 1
    assert world.state.needs.level[0, 0] == pytest.approx(0.0295, abs=1e-5)
    world.run(28)
    assert bool(world.state.roster.alive[0])
    assert world.run().departures.reason[0] == Exit.FAINT
    assert int(world.state.clock.tick) == 530


def test_eating_ends_the_streak_and_mortality_can_be_off() -> None:
    world = World()
    world.state.lifecycle.faint_streak[0] = 20
    world.run()
    assert world.state.lifecycle.faint_streak[0] == 0
    world.state.needs.level[0, 0] = 0
    world.state.controls.mortality[...] = False
    world.state.lifecycle.faint_streak[0] = 50
    world.run()
    assert bool(world.state.roster.alive[0])
    assert world.state.lifecycle.faint_streak[0] == 51


def _embeddings(slot: list[int], released: list[int]) -> Embeddings:
    return Embeddings(
        slot=jnp.asarray(slot, jnp.int32),
        released_tick=jnp.asarray(released, jnp.int32),
        allocations=jnp.int32(10),
        forced_reuses=jnp.int32(1),
    )


ALLOCATE = jax.jit(
    lambda given, arrived, tick: lifecycle.allocate(
        EmbeddingParams(cooldown_ticks=jnp.int32(2000), reuse_warning=jnp.float32(0.05)),
        given,
        arrived=arrived,
        tick=tick,
    )
)


@pytest.mark.parametrize(
    ("released", "tick", "slot", "forced"),
    [
        ([NEVER, NEVER, 100, NEVER], 500, 3, 0),
        ([NEVER, NEVER, 100, 99], 2098, 3, 1),
        ([NEVER, NEVER, 100, 2099], 2099, 2, 1),
        ([NEVER, NEVER, 100, 2099], 2100, 2, 0),
        ([NEVER, NEVER, 100, 100], 2100, 2, 0),
    ],
)
def test_v35_allocator(released: list[int], tick: int, slot: int, forced: int) -> None:
    after = ALLOCATE(_embeddings([0, 1, NOBODY], released), jnp.array([False, False, True]), jnp.int32(tick))
    assert after.slot.tolist() == [0, 1, slot]
    assert (int(after.allocations), int(after.forced_reuses)) == (11, 1 + forced)


def test_several_arrivals_get_slots_in_slot_order_until_none_is_left() -> None:
    before = _embeddings([NOBODY, 0, NOBODY], [NEVER, 7, 9, 8])
    after = ALLOCATE(before, jnp.array([True, False, True]), jnp.int32(10))
    assert after.slot.tolist() == [1, 0, 3]
    assert (int(after.allocations), int(after.forced_reuses)) == (12, 3)


def test_an_exhausted_allocator_gives_nothing() -> None:
    before = _embeddings([0, 1, 2, 3, NOBODY], [NEVER] * 4)
    after = ALLOCATE(before, jnp.array([False] * 4 + [True]), jnp.int32(1))
    assert after.slot.tolist() == [0, 1, 2, 3, NOBODY]
    assert int(after.forced_reuses) == 1


def test_v43_respawn_delays() -> None:
    world = World()
    world.seed(jax.random.key(0))
    world.at(999)
    world.state.lifecycle.condemned[:6] = 1
    outcomes = world.run()
    assert outcomes.departures.respawn_tick[:6].tolist() == [999 + delay for delay in (10, 14, 5, 12, 20, 9)]
    assert world.state.lifecycle.respawn_tick[:6].tolist() == [1009, 1013, 1004, 1011, 1019, 1008]
    assert (outcomes.departures.respawn_tick[6:] == NEVER).all()


def test_a_kill_with_and_without_return() -> None:
    world = World()
    world.state.controls.respawn_min[...] = world.state.controls.respawn_max[...] = 0
    world.state.lifecycle.condemned[:2] = (1, 2)
    outcomes = world.run()
    assert outcomes.departures.reason[:2].tolist() == [Exit.KILLED, Exit.KILLED]
    assert world.state.lifecycle.respawn_tick[:2].tolist() == [1, NEVER]
    assert world.state.lifecycle.condemned[:2].tolist() == [0, 0]
    assert outcomes.rewards.terminal[:2].tolist() == [0, 0]
    outcomes = world.run()  # never before the next tick
    assert outcomes.arrivals.arrived.nonzero()[0].tolist() == [0]
    assert (world.state.roster.uid[0], world.state.roster.generation[0]) == (24, 1)


def test_leaving_empties_the_slot_but_keeps_job_home_and_identity() -> None:
    world = World()
    state = world.state
    state.employment.job[0], state.roster.home[0] = 2, 1
    state.roster.generation[0] = 4
    state.controls.possessed[0] = True
    world.hold(0, BENCH, REST_BENCH, remaining=9)
    state.tally.count[0] = 5
    state.tally.earned[0] = state.tally.spent[0] = state.tally.withheld[0] = 5
    state.employment.attendance[0] = 1
    state.employment.absence_day[0] = 3
    state.employment.late_today[0] = state.employment.flags[0] = 9
    state.queues.cooldown_until[:, 0] = 99
    state.perturbations.member[3, 0] = True
    state.perturbations.agent_cooldown_until[0] = 99
    state.clock.episode_tick[0] = 7
    state.ledger.episode_return[0] = 3
    state.lifecycle.condemned[0] = 2
    outcomes = world.run()
    state = world.state
    assert (outcomes.aborts.reason[0], outcomes.aborts.object[0]) == (Abort.DEPARTED, BENCH)
    assert world.out.measures.aborts[Abort.DEPARTED] == 1
    assert (state.employment.job[0], state.roster.home[0], state.roster.generation[0]) == (2, 1, 4)
    assert (state.roster.uid[0], bool(state.controls.possessed[0])) == (0, True)
    assert tuple(state.roster.position[0]) == HOMES[1]
    assert (state.roster.born_tick[0], state.lifecycle.died_tick[0]) == (NEVER, 1)
    assert (state.queues.holding[0], state.activities.affordance[0], state.activities.remaining[0]) == (-1, -1, 0)
    assert not state.tally.count[0].any()
    assert (state.tally.earned[0], state.tally.withheld[0], state.tally.spent[0]) == (0, 0, 0)
    assert (state.employment.attendance[0] == -1).all()
    assert (state.employment.absence_day[0] == NEVER).all()
    assert (state.employment.late_today[0], state.employment.flags[0]) == (0, 0)
    assert not state.queues.cooldown_until[:, 0].any()
    assert not state.perturbations.member[:, 0].any()
    assert state.perturbations.agent_cooldown_until[0] == 0
    assert (state.clock.episode_tick[0], state.ledger.episode_return[0], state.ledger.potential[0]) == (0, 0, 0)
    assert (state.economy.wallet[0], state.needs.level[0].tolist()) == (0, [0, 0, 0])
    assert (state.embeddings.slot[0], state.embeddings.released_tick[0]) == (NOBODY, 1)


def test_a_freed_identity_is_not_given_away_while_fresh_ones_are_left() -> None:
    world = World()
    world.state.lifecycle.condemned[0] = 2
    world.state.lifecycle.respawn_tick[9] = 2
    world.run(2)
    assert world.state.embeddings.slot[9] == 6
    assert int(world.state.embeddings.allocations) == 7


def test_terminated_truncated_valid() -> None:
    world = World()
    world.params.clock.horizon_ticks[...] = 10
    world.at(10)
    world.state.lifecycle.condemned[0] = 1
    world.state.lifecycle.respawn_tick[7] = 10
    world.run()
    assert world.out.terminated[:8].tolist() == [True] + [False] * 7
    assert world.out.truncated[:8].tolist() == [False, True, True, True, True, True, False, False]
    assert world.out.valid[:8].tolist() == [True] * 6 + [False, False]
    world.run()
    assert not world.out.truncated.any()
    assert world.out.valid[[0, 7]].tolist() == [False, True]
    world.params.clock.horizon_ticks[...] = 0
    world.at(20)
    world.run()
    assert not world.out.truncated.any()


def test_episode_ticks_go_round_with_the_day() -> None:
    world = World()
    world.state.clock.episode_tick[:2] = (1438, 1439)
    world.run()
    assert world.state.clock.episode_tick[:3].tolist() == [1439, 0, 1]
    assert (world.state.clock.episode_tick[6:] == 0).all()
