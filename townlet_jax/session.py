"""The session: towns that live on, and everything about them that changes.

Owns the loop. The device is one chunk ahead: while it runs chunk k + 1, listeners hear of chunk k. Between chunks the
session applies edits, saves, and does what other threads ask for. After each it reads the fault bits.
"""

import dataclasses
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

import jax
import numpy as np

from townlet_jax import report
from townlet_jax.config import Built
from townlet_jax.config.schema.scenario import TimelineEntry
from townlet_jax.core import batch
from townlet_jax.core.state import TownState
from townlet_jax.cuts import Cuts
from townlet_jax.failing import FAILURES, FailureError, Guard
from townlet_jax.fleet import TAKE, Fleet
from townlet_jax.flights import Flight, Flights
from townlet_jax.layers import layers_of
from townlet_jax.pacing import SHORT, Pace, Room, lengths_at
from townlet_jax.plans import Plan, RunError, events_of, policy_of
from townlet_jax.policy import timeline
from townlet_jax.policy.arguments import CommandError
from townlet_jax.spotlight import Spotlight
from townlet_jax.stretch import Edited, Listener, Stretch
from townlet_jax.town_snapshots import Archive, FailureLog, Moment

AHEAD = 1  # chunks that the device is ahead of the listeners


class Session(Pace):
    """Towns under a policy, chunk after chunk; use it in a `with`, or call `close`.

    `listeners` hear every chunk, `watched` are the towns they see tick by tick. `archive` keeps snapshots, `failures`
    the state before a chunk that fails, `cues` is what is done before certain ticks. With `stop_at_faults` a new
    fault ends the run with `FailureError`. From other threads only `submit`, `save`, `watch` and what `Pace` offers may
    be called: ask, pause, resume, step, set_pace, stop. What ends in `_now` is for an action that was asked for.
    """

    def __init__(
        self,
        built: Built,
        plan: Plan,
        *,
        policy: batch.Policy | None = None,
        listeners: Sequence[Listener] = (),
        watched: Sequence[int] = (),
        archive: Archive | None = None,
        failures: FailureLog | None = None,
        cues: Mapping[int, Sequence[Callable[[], None]]] | None = None,
        stop_at_faults: bool = True,
    ) -> None:
        super().__init__()
        self.built = built
        self.plan = plan
        self.tick = 0  # the last one that was sent to the device
        self.seconds = 0.0  # spent on ticks
        self.totals: Mapping[str, report.Figures] = {}  # sums over all ticks that were heard of
        self.policy = policy = policy_of(plan.policy, built) if policy is None else policy
        self._cues = self._with_events(cues or {})
        self._fleet = Fleet(built.spec, built.params, policy, towns=plan.towns, seed=plan.seed, chunk=plan.chunk)
        self._spotlight = Spotlight(self._fleet, policy, self.checked(watched))
        self._flights = Flights(self._fleet, self._spotlight, keeps_before=failures is not None)
        self._listeners = tuple(listeners)
        self._archive = archive
        self._stop_at_faults = stop_at_faults
        self._guard = Guard(failures, self._moment, towns=plan.towns)
        self._failure: FailureError | None = None
        self._edits: list[Edited] = []  # applied, and not told to the listeners yet
        self._parents: list[Any] = []  # the snapshots that led here
        self._is_ready = self._is_attentive = False
        self._lengths: frozenset[int] = frozenset()  # of chunks that are compiled
        self._followed = 0  # the tick of the last cues

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish listeners and snapshots; raises what went wrong with the last save."""
        self.refuse("The session has ended; nothing more can be done in it.")
        for listener in self._listeners:
            listener.close()
        if self._archive is not None:
            self._archive.store.close()

    @property
    def states(self) -> TownState:
        """Return all towns as they are now; the next chunk consumes these arrays."""
        return self._fleet.states

    @property
    def compile_seconds(self) -> float:
        """Return the time spent on compiling."""
        return self._fleet.compile_seconds + self._spotlight.compile_seconds

    @property
    def is_ready(self) -> bool:
        """Say whether what a run needs is compiled."""
        return self._is_ready

    @property
    def fleet(self) -> Fleet:
        """Return the towns on their devices; what stands in it may be changed between two ticks only (see `ask`)."""
        return self._fleet

    @property
    def watched(self) -> tuple[int, ...]:
        """Return the towns that listeners see tick by tick."""
        return self._spotlight.towns

    @property
    def archive(self) -> Archive | None:
        """Return where snapshots are kept, None if they are not."""
        return self._archive

    def run(self, until: int, *, asked: Callable[[], bool] = lambda: False) -> None:
        """Run to a tick, or to the end of the chunk in which somebody asks to stop."""
        if self.tick >= until:
            return
        cuts = self._cuts(until)
        if not self._is_attentive:
            self.prepare(until)
        self._thread = threading.get_ident()
        try:
            while self.tick < until and self._failure is None:
                self._between()
                self._go_on(cuts)
                if self.is_stopped or asked():
                    break
            self._drain()
            self._between()
        except FAILURES as error:
            raise self._guard.failure(error, self._flights.oldest, self.totals) from error
        finally:
            self._thread = None
            self._flights.forget()
        if self._failure is not None:
            raise self._failure

    def prepare(self, until: int, *, is_paced: bool = False) -> None:
        """Compile what a run to that tick needs; with `is_paced` what pausing, stepping and pacing need too."""
        lengths = set() if self.rate else set(self._cuts(until).lengths)
        for length in lengths | ({1, SHORT} if is_paced else set(lengths_at(self.rate))):
            self._flights.compile(length)
            self._lengths |= {length}
        self._is_ready = True

    def prepare_soon(self, more: Callable[[Fleet], None]) -> threading.Thread:
        """Compile what is needed to begin, and the rest on a thread of its own while the session runs.

        Until that has ended chunks are shorter than planned. `more` is called on that thread with a twin of the towns,
        to compile what wishes need.
        """
        self._is_attentive = True
        self._flights.compile(1)
        self._lengths |= {1}
        self._is_ready = True
        twin = self._flights.twin()

        def compile_rest() -> None:
            more(twin.fleet)
            for length in sorted({min(SHORT, self.plan.chunk), self.plan.chunk}):
                if not self.is_stopped:
                    twin.compile(length)
                    self._lengths |= {length}

        thread = threading.Thread(target=compile_rest, name="compiling")
        thread.start()
        return thread

    def submit(self, command: str, arguments: Mapping[str, Any], *, town: int | None = None) -> "Future[int]":
        """Have an operator's command applied between two ticks, to all towns or one.

        The answer is the tick before which it was applied, or `CommandError`.
        """
        return self.ask(functools.partial(self.edit_now, command, dict(arguments), town=town))

    def save(self) -> "Future[int]":
        """Have a snapshot begun between two ticks; the answer is its tick, or `RunError` or `StoreError`."""
        return self.ask(self.save_now)

    def watch(self, towns: Sequence[int]) -> "Future[None]":
        """Have other towns watched from the next chunk on; another number of them is compiled once."""
        return self.ask(functools.partial(self._spotlight.turn, self.checked(towns)))

    def edit_now(self, command: str, arguments: Mapping[str, Any], *, town: int | None = None) -> int:
        """Apply a command to all towns or one, and return the tick before which it is applied."""
        self.checked(() if town is None else (town,))
        change = functools.partial(timeline.apply, command, arguments, self.built.names, self.built.spec)
        self._fleet.edit(change, town=town)
        return self.note_now(command, arguments, town=town)

    def note_now(self, command: str, arguments: Mapping[str, Any], *, town: int | None = None) -> int:
        """Tell the listeners of a command that changes no town, and return the tick before which it came."""
        self._edits.append(Edited(tick=self.tick + 1, command=command, arguments=arguments, town=town))
        return self.tick + 1

    def town_now(self, town: int) -> TownState:
        """Return one town as it is, on the host."""
        self.checked((town,))
        alone: TownState = jax.device_get(TAKE(self._fleet.states, np.int32(town)))
        return alone

    def save_now(self) -> int:
        """Begin to save the towns as they are, and return their tick."""
        if self._archive is None:
            raise RunError("This session keeps no snapshots; start it with a folder for them.")
        self._drain()
        known = {name: values[np.isfinite(values)] for name, values in self.figures().items()}
        self._archive.save(self.moment(), {name: float(values.mean()) for name, values in known.items() if values.size})
        return self.tick

    def save_at_end(self) -> None:
        """Save the towns as they are, if snapshots are kept, and return when that is safe."""
        if self._archive is not None:
            self.save_now()
            self._archive.store.wait()

    def figures(self) -> dict[str, report.Figures]:
        """Return the key figures of every town over all ticks that were heard of; none before the first."""
        if not self.totals:
            return {}
        return report.key_figures(
            self.totals,
            affordances=[report.printable(name) for name in self.built.names.affordances],
            ticks_per_day=int(self.built.params.clock.ticks_per_day),
        )

    def settled_now(self) -> Moment:
        """Return all that the session is, once the listeners have heard everything up to it."""
        self._drain()
        return self.moment()

    def moment(self) -> Moment:
        """Return all that the session is now."""
        return self._moment(self.tick, self._fleet.states, self._fleet.memory, self.totals)

    def adopt(self, moment: Moment) -> None:
        """Go on from a moment of as many towns of the same shape, whatever tick it is; its arrays are consumed."""
        self._drain()
        self._guard.accept(moment.states)
        self._fleet.adopt(moment.states, moment.memory, moment.params)
        self.tick = moment.tick
        self.totals = dict(moment.totals)
        self.seconds = moment.notes["seconds"]
        self._parents = moment.notes["parents"]
        self._followed = moment.notes.get("followed", 0)
        self._edits = [Edited(**edit) for edit in moment.notes["edits"]]
        kept = moment.notes["listeners"]
        for name, listener in self._named_listeners().items():
            if name in kept:
                listener.restore(kept[name])

    def _moment(self, tick: int, states: TownState, memory: Any, totals: Mapping[str, report.Figures]) -> Moment:
        names = self.built.names
        return Moment(
            tick=tick,
            states=states,
            params=self._fleet.params,
            memory=memory,
            totals=totals,
            notes={
                "towns": self.plan.towns,
                "seed": self.plan.seed,
                "policy": self.plan.policy,
                "seconds": self.seconds,
                "parents": self._parents,
                "followed": self._followed,
                "layers": layers_of(memory),
                "edits": [dataclasses.asdict(edit) for edit in self._edits],
                "listeners": {name: dict(one.figures()) for name, one in self._named_listeners().items()},
                "names": {"agents": names.agents, "objects": names.objects, "affordances": names.affordances},
            },
        )

    def _named_listeners(self) -> dict[str, Listener]:
        """Return the listeners by what a snapshot calls them: their kind, numbered where there are several."""
        named: dict[str, Listener] = {}
        for listener in self._listeners:
            kind = type(listener).__name__
            number = sum(type(other).__name__ == kind for other in named.values())
            named[f"{kind}-{number}" if number else kind] = listener
        return named

    def _cuts(self, until: int) -> Cuts:
        every = None if self._archive is None else self._archive.every
        return Cuts(until, min(self.plan.chunk, until), self._cues, every)

    def _between(self) -> None:
        """Do what is to be done between two chunks."""
        if self.has_wishes:
            self._drain()
            if self._failure is None:
                self.obey()
        if self._archive is not None:
            self._archive.store.check()
            if self._archive.is_due(self.tick):
                self._drain()
                if self._failure is None:
                    self.save_now()

    def _go_on(self, cuts: Cuts) -> None:
        """Send out the next chunk if one may run now, and hear those that have landed."""
        room = self.room()
        if room.ticks != 0 and self._follow_cues():
            room = self.room()  # a cue may be to pause
        if room.ticks == 0:
            self._drain()
            self.wait()
            return
        length = self._length(room, cuts)
        self._flights.send(self.tick + 1, length, tuple(self._edits))
        self._edits.clear()
        self.tick += length
        self.spent(length, room)
        while len(self._flights) > (AHEAD if room.ticks is None else 0):
            self._land()

    def _length(self, room: Room, cuts: Cuts) -> int:
        """Return the ticks of the next chunk."""
        if room.ticks is None and not self._is_attentive:
            return cuts.length(self.tick)
        most = cuts.room(self.tick)
        if room.ticks is not None:
            most = min(most, room.ticks)
        fitting = [length for length in self._lengths if length <= most]
        return max(fitting, default=1)

    def _drain(self) -> None:
        while self._flights:
            self._land()

    def _land(self) -> None:
        """Wait for a chunk, add it up, tell the listeners, look for faults."""
        flight = self._flights.land()
        before = self.totals
        self.totals = report.add(before or None, report.arrays(flight.totals))
        self.seconds += flight.seconds
        try:
            self._tell(flight)
        except FAILURES as error:
            raise self._guard.failure(error, flight, before) from error
        fault = self._guard.fault(flight, before)
        if self._stop_at_faults and self._failure is None:
            self._failure = fault

    def _tell(self, flight: Flight) -> None:
        stretch = Stretch(
            first_tick=flight.first_tick,
            last_tick=flight.last_tick,
            num_towns=self.plan.towns,
            totals=flight.totals,
            series=flight.series,
            watched=flight.watched,
            edits=flight.edits,
            seconds=flight.seconds,
            standing=flight.standing,
        )
        for listener in self._listeners:
            listener.hear(stretch)

    def _with_events(self, cues: Mapping[int, Sequence[Callable[[], None]]]) -> dict[int, list[Callable[[], None]]]:
        """Return the cues by tick, those of the scenario first."""
        events = events_of(self.built, self.plan)
        return {
            tick: [
                *(functools.partial(self._follow_timeline, entry) for entry in events.get(tick, ())),
                *cues.get(tick, ()),
            ]
            for tick in sorted({*events, *cues})
        }

    def _follow_cues(self) -> bool:
        """Do what is to be done before the next tick, once; say whether there was something."""
        due = self._cues.get(self.tick + 1, ()) if self._followed != self.tick + 1 else ()
        if due:
            self._followed = self.tick + 1
        for cue in due:
            cue()
        return bool(due)

    def _follow_timeline(self, entry: TimelineEntry) -> None:
        try:
            self.edit_now(entry.command, entry.args)
        except CommandError as error:
            raise RunError(f"scenario.timeline, tick {entry.tick}: {error}") from error

    def checked(self, towns: Sequence[int]) -> tuple[int, ...]:
        """Return indices of towns in order, each once; raises `RunError` for one that there is not."""
        for town in towns:
            if not 0 <= town < self.plan.towns:
                raise RunError(f"There is no town {town}; choose one of 0 to {self.plan.towns - 1}.")
        return tuple(sorted(set(towns)))
