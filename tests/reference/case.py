"""A hand-set town for one check: parameters, state and intents as plain records that a test changes freely."""

from types import SimpleNamespace

from reference.blank import blank_town, everybody_waits
from reference.handmade import small_params
from reference.records import Plain, plain
from reference.town import tick
from townlet_jax.core.enums import NOBODY, Kind

ALWAYS, NEVER_HAPPENS = 0.0, 0.999


class Case:
    """One town of agents that all live; draws are such that chats succeed and no event starts."""

    def __init__(self, num_agents: int = 6) -> None:
        self.num_agents = num_agents
        self.params: Plain = plain(small_params(num_agents))
        self.state: Plain = blank_town(self.params, num_agents)
        self.intents: Plain = everybody_waits(num_agents)
        self.out: Plain = None
        specs = len(self.params.perturbation.kind)
        self.draws = SimpleNamespace(
            agent=[[ALWAYS] * 4 for _ in range(num_agents)], perturbation=[[NEVER_HAPPENS] * 4 for _ in range(specs)]
        )

    def ask(
        self,
        a: int,
        kind: Kind,
        *,
        object_id: int = NOBODY,
        affordance: int = NOBODY,
        target: int = NOBODY,
        direction: int = NOBODY,
        success: bool = True,
        quality: float = -1.0,
    ) -> None:
        """Set the intent of one agent for the next tick."""
        intents = self.intents
        intents.kind[a], intents.object[a], intents.affordance[a] = int(kind), object_id, affordance
        intents.target[a], intents.direction[a] = target, direction
        intents.success[a], intents.quality[a] = success, quality

    def tick(self, times: int = 1) -> Plain:
        """Run ticks; the intents hold for the first, then everybody waits; return the outcomes of the last."""
        for _ in range(times):
            self.state, self.out = tick(self.params, self.state, self.intents, self.draws)
            self.intents = everybody_waits(self.num_agents)
        return self.out.outcomes

    def at(self, ticks: int) -> None:
        """Set the clock so that the next tick is `ticks`."""
        self.state.clock.tick = ticks - 1

    def place(self, a: int, x: int, y: int) -> None:
        """Put an agent on a tile."""
        self.state.roster.position[a] = [x, y]

    def hold(self, a: int, o: int, affordance: int = NOBODY, remaining: int = 0) -> None:
        """Let an agent hold an object, on a tile beside it, and run something on it."""
        self.state.queues.holding[a] = o
        self.state.activities.affordance[a], self.state.activities.remaining[a] = affordance, remaining
        x, y = self.params.world.tile[o]
        self.place(a, x, y)

    def wait(self, a: int, o: int, ticket: int, joined: int) -> None:
        """Let an agent wait for an object, on its tile."""
        queues = self.state.queues
        queues.waiting[a], queues.ticket[a], queues.joined_tick[a] = o, ticket, joined
        self.place(a, *self.params.world.tile[o])

    def tie(self, a: int, b: int, trust: float = 0.0, familiarity: float = 0.0, rivalry: float = 0.0) -> None:
        """Set what `a` feels for `b`."""
        ties = self.state.ties
        ties.trust[a][b], ties.familiarity[a][b], ties.rivalry[a][b] = trust, familiarity, rivalry

    def tie_values(self, a: int, b: int) -> tuple[float, float, float]:
        """Return trust, familiarity, rivalry of a tie."""
        ties = self.state.ties
        return ties.trust[a][b], ties.familiarity[a][b], ties.rivalry[a][b]
