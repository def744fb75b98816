"""How long compiling takes, with an empty cache and with a full one; how often it happens; how large the result is.

Owns the child process that measures it: each measurement starts from a fresh interpreter.
`python -m townlet_jax.bench.compiling CONFIG POLICY TICKS` prints one JSON object.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from townlet_jax.bench.record import CHECKOUT, Record
from townlet_jax.runtime import CACHE_VARIABLE

COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"
TOWNS, TICKS = 64, 100
LIMIT_SECONDS = 600


def run(config: str, policies: tuple[str, ...] = ("drawn", "scripted")) -> list[Record]:
    """Measure cold and warm compilation of a chunk, a record a policy."""
    return [_cold_and_warm(config, policy) for policy in policies]


def _cold_and_warm(config: str, policy: str) -> Record:
    with tempfile.TemporaryDirectory(prefix="townlet-compile-") as folder:
        cold, warm = (_child(config, policy, Path(folder)) for _ in range(2))
    return {
        "bench": "compile",
        "line": f"chunk, {policy}",
        "policy": policy,
        "ticks": TICKS,
        "batch": TOWNS,
        "cold_seconds": cold["compile_seconds"],
        "warm_seconds": warm["compile_seconds"],
        "compilations": cold["compilations"],
        "compilations_after_warm_up": cold["compilations_after_warm_up"],
        "hlo_instructions": cold["hlo_instructions"],
    }


def _child(config: str, policy: str, cache: Path) -> Record:
    """Measure in a fresh process that keeps compiled programs in `cache`."""
    environment = os.environ | {CACHE_VARIABLE: str(cache), "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "townlet_jax.bench.compiling", config, policy, str(TICKS)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    answer: Record = json.loads(done.stdout.splitlines()[-1])
    return answer


def probe(config: str, policy: str, ticks: int) -> Record:
    """Compile and run a chunk twice in this process and tell what the compiler had to do."""
    import jax
    import numpy as np

    from townlet_jax import runtime
    from townlet_jax.bench.tick import drawn, hlo_instructions, policy_of
    from townlet_jax.config import build, load
    from townlet_jax.core import batch

    runtime.configure(cpu_devices=1)
    built = build(load(config))
    spec = built.spec
    events = [0]

    def count(event: str, duration_secs: float, **details: str | int) -> None:
        del duration_secs, details
        events[0] += event == COMPILE_EVENT

    chosen = policy_of(policy)
    states = batch.init_batch(spec, built.params, 0, TOWNS)
    memory = batch.init_memory(chosen, built.params, states)
    given = drawn(ticks, TOWNS, spec.num_agents, spec.num_actions) if policy == "drawn" else None
    runner = batch.Runner(chosen, ticks, measure=False)
    jax.block_until_ready(states)
    jax.monitoring.register_event_duration_secs_listener(count)
    began = time.perf_counter()
    compiled = runner.compile(built.params, states, memory, given)
    seconds, first = time.perf_counter() - began, events[0]
    for _ in range(2):
        states, memory, _, _ = compiled(built.params, states, memory, given, np.asarray(ticks, np.int32))
    jax.block_until_ready(states)
    return {
        "compile_seconds": seconds,
        "compilations": first,
        "compilations_after_warm_up": events[0] - first,
        "hlo_instructions": hlo_instructions(compiled),
    }


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
