"""What every step of the reference looks at: one town during one tick. Owns the questions all steps ask."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from reference.records import Plain, single
from townlet_jax.core.enums import EPSILON, NEVER, NOBODY, Abort, Behaviour, Perturb, Reason

Pairs = dict[int, int]
Queues = dict[int, list[int]]


@dataclass
class TieDelta:
    """One single delta from `owner` toward `other` before personality, of one event (4.4.7)."""

    owner: int
    other: int
    event: int
    trust: float
    familiarity: float
    rivalry: float


@dataclass
class Scene:
    """One town in the middle of a tick; steps change `state`, `out` and the notes below."""

    params: Plain
    state: Plain
    out: Plain  # TickOutput under construction
    draws: SimpleNamespace
    intents: Plain  # structured after decoding
    tick: int
    tick_of_day: int
    day: int
    acting: list[bool]
    queue_records: list[tuple[int, int, float]] = field(default_factory=list)  # actor, rival, intensity
    need_delta: list[list[float]] = field(default_factory=list)
    tie_deltas: list[TieDelta] = field(default_factory=list)
    ate: list[bool] = field(default_factory=list)  # finished a meal in this tick
    cost: list[float] = field(default_factory=list)  # [K] coins
    quiet: bool = False
    cooldown_refusals: int = 0

    @property
    def agents(self) -> range:
        """All slots in slot order."""
        return range(len(self.state.roster.alive))

    @property
    def living(self) -> list[int]:
        """Slots where somebody lives, in slot order."""
        return [a for a, alive in enumerate(self.state.roster.alive) if alive]

    def holders(self) -> Pairs:
        """Map each held object to its holder."""
        return {o: a for a, o in enumerate(self.state.queues.holding) if o != NOBODY}

    def queues(self) -> Queues:
        """Map each object that is waited for to the waiting agents, lowest ticket first."""
        queues: Queues = {}
        for a, o in enumerate(self.state.queues.waiting):
            if o != NOBODY:
                queues.setdefault(o, []).append(a)
        for queue in queues.values():
            queue.sort(key=lambda a: (self.state.queues.ticket[a], a))
        return queues

    def engaged_object(self, a: int) -> int:
        """Return the object that `a` holds or waits for, or NOBODY."""
        held: int = self.state.queues.holding[a]
        waited: int = self.state.queues.waiting[a]
        return held if held != NOBODY else waited

    def busy(self, a: int) -> bool:
        """Say whether `a` runs an affordance."""
        return bool(self.state.activities.affordance[a] != NOBODY)

    def asleep(self, a: int) -> bool:
        """Say whether `a` runs an affordance that is sleep."""
        k = self.state.activities.affordance[a]
        return bool(k != NOBODY and self.params.affordances.is_sleep[k])

    def distance(self, a: int, b: int) -> int:
        """Return the Chebyshev distance of two agents."""
        return cheb(self.state.roster.position[a], self.state.roster.position[b])

    def object_distance(self, a: int, o: int) -> int:
        """Return the Chebyshev distance from an agent to an object."""
        return cheb(self.state.roster.position[a], self.params.world.tile[o])

    def in_range(self, a: int, o: int) -> bool:
        """Say whether an object is within reach of an agent."""
        return bool(self.object_distance(a, o) <= self.params.world.interaction_range)

    def closed(self, o: int) -> bool:
        """Say whether an active QUEUE_BOTTLENECK closes an object."""
        events = self.state.perturbations
        return any(
            kind == Perturb.QUEUE_BOTTLENECK and events.until_tick[v] != NEVER and events.object[v] == o
            for v, kind in enumerate(self.params.perturbation.kind)
        )

    def utility_on(self, u: int) -> bool:
        """Say whether no active BLACKOUT or OUTAGE cuts a utility."""
        events = self.state.perturbations
        return not any(
            kind in (Perturb.BLACKOUT, Perturb.OUTAGE)
            and events.until_tick[v] != NEVER
            and self.params.perturbation.utility[v] == u
            for v, kind in enumerate(self.params.perturbation.kind)
        )

    def utilities_on(self, k: int) -> bool:
        """Say whether every utility that an affordance needs is on."""
        return all(not needed or self.utility_on(u) for u, needed in enumerate(self.params.affordances.utility[k]))

    def city_event(self) -> bool:
        """Say whether some active spec is a city event."""
        events = self.state.perturbations
        return any(
            is_city and events.until_tick[v] != NEVER
            for v, is_city in enumerate(self.params.perturbation.is_city_event)
        )

    def behaviour(self, a: int, column: Behaviour) -> float:
        """Return a behaviour multiplier of an agent (8.2): 1 when the switch is off, within [.1, 5]."""
        if not self.params.personality.modify_behaviour:
            return 1.0
        bias = self.params.personality.behaviour_bias[self.state.roster.profile[a]][column]
        return clip(bias, single(0.1), 5.0)

    def trait(self, a: int, column: int) -> float:
        """Return a trait of an agent."""
        value: float = self.params.personality.trait[self.state.roster.profile[a]][column]
        return value

    def avoids(self, a: int, b: int) -> bool:
        """Say avoid(a, b) (1.1)."""
        rivalry = self.state.ties.rivalry[a][b]
        tolerance = self.behaviour(a, Behaviour.CONFLICT_TOLERANCE)
        limit = clip(self.params.conflict.avoid_threshold / tolerance, 0.0, 1.0)
        return bool(rivalry > 0 and rivalry + EPSILON >= limit)

    def drop(self, a: int) -> None:
        """End the engagement of an agent, whatever it is, without any effect."""
        queues = self.state.queues
        queues.holding[a] = NOBODY
        queues.waiting[a] = NOBODY
        queues.joined_tick[a] = NEVER
        queues.ticket[a] = 0
        queues.stalls[a] = 0
        queues.away_ticks[a] = 0
        self.state.activities.affordance[a] = NOBODY
        self.state.activities.remaining[a] = 0

    def abort(self, a: int, reason: Abort) -> None:
        """Note that what an agent runs ends without effect; the caller drops the hold."""
        aborts = self.out.outcomes.aborts
        aborts.reason[a] = int(reason)
        aborts.object[a] = self.state.queues.holding[a]
        aborts.affordance[a] = self.state.activities.affordance[a]

    def end_engagement(self, a: int, reason: Abort) -> None:
        """Drop an engagement from outside: what runs aborts."""
        if self.busy(a):
            self.abort(a, reason)
        self.drop(a)

    def refuse(self, a: int, reason: Reason, detail: int = -1) -> None:
        """Write the verdict of a refused intent."""
        verdicts = self.out.outcomes.verdicts
        verdicts.ok[a] = False
        verdicts.reason[a] = int(reason)
        verdicts.detail[a] = detail

    def accept(self, a: int) -> None:
        """Write the verdict of an intent that succeeded."""
        verdicts = self.out.outcomes.verdicts
        verdicts.ok[a] = True
        verdicts.reason[a] = int(Reason.NONE)
        verdicts.detail[a] = -1


def cheb(p: list[int], q: list[int]) -> int:
    """Return the Chebyshev distance of two tiles."""
    return max(abs(p[0] - q[0]), abs(p[1] - q[1]))


def clip(value: float, low: float, high: float) -> float:
    """Return the value within bounds."""
    return min(max(value, low), high)


def potential(needs_weight: list[float], level: list[float]) -> float:
    """Return phi of section 4.6.2: the weighted mean of the need levels."""
    total = sum(needs_weight)
    return sum(w * v for w, v in zip(needs_weight, level, strict=True)) / total if total > 0 else 0.0
