"""Records: frozen, checked where they are made, transparent to transformations (DESIGN section 3)."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from jaxtyping import Array, Float, TypeCheckError

from core.worlds import World, hamlet, on_device
from townlet_jax.core.state import Clock, Needs
from townlet_jax.core.struct import Pytree, static


class Pair(Pytree):
    """Two columns and a label."""

    left: Float[Array, "n"]
    right: Float[Array, "n"]
    label: str = static()


def test_records_are_frozen_and_keyword_only() -> None:
    pair = Pair(left=jnp.zeros(2), right=jnp.ones(2), label="x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        pair.left = jnp.ones(2)  # type: ignore[misc]  # that it cannot is the point
    with pytest.raises(TypeError):
        Pair(jnp.zeros(2), jnp.ones(2), label="x")  # type: ignore[call-arg]  # that it cannot is the point
    with pytest.raises(TypeError):
        pair.replace(middle=jnp.zeros(2))


def test_leaves_have_names_and_statics_are_structure() -> None:
    pair = Pair(left=jnp.zeros(2), right=jnp.ones(2), label="x")
    leaves, tree = jax.tree_util.tree_flatten_with_path(pair)
    assert [jax.tree_util.keystr(path) for path, _ in leaves] == [".left", ".right"]
    assert jax.tree.unflatten(tree, [1, 2]).label == "x"
    assert str(jax.tree.structure(pair)) != str(jax.tree.structure(pair.replace(label="y")))


def test_transformations_do_not_check_shapes() -> None:
    pair = Pair(left=jnp.zeros((2, 3))[:, 0], right=jnp.ones(2), label="x")
    batch = jax.vmap(lambda scale: jax.tree.map(lambda leaf: leaf * scale, pair))(jnp.arange(4.0))
    assert batch.left.shape == (4, 2)
    swapped = jax.jit(lambda p: p.replace(left=p.right, right=p.left))(pair)
    assert swapped.left.tolist() == [1, 1]
    assert jax.lax.scan(lambda p, _: (p, p.left), pair, None, length=3)[1].shape == (3, 2)
    assert jax.tree.map(lambda _: None, pair).left is None


def test_constructors_and_replace_check_shapes() -> None:
    with pytest.raises(TypeCheckError):
        Needs(level=jnp.zeros(3))
    state = on_device(World().state)
    with pytest.raises(TypeCheckError):
        state.clock.replace(tick=jnp.zeros(4, jnp.int32))
    with pytest.raises(TypeCheckError):
        state.roster.replace(alive=jnp.zeros(24))


def test_slices_fit_a_screen() -> None:
    state = World().state
    for field in dataclasses.fields(state):
        slice_ = getattr(state, field.name)
        if isinstance(slice_, Pytree):
            assert len(dataclasses.fields(slice_)) <= 12, field.name  # type: ignore[arg-type]  # a Pytree is a dataclass
    assert isinstance(state.clock, Clock)
    assert hash(hamlet().spec) == hash(dataclasses.replace(hamlet().spec))
