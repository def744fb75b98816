"""Being asked to stop: SIGTERM and Ctrl-C. Owns both signals while it is in force.

The first one is a request, looked at once a chunk: save, wait, exit with its code. The second one ends the process at
once, whatever the main thread is doing, a long compilation included: a thread hears of signals through a socket that
python's C handler writes to, which needs neither the interpreter's attention nor a quiet moment.
"""

import os
import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GOODBYE = b"Ended at once by a second signal; what was not saved is lost.\n"


class StopRequest:
    """Use it in a `with` on the main thread; `is_made` says that somebody asked, `exit_code` with what to leave.

    The codes are those of a shell: 143 for SIGTERM, 130 for Ctrl-C.
    """

    def __init__(self) -> None:
        self._first = 0  # the signal that asked

    @property
    def is_made(self) -> bool:
        """Say whether somebody asked to stop."""
        return self._first != 0

    @property
    def exit_code(self) -> int:
        """Return the exit code for what was asked, 0 if nothing was."""
        return 128 + self._first if self._first else 0

    def __enter__(self) -> Self:
        self._ours, theirs = socket.socketpair()
        self._theirs = theirs
        theirs.setblocking(False)
        self._before = {number: signal.signal(number, _heard_elsewhere) for number in SIGNALS}
        self._wakeup_before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._listener = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._theirs.close()  # the listener hears that and ends
        self._listener.join()
        self._ours.close()

    def _listen(self) -> None:
        """Take note of the first signal and obey the second."""
        while received := self._ours.recv(64):
            for number in received:
                if number not in SIGNALS:
                    continue
                if self._first:
                    os.write(2, GOODBYE)
                    os._exit(128 + number)
                self._first = number


def _heard_elsewhere(number: int, frame: FrameType | None) -> None:
    """Do nothing in the interpreter; the listener has the signal already."""
    del number, frame
