"""A sink with a backlog and a thread of its own, so that nothing about it reaches the simulation.

A sink that fails is closed and opened anew, with pauses that double from the configured one up to half a minute.
Nothing is lost by that, unless the backlog runs over: a batch is held until it has arrived. Where opening works but
writing does not, even after the configured tries, records go one by one, and one that fails then is dropped alone.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from townlet_jax.telemetry.sinks.backlog import Backlog
from townlet_jax.telemetry.sinks.contracts import Item, Sink, SinkError, Status
from townlet_jax.telemetry.sinks.sentences import reason

if TYPE_CHECKING:
    from townlet_jax.config.schema.shell import Buffer

LONGEST_PAUSE = 30.0  # seconds between two tries
CLOSING_SECONDS = 10.0  # for the flush at the end


class Channel:
    """Hands records to one sink, which is open; or else `trouble` is what it said when it was opened."""

    def __init__(self, sink: Sink, limits: "Buffer", *, trouble: SinkError | None = None) -> None:
        self._sink = sink
        self._limits = limits
        self._backlog = Backlog(limits)
        self._is_open = trouble is None
        self._was_open = self._is_open
        self._is_lasting = trouble is not None and trouble.lasting
        self._last_error = None if trouble is None else str(trouble)
        self._tries = int(trouble is not None)  # that failed since the last success
        self._sent = self._bytes = self._retries = self._restarts = 0
        self._last_success_tick: int | None = None
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._backlog.set_moving(not self._is_down())
        self._thread = threading.Thread(target=self._work, name=f"telemetry {sink.name}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, item: Item) -> None:
        """Take a record; never raises, and waits only under block and fan_out."""
        if len(item.data) > self._limits.max_bytes:
            self._refuse(f"a {item.kind} record of {len(item.data)} bytes is larger than telemetry.buffer.max_bytes")
        elif b"\n" in item.data:
            self._refuse(f"a {item.kind} record holds a newline")
        else:
            self._backlog.put(item)

    def status(self) -> Status:
        """Return how it is doing."""
        return Status(
            name=self._sink.name,
            connected=self._is_open,
            sent=self._sent,
            dropped=self._backlog.dropped,
            bytes=self._bytes,
            queue=self._backlog.size,
            peak=self._backlog.peak,
            retries=self._retries,
            restarts=self._restarts,
            last_error=self._last_error,
            last_success_tick=self._last_success_tick,
        )

    def take_gap(self) -> bool:
        """Say, once, that records were dropped since the last question: the next frame should be a whole one."""
        return self._backlog.take_gap()

    def close(self, timeout: float = CLOSING_SECONDS) -> None:
        """Send what waits, close the sink and return, after `timeout` seconds at most; what is left then is dropped."""
        if not self._closing.is_set():
            self._deadline = time.monotonic() + timeout
            self._closing.set()
            self._backlog.close()
            atexit.unregister(self.close)
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._backlog.clear()

    def _refuse(self, why: str) -> None:
        self._last_error = f"{self._sink.name}: {why}, so it was dropped."
        self._backlog.lose(1)

    def _work(self) -> None:
        """Send batches until the end; the life of the thread."""
        while batch := self._backlog.take():
            left = self._deliver(deque(batch))
            if left:
                self._backlog.lose(left)
                self._backlog.clear()
        if self._is_open:
            self._attempt(self._sink.close)
            self._is_open = False

    def _deliver(self, pending: deque[Item]) -> int:
        """Send a batch, record by record where that is needed; return how many are left when there is no more time."""
        failures, is_careful = 0, False
        while pending:
            if not self._is_ready():
                return len(pending)
            part = [pending[0]] if is_careful else list(pending)
            trouble = self._attempt(partial(self._sink.write, part))
            if trouble is None:
                self._note_sent(part)
                failures = 0
            elif not trouble.refused:
                failures += 1
                self._shut()
            is_hopeless = trouble is not None and (trouble.refused or failures > self._limits.retry_attempts)
            if trouble is None or (is_hopeless and is_careful) or (is_hopeless and len(part) == 1):
                for _ in part:
                    pending.popleft()
                self._backlog.lose(0 if trouble is None else len(part))
            is_careful = is_careful or is_hopeless
        return 0

    def _is_ready(self) -> bool:
        """Open the sink, however often that takes; say False if the end is near and it does not open."""
        while not self._is_open:
            if self._tries and not self._pause():
                return False
            if self._attempt(self._sink.open) is not None:
                self._shut()
                continue
            self._is_open = True
            self._restarts += self._was_open
            self._was_open = True
        return True

    def _pause(self) -> bool:
        """Wait before the next try; say False if there is no time for one."""
        pause = min(LONGEST_PAUSE, self._limits.retry_backoff_seconds * 2.0 ** min(self._tries - 1, 30))
        if self._closing.is_set() and (self._is_down() or time.monotonic() + pause > self._deadline):
            return False
        self._retries += 1
        if self._closing.is_set():
            time.sleep(pause)
        else:
            self._closing.wait(LONGEST_PAUSE if self._is_lasting else pause)
        return True

    def _is_down(self) -> bool:
        return self._is_lasting or self._tries > self._limits.retry_attempts

    def _attempt(self, act: Callable[[], None]) -> SinkError | None:
        """Let the sink do something and return what was wrong."""
        with _Trouble(self._sink.name) as trouble:
            act()
        if trouble.error is not None:
            self._last_error = str(trouble.error)
            self._tries += not trouble.error.refused
            self._is_lasting = trouble.error.lasting
            self._backlog.set_moving(not self._is_down())
        return trouble.error

    def _note_sent(self, part: list[Item]) -> None:
        self._sent += len(part)
        self._bytes += sum(len(item.data) for item in part)
        self._last_success_tick = part[-1].tick
        if self._tries:
            self._tries, self._is_lasting = 0, False
            self._backlog.set_moving(True)

    def _shut(self) -> None:
        """Close a sink that failed; what it says about that adds nothing."""
        with _Trouble(self._sink.name):
            self._sink.close()
        self._is_open = False


class _Trouble:
    """Holds whatever a sink raised: one that breaks is opened anew, and its thread goes on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.error: SinkError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, SinkError):
            self.error = error
        elif isinstance(error, Exception):
            self.error = SinkError(f"{self._name} broke ({type(error).__name__}: {reason(error)}); it is started anew.")
        return self.error is not None
