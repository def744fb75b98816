"""How fast a session goes and what it is asked meanwhile: the only part of it that other threads touch.

Wishes take effect between two chunks. A session that is paced runs short chunks and none ahead, so that a wish is
heard within a tick or a tenth of a second.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from townlet_jax.plans import RunError
from townlet_jax.policy.arguments import CommandError
from townlet_jax.snapshots import StoreError

BRISK = 100.0  # ticks a second from which a paced session runs more than one tick at a time
SHORT = 10  # ticks in a chunk of a brisk session: at most a tenth of a second
MOMENT = 0.05  # seconds between two looks at signals while nothing is to be done
Result = TypeVar("Result")


@dataclass(frozen=True)
class Room:
    """How many ticks may run now: None for any number, 0 for none yet."""

    ticks: int | None
    is_step: bool = False  # they were asked for one by one


def lengths_at(rate: float | None) -> tuple[int, ...]:
    """Return the lengths of chunks at a pace; none of its own if there is no pace."""
    if rate is None:
        return ()
    return (1, SHORT) if rate >= BRISK else (1,)


class Pace:
    """Wishes of other threads: pause, resume, speed, steps, stop, and actions between two ticks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rate: float | None = None  # ticks a second, None for as fast as possible
        self._is_paused = False
        self._steps = 0  # ticks that may still run while paused
        self._due = 0.0  # when the next tick of a paced session may run
        self._actions: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._is_stopped = False
        self._thread: int | None = None  # the session's own, while it runs
        self._refusal: str | None = None  # why nothing is done any more

    @property
    def is_own_thread(self) -> bool:
        """Say whether the caller runs the session, and so may do at once what others ask for."""
        return self._thread == threading.get_ident()

    @property
    def has_wishes(self) -> bool:
        """Say whether something is to be done between two ticks."""
        return bool(self._actions)

    @property
    def is_paused(self) -> bool:
        """Say whether nothing runs until somebody resumes or steps."""
        return self._is_paused and not self._steps

    @property
    def is_stopped(self) -> bool:
        """Say whether somebody wants the run to end."""
        return self._is_stopped

    @property
    def rate(self) -> float | None:
        """Return the ticks a second that are wanted, None for as many as possible."""
        return self._rate

    def pause(self) -> None:
        """Stand still after the chunk that runs."""
        with self._changed:
            self._is_paused, self._steps = True, 0

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            self._is_paused, self._steps, self._due = False, 0, time.monotonic()
            self._changed.notify_all()

    def step(self, ticks: int = 1) -> None:
        """Pause, and run that many ticks more."""
        if ticks < 1:
            raise RunError(f"A step of {ticks} ticks was asked for, but it has at least 1; give another number.")
        with self._changed:
            self._steps = ticks + (self._steps if self._is_paused else 0)
            self._is_paused = True
            self._changed.notify_all()

    def set_pace(self, rate: float | None) -> None:
        """Run so many ticks a second, None for as many as possible."""
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise RunError(f"A pace of {rate} ticks a second was asked for, but it is above 0; give another number.")
        with self._changed:
            self._rate, self._due = rate, time.monotonic()
            self._changed.notify_all()

    def stop(self) -> None:
        """End the run after the chunk that runs."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def ask(self, action: Callable[[], Result]) -> "Future[Result]":
        """Have something done between two ticks, in the order in which it was asked for."""
        answer: Future[Result] = Future()
        with self._changed:
            if self._refusal is not None:
                answer.set_exception(RunError(self._refusal))
                return answer
            self._actions.append((action, answer))
            self._changed.notify_all()
        return answer

    def obey(self) -> None:
        """Do what was asked for until now; what cannot be done is for the asker to hear."""
        for _ in range(len(self._actions)):
            action, answer = self._actions.popleft()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(action())
            except (CommandError, RunError, StoreError) as error:
                answer.set_exception(error.with_traceback(None))  # its frames hold the states of all towns
            except BaseException as error:  # the asker must not wait for ever
                answer.set_exception(error)
                raise

    def refuse(self, sentence: str) -> None:
        """Tell those who still wait, and those who ask later, that nothing will be done."""
        with self._changed:
            self._refusal = sentence
        while self._actions:
            _, answer = self._actions.popleft()
            if answer.set_running_or_notify_cancel():
                answer.set_exception(RunError(sentence))

    def room(self) -> Room:
        """Return how many ticks may run now."""
        with self._changed:
            if self._is_paused:
                return Room(self._steps, is_step=True)
            if self._rate is None:
                return Room(None)
            return Room(0 if time.monotonic() < self._due else max(lengths_at(self._rate)))

    def spent(self, ticks: int, room: Room) -> None:
        """Take note of ticks that are on their way; time that was lost is not made up for."""
        with self._changed:
            if room.is_step:
                self._steps = max(0, self._steps - ticks)
            if self._rate is not None:
                self._due = max(self._due + ticks / self._rate, time.monotonic() - MOMENT)

    def wait(self) -> None:
        """Return when a wish arrives or the next tick is due, at the latest after a moment."""
        with self._changed:
            if not (self._actions or self._is_stopped):
                is_timed = self._rate is not None and not self._is_paused
                left = self._due - time.monotonic() if is_timed else MOMENT
                self._changed.wait(min(MOMENT, max(0.0, left)))
