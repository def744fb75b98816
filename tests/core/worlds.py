"""A hamlet written out by hand, with the numbers of the default preset, and a bench to put it into any state.

All worlds of a kind share sizes, so one compilation serves them all; tests change numbers in place, in NumPy.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.config import Built, build, from_mapping
from townlet_jax.core import actions, batch, choose, rng, town
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import NEVER, NOBODY, Phase, Stream
from townlet_jax.core.outcomes import TickOutput
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.systems import queues
from townlet_jax.core.tick import tick

SLOTS = 24
ROWS = [
    "################",
    "#H.............#",
    "#..f..s..w..b..#",
    "#..............#",
    "#H.f..k..w..b..#",
    "#..............#",
    "#..c..g..p...P.#",
    "#..............#",
    "#H...B....G...C#",
    "################",
]
FRIDGE, STOVE, SHOWER, BED, FRIDGE_B, SINK, SHOWER_B, BED_B, CAFE, TILL, BENCH = range(11)
USE_SHOWER, EAT_MEAL, COOK_MEAL, REST_SLEEP, BUY_MEAL, BUY_GROCERIES, WASH, REST_BENCH = range(8)
GROCER, BARISTA, CLERK, GUARD = range(4)
MEALS, RAW = range(2)
POWER, WATER = range(2)
MEAL, INGREDIENTS, COOK_ENERGY, COOK_HYGIENE, SHOWERING, CAFE_MEAL, GROCERIES, WASHING = range(8)  # prices
SPIKE, BLACKOUT, OUTAGE, MEET, BOTTLENECK, SPIKE_B, PARTY, ROADWORKS = range(8)  # perturbation specs
BALANCED, SOCIALITE, INDUSTRIOUS, STOIC = range(4)
HOMES = ((1, 1), (1, 4), (1, 8))
PARK = (13, 6)
SHIFT_SUMS = ("paid", "withheld", "fine", "fined", "late_told", "absent_told", "departed")
REWARD_SUMS = ("punctuality", "wage")
HAMLET: dict[str, Any] = {
    "base": "default",
    "config_id": "hamlet",
    "spec": {"num_agents": SLOTS},
    "town": {"rows": ROWS},
    "jobs": {"guard": {"start": 1380, "end": 179, "wage_rate": 0.02, "lateness_penalty": 0.1, "site": "clerk"}},
    "perturbations": {
        "specs": {
            "second_spike": {"kind": "price_spike", "duration": 10, "magnitude": 1.2, "targets": ["meal"]},
            "party": {
                "kind": "arranged_meet",
                "duration": [5, 5],
                "target": "random",
                "max_participants": 3,
                "at": "park",
                "spare_busy": False,
            },
            "roadworks": {"kind": "queue_bottleneck", "duration": 10, "object": "bench_1"},
        }
    },
    "agents": [
        {"name": name, "home": index % 3, "job": None, "profile": "balanced"}
        for index, name in enumerate(["ada", "ben", "cleo", "dan", "eva", "finn"])
    ],
}


@functools.cache
def hamlet() -> Built:
    """Return sizes, numbers and names of the hamlet."""
    return build(from_mapping(HAMLET))


@functools.cache
def _morning() -> TownState:
    """Return the hamlet at tick 0."""
    built = hamlet()
    state: TownState = jax.jit(functools.partial(town.init, built.spec))(built.params, rng.town_key(0, 0))
    return state


def editable(tree: Any) -> Any:
    """Return the same record with NumPy arrays that can be written to; keys stay keys."""

    return jax.tree.map(lambda leaf: leaf if is_key(leaf) else np.array(leaf), tree)


def on_device(tree: Any) -> Any:
    """Return the record with arrays of jax, for direct calls of the core."""
    return jax.tree.map(lambda leaf: leaf if is_key(leaf) else jnp.asarray(leaf), tree)


def is_key(leaf: Any) -> bool:
    """Tell whether a leaf is a random key."""
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _told(state: TownState, output: TickOutput) -> dict[str, jax.Array]:
    """Return what is added up over the ticks of a run."""
    told = {name: getattr(output.outcomes.shifts, name) for name in SHIFT_SUMS}
    told |= {name: getattr(output.outcomes.rewards, name) for name in REWARD_SUMS}
    told |= {phase.name: state.employment.phase == phase for phase in Phase}
    return {name: value.astype(jnp.float32) for name, value in told.items()}


Run = tuple[TownState, TickOutput, dict[str, jax.Array]]


def _advance(params: Params, state: TownState, intents: Intents, ticks: jax.Array, keep: jax.Array) -> Run:
    """Run some ticks; the intents hold for the first, or for all; the output is that of the last."""
    idle = actions.waiting(state.roster.alive.shape[0])

    def step(index: jax.Array, carry: Run) -> Run:
        wanted = jax.tree.map(lambda asked, rest: jnp.where((index == 0) | keep, asked, rest), intents, idle)
        after, output = tick(params, carry[0], wanted)
        return after, output, jax.tree.map(jnp.add, carry[2], _told(after, output))

    output, sums = jax.eval_shape(step, 0, (state, None, _nothing(state)))[1:]
    blank = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (output, sums))
    run: Run = jax.lax.fori_loop(0, ticks, step, (state, *blank))
    return run


def _nothing(state: TownState) -> dict[str, jax.Array]:
    empty = jnp.zeros(state.roster.alive.shape, jnp.float32)
    return dict.fromkeys((*SHIFT_SUMS, *REWARD_SUMS, *(phase.name for phase in Phase)), empty)


ADVANCE = jax.jit(_advance)


def turbulent(params: Params, day: int = 60) -> Any:
    """Return the hamlet's numbers with short days, frequent events, fast hunger and hasty exits."""
    made = editable(params)
    made.clock.ticks_per_day[...] = day
    made.jobs.start[:], made.jobs.length[:] = (10, 30, 0, 45), (20, 25, day - 1, 30)
    made.restock.every[:], made.restock.at[:] = (day, 20, day), (5, 0, 12)
    made.needs.decay_rate[:] = (0.03, 0.006, 0.008)
    made.lifecycle.faint_ticks[...] = 4
    made.lifecycle.max_age_days[...] = 2
    made.employment.max_absent_shifts[...] = 1
    made.employment.absent_cutoff[...], made.employment.review_ticks[...] = 8, 30
    made.embeddings.cooldown_ticks[...] = 40
    made.queue.cooldown_ticks[...] = 5
    made.chat.cooldown_ticks[...] = 3
    made.conflict.impatience_ticks[...] = 3
    events = made.perturbation
    events.prob_per_day[:], events.cooldown_ticks[:] = 2.0, 10
    events.duration_min[:], events.duration_max[:] = 3, 12
    events.global_cooldown_ticks[...], events.agent_cooldown_ticks[...], events.grace_window_ticks[...] = 2, 5, 3
    events.max_concurrent[...], events.max_events_per_window[...] = 3, 0
    made.affordances.duration[:] = (6, 3, 8, 20, 4, 2, 2, 4)
    return made


