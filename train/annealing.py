"""An anneal while it goes on: stage after stage, the same learner in all of them.

In PPO stages the town stands with its script by (`train.guided`): with flat actions each tick of each agent, with
options each decision, is the script's or the network's by the draw that the rules set aside. What the script decided
teaches the values, never the policy.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from townlet_jax.env import BatchEnv
from train import building, checkpoints, guided, handover, logging, ppo, study
from train.building import Setup
from train.checkpoints import Checkpoints
from train.exams import Exam
from train.guided import Guided, StaggeredGuided
from train.handover import Handover, Ramp
from train.lessons import Lessons
from train.recipes import AnnealRun, Stage
from train.study import AnyCloner
from train.writers import Row


@dataclass(frozen=True, kw_only=True)
class Annealed:
    """How an anneal ended."""

    setup: Setup
    end: Handover | None  # None without a stage of PPO
    rules: handover.Rules
    exams: list[Exam]  # of the clone stages
    stages: list[dict[str, Any]]  # what each came to, as JSON
    updates: int  # of PPO
    lost: list[str]  # figures that are no numbers any more
    seconds: float


def among_guides(setup: Setup, run: AnnealRun, *, reward: Any = None) -> Setup:
    """Return the setup with a learner whose towns have their script standing by."""
    spec, built = setup.built.spec, setup.built
    env = building.environment(Guided(spec, reward=reward), built)
    first = building.environment(StaggeredGuided(spec, reward=reward), built) if run.town.staggered else env
    params = guided.mixed(built.params, 1.0)
    return replace(setup, learner=setup.learner.among(BatchEnv(env), BatchEnv(first), params, guided.acting))


class Annealing:
    """Runs the stages; `course` is where the learner stands, and may be replaced before the first of them."""

    def __init__(
        self,
        run: AnnealRun,
        setup: Setup,
        lessons: Lessons | None,
        *,
        saver: Checkpoints | None = None,
        on_row: Callable[[Row], None] = lambda row: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._run = run
        self._lessons = lessons
        self._saver = saver
        self._on_row = on_row
        self._stop = stop
        self._setup = among_guides(setup, run)
        self._cloner: AnyCloner | None = None
        if lessons is not None:
            self._cloner = study.cloner_for(setup.network, setup.built, run.clone)
        self._exams: list[Exam] = []
        self._lost: list[str] = []
        settings = run.anneal
        self._rules = handover.Rules(window=settings.window, tolerance=settings.tolerance, patience=settings.patience)
        self._handover: Handover | None = None
        self.course = checkpoints.begun(self._setup)

    def run_all(self) -> Annealed:
        """Go through all stages, or until one fails, holds for too long, or somebody asks to stop."""
        began = time.perf_counter()
        stages = []
        for stage in self._run.anneal.stages:
            if self._is_done():
                break
            stages.append(self._cloned(stage) if stage.kind == "clone" else self._practised(stage))
        return Annealed(
            setup=self._setup,
            end=self._handover,
            rules=self._rules,
            exams=self._exams,
            stages=stages,
            updates=self.course.update,
            lost=list(dict.fromkeys(self._lost)),
            seconds=time.perf_counter() - began,
        )

    def _is_done(self) -> bool:
        missed = bool(self._exams) and self._exams[-1].accuracy < self._run.clone.accuracy
        held = self._handover is not None and self._handover.frozen > self._rules.patience
        return bool(self._lost) or missed or held or self._stop()

    def _cloned(self, stage: Stage) -> dict[str, Any]:
        """Learn from the dataset; the optimiser of PPO begins anew afterwards."""
        assert self._cloner is not None, "made where there are lessons"
        assert self._lessons is not None, "read with the settings"
        knowledge = self.course.knowledge
        studied = study.study(
            self._cloner,
            self._lessons,
            self._run.clone,
            study.fresh(knowledge.parameters, knowledge.key),
            steps=stage.updates or self._run.clone.steps,
            scaled=self._run.ppo.normalise_returns,
            on_row=lambda row: self._on_row({"stage": "clone", **row}),
            stop=self._stop,
        )
        self._exams += [studied.exam] if studied.exam is not None else []
        self._lost += studied.lost
        placed = study.in_place_of(knowledge, studied.knowledge)
        self.course = replace(self.course, knowledge=placed)
        return {
            "kind": "clone",
            "steps": studied.steps,
            "accuracy": None if studied.exam is None else studied.exam.accuracy,
            "ceiling": None if studied.exam is None else studied.exam.ceiling.accuracy,
            "seconds": studied.seconds,
        }

    def _practised(self, stage: Stage) -> dict[str, Any]:
        """Learn by PPO while the script hands over."""
        ramp = Ramp(updates=stage.updates, script_from=stage.script_from, script_to=stage.script_to)
        now = Handover(ramp=ramp) if self._handover is None else self._handover.next_stage(ramp)
        first, returns = self.course.update, list[float]()
        setup, course = self._setup, self.course
        setup.learner.compile(ppo.hyper_of(setup, course.update), course.knowledge, course.standing)
        began = time.perf_counter()
        self._handover = now
        while not now.is_over and not self._is_done():
            row = self._updated(now, began)
            returns.append(row["return_per_agent_day"])
            now = self._handover = handover.advanced(now, row, self._rules)
        if self._saver is not None and not self._lost and self.course.update > first:
            self._lost += self._saver.save(self.course)
        return {
            "kind": "ppo",
            "updates": self.course.update - first,
            "script_share": now.share,
            "frozen_updates": now.frozen,
            "return_first": float(np.mean(returns[: self._rules.window])) if returns else None,
            "return_last": float(np.mean(returns[-self._rules.window :])) if returns else None,
            "seconds": time.perf_counter() - began,
        }

    def _updated(self, now: Handover, began: float) -> Row:
        """Do one update with a share of the script."""
        setup = self._setup
        setup.learner.live_under(guided.mixed(setup.built.params, 1.0 - now.share))
        self.course, (row,) = ppo.step(setup, self.course, began)
        row = {**row, "stage": "ppo", "script_share": now.share, "frozen": now.is_frozen}
        self._lost += logging.not_finite(row)
        self._on_row(row)
        if self._saver is not None and not self._lost:
            self._saver.note([{name: value for name, value in row.items() if name not in ("stage", "frozen")}])
            self._lost += self._saver.save(self.course) if self._saver.is_due(self.course.update) else []
        return row
