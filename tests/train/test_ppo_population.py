"""Several learners beside each other in one program: each is the learner that its seed and settings make alone."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from hamlet import MOVING, hamlet, hyper, reward, settings, trained
from tiny import close

from train import building, ppo
from train.building import Setup
from train.logging import Log

pytestmark = pytest.mark.slow  # compiles the whole learner: minutes on a cold cache


@functools.cache
def pair() -> Setup:
    """Return two learners in one program."""
    return building.set_up(settings(), built=hamlet(MOVING), members=2, devices=jax.devices()[:1], reward=reward)


def test_a_member_learns_what_it_would_learn_alone() -> None:
    setup = pair()
    knowledge, standing = setup.learner.begin([3, 4])
    rates = (0.01, 0.0)
    both = jax.tree.map(lambda *each: jnp.stack(each), *(hyper(learning_rate=rate) for rate in rates))
    knowledge, standing, report = setup.learner.step(both, knowledge, standing)
    for member, (seed, rate) in enumerate(zip((3, 4), rates, strict=True)):
        alone, (said,) = trained(MOVING, 1, seed=seed, learning_rate=rate)
        here, heard = jax.device_get(jax.tree.map(lambda leaf, row=member: leaf[row], (knowledge, report)))
        assert int(heard.steps) == int(said.steps)
        assert float(heard.reward_sum) == float(said.reward_sum)
        close(here.parameters, alone.parameters, atol=2e-3)
        close(heard.explained_variance, said.explained_variance, atol=1e-3)


def test_every_member_is_reported() -> None:
    setup = replace(pair(), settings=settings(updates=2))
    with Log(None) as log:
        trained = ppo.train(setup, log=log)
    assert [(row["update"], row["member"]) for row in trained.rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert trained.rows[0]["reward_per_agent_step"] != trained.rows[1]["reward_per_agent_step"]
    said = ppo.summary(setup, trained)
    assert (said["updates"], said["population"], len(said["last"])) == (2, 2, 2)
    assert said["agent_steps"] == sum(row["agent_steps"] for row in trained.rows)
