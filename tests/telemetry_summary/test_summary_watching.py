"""Watching a run while it is written: whole lines only, across rotations, to its end."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from asked import ask, started
from rich.console import Console
from telling import Teller, lines, small_town, training_rows, write

from townlet_jax.telemetry.summary import following, reading
from townlet_jax.telemetry.summary.problems import Problems
from townlet_jax.telemetry.summary.watching import View


def seen(records: list[dict[str, object]]) -> View:
    view = View()
    for number, line in enumerate(lines(records).splitlines(keepends=True)):
        found = reading.understood(line, "run", number, Problems())
        assert found is not None
        view.take(found)
    return view


def drawn(view: View) -> str:
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(view.picture())
    return captured.get()


def test_a_line_says_where_it_is() -> None:
    view = seen(small_town()[:-1])
    assert view.line() == (
        "tick 200, day 2.0 of 2.0, 40.00 town-ticks/s | alive 2.000 | reward/day – | wallet 19.00 | conflicts/day – | "
        "faints/day – | 2 dropped"
    )
    assert not view.is_fresh
    assert view.ended is None
    assert seen(small_town()).ended == "finished"


def test_the_picture_shows_figures_people_and_trouble() -> None:
    teller = Teller()
    teller.records = small_town()[:40]
    teller.sequence = 44
    teller.health(140, faults={"NAN_NEED": 2})
    text = drawn(seen(teller.records))
    for words in ("default, scripted, 4 towns", "wallet_mean", "agents of town 0", "ada", "hunger", "4 records lost",
                  "FAULTS NAN_NEED"):  # fmt: skip
        assert words in text
    assert "waiting for records" in drawn(View())


def test_training_is_watched_too() -> None:
    view = seen(training_rows(3, kl=[1.0, 2.0, 3.0], entropy=[0.5, 0.5, 0.25]))
    assert view.line() == "update 2 | entropy 0.250 | kl 3.000"
    assert "entropy" in drawn(view)


def test_lines_are_followed_whole_and_across_rotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"a\nb")
    followed = following.lines(path)
    assert [next(followed) for _ in range(3)] == [b"a\n", None, None]
    with path.open("ab") as file:
        file.write(b"b\nc\n")
    assert [next(followed) for _ in range(3)] == [b"bb\n", b"c\n", None]
    with path.open("ab") as file:
        file.write(b"d\n")
    path.rename(tmp_path / "run.jsonl.1")
    assert [next(followed) for _ in range(2)] == [b"d\n", None]
    path.write_bytes(b"e\n")
    assert [next(followed) for _ in range(3)] == [None, b"e\n", None]
    path.write_bytes(b"")
    assert next(followed) is None
    path.write_bytes(b"f\n")
    assert next(followed) == b"f\n"
    followed.close()


def test_of_a_long_file_the_end_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "run.jsonl", small_town()[:-1])
    monkeypatch.setattr(following, "LOOK_BACK", path.stat().st_size // 3)
    code, said, _ = ask_to_the_end(path)
    assert code == 0
    assert "lost" not in said
    assert said.splitlines()[-1] == "ended: finished"
    assert 15 < len([line for line in following_once(path) if line]) < 30


def following_once(path: Path) -> list[bytes]:
    """Return the lines that are there."""
    found = []
    for line in following.lines(path):
        if line is None:
            return found
        found.append(line)
    return found


def ask_to_the_end(path: Path) -> tuple[int, str, str]:
    """Watch a file to which the end is added."""
    with path.open("ab") as file:
        file.write(lines(small_town()[-1:]))
    return ask("watch", path)


def test_a_growing_file_is_watched_to_its_end(tmp_path: Path) -> None:
    records = small_town()
    path = write(tmp_path / "run.jsonl", records[:1])
    watching = started(["watch", path, "--interval", "0.05"], stdout=subprocess.PIPE)
    assert watching.stdout is not None
    with path.open("ab", buffering=0) as file:
        file.write(lines(records[1:30])[:-5])
        assert watching.stdout.readline().startswith(b"tick ")
        file.write(lines(records[1:30])[-5:] + lines(records[30:]))
        rest = watching.stdout.read()
    watching.stdout.close()
    assert watching.wait(60) == 0
    assert rest.endswith(b"ended: finished\n")
    assert b"bad lines" not in rest
    assert rest.splitlines()[-2].startswith(b"tick 200, ")


def test_standard_input_ends_with_its_writer() -> None:
    watching = started(["watch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said, _ = watching.communicate(lines(small_town()[:-1]), timeout=60)
    assert watching.returncode == 0
    assert said.splitlines()[-1].startswith(b"tick 200, ")


def test_an_interruption_and_a_closed_pipe_end_it(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", small_town()[:30])
    watching = started(["watch", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, errors = watching.communicate(timeout=60)
    assert (watching.returncode, errors) == (130, b"")
    watching = started(["watch", path, "--interval", "0.05"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert watching.stdout is not None
    assert watching.stderr is not None
    watching.stdout.readline()
    watching.stdout.close()
    deadline = time.monotonic() + 60
    with path.open("ab", buffering=0) as file:
        while watching.poll() is None and time.monotonic() < deadline:
            file.write(lines(small_town()[30:32]))
            time.sleep(0.05)
    errors = watching.stderr.read()
    watching.stderr.close()
    assert (watching.returncode, errors) == (0, b"")


def test_on_a_terminal_there_is_a_table_that_ends_with_the_run(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", small_town())
    master, slave = pty.openpty()
    watching = started(["watch", path], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when its last process is
        while data := os.read(master, 65_536):
            shown += data
    os.close(master)
    assert watching.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    for words in ("figure of the last chunk", "wallet_mean", "agents of town 0", "ended: finished"):
        assert words in text
    assert text.count("ended: finished") == 1
