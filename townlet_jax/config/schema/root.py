"""The whole configuration: one frozen object with every section (MECHANICS 14.1)."""

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, StringConstraints

from townlet_jax.config.origin import Origin
from townlet_jax.config.schema.economy import (
    Affordance,
    BasketSection,
    EconomySection,
    GoodsSection,
    Job,
    PerturbationsSection,
    RestockEntry,
)
from townlet_jax.config.schema.fields import Name, Section, entries, given, section, table, whole
from townlet_jax.config.schema.learning import BehaviourSection, ObservationSection, RewardSection
from townlet_jax.config.schema.people import (
    AgentEntry,
    ChatSection,
    ConflictSection,
    EmbeddingsSection,
    EmploymentSection,
    LifecycleSection,
    NeedsSection,
    PersonalitiesSection,
    PersonalitySection,
    QueueSection,
    TiesSection,
)
from townlet_jax.config.schema.shell import ConsoleSection, SnapshotSection, TelemetrySection
from townlet_jax.config.schema.stability import StabilitySection
from townlet_jax.config.schema.story import ScenarioSection
from townlet_jax.config.schema.town import (
    ClockSection,
    ObjectEntry,
    ObjectType,
    SpecSection,
    TownSection,
    WorldSection,
)

ConfigId = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class Config(Section):
    """A complete, checked description of a town; `townlet_jax.config.build` turns it into arrays."""

    schema_name: Literal["townlet_jax/config@1"] = Field(
        "townlet_jax/config@1", alias="schema", description="format of the file"
    )
    config_id: ConfigId = given("town", "name of the configuration")
    seed: int = whole(0, 0, 2**32 - 1, "seed", "seed of the random streams")
    base: str | None = given(None, "default, parity, or a file relative to this one; read first, then this file on top")
    spec: SpecSection = section(SpecSection, "sizes and structural flags; a change recompiles")
    clock: ClockSection = section(ClockSection, "time")
    world: WorldSection = section(WorldSection, "reach and movement")
    town: TownSection = section(TownSection, "the map")
    object_types: dict[Name, ObjectType] = table("what objects of a type have in common", 256, "each is a table column")
    objects: tuple[ObjectEntry, ...] = entries("objects, besides town.objects", 4096, "each has a row in every table")
    goods: GoodsSection = section(GoodsSection, "what is stored")
    economy: EconomySection = section(EconomySection, "prices, purses, rent")
    affordances: tuple[Affordance, ...] = entries("what can be done with objects", 256, "each is an action of its own")
    jobs: dict[Name, Job] = table("shifts, in index order", 256, "each has a route map of its own")
    restock: tuple[RestockEntry, ...] = entries("deliveries", 256, "each is computed every tick")
    basket: BasketSection = section(BasketSection, "what an agent buys on a usual day")
    needs: NeedsSection = section(NeedsSection, "decay and levels")
    queue: QueueSection = section(QueueSection, "fairness of queues")
    conflict: ConflictSection = section(ConflictSection, "rivalry")
    ties: TiesSection = section(TiesSection, "relationships")
    chat: ChatSection = section(ChatSection, "talking")
    employment: EmploymentSection = section(EmploymentSection, "rules common to all jobs")
    lifecycle: LifecycleSection = section(LifecycleSection, "death, exits, arrivals")
    embeddings: EmbeddingsSection = section(EmbeddingsSection, "identity slots")
    personality: PersonalitySection = section(PersonalitySection, "which rules look at the profile")
    personalities: PersonalitiesSection = section(PersonalitiesSection, "who is how often")
    perturbations: PerturbationsSection = section(PerturbationsSection, "what can happen to the town")
    reward: RewardSection = section(RewardSection, "weights, penalties, clips")
    observation: ObservationSection = section(ObservationSection, "divisors and hints")
    behaviour: BehaviourSection = section(BehaviourSection, "numbers of the scripted policy and the options")
    agents: tuple[AgentEntry, ...] = entries("who lives here, in slot order", 2048, "each has a slot")
    stability: StabilitySection = section(StabilitySection, "analysers and promotion")
    telemetry: TelemetrySection = section(TelemetrySection, "what is published about watched towns")
    console: ConsoleSection = section(ConsoleSection, "the console")
    snapshot: SnapshotSection = section(SnapshotSection, "saving and loading")
    train: dict[str, Any] = Field(default_factory=dict, description="settings of training recipes; they check it")
    scenario: ScenarioSection | None = given(None, "a short play: cast, timetable, commands")

    _origin: Origin | None = PrivateAttr(default=None)

    @property
    def cast(self) -> tuple[AgentEntry, ...]:
        """Return the listed agents: those of the scenario where it names any, else `agents`."""
        if self.scenario is not None and self.scenario.agents is not None:
            return self.scenario.agents
        return self.agents

    @property
    def origin(self) -> Origin | None:
        """Return which files said what, None for an object that was not loaded."""
        return self._origin