class Chaos:
    """A policy that draws flat and structured intents from the POLICY stream, some of them impossible.

    What a slot does depends neither on the number of slots nor on its neighbours in a batch.
    """

    def init(self, params: Params, state: TownState) -> jax.Array:
        """Return an empty memory."""
        del params
        return jnp.zeros_like(state.clock.tick)

    def act(self, params: Params, state: TownState, memory: jax.Array, given: Any) -> tuple[Intents, jax.Array]:
        """Draw what everybody intends."""
        del given
        slots = state.roster.alive.shape[0]
        unit = rng.uniform(rng.stream(state.key, state.clock.tick + 1, Stream.POLICY), slots, 12)
        num_objects, num_affordances = params.world.present.shape[0], params.affordances.duration.shape[0]
        near = choose.reachable(params, state.roster.position)
        place = near[:, 0]
        for column in range(1, near.shape[1]):
            place = jnp.where(unit[:, 11] * near.shape[1] >= column, near[:, column], place)
        place = jnp.where(unit[:, 2] < 0.2, _whole(unit[:, 3], -1, num_objects + 1), place)
        place = jnp.where(unit[:, 2] > 0.6, queues.engaged_object(state.queues), place)
        flat = _whole(unit[:, 1], -2, 5 + num_affordances + 3)
        return Intents(
            flat=jnp.where(unit[:, 0] < 0.6, flat, NOBODY),
            kind=_whole(unit[:, 1], -1, 10),
            direction=_whole(unit[:, 4], -1, 5),
            object=place,
            affordance=_whole(unit[:, 5], -1, num_affordances + 1),
            target=_whole(unit[:, 6], -1, 6),
            success=unit[:, 7] < 0.5,
            quality=unit[:, 8] * 3 - 1,
            avoided=_whole(unit[:, 9], 0, 3),
            option=_whole(unit[:, 10], 0, 8),
            switched=unit[:, 10] < 0.1,
        ), memory + 1


