"""What waits to be sent: bounded in bytes and records. Owns the rules of what happens when there is no more room.

drop_oldest and drop_newest never wait. block waits for room as long as the sink takes something every half second, then
drops the oldest: a slow sink loses nothing (ECOSYSTEM R11). fan_out goes at the pace of the sink (MECHANICS 11.2): the
caller waits while the overflow is sent. Neither waits for a dead one.
"""

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from townlet_jax.telemetry.sinks.contracts import Item

if TYPE_CHECKING:
    from townlet_jax.config.schema.shell import Buffer

WAITS = {"drop_oldest": 0.0, "drop_newest": 0.0, "block": 0.5, "fan_out": 10.0}  # seconds without progress; see above
STALE_SECONDS = 5.0  # after which records are due although the town stands still


class Backlog:
    """A queue between one thread that puts and one that takes."""

    def __init__(self, limits: "Buffer") -> None:
        self._limits = limits
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._bytes = 0
        self._since = 0.0  # when the oldest came
        self._dropped = 0
        self._peak = 0
        self._has_gap = False
        self._is_closed = False
        self._is_moving = True  # whether it is worth waiting for room
        self._is_pressed = False  # somebody waits for room
        self._taken = 0  # batches

    @property
    def dropped(self) -> int:
        """Return how many records were lost here."""
        return self._dropped

    @property
    def peak(self) -> int:
        """Return the most bytes that ever waited."""
        return self._peak

    @property
    def size(self) -> int:
        """Return how many bytes wait."""
        return self._bytes

    def put(self, item: Item) -> None:
        """Add a record, making room as the limits say."""
        size = len(item.data)
        with self._lock:
            if not self._is_closed and not self._fits(size):
                self._make_room(size)
            if self._is_closed or not self._fits(size):
                self._lose(1)
                return
            if not self._items:
                self._since = time.monotonic()
            self._items.append(item)
            self._bytes += size
            self._peak = max(self._peak, self._bytes)
            if len(self._items) == 1 or self._is_due():
                self._filled.notify()

    def lose(self, count: int) -> None:
        """Count records that were lost elsewhere."""
        with self._lock:
            self._lose(count)

    def take(self) -> list[Item]:
        """Wait for a batch that is due and remove it; an empty one means that all is sent and nothing more comes."""
        with self._lock:
            while not self._is_due() and not self._is_closed:
                self._filled.wait(STALE_SECONDS if self._items else None)
            batch = [self._items.popleft() for _ in range(min(len(self._items), self._limits.max_batch))]
            self._bytes -= sum(len(item.data) for item in batch)
            self._since = time.monotonic()
            self._is_pressed = False
            self._taken += 1
            self._room.notify_all()
            return batch

    def take_gap(self) -> bool:
        """Say, once, that records were lost since the last question."""
        if not self._has_gap:
            return False
        with self._lock:
            self._has_gap = False
        return True

    def set_moving(self, is_moving: bool) -> None:
        """Say whether the sink takes anything, so that waiting for it makes sense."""
        with self._lock:
            self._is_moving = is_moving
            self._room.notify_all()

    def close(self) -> None:
        """Take no more records; what waits is due."""
        with self._lock:
            self._is_closed = True
            self._filled.notify_all()
            self._room.notify_all()

    def clear(self) -> None:
        """Lose everything that waits."""
        with self._lock:
            self._lose(len(self._items))
            self._items.clear()
            self._bytes = 0

    def _fits(self, size: int) -> bool:
        limits = self._limits
        return self._bytes + size <= limits.max_bytes and len(self._items) < limits.max_records

    def _make_room(self, size: int) -> None:
        policy = self._limits.backpressure
        if policy == "drop_newest":
            return
        if WAITS[policy] and self._is_moving:
            self._wait_for_room(size, WAITS[policy])
        while self._items and not self._fits(size):
            self._bytes -= len(self._items.popleft().data)
            self._lose(1)

    def _wait_for_room(self, size: int, seconds: float) -> None:
        """Wait until a record fits, for so long after each batch that the sink took."""
        seen = None
        while seen != self._taken and not self._fits(size) and self._is_moving and not self._is_closed:
            seen = self._taken
            self._is_pressed = True
            self._filled.notify()
            self._room.wait(seconds)  # woken by a batch, the end, or the news that the sink is down

    def _lose(self, count: int) -> None:
        self._dropped += count
        self._has_gap = self._has_gap or count > 0

    def _is_due(self) -> bool:
        """Say whether a batch may go: enough ticks, enough records, half the room used, or waited too long."""
        if not self._items:
            return False
        limits, items = self._limits, self._items
        return (
            self._is_pressed
            or items[-1].tick - items[0].tick + 1 >= limits.flush_interval_ticks
            or len(items) >= min(limits.max_batch, limits.max_records)
            or 2 * self._bytes >= limits.max_bytes
            or time.monotonic() - self._since >= STALE_SECONDS
        )
