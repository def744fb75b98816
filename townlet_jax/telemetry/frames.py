"""Frames of one watched town: events, stories and sections of a chunk become bodies of records (MECHANICS 11.1).

A frame is made every `every_ticks` ticks; what happened in the ticks between is in the next one. Sections are built
where the arrays they come from have changed, and kept as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.core.enums import Behaviour, Trait
from townlet_jax.core.state import TownState
from townlet_jax.stretch import Edited
from townlet_jax.telemetry import frames_people, frames_stability, frames_things, measures
from townlet_jax.telemetry.decode import Event, decode
from townlet_jax.telemetry.decode_edits import story
from townlet_jax.telemetry.decode_things import real
from townlet_jax.telemetry.frames_base import Section, Shot
from townlet_jax.telemetry.frames_ties import Churn, Conflict, Edge, Loss, Ties, Values, losses
from townlet_jax.telemetry.histories import Histories
from townlet_jax.telemetry.lived import Lived, ended_in, row_of
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.narration import Character, Narrator, Setting, Story
from townlet_jax.telemetry.stream import Frame, Stream
from townlet_jax.telemetry.text import dumps

MOST_CACHED = 20_000  # texts of things that rarely change


@dataclass(frozen=True, kw_only=True)
class Body:
    """A record of a town without its envelope."""

    tick: int
    kind: str
    text: str


class Town:
    """Everything about one watched town that goes on from chunk to chunk."""

    def __init__(self, words: Words, section: TelemetrySection, *, town: int, every_ticks: int) -> None:
        self._words, self._town = words, town
        self.every_ticks = every_ticks  # from frame to frame
        self.stream = Stream(snapshot_every=section.snapshot_every, redact=section.redact)
        self.histories = Histories()
        self.churn = Churn(section.churn_window_ticks)
        self.narrator = Narrator(section.narration, section.personality_narration)
        self._events: list[Event] = []  # since the last frame
        self._stories: list[Story] = []
        self._losses: list[Loss] = []
        self._cache: dict[Any, str] = {}
        self._counters: list[int] | None = None  # of the queues, at the last frame
        self._before: TownState | None = None  # at the end of the last chunk
        self._lived: Lived | None = None  # the last chunk
        self._framed_tick = -1

    def hear(
        self, lived: Lived, edits: Sequence[Edited], told: Sequence[Event], outside: Mapping[str, str]
    ) -> tuple[list[Body], list[list[Event]]]:
        """Return the bodies of the frames of a chunk, and the events of its ticks.

        `told` are events from elsewhere, `outside` sections that others fill, as JSON text.
        """
        last = self._lived
        follows = last is not None and last.first_tick + last.ticks == lived.first_tick
        if not follows:
            self._before = None
            self.stream.demand_whole()
        events = decode(self._words, lived, edits, before=self._before, told=told)
        stories = self._narrate(lived, events, edits)
        rows = self._rows(lived, is_first=last is None)
        bodies = self._frames(lived, rows, events, stories, outside)
        self.histories.note_queues(lived)
        self._lived, self._before = lived, row_of(lived.states, lived.ticks)
        return bodies, events

    def finish(self, outside: Mapping[str, str]) -> list[Body]:
        """Return the frame of the last tick, if there is none yet."""
        lived = self._lived
        if lived is None or self._framed_tick == lived.first_tick + lived.ticks - 1:
            return []
        return [self._shoot(lived, [lived.ticks - 1], outside).take(0, self)]

    def again(self, state: TownState, outside: Mapping[str, str]) -> Body | None:
        """Return a frame of the last tick with the town as an operator left it; None before the first chunk."""
        if self._lived is None:
            return None
        self._lived = lived = ended_in(self._lived, state)
        return self._shoot(lived, [lived.ticks - 1], outside).take(0, self)

    def _rows(self, lived: Lived, *, is_first: bool) -> list[int]:
        """Return the ticks of which frames are made: every so many, and the first one ever heard of."""
        rows: list[int] = np.flatnonzero(lived.tick_numbers % self.every_ticks == 0).tolist()
        return sorted({0, *rows}) if is_first else rows

    def _narrate(self, lived: Lived, events: list[list[Event]], edits: Sequence[Edited]) -> list[list[Story]]:
        params = self._words.params
        announced: dict[int, list[Story]] = {}
        for edited in edits:
            told = story(self._words, edited)
            if told is not None:
                announced.setdefault(edited.tick, []).append(told)
        tolerance = np.clip(params.personality.behaviour_bias[:, Behaviour.CONFLICT_TOLERANCE], 0.1, 5.0)
        tolerance = np.where(params.personality.modify_behaviour, tolerance, 1.0)

        def characters(i: int) -> Setting:
            def character(name: str) -> Character:
                profile = int(lived.seen.profile[i, self._words.slot_named(name)])
                extroversion = real(params.personality.trait[profile, Trait.EXTROVERSION])
                return Character(extroversion=extroversion, tolerance=real(tolerance[profile]))

            return Setting(max_unpaid_days=int(params.economy.max_unpaid_days), character=character)

        found: list[list[Story]] = []
        for i, happened in enumerate(events):
            tick = lived.first_tick + i
            said = announced.get(tick, ())
            quiet = not happened and not said
            found.append([] if quiet else self.narrator.tell(tick, happened, characters(i), said))
        return found

    def _frames(
        self,
        lived: Lived,
        rows: list[int],
        events: list[list[Event]],
        stories: list[list[Story]],
        outside: Mapping[str, str],
    ) -> list[Body]:
        lost = losses(self._words, lived)
        self.histories.extend(lived)
        shooting = self._shoot(lived, rows, outside) if rows else None
        bodies, k, taken = [], 0, 0
        for i, happened in enumerate(events):
            self.histories.note(happened)
            self._events += happened
            self._stories += stories[i]
            while taken < len(lost) and lost[taken].tick <= lived.first_tick + i:
                self.churn.add(lost[taken])
                self._losses.append(lost[taken])
                taken += 1
            if shooting is not None and k < len(rows) and rows[k] == i:
                bodies.append(shooting.take(k, self))
                k += 1
        return bodies

    def _shoot(self, lived: Lived, rows: list[int], outside: Mapping[str, str]) -> "Shooting":
        if len(self._cache) > MOST_CACHED:
            self._cache.clear()
        counters = self._counters
        if counters is None:
            counters = [int(getattr(lived.states.queues, name)[0]) for name in frames_things.QUEUE_COUNTERS]
        return Shooting(Shot(self._words, lived, rows, self._cache), counters, outside)

    def framed(self, frame: Frame, counters: list[int]) -> Body:
        """Turn a frame into a record's body and begin to gather for the next one."""
        kind, text = self.stream.body(frame)
        self._counters, self._framed_tick = counters, frame.tick
        self._events, self._stories, self._losses = [], [], []
        return Body(tick=frame.tick, kind=kind, text=text)

    @property
    def gathered(self) -> tuple[list[Event], list[Story], list[Loss]]:
        """Return what happened since the last frame."""
        return self._events, self._stories, self._losses

    def figures(self) -> dict[str, Any]:
        """Return what a snapshot keeps, as JSON."""
        return {
            "limiter": self.narrator.limiter.figures(),
            "histories": self.histories.figures(),
            "churn": self.churn.figures(),
            "counters": self._counters,
            "events": self._events,
            "stories": self._stories,
            "losses": [list(loss) for loss in self._losses],
        }

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` returned; the next frame is a whole one."""
        self.narrator.limiter.restore(figures["limiter"])
        self.histories.restore(figures["histories"])
        self.churn.restore(figures["churn"])
        self._counters = figures["counters"]
        self._events, self._stories = list(figures["events"]), list(figures["stories"])
        self._losses = [Loss(*loss) for loss in figures["losses"]]
        self._before = self._lived = None
        self.stream.demand_whole()


class Shooting:
    """The sections of some ticks of a chunk, taken one frame after the other."""

    def __init__(self, shot: Shot, counters: list[int], outside: Mapping[str, str]) -> None:
        self._shot, self._outside = shot, outside
        self._sections: dict[str, Section] = {
            "agents": frames_people.Agents(shot),
            "objects": frames_things.Objects(shot),
            "queue_metrics": frames_things.QueueMetrics(shot, counters),
            "employment": frames_people.Employment(shot),
            "utilities": frames_things.Utilities(shot),
            "economy": frames_things.Economy(shot),
            "perturbations": frames_things.Perturbations(shot),
            "rewards": frames_people.Rewards(shot),
            "embedding": frames_things.Embedding(shot),
        }
        if shot.lived.judged is not None:
            self._sections["stability"] = frames_stability.Stability(shot, shot.lived.judged)
        self._ties, self._conflict = Ties(shot), Conflict(shot)
        parts = {**self._sections, "ties": self._ties, "conflict": self._conflict}
        self._changed = {name: section.changed() for name, section in parts.items()}
        self._texts: dict[str, str] = {}
        self._rivals = ""
        self._edges: Mapping[Edge, Values] = {}
        self._measures = measures.of_town(shot.words, shot.lived, shot.rows.tolist())

    def take(self, k: int, town: Town) -> Body:
        """Make frame k; frames are taken in order."""
        shot, (events, stories, lost) = self._shot, town.gathered
        tick = int(shot.ticks[k])
        if self._changed["ties"][k]:
            self._edges = self._ties.edges(k)
        if self._changed["conflict"][k]:
            self._rivals = self._conflict.rivals(k)
        for name, section in self._sections.items():
            if self._changed[name][k]:
                self._texts[name] = section.text(k)
        quarrels = [event for event in events if event["event"] == "queue_conflict"]
        intensity = real(sum(event["intensity"] for event in quarrels))
        conflict = f'"events":{dumps(quarrels)},"intensity_sum":{intensity!r}'
        results = [event["data"] for event in events if event["event"] == "console.result"]
        day = shot.words.ticks_per_day
        texts = {
            **self._outside,
            **self._texts,
            "tick_of_day": str(tick % day),
            "day": str(tick // day),
            "conflict": f"{{{conflict},{self._rivals}}}",
            "events": dumps(events),
            "narrations": dumps(stories),
            "kpis": f'{{"measures":{self._measures[k]},"history":{town.histories.text(int(shot.rows[k]))}}}',
            "console": dumps(results),
        }
        churn = dumps(town.churn.at(tick))
        frame = Frame(tick=tick, texts=texts, edges=self._edges, churn=churn, losses=lost)
        metrics = self._sections["queue_metrics"]
        assert isinstance(metrics, frames_things.QueueMetrics)
        return town.framed(frame, metrics.totals[k].tolist())
