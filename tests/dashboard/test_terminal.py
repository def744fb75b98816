"""The real program in a real terminal: keys, resizes, signals, a terminal that dies; it is always put back."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.dashboard import records
from townlet_jax import cli_watch
from townlet_jax.ui.dashboard.terminal import ENTER, LEAVE

PROGRAM = (  # no preexec_fn: it forks, which a process with jax in it warns of
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from townlet_jax.cli_watch import main; sys.exit(main(sys.argv[1:]))"
)
PATIENCE = 20.0  # seconds


class Terminal:
    """A program between the two ends of a pseudo-terminal."""

    def __init__(self, *arguments: str, width: int = 100, height: int = 30, **environment: str) -> None:
        self.own, theirs = pty.openpty()
        self.resize(width, height)
        self.modes = termios.tcgetattr(theirs)
        self.errors, errors = os.pipe()
        settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONIOENCODING": "utf-8"}
        self.program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=theirs, stdout=theirs, stderr=errors, start_new_session=True,
            env={**os.environ, **settings, **environment},
        )  # fmt: skip
        os.close(errors)
        self.theirs = theirs
        self.said = ""

    def resize(self, width: int, height: int) -> None:
        """Change the size; the kernel tells the program."""
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.own, keys.encode())

    def read(self, seconds: float = 0.1) -> str:
        """Return what is sent within some time."""
        found = b""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self.own], [], [], left)
            if not ready:
                break
            try:
                part = os.read(self.own, 65536)
            except OSError:
                break
            if not part:
                break
            found += part
        text = found.decode("utf-8", "replace")
        self.said += text
        return text

    def wait_for(self, word: str) -> str:
        """Read until a word comes; return everything since the call."""
        found, until = "", time.monotonic() + PATIENCE
        while word not in plain(found):
            assert time.monotonic() < until, f"{word!r} never came, but {plain(self.said)[-2000:]!r}"
            assert self.program.poll() is None, f"it ended with {self.program.returncode}: {self.error()}"
            found += self.read()
        return found

    def end(self) -> int:
        """Read on until the program ends, and return its exit code."""
        until = time.monotonic() + PATIENCE
        while self.program.poll() is None:
            assert time.monotonic() < until, "it does not end"
            self.read()
        self.read()
        return self.program.returncode

    def error(self) -> str:
        """Return what was written to stderr; the program must have ended."""
        return os.read(self.errors, 65536).decode()

    def close(self) -> None:
        """End everything."""
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        for descriptor in (self.own, self.theirs, self.errors):
            with suppress(OSError):
                os.close(descriptor)


def plain(text: str) -> str:
    """Return text without what a terminal obeys."""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\].*?\x07)", "", text)


Start = Callable[..., Terminal]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a recorded run."""
    folder = tmp_path_factory.mktemp("watched")
    return str(records.write(folder / "run.jsonl", records.life(range(700, 900, 5), every=20)))


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs in terminals and end them after the test."""
    found: list[Terminal] = []

    def begin(*arguments: str, **said: object) -> Terminal:
        found.append(Terminal(*arguments, **said))  # type: ignore[arg-type]
        return found[-1]

    yield begin
    for one in found:
        one.close()


def is_put_back(terminal: Terminal) -> bool:
    """Tell whether the terminal is as it was: modes, screen, cursor."""
    return terminal.said.endswith(LEAVE) and termios.tcgetattr(terminal.theirs) == terminal.modes


def test_a_recording_is_driven_by_keys_and_left(start: Start, path: str) -> None:
    terminal = start(path, "--at", "700")
    assert ENTER in terminal.wait_for("tick 700")
    assert not termios.tcgetattr(terminal.theirs)[3] & termios.ICANON
    terminal.press(".")
    terminal.wait_for("tick 705")
    terminal.press("\x1b[C\x1b[C")
    terminal.wait_for("tick 715")
    terminal.press("\x1b[D")
    terminal.wait_for("tick 710")
    terminal.press("2")
    terminal.wait_for("In focus: ada")
    terminal.press("]")
    terminal.wait_for("In focus: ben")
    terminal.press("?")
    terminal.wait_for("any key closes")
    terminal.press("x5f")
    terminal.wait_for("Events: people")
    terminal.press("\x1b[F")
    terminal.wait_for("ended: finished")
    terminal.press(":kill ada\r")
    terminal.wait_for("A recording takes no commands")
    terminal.press("q")
    assert terminal.end() == 0
    assert is_put_back(terminal)
    assert terminal.error() == ""


def test_a_recording_plays_by_itself_and_pauses(start: Start, path: str) -> None:
    terminal = start(path, "--speed", "10")
    terminal.wait_for("tick 740")
    terminal.press(" ")
    terminal.wait_for("‖ 10x")
    terminal.read(0.5)
    assert "tick" not in plain(terminal.read(0.5))
    terminal.press("\x1b")
    assert terminal.end() == 0


def test_resizes_draw_anew_at_any_size(start: Start, path: str) -> None:
    terminal = start(path, "--at", "700")
    terminal.wait_for("Stories")
    for width, height, word in ((200, 60, "Economy and utilities"), (30, 8, "is too small"), (80, 24, "Stories")):
        terminal.resize(width, height)
        terminal.wait_for(word)
    for count in range(40):
        terminal.resize(40 + count * 3, 10 + count)
    terminal.press("r")
    terminal.wait_for("Stories")
    terminal.press("q")
    assert (terminal.end(), terminal.error()) == (0, "")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)], ids=["TERM", "INT", "HUP"]
)
def test_a_signal_ends_it_and_the_terminal_is_put_back(start: Start, path: str, number: int, code: int) -> None:
    terminal = start(path)
    terminal.wait_for("tick 705")
    os.kill(terminal.program.pid, number)
    assert terminal.end() == code
    assert termios.tcgetattr(terminal.theirs) == terminal.modes
    assert terminal.said.endswith(LEAVE) or number == signal.SIGHUP
    assert terminal.error() == ""


def test_ctrl_c_typed_ends_it(start: Start, path: str) -> None:
    terminal = start(path)
    terminal.wait_for("tick 705")
    terminal.press("\x03")
    assert terminal.end() == 130
    assert is_put_back(terminal)


def test_a_terminal_that_dies_ends_it_without_a_word(start: Start, path: str) -> None:
    terminal = start(path)
    terminal.wait_for("tick 705")
    os.close(terminal.theirs)
    os.close(terminal.own)
    assert terminal.program.wait(PATIENCE) == 129
    assert terminal.error() == ""


def test_a_terminal_that_takes_nothing_holds_nobody_for_long(start: Start, path: str) -> None:
    terminal = start(path, "--speed", "1000", width=200, height=60)
    time.sleep(3.0)
    os.kill(terminal.program.pid, signal.SIGTERM)
    assert terminal.program.wait(PATIENCE) == 143
    assert terminal.error() == ""


def test_halted_and_continued(start: Start, path: str) -> None:
    terminal = start(path, "--at", "700")
    terminal.wait_for("tick 700")
    os.kill(terminal.program.pid, signal.SIGTSTP)  # without a shell above it the kernel lets it go on at once
    seen = terminal.wait_for("tick 700")
    assert seen.index(LEAVE) < seen.index(ENTER)
    terminal.press("q")
    assert terminal.end() == 0
    assert is_put_back(terminal)


def test_a_terminal_without_colours_and_unicode(start: Start, path: str) -> None:
    terminal = start(path, "--at", "700", TERM="dumb", PYTHONIOENCODING="ascii", COLORTERM="")
    terminal.wait_for("Stories")
    terminal.press("q")
    assert terminal.end() == 0
    assert terminal.said.isascii()
    assert not re.search(r"\x1b\[[0-9;]*[1-9]m", terminal.said)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{path}"], ["needs a terminal", "townlet telemetry watch"]),
        (["none.jsonl"], ["none.jsonl cannot be read"]),
        (["{path}", "--page", "nonsense"], ["--page", "town"]),
        (["{path}", "--seed", "3"], ["--seed is for watching a configuration", "leave it out"]),
        (["{path}", "--town", "9", "--picture", "x.svg"], ["Town 9", "its towns: 0"]),
        (["{path}", "--picture", "x.png"], [".svg or .txt"]),
        (["{path}", "--picture", "no/x.svg"], ["no folder no"]),
        (["{path}", "--picture", "x.svg", "--size", "1x1"], ["--size is 1x1", "40x10 to 500x200"]),
        (["{path}", "--speed", "0"], ["--speed is 0"]),
        (["default", "--at", "5"], ["--at is for watching a recording", "default is a configuration"]),
        (["localhost:1", "--speed", "2"], ["--speed", "press + or -"]),
        (["localhost:1", "economy.rent_per_day=1"], ["override", "configuration"]),
        (["\x1b]0;evil\x07.jsonl"], ["evil.jsonl cannot be read"]),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_sentence(
    path: str, arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_watch.main([argument.replace("{path}", path) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("error: ")
    assert printed.err.rstrip("\n").isprintable()
    assert all(word in printed.err for word in words), printed.err


def test_a_picture_is_written(path: str, tmp_path: Path) -> None:
    text, drawn = tmp_path / "a.txt", tmp_path / "a.svg"
    assert cli_watch.main([path, "--at", "800", "--picture", str(text), "--size", "100x30", "--page", "people"]) == 0
    rows = text.read_text().splitlines()
    assert "tick 800" in rows[0]
    assert any("In focus: ada" in row for row in rows)
    assert max(map(len, rows)) <= 100
    assert cli_watch.main([path, "--picture", str(drawn), "--size", "80x24"]) == 0
    assert drawn.read_text().startswith("<svg")
    assert "tick" in drawn.read_text()


def test_help_is_fast_and_imports_no_jax() -> None:
    command = "import sys; from townlet_jax import cli_watch; cli_watch.main(['--help']); print('jax' in sys.modules)"
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert time.perf_counter() - began < 3  # 0.1 s on an idle machine
    assert done.stdout.splitlines()[-1] == "False"
