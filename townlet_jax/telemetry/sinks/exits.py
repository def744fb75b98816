"""Ending well: channels that are flushed however a block ends, an exception or SIGTERM included."""

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from townlet_jax.telemetry.sinks.channel import CLOSING_SECONDS, Channel

GRACE_SECONDS = 0.2  # for counting what was left when the time was over


@contextmanager
def flushed(channels: Sequence[Channel], timeout: float = CLOSING_SECONDS) -> Iterator[None]:
    """Close all channels at the end of the block, within `timeout` seconds together.

    On the main thread, and where nobody handles SIGTERM, it ends the block like Ctrl-C does, with exit code 143.
    """
    is_ours = threading.current_thread() is threading.main_thread() and _is_unhandled()
    if is_ours:
        signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        close_all(channels, timeout)
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def close_all(channels: Sequence[Channel], timeout: float = CLOSING_SECONDS) -> None:
    """Flush and close channels side by side, within `timeout` seconds together."""
    until = time.monotonic() + timeout
    closers = [threading.Thread(target=channel.close, args=(timeout,), daemon=True) for channel in channels]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join(max(0.0, until - time.monotonic()) + GRACE_SECONDS)


def _is_unhandled() -> bool:
    return signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)
