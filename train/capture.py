"""Towns that are recorded: a policy lives in them, trouble strikes some, and every tick leaves what is kept of it.

Owns what is taken of a tick, and whose doing it is.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from townlet_jax import run as townlet_run
from townlet_jax.config import Built
from townlet_jax.core import batch
from townlet_jax.core.enums import Exit
from townlet_jax.core.outcomes import Measures
from townlet_jax.core.params import Params
from townlet_jax.core.struct import Pytree
from townlet_jax.env import Act, BatchEnv, Standing, Transition, at_random, begin, rollout
from townlet_jax.env.records import Environment, choices
from townlet_jax.policy import network, timeline
from townlet_jax.report import printable
from townlet_jax.run import RunError
from townlet_jax.snapshots import sources, weights
from train import experience, guided
from train.guided import Guided, Told, by_script
from train.held import Undecided
from train.stress import Stress

COUNTS = ("late_starts", "absences", "conflicts", "chats_ok", "aborts", "faints")  # of a town
_STRESSED = 10_000_000  # folded into the key of a seed for towns under stress: no plain town has such a number
Labels = Literal["own", "script"]
Teach = Callable[[Any], Act]  # from weights, or None, to a policy


class Taken(Pytree):
    """What is recorded of one tick of one town."""

    features: Float[Array, "*n A D"]
    map: UInt8[Array, "*n A channels w w"]
    mask: Bool[Array, "*n A X"]
    action: Int[Array, "*n A"]
    reward: Float[Array, "*n A"]
    terminated: Bool[Array, "*n A"]
    truncated: Bool[Array, "*n A"]
    valid: Bool[Array, "*n A"]
    choice: Bool[Array, "*n A"]
    uid: Int[Array, "*n A"]
    counts: Int[Array, "*n counts"]  # of `COUNTS`


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """Who acts: its name, its weights if it has some, and how it acts with them."""

    name: str
    teach: Teach
    weights: Any = None
    memory: Callable[[tuple[int, ...]], Any] = lambda shape: None  # before the first tick; the shape is [towns, A]
    share: float = 1.0  # of the decisions; the script makes the others
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be recorded."""

    towns: int
    ticks: int
    seed: int = 0
    discount: float = 0.997
    stressed: bool = False
    labels: Labels = "own"  # script: what the script would have done, whoever acted
    step: int = 60  # ticks of a call; trouble strikes between two of them


def plan(sound: townlet_run.Plan, *, stressed: bool, discount: float, labels: Labels = "own") -> Plan:
    """Return what is recorded of a run that could be had; raises `RunError`."""
    if not 0 <= discount < 1:
        raise RunError(f"--discount is {discount}, but must be 0 or more and below 1; give for example 0.997.")
    step = next((width for width in (60, 50, 48, 40, 30, 20, 10, 5) if sound.ticks % width == 0), 1)
    return Plan(
        towns=sound.towns,
        ticks=sound.ticks,
        seed=sound.seed,
        discount=discount,
        stressed=stressed,
        labels=labels,
        step=step,
    )


def teacher(word: str, built: Built, *, greedy: bool = False, share: float = 1.0) -> Teacher:
    """Return who acts: scripted, random, or weights at a place that make a `share` of the decisions.

    The script makes the others. Raises `RunError` or `StoreError`.
    """
    if not 0 <= share <= 1:
        raise RunError(
            f"--share is {share}, but must be 0 to 1, the share of decisions that the weights make; change it."
        )
    if word == "scripted":
        return Teacher(name=word, teach=lambda weights: by_script)
    if word == "random":
        return Teacher(name=word, teach=lambda weights: at_random)
    if not sources.is_there(word):
        raise RunError(
            f"--policy is '{printable(word)}', but must be scripted, random, or where weights are: the folder of a run "
            f"or a {sources.SUFFIX} file; choose one."
        )
    known = sources.read(word)
    net, _ = weights.fitting(known, built)
    acting = guided.greedily if greedy else experience.acting
    return Teacher(
        name=known.name,
        teach=lambda parameters: guided.mixture(acting(net, parameters)),
        weights=jax.tree.map(jnp.asarray, known.parameters),
        memory=lambda shape: network.no_memory(known.config, shape),
        share=share,
        about={"updates": known.step, "trained_in": known.identity.config_id, "greedy": greedy, "share": share},
    )


