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
from townlet_jax.run import Plan
from townlet_jax.stretch import Stretch
from townlet_jax.telemetry import bulletins, measures
from townlet_jax.telemetry.frames import Body, Town
from townlet_jax.telemetry.lived import Lived, fetch
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.schema import VERSION
from townlet_jax.telemetry.sinks import Item, Status, open_channels
from townlet_jax.telemetry.stream import EMPTY
from townlet_jax.telemetry.text import dumps, quote

EVERY_TICKS = 20  # ticks from frame to frame, unless somebody says otherwise
MOST_WAITING = 4  # chunks
OUTSIDE = ("stability", "promotion", "policy")  # sections that others fill
_log = logging.getLogger(__name__)


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
    """Publishes what a session tells it."""

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
        self._shown: Mapping[str, str] = self._outside  # what the last frames had of it
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
        self._channels = open_channels(section, extra_sinks, say=say) if channels is None else list(channels)
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

    def inform(self, section: str, value: Any) -> None:
        """Fill a section of all frames from the next chunk on: stability, promotion, policy; or add to `health`."""
        value = self.words.without_names(value)
        with self._lock:
            if section == "health":
                self._extra = dict(value)
            elif section in OUTSIDE:
                self._outside[section] = dumps(value)
            else:
                raise ValueError(f"section {section!r} is not filled from outside; use health, {', '.join(OUTSIDE)}.")

    def tell(self, event: str, *, tick: int, town: int | None = None, **said: Any) -> None:
        """Publish an event of the catalogue that does not come from a tick; `town=None` means all watched towns."""
        with self._lock:
            towns = self._towns if town is None else (town,)
            self._told += [{"event": event, "tick": tick, "town": index, **said} for index in towns]

    def demand_whole(self) -> None:
        """Make the next frame of every town a whole one."""
        for town in self._towns.values():
            town.stream.demand_whole()

    def latest(self, town: int) -> dict[str, Any] | None:
        """Return the last frame of a watched town as a whole one; None before the first. Waits for what was heard."""
        text = self._thread.submit(self._towns[town].stream.latest).result()
        return None if text is None else json.loads(f"{{{text}}}")

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
        self._shown = outside
        gaps = [channel.take_gap() for channel in self._channels]  # every one is asked
        if any(gaps):
            self.demand_whole()
        bodies: list[tuple[int, Body]] = []
        for index, town in self._towns.items():
            if index in stretch.watched:
                lived = fetch(index, stretch.first_tick, stretch.watched[index])
                here = [event for event in told if event["town"] == index]
                some, events = town.hear(lived, stretch.edits, here, outside)
                bodies += [(index, body) for body in some]
                self._count(lived, events)
        self._emit(bodies)
        self._ticks += stretch.last_tick - stretch.first_tick + 1
        self._last_tick = stretch.last_tick
        if stretch.totals is not None:
            fields = measures.of_all(self.words, stretch.totals, stretch.series)
            ticks = {"first_tick": stretch.first_tick, "last_tick": stretch.last_tick}
            self._put("measures", stretch.last_tick, dumps(ticks | fields)[1:-1])
        health = self._health(stretch) | {"publish_ms": bulletins.real(1e3 * (time.perf_counter() - began))}
        self._put("health", stretch.last_tick, dumps(health)[1:-1])

    def _emit(self, bodies: list[tuple[int, Body]]) -> None:
        for town, body in sorted(bodies, key=lambda entry: (entry[1].tick, entry[0])):
            self._put(body.kind, body.tick, f'"town":{town},{body.text}')

    def _count(self, lived: Lived, events: list[list[dict[str, Any]]]) -> None:
        self._counters.update(f"events.{event['event']}" for happened in events for event in happened)
        self._faults[lived.town] = int(np.asarray(lived.states.faults)[-1])

    def _put(self, kind: str, tick: int, fields: str) -> None:
        """Hand one record to all channels."""
        head = f'"schema_version":"{VERSION}","payload_type":"{kind}","run_id":{quote(self.run_id)}'
        text = f'{{{head},"sequence":{self._sequence},"tick":{tick},{fields}}}'
        self._sequence += 1
        self._counters[f"records.{kind}"] += 1
        item = Item(tick=tick, kind=kind, data=text.encode())
        for channel in self._channels:
            channel.put(item)

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
        self._emit([(index, body) for index, town in self._towns.items() for body in town.finish(self._shown)])
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
        self.run_id = figures["run_id"]
        self._sequence, self._ticks = figures["sequence"], figures["ticks"]
        self._counters = Counter(figures["counters"])
        self._is_resumed, self._has_begun = True, False
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
