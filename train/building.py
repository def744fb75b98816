"""From settings to a learner: the town, the network, the devices; and the settings of each update as arrays."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from townlet_jax import config
from townlet_jax.config import Built
from townlet_jax.core import batch
from townlet_jax.core.observe.layout import layout
from townlet_jax.env import AutoReset, BatchEnv, TownEnv
from townlet_jax.env.records import Environment
from townlet_jax.env.town_env import Reward
from townlet_jax.policy.network import Network, NetworkConfig
from townlet_jax.run import RunError
from train import selection
from train.held import Undecided
from train.learner import Learner, Shape
from train.settings import PpoSettings, Settings
from train.starts import Staggered
from train.update import Hyper, Passes

_NO_LIMIT = float("inf")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A learner and what it was made of."""

    settings: Settings
    built: Built
    network: Network
    learner: Learner
    mesh: Mesh
    members: int  # of a population, 0 for a learner alone


def built_town(settings: Settings) -> Built:
    """Return the town of the settings; raises `ConfigError`."""
    town = settings.town
    own = (f"spec.action_space={town.action_space}", f"clock.horizon_ticks={town.horizon}")
    return config.build(config.load(town.config, (*town.overrides, *own)))


def set_up(
    settings: Settings,
    *,
    built: Built | None = None,
    members: int = 0,
    devices: list[jax.Device] | None = None,
    reward: Reward | None = None,
) -> Setup:
    """Make the learner; raises `ConfigError` or `RunError` for what cannot be had, before anything is compiled."""
    made = built_town(settings) if built is None else built
    mesh = batch.town_mesh(usable(settings, jax.devices() if devices is None else devices))
    net = Network(NetworkConfig(**settings.network.model_dump()), layout(made.spec))
    env = environment(TownEnv(made.spec, reward=reward), made)
    first = environment(Staggered(made.spec, reward=reward), made) if settings.town.staggered else env
    shape = shape_of(settings, made, mesh, members=members)
    learner = Learner(BatchEnv(env), BatchEnv(first), net, made.params, shape, mesh)
    return Setup(settings=settings, built=made, network=net, learner=learner, mesh=mesh, members=members)


def shape_of(settings: Settings, made: Built, mesh: Mesh, *, members: int = 0) -> Shape:
    """Return the static settings of a learner on these devices; raises `RunError`."""
    ppo = settings.ppo
    a_pass = settings.towns // mesh.size // ppo.minibatches
    rows = learned_rows(settings, made.spec.num_agents)
    most = max(1, ppo.chunk_rows // (rows or settings.steps * made.spec.num_agents))
    return Shape(
        towns=settings.towns,
        steps=settings.steps,
        passes=Passes(epochs=ppo.epochs, minibatches=ppo.minibatches, chunk_towns=batch.block_size(a_pass, most)),
        normalise_returns=ppo.normalise_returns,
        rows=rows,
        members=members,
    )


def environment(town: Environment, made: Built) -> Environment:
    """Return what is learned from: masks that show only choices with a say, new episodes after a time limit."""
    env = Undecided(town) if made.spec.action_space == "options" else town
    return AutoReset(env, "next_step" if int(made.params.clock.horizon_ticks) else "disabled")


def learned_rows(settings: Settings, num_agents: int) -> int:
    """Return how many steps of a town an update learns from, 0 for all of them; raises `RunError`."""
    share, net = settings.ppo.learned_share, settings.network
    if share >= 1:
        return 0
    if net.core != "none" or net.critic != "own":
        raise RunError(
            f"ppo.learned_share is {share}, but a network with core {net.core} and critic {net.critic} reads whole "
            "rollouts; set ppo.learned_share=1, or network.core=none and network.critic=own."
        )
    return selection.rows_of_town(settings.steps, num_agents, share)


def usable(settings: Settings, devices: list[jax.Device]) -> list[jax.Device]:
    """Return as many devices as can share the towns of every minibatch evenly; raises `RunError` if none can."""
    towns, minibatches = settings.towns, settings.ppo.minibatches
    if towns % minibatches:
        below = towns - towns % minibatches
        near = f"{below} or {below + minibatches}" if below else str(minibatches)
        raise RunError(
            f"towns is {towns}, but must be a multiple of ppo.minibatches ({minibatches}), so that each minibatch has "
            f"whole towns; set towns={near}."
        )
    number = max(size for size in range(1, len(devices) + 1) if towns % (size * minibatches) == 0)
    return devices[:number]


def hyper_at(ppo: PpoSettings, update: int, updates: int) -> Hyper:
    """Return the settings of an update (0, 1, …): schedules are straight lines."""
    done = update / max(updates - 1, 1)
    rate = ppo.learning_rate * (1.0 - update / updates if ppo.anneal else 1.0)
    return Hyper(
        learning_rate=_number(rate),
        discount=_number(ppo.discount),
        trace_decay=_number(ppo.trace_decay),
        max_grad_norm=_number(ppo.max_grad_norm),
        target_kl=_number(ppo.target_kl or _NO_LIMIT),
        return_memory=_number(ppo.return_memory),
        clip=_number(ppo.clip),
        value_clip=_number(ppo.value_clip or _NO_LIMIT),
        value_weight=_number(ppo.value_weight),
        entropy_weight=_number(ppo.entropy_start + (ppo.entropy_end - ppo.entropy_start) * done),
    )


def _number(value: float) -> jax.Array:
    return jnp.asarray(np.float32(value))