class Towns:
    """The towns while they are recorded; holds where they stand."""

    def __init__(self, built: Built, teacher: Teacher, plan: Plan, kinds: Sequence[Stress | None]) -> None:
        self._built, self._kinds, self._plan = built, kinds, plan
        devices = jax.local_devices()
        number = max(size for size in range(1, len(devices) + 1) if plan.towns % size == 0)
        mesh = batch.town_mesh(devices[:number])
        env = BatchEnv(_shown(Guided(built.spec), built), mesh=mesh)
        self._weights = teacher.weights
        self._params = guided.mixed(built.params, teacher.share)
        keys = _keys(plan.seed, [kind is not None for kind in kinds])
        state, timestep = jax.jit(jax.vmap(env.env.reset, in_axes=(0, None)))(keys, self._params)
        self._standing = batch.shard(mesh, begin(state, timestep, teacher.memory(timestep.reward.shape)))
        self._mesh = mesh

        def live(weights: Any, params: Params, standing: Standing) -> tuple[Standing, Taken]:
            made: tuple[Standing, Taken] = rollout(
                env,
                teacher.teach(weights),
                params,
                standing,
                plan.step,
                collect=functools.partial(take, labels=plan.labels),
            )
            return made

        self._live = jax.jit(live, donate_argnums=2)

    def lived(self) -> Any:
        """Let all towns live one step; return what was taken, on the host."""
        struck = np.array([self._strike(town) for town in range(len(self._kinds))])
        self._standing, taken = self._live(self._weights, self._params, self._standing)
        up_to_date = taken.choice[0] & ~struck[:, None]  # else what they saw was older than the town
        return jax.device_get(taken.replace(choice=taken.choice.at[0].set(up_to_date)))

    def _strike(self, number: int) -> bool:
        """Let happen what the stress of a town brings before its next tick; tell whether it brings something."""
        kind, built, state = self._kinds[number], self._built, self._standing.state
        if kind is None:
            return False
        town = jax.device_get(jax.tree.map(lambda leaf: leaf[number], state.town))
        commands = kind.strikes(built, town, self._plan.step)
        for command in commands:
            told = (command.name, command.arguments, built.names, built.spec, built.params)
            if all(condition.met(town) for condition in timeline.interpret(*told).conditions):
                town = timeline.apply(*told, town)  # else somebody is gone, or the event runs already
        if commands:
            edited = jax.tree.map(lambda leaf, part: leaf.at[number].set(part), state.town, town)
            self._standing = batch.shard(self._mesh, self._standing.replace(state=state.replace(town=edited)))
        return bool(commands)


def _shown(town: Guided, built: Built) -> Environment:
    """Return the town with masks that show only choices with a say. It goes on after a time limit."""
    return Undecided(town) if built.spec.action_space == "options" else town


def _keys(seed: int, stressed: Sequence[bool]) -> Array:
    """Return the key of every town: town i of a plain recording is town i of the seed everywhere."""
    base = jax.random.key(seed, impl="threefry2x32")
    numbers = [town + (_STRESSED if under else 0) for town, under in enumerate(stressed)]
    keys: Array = jax.vmap(lambda number: jax.random.fold_in(base, number))(jnp.asarray(numbers, jnp.uint32))
    return keys


def take(transition: Transition, *, labels: Labels) -> Taken:
    """Return what is recorded of one step of one town."""
    seen, step = transition.moment.observation, transition.timestep
    assert isinstance(step, Told), "recordings are made in guided towns"
    mask = choices(seen)
    action = step.script if labels == "script" else step.played
    legal = jnp.take_along_axis(mask, jnp.maximum(action, 0)[:, None], axis=1)[:, 0]
    measures = step.measures
    return Taken(
        features=seen.features,
        map=seen.map,
        mask=mask,
        action=action,
        reward=step.reward,
        terminated=step.terminated,
        truncated=step.truncated,
        valid=step.valid,
        choice=step.valid & legal & (jnp.sum(mask, axis=-1) > 1),
        uid=step.uid,
        counts=counted(measures),
    )


def counted(measures: Measures) -> Int[Array, "counts"]:
    """Return `COUNTS` of a tick."""
    some = [getattr(measures, name) for name in COUNTS[:4]]
    return jnp.stack([*some, jnp.sum(measures.aborts[1:]), measures.exits[Exit.FAINT]]).astype(jnp.int32)
