"""Many towns for many ticks, from the host: chunks, timeline, totals. What `townlet run` and the benchmarks stand on.

Owns the loop. The device is always one chunk ahead: totals of chunk k are fetched while chunk k + 1 runs.
"""

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from townlet_jax.config import Built
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.core import batch
from townlet_jax.core.enums import Fault
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState
from townlet_jax.policy import timeline
from townlet_jax.policy.arguments import CommandError
from townlet_jax.policy.interface import idle
from townlet_jax.policy.schedule import schedule
from townlet_jax.policy.scripted import scripted
from townlet_jax.policy.timetable import compile_schedule
from townlet_jax.policy.uniform import uniform
from townlet_jax.report import Figures, add, arrays

POLICIES = ("scripted", "random", "idle", "schedule")
DEFAULT_CHUNK = 120  # ticks a dispatch: a second or so for a thousand towns
MOST_TOWNS, MOST_TICKS = 10_000_000, 1_000_000_000
WAIT_SECONDS = 0.002


class RunError(Exception):
    """A run cannot be had; the text is one sentence: what, what is allowed, what to do."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be run."""

    towns: int
    ticks: int
    policy: str
    seed: int = 0
    chunk: int = DEFAULT_CHUNK


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands after a chunk; `ticks` done for every town, `agent_ticks` of living agents."""

    ticks: int
    agent_ticks: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run gave. `ticks` can be lower than planned: then somebody asked to stop."""

    ticks: int
    agent_ticks: int
    seconds: float  # compiling excluded
    compile_seconds: float
    totals: Mapping[str, Figures]  # by dotted name, one row a town
    states: TownState
    faults: Mapping[str, int]  # towns in which the fault was seen


def plan_for(
    built: Built, *, towns: int, ticks: int | None, days: float | None, policy: str | None, seed: int, chunk: int
) -> Plan:
    """Check what was asked for and fill in what was not: a scenario runs its own length under its own timetables."""
    scenario = built.names.scenario
    if ticks is not None and days is not None:
        raise RunError("--ticks and --days both say how long to run; give one of them.")
    day = int(built.params.clock.ticks_per_day)
    if ticks is None and days is None:
        ticks = scenario.ticks if scenario is not None else day
    elif ticks is None and days is not None:
        if not math.isfinite(days):
            raise RunError(f"--days is {days}, but must be a finite number; give for example --days 1.")
        ticks = round(days * day)
    assert ticks is not None
    if not 1 <= ticks <= MOST_TICKS:
        raise RunError(
            f"A run of {ticks} ticks was asked for, but 1 to {MOST_TICKS} can be had; change --ticks or --days."
        )
    if not 1 <= towns <= MOST_TOWNS:
        raise RunError(f"--towns is {towns}, but must be 1 to {MOST_TOWNS}; change it.")
    if not 1 <= chunk <= MOST_TICKS:
        raise RunError(f"--chunk is {chunk}, but must be 1 to {MOST_TICKS} ticks; change it.")
    if not 0 <= seed < 2**31:
        raise RunError(f"--seed is {seed}, but must be 0 to {2**31 - 1}; change it.")
    chosen = policy or ("scripted" if scenario is None else "schedule")
    if chosen not in POLICIES:
        raise RunError(f"--policy is '{chosen}', but must be one of {', '.join(POLICIES)}; choose one.")
    if chosen == "schedule" and scenario is None:
        raise RunError("--policy schedule needs timetables, but the configuration has no scenario block; use scripted.")
    return Plan(towns=towns, ticks=ticks, policy=chosen, seed=seed, chunk=min(chunk, ticks))


def policy_of(name: str, built: Built) -> batch.Policy:
    """Return a policy by its name on the command line."""
    if name == "scripted":
        return scripted()
    if name == "random":
        return uniform()
    if name == "idle":
        return idle()
    scenario = built.names.scenario
    assert scenario is not None, "plan_for lets only scenarios have the policy 'schedule'"
    try:
        table = compile_schedule(
            scenario.schedules,
            built.names,
            num_agents=built.spec.num_agents,
            blocked=np.asarray(built.params.world.blocked),
        )
    except ValueError as error:
        raise RunError(str(error)) from error
    return schedule(table)


def events_of(built: Built, plan: Plan) -> Mapping[int, Sequence[TimelineEntry]]:
    """Return the checked timeline by tick; nobody but a timetable is interrupted by it."""
    scenario = built.names.scenario
    if scenario is None or plan.policy != "schedule":
        return {}
    events: dict[int, list[TimelineEntry]] = {}
    for entry in scenario.timeline:
        try:
            timeline.interpret(entry.command, entry.args, built.names, built.spec, built.params)
        except CommandError as error:
            raise RunError(f"scenario.timeline, tick {entry.tick}: {error}") from error
        if entry.tick <= plan.ticks:
            events.setdefault(entry.tick, []).append(entry)
    return events


