"""The terminal itself: raw keys, size, signals; whatever happens, it is put back as it was.

Signals only leave a note and wake the loop. A terminal that is gone, or takes nothing for a second, raises nothing
into the dashboard: the loop asks `ending` and `is_stuck`.
"""

import os
import select
import signal
import sys
import termios
import time
import tty
from types import FrameType, TracebackType
from typing import Self, TextIO

from rich.color import ColorSystem
from rich.console import Console

from townlet_jax.ui.dashboard.keys import Keys

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J"  # second screen, no cursor, no wrapping
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
PIECE = 4096  # bytes at once
PATIENCE = 1.0  # seconds that a terminal may take nothing
ESCAPE_SECONDS = 0.05  # after which a lone ESC is the Escape key
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HEARD = (*ENDINGS, signal.SIGTSTP, signal.SIGWINCH)
SYSTEMS = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}


class TerminalError(Exception):
    """There is no terminal to draw on; the text is one sentence."""


class Terminal:
    """A terminal in the hands of the dashboard, between `with` and its end."""

    def __init__(self, source: TextIO = sys.stdin, target: TextIO = sys.stdout) -> None:
        if not (source.isatty() and target.isatty()):
            raise TerminalError(
                "The dashboard needs a terminal for keys and picture; run it in one, or use 'townlet telemetry watch', "
                "or --picture FILE.svg for a still."
            )
        self._in, self._shown = source.fileno(), target.fileno()
        self._out = self._shown
        self._keys = Keys()
        self.ending = 0  # the signal that wants the end, 0 while there is none
        self.is_gone = False
        self.is_resized = True
        self._is_halted = False
        self.colours = SYSTEMS.get(Console(file=target).color_system or "")
        self.has_unicode = (target.encoding or "").lower().replace("-", "") == "utf8"

    def __enter__(self) -> Self:
        """Take the terminal over."""
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        self._old_wake = signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)
        self._old = {number: signal.signal(number, self._note) for number in HEARD}
        self._modes = termios.tcgetattr(self._in)
        self._out = _patient(self._shown)
        self._take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Put everything back."""
        self._give()
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wake)
        for descriptor in {self._wake_out, self._wake_in, self._out} - {self._shown}:
            os.close(descriptor)
        self._out = self._shown

    def _take(self) -> None:
        try:
            tty.setcbreak(self._in)
            modes = termios.tcgetattr(self._in)
            modes[0] &= ~termios.IXON  # Ctrl-S would stop the picture
            termios.tcsetattr(self._in, termios.TCSANOW, modes)
        except (termios.error, OSError):
            self.is_gone = True
        self.write(ENTER)
        self.is_resized = True

    def _give(self) -> None:
        self.write(LEAVE)
        try:
            termios.tcsetattr(self._in, termios.TCSANOW, self._modes)  # to wait for what is sent may last for ever
        except (termios.error, OSError):
            self.is_gone = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGWINCH:
            self.is_resized = True
        elif number == signal.SIGTSTP:
            self._is_halted = True
        else:
            self.ending = number
            self.is_gone = self.is_gone or number == signal.SIGHUP

    def size(self) -> tuple[int, int]:
        """Return columns and rows."""
        try:
            width, height = os.get_terminal_size(self._out)
        except OSError:
            return 80, 24
        return (width, height) if width and height else (80, 24)

    def write(self, text: str) -> bool:
        """Send text; False if not all of it was taken: then what is on the terminal is not known."""
        data = memoryview(text.encode("utf-8", "replace"))
        until = time.monotonic() + PATIENCE
        while data and not self.is_gone:
            try:
                _, ready, _ = select.select([], [self._out], [], max(0.0, until - time.monotonic()))
                if not ready:
                    return False
                data = data[os.write(self._out, data[:PIECE]) :]
            except BlockingIOError:
                time.sleep(0.01)
            except (OSError, ValueError):
                self.is_gone = True
        return not data

    def wait(self, seconds: float) -> list[str]:
        """Return the keys that were pressed; waits for the first one, a signal, or so long."""
        if self._is_halted:
            self._halt()
        if self._keys.is_open:
            seconds = min(seconds, ESCAPE_SECONDS)
        try:
            ready, _, _ = select.select([self._in, self._wake_out], [], [], max(0.0, seconds))
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
            if self._in not in ready:
                return self._keys.flush() if self._keys.is_open else []
            data = os.read(self._in, 4096)
        except BlockingIOError:
            return []
        except (OSError, ValueError):
            data = b""
        if not data:
            self.is_gone = True
            return []
        return self._keys.feed(data)

    def _halt(self) -> None:
        """Stop as Ctrl-Z wants it, and go on afterwards."""
        self._is_halted = False
        self._give()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note)
        self._take()


def _patient(descriptor: int) -> int:
    """Return a way to the same terminal that never blocks, without changing the one that others use too."""
    try:
        return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return descriptor
