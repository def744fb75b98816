"""Options as actions: commitments, masks, reports (env.acting, MECHANICS 5.4, 5.5)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core import crowds
from core.worlds import editable, on_device

from env.places import ADA, AGENTS, BEN, CLEO, plain, seeded, small
from townlet_jax.core import batch, legality, town
from townlet_jax.core.enums import NOBODY, Option, Reason
from townlet_jax.core.observe.layout import layout
from townlet_jax.core.params import Params
from townlet_jax.env import EnvState, TimeStep, TownEnv
from townlet_jax.policy import options, scripted, seek, shifts

SPEC, _, NAMES = small("options")
ENV = TownEnv(SPEC)
LAYOUT = layout(SPEC)
SCRIPTED = -9  # given instead of an option: what the scripted policy would propose
TICKS = 120


def numbers(edit: Any = None) -> Params:
    """Return parameters without the scripted policy's overlays: nobody chats, nobody quarrels, so nobody is avoided."""
    params = editable(small("options").params)
    params.behaviour.chat_score_min[...] = 10
    params.conflict.increment[...] = 0
    if edit is not None:
        edit(params)
    made: Params = on_device(params)
    return made


def proposal(params: Params, state: EnvState) -> jax.Array:
    """Return what the scripted policy proposes."""
    look = legality.outlook(params, state.town)
    plans = options.plans(params, state.town, look, seek.survey(params, state.town, look))
    duty = shifts.duty(params, state.town, tick_of_day=look.facts.tick_of_day)
    before = options.forget(state.memory, who=options.strangers(state.town))
    tick_of_day = look.facts.tick_of_day
    return scripted.propose(params, state.town, plans=plans, duty=duty, current=before.option, tick_of_day=tick_of_day)


@jax.jit
def live(params: Params, state: EnvState, given: jax.Array) -> tuple[EnvState, tuple[TimeStep, Any]]:
    """Play the given options [TICKS, A]; return the final state, and timesteps and commitments of all ticks."""

    def step(state: EnvState, wanted: jax.Array) -> tuple[EnvState, tuple[TimeStep, Any]]:
        wanted = jnp.where(wanted == SCRIPTED, proposal(params, state), wanted)
        state, timestep = ENV.step(state, wanted, params)
        return state, (timestep, state.memory)

    return jax.lax.scan(step, state, given)


def starts(edit: Any = None, seed: int = 0) -> EnvState:
    """Return a town at tick 0, edited in NumPy."""
    state = editable(jax.jit(functools.partial(town.init, SPEC))(numbers(), seeded(seed)))
    if edit is not None:
        edit(state)
    return EnvState(town=on_device(state), memory=options.no_commitment(AGENTS))


def given(*rows: dict[int, int]) -> jax.Array:
    """Return proposals tick by tick: options by slot, IDLE for all others."""
    table = np.zeros((TICKS, AGENTS), np.int32)
    for tick, row in enumerate(rows):
        for slot, option in row.items():
            table[tick, slot] = option
    return jnp.asarray(table)


def test_proposing_what_the_scripted_policy_proposes_is_the_scripted_policy() -> None:
    policy = scripted.scripted()
    record = jax.jit(lambda params, state, memory: batch.record(policy, params, state, memory, TICKS))
    params, state = numbers(), starts(seed=4)
    teacher, memory = state.town, policy.init(params, state.town)
    shown: set[int] = set()
    for _ in range(6):
        state, (_, commitments) = live(params, state, jnp.full((TICKS, AGENTS), SCRIPTED, jnp.int32))
        teacher, memory, _, _ = record(params, teacher, memory)
        assert crowds.differences(state.town, teacher) == []
        assert crowds.differences(state.memory, memory) == []
        shown |= set(np.unique(np.asarray(commitments.option)).tolist())
    assert shown >= {Option.GET_FED, Option.GET_CLEAN, Option.SLEEP, Option.SOCIALISE, Option.GO_HOME}


def hungry(town: Any) -> None:
    """Let ada and ben be content but for hunger."""
    town.needs.level[[ADA, BEN]] = (0.5, 0.8, 0.8)


@functools.cache
def committed() -> tuple[TimeStep, Any]:
    """Return the ticks of a town in which ada and ben first want food, and ben wants to go home ever after."""
    rows = [{ADA: Option.GET_FED, BEN: Option.GET_FED}, *({BEN: Option.GO_HOME} for _ in range(TICKS - 1))]
    collected: tuple[TimeStep, Any] = plain(live(numbers(), starts(hungry), given(*rows))[1])
    return collected


def test_a_commitment_outlives_its_proposal() -> None:
    timestep, memory = committed()
    kept = memory.option[:, ADA] == Option.GET_FED
    assert memory.until_tick[0, ADA] == 15
    assert kept[:15].all()
    ate = timestep.observation.features[:, ADA, LAYOUT.index("need_hunger")]
    assert ate.max() > 0.8, "ada got to a meal on a proposal of one tick"


def test_observations_show_the_acting_option() -> None:
    timestep, memory = committed()
    first = LAYOUT.index("option_idle")
    shown = timestep.observation.features[:, :, first : first + len(Option)]
    alive = timestep.observation.valid
    np.testing.assert_array_equal(shown.argmax(axis=-1)[alive], memory.option[alive])
    assert np.all(shown.sum(axis=-1)[alive] == 1)


def test_switches_are_reported() -> None:
    timestep, memory = committed()
    before, after = memory.option[:-1], memory.option[1:]
    switched = (before != after) & (before != Option.IDLE) & (after != Option.IDLE)
    np.testing.assert_array_equal(timestep.measures.switches[1:], switched.sum(axis=1))
    assert timestep.measures.switches.sum() > 0


def test_the_option_mask_tells_what_is_possible() -> None:
    def edit(town: Any) -> None:
        town.employment.job[ADA] = NOBODY
        town.roster.alive[CLEO] = False

    timestep, _ = live(numbers(), starts(edit), given())[1]
    mask = np.asarray(timestep.observation.option_mask)
    assert mask.shape == (TICKS, AGENTS, len(Option))
    assert not mask[:, ADA, Option.GO_TO_WORK].any()
    assert mask[:, BEN, Option.GET_FED].all()
    assert mask[:, :, Option.IDLE].all()
    assert mask[0, CLEO].tolist() == [True] + [False] * 7
    assert ENV.mask(timestep).shape == (TICKS, AGENTS, 8)
    assert timestep.observation.mask.shape == (TICKS, AGENTS, SPEC.num_actions)


def test_ids_that_are_no_option_are_refused_by_the_tick() -> None:
    timestep, memory = plain(live(numbers(), starts(), given({ADA: 8, BEN: -1}))[1])
    assert timestep.measures.refusals[:2, Reason.BAD_INDEX].tolist() == [2, 0]
    assert memory.option[0, [ADA, BEN]].tolist() == [Option.IDLE, Option.IDLE]


def test_the_dead_and_the_possessed_are_committed_to_nothing() -> None:
    def edit(town: Any) -> None:
        town.controls.possessed[ADA] = True
        town.roster.alive[BEN] = False

    rows = [dict.fromkeys((ADA, BEN, CLEO), Option.GET_CLEAN)]
    timestep, memory = plain(live(numbers(), starts(edit), given(*rows))[1])
    assert memory.option[0, :3].tolist() == [Option.IDLE, Option.IDLE, Option.GET_CLEAN]
    assert memory.until_tick[0, :3].tolist() == [0, 0, 15]
    assert timestep.observation.features[0, :3, LAYOUT.index("option_get_clean")].tolist() == [0, 0, 1]
