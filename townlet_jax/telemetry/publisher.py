"""The listener that publishes a session: a thread turns chunks into records and hands them to channels.

Owns sequence numbers and counters. `hear` only queues. When publishing is slower than the town, the queue runs full:
then the session waits (`block`, `fan_out`) or a chunk is skipped. A skipped chunk takes one sequence number, so that
readers see the gap.
"""

import dataclasses
import json
import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from townlet_jax.config import Built
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.core.state import TownState
from townlet_jax.run import Plan
from townlet_jax.stretch import Edited, Stretch, Watched
from townlet_jax.telemetry import bulletins, measures
from townlet_jax.telemetry.decode_edits import story
from townlet_jax.telemetry.frames import Body, Town
from townlet_jax.telemetry.lived import Lived, fetch
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.narration import Limiter
from townlet_jax.telemetry.schema import VERSION
from townlet_jax.telemetry.sinks import Item, Status, open_channels
from townlet_jax.telemetry.stream import EMPTY
from townlet_jax.telemetry.text import dumps, quote

EVERY_TICKS = 20  # ticks from frame to frame, unless somebody says otherwise
MOST_WAITING = 4  # chunks
MOST_FRAMES = 20  # a second and town, where somebody looks on
SPACINGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # ticks from frame to frame then
OUTSIDE = ("stability", "promotion", "policy")  # sections that others fill
_log = logging.getLogger(__name__)


Inspect = Callable[[Watched], Mapping[str, Any]]


class Channel(Protocol):
    """What a record is handed to."""

    def put(self, item: Item) -> None:
        """Take a record."""

    def status(self) -> Status:
        """Return how it is doing."""

    def take_gap(self) -> bool:
        """Say once that records were dropped."""

    def close(self) -> None:
        """Send what is buffered."""


