"""Timetables and console scripts: what happens in a scenario besides the rules (MECHANICS 14.8)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from townlet_jax.config.schema.fields import REQUIRED, AgentName, Name, Section, Tile, flag, given, real, whole

Verb = Literal["wait", "request", "start", "use", "release", "blocked", "leave", "chat", "move", "walk_to", "hold"]


class ScheduleEntry(Section):
    """One entry of a timetable; which keys belong to which verb is checked."""

    do: Verb = given(REQUIRED, "what is done")
    ticks: int | None = whole(
        None, 1, 1_000_000, "ticks", "how long (wait: default 1, hold: needed)", "at least one tick"
    )
    object: Name | None = given(None, "object id (request, start, use, release, blocked)")
    affordance: Name | None = given(None, "affordance (start, use)")
    success: bool | None = flag(None, "whether a release counts as an early finish; null = true (release)")
    target: AgentName | None = given(None, "listener (chat)")
    quality: float | None = real(None, 0, 1, "share", "quality instead of the formula (chat)")
    direction: Literal["north", "east", "south", "west"] | None = given(None, "one step (move)")
    position: Tile | None = given(None, "tile [x, y] to walk to (walk_to)")
    option: Literal["idle", "get_fed", "get_clean", "sleep", "cook", "go_to_work", "socialise", "go_home"] | None = (
        given(None, "option whose controller acts (hold)")
    )


class TimelineEntry(Section):
    """A console command applied before a tick."""

    tick: int = whole(REQUIRED, 1, 1_000_000_000, "ticks", "applied between tick - 1 and tick", "the first tick is 1")
    command: Annotated[str, Field(strict=True, max_length=64)] = given(REQUIRED, "name of a console command")
    args: dict[Annotated[str, Field(strict=True, max_length=64)], Any] = Field(
        default_factory=dict, max_length=32, description="its arguments by name; the console checks them"
    )