def pieces(ticks: int, chunk: int, event_ticks: Sequence[int] = ()) -> list[int]:
    """Cut a run into calls of at most two different lengths, with a cut before each tick that has an event."""
    cuts = sorted({0, ticks, *(tick - 1 for tick in event_ticks)})
    stretches = [end - start for start, end in itertools.pairwise(cuts)]
    rests = [stretch % chunk for stretch in stretches if stretch % chunk]
    unit = math.gcd(*rests) if rests else 0
    lengths = []
    for stretch in stretches:
        lengths += [chunk] * (stretch // chunk)
        lengths += [unit] * ((stretch % chunk) // unit if unit else 0)
    return lengths


def mesh_for(towns: int) -> Mesh | None:
    """Return a mesh over the largest number of devices that divides the towns evenly, None for a single device."""
    devices = jax.local_devices()
    number = max(size for size in range(1, len(devices) + 1) if towns % size == 0)
    return batch.town_mesh(devices[:number]) if number > 1 else None


def block_for(states: TownState, towns: int) -> int:
    """Return how many towns of a device run together: as many as its cache holds, all of them on an accelerator."""
    most = max(1, batch.BLOCK_BYTES // batch.town_bytes(states))
    return batch.block_size(towns, most) if jax.default_backend() == "cpu" else towns


class Fleet:
    """Towns on their devices with a policy: the compiled calls, and the one place that holds what changes."""

    def __init__(
        self, spec: Spec, params: Params, policy: batch.Policy, *, towns: int, seed: int, measure: bool = True
    ) -> None:
        self.mesh = mesh_for(towns)
        self.params = params if self.mesh is None else jax.device_put(params, NamedSharding(self.mesh, PartitionSpec()))
        self._policy = policy
        self._measure = measure
        self._calls: dict[int, jax.stages.Compiled] = {}
        self.compile_seconds = 0.0
        self.states = self._placed(batch.init_batch(spec, params, seed, towns))
        self.block = block_for(self.states, towns // (1 if self.mesh is None else self.mesh.size))
        self.memory = self._placed(jax.jit(lambda p, s: batch.init_memory(policy, p, s))(self.params, self.states))

    def placed_ticks(self, tree: Any) -> Any:
        """Place what is given tick by tick (leading axes ticks, towns) where its towns are."""
        return (
            tree
            if self.mesh is None
            else jax.device_put(tree, NamedSharding(self.mesh, PartitionSpec(None, batch.AXIS)))
        )

    def _placed(self, tree: Any) -> Any:
        return tree if self.mesh is None else batch.shard(self.mesh, tree)

    def compiled(self, length: int, given: Any = None) -> jax.stages.Compiled:
        """Return the call for a number of ticks, compiled once."""
        if length not in self._calls:
            began = time.perf_counter()
            runner = batch.Runner(self._policy, length, measure=self._measure, block=self.block, mesh=self.mesh)
            self._calls[length] = runner.compile(self.params, self.states, self.memory, given)
            self.compile_seconds += time.perf_counter() - began
        return self._calls[length]

    def advance(self, length: int, given: Any = None) -> Any:
        """Run that many ticks and return their totals, without waiting for them."""
        call = self.compiled(length, given)
        self.states, self.memory, totals, _ = call(self.params, self.states, self.memory, given)
        return totals

    def edit(self, change: Callable[[Params, TownState], TownState]) -> None:
        """Let an operator change all towns between two ticks."""
        self.states = self._placed(change(self.params, self.states))


def simulate(
    built: Built,
    plan: Plan,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Run a plan; `on_progress` hears of each chunk, `stop` is asked after each."""
    events = events_of(built, plan)
    lengths = pieces(plan.ticks, plan.chunk, sorted(events))
    fleet = Fleet(built.spec, built.params, policy_of(plan.policy, built), towns=plan.towns, seed=plan.seed)
    for length in sorted(set(lengths)):
        fleet.compiled(length)
    began = time.perf_counter()
    totals: dict[str, Figures] | None = None
    done = 0
    for chunk in _one_behind(_dispatch(built, fleet, lengths, events, stop)):
        totals = add(totals, arrays(chunk))
        done = int(totals["ticks"][0])
        on_progress(Progress(ticks=done, agent_ticks=_agent_ticks(totals), seconds=time.perf_counter() - began))
    _settle(fleet.states.clock.tick)
    assert totals is not None, "a plan has at least one tick"
    return Result(
        ticks=done,
        agent_ticks=_agent_ticks(totals),
        seconds=time.perf_counter() - began,
        compile_seconds=fleet.compile_seconds,
        totals=totals,
        states=fleet.states,
        faults=faults_of(fleet.states),
    )


def _dispatch(
    built: Built,
    fleet: Fleet,
    lengths: Sequence[int],
    events: Mapping[int, Sequence[TimelineEntry]],
    stop: Callable[[], bool],
) -> Iterator[Any]:
    """Send out chunk after chunk with the timeline between them."""
    tick = 0
    for length in lengths:
        for entry in events.get(tick + 1, ()):
            fleet.edit(functools.partial(_edited, built, entry))
        yield fleet.advance(length)
        tick += length
        if stop():
            return


def _edited(built: Built, entry: TimelineEntry, params: Params, states: TownState) -> TownState:
    try:
        return timeline.apply(entry.command, entry.args, built.names, built.spec, params, states)
    except CommandError as error:
        raise RunError(f"scenario.timeline, tick {entry.tick}: {error}") from error


def _one_behind(chunks: Iterator[Any]) -> Iterator[Any]:
    """Give back each chunk's totals when it has finished, after the next one has been sent out."""
    waiting: list[Any] = []
    for chunk in chunks:
        waiting.append(chunk)
        if len(waiting) > 1:
            _settle(waiting[0].ticks)
            yield waiting.pop(0)
    for chunk in waiting:
        _settle(chunk.ticks)
        yield chunk


def _settle(array: jax.Array) -> None:
    """Wait in the interpreter, so that signals are heard while the device works."""
    while not array.is_ready():  # type: ignore[attr-defined]  # every concrete array has it, the type does not say so
        time.sleep(WAIT_SECONDS)


def _agent_ticks(totals: Mapping[str, Figures]) -> int:
    return int(totals["sums.alive"].sum())


def faults_of(states: TownState) -> dict[str, int]:
    """Return in how many towns each fault was seen; none if all went well."""
    bits = np.asarray(states.faults)
    return {fault.name: int(amount) for fault in Fault if (amount := np.count_nonzero(bits & fault))}
