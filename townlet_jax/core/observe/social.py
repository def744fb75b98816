"""Whom an agent sees when it thinks of others: its friends, then its rivals (MECHANICS 6.3)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from townlet_jax.core import arrays
from townlet_jax.core.enums import NOBODY
from townlet_jax.core.state import Ties
from townlet_jax.core.struct import Pytree


class Company(Pytree):
    """The social slots of every agent; empty slots are zeros behind the filled ones."""

    who: Int[Array, "A slots"]  # NOBODY = empty
    trust: Float[Array, "A slots"]
    familiarity: Float[Array, "A slots"]
    rivalry: Float[Array, "A slots"]


@arrays.unit
def company(ties: Ties, *, top_friends: int, top_rivals: int) -> Company:
    """Choose friends by trust + familiarity, then rivals by rivalry: only above 0, ties to the lowest slot."""
    num_agents = ties.trust.shape[0]
    rest = jnp.ones((num_agents, num_agents), bool)
    liking = arrays.sortable(ties.trust + ties.familiarity)
    friends, rest = _top(liking, rest, top_friends)
    rivals, _ = _top(arrays.sortable(ties.rivalry), rest, top_rivals)
    who = _closed_up(friends, rivals)
    if not who:
        empty = jnp.zeros((num_agents, 0), jnp.float32)
        return Company(who=empty.astype(jnp.int32), trust=empty, familiarity=empty, rivalry=empty)
    chosen = jnp.stack(who, axis=1)

    def of(values: Float[Array, "A A"]) -> Float[Array, "A slots"]:
        return jnp.where(chosen == NOBODY, 0.0, jnp.take_along_axis(values, jnp.maximum(chosen, 0), axis=1))

    return Company(who=chosen, trust=of(ties.trust), familiarity=of(ties.familiarity), rivalry=of(ties.rivalry))


def _top(keys: Int[Array, "A A"], rest: Array, amount: int) -> tuple[list[Int[Array, "A"]], Array]:
    """Take the largest keys above 0 one after the other; returns them and what is left."""
    slots = jnp.arange(keys.shape[1], dtype=jnp.int32)
    taken = []
    for _ in range(min(amount, keys.shape[1])):
        best = jnp.max(jnp.where(rest, keys, 0), axis=-1)
        found = jnp.where(best > 0, arrays.first_true(rest & (keys == best[:, None])), NOBODY)
        rest = rest & (slots[None, :] != found[:, None])
        taken.append(found)
    nobody = jnp.full(keys.shape[0], NOBODY, jnp.int32)
    return taken + [nobody] * (amount - len(taken)), rest


def _closed_up(friends: list[Int[Array, "A"]], rivals: list[Int[Array, "A"]]) -> list[Int[Array, "A"]]:
    """Put the rivals directly behind the friends that there are; both lists are filled from the front."""
    number = sum((friend != NOBODY).astype(jnp.int32) for friend in friends)
    slots = []
    for place in range(len(friends) + len(rivals)):
        shown = friends[place] if place < len(friends) else jnp.full_like((friends + rivals)[0], NOBODY)
        for rank, rival in enumerate(rivals):
            shown = jnp.where(number + rank == place, rival, shown)
        slots.append(shown)
    return slots
