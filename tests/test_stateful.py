"""Whatever is done to a town, in whatever order, the core and the slow reference agree on it (R8).

A run is 50 operations: ticks of random intents, actions that mean nothing, operators' commands, new towns, snapshots on
disk and going back to them. After each one every field of the state is compared: discrete ones exactly, continuous ones
within 1e-5; the reference then goes on from the core's numbers, so that nothing adds up.
"""

import functools
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from reference.commands import COMMANDS, NEEDS
from reference.compare import UNREAD, differences, leaves_of, told, with_leaves
from reference.draws import tick_draws
from reference.handmade import SIDE, small_params, small_spec
from reference.randomise import randomised
from reference.records import Plain, copied, plain
from reference.town import tick as reference_tick
from reference.traffic import random_intents

from townlet_jax.core import actions, rng, town
from townlet_jax.core.actions import Intents
from townlet_jax.core.enums import Fault, Reason
from townlet_jax.core.params import Params
from townlet_jax.core.state import TownState
from townlet_jax.core.tick import tick
from townlet_jax.policy import timeline
from townlet_jax.policy.arguments import CommandError
from townlet_jax.snapshots import Store, like

STEPS, RUNS, FEW_RUNS, NUMBERS = 50, 200, 20, 5
SPEC = small_spec()
SEEDS = st.integers(0, 2**31 - 1)
AGENTS = st.integers(0, SPEC.num_agents - 1)
LEVELS = st.floats(0, 1, width=32)
WILD = np.asarray([-(2**31), -7, -2, -1, 0, 1, 5, 6, 7, 8, 13, 2**31 - 1], np.int32)

INIT = jax.jit(functools.partial(town.init, SPEC))
TICK = jax.jit(tick)
INTENTS = jax.jit(random_intents)


@functools.cache
def params(number: int) -> Params:
    """Return drawn numbers of the handmade town: short days, odd limits, many events."""
    template = small_params()
    made: Params = with_leaves(template, randomised(leaves_of(template), np.random.default_rng(number)))
    return made


@functools.cache
def plain_params(number: int) -> Plain:
    """Return them for the reference."""
    return plain(params(number), UNREAD)


def names() -> SimpleNamespace:
    """Return names by number."""

    def numbered(kind: str, amount: int) -> tuple[str, ...]:
        return tuple(f"{kind}{number}" for number in range(amount))

    return SimpleNamespace(
        agents=numbered("agent", SPEC.num_agents),
        objects=numbered("object", SPEC.num_objects),
        jobs=numbered("job", SPEC.num_jobs),
        goods=numbered("good", SPEC.num_goods),
        prices=numbered("price", SPEC.num_prices),
        perturbations=numbered("event", SPEC.num_perturbations),
        homes=numbered("home", SPEC.num_homes),
        profiles=numbered("profile", SPEC.num_profiles),
    )


def arguments(command: str, draw: Any) -> dict[str, Any]:
    """Draw the arguments of a command; some of them cannot be carried out."""
    agent, flag = draw(AGENTS), draw(st.booleans())
    number = functools.partial(st.integers, 0)
    match command:
        case "setneed":
            return {"agent": agent, "needs": draw(st.dictionaries(st.sampled_from(NEEDS), LEVELS, min_size=1))}
        case "set_wallet":
            return {"agent": agent, "amount": draw(st.floats(0, 9, width=32))}
        case "kill":
            return {"agent": agent, "respawn": flag}
        case "teleport":
            return {"agent": agent, "position": [draw(number(SIDE - 1)), draw(number(SIDE - 1))]}
        case "set_home":
            return {"agent": agent, "home": draw(number(SPEC.num_homes - 1))}
        case "possess":
            return {"agent": agent, "action": "acquire" if flag else "release"}
        case "set_rel":
            return {"a": agent, "b": draw(AGENTS), "trust": draw(LEVELS)} | ({"rivalry": draw(LEVELS)} if flag else {})
        case "employment_exit":
            return {"agent": agent, "action": "approve" if flag else "defer"}
        case "price":
            return {"key": f"price{draw(number(SPEC.num_prices - 1))}", "value": draw(LEVELS)}
        case "set_stock":
            place, good = draw(number(SPEC.num_objects - 1)), draw(number(SPEC.num_goods - 1))
            return {"object": f"object{place}", "good": f"good{good}", "units": draw(number(9))}
        case "toggle_mortality":
            return {"enabled": flag}
        case "set_exit_cap":
            return {"n": draw(number(3))}
        case "set_spawn_delay":
            return {"min": draw(number(4)), "max": draw(number(4))}
        case "perturbation_trigger":
            order = {"spec": f"event{draw(number(SPEC.num_perturbations - 1))}", "starts_in": draw(number(3))}
            return order | ({"duration": draw(st.integers(1, 9))} if flag else {})
        case _:
            return {"spec": f"event{draw(number(SPEC.num_perturbations - 1))}"}


