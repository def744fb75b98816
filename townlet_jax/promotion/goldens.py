"""Golden rollouts: what a policy once could do, town by town, kept so that no later one forgets it.

Owns the file. Its towns are played again by a candidate, which is judged by the rules of the gate with the figures of
the file in the place of a release's.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from townlet_jax import files
from townlet_jax.plans import MOST_TICKS
from townlet_jax.promotion import gate
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.gate import METRICS, Metrics
from townlet_jax.promotion.suite import Suite
from townlet_jax.report import printable

MOST_BYTES = 64 * 2**20
Value = Annotated[float, Field(allow_inf_nan=False)]


class Game(BaseModel):
    """What a policy came to in one scenario: metrics by name, one value a town, null where it has no meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overrides: tuple[str, ...]
    figures: dict[str, tuple[Value | None, ...]]


class Golden(BaseModel):
    """Everything that is needed to play the same games again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["golden"] = "golden"
    format: Literal[1] = 1
    policy: str
    seed: int = Field(ge=0, lt=2**31)
    towns: int = Field(ge=2, le=65_536)
    ticks: int = Field(ge=1, le=MOST_TICKS)
    scenarios: dict[str, Game]

    @model_validator(mode="after")
    def _whole(self) -> "Golden":
        for name, game in self.scenarios.items():
            if set(game.figures) != set(METRICS) or any(len(row) != self.towns for row in game.figures.values()):
                raise ValueError(f"scenario {name} lacks figures")
        return self


def made(suite: Suite, place: str, *, say: Callable[[str], None] = lambda text: None) -> Golden:
    """Let a policy play all scenarios and return what it came to."""
    games = {}
    for scenario in suite.scenarios:
        say(scenario)
        found = suite.figures(place, scenario)
        figures = {name: tuple(None if np.isnan(one) else float(one) for one in found[name]) for name in METRICS}
        games[scenario] = Game(overrides=suite.overrides_of(scenario), figures=figures)
    rules = suite.gate
    return Golden(policy=place, seed=suite.seed, towns=rules.towns, ticks=rules.ticks, scenarios=games)


def save(golden: Golden, path: Path) -> None:
    """Write a golden; raises `RunError`."""
    with files.replacing(path) as file:
        file.write((golden.model_dump_json(indent=1) + "\n").encode())


def read(path: Path) -> Golden:
    """Read a golden; raises `PromotionError` for anything that is not one."""
    shown = printable(str(path))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PromotionError("rejected", f"{shown} is too large for a golden; make it again.")
        return Golden.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise PromotionError("not_found", f"{shown} cannot be read ({error.strerror}); make it first.") from error
    except (ValueError, RecursionError, ValidationError) as error:
        raise PromotionError("rejected", f"{shown} is not a golden; make it again.") from error


def verified(
    golden: Golden,
    place: str,
    suite: Suite,
    *,
    policy_hash: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return how a policy does where the golden one did well, by scenario and metric, as `gate.compared` does."""
    rules = suite.gate.model_copy(update={"towns": golden.towns, "ticks": golden.ticks})
    judged = {}
    for scenario, game in golden.scenarios.items():
        again = Suite(config=scenario, overrides=game.overrides, gate=rules, seed=golden.seed)
        now = again.figures(place, scenario, policy_hash=policy_hash, stop=stop)
        judged[scenario] = gate.compared(figures_of(game), now, rules)
    return judged


def figures_of(game: Game) -> Metrics:
    """Return the figures of a game as arrays."""
    return {name: np.array([np.nan if one is None else one for one in row]) for name, row in game.figures.items()}
