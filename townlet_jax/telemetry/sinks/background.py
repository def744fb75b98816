"""An asyncio loop in a thread of its own, for connections that are read and written at the same time.

Before CPython 3.13 two threads must not use one TLS socket together; a loop does it all in one thread.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Background:
    """Runs coroutines for other threads, from its making to `close`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._accepting = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, Answer], seconds: float | None = None) -> Answer:
        """Run a coroutine to its end and return its result.

        Raises what it raises, `TimeoutError` after `seconds`, `CancelledError` when `close` comes first, and
        `RuntimeError` when that came before. Not for the loop's own thread.
        """
        running = self.start(work)
        try:
            return running.result(seconds)
        except TimeoutError:
            running.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Begin to run a coroutine, until `close` at most; raises `RuntimeError` after that."""
        with self._accepting:
            if not self._is_closed:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise RuntimeError("the loop has ended")

    def close(self) -> None:
        """Cancel what still runs and end the thread; does not wait for it when called from that thread."""
        with self._accepting:
            if not self._is_closed:
                self._is_closed = True
                self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(_cancelled())
        self._loop.close()


async def _cancelled() -> None:
    """Cancel every other task and wait until all have ended."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # transports that were closed say so in the next round
