"""The default town under the scripted policy lives thirty days (MECHANICS 16.3)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from townlet_jax.config import build, load
from townlet_jax.core import batch, rng, town
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.policy.scripted import scripted

DAY, DAYS, SEEDS = 1440, 30, 6
Sums = dict[str, Any]


def watched(before: Sums, state: TownState, output: Any) -> Sums:
    """Add one tick of every town to what is watched."""
    measures, shifts = output.measures, output.outcomes.shifts
    now = {
        "faints_and_exits": jnp.sum(measures.exits[:, 1:], axis=1),
        "unpaid_rents": measures.rent_unpaid,
        "late_starts": measures.late_starts,
        "absent_shifts": measures.absences,
        "chats": measures.chats_ok,
        "impatience": measures.impatience,
        "ghost_steps": measures.ghost_steps,
        "spent": measures.coins_spent + measures.rent_paid,
        "on_time": jnp.sum(shifts.on_time_ticks, axis=1),
        "shift_ticks": jnp.sum(shifts.length, axis=1),
        "shifts": jnp.sum(shifts.finalised, axis=1),
    }
    sums = {name: before[name] + value.astype(jnp.float32) for name, value in now.items()}
    sums["lowest_need"] = jnp.minimum(before["lowest_need"], jnp.min(state.needs.level, axis=(1, 2)))
    sums["poorest"] = jnp.minimum(before["poorest"], jnp.min(state.economy.wallet, axis=1))
    return sums


NAMES = (
    "faints_and_exits",
    "unpaid_rents",
    "late_starts",
    "absent_shifts",
    "chats",
    "impatience",
    "ghost_steps",
    "spent",
    "on_time",
    "shift_ticks",
    "shifts",
)


def live(params: Params, spec: Any) -> tuple[TownState, dict[str, Any]]:
    """Let the first town of six seeds live; return their last states and what was watched."""
    policy = scripted()
    keys = jnp.stack([rng.town_key(seed, 0) for seed in range(SEEDS)])
    states = jax.jit(jax.vmap(lambda key: town.init(spec, params, key)))(keys)
    sums = {name: jnp.zeros(SEEDS) for name in NAMES}
    sums |= {"lowest_need": jnp.ones(SEEDS), "poorest": jnp.full(SEEDS, jnp.inf)}

    def step(carry: tuple[Any, Any, Sums], _: None) -> tuple[tuple[Any, Any, Sums], None]:
        before, memory, seen = carry
        intents, memory = jax.vmap(policy.act, in_axes=(None, 0, 0, None))(params, before, memory, None)
        after, output = batch.step_batch(params, before, intents)
        return (after, memory, watched(seen, after, output)), None

    run = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=DAY)[0])
    carry = (states, batch.init_memory(policy, params, states), sums)
    for _ in range(DAYS):
        carry = run(carry)
    return carry[0], {name: np.asarray(value) for name, value in carry[2].items()}


@pytest.mark.slow
@pytest.mark.parametrize("perturbed", [False, True])
def test_thirty_days(perturbed: bool) -> None:
    spec, params, _ = build(load("default"))
    events = params.perturbation
    chance = events.prob_per_day if perturbed else jnp.zeros_like(events.prob_per_day)
    state, seen = live(params.replace(perturbation=events.replace(prob_per_day=chance)), spec)
    agent_days = spec.num_agents * DAYS
    assert seen["faints_and_exits"].tolist() == [0] * SEEDS
    assert seen["unpaid_rents"].tolist() == [0] * SEEDS
    assert (seen["late_starts"] <= 2 * perturbed).all()
    assert seen["absent_shifts"].tolist() == [0] * SEEDS
    assert seen["shifts"].tolist() == [agent_days] * SEEDS
    assert (seen["on_time"] / seen["shift_ticks"] >= (0.999 if perturbed else 1.0)).all()
    assert (seen["lowest_need"] > (0.2 if perturbed else 0.3)).all()
    assert (seen["poorest"] > 1.7).all()
    assert (np.asarray(state.economy.wallet) > 20.0).all()
    assert (np.abs(seen["spent"] / agent_days - 4.04) < 0.06).all()
    assert ((seen["chats"] / agent_days > 8.5) & (seen["chats"] / agent_days < 17.0)).all()
    assert ((seen["impatience"] / DAYS > 7.0) & (seen["impatience"] / DAYS < 13.0)).all()
    assert (seen["ghost_steps"] <= 6).all()
    assert np.asarray(state.faults).tolist() == [0] * SEEDS
