"""What is to be run: towns, ticks, policy, seed, and what happens on the way. Owns the checks of what was asked for."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from townlet_jax.config import Built
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.core import batch
from townlet_jax.core.spec import Spec
from townlet_jax.policy import timeline
from townlet_jax.policy.arguments import CommandError
from townlet_jax.policy.interface import idle
from townlet_jax.policy.schedule import schedule
from townlet_jax.policy.scripted import scripted
from townlet_jax.policy.timetable import compile_schedule
from townlet_jax.policy.uniform import uniform

POLICIES = ("scripted", "random", "idle", "schedule")
DEFAULT_CHUNK = 120  # ticks a dispatch: a second or so for a thousand towns
MOST_AGENT_TICKS = 8_000_000  # in one call of processors, so that a wish to stop is heard within seconds
MOST_TOWNS, MOST_TICKS = 10_000_000, 1_000_000_000


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


def plan_for(
    built: Built, *, towns: int, ticks: int | None, days: float | None, policy: str | None, seed: int, chunk: int | None
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
    # Not cut to the run, so that runs of any length share one program.
    asked, chunk = chunk, default_chunk(built.spec, towns) if chunk is None else chunk
    if not 1 <= chunk <= MOST_TICKS:
        raise RunError(f"--chunk is {chunk}, but must be 1 to {MOST_TICKS} ticks; change it.")
    if not 0 <= seed < 2**31:
        raise RunError(f"--seed is {seed}, but must be 0 to {2**31 - 1}; change it.")
    chosen = policy or ("scripted" if scenario is None else "schedule")
    if chosen not in POLICIES:
        raise RunError(f"--policy is '{chosen}', but must be one of {', '.join(POLICIES)}; choose one.")
    if chosen == "schedule" and scenario is None:
        raise RunError("--policy schedule needs timetables, but the configuration has no scenario block; use scripted.")
    return Plan(towns=towns, ticks=ticks, policy=chosen, seed=seed, chunk=chunk if asked is None else min(chunk, ticks))


def default_chunk(spec: Spec, towns: int) -> int:
    """Return the ticks of a call: as many as processors do in some seconds, so that a wish to stop is soon heard."""
    if jax.default_backend() != "cpu":
        return DEFAULT_CHUNK
    return min(DEFAULT_CHUNK, max(1, MOST_AGENT_TICKS // (towns * spec.num_agents)))


def policy_of(name: str, built: Built) -> batch.Policy:
    """Return a policy by its name on the command line."""
    if name != "schedule":
        return _plain(name)
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


@functools.cache
def _plain(name: str) -> batch.Policy:
    """Return the one policy of a name, so that programs compiled for it are found again."""
    made: dict[str, Callable[[], batch.Policy]] = {"scripted": scripted, "random": uniform, "idle": idle}
    return made[name]()


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
