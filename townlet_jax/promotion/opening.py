"""From a configuration and a policy to the promotion manager of a session."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

from townlet_jax.candidates import Candidate
from townlet_jax.config import Config
from townlet_jax.plans import RunError
from townlet_jax.policy.learned import Equipped
from townlet_jax.promotion.examining import Papers, examined
from townlet_jax.promotion.folder import Folder
from townlet_jax.promotion.history import History
from townlet_jax.promotion.manager import Manager, Tell
from townlet_jax.promotion.seats import Seat, Wardrobe, loader
from townlet_jax.promotion.suite import Suite
from townlet_jax.snapshots.weights import Tree


@contextmanager
def opened(
    config: Config,
    source: str,
    overrides: Sequence[str],
    acting: Candidate,
    *,
    folder: Path | None = None,
    tell: Tell = lambda event, tick, said: None,
    show: Callable[[dict[str, Any]], None] = lambda status: None,
) -> Iterator[Manager]:
    """Give the manager of a session that acts by a candidate; give it to the session as a listener, and attach it.

    `source` and `overrides` name the configuration, for the games of the gate. With a `folder`, what happens is kept
    there and its goldens guard. Raises `RunError` for a policy without weights.
    """
    seat, parameters = seat_of_candidate(acting)
    assert acting.actor is not None, "it has weights"
    wardrobe = Wardrobe(loader(acting.built, acting.actor))
    wardrobe.keep(seat, parameters)
    rules = config.stability.promotion
    suite = Suite(config=source, overrides=tuple(overrides), gate=rules.gate)
    kept = None if folder is None else Folder(folder)

    def shown(status: dict[str, Any]) -> None:
        if kept is not None:
            kept.save(status)
        show(status)

    log = Path(rules.log_path) if rules.log_path is not None else None if kept is None else kept.log
    with _held(kept):
        yield Manager(
            rules,
            wardrobe,
            seat,
            functools.partial(examined, suite, papers=Papers(goldens=() if kept is None else kept.goldens)),
            history=History(log),
            ticks_per_day=int(acting.built.params.clock.ticks_per_day),
            tell=tell,
            show=shown,
        )


def seat_of_candidate(acting: Candidate) -> tuple[Seat, Tree]:
    """Return the seat of a policy that acts, and its weights; raises `RunError` if it has none."""
    params = acting.built.params
    if acting.policy_hash is None or not isinstance(params, Equipped) or acting.about.get("share") != 1.0:
        raise RunError(
            f"Promotion needs a session that acts by a network alone, not by '{acting.name}'; give --policy RUN."
        )
    seat = Seat(name=acting.about["weights"], step=acting.about["updates"], policy_hash=acting.policy_hash)
    return seat, jax.device_get(params.weights)


@contextmanager
def _held(folder: Folder | None) -> Iterator[None]:
    if folder is None:
        yield
    else:
        with folder.held():
            yield
