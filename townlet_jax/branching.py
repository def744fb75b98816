"""Towns taken out of a batch, and towns branched into several that go on differently.

Owns the keys of branches: the town's key, marked as a branch, and the number of the branch folded in.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from townlet_jax.core.state import TownState
from townlet_jax.plans import MOST_TOWNS, RunError
from townlet_jax.town_snapshots import Moment

BRANCH = 0x6272616E  # larger than any tick, so that no branch has the key of a tick


def branched(moment: Moment, *, towns: Sequence[int] | None, branches: int = 1, same_key: bool = True) -> Moment:
    """Return some towns of a moment (None: all), each `branches` times, in their order.

    With `same_key` all branches of a town go on in the same way; otherwise each draws its own numbers from now on.
    """
    number = int(moment.notes["towns"])
    chosen = list(range(number)) if towns is None else list(towns)
    for town in chosen:
        if not 0 <= town < number:
            raise RunError(f"There is no town {town} in the snapshot; choose one of 0 to {number - 1}.")
    if not 1 <= branches * len(chosen) <= MOST_TOWNS:
        raise RunError(f"{branches} branches of {len(chosen)} towns were asked for; ask for 1 to {MOST_TOWNS} in all.")
    rows = np.repeat(np.asarray(chosen, np.int32), branches)
    states, memory = jax.tree.map(lambda leaf: leaf[rows], (moment.states, moment.memory))
    if not same_key:
        numbers = jnp.asarray(np.tile(np.arange(branches, dtype=np.uint32), len(chosen)))
        states = _with_own_keys(states, numbers)
    return dataclasses.replace(
        moment,
        states=states,
        memory=memory,
        totals={name: np.ascontiguousarray(values[rows]) for name, values in moment.totals.items()},
        notes={**moment.notes, "towns": len(rows)},
    )


@jax.jit
@jax.vmap
def _with_own_keys(state: TownState, number: jax.Array) -> TownState:
    return state.replace(key=jax.random.fold_in(jax.random.fold_in(state.key, BRANCH), number))
