"""Many steps of many towns in one program: what learners, evaluations and benchmarks stand on.

On a CPU a block of towns runs all steps before the next block begins, so that it stays in the processor's cache.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Int, Key

from townlet_jax.core import batch, rng
from townlet_jax.core.enums import Stream
from townlet_jax.core.observe.observation import Observation
from townlet_jax.core.params import Params
from townlet_jax.core.struct import Pytree
from townlet_jax.env.batch_env import TOWNS, BatchEnv
from townlet_jax.env.records import TimeStep, choices
from townlet_jax.policy.guardrail import POLICY_COLUMNS
from townlet_jax.policy.uniform import pick

_ACTION = 0  # column of the POLICY draw


class Moment(Pytree):
    """What one town decides on."""

    observation: Observation
    fresh: Bool[Array, "A"]  # the slot's memory is about somebody else or an episode that is over: start anew
    key: Key[Array, ""]  # of this town and tick alone
    given: Any  # one value a step, None where nothing is given


class Decision(Pytree):
    """What one town does."""

    actions: Int[Array, "A"]
    memory: Any = None  # carried to the next decision
    notes: Any = None  # for `collect`: log-probabilities, values


class Transition(Pytree):
    """One step of one town, with everything a learner may want to keep of it."""

    moment: Moment
    memory: Any  # before the decision
    decision: Decision
    timestep: TimeStep  # what came of it; its `observation` is the next moment's


class Standing(Pytree):
    """Where a rollout of many towns stands, for the next one to go on from."""

    state: Any
    observation: Observation
    fresh: Bool[Array, "*towns A"]
    memory: Any


Act = Callable[[Params, Moment, Any], Decision]
Collect = Callable[[Transition], Any]


def begin(state: Any, timestep: TimeStep, memory: Any = None) -> Standing:
    """Return where a rollout starts: after a reset or a step, with the memory of every town (leading axis)."""
    return Standing(state=state, observation=timestep.observation, fresh=timestep.fresh, memory=memory)


def at_random(params: Params, moment: Moment, memory: Any) -> Decision:
    """Choose uniformly among what is legal, with the draws that the rules set aside for policies (1.6)."""
    del params
    legal = choices(moment.observation)
    return Decision(
        actions=pick(legal, rng.uniform_column(moment.key, legal.shape[0], POLICY_COLUMNS, _ACTION)), memory=memory
    )


def rollout(
    env: BatchEnv,
    act: Act,
    params: Params,
    standing: Standing,
    num_steps: int,
    *,
    given: Any = None,
    collect: Collect | None = None,
    block: int | None = None,
) -> tuple[Standing, Any]:
    """Let every town decide and step `num_steps` times; return where it stands then, and what was collected.

    `act` and `collect` see one town. What `collect` returns is stacked with the leading axes [time, towns]; what it
    does not ask for is not computed. `given` is a tree with the same two axes. `block` is the number of towns that
    run together, by default as many as a level-2 cache holds. Call it within `jit`, and donate `standing` there.
    """
    run = functools.partial(_run, env, act, num_steps, collect, block)
    over_time = PartitionSpec(None, batch.AXIS)
    call = env.over_devices(run, (env.params_specs, TOWNS, over_time), (TOWNS, over_time))
    return call(params, standing, given)  # type: ignore[no-any-return]  # whatever `collect` made


def _run(
    env: BatchEnv,
    act: Act,
    num_steps: int,
    collect: Collect | None,
    block: int | None,
    params: Params,
    standing: Standing,
    given: Any,
) -> tuple[Standing, Any]:
    """Run the towns of one device block by block; each writes its own columns of what is collected."""
    num_towns = standing.fresh.shape[0]
    size = batch.block_size(num_towns, block or _most_towns(standing))
    own, restored = batch.split_params(env.params_axes, params)
    parts = jax.tree.map(lambda leaf: leaf.reshape(num_towns // size, size, *leaf.shape[1:]), (own, standing))

    def all_towns(numbers: list[Array], stands: Standing, now: Any) -> tuple[Standing, Any]:
        step = jax.vmap(functools.partial(_step, env, act, collect), in_axes=(env.params_axes, 0, 0))
        return step(restored(numbers), stands, now)

    example = jax.eval_shape(lambda: (*jax.tree.map(lambda leaf: leaf[0], parts), _columns(_at(given, 0), 0, size)))
    step, (_, made) = batch.traced(all_towns, *example, is_pruned=True)
    collected = jax.tree.map(lambda leaf: jnp.zeros((num_steps, num_towns, *leaf.shape[1:]), leaf.dtype), made)

    def live(collected: Any, part: tuple[Int[Array, ""], tuple[list[Array], Standing]]) -> tuple[Any, Standing]:
        index, (numbers, start) = part

        def advance(carry: tuple[Standing, Any], time: Int[Array, ""]) -> tuple[tuple[Standing, Any], None]:
            stands, kept = carry
            stands, made = step(numbers, stands, _columns(_at(given, time), index * size, size))
            return (stands, jax.tree.map(functools.partial(_write, time, index * size), kept, made)), None

        (end, collected), _ = jax.lax.scan(advance, (start, collected), jnp.arange(num_steps, dtype=jnp.int32))
        return collected, end

    collected, ends = jax.lax.scan(live, collected, (jnp.arange(num_towns // size, dtype=jnp.int32), parts))
    return jax.tree.map(lambda leaf: leaf.reshape(num_towns, *leaf.shape[2:]), ends), collected


def _step(
    env: BatchEnv, act: Act, collect: Collect | None, params: Params, standing: Standing, given: Any
) -> tuple[Standing, Any]:
    """Let one town decide and step."""
    town = standing.state.town
    key = rng.stream(town.key, town.clock.tick + 1, Stream.POLICY)
    moment = Moment(observation=standing.observation, fresh=standing.fresh, key=key, given=given)
    with jax.named_scope("decide"):
        decision = act(params, moment, standing.memory)
    state, timestep = env.env.step(standing.state, decision.actions, params)
    transition = Transition(moment=moment, memory=standing.memory, decision=decision, timestep=timestep)
    after = Standing(state=state, observation=timestep.observation, fresh=timestep.fresh, memory=decision.memory)
    return after, None if collect is None else collect(transition)


def _most_towns(standing: Standing) -> int:
    """Return how many towns run together: what a cache holds on a CPU, all of them elsewhere."""
    if jax.default_backend() != "cpu":
        return standing.fresh.shape[0]
    return max(1, batch.BLOCK_BYTES // batch.town_bytes(standing.state.town))


def _at(given: Any, time: Int[Array, ""] | int) -> Any:
    return jax.tree.map(lambda leaf: leaf[time], given)


def _columns(given: Any, first: Int[Array, ""] | int, size: int) -> Any:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, first, size), given)


def _write(time: Int[Array, ""], first: Int[Array, ""], whole: Array, part: Array) -> Array:
    start = [time, first] + [jnp.int32(0)] * (part.ndim - 1)
    return jax.lax.dynamic_update_slice(whole, part[None], start)
