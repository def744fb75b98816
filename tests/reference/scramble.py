"""Towns as no tick leaves them: agents anywhere, equal feelings, odd shifts, to see what observations make of it."""

import numpy as np

from reference.randomise import Generator, Leaves
from townlet_jax.core.enums import NEVER, NOBODY, Kind, Phase, ShiftFlag


def scrambled(seen: Leaves, params: Leaves, generator: Generator) -> None:
    """Change a batch of towns in place, one town a row, so that they stay possible to look at."""
    alive = seen["roster.alive"]
    alive[:] = generator.random(alive.shape) < 0.8
    height, width = params["world.blocked"].shape[1:]
    seen["roster.position"][:] = generator.integers(0, (width, height), seen["roster.position"].shape)
    seen["needs.level"][:] = generator.integers(0, 4, seen["needs.level"].shape) / 4
    _ties(seen, generator)
    _work(seen, params, generator)
    _past(seen, generator)
    slots = seen["embeddings.released_tick"].shape[1]
    seen["embeddings.slot"][:] = np.where(alive, generator.integers(-1, slots, alive.shape), NOBODY)


def _ties(seen: Leaves, generator: Generator) -> None:
    """Draw feelings in quarters, so that many are equal; nobody feels anything for the dead or for itself."""
    alive = seen["roster.alive"]
    known = alive[:, :, None] & alive[:, None, :] & ~np.eye(alive.shape[1], dtype=bool)
    known &= generator.random(known.shape) < 0.8
    for name, low in (("trust", -4), ("familiarity", -4), ("rivalry", 0)):
        seen[f"ties.{name}"][:] = np.where(known, generator.integers(low, 5, known.shape) / 4, 0)


def _work(seen: Leaves, params: Leaves, generator: Generator) -> None:
    """Draw jobs, phases and open shifts, whatever the time of day."""
    shape = seen["roster.alive"].shape
    jobs = params["jobs.start"].shape[1]
    seen["employment.job"][:] = generator.integers(-1, jobs, shape)
    seen["employment.phase"][:] = generator.integers(0, len(Phase), shape)
    seen["employment.flags"][:] = generator.integers(0, 2 * ShiftFlag.ON_SHIFT, shape)
    began = np.maximum(seen["clock.tick"][:, None] - generator.integers(0, 60, shape), 0)
    seen["employment.shift_start_tick"][:] = np.where(generator.random(shape) < 0.6, began, NEVER)
    samples = generator.random(seen["employment.attendance"].shape)
    seen["employment.attendance"][:] = np.where(samples < 0.4, -1, samples)


def _past(seen: Leaves, generator: Generator) -> None:
    """Draw what agents remember and what was counted."""
    shape = seen["roster.alive"].shape
    seen["roster.last_kind"][:] = generator.integers(0, len(Kind), shape)
    seen["roster.last_ticks"][:] = generator.integers(0, 90, shape) * (generator.random(shape) < 0.8)
    seen["roster.reset_flag"][:] = generator.random(shape) < 0.3
    seen["tally.count"][:] = generator.integers(0, 30, seen["tally.count"].shape)
    seen["tally.withheld"][:] = generator.uniform(0, 8, shape)
    seen["economy.wallet"][:] = generator.uniform(0, 30, shape)
    seen["economy.unpaid_days"][:] = generator.integers(0, 4, shape)
    seen["lifecycle.faint_streak"][:] = generator.integers(0, 12, shape)
    seen["ties.chat_ready_tick"][:] = seen["clock.tick"][:, None] + generator.integers(-1, 4, shape)
