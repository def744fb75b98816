"""Asked to stop (R17): the first signal saves, the second ends at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from townlet_jax.snapshots import StopRequest, Store


def until(condition: Callable[[], bool]) -> bool:
    """Wait up to five seconds for something that another thread does."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def run(root: Path, folder: Path, manner: str) -> "subprocess.Popen[str]":
    """Start a program that saves when it is asked to stop, and return when it runs."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.snapshots.stopper", str(folder), manner]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    program = subprocess.Popen(
        command, cwd=root, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "running\n"
    return program


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_one_saves(root: Path, tmp_path: Path, asked: signal.Signals, code: int) -> None:
    program = run(root, tmp_path, "polite")
    began = time.monotonic()
    program.send_signal(asked)
    _, complaint = program.communicate(timeout=30)
    assert (program.returncode, complaint) == (code, "")
    assert time.monotonic() - began < 30
    with Store(tmp_path, identity=None, read_only=True) as store:
        step = store.latest()
        assert step is not None
        assert store.restore({"tick": np.int64(0)}).tree["tick"] == step


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(signal.SIGINT, signal.SIGINT, 130), (signal.SIGINT, signal.SIGTERM, 143)],
)
def test_the_second_one_ends_at_once_whatever_goes_on(
    root: Path, tmp_path: Path, first: signal.Signals, second: signal.Signals, code: int
) -> None:
    program = run(root, tmp_path, "deaf")
    program.send_signal(first)
    time.sleep(0.3)
    assert program.poll() is None
    began = time.monotonic()
    program.send_signal(second)
    _, complaint = program.communicate(timeout=30)
    assert program.returncode == code
    assert complaint == "Ended at once by a second signal; what was not saved is lost.\n"
    assert time.monotonic() - began < 2


def test_nothing_is_asked_at_first() -> None:
    with StopRequest() as stop:
        assert not stop.is_made
        assert stop.exit_code == 0


def test_one_signal_is_a_request_and_no_exception() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert until(lambda: stop.is_made)
        assert stop.exit_code == 130
    assert stop.exit_code == 130


def test_afterwards_signals_mean_what_they_meant() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for _ in range(3):
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert until(lambda: stop.is_made)
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.set_wakeup_fd(-1) == -1
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
