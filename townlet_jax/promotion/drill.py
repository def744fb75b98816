"""A rehearsal: a candidate is loaded, waits, plays, is promoted, something goes wrong, and the old release comes back.

Owns its steps and what each must have come to. Everything is real but the trouble, which is put into the towns.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from townlet_jax import candidates
from townlet_jax.candidates import Candidate
from townlet_jax.config import build, load
from townlet_jax.plans import RunError
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.manager import Manager
from townlet_jax.promotion.opening import opened
from townlet_jax.session import Session
from townlet_jax.snapshots import weights
from townlet_jax.stability import Alert, analysed

Trouble = Literal["alerts", "faints"]
COMPILATION = "/jax/core/compile/backend_compile_duration"
PATIENCE = 600.0  # seconds for the games of the gate
MOST_WINDOWS = 6  # to become ready, and to be rolled back


@dataclass(frozen=True, kw_only=True)
class Drill:
    """What is rehearsed: places of two policies for the towns of a configuration."""

    config: str
    overrides: tuple[str, ...]
    release: str
    candidate: str
    towns: int
    chunk: int
    folder: Path | None = None
    trouble: Trouble = "alerts"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what was to come true, whether it did, after which tick."""

    name: str
    ok: bool
    tick: int
    said: str


@dataclass
class Course:
    """A drill while it goes on."""

    session: Session
    manager: Manager
    window: int
    steps: list[Step] = field(default_factory=list)
    compiled: int = 0  # programs since the warm-up

    @property
    def acting_hash(self) -> str:
        """Return the hash of the weights that act."""
        return weights.hash_of(jax.device_get(self.session.fleet.params.weights))  # type: ignore[attr-defined]  # `opened` saw them

    def note(self, name: str, ok: bool, said: str) -> bool:
        """Write a step down."""
        self.steps.append(Step(name=name, ok=ok, tick=self.session.tick, said=said))
        return ok

    def until(self, condition: Callable[[], bool]) -> bool:
        """Run some windows, or until something is so."""
        end = self.session.tick + MOST_WINDOWS * self.window
        while not condition() and self.session.tick < end:
            self.session.run(self.session.tick + self.session.plan.chunk)
        return condition()


def rehearsed(drill: Drill) -> list[Step]:
    """Carry a drill out; the first step that fails is the last one. Raises `RunError` for what cannot be begun."""
    config = load(drill.config, drill.overrides)
    one = candidates.acting(drill.release, drill.config, drill.overrides, build(config))
    policy = analysed(one.acting(), one.built.spec, config.stability.model_dump())
    plan = candidates.plan_of(one, towns=drill.towns, ticks=10**8, days=None, seed=config.seed, chunk=drill.chunk)
    with ExitStack() as stack:
        manager = stack.enter_context(opened(config, drill.config, drill.overrides, one, folder=drill.folder))
        session = stack.enter_context(Session(one.built, plan, policy=policy, listeners=[manager]))
        manager.attach(session)
        course = Course(session=session, manager=manager, window=config.stability.promotion.window_ticks)
        stack.enter_context(_counted(course))
        _go(course, drill, one)
    return course.steps


def _go(course: Course, drill: Drill, release: Candidate) -> None:
    manager, session = course.manager, course.session
    session.run(drill.chunk)
    try:
        shadow = manager.load_shadow(drill.candidate)["shadow"]
    except PromotionError as error:
        course.note("load", False, error.sentence)
        return
    course.note("load", True, f"{shadow['name']} is the candidate")
    ready = course.until(lambda: manager.office.state == "ready")
    if not course.note("ready", ready, f"{manager.office.ready_share:.0%} of the towns passed their windows"):
        return
    report = _gate(course)
    if not course.note("gate", report["status"] == "pass", "; ".join(report.get("reasons", ())) or "passed"):
        return
    session.run(session.tick + drill.chunk)
    if manager.office.state != "ready":
        course.note("promote", False, "the candidate is not ready any more")
        return
    course.compiled = 0
    manager.promote("drill")
    session.run(session.tick + drill.chunk)
    acts = course.acting_hash == shadow["policy_hash"]
    if not course.note("promote", acts, "the candidate's weights act" if acts else "the old weights still act"):
        return
    session.ask(lambda: _disturb(session, drill.trouble))
    gone = course.until(lambda: manager.office.state == "monitoring")
    records = manager.status()["history"]
    if not course.note("roll back", gone, str(records[-1]["metadata"]["reason"]) if gone else "nobody noticed"):
        return
    session.run(session.tick + drill.chunk)
    back = course.acting_hash == release.policy_hash
    course.note("release", back, "the old weights act again" if back else "other weights act")
    course.note("compilations", course.compiled == 0, f"{course.compiled} programs were compiled since the promotion")


def _gate(course: Course) -> dict[str, Any]:
    """Wait for the games; the towns stand still meanwhile."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        gate: dict[str, Any] = course.manager.status()["gate"]
        if gate["status"] != "playing":
            return gate
        time.sleep(0.05)
    raise RunError(f"The games of the gate took longer than {PATIENCE:g} s; ask for fewer towns or ticks.")


@contextmanager
def _counted(course: Course) -> Iterator[None]:
    """Count what is compiled."""

    def note(event: str, duration_secs: float, **more: str | int) -> None:
        del duration_secs, more
        if event == COMPILATION:
            course.compiled += 1

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def _disturb(session: Session, trouble: Trouble) -> None:
    """Put trouble into all towns, between two ticks: an alert in every tick, or somebody who faints in the next one."""
    fleet = session.fleet
    if trouble == "alerts":
        fleet.memory = _changed(fleet.memory, {".limit": _nervous})
    else:
        fleet.states = _changed(fleet.states, {".faint_streak": _exhausted, ".needs.level": _hungry})


def _nervous(limit: Any) -> Any:
    limit[:, Alert.QUEUE_FAIRNESS_PRESSURE] = 0  # no increment at all is enough
    return limit


def _exhausted(streak: Any) -> Any:
    streak[:] = 2**30
    return streak


def _hungry(level: Any) -> Any:
    level[..., 0] = 0
    return level


def _changed(tree: Any, changes: dict[str, Callable[[Any], Any]]) -> Any:
    """Return a tree with other numbers in some leaves, by the end of their path; compiles nothing."""
    leaves, form = jax.tree_util.tree_flatten_with_path(tree)
    found = []
    for path, leaf in leaves:
        change = next((one for end, one in changes.items() if jax.tree_util.keystr(path).endswith(end)), None)
        found.append(leaf if change is None else jax.device_put(change(np.array(leaf)), leaf.sharding))
    return jax.tree.unflatten(form, found)
