"""A soak: towns that live for long while an operator meddles, and everything that must never happen (R6, R9).

Owns the loop of commands, chunk, look; what is counted; and when a soak has failed. Invariants are looked at after
every chunk, so a chunk of one tick is the sharpest and a long one the fastest soak.
"""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np
import numpy.typing as npt

from townlet_jax.config import Built
from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.core import batch
from townlet_jax.core.enums import NEVER
from townlet_jax.failing import FailureError
from townlet_jax.fleet import COPY
from townlet_jax.invariants import violations
from townlet_jax.plans import Plan, RunError
from townlet_jax.policy.arguments import CommandError
from townlet_jax.run import Progress
from townlet_jax.session import Session
from townlet_jax.town_snapshots import FailureLog, Moment, identity_of
from townlet_jax.traffic import Operator, Wish

COMPILATION = "/jax/core/compile/backend_compile_duration"
STATM = Path("/proc/self/statm")  # Linux only
COMMANDS_FILE = "commands.json"
SHARE = 10  # growth is told from the first to the last tenth of the looks at the memory
MOST_WARMING = 200  # chunks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What is wanted of a soak."""

    agent_ticks: float  # of living agents, after warm-up
    commands: float = 3.0  # a chunk, on average
    foul_share: float = 0.3
    growth_limit: float = 0.01  # of the resident memory after warm-up
    warm_chunks: int = 5  # at least so many before anything is measured
    failures: Path | None = None  # where the state before a chunk that went wrong is kept


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What a soak came to."""

    ticks: int
    warm_ticks: int
    agent_ticks: int  # after warm-up
    seconds: float
    looks: int
    taken: Mapping[str, int]  # commands by name
    refused: int
    compilations: int  # after warm-up
    resident_bytes: int  # at the end, 0 where nobody can tell
    growth: float
    growth_limit: float
    problems: tuple[str, ...]

    @property
    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return dataclasses.asdict(self) | {"taken": dict(self.taken), "problems": list(self.problems)}


class Soak:
    """One soak of one session; use it in a `with`."""

    def __init__(self, built: Built, plan: Plan, settings: Settings, *, policy: batch.Policy | None = None) -> None:
        self._built = built
        self._plan = plan
        self._settings = settings
        self._log = None
        if settings.failures is not None:
            identity = identity_of(built, plan.policy, SnapshotSection())
            self._log = FailureLog(root=settings.failures, identity=identity)
        self._session = Session(built, plan, policy=policy, failures=self._log)
        self._operator = Operator(built, towns=plan.towns, seed=plan.seed, foul_share=settings.foul_share)
        self._draw = np.random.default_rng(plan.seed + 1)
        self._ordered_until = np.full((plan.towns, len(built.params.perturbation.kind)), NEVER, np.int32)
        self._wishes: list[Wish] = []  # of the chunk that runs
        self._taken: Counter[str] = Counter()
        self._refused = 0
        self._compilations = 0
        self._memory: list[int] = []

    def __enter__(self) -> Self:
        jax.monitoring.register_event_duration_secs_listener(self._count)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        jax.monitoring.unregister_event_duration_listener(self._count)
        self._session.close()

    @property
    def session(self) -> Session:
        """Return the session that is soaked."""
        return self._session

    def run(
        self,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Report:
        """Warm up, soak, and report; ends at the first thing that must not happen."""
        problems: list[str] = []
        warm_ticks, warm_agents, looks = 0, 0, 0
        try:
            problems += self._warm_up(stop)
            warm_ticks, warm_agents = self._session.tick, self._agent_ticks()
            self._compilations, self._memory = 0, []
            while not problems and not stop() and self._agent_ticks() - warm_agents < self._settings.agent_ticks:
                for _ in range(int(self._draw.poisson(self._settings.commands))):
                    self._wishes.append(self._operator.wish(self._alive()))
                problems += self._chunk()
                looks += 1
                self._memory.append(resident_bytes())
                on_progress(self._progress(warm_agents))
        except FailureError as error:
            problems.append(str(error))
        growth = grown(self._memory)
        if not problems and self._compilations:
            problems.append(f"{self._compilations} programs were compiled after warm-up, but none may be.")
        if not problems and growth > self._settings.growth_limit:
            problems.append(
                f"the resident memory grew by {growth:.2%} after warm-up, but may grow by "
                f"{self._settings.growth_limit:.2%}."
            )
        return Report(
            ticks=self._session.tick,
            warm_ticks=warm_ticks,
            agent_ticks=self._agent_ticks() - warm_agents,
            seconds=self._session.seconds,
            looks=looks,
            taken=dict(sorted(self._taken.items())),
            refused=self._refused,
            compilations=self._compilations,
            resident_bytes=resident_bytes(),
            growth=growth,
            growth_limit=self._settings.growth_limit,
            problems=tuple(problems),
        )

    def _warm_up(self, stop: Callable[[], bool]) -> list[str]:
        """Run chunks until every command was taken by all towns at once and by one town, so that all is compiled."""
        missing = {(command, town) for command in self._operator.commands for town in (None, 0)}
        for count in range(MOST_WARMING):
            if (not missing and count >= self._settings.warm_chunks) or stop():
                return []
            alive = self._alive()
            asked = [(pair, self._operator.made(pair[0], alive, town=pair[1])) for pair in sorted(missing, key=str)]
            if any(command == "spawn" for command, _ in missing) and alive[0].all():
                gone = {"agent": 0, "respawn": False}
                self._wishes.append(Wish(command="kill", arguments=gone, town=None, is_fair=True))
            self._wishes += [wish for _, wish in asked]
            answers = self._submitted()
            problems = self._looked_at(answers)
            if problems:
                return problems
            missing -= {pair for pair, wish in asked if _is_taken(answers, wish)}
        names = ", ".join(sorted({command for command, _ in missing}))
        raise RunError(f"No town ever took {names}, so a soak cannot be warmed up; give towns in which agents live.")

    def _chunk(self) -> list[str]:
        return self._looked_at(self._submitted())

    def _submitted(self) -> list[tuple[Wish, "Future[int]"]]:
        return [(wish, self._session.submit(wish.command, wish.arguments, town=wish.town)) for wish in self._wishes]

    def _looked_at(self, answers: list[tuple[Wish, "Future[int]"]]) -> list[str]:
        """Run a chunk with the commands that were submitted, and return what is wrong after it."""
        before = None if self._log is None else self._copied()
        first, last = self._session.tick + 1, self._session.tick + self._plan.chunk
        self._session.run(last)
        for wish, answer in answers:
            self._take_note(wish, answer)
        self._wishes = []
        found = violations(
            self._built.params,
            self._session.states,
            first_tick=first,
            last_tick=last,
            ordered_until=self._ordered_until,
        )
        problems = [f"{violation}." for violation in found]
        if problems and self._log is not None and before is not None:
            problems.append(self._kept(self._log, before, last, problems[0], answers))
        return problems

    def _take_note(self, wish: Wish, answer: "Future[int]") -> None:
        try:
            tick = answer.result(timeout=0)
        except CommandError:
            self._refused += 1
            return
        self._taken[wish.command] += 1
        if wish.command in ("perturbation_trigger", "arrange_meet"):
            name = wish.arguments.get("spec", "arranged_meet")
            spec = self._built.names.perturbations.index(name)
            longest = int(self._built.params.perturbation.duration_max[spec])
            ticks = int(wish.arguments.get("duration") or longest)
            until = tick + int(wish.arguments.get("starts_in") or 0) + ticks
            rows = slice(None) if wish.town is None else wish.town
            self._ordered_until[rows, spec] = np.maximum(self._ordered_until[rows, spec], until)

    def _copied(self) -> Moment:
        moment = self._session.moment()
        states, memory = COPY((moment.states, moment.memory))
        return dataclasses.replace(moment, states=states, memory=memory)

    def _kept(
        self, log: FailureLog, before: Moment, last: int, problem: str, answers: list[tuple[Wish, "Future[int]"]]
    ) -> str:
        """Keep the state before the chunk and the commands that followed it; return the sentence that says where."""
        folder = log.capture(before, last, FailureError(problem))
        told = [dataclasses.asdict(wish) for wish, _ in answers]
        (folder / COMMANDS_FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        return f"the state before these ticks and the commands that came then are in {folder}."

    def _alive(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._session.states.roster.alive)

    def _agent_ticks(self) -> int:
        totals = self._session.totals
        return int(totals["sums.alive"].sum()) if totals else 0

    def _progress(self, warm_agents: int) -> Progress:
        return Progress(
            ticks=self._session.tick, agent_ticks=self._agent_ticks() - warm_agents, seconds=self._session.seconds
        )

    def _count(self, event: str, duration_secs: float, **details: str | int) -> None:
        del duration_secs, details
        self._compilations += event == COMPILATION


def _is_taken(answers: list[tuple[Wish, "Future[int]"]], wish: Wish) -> bool:
    return any(one is wish and answer.exception(timeout=0) is None for one, answer in answers)


def resident_bytes() -> int:
    """Return the resident memory of this process, 0 where nobody can tell."""
    if not STATM.exists():
        return 0
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grown(looks: list[int]) -> float:
    """Return by what share the memory grew from the first tenth of the looks to the last, medians of each."""
    if len(looks) < 2 or not looks[0]:
        return 0.0
    part = max(1, len(looks) // SHARE)
    first, last = float(np.median(looks[:part])), float(np.median(looks[-part:]))
    return last / first - 1
