"""A small independent learner for JaxMARL's environments: one network, shared by all agents, trained with PPO.

It drives an environment as JaxMARL's own learners do: batches of `reset` and `step` under `vmap`, dictionaries stacked
in the order of `agents`, one scan over the steps of a rollout within one scan over the updates.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

HIDDEN = 32
GAMMA, TRACE, CLIP, EPOCHS, RATE = 0.9, 0.9, 0.2, 4, 1e-2


class Step(NamedTuple):
    """One step of all agents of all towns, [towns * agents] but for what the environment tells."""

    seen: jax.Array
    action: jax.Array
    score: jax.Array  # log-probability
    value: jax.Array
    reward: jax.Array
    done: jax.Array
    infos: Any


def stacked(env: Any, by_agent: dict[str, jax.Array]) -> jax.Array:
    """Return one row for each agent of each town, agent by agent."""
    rows = jnp.stack([by_agent[agent] for agent in env.agents])
    return rows.reshape(rows.shape[0] * rows.shape[1], *rows.shape[2:])


def apart(env: Any, rows: jax.Array) -> dict[str, jax.Array]:
    """Return the rows of each agent, one a town; each row is an array of one entry, as in JaxMARL's IPPO."""
    return dict(zip(env.agents, rows.reshape(env.num_agents, -1, 1), strict=True))


def network(key: jax.Array, width: int, num_actions: int) -> dict[str, jax.Array]:
    """Return the weights of one hidden layer, a head for actions and one for the value."""
    first, second = jax.random.split(key)
    return {
        "hidden": jax.random.normal(first, (width, HIDDEN)) / width**0.5,
        "policy": jax.random.normal(second, (HIDDEN, num_actions)) * 0.01,
        "value": jnp.zeros((HIDDEN, 1)),
    }


def judge(weights: dict[str, jax.Array], seen: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return log-probabilities and value."""
    hidden = jnp.tanh(seen @ weights["hidden"])
    return jax.nn.log_softmax(hidden @ weights["policy"]), (hidden @ weights["value"])[..., 0]


def chosen(scores: jax.Array, action: jax.Array) -> jax.Array:
    """Return the log-probability of the action."""
    return jnp.take_along_axis(scores, action[..., None], axis=-1)[..., 0]


def advantages(steps: Step, last: jax.Array) -> jax.Array:
    """Return GAE, cut where an agent is done."""

    def back(carry: tuple[jax.Array, jax.Array], step: Step) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        gain, following = carry
        goes_on = 1.0 - step.done.astype(jnp.float32)
        error = step.reward + GAMMA * following * goes_on - step.value
        gain = error + GAMMA * TRACE * goes_on * gain
        return (gain, step.value), gain

    return jax.lax.scan(back, (jnp.zeros_like(last), last), steps, reverse=True)[1]


def loss(weights: dict[str, jax.Array], steps: Step, gain: jax.Array, target: jax.Array) -> jax.Array:
    """Return the clipped policy loss, plus half the squared error of the value, less a little entropy."""
    scores, value = judge(weights, steps.seen)
    ratio = jnp.exp(chosen(scores, steps.action) - steps.score)
    normal = (gain - gain.mean()) / (gain.std() + 1e-6)
    policy = -jnp.minimum(ratio * normal, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * normal).mean()
    entropy = -(jnp.exp(scores) * scores).sum(axis=-1).mean()
    return policy + 0.5 * jnp.square(value - target).mean() - 0.01 * entropy


def train(env: Any, key: jax.Array, *, towns: int, length: int, updates: int) -> tuple[Any, Any, dict[str, jax.Array]]:
    """Return the weights before and after, and figures by update."""
    optimiser = optax.adam(RATE)
    first_key, reset_key, run_key = jax.random.split(key, 3)
    width = env.observation_space(env.agents[0]).shape[0]
    weights = network(first_key, width, env.action_space(env.agents[0]).n)
    seen, state = jax.vmap(env.reset)(jax.random.split(reset_key, towns))

    def act(carry: Any, step_key: jax.Array) -> tuple[Any, Step]:
        weights, state, seen = carry
        rows = stacked(env, seen)
        draw, advance = jax.random.split(step_key)
        scores, value = judge(weights, rows)
        action = jax.random.categorical(draw, scores)
        keys = jax.random.split(advance, towns)
        seen, state, reward, done, infos = jax.vmap(env.step)(keys, state, apart(env, action))
        step = Step(rows, action, chosen(scores, action), value, stacked(env, reward), stacked(env, done), infos)
        return (weights, state, seen), step

    def update(carry: Any, update_key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        weights, memory, state, seen = carry
        (_, state, seen), steps = jax.lax.scan(act, (weights, state, seen), jax.random.split(update_key, length))
        gain = advantages(steps, judge(weights, stacked(env, seen))[1])
        target = gain + steps.value

        def improve(carry: Any, _: None) -> tuple[Any, jax.Array]:
            weights, memory = carry
            amount, slope = jax.value_and_grad(loss)(weights, steps, gain, target)
            change, memory = optimiser.update(slope, memory)
            return (optax.apply_updates(weights, change), memory), amount

        (weights, memory), losses = jax.lax.scan(improve, (weights, memory), None, EPOCHS)
        ended = steps.infos["returned_episode"]
        returns = (steps.infos["returned_episode_returns"] * ended).sum() / jnp.maximum(ended.sum(), 1)
        figures = {"losses": losses, "reward": steps.reward.mean(), "episodes": ended.sum(), "returns": returns}
        return (weights, memory, state, seen), figures

    carry = (weights, optimiser.init(weights), state, seen)
    carry, figures = jax.lax.scan(update, carry, jax.random.split(run_key, updates))
    return weights, carry[0], figures
