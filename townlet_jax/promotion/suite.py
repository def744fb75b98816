"""The games of a gate: towns of fixed seeds in every scenario, lived through by one policy after the other."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from townlet_jax import candidates
from townlet_jax.candidates import Candidate
from townlet_jax.config import Config, build, load
from townlet_jax.config.schema.stability import Gate
from townlet_jax.plans import DEFAULT_CHUNK, RunError
from townlet_jax.policy.interface import within
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.gate import SEED, Metrics
from townlet_jax.report import Figures, printable
from townlet_jax.session import Session
from townlet_jax.snapshots import MissingError, StoreError
from townlet_jax.stability import Analysed, Sum, analysed

ENDLESS = 2**30  # ticks: a promotion window that no game ends


class StoppedError(Exception):
    """Somebody asked the games to stop."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Configurations to play, by name or file; the first is the one that runs if none are named."""

    config: str
    overrides: tuple[str, ...]
    gate: Gate
    seed: int = SEED

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Return the names of the scenarios."""
        return self.gate.scenarios or (self.config,)

    def demand_towns(self) -> None:
        """Raise `RunError` unless there are enough towns for an interval."""
        if self.gate.towns < 2:
            raise RunError(
                "stability.promotion.gate.towns is 1, but an interval over towns needs 2 or more; change it."
            )

    def overrides_of(self, scenario: str) -> tuple[str, ...]:
        """Return the changes of a scenario: those of the running configuration are no other one's."""
        return self.overrides if scenario == self.config else ()

    def figures(
        self, place: str, scenario: str, *, policy_hash: str | None = None, stop: Callable[[], bool] = lambda: False
    ) -> Metrics:
        """Let a policy live through the towns of a scenario and return its metrics.

        Raises `PromotionError`; `StoppedError` if somebody asked to stop.
        """
        overrides = self.overrides_of(scenario)
        config = load(scenario, overrides)
        try:
            one = candidates.candidate(place, build(config), candidates.town_for(scenario, overrides))
        except MissingError as error:
            raise PromotionError("not_found", str(error)) from error
        except (RunError, StoreError) as error:
            raise PromotionError("rejected", str(error)) from error
        if policy_hash is not None and hash_of(one) != policy_hash:
            raise PromotionError(
                "not_found", f"{printable(place)} holds other weights than it did; load the candidate again."
            )
        return played(one, config, self, stop=stop)


def hash_of(one: Candidate) -> str:
    """Return the hash of a policy: of its weights, or of its name where it has none."""
    return one.policy_hash or hashlib.sha256(f"policy {one.name}".encode()).hexdigest()


def played(one: Candidate, config: Config, suite: Suite, *, stop: Callable[[], bool]) -> Metrics:
    """Return the metrics of a policy, rates an agent-day, one value a town."""
    settings = config.stability.model_dump()
    settings["promotion"]["window_ticks"] = ENDLESS
    policy = analysed(one.acting(), one.built.spec, settings)
    rules = suite.gate
    plan = candidates.plan_of(
        one, towns=rules.towns, ticks=rules.ticks, days=None, seed=suite.seed, chunk=DEFAULT_CHUNK
    )
    with Session(one.built, plan, policy=policy, stop_at_faults=False) as session:
        session.run(plan.ticks, asked=stop)
        if session.tick < plan.ticks:
            raise StoppedError
        figures, memory = session.figures(), within(session.fleet.memory, Analysed)
        assert memory is not None, "the policy is analysed"
        sums = np.asarray(memory.stability.window.sums, np.float64)
    day = int(one.built.params.clock.ticks_per_day)
    days = sums[:, Sum.AGENT_TICKS] / day
    return {
        "return_mean": figures["reward_per_agent_day"],
        "faints": figures["exits_faint_per_agent_day"],
        "ghost_steps": figures["ghost_steps_per_agent_day"],
        "conflict_intensity": figures["conflict_intensity_per_agent_day"],
        "late_ticks": _rate(sums[:, Sum.LATE_TICKS], days),
        "absences": figures["absences_per_agent_day"],
    }


def _rate(part: Figures, days: Figures) -> Figures:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(days > 0, part / days, np.nan)
