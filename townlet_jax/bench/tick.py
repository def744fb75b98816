"""The speed of the tick: `run_chunk` over many towns, all systems on, under a policy.

Owns one line of the benchmark `tick`: warm-up, calibration, repeats. Agent-ticks count living agents only, read off
at the end of each repeat.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.bench import floor
from townlet_jax.bench.record import REPEATS, Record, repeat
from townlet_jax.config import Built
from townlet_jax.core import batch
from townlet_jax.core.state import TownState
from townlet_jax.policy.interface import given as given_policy
from townlet_jax.policy.scripted import scripted
from townlet_jax.policy.uniform import uniform
from townlet_jax.run import Fleet

POLICIES = ("drawn", "random", "scripted")
LONGEST_GIVEN = 1 << 28  # bytes of drawn actions held at once
SHORTEST_REPEAT = 0.5  # seconds


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is measured."""

    towns: int
    policy: str
    ticks: int
    measure: bool = False  # sums for reports too
    repeats: int = REPEATS


def measure_line(built: Built, line: Line) -> Record:
    """Measure one line and return its record."""
    num_agents = built.spec.num_agents
    ticks = line.ticks if line.policy != "drawn" else longest(line.ticks, line.towns, num_agents)
    policy = policy_of(line.policy)
    fleet = Fleet(built.spec, built.params, policy, towns=line.towns, seed=0, chunk=ticks, measure=line.measure)
    given = None
    if line.policy == "drawn":
        given = fleet.placed_ticks(drawn(ticks, line.towns, num_agents, built.spec.num_actions))
    bytes_per_town = state_bytes(fleet.states) // line.towns
    call = fleet.compiled(given)
    calls = calibrated(fleet, ticks, given)
    living: list[int] = []

    def timed() -> None:
        for _ in range(calls):
            fleet.advance(ticks, given)
        fleet.states.clock.tick.block_until_ready()
        living.append(int(np.count_nonzero(np.asarray(fleet.states.roster.alive))))

    timing = repeat(timed, repeats=line.repeats)
    seconds_per_tick = timing.median / (calls * ticks)
    agents_alive = float(np.mean(living))
    return {
        "bench": "tick",
        "line": f"{line.towns:,} x {num_agents:,}, {line.policy}{', with sums' * line.measure}",
        "towns": line.towns,
        "agents": num_agents,
        "policy": line.policy,
        "measure": line.measure,
        "batch": line.towns,
        "block": fleet.block,
        "devices": fleet.mesh.size if fleet.mesh else 1,
        "ticks": calls * ticks,
        "agent_ticks": round(agents_alive * calls * ticks),
        "seconds": timing.median,
        "seconds_min": timing.fastest,
        "seconds_max": timing.slowest,
        "repeats": timing.repeats,
        "compile_seconds": fleet.compile_seconds,
        "agent_ticks_per_s": agents_alive / seconds_per_tick,
        "us_per_tick": seconds_per_tick * 1e6,
        "state_bytes_per_town": bytes_per_town,
        "observation_bytes_per_agent": built.spec.num_actions if line.policy == "random" else 0,
        "floor_share": floor.share(bytes_per_town * line.towns, seconds_per_tick),
        "hlo_instructions": hlo_instructions(call),
    }


def default_ticks(towns: int) -> int:
    """Return a length of chunk at which neither the call nor the patience of the reader dominates."""
    return max(25, min(1000, 409_600 // towns))


def longest(ticks: int, towns: int, num_agents: int) -> int:
    """Return how many ticks of drawn actions are held at once, at most `ticks`."""
    return max(1, min(ticks, LONGEST_GIVEN // (4 * towns * num_agents)))


def policy_of(name: str) -> batch.Policy:
    """Return the policy of a line."""
    made: dict[str, Callable[[], batch.Policy]] = {"drawn": given_policy, "random": uniform, "scripted": scripted}
    return made[name]()


def drawn(ticks: int, towns: int, num_agents: int, num_actions: int) -> jax.Array:
    """Return flat action ids, legal or not, drawn in bulk: int32 [ticks, towns, agents]."""
    return jax.random.randint(jax.random.key(1), (ticks, towns, num_agents), 0, num_actions, jnp.int32)


def calibrated(fleet: Fleet, ticks: int, given: Any) -> int:
    """Return how many calls make a repeat long enough to be timed; warms up as it goes."""
    fleet.advance(ticks, given)
    fleet.states.clock.tick.block_until_ready()
    began = time.perf_counter()
    fleet.advance(ticks, given)
    fleet.states.clock.tick.block_until_ready()
    return max(1, math.ceil(SHORTEST_REPEAT / (time.perf_counter() - began)))


def state_bytes(states: TownState) -> int:
    """Return the bytes of all leaves; keys count as the words they are made of."""
    return sum(
        jax.random.key_data(leaf).nbytes if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf.nbytes
        for leaf in jax.tree.leaves(states)
    )


def hlo_instructions(compiled: jax.stages.Compiled) -> int:
    """Return the number of instructions of the optimised module."""
    text = compiled.as_text()
    assert text is not None, "every backend we run on prints its modules"
    return sum(" = " in line for line in text.splitlines() if not line.startswith(("HloModule", "//")))
