"""The whole examination of a candidate: scenarios against the release, goldens, and what its anneal says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townlet_jax.promotion import anneal, gate, goldens
from townlet_jax.promotion.seats import Seat
from townlet_jax.promotion.suite import Suite


@dataclass(frozen=True, kw_only=True)
class Papers:
    """What else speaks for or against a candidate."""

    anneal: Path | None = None  # None: what lies in the folder of its run, if anything
    goldens: tuple[Path, ...] = ()


def examined(
    suite: Suite,
    release: Seat,
    candidate: Seat,
    *,
    papers: Papers | None = None,
    say: Callable[[str], None] = lambda text: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Return the report of the gate as JSON. Raises `PromotionError`; `StoppedError` if somebody asked to stop."""
    suite.demand_towns()
    papers = papers or Papers()
    reasons: list[str] = []
    scenarios: dict[str, Any] = {}
    for scenario in suite.scenarios:
        say(f"{scenario}: release")
        base = suite.figures(release.name, scenario, policy_hash=release.policy_hash, stop=stop)
        say(f"{scenario}: candidate")
        other = suite.figures(candidate.name, scenario, policy_hash=candidate.policy_hash, stop=stop)
        scenarios[scenario] = gate.compared(base, other, suite.gate)
        reasons += gate.failures(scenario, scenarios[scenario])
    remembered = {}
    for path in papers.goldens:
        say(f"golden {path.stem}")
        remembered[path.stem] = goldens.verified(
            goldens.read(path), candidate.name, suite, policy_hash=candidate.policy_hash, stop=stop
        )
        for scenario, judged in remembered[path.stem].items():
            reasons += gate.failures(f"golden {path.stem}, {scenario}", judged)
    told, against = _anneal(papers.anneal or anneal.beside(candidate.name), suite)
    reasons += against
    return {
        "status": "fail" if reasons else "pass",
        "reasons": reasons,
        "release": release.published,
        "candidate": candidate.published,
        "towns": suite.gate.towns,
        "ticks": suite.gate.ticks,
        "seed": suite.seed,
        "confidence": suite.gate.confidence,
        "scenarios": scenarios,
        "goldens": remembered,
        "anneal": told,
    }


def _anneal(path: Path | None, suite: Suite) -> tuple[dict[str, Any] | None, Sequence[str]]:
    if path is None:
        return None, ()
    return anneal.judged(anneal.read(path), suite.gate.anneal_accuracy_threshold)
