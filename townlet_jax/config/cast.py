"""The slots of a town at tick 0: names, homes, jobs, positions, ties (MECHANICS 14.4)."""

from dataclasses import dataclass

import numpy as np

from townlet_jax.config.errors import Path, ProblemError, shown, unknown
from townlet_jax.config.layout import Layout, Point
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.people import AgentEntry
from townlet_jax.core.enums import NOBODY, Need

AUTO = "auto"
DRAWN = -1.0


@dataclass(frozen=True)
class Slots:
    """Everybody's start, one entry a slot."""

    names: tuple[str, ...]
    columns: dict[str, np.ndarray]


def cast_path(config: Config) -> Path:
    """Return where the cast is listed."""
    scenario = config.scenario
    return ("scenario", "agents") if scenario is not None and scenario.agents is not None else ("agents",)


def num_agents(config: Config) -> int:
    """Return the number of slots; fewer than listed agents is a problem."""
    count, listed = config.spec.num_agents, len(config.cast)
    if count is not None and count < listed:
        raise ProblemError(
            ("spec", "num_agents"), f"is {count}, but {listed} agents are listed; raise it to {listed} or list fewer"
        )
    return max(1, listed) if count is None else count


def slots(config: Config, layout: Layout, profiles: tuple[str, ...]) -> Slots:
    """Fill the start table; raises `ProblemError` for names that do not exist and places nobody can stand on."""
    count, listed = num_agents(config), config.cast
    names = slot_names(config)
    columns = {
        "alive": np.zeros(count, bool),
        "position": np.zeros((count, 2), np.int32),
        "home": np.zeros(count, np.int32),
        "job": np.full(count, NOBODY, np.int32),
        "profile": np.full(count, NOBODY, np.int32),
        "level": np.full((count, len(Need)), DRAWN, np.float32),
        "wallet": np.full(count, DRAWN, np.float32),
        "trust": np.zeros((count, count), np.float32),
        "familiarity": np.zeros((count, count), np.float32),
        "rivalry": np.zeros((count, count), np.float32),
    }
    homes = _homes(config, layout, count)
    jobs = list(config.jobs)
    for slot in range(count):
        agent = listed[slot] if slot < len(listed) else None
        path: Path = (*cast_path(config), slot)
        home = layout.homes[homes[slot]] if layout.homes else _somewhere(layout)
        columns["home"][slot] = homes[slot]
        columns["position"][slot] = home
        columns["job"][slot] = slot % len(jobs) if jobs else NOBODY
        if agent is not None:
            columns["alive"][slot] = agent.alive
            _place(agent, layout, path, columns, slot)
            columns["job"][slot] = _job(agent, jobs, slot, path)
            columns["profile"][slot] = _profile(config, agent, profiles, path)
            _levels(agent, columns, slot)
            _ties(agent, names, path, columns, slot)
    return Slots(names, columns)


def slot_names(config: Config) -> tuple[str, ...]:
    """Name every slot; empty ones are called by their number."""
    listed = [agent.name for agent in config.cast]
    names = [*listed, *(f"slot_{slot}" for slot in range(len(listed), num_agents(config)))]
    taken = set(names[len(listed) :])
    for slot, name in enumerate(listed):
        if name in taken:
            path = (*cast_path(config), slot, "name")
            raise ProblemError(path, f"{shown(name)} is used twice; give each agent a name of its own")
        taken.add(name)
    return tuple(names)


def _homes(config: Config, layout: Layout, count: int) -> list[int]:
    """Return the home index of every slot."""
    is_drawn = _is_drawn(config, layout)
    settlers = (slot for slot, agent in enumerate(config.cast) if agent.position is not None)
    own = {slot: home for home, slot in enumerate(settlers)}
    found = []
    for slot in range(count):
        agent = config.cast[slot] if slot < len(config.cast) else None
        path: Path = (*cast_path(config), slot)
        if agent is not None and agent.home is not None:
            if agent.home >= len(layout.homes):
                last = len(layout.homes) - 1
                allowed = f"use 0 to {last}" if layout.homes else "draw homes on the map"
                raise ProblemError(
                    (*path, "home"), f"is {agent.home}, but the town has {len(layout.homes)} homes; {allowed}"
                )
            found.append(agent.home)
        elif not is_drawn and slot in own:
            found.append(own[slot])
        elif agent is not None and agent.alive and not is_drawn:
            raise ProblemError(
                path,
                f"{agent.name} has no home: the map has none and there is no position that could be one; "
                "add position: [x, y] or draw homes",
            )
        else:
            found.append(slot % len(layout.homes) if layout.homes else 0)
    return found


def _is_drawn(config: Config, layout: Layout) -> bool:
    """Tell whether the homes come from the map."""
    characters = {character for character, entry in config.town.legend.items() if entry.home}
    return any(character in row for row in layout.rows for character in characters)


def _somewhere(layout: Layout) -> Point:
    """Return the first free tile, for slots of a town in which nobody lives."""
    free = np.argwhere(~layout.blocked)
    if not len(free):
        raise ProblemError(("town",), "has no tile to stand on; make some ground walkable")
    return int(free[0][1]), int(free[0][0])


def _place(agent: AgentEntry, layout: Layout, path: Path, columns: dict[str, np.ndarray], slot: int) -> None:
    if agent.position is not None:
        layout.demand_free(agent.position, (*path, "position"), agent.name)
        columns["position"][slot] = agent.position


def _job(agent: AgentEntry, jobs: list[str], slot: int, path: Path) -> int:
    if agent.job is None:
        return NOBODY
    if agent.job == AUTO:
        return slot % len(jobs) if jobs else NOBODY
    if agent.job not in jobs:
        raise unknown((*path, "job"), "a job", agent.job, jobs, "jobs")
    return jobs.index(agent.job)


def _profile(config: Config, agent: AgentEntry, profiles: tuple[str, ...], path: Path) -> int:
    override = config.personalities.overrides.get(agent.name)
    if override is not None and agent.profile not in (None, override):
        raise ProblemError(
            (*path, "profile"),
            f"is {shown(agent.profile)}, but personalities.overrides says {shown(override)}; delete one of the two",
        )
    name = agent.profile or override
    if name is None:
        return NOBODY
    where: Path = (*path, "profile") if agent.profile else ("personalities", "overrides", agent.name)
    if name not in profiles:
        raise unknown(where, "a profile", name, profiles, "personalities.profiles")
    return profiles.index(name)


def _levels(agent: AgentEntry, columns: dict[str, np.ndarray], slot: int) -> None:
    for need, level in agent.needs.items():
        columns["level"][slot, Need[need.upper()]] = level
    if agent.wallet is not None:
        columns["wallet"][slot] = agent.wallet


def _ties(agent: AgentEntry, names: tuple[str, ...], path: Path, columns: dict[str, np.ndarray], slot: int) -> None:
    for other, tie in agent.ties.items():
        if other not in names:
            raise unknown((*path, "ties", other), "an agent", other, names, "agents")
        if other == agent.name:
            raise ProblemError((*path, "ties", other), "is a tie to itself; delete it")
        column = names.index(other)
        columns["trust"][slot, column] = tie.trust
        columns["familiarity"][slot, column] = tie.familiarity
        columns["rivalry"][slot, column] = tie.rivalry
