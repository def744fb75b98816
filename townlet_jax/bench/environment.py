"""The speed of the environment: observations written and consumed in every tick, episodes, accounting.

Every line drives the blocked rollout of `env` with flat actions drawn in bulk, keeps rewards and flags of all steps,
and reads every bit of the observations it asked for. The bare tick of the same run stands beside it.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from townlet_jax.bench import floor
from townlet_jax.bench.record import Record, repeat
from townlet_jax.bench.tick import SHORTEST_REPEAT, Line, drawn, hlo_instructions, longest, measure_line, state_bytes
from townlet_jax.config import Built, Config, build, from_mapping
from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.env import AutoReset, BatchEnv, Decision, Moment, TimeStep, TownEnv, Transition, begin, rollout
from townlet_jax.env.records import Environment
from townlet_jax.run import mesh_for

OBSERVATIONS = ("masks", "compact", "hybrid", "full")  # masks: what is legal, and nothing else


class Masked:
    """An environment whose observations hold the masks alone; what they would have shown is not computed."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @property
    def spec(self) -> Spec:
        """Return the sizes and flags of the town."""
        return self._env.spec

    def reset(self, key: Key[Array, ""], params: Params) -> tuple[Any, TimeStep]:
        """Return a new town."""
        state, timestep = self._env.reset(key, params)
        return state, _blank(timestep)

    def step(self, state: Any, actions: Array, params: Params) -> tuple[Any, TimeStep]:
        """Execute one tick."""
        state, timestep = self._env.step(state, actions, params)
        return state, _blank(timestep)


def _blank(timestep: TimeStep) -> TimeStep:
    def hide(seen: Observation) -> Observation:
        return seen.replace(features=seen.features[:, :0], map=seen.map[:, :0], path=seen.path[:0])

    return timestep.replace(observation=hide(timestep.observation), final=hide(timestep.final))


def run(config: Config, *, towns: int, ticks: int, observations: Sequence[str] = OBSERVATIONS) -> Iterator[Record]:
    """Measure the bare tick and the environment with each kind of observation; `cost` is relative to the bare tick."""
    bare = measure_line(build(config), Line(towns=towns, policy="drawn", ticks=ticks))
    yield bare | {"bench": "environment", "line": f"{bare['line']}, bare tick", "observations": "none", "cost": 1.0}
    for kind in observations:
        variant = "hybrid" if kind == "masks" else kind
        record = measure(_with_variant(config, variant), towns=towns, ticks=ticks, kind=kind)
        yield record | {"cost": record["us_per_tick"] / bare["us_per_tick"]}


def _with_variant(config: Config, variant: str) -> Built:
    data: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    data["spec"] |= {"variant": variant}
    return build(from_mapping(data, source=f"{config.config_id} with variant {variant}"))


def measure(built: Built, *, towns: int, ticks: int, kind: str) -> Record:
    """Measure one line and return its record."""
    spec, mesh = built.spec, mesh_for(towns)
    ticks = longest(ticks, towns, spec.num_agents)
    inner: Environment = TownEnv(spec)
    env = BatchEnv(AutoReset(Masked(inner) if kind == "masks" else inner, "same_step"), mesh=mesh)
    state, timestep = env.reset(0, built.params, towns)
    seen_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(timestep.observation.replace(path=jnp.zeros((towns, 0)))))
    standing = begin(state, timestep, jnp.zeros(towns, jnp.int32))
    given = drawn(ticks, towns, spec.num_agents, spec.num_actions)

    def chunk(params: Params, standing: Any, given: Array) -> Any:
        return rollout(env, consume, params, standing, ticks, given=given, collect=account)

    began = time.perf_counter()
    call = jax.jit(chunk, donate_argnums=1).lower(built.params, standing, given).compile()
    compile_seconds = time.perf_counter() - began
    held = [standing]
    living: list[int] = []

    def once() -> None:
        held[0], _ = call(built.params, held[0], given)
        jax.block_until_ready(held[0].memory)

    began = time.perf_counter()
    once()
    calls = max(1, round(SHORTEST_REPEAT / (time.perf_counter() - began)))

    def timed() -> None:
        for _ in range(calls):
            once()
        living.append(int(np.count_nonzero(np.asarray(held[0].state.town.roster.alive))))

    timing = repeat(timed)
    seconds_per_tick = timing.median / (calls * ticks)
    alive, town_bytes = float(np.mean(living)), state_bytes(held[0].state.town) // towns
    return {
        "bench": "environment",
        "line": f"{towns:,} x {spec.num_agents:,}, drawn, {kind}",
        "towns": towns,
        "agents": spec.num_agents,
        "policy": "drawn",
        "observations": kind,
        "batch": towns,
        "devices": mesh.size if mesh else 1,
        "ticks": calls * ticks,
        "agent_ticks": round(alive * calls * ticks),
        "seconds": timing.median,
        "seconds_min": timing.fastest,
        "seconds_max": timing.slowest,
        "repeats": timing.repeats,
        "compile_seconds": compile_seconds,
        "agent_ticks_per_s": alive / seconds_per_tick,
        "us_per_tick": seconds_per_tick * 1e6,
        "state_bytes_per_town": town_bytes,
        "observation_bytes_per_agent": seen_bytes // (towns * spec.num_agents),
        "floor_share": floor.share(town_bytes * towns, seconds_per_tick, written=seen_bytes),
        "hlo_instructions": hlo_instructions(call),
    }


def consume(params: Params, moment: Moment, memory: Int[Array, ""]) -> Decision:
    """Play the drawn actions, and fold every bit of the observation into the memory."""
    del params
    seen = [leaf for leaf in jax.tree.leaves(moment.observation) if leaf.size]
    return Decision(actions=moment.given, memory=memory ^ sum(map(_folded, seen)))


def _folded(leaf: Array) -> Int[Array, ""]:
    """Fold an array over its agents, then over the rest, as integers."""
    rows = leaf.reshape(leaf.shape[0], -1)
    rows = jax.lax.bitcast_convert_type(rows, jnp.int32) if rows.dtype == jnp.float32 else rows.astype(jnp.uint8)
    folded = jax.lax.reduce(rows, rows.dtype.type(0), jax.lax.bitwise_or, (0,))
    return jnp.sum(folded.astype(jnp.int32), dtype=jnp.int32)


def account(transition: Transition) -> tuple[Array, ...]:
    """Keep what a learner needs of every step besides the observation."""
    step = transition.timestep
    return step.reward, step.terminated, step.truncated, step.valid
