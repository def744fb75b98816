"""A default town put into states worth a picture, by hand; nothing is simulated."""

import functools
from typing import Any

import jax
import numpy as np

from tests.core.worlds import editable
from townlet_jax.config import Built, build, load
from townlet_jax.core import rng, town
from townlet_jax.core.enums import Perturb, ShiftFlag
from townlet_jax.core.state import TownState
from townlet_jax.ui import view
from townlet_jax.ui.stage import Stage
from townlet_jax.ui.view import Frame

ADA, BEN, CLEO, DAN, EVA, FINN, GWEN, HUGO = range(8)
BED, SHOWER, SHOWER_B, TILL, COUNTER = 0, 5, 6, 12, 13
USE_SHOWER, EAT_MEAL, COOK_MEAL, REST_SLEEP, BUY_MEAL, BUY_GROCERIES, WASH, REST_BENCH = range(8)
SPIKE, BLACKOUT, OUTAGE, MEET, BOTTLENECK = Perturb
NOON, MIDNIGHT = 720, 1440


@functools.cache
def default() -> Built:
    """Return the default town's sizes, numbers and names."""
    return build(load("default"))


@functools.cache
def _morning() -> TownState:
    built = default()
    state: TownState = jax.jit(functools.partial(town.init, built.spec))(built.params, rng.town_key(0, 0))
    return state


def stage(title: str = "default") -> Stage:
    """Return the stage of the default town."""
    built = default()
    return Stage(built.names, built.params, title)


def quiet(tick: int = NOON) -> Any:
    """Return an editable state: everybody at home, needs three quarters full."""
    state = editable(_morning())
    state.clock.tick[...] = tick
    state.needs.level[:] = 0.75
    return state


def busy(tick: int = NOON) -> Any:
    """Return an editable state in which somebody does everything that has a sign."""
    state = quiet(tick)
    state.roster.position[ADA], state.roster.position[BEN], state.roster.position[CLEO] = (21, 6), (20, 6), (22, 6)
    state.needs.level[ADA], state.needs.level[BEN] = (0.9, 0.04, 0.8), (0.5, 0.3, 0.95)
    state.queues.holding[ADA], state.activities.affordance[ADA] = SHOWER, USE_SHOWER
    state.queues.waiting[BEN], state.queues.ticket[BEN], state.queues.joined_tick[BEN] = SHOWER, 4, tick - 3
    state.queues.waiting[CLEO], state.queues.ticket[CLEO], state.queues.joined_tick[CLEO] = SHOWER, 2, tick - 5
    state.roster.alive[DAN] = False
    state.employment.flags[FINN] = ShiftFlag.ON_SHIFT
    state.roster.position[FINN] = (32, 28)
    state.roster.generation[GWEN] = 2
    state.queues.holding[GWEN] = TILL
    state.economy.wallet[HUGO] = 12.5
    state.ties.trust[ADA, BEN] = state.ties.trust[BEN, ADA] = 0.6
    state.ties.familiarity[ADA, BEN] = state.ties.familiarity[BEN, ADA] = 0.4
    state.ties.rivalry[BEN, CLEO] = 0.3
    return state


def eventful(tick: int = NOON) -> Any:
    """Return an editable state with every kind of event."""
    state = quiet(tick)
    events = state.perturbations
    events.until_tick[:], events.started_tick[:] = tick + 10, tick - 5
    events.magnitude[SPIKE] = 1.5
    events.object[BOTTLENECK] = SHOWER_B
    events.member[MEET, [ADA, HUGO]] = True
    return state


def frame(state: Any) -> Frame:
    """Return the picture of a state."""
    return view.snapshot(jax.tree.map(lambda leaf: leaf, state))


def happened(shown: Frame, **doing: Any) -> Frame:
    """Return the same picture with other things done in the tick."""
    changed = shown.view.doing.replace(**{name: np.asarray(value) for name, value in doing.items()})
    return Frame(view=shown.view.replace(doing=changed), trail=shown.trail)
