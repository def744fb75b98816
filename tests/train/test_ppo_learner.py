"""The learner: seeds, compilations, dead slots, devices, gradients in chunks."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hamlet import AGENTS, CONSTANT, MOVING, STEPS, TOWNS, hamlet, hyper, settings, shared, trained
from jax.sharding import PartitionSpec
from jaxtyping import Array
from materials import material
from tiny import close

from townlet_jax.core import batch
from townlet_jax.run import RunError
from train import building
from train.update import OPTIMISER, Material, Passes, gradient_of, learn

pytestmark = pytest.mark.slow  # compiles the whole learner: minutes on a cold cache


def bits(tree: Any) -> list[bytes]:
    """Return the bytes of every array, keys as their words."""
    arrays = [
        jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        for leaf in jax.tree.leaves(tree)
    ]
    return [np.asarray(array).tobytes() for array in arrays]


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    (first, _), (again, _), (other, _) = (trained(MOVING, 2, seed=seed) for seed in (3, 3, 4))
    assert bits(first) == bits(again)
    assert bits(first.parameters) != bits(other.parameters)


def test_without_a_learning_rate_nothing_is_learned() -> None:
    begun = jax.device_get(shared().learner.begin(5)[0].parameters)
    knowledge, reports = trained(MOVING, 2, seed=5, learning_rate=0.0)
    assert bits(knowledge.parameters) == bits(begun)
    assert all(float(report.terms.kl) == pytest.approx(0, abs=1e-6) for report in reports)
    assert all(float(report.terms.clip_fraction) == 0 for report in reports)
    assert int(knowledge.update) == 2


def test_updates_are_compiled_once() -> None:
    trained(CONSTANT, 1)
    before = shared().learner.traces
    trained(MOVING, 3, clip=0.1, discount=0.9, entropy_weight=0.0)
    assert shared().learner.traces == before == 1


def test_a_policy_that_moves_too_far_ends_the_passes() -> None:
    _, (report,) = trained(MOVING, 1, target_kl=1e-9)
    assert int(report.epochs) == 1
    _, (patient,) = trained(MOVING, 1, target_kl=float("inf"))
    assert int(patient.epochs) == settings().ppo.epochs


def test_steps_are_counted() -> None:
    _, (report,) = trained(CONSTANT, 1)
    assert int(report.steps) == TOWNS * STEPS * AGENTS
    assert float(report.reward_sum) == TOWNS * STEPS * AGENTS
    assert 0 < int(report.choices) <= int(report.steps)


@pytest.mark.parametrize(("towns", "nearest"), [(9, "8 or 10"), (1, "2")])
def test_towns_that_cannot_be_cut_are_refused_before_compiling(towns: int, nearest: str) -> None:
    with pytest.raises(RunError, match=f"towns is {towns}.*set towns={nearest}"):
        building.set_up(settings(towns=towns), built=hamlet())


@pytest.mark.parametrize(("towns", "devices"), [(16, 8), (12, 6), (10, 5), (2, 1)])
def test_as_many_devices_are_used_as_share_every_minibatch(towns: int, devices: int) -> None:
    assert len(building.usable(settings(towns=towns), jax.devices()[:8])) == devices


def on_devices(number: int, function: Any, *given: Any, split: Any) -> Any:
    """Run a function on a mesh, its arguments split as the specs say."""
    mesh = batch.town_mesh(jax.devices()[:number])
    call = jax.shard_map(function, mesh=mesh, in_specs=split, out_specs=PartitionSpec(), check_vma=False)
    return jax.jit(call)(*given)


@functools.cache
def gradients(core: str, cuts: tuple[int, int]) -> Any:
    """Return gradient and terms over all towns, read in so many chunks of so many towns."""
    net, parameters, whole = material(core)
    towns = jnp.arange(4, dtype=jnp.int32).reshape(cuts)

    def call(numbers: Any, rows: Material) -> Any:
        return gradient_of(net, hyper(), rows, numbers, towns)

    return on_devices(1, call, parameters, whole, split=PartitionSpec())


@pytest.mark.parametrize("core", ["none", "gru"])
@pytest.mark.parametrize("cuts", [(2, 2), (4, 1)])
def test_gradients_of_chunks_add_up_to_that_of_the_whole(core: str, cuts: tuple[int, int]) -> None:
    close(gradients(core, cuts), gradients(core, (1, 4)))


def test_what_stands_in_a_vacant_slot_changes_nothing() -> None:
    """Dead slots hold rubbish in every array but the observation's `valid`."""
    net, parameters, whole = material()
    vacant = ~whole.experience.valid

    def spoiled(leaf: Array) -> Array:
        return jnp.where(vacant, jnp.nan, leaf) if leaf.shape == vacant.shape and leaf.dtype == jnp.float32 else leaf

    rubbish = jax.tree.map(spoiled, whole)
    assert bool(jnp.any(jnp.isnan(rubbish.advantage)))
    towns = jnp.arange(4, dtype=jnp.int32).reshape(1, 4)

    def call(rows: Material) -> Any:
        return gradient_of(net, hyper(), rows, parameters, towns)

    clean, dirty = (on_devices(1, call, rows, split=PartitionSpec()) for rows in (whole, rubbish))
    assert bits(clean) == bits(dirty)


def test_two_devices_learn_what_one_learns() -> None:
    net, parameters, whole = material()
    passes = Passes(epochs=2, minibatches=1, chunk_towns=1)
    with jax.numpy_dtype_promotion("standard"):
        optimiser = OPTIMISER.init(parameters)

    def call(rows: Material) -> Any:
        done = learn(net, passes, hyper(target_kl=float("inf")), rows, parameters, optimiser, jax.random.key(0))
        return done.parameters, done.terms, done.grad_norm

    by_town = PartitionSpec(None, batch.AXIS)
    one = on_devices(1, call, whole, split=(by_town,))
    two = on_devices(2, call, whole, split=(by_town,))
    close(two, one, atol=1e-4)
    moved = jax.tree.map(lambda after, before: float(jnp.max(jnp.abs(after - before))), one[0], parameters)
    assert max(jax.tree.leaves(moved)) > 1e-3
