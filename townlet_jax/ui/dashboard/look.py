"""What a panel is given: the run, where the viewer looks, and how the source of the records does."""

from dataclasses import dataclass, field

from townlet_jax.ui.dashboard import model as models
from townlet_jax.ui.dashboard.model import Model, Record, Town
from townlet_jax.ui.dashboard.palette import Prompt

PAGES = ("town", "people", "work", "figures", "stories", "run")
FILTERS = ("all", "people", "ties", "work", "things", "town", "actions")
OVERLAYS = ("needs", "ties", "rivals")  # what colours people on the map
TIES = ("trust", "familiarity", "rivalry")


@dataclass(frozen=True, kw_only=True)
class Glance:
    """Where the viewer looks and what is being typed. Changed by keys alone."""

    page: str = "town"
    town: int | None = None  # None = the first one
    slot: int = 0  # of the agent in focus
    filter: str = "all"
    overlay: str = "needs"
    tie: str = "trust"
    scroll: int = 0
    is_driving: bool = False
    has_help: bool = False
    prompt: Prompt | None = None
    message: str = ""
    is_bad: bool = False  # the message tells of something that failed


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the source of the records does."""

    name: str = ""
    kind: str = "recording"  # recording, live
    is_paused: bool = False
    speed: str = ""
    place: float | None = None  # in a recording, 0 to 1
    trouble: str = ""  # one sentence; empty if all is well
    role: str = ""
    can_steer: bool = False
    commands: tuple[tuple[str, str], ...] = ()  # name and usage
    load: float | None = None  # of one core, by the dashboard


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything a panel may read."""

    model: Model
    glance: Glance = field(default_factory=Glance)
    standing: Standing = field(default_factory=Standing)

    @property
    def index(self) -> int | None:
        """Return the town that is looked at; None while there is none."""
        towns = models.watched(self.model)
        if self.glance.town in towns:
            return self.glance.town
        return towns[0] if towns else None

    @property
    def town(self) -> Town | None:
        """Return what is known of the town that is looked at."""
        index = self.index
        return None if index is None else self.model.towns.get(index)

    @property
    def focus(self) -> tuple[str, Record] | None:
        """Return name and agent in focus."""
        town = self.town
        if town is None:
            return None
        everybody = models.people(town)
        for name, agent in everybody:
            if agent["slot"] == self.glance.slot:
                return name, agent
        return everybody[0] if everybody else None
