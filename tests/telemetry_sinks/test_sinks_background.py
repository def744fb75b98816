"""The loop in a thread: what it returns, what it raises, and that nothing waits for ever."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from townlet_jax.telemetry.sinks.background import Background


@pytest.fixture
def background() -> Iterator[Background]:
    made = Background("a loop")
    yield made
    made.close()


async def _doubled(number: int) -> int:
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError("no")
    return 2 * number


def test_results_and_errors_come_back(background: Background) -> None:
    assert background.call(_doubled(4)) == 8
    with pytest.raises(ValueError, match="no"):
        background.call(_doubled(-1))
    with pytest.raises(TimeoutError):
        background.call(asyncio.sleep(60), 0.05)


def test_what_runs_is_cancelled_at_the_end_and_nothing_runs_after(background: Background) -> None:
    ended = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(threading.current_thread().name)

    waiting = background.start(long())
    background.call(asyncio.sleep(0))
    background.close()
    background.close()
    assert ended == ["a loop"]
    with pytest.raises(CancelledError):
        waiting.result(5)
    with pytest.raises(RuntimeError, match="ended"):
        background.call(_doubled(1))


def test_its_own_thread_may_end_it(background: Background) -> None:
    async def leave() -> None:
        background.close()

    background.start(leave()).result(5)
    end = time.monotonic() + 5
    while any(thread.name == "a loop" for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.005)
    assert all(thread.name != "a loop" for thread in threading.enumerate())
