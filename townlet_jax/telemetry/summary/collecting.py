"""From sources to a summary: records sorted by run, rows by training log, and what they add up to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from townlet_jax.telemetry.summary import reading
from townlet_jax.telemetry.summary.found import Found
from townlet_jax.telemetry.summary.people import TOP, rankings
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.results import EventCount, RunSummary, Summary
from townlet_jax.telemetry.summary.sources import ReadError, Source
from townlet_jax.telemetry.summary.tally import Choice, RunTally
from townlet_jax.telemetry.summary.training import TrainingTally
from townlet_jax.telemetry.summary.words import clean

MOST_RUNS = 32
MOST_NAMED = 3  # to whom an event happened most often


@dataclass
class Collected:
    """What was read, before it is written up."""

    choice: Choice
    runs: dict[str, RunTally] = field(default_factory=dict)
    training: dict[tuple[str, int], TrainingTally] = field(default_factory=dict)

    def take(self, found: Found) -> None:
        """Add a record to its run; raises `ReadError` for too many runs."""
        if found.kind == "training":
            member = found.data.get("member")
            self._training(found.file, member if isinstance(member, int) else -1).take(found.data)
        else:
            self._run(found.data["run_id"]).take(found)

    def _run(self, run_id: str) -> RunTally:
        if run_id not in self.runs:
            self._demand_room()
            self.runs[run_id] = RunTally(run_id, self.choice)
        return self.runs[run_id]

    def _training(self, file: str, member: int) -> TrainingTally:
        if (file, member) not in self.training:
            self._demand_room()
            self.training[file, member] = TrainingTally(file if member < 0 else f"{file}, member {member}")
        return self.training[file, member]

    def _demand_room(self) -> None:
        if len(self.runs) + len(self.training) >= MOST_RUNS:
            raise ReadError(f"There are more than {MOST_RUNS} runs in these files; give fewer files.")


def collect(sources: Sequence[Source], choice: Choice, problems: Problems) -> Collected:
    """Read everything; raises `ReadError` where nothing can be read, or nothing was chosen."""
    collected = Collected(choice)
    for found in reading.records(sources, problems):
        collected.take(found)
    if not collected.runs and not collected.training:
        raise ReadError(_nothing(sources, problems))
    demand_chosen(collected.runs.values(), choice)
    return collected


def _nothing(sources: Sequence[Source], problems: Problems) -> str:
    names = ", ".join(source.name for source in sources[:3])
    why = f" ({problems.first[0]})" if problems.first else ""
    return f"{names}: no telemetry record was found{why}; give what a run or a training wrote."


def demand_chosen(runs: Iterable[RunTally], choice: Choice) -> None:
    """Raise `ReadError` where a town was chosen that no frame shows."""
    watched = sorted({town for run in runs if run.header is not None for town in run.header.watched})
    shown = any(choice.town in run.towns for run in runs)
    if choice.town is not None and not shown:
        there = f"of towns {', '.join(map(str, watched[:20]))}" if watched else "of none"
        raise ReadError(f"--town {choice.town} has no frames here; there are frames {there}.")


def summarise(collected: Collected, sources: Sequence[Source], problems: Problems, *, top: int = TOP) -> Summary:
    """Return what it all adds up to."""
    return Summary(
        files=tuple(source.name for source in sources),
        runs=tuple(run_summary(run, top) for run in collected.runs.values()),
        training=tuple(log.result() for log in collected.training.values()),
        problems=tuple(problems.first),
        bad_lines=problems.count,
        remarks=tuple(problems.remarks()),
    )


def run_summary(run: RunTally, top: int) -> RunSummary:
    """Return what one run adds up to."""
    day = run.ticks_per_day
    town_days = sum(span.last - span.first + 1 for span in run.towns.values()) / day
    first = run.first_tick or 0
    people = run.people.people(day)
    left_out = {
        "figures": run.kpis.left_out + run.terms.left_out,
        "counts": run.counts_left_out,
        "people": run.people.left_out,
        "towns": run.stream.left_out,
    }
    return RunSummary(
        run_id=run.run_id,
        header=run.header,
        resumed=run.resumed,
        ended=run.ended,
        first_tick=first,
        last_tick=run.last_tick,
        days=max(run.last_tick - first + 1, 0) / day,
        town_days=town_days,
        records=dict(run.records),
        of_frames=run.of_frames,
        kpis={clean(name): figure for name, figure in run.kpis.figures().items()},
        terms={clean(name): figure for name, figure in run.terms.figures().items()},
        counts={clean(name): value for name, value in run.counts.items()},
        events=_events(run, town_days),
        people=len(people),
        rankings=rankings(people, top),
        categories=run.chronicle.categories(),
        stories=run.chronicle.stories(2 * top),
        perturbations=run.chronicle.perturbations(),
        reasons=dict(run.chronicle.reasons.most_common()),
        departures=tuple(run.chronicle.departures)[-2 * top :],
        speed=run.health.result(),
        channels=run.health.channels,
        sequence=run.stream.sequences.result(),
        stale_frames=run.stale_frames,
        left_out={name: count for name, count in left_out.items() if count},
        published={clean(name): count for name, count in run.published.items()},
    )


def _events(run: RunTally, town_days: float) -> tuple[EventCount, ...]:
    most = run.people.most(MOST_NAMED)
    agent_days = run.people.ticks / run.ticks_per_day
    return tuple(
        EventCount(
            event=event,
            count=count,
            per_day=count / max(town_days, 1 / run.ticks_per_day),
            per_agent_day=count / agent_days if agent_days else None,
            most=most.get(event, ()),
        )
        for event, count in run.spans.totals.most_common()
    )
