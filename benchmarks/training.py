"""`python -m benchmarks.training SETTINGS [KEY.SUB=VALUE ...]`: how fast training is, against its network alone.

Whole updates, rollouts, and the network's passes on stored data (forward over every step, then the passes of the
update) take turns on the same machine. One JSON line goes to benchmarks/results/.
"""

import argparse
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from townlet_jax import runtime
from townlet_jax.bench.record import REPEATS, Record, append, default_file, provenance
from townlet_jax.core.batch import AXIS
from townlet_jax.env import BatchEnv, TownEnv
from townlet_jax.policy import network
from townlet_jax.snapshots import processes
from train import building, experience, reading, selection
from train.learner import judge
from train.update import learn

EVERYWHERE, TOWNS, STEPS = PartitionSpec(), PartitionSpec(AXIS), PartitionSpec(None, AXIS)
MATERIAL = (STEPS, TOWNS)  # all but its memory, and that


def measure(file: str, overrides: Sequence[str]) -> Record:
    """Measure one learner and return the record."""
    settings = reading.load(file, [*overrides, "ppo.target_kl=0"])  # every update makes all its passes
    setup = building.set_up(settings)
    net, built, mesh = setup.network, setup.built, setup.mesh
    shape = building.shape_of(settings, built, mesh)
    env = BatchEnv(building.environment(TownEnv(built.spec), built))
    params, hyper = processes.placed((built.params, building.hyper_at(settings.ppo, 0, 1)), _on(mesh, EVERYWHERE))
    held: list[Any] = list(setup.learner.begin(settings.seed))

    def update() -> None:
        held[0], held[1], report = setup.learner.step(hyper, held[0], held[1])
        steps.append(int(report.steps))

    def acted(params: Any, parameters: Any, standing: Any) -> Any:
        return experience.gather(env, experience.acting(net, parameters), params, standing, shape.steps)

    def prepared(hyper: Any, knowledge: Any, end: Any, seen: Any) -> Any:
        last = network.apply(net, knowledge.parameters, end.observation, end.memory, end.fresh)[1]
        memory = jax.tree.map(jnp.zeros_like, end.memory)
        material = judge(seen, last, knowledge.returns, hyper, memory=memory, scaled=shape.normalise_returns)[0]
        material = selection.select(knowledge.key, material, shape.rows).material if shape.rows else material
        return material.replace(memory=()), material.memory

    def alone(hyper: Any, knowledge: Any, seen: Any, memory: Any, parts: Any) -> Any:
        material = parts[0].replace(memory=parts[1])

        def tick(memory: Any, now: Any) -> Any:
            logits, value, after = network.apply(net, knowledge.parameters, now[0], memory, now[1])
            return after, (jnp.sum(logits, where=jnp.isfinite(logits)), jnp.sum(value))

        forward = jax.lax.scan(tick, memory, (seen.observation, seen.fresh))[1]
        learned = learn(net, shape.passes, hyper, material, knowledge.parameters, knowledge.optimiser, knowledge.key)
        return jax.lax.psum(forward, AXIS), learned

    steps: list[int] = []
    split = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
    act = jax.jit(split(acted, in_specs=(EVERYWHERE, EVERYWHERE, TOWNS), out_specs=(TOWNS, STEPS)))
    update()
    end, seen = act(params, held[0].parameters, held[1])
    prepare = jax.jit(
        split(
            prepared,
            in_specs=(EVERYWHERE, EVERYWHERE, TOWNS, STEPS),
            out_specs=MATERIAL,
        )
    )
    material = prepare(hyper, held[0], end, seen)
    network_alone = jax.jit(
        split(alone, in_specs=(EVERYWHERE, EVERYWHERE, STEPS, TOWNS, MATERIAL), out_specs=EVERYWHERE)
    )
    works: dict[str, Callable[[], Any]] = {
        "update": update,
        "rollout": lambda: act(params, held[0].parameters, held[1]),
        "network": lambda: network_alone(hyper, held[0], seen, end.memory, material),
    }
    seconds = in_turns(works)
    medians = {name: statistics.median(turns) for name, turns in seconds.items()}
    agent_steps = statistics.median(steps[-REPEATS:])
    core = "no core" if settings.network.core == "none" else settings.network.core
    words = f"{settings.town.action_space}, {core}, {settings.towns} towns x {settings.steps}"
    words += f", {settings.ppo.epochs} epochs of {settings.ppo.learned_share:.0%}"
    return {
        "bench": "train",
        "line": words,
        "policy": settings.town.action_space,
        "towns": settings.towns,
        "agents": built.spec.num_agents,
        "devices": mesh.size,
        "epochs": settings.ppo.epochs,
        "learned_share": settings.ppo.learned_share,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(held[0].parameters)),
        "repeats": REPEATS,
        "seconds": medians["update"],
        "seconds_min": min(seconds["update"]),
        "seconds_max": max(seconds["update"]),
        "rollout_seconds": medians["rollout"],
        "network_seconds": medians["network"],
        "compile_seconds": setup.learner.compile_seconds,
        "agent_steps_per_s": agent_steps / medians["update"],
        "network_share": statistics.median(
            alone / whole for alone, whole in zip(seconds["network"], seconds["update"], strict=True)
        ),
    }


def in_turns(works: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Time the works one after the other, a warm-up and then `REPEATS` rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(REPEATS + 1):
        for name, work in works.items():
            began = time.perf_counter()
            jax.block_until_ready(work())
            seconds[name].append(time.perf_counter() - began)
    return {name: turns[1:] for name, turns in seconds.items()}


def _on(mesh: Any, spec: PartitionSpec) -> Any:
    return jax.sharding.NamedSharding(mesh, spec)


def main(arguments: Sequence[str]) -> int:
    """Measure, print the record, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description="How fast training is.")
    parser.add_argument("settings", help="such as configs/train/options.yaml")
    parser.add_argument("overrides", nargs="*", help="changes, such as towns=64")
    given = parser.parse_args(list(arguments))
    runtime.configure(cache=False)
    record = provenance() | measure(given.settings, given.overrides)
    file = default_file()
    if file is not None:
        append([record], file)
    print(json.dumps(record, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
