"""Tiny networks for the hamlet of six, and a session that acts by one of them."""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from core.worlds import HAMLET

from townlet_jax import candidates
from townlet_jax.candidates import Candidate
from townlet_jax.config import Config, build, load
from townlet_jax.plans import Plan
from townlet_jax.promotion import stand_ins
from townlet_jax.promotion.gate import METRICS
from townlet_jax.promotion.history import History
from townlet_jax.promotion.manager import Manager
from townlet_jax.promotion.opening import seat_of_candidate
from townlet_jax.promotion.seats import Wardrobe, loader
from townlet_jax.session import Session
from townlet_jax.stability import analysed

WAIT, MOVES = (0,), (1, 2, 3, 4)  # flat actions, the dearest first
TOWNS, WINDOW = 2, 4
CHANGES: dict[str, Any] = {
    "spec": {"num_agents": 6},
    "perturbations": {"specs": {}},
    "stability": {
        "promotion": {
            "window_ticks": WINDOW,
            "required_passes": 1,
            "watch_windows": 2,
            "gate": {"towns": 2, "ticks": 1, "resamples": 100},
        }
    },
}


def train(folder: Path) -> Path:
    """Make the town and the runs."""
    (folder / "hamlet.yaml").write_text(yaml.safe_dump(HAMLET | CHANGES))
    built = build(load(folder / "hamlet.yaml", []))
    gru = dataclasses.replace(stand_ins.TINY, core="gru")
    for seed, (name, wants, kind) in enumerate(
        (
            ("waits", WAIT, stand_ins.TINY),
            ("waits_too", WAIT, stand_ins.TINY),
            ("walks", MOVES, stand_ins.TINY),
            ("recurrent", WAIT, gru),
        )
    ):
        stand_ins.save(folder / name, built, wants=wants, seed=seed, kind=kind)
    return folder


class AtOnce(Executor):
    """Does what it is given before it returns."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Do it now."""
        answer: Future[Any] = Future()
        answer.set_result(function(*args, **kwargs))
        return answer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing."""


def verdict(status: str) -> Callable[..., dict[str, Any]]:
    """Return a gate that always says the same."""
    judged = {name: {"mean": 0.0, "low": 0.0, "high": 0.0, "pass": status == "pass"} for name in METRICS}
    reasons = [] if status == "pass" else ["return_mean in hamlet: too low"]

    def gatekeeper(release: Any, candidate: Any, *, say: Any, stop: Any) -> dict[str, Any]:
        say("hamlet: candidate")
        assert not stop()
        return {"status": status, "reasons": reasons, "scenarios": {"hamlet": judged}}

    return gatekeeper


def candidate(place: Path, run: str) -> tuple[Config, Candidate]:
    """Return the configuration and a policy of the town of six."""
    source = str(place / "hamlet.yaml")
    config = load(source, [])
    return config, candidates.candidate(str(place / run), build(config), candidates.town_for(source, ()))


@contextmanager
def running(
    place: Path, *, gate: str = "pass", log: Path | None = None, run: str = "waits", **more: Any
) -> Iterator[tuple[Session, Manager]]:
    """Open a session of two towns, one tick a chunk, with a manager whose gate always says the same."""
    config, one = candidate(place, run)
    seat, parameters = seat_of_candidate(one)
    assert one.actor is not None
    wardrobe = Wardrobe(loader(one.built, one.actor))
    wardrobe.keep(seat, parameters)
    manager = Manager(
        config.stability.promotion, wardrobe, seat, verdict(gate), history=History(log), ticks_per_day=1440,
        executor=AtOnce(), **more,
    )  # fmt: skip
    policy = analysed(one.acting(), one.built.spec, config.stability.model_dump())
    plan = Plan(towns=TOWNS, ticks=1000, policy=one.name, seed=3, chunk=1)
    with Session(one.built, plan, policy=policy, listeners=[manager]) as session:
        manager.attach(session)
        yield session, manager


def acted(session: Session) -> str:
    """Say what everybody did last."""
    done = set(np.asarray(session.fleet.memory.inner.layer).ravel().tolist())
    return "waited" if done <= set(WAIT) else "walked" if done <= set(MOVES) else f"did {done}"
