"""The dashboard at work: a source, a terminal, ten pictures a second. The one place that changes anything.

Owns when a picture is made, and which message is shown.
"""

import dataclasses
import time
from collections.abc import Callable

from townlet_jax.ui.dashboard import control
from townlet_jax.ui.dashboard.look import Glance, Look
from townlet_jax.ui.dashboard.screen import Screen
from townlet_jax.ui.dashboard.source import Source
from townlet_jax.ui.dashboard.terminal import Terminal

REFRESH = 0.1  # seconds
LOAD_SECONDS = 2.0  # over which the load is taken
INTERRUPTED = 128


def show(source: Source, terminal: Terminal, glance: Glance, *, is_over: Callable[[], bool] = lambda: False) -> int:
    """Show a source until somebody leaves; returns the exit code."""
    return _Show(source, terminal, glance).run(is_over)


class _Show:
    def __init__(self, source: Source, terminal: Terminal, glance: Glance) -> None:
        self._source, self._terminal, self._glance = source, terminal, glance
        self._screen = Screen(colours=terminal.colours, has_unicode=terminal.has_unicode)
        self._history: tuple[str, ...] = ()
        self._load: float | None = None
        self._since = (time.monotonic(), time.thread_time())
        self._is_at_once = True

    def run(self, is_over: Callable[[], bool]) -> int:
        due = time.monotonic()
        while not is_over():
            now = time.monotonic()
            if now >= due or self._is_at_once:
                self._refresh(now)
                due = max(due + REFRESH, now + REFRESH / 2)
            for key in self._terminal.wait(due - time.monotonic()):
                if self._press(key):
                    return 0
            if self._terminal.ending:
                return INTERRUPTED + self._terminal.ending
            if self._terminal.is_gone:
                return INTERRUPTED + 1
        return 0

    def _refresh(self, now: float) -> None:
        self._source.advance(now)
        for answer in self._source.answers():
            self._hear(answer.text, answer.is_bad, answer.wish)
        if self._terminal.is_resized:
            self._terminal.is_resized = False
            self._screen.forget()
        self._measure(now)
        width, height = self._terminal.size()
        text = self._screen.refresh(self._look(), width, height, at_once=self._is_at_once)
        self._is_at_once = False
        if text and not self._terminal.write(text):
            self._screen.forget()

    def _look(self) -> Look:
        standing = dataclasses.replace(self._source.standing(), load=self._load)
        return Look(model=self._source.model, glance=self._glance, standing=standing)

    def _press(self, key: str) -> bool:
        """Do what a key asks for; True ends the show."""
        prompt = self._glance.prompt
        outcome = control.press(self._look(), key, self._history)
        self._glance = outcome.glance
        if prompt is not None and key == "enter":
            self._history = control.remembered(self._history, prompt.text)
        for wish in outcome.wishes:
            self._source.grant(wish, time.monotonic())
        if outcome.is_anew:
            self._screen.forget()
        self._is_at_once = True
        return outcome.is_end

    def _hear(self, text: str, is_bad: bool, wish: control.Wish | None) -> None:
        drops = is_bad and wish is not None and wish.command == "possess" and self._glance.is_driving
        self._glance = dataclasses.replace(
            self._glance, message=text, is_bad=is_bad, is_driving=self._glance.is_driving and not drops
        )
        self._is_at_once = True

    def _measure(self, now: float) -> None:
        """Take note of the processor time that this thread needs."""
        when, spent = self._since
        if now - when >= LOAD_SECONDS:
            self._load = round((time.thread_time() - spent) / (now - when), 3)
            self._since = (now, time.thread_time())
