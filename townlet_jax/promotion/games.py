"""The games of a gate while they go on: on a thread of their own, one match at a time, given up when another begins."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Protocol

from townlet_jax.failing import FAILURES
from townlet_jax.plans import RunError
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.seats import Seat
from townlet_jax.promotion.suite import StoppedError

Report = dict[str, Any]


class Gatekeeper(Protocol):
    """Judges a candidate against a release."""

    def __call__(
        self, release: Seat, candidate: Seat, *, say: Callable[[str], None], stop: Callable[[], bool]
    ) -> Report:
        """Return a report with `status` pass or fail; raises `PromotionError`, `StoppedError`."""


class Games:
    """The match that is played, or was played last. `concluded` hears of its report, on the thread of the games."""

    def __init__(
        self, gatekeeper: Gatekeeper, concluded: Callable[[Report], None], *, executor: Executor | None = None
    ) -> None:
        self._gatekeeper, self._concluded = gatekeeper, concluded
        self._threads = ThreadPoolExecutor(1, "gate") if executor is None else executor
        self._lock = threading.Lock()
        self._match: object | None = None  # one for each beginning
        self._report: Report = {"status": "none"}

    @property
    def report(self) -> Report:
        """Return what the gate says: `status` none, playing, pass or fail."""
        return dict(self._report)

    def begin(self, release: Seat, candidate: Seat) -> None:
        """Let a candidate play against a release, and nobody else any more."""
        with self._lock:
            match = self._match = object()
            self._report = {"status": "playing", "playing": "waits for its turn"}
        self._threads.submit(self._play, match, release, candidate).add_done_callback(_raise)

    def drop(self) -> None:
        """Give up the match that is played: nobody wants to know any more."""
        with self._lock:
            self._match, self._report = None, {"status": "none"}

    def close(self) -> None:
        """Give up the match that is played, and play no more."""
        self.drop()
        self._threads.shutdown(cancel_futures=True)

    def _play(self, match: object, release: Seat, candidate: Seat) -> None:
        def say(text: str) -> None:
            self._note(match, {"status": "playing", "playing": text})

        try:
            report = self._gatekeeper(release, candidate, say=say, stop=lambda: self._match is not match)
        except StoppedError:
            return
        except (PromotionError, RunError) as error:
            report = {"status": "fail", "reasons": [str(error)]}
        except FAILURES as error:
            reason = f"the games failed ({type(error).__name__}: {error})"
            report = {"status": "fail", "reasons": [" ".join(reason.split())]}
        if self._note(match, report):
            self._concluded(report)

    def _note(self, match: object, report: Report) -> bool:
        """Take a report down unless another match has begun."""
        with self._lock:
            if self._match is not match:
                return False
            self._report = report
            return True


def _raise(answer: "Future[None]") -> None:
    """Let what nobody expected be logged where the games were played."""
    if not answer.cancelled():
        answer.result()
