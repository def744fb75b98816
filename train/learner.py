"""One learner: what it knows, and the one compiled call in which it acts in all its towns and learns from that.

Towns are split over the devices of a mesh; parameters are the same on all of them. Members of a population are
learners of their own beside each other (a leading axis), each with its seed and settings.
"""

import functools
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int, Key

from townlet_jax.core.batch import AXIS
from townlet_jax.core.params import Params
from townlet_jax.core.struct import Pytree
from townlet_jax.env import BatchEnv, Standing, begin
from townlet_jax.policy import network
from townlet_jax.policy.network import Network, Parameters
from townlet_jax.snapshots import processes
from train import experience as rollouts
from train import losses, normalise, returns, selection
from train.experience import Acting, Events, Experience
from train.losses import PpoTerms
from train.normalise import Moments
from train.update import OPTIMISER, Hyper, Material, Passes, learn, no_terms

_EVERYWHERE, _TOWNS = PartitionSpec(), PartitionSpec(AXIS)
_MEMBER_TOWNS = PartitionSpec(None, AXIS)
_PARAMETERS, _SHUFFLE = range(2)  # what the key of a learner is folded with
_SELECTION = 2**31 - 1  # what the key of an update is folded with, where the passes take 0, 1, ...


class Knowledge(Pytree):
    """What a learner has learned, without its towns."""

    parameters: Parameters
    optimiser: Any
    returns: Moments  # of the value targets
    key: Key[Array, "*members"]  # never changed; each update folds its number in
    update: Int[Array, "*members"]  # updates done


