"""A candidate judged into a folder, without a session."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from townlet_jax import candidates, runtime
from townlet_jax.config import build, load
from townlet_jax.plans import RunError
from townlet_jax.promotion import goldens, machine
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.examining import Papers, examined
from townlet_jax.promotion.folder import GOLDENS, Folder
from townlet_jax.promotion.machine import Office
from townlet_jax.promotion.seats import Seat
from townlet_jax.promotion.suite import Suite, hash_of

FIRST_RELEASE = "scripted"
MOST = 1_000_000  # towns, or ticks of a game


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody wants to have judged; None is what the configuration or the folder says."""

    candidate: str
    release: str | None
    config: str
    overrides: tuple[str, ...]
    towns: int | None
    ticks: int | None
    scenarios: tuple[str, ...]

    def suite(self) -> Suite:
        """Return the games; raises `ConfigError` or `RunError`."""
        rules = load(self.config, self.overrides).stability.promotion.gate
        for name, value in (("towns", self.towns), ("ticks", self.ticks)):
            if value is not None and not 1 <= value <= MOST:
                raise RunError(f"--{name} is {value}, but must be 1 to {MOST}; change it.")
        wanted = {"towns": self.towns, "ticks": self.ticks, "scenarios": self.scenarios or None}
        given = {name: value for name, value in wanted.items() if value is not None}
        suite = Suite(config=self.config, overrides=self.overrides, gate=rules.model_copy(update=given))
        suite.demand_towns()
        return suite

    def seat(self, place: str) -> Seat:
        """Return the seat of a policy by its place or name; raises `PromotionError`."""
        try:
            one = candidates.acting(place, self.config, self.overrides, build(load(self.config, self.overrides)))
        except RunError as error:
            raise PromotionError("not_found", str(error)) from error
        return Seat(name=one.about.get("weights", one.name), step=one.about.get("updates", 0), policy_hash=hash_of(one))


def judged(
    root: Path, order: Order, *, papers: Papers, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """Return the report of the gate about a candidate, and keep it and the candidate in a folder."""
    runtime.configure()
    suite = order.suite()
    with Folder(root).held() as folder:
        known = folder.office().release
        release = known if order.release is None and known is not None else order.seat(order.release or FIRST_RELEASE)
        candidate = order.seat(order.candidate)
        machine.shadowed(Office(release=release), candidate)
        papers = replace(papers, goldens=folder.goldens)
        report = examined(suite, release, candidate, papers=papers, say=say)
        folder.judge(release, candidate, report)
    return report


def remembered(root: Path, name: str, order: Order, *, say: Callable[[str], None] = lambda text: None) -> Path:
    """Let a policy play, and keep what it came to as a golden; returns its file."""
    runtime.configure()
    if not name.replace("_", "").replace("-", "").isalnum():
        raise RunError(f"--name is '{name}', but must be letters, digits, - and _; change it.")
    suite = order.suite()
    with Folder(root).held() as folder:
        kept = folder.root / GOLDENS
        kept.mkdir(exist_ok=True)
        golden = goldens.made(suite, order.candidate, say=say)
        goldens.save(golden, kept / f"{name}.json")
    return kept / f"{name}.json"
