"""Where telemetry records go to whoever looks on: a channel of the publisher with any number of readers.

A reader that is too slow loses its oldest records; the next frames are whole ones then. Nobody waits for a reader.
"""

import threading
from collections import deque
from collections.abc import Callable

from townlet_jax.telemetry.sinks.contracts import Item, Status

MOST_BYTES = 8 * 2**20  # that wait for one reader
NAME = "console"


class Reader:
    """What waits for one onlooker. `wake` is called, on any thread, when there is something new."""

    def __init__(self, wake: Callable[[], None], *, most_bytes: int = MOST_BYTES) -> None:
        self._wake, self._most = wake, most_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self.dropped = 0

    def offer(self, records: list[bytes]) -> int:
        """Take records, and drop the oldest that wait if there is no room; return how many were dropped."""
        lost = 0
        with self._lock:
            for record in records:
                self._waiting.append(record)
                self._bytes += len(record)
            while self._bytes > self._most and len(self._waiting) > 1:
                self._bytes -= len(self._waiting.popleft())
                lost += 1
            self.dropped += lost
        self._wake()
        return lost

    def take(self) -> bytes | None:
        """Return the oldest record, None if there is none."""
        with self._lock:
            if not self._waiting:
                return None
            record = self._waiting.popleft()
            self._bytes -= len(record)
            return record

    @property
    def size(self) -> int:
        """Return the bytes that wait."""
        return self._bytes


class Hub:
    """A channel that hands each record to all readers."""

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self._lock = threading.Lock()
        self._sent = self._bytes = self._dropped = self._peak = 0
        self._has_gap = False
        self._last_tick: int | None = None

    def put(self, item: Item) -> None:
        """Hand a record to everybody who reads."""
        with self._lock:
            readers = list(self._readers)
        for reader in readers:
            lost = reader.offer([item.data])
            self._dropped += lost
            self._has_gap = self._has_gap or lost > 0
            self._peak = max(self._peak, reader.size)
            self._sent, self._bytes = self._sent + 1, self._bytes + len(item.data)
            self._last_tick = item.tick

    def add(self, reader: Reader) -> None:
        """Hand records to somebody from the next one on."""
        with self._lock:
            self._readers.append(reader)

    def remove(self, reader: Reader) -> None:
        """Forget a reader."""
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)

    def status(self) -> Status:
        """Return how it is doing; counters are of records and readers together."""
        with self._lock:
            waiting = sum(reader.size for reader in self._readers)
            number = len(self._readers)
        return Status(
            name=NAME, connected=number > 0, sent=self._sent, dropped=self._dropped, bytes=self._bytes, queue=waiting,
            peak=self._peak, retries=0, restarts=0, last_error=None, last_success_tick=self._last_tick,
        )  # fmt: skip

    def take_gap(self) -> bool:
        """Say once that a reader lost records."""
        had, self._has_gap = self._has_gap, False
        return had

    def close(self) -> None:
        """Do nothing: readers take what waits for them."""