@functools.cache
def recorder(ticks: int) -> Callable[..., tuple[TownState, TownState, TickOutput]]:
    """Return a jitted function that lets a batch of towns, each with its own numbers, live in chaos.

    It returns the final states, the states before each tick and the outputs, all leading with the town axis.
    """

    def alone(params: Params, state: TownState) -> tuple[TownState, TownState, TickOutput]:
        policy = Chaos()
        final, _, states, outputs = batch.record(policy, params, state, policy.init(params, state), ticks)
        return final, states, outputs

    return jax.jit(jax.vmap(alone))


def _whole(unit: jax.Array, low: int, high: int) -> jax.Array:
    """Map draws to integers in low..high-1."""
    return (jnp.floor(unit * (high - low)).astype(jnp.int32) + low).astype(jnp.int32)


class World:
    """One town under test: `params`, `state`, `intents` are written to freely, `run` lives some ticks."""

    def __init__(self, living: int = 6) -> None:
        built = hamlet()
        self.spec, self.names = built.spec, built.names
        self.params: Any = editable(built.params)
        self.state: Any = editable(_morning())
        self.intents: Any = editable(actions.waiting(self.spec.num_agents))
        self.out: Any = None
        self.sums: dict[str, Any] = {}  # of the ticks of the last run
        self.params.perturbation.prob_per_day[:] = 0
        for slot in range(self.spec.num_agents):
            if slot < living:
                self.move_in(slot)
            else:
                self.vacate(slot)

    def move_in(self, slot: int, *, level: float = 0.7, wallet: float = 3.0) -> None:
        """Let somebody balanced, without a job, live in a slot since tick 0, at home."""
        roster, state = self.state.roster, self.state
        roster.alive[slot], roster.uid[slot], roster.born_tick[slot], roster.profile[slot] = True, slot, 0, BALANCED
        state.needs.level[slot], state.economy.wallet[slot] = level, wallet
        state.embeddings.slot[slot], state.employment.job[slot] = slot, NOBODY
        state.embeddings.allocations[...] = int(roster.alive.sum())
        self.put(slot, *self.params.world.home_tile[roster.home[slot]])

    def vacate(self, slot: int) -> None:
        """Empty a slot that nobody ever lived in."""
        roster, state = self.state.roster, self.state
        roster.alive[slot], roster.uid[slot], roster.born_tick[slot], roster.profile[slot] = False, NOBODY, NEVER, 0
        state.needs.level[slot], state.economy.wallet[slot], state.ledger.potential[slot] = 0, 0, 0
        state.embeddings.slot[slot], state.employment.job[slot] = NOBODY, NOBODY
        state.embeddings.allocations[...] = int(roster.alive.sum())

    def run(self, ticks: int = 1, *, keep: bool = False) -> Any:
        """Live some ticks with the intents asked for (in the first tick, or in all) and return the last outcomes."""
        state, out, sums = ADVANCE(self.params, self.state, self.intents, np.int32(ticks), np.bool_(keep))
        self.state, self.out, self.sums = editable(state), editable(out), editable(sums)
        self.intents = editable(actions.waiting(self.spec.num_agents))
        assert int(self.state.faults) & ~2 == 0, "the town broke"
        return self.out.outcomes

    def ask(self, slot: int, kind: int, **fields: Any) -> None:
        """Let a slot intend something in the next run."""
        self.intents.kind[slot] = kind
        for name, value in fields.items():
            getattr(self.intents, name)[slot] = value

    def flat(self, slot: int, action: int) -> None:
        """Let a slot intend a flat action in the next run."""
        self.intents.flat[slot] = action

    def seed(self, key: jax.Array) -> None:
        """Give the town another key."""
        self.state = jax.tree.map(lambda leaf: key if is_key(leaf) else leaf, self.state)

    def at(self, moment: int) -> None:
        """Set the clock so that the next tick is `moment`."""
        self.state.clock.tick[...] = moment - 1

    def put(self, slot: int, x: int, y: int) -> None:
        """Put an agent on a tile."""
        self.state.roster.position[slot] = (x, y)

    def beside(self, slot: int, place: int) -> None:
        """Put an agent on the tile south of an object."""
        x, y = self.params.world.tile[place]
        self.put(slot, x, y + 1)

    def hold(self, slot: int, place: int, affordance: int = NOBODY, remaining: int = 0) -> None:
        """Let an agent hold an object, beside it, and run something on it."""
        self.state.queues.holding[slot] = place
        self.state.activities.affordance[slot], self.state.activities.remaining[slot] = affordance, remaining
        self.beside(slot, place)

    def queue(self, slot: int, place: int, ticket: int, joined: int = 0) -> None:
        """Let an agent wait for an object, beside it."""
        line = self.state.queues
        line.waiting[slot], line.ticket[slot], line.joined_tick[slot] = place, ticket, joined
        self.beside(slot, place)

    def tie(self, owner: int, other: int, trust: float = 0.0, familiarity: float = 0.0, rivalry: float = 0.0) -> None:
        """Set what one agent feels for another."""
        ties = self.state.ties
        ties.trust[owner, other], ties.familiarity[owner, other], ties.rivalry[owner, other] = (
            trust,
            familiarity,
            rivalry,
        )

    def bond(self, owner: int, other: int) -> tuple[float, float, float]:
        """Return trust, familiarity and rivalry of a tie."""
        ties = self.state.ties
        return (
            float(ties.trust[owner, other]),
            float(ties.familiarity[owner, other]),
            float(ties.rivalry[owner, other]),
        )

    def order(self, spec: int, due: int, *, ticks: int = -1, magnitude: float = -1.0) -> None:
        """Queue a perturbation as an operator does."""
        events = self.state.perturbations
        events.queued_tick[spec], events.queued_ticks[spec], events.queued_magnitude[spec] = due, ticks, magnitude

    def begin(self, spec: int, until: int, *, magnitude: float = 1.0, place: int = NOBODY) -> None:
        """Let a perturbation be active, since the tick before the next one."""
        events, now = self.state.perturbations, int(self.state.clock.tick)
        events.until_tick[spec], events.started_tick[spec] = until, now
        events.magnitude[spec], events.object[spec] = magnitude, place

    def freeze_needs(self) -> None:
        """Stop decay."""
        self.params.needs.decay_rate[:] = 0

    @property
    def reason(self) -> Any:
        """Reasons of the last verdicts."""
        return self.out.outcomes.verdicts.reason

    @property
    def ok(self) -> Any:
        """Successes of the last verdicts."""
        return self.out.outcomes.verdicts.ok


def talking(**rules: float) -> World:
    """Return a world in which everybody stands together and chats succeed."""
    world = World()
    world.params.chat.base[...] = 1
    world.params.conflict.rivalry_decay[...] = 0
    for name, value in rules.items():
        getattr(world.params.chat, name)[...] = value
    for slot in range(6):
        world.put(slot, 8, 5)
    return world
