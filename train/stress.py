"""Hard times for a recording: what happens to a town before some of its ticks, so that a dataset has seen trouble.

Owns the kinds of stress and when they strike. Each is a list of commands (`policy.timeline`), checked like any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from townlet_jax.config import Built
from townlet_jax.core.enums import NOBODY, UNREACHABLE, Perturb
from townlet_jax.core.state import TownState

MORNING, NOON, EVENING = 6 / 24, 12 / 24, 18 / 24  # of a day


@dataclass(frozen=True)
class Command:
    """What an operator would type."""

    name: str
    arguments: Mapping[str, Any]


Strikes = Callable[[Built, TownState, int], list[Command]]  # for a town as it stands, and the ticks to the next chance


@dataclass(frozen=True)
class Stress:
    """A kind of trouble; `strikes` returns what is done before the tick, `possible` whether a town can have it."""

    name: str
    meaning: str
    strikes: Strikes
    possible: Callable[[Built], bool]


def due(built: Built, town: TownState, step: int, share: float) -> bool:
    """Tell whether a share of the day falls into the next `step` ticks."""
    day = int(built.params.clock.ticks_per_day)
    return (round(share * day) - int(town.clock.tick)) % day < step


def _poor(built: Built, town: TownState, step: int) -> list[Command]:
    if not due(built, town, step, MORNING):
        return []
    coins = [0.25 * (1 + slot % 8) for slot in range(len(built.names.agents))]
    return [
        Command("set_wallet", {"agent": name, "amount": amount})
        for name, amount in zip(built.names.agents, coins, strict=True)
    ]


def _dark(built: Built, town: TownState, step: int) -> list[Command]:
    """Cut what somebody is using, such as the power of a stove; at every third chance, so that life goes on."""
    if int(town.clock.tick) // step % 3:
        return []
    running = np.asarray(town.activities.affordance)
    used = np.any(np.asarray(built.params.affordances.utility)[running[running != NOBODY]], axis=0)
    utility = np.asarray(built.params.perturbation.utility)
    names = _specs(built, Perturb.BLACKOUT, Perturb.OUTAGE)
    found = [name for name in names if used[utility[built.names.perturbations.index(name)]]]
    return [
        Command("perturbation_trigger", {"spec": name, "starts_in": 0, "duration": max(1, step // 2)})
        for name in found[:1]
    ]


def _dear(built: Built, town: TownState, step: int) -> list[Command]:
    if not due(built, town, step, MORNING) and not due(built, town, step, EVENING):
        return []
    day = int(built.params.clock.ticks_per_day)
    spec = _specs(built, Perturb.PRICE_SPIKE)[0]
    return [
        Command("perturbation_trigger", {"spec": spec, "starts_in": 0, "duration": max(1, day // 4), "magnitude": 3.0})
    ]


def _crowded(built: Built, town: TownState, step: int) -> list[Command]:
    """Let everybody need the same thing at once."""
    for share, need in ((MORNING, "hygiene"), (NOON, "hunger"), (EVENING, "hygiene")):
        if due(built, town, step, share):
            return [Command("setneed", {"agent": name, "need": need, "value": 0.3}) for name in built.names.agents]
    return []


def _late(built: Built, town: TownState, step: int) -> list[Command]:
    """Put workers far from their work, every other one exhausted, when their shift is about to begin."""
    jobs = built.params.jobs
    day = int(built.params.clock.ticks_per_day)
    now = int(town.clock.tick)
    soon = [job for job in range(len(built.names.jobs)) if (int(jobs.start[job]) - 1 - now) % day < step]
    made: list[Command] = []
    for job in soon:
        far = _farthest(built, job)
        for slot, name in enumerate(built.names.agents):
            if int(built.params.start.job[slot]) == job:
                made.append(Command("teleport", {"agent": name, "position": far}))
                if slot % 2:
                    made.append(Command("setneed", {"agent": name, "need": "energy", "value": 0.1}))
    return made


def _farthest(built: Built, job: int) -> tuple[int, int]:
    """Return the tile from which the way to a job is the longest."""
    route = built.params.world.tile.shape[0] + job
    steps = np.asarray(built.params.routes.steps[route]).astype(np.int64)
    steps = np.where((steps == UNREACHABLE) | np.asarray(built.params.world.blocked), -1, steps)
    y, x = np.unravel_index(int(np.argmax(steps)), steps.shape)
    return int(x), int(y)


def _event(spec: str, **arguments: float) -> Command:
    return Command("perturbation_trigger", {"spec": spec, "starts_in": 0, **arguments})


def _specs(built: Built, *kinds: Perturb) -> list[str]:
    """Return the names of the events of some kinds."""
    found = np.asarray(built.params.perturbation.kind)
    return [name for place, name in enumerate(built.names.perturbations) if found[place] in kinds]


def _employed(built: Built) -> bool:
    return bool(np.any(np.asarray(built.params.start.job) != NOBODY))


KINDS = (
    Stress("low_money", "a few coins each, every morning", _poor, lambda built: True),
    Stress(
        "outage",
        "power or water fails while somebody uses it",
        _dark,
        lambda built: bool(_specs(built, Perturb.BLACKOUT, Perturb.OUTAGE)),
    ),
    Stress(
        "price_spike",
        "prices three times as high, morning and evening",
        _dear,
        lambda built: bool(_specs(built, Perturb.PRICE_SPIKE)),
    ),
    Stress("queues", "everybody dirty or hungry at the same hour", _crowded, lambda built: True),
    Stress("lateness", "workers far away or exhausted before their shift", _late, _employed),
)


def shares(built: Built, num_towns: int) -> tuple[list[Stress | None], list[str]]:
    """Return the stress of every town, None for peace, and the kinds that this town cannot have.

    The first half is left in peace; the others get the kinds in turn.
    """
    kinds = [kind for kind in KINDS if kind.possible(built)]
    peaceful = num_towns - num_towns // 2
    rest: list[Stress | None] = [kinds[place % len(kinds)] for place in range(num_towns - peaceful)]
    return [None] * peaceful + rest, [kind.name for kind in KINDS if kind not in kinds]