class Report(Pytree):
    """What one update was like: sums over all towns and ticks, and the figures of the last pass."""

    terms: PpoTerms
    grad_norm: Float[Array, ""]  # before it is shortened
    epochs: Int[Array, ""]  # passes done
    explained_variance: Float[Array, ""]
    value_mean: Float[Array, ""]  # in the unit of rewards
    reward_sum: Float[Array, ""]
    steps: Int[Array, ""]  # of agents that acted
    choices: Int[Array, ""]  # of them with more than one legal choice
    left_out: Int[Array, ""]  # choices that were not learned from
    terminated: Int[Array, ""]
    truncated: Int[Array, ""]
    events: Events


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The static settings of a learner."""

    towns: int
    steps: int
    passes: Passes
    normalise_returns: bool
    rows: int = 0  # steps of a town that an update learns from, 0 for all of them
    members: int = 0  # of a population, 0 for a learner alone


class Learner:
    """Compiles one update and runs it again and again; call `begin` once, then `step`.

    `first` makes the towns in which it begins, `env` all that come after them. `acting` says how its network acts.
    """

    def __init__(
        self,
        env: BatchEnv,
        first: BatchEnv,
        net: Network,
        params: Params,
        shape: Shape,
        mesh: Mesh,
        acting: Acting = rollouts.acting,
    ) -> None:
        self._env = env
        self._first = first
        self._net = net
        self._acting = acting
        self._shape = shape
        self._mesh = mesh
        self._here = params  # on this process alone
        self._params = self._everywhere(params)
        self._compiled: jax.stages.Compiled | None = None
        self.compile_seconds = 0.0
        self.traces = 0  # how often the update was traced

    def among(self, env: BatchEnv, first: BatchEnv, params: Params, acting: Acting) -> "Learner":
        """Return a learner of the same shape in other towns, where it acts in another way."""
        return Learner(env, first, self._net, params, self._shape, self._mesh, acting)

    def live_under(self, params: Params) -> None:
        """Let what follows happen under other numbers of the same town; nothing is compiled again."""
        self._here, self._params = params, self._everywhere(params)

    def begin(self, seed: int | list[int]) -> tuple[Knowledge, Standing]:
        """Return a learner that knows nothing, in new towns; a population takes one seed a member."""
        if isinstance(seed, int):
            knowledge, standing = self._begun(seed)
        else:
            each = [self._begun(one) for one in seed]
            knowledge, standing = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
        towns = _MEMBER_TOWNS if self._shape.members else _TOWNS
        return self._everywhere(knowledge), processes.placed(standing, NamedSharding(self._mesh, towns))

    def _everywhere(self, tree: Any) -> Any:
        return processes.placed(tree, NamedSharding(self._mesh, _EVERYWHERE))

    def _begun(self, seed: int) -> tuple[Knowledge, Standing]:
        key = jax.random.key(seed, impl="threefry2x32")
        parameters = jax.jit(functools.partial(network.init, self._net))(jax.random.fold_in(key, _PARAMETERS))
        with jax.numpy_dtype_promotion("standard"):
            optimiser = OPTIMISER.init(parameters)
        state, timestep = self._first.reset(seed, self._here, self._shape.towns)
        memory = network.no_memory(self._net.config, timestep.reward.shape)
        knowledge = Knowledge(
            parameters=parameters,
            optimiser=optimiser,
            returns=jax.tree.map(jnp.copy, normalise.nothing_seen()),  # donated: no buffer may stand there twice
            key=jax.random.fold_in(key, _SHUFFLE),
            update=jnp.int32(0),
        )
        return knowledge, begin(state, timestep, memory)

    def step(self, hyper: Hyper, knowledge: Knowledge, standing: Standing) -> tuple[Knowledge, Standing, Report]:
        """Act for one rollout and learn from it. Both records are donated: use the returned ones."""
        hyper = self._everywhere(hyper)
        self.compile(hyper, knowledge, standing)
        assert self._compiled is not None
        made: tuple[Knowledge, Standing, Report] = self._compiled(self._params, hyper, knowledge, standing)
        return made

    def compile(self, hyper: Hyper, knowledge: Knowledge, standing: Standing) -> None:
        """Compile the update for these shapes, if that has not been done."""
        if self._compiled is not None:
            return
        began = time.perf_counter()
        towns, call = _TOWNS, self._update
        if self._shape.members:
            towns, call = _MEMBER_TOWNS, jax.vmap(self._update, in_axes=(None, 0, 0, 0))
        given = (_EVERYWHERE, _EVERYWHERE, _EVERYWHERE, towns)
        gives = (_EVERYWHERE, towns, _EVERYWHERE)
        call = jax.shard_map(call, mesh=self._mesh, in_specs=given, out_specs=gives, check_vma=False)
        jitted = jax.jit(
            call, donate_argnums=(2, 3), out_shardings=tuple(NamedSharding(self._mesh, spec) for spec in gives)
        )
        self._compiled = jitted.lower(self._params, hyper, knowledge, standing).compile()
        self.compile_seconds = time.perf_counter() - began

    def _update(
        self, params: Params, hyper: Hyper, knowledge: Knowledge, standing: Standing
    ) -> tuple[Knowledge, Standing, Report]:
        """Act and learn, on the towns of one device."""
        self.traces += 1
        memory = standing.memory
        with jax.named_scope("rollout"):
            act = self._acting(self._net, knowledge.parameters)
            standing, experience = rollouts.gather(self._env, act, params, standing, self._shape.steps)
        with jax.named_scope("judge"):
            last = network.apply(
                self._net, knowledge.parameters, standing.observation, standing.memory, standing.fresh
            )[1]
            material, moments, judged = judge(
                experience, last, knowledge.returns, hyper, memory=memory, scaled=self._shape.normalise_returns
            )
        key = jax.random.fold_in(knowledge.key, knowledge.update)
        report = report_of(experience, material.chosen, judged)
        if self._shape.rows:
            with jax.named_scope("select"):
                own = jax.random.fold_in(jax.random.fold_in(key, _SELECTION), jax.lax.axis_index(AXIS))
                selected = selection.select(own, material, self._shape.rows)
                material = selected.material
                report = report.replace(left_out=jax.lax.psum(selected.left_out, AXIS))
        with jax.named_scope("learn"):
            learned = learn(
                self._net, self._shape.passes, hyper, material, knowledge.parameters, knowledge.optimiser, key
            )
        report = report.replace(terms=learned.terms, grad_norm=learned.grad_norm, epochs=learned.epoch)
        after = Knowledge(
            parameters=learned.parameters,
            optimiser=learned.optimiser,
            returns=moments,
            key=knowledge.key,
            update=knowledge.update + 1,
        )
        return after, standing, report


class Judged(Pytree):
    """How good the values were."""

    explained_variance: Float[Array, ""]
    value_mean: Float[Array, ""]


def judge(
    experience: Experience,
    last: Float[Array, "T A"],
    seen: Moments,
    hyper: Hyper,
    *,
    memory: Any,
    scaled: bool,
) -> tuple[Material, Moments, Judged]:
    """Return what to learn from a rollout, the moments of all returns so far, and how good the values were.

    With `scaled`, values are read as deviations of the returns seen so far. The next row's value stands for the
    observation after a step also at a time limit, since an episode's last observation is the next row's (`next_step`).
    """
    live, chosen = experience.valid, rollouts.had_choice(experience)
    read = functools.partial(normalise.restore, seen) if scaled else lambda values: values
    value, following = read(experience.value), read(jnp.concatenate([experience.value[1:], last[None]]))
    steps = returns.Steps(
        reward=experience.reward,
        value=value,
        next_value=following,
        terminated=experience.terminated,
        truncated=experience.truncated,
        valid=live,
    )
    decays = returns.decays(chosen, hyper.trace_decay)
    estimates = returns.advantages(steps, discount=hyper.discount, trace_decay=decays)
    of_targets = _moments(estimates.target, live)
    older = seen.replace(count=seen.count * hyper.return_memory, square_sum=seen.square_sum * hyper.return_memory)
    moments = normalise.merge(older, of_targets)
    target = estimates.target
    if scaled:
        target = normalise.normalise(moments, target, clip=jnp.inf)
    material = Material(
        experience=experience,
        memory=memory,
        advantage=_standardised(estimates.advantage, chosen),
        target=target,
        chosen=chosen,
    )
    error = _moments(estimates.target - value, live)
    known = of_targets.square_sum > 0
    explained = 1.0 - error.square_sum / jnp.where(known, of_targets.square_sum, 1.0)
    judged = Judged(explained_variance=jnp.where(known, explained, 0.0), value_mean=_moments(value, live).mean)
    return material, moments, judged


def _moments(values: Float[Array, "*n"], live: Bool[Array, "*n"]) -> Moments:
    """Return the moments over the live samples of all devices."""
    return normalise.across_devices(normalise.moments_of(values, live), AXIS)


def _standardised(advantage: Float[Array, "*n"], live: Bool[Array, "*n"]) -> Float[Array, "*n"]:
    """Return advantages with mean 0 and deviation 1 over the live samples of all devices; 0 for the others."""
    return jnp.where(live, normalise.normalise(_moments(advantage, live), advantage, clip=jnp.inf), 0.0)


def report_of(experience: Experience, chosen: Bool[Array, "time T A"], judged: Judged) -> Report:
    """Add up what happened in the towns of all devices; what the passes say is still missing."""
    valid = experience.valid

    def count(flags: Bool[Array, "time T A"]) -> Int[Array, ""]:
        number: Int[Array, ""] = jax.lax.psum(jnp.sum(flags, dtype=jnp.int32), AXIS)
        return number

    return Report(
        terms=no_terms(),
        grad_norm=jnp.float32(0),
        epochs=jnp.int32(0),
        left_out=jnp.int32(0),
        explained_variance=judged.explained_variance,
        value_mean=judged.value_mean,
        reward_sum=jax.lax.psum(jnp.sum(losses.clean(experience.reward, valid.astype(jnp.float32))), AXIS),
        steps=count(valid),
        choices=count(chosen),
        terminated=count(experience.terminated & valid),
        truncated=count(experience.truncated & valid),
        events=jax.tree.map(
            lambda leaf: jax.lax.psum(jnp.sum(leaf, axis=(0, 1), dtype=leaf.dtype), AXIS), experience.events
        ),
    )
