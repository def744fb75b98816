"""Everything that commands compile, compiled before the first one comes: later, nothing is (ECOSYSTEM R6)."""

import jax
import numpy as np

from townlet_jax.config import Built
from townlet_jax.fleet import TAKE, Fleet
from townlet_jax.policy import interface, timeline
from townlet_jax.policy.possessed import FIELDS, Possessed, cleared, queued


def rehearse(built: Built, fleet: Fleet) -> None:
    """Carry out every edit on one town and on all of them, in towns that nobody needs any more."""
    states = fleet.states
    jax.device_get(TAKE(states, np.int32(0)))
    for edit in timeline.rehearsals(built.names, built.spec, fleet.params):
        for town in (0, None):
            fleet.edit(edit, town=town)
            fleet.states = states
    queues = interface.within(fleet.memory, Possessed)
    if queues is not None:
        here = np.zeros(states.clock.tick.shape[0], bool)
        order = {name: np.zeros((), getattr(queues.orders, name).dtype) for name in FIELDS}
        queued(fleet.memory, here, np.int32(0), order, np.int32(0))
        cleared(fleet.memory, here, np.int32(0))
