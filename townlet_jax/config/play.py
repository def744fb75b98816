"""Checks of timetables and console scripts against the town they are played in (MECHANICS 14.8)."""

from townlet_jax.config.cast import cast_path
from townlet_jax.config.errors import Path, ProblemError, listed, nearest, shown, unknown
from townlet_jax.config.plan import Plan
from townlet_jax.config.schema import Config
from townlet_jax.config.schema.scenario import ScheduleEntry

NEEDED: dict[str, tuple[str, ...]] = {
    "wait": (),
    "request": ("object",),
    "start": ("object", "affordance"),
    "use": ("object", "affordance"),
    "release": ("object",),
    "blocked": ("object",),
    "leave": (),
    "chat": ("target",),
    "move": ("direction",),
    "walk_to": ("position",),
    "hold": ("option", "ticks"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {"wait": ("ticks",), "release": ("success",), "chat": ("quality",)}
OLD_COMMANDS = {"spawn_agent": "spawn", "set_need": "setneed", "narration": "announce_story"}
COMMANDS = (
    "noop", "announce_story", "spawn", "kill", "teleport", "set_home", "setneed", "set_wallet", "set_stock", "price",
    "set_rel", "force_chat", "employment_exit", "possess", "order", "toggle_mortality", "set_exit_cap",
    "set_spawn_delay", "perturbation_trigger", "arrange_meet", "perturbation_cancel",
)  # fmt: skip


def demand_play(config: Config, plan: Plan) -> None:
    """Raise `ProblemError` for the first entry that cannot be played."""
    for slot, agent in enumerate(config.cast):
        for row, entry in enumerate(agent.schedule):
            path: Path = (*cast_path(config), slot, "schedule", row)
            _demand_keys(entry, path)
            _demand_names(entry, plan, path, agent.name)
    for row, line in enumerate(config.scenario.timeline if config.scenario is not None else ()):
        path = ("scenario", "timeline", row, "command")
        if line.command in OLD_COMMANDS:
            new = OLD_COMMANDS[line.command]
            raise ProblemError(path, f"{shown(line.command)} is an old name; write {new}")
        if line.command not in COMMANDS:
            hint = nearest(line.command, COMMANDS)
            raise ProblemError(
                path,
                f"{shown(line.command)} is not a console command that changes a town{hint}; use one of: "
                f"{', '.join(COMMANDS)}",
            )


def _demand_keys(entry: ScheduleEntry, path: Path) -> None:
    """Check that an entry has the keys of its verb and no others."""
    needed = NEEDED[entry.do]
    allowed = (*needed, *OPTIONAL.get(entry.do, ()))
    for key in needed:
        if getattr(entry, key) is None:
            raise ProblemError((*path, key), f"is missing, and {entry.do} needs it; add it")
    for key in type(entry).model_fields:
        if key != "do" and key not in allowed and getattr(entry, key) is not None:
            raise ProblemError((*path, key), f"is not used by {entry.do}, which takes {listed(allowed)}; delete it")


def _demand_names(entry: ScheduleEntry, plan: Plan, path: Path, name: str) -> None:
    """Check that everything an entry speaks of exists."""
    names = plan.names
    if entry.object is not None and entry.object not in names.objects:
        raise unknown((*path, "object"), "an object", entry.object, names.objects, "objects")
    if entry.affordance is not None:
        if entry.affordance not in names.affordances:
            raise unknown((*path, "affordance"), "an affordance", entry.affordance, names.affordances, "affordances")
        assert entry.object is not None
        row = names.affordances.index(entry.affordance)
        kind = names.object_types[int(plan.sections["affordances"]["object_type"][row])]
        place = names.objects.index(entry.object)
        own = names.object_types[int(plan.sections["world"]["object_type"][place])]
        if kind != own:
            raise ProblemError(
                (*path, "affordance"),
                f"{entry.affordance} belongs to a {kind}, but {entry.object} is a {own}; name another of the two",
            )
    if entry.target is not None and (entry.target not in names.agents or entry.target == name):
        others = [other for other in names.agents if other != name]
        raise unknown((*path, "target"), "another agent", entry.target, others, "agents")
    if entry.position is not None:
        _demand_tile(entry.position, plan, (*path, "position"))


def _demand_tile(tile: tuple[int, int], plan: Plan, path: Path) -> None:
    blocked = plan.sections["world"]["blocked"]
    height, width = blocked.shape
    if tile[0] >= width or tile[1] >= height:
        raise ProblemError(path, f"{list(tile)} lies outside the map of {width} x {height}; use a tile of the map")
    if blocked[tile[1], tile[0]]:
        raise ProblemError(path, f"{list(tile)} is blocked, so nobody can walk there; use a free tile")
