"""The shipped scenarios end with the totals of the rule book (14.9)."""

from pathlib import Path

import jax
import numpy as np
import pytest

from townlet_jax.config import build, load
from townlet_jax.core import batch, rng, town
from townlet_jax.policy.schedule import schedule
from townlet_jax.policy.timetable import compile_schedule


@pytest.mark.parametrize(
    ("name", "ticks", "total", "wallets"),
    [
        ("kitchen_breakfast", 40, -8.0, None),
        ("queue_conflict", 80, -16.0, None),
        ("employment_punctuality", 80, -16.0, [1.63, 1.145]),
        ("rivalry_decay", 50, -10.0, None),
        ("observation_baseline", 20, -4.0, None),
    ],
)
def test_scenarios_reach_their_totals(
    root: Path, name: str, ticks: int, total: float, wallets: list[float] | None
) -> None:
    spec, params, names = build(load(root / "configs" / "scenarios" / f"{name}.yaml"))
    table = compile_schedule(
        names.scenario.schedules, names, num_agents=spec.num_agents, blocked=np.asarray(params.world.blocked)
    )
    policy = schedule(table)
    state = town.init(spec, params, rng.town_key(0, 0))
    play = jax.jit(lambda start, memory: batch.record(policy, params, start, memory, ticks))
    end, _, _, output = play(state, policy.init(params, state))
    np.testing.assert_allclose(output.reward.sum(axis=0), total, atol=1e-4)
    if wallets is not None:
        np.testing.assert_allclose(end.economy.wallet, wallets, atol=1e-5)