class Life(RuleBasedStateMachine):
    """One town, in the core and in the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name), identity=None, keep_latest=3)
        self.saved = 0
        self.kept: dict[int, Plain] = {}
        self.number = 0
        self.state: TownState
        self.model: Plain

    @initialize(number=st.integers(0, NUMBERS - 1), seed=SEEDS)
    def begin(self, number: int, seed: int) -> None:
        """A town begins."""
        self.number = number
        self.reset(seed)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(seed=SEEDS)
    def reset(self, seed: int) -> None:
        """A new town takes the place of this one."""
        self.state = INIT(params(self.number), rng.town_key(seed, 0))
        self.model = plain(self.state)
        assert (self.model.clock.tick, self.model.faults) == (0, 0)

    @rule(seed=SEEDS)
    def step(self, seed: int) -> None:
        """Everybody asks for something, legal or not."""
        self.live(INTENTS(params(self.number), self.state, jax.random.key(seed)))

    @rule(seed=SEEDS)
    def bad_action(self, seed: int) -> None:
        """Everybody asks for what there is not, by numbers that would wrap around as indices."""
        generator, shape = np.random.default_rng(seed), (SPEC.num_agents,)
        ids = {name: jnp.asarray(generator.choice(WILD, shape)) for name in
               ("flat", "kind", "direction", "object", "affordance", "target")}  # fmt: skip
        self.live(actions.waiting(SPEC.num_agents).replace(**ids))

    @rule(data=st.data())
    def command(self, data: Any) -> None:
        """An operator wants something; both do it, or both refuse."""
        name = data.draw(st.sampled_from(sorted(COMMANDS)))
        given = arguments(name, data.draw)
        taken = COMMANDS[name](plain_params(self.number), self.model, given)
        try:
            self.state = timeline.apply(name, given, names(), SPEC, params(self.number), self.state)
        except CommandError:
            assert not taken, (name, given)
        else:
            assert taken, (name, given)
        self.agree()

    @rule()
    def snapshot(self) -> None:
        """The town is put on disk."""
        self.saved += 1
        self.store.save(self.saved, {"town": self.state})
        self.store.wait()
        self.kept[self.saved] = copied(self.model)

    @precondition(lambda self: self.saved > 0)
    @rule(back=st.integers(0, 2))
    def restore(self, back: int) -> None:
        """The town of a snapshot takes the place of this one."""
        step = max(1, self.saved - back)
        self.state = self.store.restore(like({"town": self.state}), step=step).tree["town"]
        self.model = copied(self.kept[step])
        self.agree()

    def live(self, intents: Intents) -> None:
        """One tick in both."""
        now = self.model.clock.tick + 1
        key = self.state.key[None]
        agents, events = tick_draws(key, jnp.asarray([now], jnp.int32), SPEC.num_agents, SPEC.num_perturbations)
        draws = SimpleNamespace(agent=np.asarray(agents)[0, 0].tolist(), perturbation=np.asarray(events)[0, 0].tolist())
        self.model, expected = reference_tick(plain_params(self.number), self.model, plain(intents), draws)
        self.state, output = TICK(params(self.number), self.state, intents)
        self.agree()
        found = differences("output", [expected], batched(output), (1, 1))
        assert not found, told(found)

    def agree(self) -> None:
        """Compare every field, and go on from the core's numbers."""
        found = differences("state", [self.model], batched(self.state), (1, 1))
        assert not found, told(found)
        self.model = plain(self.state)


