"""The scenario block (MECHANICS 14.8)."""

from townlet_jax.config.schema.fields import Section, Sentence, entries, given, whole
from townlet_jax.config.schema.people import AgentEntry
from townlet_jax.config.schema.scenario import TimelineEntry


class ScenarioSection(Section):
    """A short play: cast, timetable, commands."""

    description: Sentence = given("", "what it shows")
    ticks: int = whole(1440, 1, 1_000_000_000, "ticks", "length", "the first tick is 1")
    agents: tuple[AgentEntry, ...] | None = given(None, "the cast; where given it takes the place of the list agents")
    timeline: tuple[TimelineEntry, ...] = entries("console commands by tick", 10_000, "a script, not a recording")