class Publisher:
    """Publishes what a session tells it.

    With `is_live` somebody may look on: frames come as often as an eye can follow, not every so many ticks.
    """

    def __init__(
        self,
        built: Built,
        plan: Plan,
        *,
        section: TelemetrySection,
        extra_sinks: Sequence[str] = (),
        watched: Sequence[int] = (),
        run_id: str | None = None,
        every_ticks: int = EVERY_TICKS,
        channels: Sequence[Channel] | None = None,
        more_channels: Sequence[Channel] = (),
        is_live: bool = False,
        policy_hash: str | None = None,
        anneal_ratio: float | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.words = Words(built, hashed=section.privacy == "hashed", salt=section.privacy_salt)
        self._built, self._plan, self._section, self._every = built, plan, section, every_ticks
        self.run_id = run_id or secrets.token_hex(8)
        self._towns = {town: Town(self.words, section, town=town, every_ticks=every_ticks) for town in watched}
        identity = dumps(bulletins.identity(built, plan, policy_hash=policy_hash, anneal_ratio=anneal_ratio))
        self._outside = {name: EMPTY[name] for name in (*OUTSIDE, "transport", "health")} | {"identity": identity}
        self._shown: dict[int, Mapping[str, str]] = dict.fromkeys(self._towns, self._outside)  # in the last frames
        self._inspect: Inspect = lambda watched: {}
        self._told: list[dict[str, Any]] = []
        self._extra: dict[str, Any] = {}
        self._counters: Counter[str] = Counter()
        self._sequence = self._ticks = self._last_tick = 0
        self._faults: dict[int, int] = {}
        self._has_begun = self._is_resumed = False
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._pending: deque[Future[None]] = deque()
        self._skipped = 0  # chunks that the next one has to account for
        opened = open_channels(section, extra_sinks, say=say) if channels is None else channels
        self._channels = [*opened, *more_channels]
        self._is_live = is_live
        self._run_record: bytes | None = None
        self._last_health: dict[str, Any] = {}
        self._framed: dict[int, int] = {}  # the tick of the last frame of each town
        self._announced: list[Edited] = []  # stories that are on their way
        self._thread = ThreadPoolExecutor(1, "telemetry")
        self._is_closed = False

    def hear(self, stretch: Stretch) -> None:
        """Queue a chunk; waits only under `block` and `fan_out`."""
        waits = self._section.buffer.backpressure in ("block", "fan_out")
        if not self._room.acquire(blocking=waits) and not self._make_room():
            self._skip()
            return
        future = self._thread.submit(self._publish, stretch)
        self._pending.append(future)
        future.add_done_callback(self._done)

    def close(self, why: str = "finished") -> None:
        """Publish what waits, say why the run ended, flush and close the channels."""
        if self._is_closed:
            return
        self._is_closed = True
        self._thread.submit(self._end, why).result()
        self._thread.shutdown()
        for channel in self._channels:
            channel.close()

    def figures(self) -> Mapping[str, Any]:
        """Return what a snapshot keeps, after everything heard so far was published."""
        return self._thread.submit(self._figures).result()

    def restore(self, figures: Mapping[str, Any]) -> None:
        """Go on from what `figures` returned: same run, next sequence number, same memories."""
        self._thread.submit(self._restore, figures).result()

    def inform(self, section: str, value: Any, *, at_once: bool = False) -> None:
        """Fill a section of all frames from the next chunk on: stability, promotion, policy; or add to `health`.

        With `at_once` the last health record is published again with what was added.
        """
        value = self.words.without_names(value)
        with self._lock:
            if section == "health":
                self._extra = self._extra | dict(value)
            elif section in OUTSIDE:
                self._outside[section] = dumps(value)
            else:
                raise ValueError(f"section {section!r} is not filled from outside; use health, {', '.join(OUTSIDE)}.")
        if at_once and not self._is_closed:
            self._thread.submit(self._repeat_health)

    def look_into(self, inspect: Inspect) -> None:
        """Fill the section `policy` of a town's frames by what a learner weighed at the end of each chunk."""
        self._inspect = inspect

    def tell(self, event: str, *, tick: int, town: int | None = None, **said: Any) -> None:
        """Publish an event of the catalogue that does not come from a tick; `town=None` means all watched towns."""
        with self._lock:
            towns = self._towns if town is None else (town,)
            self._told += [{"event": event, "tick": tick, "town": index, **said} for index in towns]

    def demand_whole(self) -> None:
        """Make the next frame of every town a whole one."""
        for town in self._towns.values():
            town.stream.demand_whole()

    @property
    def watched(self) -> tuple[int, ...]:
        """Return the towns of which there are frames."""
        return tuple(self._towns)

    def latest(self, town: int) -> dict[str, Any] | None:
        """Return the last frame of a watched town as a whole one; None before the first. Waits for what was heard."""
        found = self.last_frame(town)
        return None if found is None else found[1]

    def last_frame(self, town: int) -> tuple[int, dict[str, Any]] | None:
        """Return the last frame of a watched town as a whole one, with its tick; None before the first."""

        def look() -> tuple[int, str] | None:
            text = self._towns[town].stream.latest()
            return None if text is None else (self._framed[town], text)

        found = self._thread.submit(look).result()
        return None if found is None else (found[0], json.loads(f"{{{found[1]}}}"))

    def join(self, greet: Callable[[list[bytes]], None]) -> None:
        """Call `greet` with what somebody must know who looks on from the next record on, before that record.

        That is the `run` record and the last frame of every watched town, as a whole one.
        """

        def welcome() -> None:
            self._begin(self._last_tick, self._plan.towns)
            assert self._run_record is not None, "it is the first record"
            records = [self._run_record]
            for town, tick in sorted(self._framed.items()):
                text = self._towns[town].stream.latest()
                records.append(self._record("snapshot", tick, f'"town":{town},{text}', self._sequence - 1))
            greet(records)

        self._thread.submit(welcome).result()

    def refresh(self, town: int, state: TownState) -> None:
        """Publish a frame of a watched town as an operator left it, at the tick of its last frame; none before it."""

        def again() -> None:
            body = self._towns[town].again(state, self._shown[town])
            if body is not None:
                self._emit([(town, body)])

        if town in self._towns and not self._is_closed:
            self._thread.submit(again)

    def announces(self, edited: Edited) -> bool:
        """Say whether a story would be told in its town; if so, count on it."""
        assert edited.town is not None, "a story is told in one town"
        town = edited.town

        def foresee() -> bool:
            narrator = self._towns[town].narrator
            forecast = Limiter(self._section.narration)
            forecast.restore(narrator.limiter.figures())
            told = [forecast.admit(_announcement(self.words, one)) for one in self._announced if one.town == town]
            told.append(forecast.admit(_announcement(self.words, edited)))
            if told[-1]:
                self._announced.append(edited)
            return told[-1]

        return self._thread.submit(foresee).result()

    def health(self) -> dict[str, Any]:
        """Return the last health record's fields as they are now."""
        return {
            "channels": self._statuses(),
            "faults": bulletins.faults(self._faults.values()),
            "records": self._sequence,
            "skipped_chunks": self._counters["skipped_chunks"],
            "extra": dict(self._extra),
        }

    def counters(self) -> dict[str, int]:
        """Return how many records and events there were, by name."""
        return self._thread.submit(lambda: dict(self._counters)).result()

    def histories(self, town: int) -> dict[str, Any]:
        """Return the histories of a watched town, newest entry last. Waits for what was heard."""
        return self._thread.submit(self._towns[town].histories.figures).result()

    def statuses(self) -> list[Status]:
        """Return how the channels are doing."""
        return [channel.status() for channel in self._channels]

    def _make_room(self) -> bool:
        """Skip the oldest chunk that waits, so that there is room for a new one; False if the new one must go."""
        if self._section.buffer.backpressure == "drop_newest":
            return False
        while self._pending:
            if self._pending.popleft().cancel():
                return self._room.acquire(blocking=False)
        return False

    def _skip(self) -> None:
        with self._lock:
            self._skipped += 1
            self._counters["skipped_chunks"] += 1

    def _done(self, future: "Future[None]") -> None:
        """Note how a chunk ended; runs where it ended."""
        if future.cancelled():
            self._skip()
        elif (error := future.exception()) is not None:
            _log.error("A chunk could not be published; the next frames are whole ones.", exc_info=error)
            self._counters["failures"] += 1
            self.demand_whole()
        else:
            with self._lock:
                if self._pending and self._pending[0] is future:
                    self._pending.popleft()
        self._room.release()

    def _publish(self, stretch: Stretch) -> None:
        began = time.perf_counter()
        self._begin(stretch.first_tick - 1, stretch.num_towns)
        with self._lock:
            told = [event for event in self._told if event["tick"] <= stretch.last_tick]
            self._told = [event for event in self._told if event["tick"] > stretch.last_tick]
            self._sequence, self._skipped = self._sequence + self._skipped, 0
            outside = dict(self._outside)
        outside |= {"transport": dumps(self._statuses()), "health": dumps(self._town_health(stretch))}
        gaps = [channel.take_gap() for channel in self._channels]  # every one is asked
        if any(gaps):
            self.demand_whole()
        bodies: list[tuple[int, Body]] = []
        every = self._every_now(stretch)
        self._announced = [story for story in self._announced if story.tick > stretch.last_tick]
        for index, town in self._towns.items():
            if index in stretch.watched:
                town.every_ticks = every
                lived = fetch(index, stretch.first_tick, stretch.watched[index])
                here = [event for event in told if event["town"] == index]
                edits = [edit for edit in stretch.edits if edit.town in (None, index)]
                weighed = self._inspect(stretch.watched[index])
                self._shown[index] = outside | {"policy": dumps(weighed)} if weighed else outside
                some, events = town.hear(lived, edits, here, self._shown[index])
                bodies += [(index, body) for body in some]
                self._count(lived, events)
        self._emit(bodies)
        self._ticks += stretch.last_tick - stretch.first_tick + 1
        self._last_tick = stretch.last_tick
        if stretch.totals is not None:
            fields = measures.of_all(self.words, stretch.totals, stretch.series, stretch.standing)
            ticks = {"first_tick": stretch.first_tick, "last_tick": stretch.last_tick}
            self._put("measures", stretch.last_tick, dumps(ticks | fields)[1:-1])
        health = self._health(stretch) | {"publish_ms": bulletins.real(1e3 * (time.perf_counter() - began))}
        self._last_health = health
        self._put("health", stretch.last_tick, dumps(health)[1:-1])

    def _every_now(self, stretch: Stretch) -> int:
        """Return the ticks from frame to frame: as configured, or as an eye can follow where somebody may look on."""
        ticks = stretch.last_tick - stretch.first_tick + 1
        if not self._is_live:
            return self._every
        if ticks == 1:
            return 1
        wanted = ticks / max(stretch.seconds, 1e-6) / MOST_FRAMES
        return next((every for every in SPACINGS if every >= wanted), SPACINGS[-1])

    def _repeat_health(self) -> None:
        if self._last_health:
            health = self._last_health | {"extra": self._extra}
            self._put("health", self._last_tick, dumps(health)[1:-1])

    def _emit(self, bodies: list[tuple[int, Body]]) -> None:
        for town, body in sorted(bodies, key=lambda entry: (entry[1].tick, entry[0])):
            self._framed[town] = body.tick
            self._put(body.kind, body.tick, f'"town":{town},{body.text}')

    def _count(self, lived: Lived, events: list[list[dict[str, Any]]]) -> None:
        self._counters.update(f"events.{event['event']}" for happened in events for event in happened)
        self._faults[lived.town] = int(np.asarray(lived.states.faults)[-1])

    def _put(self, kind: str, tick: int, fields: str) -> None:
        """Hand one record to all channels."""
        item = Item(tick=tick, kind=kind, data=self._record(kind, tick, fields, self._sequence))
        self._sequence += 1
        self._counters[f"records.{kind}"] += 1
        if kind == "run":
            self._run_record = item.data
        for channel in self._channels:
            channel.put(item)

    def _record(self, kind: str, tick: int, fields: str, sequence: int) -> bytes:
        head = f'"schema_version":"{VERSION}","payload_type":"{kind}","run_id":{quote(self.run_id)}'
        return f'{{{head},"sequence":{sequence},"tick":{tick},{fields}}}'.encode()

    def _begin(self, tick: int, towns: int) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        fields = bulletins.run_fields(
            self.words, self._built, self._plan, self._section, towns=towns, watched=list(self._towns)
        )
        more = {"every_ticks": self._every, "resumed": self._is_resumed}
        self._put("run", tick, dumps(fields | more)[1:-1])

    def _end(self, why: str) -> None:
        self._begin(self._last_tick, self._plan.towns)
        with self._lock:
            self._sequence, self._skipped = self._sequence + self._skipped, 0
        self._emit([(index, body) for index, town in self._towns.items() for body in town.finish(self._shown[index])])
        counters = dict(sorted(self._counters.items()))
        self._put("end", self._last_tick, dumps({"why": why, "ticks": self._ticks, "counters": counters})[1:-1])

    def _figures(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "sequence": self._sequence,
            "ticks": self._ticks,
            "counters": dict(self._counters),
            "towns": {str(index): town.figures() for index, town in self._towns.items()},
        }

    def _restore(self, figures: Mapping[str, Any]) -> None:
        if not self._has_begun:  # else the run goes back in time, and its records go on
            self.run_id = figures["run_id"]
            self._sequence, self._ticks = figures["sequence"], figures["ticks"]
            self._counters = Counter(figures["counters"])
        self._is_resumed, self._has_begun = True, False
        self._announced = []
        for index, town in self._towns.items():
            if str(index) in figures["towns"]:
                town.restore(figures["towns"][str(index)])

    def _statuses(self) -> list[dict[str, Any]]:
        return [dataclasses.asdict(status) for status in self.statuses()]

    def _town_health(self, stretch: Stretch) -> dict[str, Any]:
        return bulletins.speed(stretch) | {"failures": self._counters["failures"], "queue": self._waiting()}

    def _waiting(self) -> int:
        return sum(not future.done() for future in list(self._pending))

    def _health(self, stretch: Stretch) -> dict[str, Any]:
        return {
            "seconds": bulletins.real(stretch.seconds),
            **bulletins.speed(stretch),
            "faults": bulletins.faults(self._faults.values()),
            "channels": self._statuses(),
            "queue": self._waiting(),
            "records": self._sequence,
            "skipped_chunks": self._counters["skipped_chunks"],
            "failures": self._counters["failures"],
            "extra": self._extra,
        }


def _announcement(words: Words, edited: Edited) -> dict[str, Any]:
    """Return an operator's story as the limiter judges it."""
    told = story(words, edited)
    assert told is not None, "only stories are announced"
    return {"tick": edited.tick, **told}
