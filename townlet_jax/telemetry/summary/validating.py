"""Every line against the schema, and every run against the rules of a stream. Nothing is added up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from townlet_jax.telemetry.summary import reading
from townlet_jax.telemetry.summary.found import Found
from townlet_jax.telemetry.summary.frames import Stream
from townlet_jax.telemetry.summary.problems import Problem, Problems
from townlet_jax.telemetry.summary.sources import ReadError, Source
from townlet_jax.telemetry.summary.words import clean

MOST_RUNS = 1_000


@dataclass
class _Run:
    stream: Stream = field(default_factory=Stream)
    has_begun: bool = False
    has_ended: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found. Errors are lines that are no records; holes are what is missing between those that are."""

    files: tuple[str, ...]
    records: dict[str, int]  # by kind
    runs: int
    errors: int
    first_errors: tuple[Problem, ...]
    holes: tuple[str, ...]  # a sentence each
    remarks: tuple[str, ...]


def validate(sources: Sequence[Source], most: int) -> Report:
    """Read everything and return what is wrong with it; raises `ReadError`."""
    problems = Problems(most)
    records: Counter[str] = Counter()
    runs: dict[str, _Run] = {}
    for found in reading.records(sources, problems):
        records[found.kind] += 1
        if found.kind != "training":
            _follow(found, runs, problems)
    return Report(
        files=tuple(source.name for source in sources),
        records=dict(records),
        runs=len(runs),
        errors=problems.count,
        first_errors=tuple(problems.first),
        holes=tuple(hole for name, run in runs.items() for hole in _holes(clean(name), run)),
        remarks=tuple(problems.remarks()),
    )


def _follow(found: Found, runs: dict[str, _Run], problems: Problems) -> None:
    """Check a record against those before it in its run."""
    run_id = found.data["run_id"]
    if run_id not in runs and len(runs) >= MOST_RUNS:
        raise ReadError(f"There are more than {MOST_RUNS:,} runs in these files; give fewer files.")
    run = runs.setdefault(run_id, _Run())
    is_first = run.stream.sequences.first is None
    if not run.stream.is_new(found) or not found.is_counted:
        return
    place = found.file, found.line
    if found.kind == "run":
        run.has_begun, run.has_ended = True, False
    elif is_first and found.data["sequence"] == 0:
        problems.add(*place, f"record 0 of a run must be of type run, but is {found.kind}")
    elif run.has_ended:
        problems.add(*place, "it comes after the end of its run")
    if found.kind == "end":
        run.has_ended = True
    elif found.kind in ("snapshot", "diff"):
        taken = run.stream.frame(found)
        if taken is not None and not taken[0].is_whole and not run.stream.sequences.gaps and run.has_begun:
            problems.add(*place, "it is a diff, but no whole frame of its town came before")


def _holes(name: str, run: _Run) -> list[str]:
    """Return what is missing from a run."""
    numbers = run.stream.sequences
    if numbers.first is None:
        return []
    said = []
    if numbers.first:
        said.append(f"Run {name} begins with record {numbers.first:,}.")
    if numbers.gaps:
        first = numbers.result().first_gaps[0]
        said.append(
            f"Run {name} lacks {numbers.lost:,} records in {numbers.gaps:,} gaps, the first before {first.file}, "
            f"line {first.line:,}."
        )
    if numbers.repeated:
        said.append(f"Run {name} has {numbers.repeated:,} records twice.")
    if not run.has_ended:
        said.append(f"Run {name} has no end.")
    return said
