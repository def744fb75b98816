"""Policies side by side on the same towns: every key figure with its uncertainty, and which differences are real.

Towns are the sample. All policies live in towns of the same seeds, so differences are taken town by town; intervals
are percentile bootstrap intervals over towns (Efron 1979). Everything here runs on the host.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from townlet_jax import run
from townlet_jax.candidates import Candidate
from townlet_jax.report import Figures
from townlet_jax.session import Session

RESAMPLES = 2000
LEVEL = 0.95
_AT_ONCE = 2**24  # weights drawn at a time

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over towns with its interval; None where fewer than two towns have the figure."""

    mean: float | None
    low: float | None
    high: float | None
    towns: int  # in which the figure has a meaning

    @property
    def differs_from_zero(self) -> bool:
        """Tell whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, kw_only=True)
class Lived:
    """What the towns came to under one policy."""

    policy: str
    figures: Mapping[str, Figures]  # by name, one value a town
    result: run.Result


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One policy: its figures, and what they are above or below the first policy's in the same towns."""

    policy: str
    figures: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]  # empty for the first policy


def live(
    candidates: Sequence[Candidate],
    plans: Sequence[run.Plan],
    *,
    on_progress: Callable[[str, run.Progress], None] = lambda policy, progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[Lived]:
    """Run the plan of one candidate after the other; those not begun when somebody asks to stop are left out."""
    lives: list[Lived] = []
    for one, plan in zip(candidates, plans, strict=True):
        if lives and stop():
            break
        teller = run.Teller(functools.partial(on_progress, plan.policy))
        with Session(one.built, plan, policy=one.policy, listeners=[teller], stop_at_faults=False) as session:
            session.run(plan.ticks, asked=stop)
            lives.append(Lived(policy=plan.policy, figures=session.figures(), result=run.result_of(session)))
    return lives


def compare(lives: Sequence[Lived], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Comparison]:
    """Estimate every figure under every policy, and its difference to the first policy town by town."""
    baseline = lives[0].figures
    compared = []
    for place, lived in enumerate(lives):
        paired = {name: values - baseline[name] for name, values in lived.figures.items()} if place else {}
        compared.append(
            Comparison(
                policy=lived.policy,
                figures=estimates(lived.figures, seed=seed, resamples=resamples),
                differences=estimates(paired, seed=seed, resamples=resamples),
            )
        )
    return compared


def estimates(
    figures: Mapping[str, Figures], *, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Estimate]:
    """Return mean and interval of every figure; towns in which one has no meaning (NaN) are left out of it."""
    if not figures:
        return {}
    values = np.stack(list(figures.values()), axis=1)
    known = np.isfinite(values)
    means = _resampled(np.where(known, values, 0.0), known.astype(np.float64), seed=seed, resamples=resamples)
    return {name: _estimate(values[known[:, i], i], means[:, i], level) for i, name in enumerate(figures)}


def _resampled(values: Matrix, known: Matrix, *, seed: int, resamples: int) -> Matrix:
    """Return the means of `resamples` draws of as many towns, with replacement; NaN where no drawn town counts."""
    towns = values.shape[0]
    generator = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // towns)
    means = []
    for first in range(0, resamples, rows):
        weights = generator.multinomial(towns, np.full(towns, 1 / towns), size=min(rows, resamples - first))
        drawn = weights.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            means.append((drawn @ values) / (drawn @ known))
    return np.concatenate(means)


def _estimate(known: Figures, means: Figures, level: float) -> Estimate:
    if known.size == 0:
        return Estimate(mean=None, low=None, high=None, towns=0)
    if known.size == 1:
        return Estimate(mean=float(known[0]), low=None, high=None, towns=1)
    tail = (1 - level) / 2
    low, high = np.nanquantile(means, (tail, 1 - tail))
    return Estimate(mean=float(known.mean()), low=float(low), high=float(high), towns=int(known.size))
