"""Random material for updates of a tiny network: what a rollout and its judgement could have left."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from tiny import made, sights

from townlet_jax.policy import distribution, network
from train.experience import Events, Experience
from train.update import Material


def material(core: str = "none", seed: int = 0) -> tuple[Any, Any, Material]:
    """Return a tiny network and random material of 4 towns; about one slot in four is vacant."""
    net, parameters = made(core=core)
    random = np.random.default_rng(seed)
    shape = (5, 4, 6)
    seen = sights(shape)
    floats = jnp.asarray(random.normal(size=(5, *shape)), jnp.float32)
    flags = jnp.asarray(random.random((2, *shape)) < 0.2)
    memory = network.no_memory(net.config, shape[1:])
    logits, value, _ = network.unroll(net, parameters, seen, memory, flags[0])
    action = distribution.sample(logits, jnp.asarray(random.random(shape), jnp.float32))
    none = jnp.zeros(shape[:2], jnp.int32)
    experience = Experience(
        observation=seen,
        fresh=flags[0],
        action=action,
        log_prob=distribution.log_prob(logits, action) + 0.1 * floats[0],
        value=value + floats[1],
        reward=floats[2],
        terminated=jnp.zeros(shape, bool),
        truncated=jnp.zeros(shape, bool),
        valid=seen.valid,
        events=Events(
            conflicts=none,
            chats_ok=none,
            chats_failed=none,
            shared_meals=none,
            late_help=none,
            late_starts=none,
            absences=none,
            exits=jnp.zeros((*shape[:2], 6), jnp.int32),
            wages_paid=floats[0, :, :, 0],
        ),
    )
    chosen = seen.valid & flags[1]
    return (
        net,
        parameters,
        Material(experience=experience, memory=memory, advantage=floats[3], target=floats[4], chosen=chosen),
    )
