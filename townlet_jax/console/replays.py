"""Answers by command id: a command that is sent twice is done once (MECHANICS 12.1)."""

import json
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from townlet_jax.console.errors import ConsoleError, shown

LARGEST_KEPT = 4_096  # characters of an answer that a snapshot keeps
WAIT = 60.0  # seconds for the first answer to a command that is sent twice at once


@dataclass
class Entry:
    """A command and its answer, which may still be on its way."""

    asked: str
    answer: "Future[dict[str, Any]]" = field(default_factory=Future)


class Replays:
    """Remembers the newest answers."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.Lock()

    def claim(self, cmd_id: str, asked: Any) -> tuple[Entry, dict[str, Any] | None]:
        """Return the entry of an id with the answer that there is already; None: the caller must `settle` the entry.

        Raises `ConsoleError` if the id belongs to another command.
        """
        text = json.dumps(asked, sort_keys=True)
        with self._lock:
            entry = self._entries.get(cmd_id)
            if entry is None:
                entry = self._entries[cmd_id] = Entry(text)
                self._trim()
                return entry, None
        if entry.asked != text:
            raise ConsoleError(
                "cmd_id_mismatch", f"The cmd_id '{shown(cmd_id)}' was used for another command; choose a fresh one."
            )
        try:
            return entry, entry.answer.result(WAIT)
        except TimeoutError:
            raise ConsoleError("not_ready", f"The command '{shown(cmd_id)}' is still being carried out.") from None

    def settle(self, cmd_id: str, entry: Entry, answer: dict[str, Any], *, is_kept: bool) -> None:
        """Give the answer to those who wait for it, and remember it if it is to be kept."""
        entry.answer.set_result(answer)
        with self._lock:
            if not is_kept and self._entries.get(cmd_id) is entry:
                del self._entries[cmd_id]

    def figures(self) -> list[Any]:
        """Return what a snapshot keeps, as JSON, oldest first; long answers, which change nothing, are left out."""
        with self._lock:
            known = [(name, entry) for name, entry in self._entries.items() if entry.answer.done()]
        kept = [[name, entry.asked, entry.answer.result()] for name, entry in known]
        return [entry for entry in kept if len(json.dumps(entry[2])) <= LARGEST_KEPT]

    def restore(self, figures: list[Any]) -> None:
        """Remember what `figures` returned, beside what happened since."""
        with self._lock:
            since = self._entries
            self._entries = OrderedDict()
            for name, asked, answer in figures:
                entry = Entry(asked)
                entry.answer.set_result(answer)
                self._entries[name] = entry
            self._entries.update(since)
            self._trim()

    def _trim(self) -> None:
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
