"""What takes its time when the dashboard begins, each on a thread: to connect, and to start a session of one's own."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from townlet_jax.ui.dashboard.source import SourceError

if TYPE_CHECKING:
    from townlet_jax.console.client import Link


class Attempt:
    """One attempt to connect, on a thread of its own."""

    def __init__(self, connect: Callable[[], "Link"]) -> None:
        self._connect = connect
        self._link: Link | None = None
        self._error: SourceError | None = None
        self._is_unwanted = False
        self._done = threading.Event()
        threading.Thread(target=self._run, name="connect", daemon=True).start()

    @property
    def is_done(self) -> bool:
        """Tell whether it came to an end."""
        return self._done.is_set()

    def link(self) -> "Link":
        """Return the connection; raises `SourceError`."""
        if self._error is not None or self._link is None:
            raise self._error or SourceError("There is no connection.")
        return self._link

    def abandon(self) -> None:
        """Let go of a connection that comes too late."""
        self._is_unwanted = True
        if self._link is not None:
            self._link.close()

    def _run(self) -> None:
        from townlet_jax.console.client import LinkError

        try:
            self._link = self._connect()
            if self._is_unwanted:
                self._link.close()
        except LinkError as error:
            self._error = SourceError(str(error))
        except SourceError as error:
            self._error = error
        finally:
            self._done.set()


class Own:
    """A session of one's own: kept on a thread between its start and `close`."""

    def __init__(self, start: Callable[[], AbstractContextManager[str]], refused: tuple[type[Exception], ...]) -> None:
        self._start, self._refused = start, refused
        self._address = ""
        self._error: str | None = None
        self._ready, self._leave = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="own session", daemon=True)
        self._thread.start()

    def address(self) -> str:
        """Wait for the session and return where it is reached; raises `SourceError` with why it cannot be had."""
        self._ready.wait()
        if self._error is not None:
            raise SourceError(self._error)
        return self._address

    def close(self, timeout: float) -> bool:
        """End the session; False if it did not end in time."""
        self._leave.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with self._start() as self._address:
                self._ready.set()
                self._leave.wait()
        except self._refused as error:
            self._error = str(error)
        finally:
            if not self._address and self._error is None:
                self._error = "The session could not be started."
            self._ready.set()
