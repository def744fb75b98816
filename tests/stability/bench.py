"""A town whose ticks are written by hand: analysers are shown what a test says has happened."""

import functools
from typing import Any

import jax
import numpy as np
from core.worlds import World, is_key, on_device

from townlet_jax.config.schema.stability import StabilitySection
from townlet_jax.stability import Alert, analysers, thresholds
from townlet_jax.stability.alerts import ring_rows

JUDGE = jax.jit(analysers.judged, static_argnames="bucket")


@functools.cache
def _quiet() -> World:
    """Return a hamlet after an idle tick."""
    world = World()
    world.run()
    return world


def settings(**changes: dict[str, Any]) -> dict[str, Any]:
    """Return the section `stability` with some of its parts changed."""
    return StabilitySection.model_validate(changes).model_dump()


class Bench:
    """A town under analysers. `before`, `after` and `out` of the next tick are written to freely."""

    def __init__(self, bucket: int = 50, **changes: dict[str, Any]) -> None:
        quiet, numbers = _quiet(), settings(**changes)
        self.bucket = bucket
        self.params = _copied(quiet.params)
        self.known: Any = analysers.begun(thresholds(numbers), ring_rows(numbers, bucket), on_device(_morning()))
        self.clear()

    def clear(self) -> None:
        """Let the next tick be an idle one, worth nothing."""
        quiet = _quiet()
        self.before, self.after, self.out = _copied(quiet.state), _copied(quiet.state), _copied(quiet.out)
        self.out.reward[:] = 0
        self.out.measures.switches[...] = 0
        self.out.seen.needs.level[:] = 1

    def see(self, tick: int) -> frozenset[Alert]:
        """Show the tick to the analysers and return the alerts; the next one is idle again."""
        self.after.clock.tick[...] = tick
        self.known = JUDGE(
            self.params, self.known, before=self.before, after=self.after, output=self.out, bucket=self.bucket
        )
        self.clear()
        return frozenset(Alert(int(code)) for code in np.flatnonzero(self.known.alerts))

    def quarrel(self, *intensities: float) -> None:
        """Let agents be impatient with the last one, that strongly."""
        for slot, intensity in enumerate(intensities):
            self.out.outcomes.conflicts.rival_wait[slot] = 5
            self.out.outcomes.conflicts.intensity_wait[slot] = intensity

    def fail(self, slot: int, kind: int, reason: int, *, held: int, asked: int) -> None:
        """Let somebody who held something before be refused."""
        told = self.out.outcomes.verdicts
        told.kind[slot], told.reason[slot], told.object[slot] = kind, reason, asked
        self.before.queues.holding[slot] = held

    def reading(self, alert: Alert) -> float:
        """Return the figure that an analyser compared in the last tick."""
        return float(self.known.readings[alert])

    @property
    def window(self) -> dict[str, Any]:
        """Return the promotion window as plain numbers."""
        names = ("start", "has_failed", "pass_streak", "is_ready", "last_evaluated_tick", "last_result")
        return {name: np.asarray(getattr(self.known.window, name)).item() for name in names}


@functools.cache
def _morning() -> Any:
    world = World()
    assert int(world.state.clock.tick) == 0
    return world.state


def _copied(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf if is_key(leaf) else np.array(leaf), tree)
