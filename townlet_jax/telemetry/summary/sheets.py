"""A summary as sheets: titles, columns and cells of plain text, which text and Markdown show in their own way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from townlet_jax.telemetry.summary.curves import Figure
from townlet_jax.telemetry.summary.people import Often, Person
from townlet_jax.telemetry.summary.results import RunSummary, Summary, TrainingSummary
from townlet_jax.telemetry.summary.words import number, share

MOST_LISTED = 3  # people named in a cell, towns, gaps


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table. The first `texts` columns hold words, the others numbers; `notes` stand below it."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    texts: int = 1
    spare: tuple[str, ...] = ()  # columns that a narrow terminal goes without, in this order
    notes: tuple[str, ...] = ()


def sheets(summary: Summary) -> Iterator[Sheet]:
    """Go through everything there is to say; sheets without rows and notes are left out."""
    for run in summary.runs:
        yield from (sheet for sheet in _of_run(run) if sheet.rows or sheet.notes)
    for training in summary.training:
        yield _of_training(training)
    said = [f"{problem}." for problem in summary.problems]
    more = summary.bad_lines - len(summary.problems)
    said += [f"{more:,} more lines could not be read either."] if more else []
    if said or summary.remarks:
        yield Sheet(title="Reading", notes=(*said, *summary.remarks))


def _of_run(run: RunSummary) -> Iterator[Sheet]:
    yield _header(run)
    where = "watched towns, ticks with a frame" if run.of_frames else "all towns"
    yield _figures(f"Key figures ({where})", run.kpis)
    yield _figures(f"Reward terms a tick ({where})", run.terms)
    yield _events(run)
    yield _rankings(run)
    yield _perturbations(run)
    yield _departures(run)
    yield _stories(run)
    yield _transport(run)


def _header(run: RunSummary) -> Sheet:
    rows = [("ticks", f"{run.first_tick:,} to {run.last_tick:,} ({number(run.days, 1)} days)")]
    if run.header is not None:
        head = run.header
        watched = ", ".join(map(str, head.watched[:10])) + (", …" if len(head.watched) > 10 else "")
        rows += [
            ("configuration", f"{head.config_id} ({head.config_hash[:12]})"),
            ("policy, seed", f"{head.policy}, {head.seed}"),
            ("towns", f"{head.towns:,} with {head.agents} agents each; watched: {watched or 'none'}"),
            ("started", head.started + (f", resumed {run.resumed} times" if run.resumed else "")),
            ("versions", ", ".join(f"{name} {version}" for name, version in sorted(head.versions.items()))),
        ]
    rows.append(("ended", run.ended or "no: it runs, or was killed"))
    rows.append(("records", ", ".join(f"{count:,} {kind}" for kind, count in run.records.items())))
    return Sheet(title=f"Run {run.run_id}", columns=("what", "value"), rows=tuple(rows), texts=2)


SPARE = ("p50", "p5", "p95", "in time ±")
FIGURE_COLUMNS = ("figure", "mean", "p5", "p50", "p95", "in time ±", "first tenth", "last tenth", "change")


def _figures(title: str, figures: dict[str, Figure]) -> Sheet:
    """Return a table of figures; those that are nothing but zero become one note."""
    told = {name: one for name, one in figures.items() if not _is_nothing(one)}
    silent = len(figures) - len(told)
    return Sheet(
        title=title,
        columns=FIGURE_COLUMNS,
        rows=tuple((name, *_cells(figure)) for name, figure in told.items()),
        spare=SPARE,
        notes=(f"{silent} figures are 0 or without meaning throughout.",) if silent else (),
    )


def _is_nothing(figure: Figure) -> bool:
    return all(value in (None, 0.0) for value in (figure.mean, figure.p5, figure.p95, figure.deviation))


def _cells(figure: Figure) -> tuple[str, ...]:
    values = (figure.mean, figure.p5, figure.p50, figure.p95, figure.deviation, figure.first, figure.last)
    relative = figure.change / abs(figure.first) if figure.change is not None and figure.first else None
    return (*map(number, values), share(relative))


def _events(run: RunSummary) -> Sheet:
    has_agents = any(event.per_agent_day is not None for event in run.events)
    rows = []
    for event in run.events:
        rates = [number(event.per_day)] + ([number(event.per_agent_day)] if has_agents else [])
        rows.append((event.event, _named(event.most, run), f"{event.count:,}", *rates))
    columns = ("event", "mostly", "count", "a town-day", *(("an agent-day",) if has_agents else ()))
    title = f"Events of the watched towns ({number(run.town_days, 1)} town-days)"
    return Sheet(title=title, columns=columns, rows=tuple(rows), texts=2)


def _named(most: Sequence[Often], run: RunSummary) -> str:
    return ", ".join(f"{_called(one.name, one.town, run)} {one.count:,}" for one in most[:MOST_LISTED])


def _called(name: str, town: int, run: RunSummary) -> str:
    """Return what somebody is called: with the town where several are watched."""
    several = run.header is None or len(run.header.watched) > 1
    return f"{name}@{town}" if several else name


def _rankings(run: RunSummary) -> Sheet:
    rows = []
    for ranking in run.rankings:
        for end, people in (("most", ranking.top), ("least", ranking.bottom)):
            for person in people:
                label = f"{ranking.figure}, {end}" if person is people[0] else ""
                rows.append((label, _called(person.name, person.town, run), *_of_person(person)))
    columns = ("by", "who", "days", "return a day", "wallet", "needs", "lowest need", "conflicts", "events")
    every = run.header.every_ticks if run.header is not None else 0
    notes = [f"Returns are those of the ticks with a frame, one in {every:,}, and can be far off."] if every > 1 else []
    title = f"Top and bottom of {run.people:,} agents"
    spare = ("events", "days", "lowest need")
    return Sheet(
        title=title, columns=columns, rows=tuple(rows), texts=2, spare=spare, notes=tuple(notes) if rows else ()
    )


def _of_person(person: Person) -> tuple[str, ...]:
    figures = (person.return_a_day, person.wallet, person.need, person.need_lowest)
    return (number(person.days, 1), *map(number, figures), f"{person.conflicts:,}", f"{person.events:,}")


def _perturbations(run: RunSummary) -> Sheet:
    rows = tuple(
        (one.spec, one.kind, f"{one.started:,}", f"{one.ended:,}", f"{one.cancelled:,}", number(one.planned_ticks))
        for one in run.perturbations
    )
    columns = ("spec", "kind", "started", "ended", "cancelled", "ticks planned")
    return Sheet(title="Perturbations of the watched towns", columns=columns, rows=rows, texts=2)


def _departures(run: RunSummary) -> Sheet:
    everywhere = {name.removeprefix("exits."): count for name, count in run.counts.items() if name.startswith("exits.")}
    reasons = {**dict.fromkeys(run.reasons, 0.0), **everywhere}
    rows = [(name, f"{run.reasons.get(name, 0):,}", number(reasons[name], 0)) for name in reasons]
    rows = [row for row in rows if row[1:] != ("0", "0")]
    newest = ", ".join(
        f"{_called(one.agent, one.town, run)} at tick {one.tick:,} ({one.reason})" for one in run.departures
    )
    return Sheet(
        title="Departures",
        columns=("reason", "watched towns", "all towns"),
        rows=tuple(rows),
        notes=(f"The newest: {newest}.",) if newest else () if rows else ("Nobody left.",),
    )


def _stories(run: RunSummary) -> Sheet:
    rows = tuple(
        (f"{story.tick:,}", f"{story.category}{' (urgent)' if story.priority else ''}", story.message)
        for story in run.stories
    )
    told = ", ".join(f"{one.category} {one.count:,} ({one.priority:,} urgent)" for one in run.categories)
    columns = ("tick", "category", "story")
    return Sheet(
        title="Stories of note", columns=columns, rows=rows, texts=3, notes=(f"Told: {told}.",) if told else ()
    )


def _transport(run: RunSummary) -> Sheet:
    rows = tuple(
        (one.name, "yes" if one.connected else "no", one.last_error or "–", f"{one.sent:,}", f"{one.dropped:,}",
         f"{one.retries:,}", f"{one.restarts:,}")
        for one in run.channels
    )  # fmt: skip
    columns = ("sink", "connected", "last error", "sent", "dropped", "retries", "restarts")
    return Sheet(title="Transport", columns=columns, rows=rows, texts=3, notes=tuple(_transport_notes(run)))


def _transport_notes(run: RunSummary) -> Iterator[str]:
    numbers = run.sequence
    if numbers.first is None:
        yield "Tables hold no sequence numbers without holes, so lost records cannot be counted."
    elif not numbers.gaps:
        yield f"No record is missing from number {numbers.first:,} to {numbers.last:,}."
    else:
        places = ", ".join(
            f"{gap.lost:,} before {gap.file}, line {gap.line:,}" for gap in numbers.first_gaps[:MOST_LISTED]
        )
        more = ", …" if numbers.gaps > MOST_LISTED else ""
        yield f"{numbers.lost:,} records are missing in {numbers.gaps:,} gaps: {places}{more}."
    if numbers.repeated:
        yield f"{numbers.repeated:,} records came twice and were counted once."
    if run.stale_frames:
        yield f"{run.stale_frames:,} frames follow no whole frame; their figures were left out, their events counted."
    for name, count in run.left_out.items():
        yield f"There was no room for {count:,} values about {name}."
    if run.speed is not None:
        speed = run.speed
        yield (
            f"{number(speed.ticks_per_second)} town-ticks/s, {number(speed.tick_ms)} ms a tick. Publishing took "
            f"{number(speed.publish_ms)} ms a chunk; {speed.skipped_chunks:,} were skipped, {speed.failures:,} failed."
        )
        if speed.faults:
            faults = ", ".join(f"{name} in {towns:,}" for name, towns in speed.faults.items())
            yield f"FAULTS, by towns that had them: {faults}; the figures of these towns are not to be trusted."


def _of_training(training: TrainingSummary) -> Sheet:
    sheet = _figures(f"Training {training.name}", training.figures)
    columns = ("figure", "mean", *FIGURE_COLUMNS[5:])
    rows = tuple((row[0], row[1], *row[5:]) for row in sheet.rows)
    spent = f" in {number(training.seconds, 0)} s" if training.seconds is not None else ""
    said = f"{training.updates:,} updates ({training.first_update:,} to {training.last_update:,}), "
    notes = [f"{said}{training.agent_steps:,} agent-steps{spent}."]
    if training.unlearned:
        lost = ", ".join(f"{name} in {count:,} updates" for name, count in training.unlearned.items())
        notes.append(f"No number: {lost}.")
    return Sheet(title=sheet.title, columns=columns, rows=rows, spare=SPARE[-1:], notes=(*notes, *sheet.notes))