def batched(record: Any) -> Any:
    """Return a record with axes for towns and ticks."""
    return jax.tree.map(lambda leaf: leaf[None, None], record)


@pytest.mark.parametrize("runs", [FEW_RUNS, pytest.param(RUNS, marks=pytest.mark.slow)])
def test_r8_core_and_reference_agree_whatever_happens(runs: int) -> None:
    checks = (HealthCheck.too_slow, HealthCheck.data_too_large)
    wanted = settings(max_examples=runs, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Life, settings=wanted)  # type: ignore[no-untyped-call]  # of hypothesis


@pytest.mark.parametrize("number", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_r10_wild_actions_wait_with_a_reason_and_index_nothing(number: int) -> None:
    """Numbers far out of range, and qualities that are no numbers: refused, flagged, and nobody is touched."""
    ticks = -(-number // (64 * SPEC.num_agents))

    def wild(key: jax.Array) -> Intents:
        keys = jax.random.split(key, 8)
        far = [jnp.asarray(WILD)[jax.random.randint(one, (SPEC.num_agents,), 0, len(WILD))] for one in keys[:6]]
        quality = jnp.where(jax.random.bernoulli(keys[6], 0.5, (SPEC.num_agents,)), jnp.nan, jnp.inf)
        known = actions.waiting(SPEC.num_agents)
        ids = dict(zip(("flat", "kind", "direction", "object", "affordance", "target"), far, strict=True))
        return known.replace(quality=quality, **ids)

    @jax.jit
    def many(states: TownState, keys: jax.Array) -> tuple[TownState, Any]:
        def one(state: TownState, key: jax.Array) -> tuple[TownState, Any]:
            intents = wild(key)
            after, output = tick(params(0), state, intents)
            alive = state.roster.alive
            sane = all_sane(after)
            return after, (intents, output.outcomes.verdicts.reason, alive, sane)

        return jax.lax.scan(lambda states, key: jax.vmap(one)(states, jax.random.split(key, 64)), states, keys)

    states = jax.vmap(lambda index: INIT(params(0), rng.town_key(3, index)))(jnp.arange(64, dtype=jnp.uint32))
    after, (intents, reason, alive, sane) = many(states, jax.random.split(jax.random.key(1), ticks))
    seen = jax.device_get((intents, reason, alive))
    assert reason.size >= number
    assert bool(jnp.all(sane))
    impossible = no_such_thing(seen[0]) & seen[2]
    assert impossible.sum() > number // 4
    assert (seen[1][impossible] == Reason.BAD_INDEX).all()
    assert (np.asarray(after.faults) & Fault.BAD_INTENT).all()


def no_such_thing(intents: Any) -> Any:
    """Tell which intents name something that there is not, by the rules and not by the code."""
    actions_there = 5 + SPEC.num_affordances + 2
    flat, kind = intents.flat, intents.kind

    def outside(values: Any, size: int) -> Any:
        return (values < 0) | (values >= size)

    structured = outside(kind, 9)
    structured |= (kind == 1) & outside(intents.direction, 4)
    structured |= ((kind >= 2) & (kind <= 6)) & outside(intents.object, SPEC.num_objects)
    structured |= np.isin(kind, (3, 4)) & outside(intents.affordance, SPEC.num_affordances)
    structured |= (kind == 8) & outside(intents.target, SPEC.num_agents)
    return np.where(flat == -1, structured, outside(flat, actions_there))


def all_sane(state: TownState) -> Any:
    """Tell whether all numbers of a town are finite and in their ranges."""
    finite = [
        jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)
    ]
    x, y = state.roster.position[:, 0], state.roster.position[:, 1]
    inside = jnp.all((x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE))
    holds = jnp.all((state.queues.holding >= -1) & (state.queues.holding < SPEC.num_objects))
    needs = jnp.all((state.needs.level >= 0) & (state.needs.level <= 1))
    return jnp.all(jnp.stack([*finite, inside, holds, needs]))
