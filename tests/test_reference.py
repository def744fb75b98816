"""The core against the slow reference: every tick of many towns, every field (MECHANICS 4, 1.2).

The core runs first and records each tick; the reference then redoes each tick from the core's own state, so that
nothing adds up. Discrete fields must be equal, continuous ones within 1e-5.
"""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference.compare import compare_ticks, field_of, leaves_of, record_ticks, told, with_leaves
from reference.handmade import small_params, small_spec
from reference.randomise import randomised
from reference.traffic import Leaves, poke

from townlet_jax import config
from townlet_jax.core import town
from townlet_jax.core.enums import NOBODY, Abort, Exit, ExitRoute, Phase, Reason
from townlet_jax.core.params import Params
from townlet_jax.core.spec import Spec
from townlet_jax.core.state import TownState

CHUNK_TICKS, CHUNKS = 50, 6
DEFAULT_CHUNK_STARTS = (0, 295, 350, 530, 1410, 2860)  # restock, shift starts, two midnights
RANDOM_TOWNS, RANDOM_GROUPS = 35, 4
SHIPPED_TOWNS, FEW_TOWNS = 35, 8  # all of them, and what fits into an ordinary run

HAPPENS = (
    "moves.bumped", "handovers.preferred", "handovers.early", "chats.ok", "chats.forced_failure", "shifts.begun",
    "shifts.finalised", "shifts.fined", "shifts.late_told", "shifts.absent_told", "shifts.departed", "shifts.helped",
    "shifts.took_shift", "tie_changes.added", "tie_changes.evicted", "tie_changes.faded", "tie_changes.shared_meal",
    "trades.rent_unpaid", "night.moved", "night.lifted", "exit_queue.pending", "rewards.guard", "rewards.clipped",
    "arrivals.arrived", "arrivals.forced_reuses", "shocks.closed", "shocks.started", "shocks.ended",
    "handovers.rotated",
)  # fmt: skip
TAKES_PLACE = (
    "handovers.object", "conflicts.rival_ghost", "conflicts.rival_wait", "queue_losses.object", "grants.act",
    "grants.ghost", "grants.live", "starts.affordance", "finishes.affordance", "early_finishes.object",
    "shocks.relocated",
)  # fmt: skip
CODES: dict[str, set[Any]] = {
    "verdicts.reason": set(Reason),
    "aborts.reason": set(Abort) - {Abort.OPERATOR},
    "departures.reason": set(Exit),
    "exit_queue.route": set(ExitRoute),
    "shifts.phase_entered": set(Phase) - {Phase.IDLE} | {NOBODY},  # IDLE comes at night
}


def begin(spec: Spec, params: Params, seed: int, towns: int) -> TownState:
    """Return a batch of towns at tick 0, every leaf on its own as after an edit."""
    keys = jax.vmap(lambda index: jax.random.fold_in(jax.random.key(seed), index))(jnp.arange(towns))
    states = jax.jit(jax.vmap(partial(town.init, spec)))(params, keys)
    return edited(states, leaves_of(states))


def edited(states: TownState, leaves: Leaves) -> TownState:
    """Return the batch with other leaves."""
    changed: TownState = with_leaves(states, leaves)
    return changed


def batch(template: Params, rows: list[Leaves]) -> Params:
    """Return one parameter record whose leaves carry one row per town."""
    together: Params = with_leaves(template, {name: np.stack([row[name] for row in rows]) for name in rows[0]})
    return together


def must_agree(params: Params, states: TownState, seed: int, starts: tuple[int, ...] | None = None) -> list[Any]:
    """Run all chunks with operator edits between them; fail at the first difference; return the outcomes."""
    generator = np.random.default_rng(seed)
    towns = states.clock.tick.shape[0]
    outcomes = []
    for chunk in range(CHUNKS):
        leaves = leaves_of(states)
        if chunk > 0:
            poke(generator, leaves)
        if starts is not None:
            leaves["clock.tick"][:] = starts[chunk]
            late = leaves["perturbations.queued_tick"] != NOBODY
            leaves["perturbations.queued_tick"][late] = starts[chunk] + 1
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), chunk), towns)
        states, recorded = record_ticks(params, edited(states, leaves), keys, CHUNK_TICKS)
        found = compare_ticks(params, recorded)
        assert not found, told(found)
        outcomes.append(recorded[-1].outcomes)
    return outcomes


def values_of(outcomes: list[Any], path: str) -> np.ndarray[Any, Any]:
    """Return all values that a field took."""
    return np.concatenate([np.asarray(field_of(outcome, path)).ravel() for outcome in outcomes])


@pytest.mark.parametrize(
    "group", [0, *(pytest.param(group, marks=pytest.mark.slow) for group in range(1, RANDOM_GROUPS))]
)
def test_random_towns(group: int) -> None:
    """Small dense towns whose parameters are all drawn: short days, odd limits, many events."""
    template = small_params()
    generator = np.random.default_rng(100 + group)
    base = leaves_of(template)
    params = batch(template, [randomised(base, generator) for _ in range(RANDOM_TOWNS)])
    outcomes = must_agree(params, begin(small_spec(), params, group, RANDOM_TOWNS), seed=group)
    silent = [path for path in HAPPENS if not values_of(outcomes, path).any()]
    silent += [path for path in TAKES_PLACE if (values_of(outcomes, path) == NOBODY).all()]
    missing = {path: codes - set(values_of(outcomes, path).tolist()) for path, codes in CODES.items()}
    assert not silent
    assert not any(missing.values()), missing


@pytest.mark.parametrize("towns", [FEW_TOWNS, pytest.param(SHIPPED_TOWNS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["default", "parity"])
def test_shipped_towns(name: str, towns: int, root: Path) -> None:
    """The two presets; the clock jumps between chunks to the moments where something is due."""
    spec, params, _ = config.build(config.load(root / "configs" / f"{name}.yaml"))
    params = batch(params, [leaves_of(params)] * towns)
    outcomes = must_agree(params, begin(spec, params, 7, towns), seed=7, starts=DEFAULT_CHUNK_STARTS)
    for path in ("starts.affordance", "finishes.affordance", "chats.listener", "grants.live"):
        assert (values_of(outcomes, path) != NOBODY).any(), path
    assert {Exit.KILLED, Exit.EVICTION_JOB} <= set(values_of(outcomes, "departures.reason").tolist())
