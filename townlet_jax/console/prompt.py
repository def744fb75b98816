"""The prompt of `townlet console`: history, completion, and the way from a line to its answer. Never imports jax."""

import json
import secrets
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from townlet_jax.console.client import Link, LinkError
from townlet_jax.console.showing import lines_of
from townlet_jax.console.typed import TypedError, command_of_line

DONE, REFUSED = 0, 1
LEAVING = frozenset({"exit", "quit"})
MOST_HISTORY = 1000  # lines


@dataclass
class Talk:
    """A conversation over a link; `refused` counts the commands that were."""

    link: Link
    town: int | None = None
    as_json: bool = False
    timeout: float = 60.0
    show: Callable[[str], None] = print
    refused: int = field(default=0)

    def say(self, line: str) -> None:
        """Carry out one typed line and show its answer; raises `LinkError`."""
        try:
            command = command_of_line(line)
        except TypedError as error:
            self._show({"name": "", "status": "error", "error": {"code": "usage", "message": str(error)}})
            return
        if self.town is not None and "town" not in command["kwargs"] and self._has_town(command["name"]):
            command["kwargs"]["town"] = self.town
        try:
            result = self.link.pass_on(command | {"cmd_id": secrets.token_hex(8)}).result(self.timeout)
        except NoAnswer:
            raise LinkError(f"There was no answer within {self.timeout:g} s; try again later.") from None
        self._show(result)

    def follow(self, lines: Iterable[str]) -> int:
        """Carry out lines until the last one, and return the exit code; blank ones and remarks (#) are passed over."""
        for line in lines:
            text = line.strip()
            if text in LEAVING:
                break
            if text and not text.startswith("#"):
                self.say(text)
        return REFUSED if self.refused else DONE

    def _show(self, result: dict[str, Any]) -> None:
        self.refused += result["status"] == "error"
        if self.as_json:
            self.show(json.dumps(result))
            return
        for line in lines_of(result):
            self.show(line)

    def _has_town(self, name: str) -> bool:
        return name in self.commands and "[town=]" in self.commands[name]

    @property
    def commands(self) -> dict[str, str]:
        """Return the usage of every command by its name; asked for once."""
        if not hasattr(self, "_commands"):
            told = self.link.send("help", timeout=self.timeout)
            rows = told.get("result", {}).get("commands", [])
            self._commands = {row["usage"].split()[0]: row["usage"] for row in rows}
        return self._commands

    def completions(self, line: str, word: str) -> list[str]:
        """Return what a word may become: commands at the beginning of a line, then arguments and names."""
        before = line[: len(line) - len(word)].split()
        if not before:
            return sorted(f"{name} " for name in (*self.commands, *LEAVING) if name.startswith(word))
        usage = self.commands.get(before[0], "").split()[1:]
        named = [f"{part.strip('[]=')}=" for part in usage]
        known = [*map(str, self.link.run["agents"]), *named]
        if before[0] == "help":
            known = list(self.commands)
        return sorted({name for name in known if name.startswith(word)})


def converse(talk: Talk, history: Path | None) -> int:
    """Ask for lines at a terminal until the end of input, and return the exit code."""
    import readline

    readline.set_completer_delims(" ")
    readline.set_completer(_completer(talk, readline.get_line_buffer))
    readline.parse_and_bind("tab: complete")
    if history is not None:
        with suppress(OSError):
            readline.read_history_file(history)
    print(f"{talk.link.run['config_id']}, {talk.link.run['towns']} towns; you are {talk.link.role}. help, exit.")
    try:
        while talk.link.is_open:
            try:
                line = input("townlet> ").strip()
            except KeyboardInterrupt:
                print()
                continue
            if line in LEAVING:
                break
            if line:
                talk.say(line)
        else:
            raise LinkError("The session has ended.")
    except EOFError:
        print()
    finally:
        if history is not None:
            readline.set_history_length(MOST_HISTORY)
            with suppress(OSError):
                history.parent.mkdir(parents=True, exist_ok=True)
                readline.write_history_file(history)
    return DONE


def _completer(talk: Talk, line: Callable[[], str]) -> Callable[[str, int], str | None]:
    found: list[str] = []

    def complete(word: str, state: int) -> str | None:
        if state == 0:
            found.clear()
            with suppress(LinkError):
                found.extend(talk.completions(line(), word))
        return found[state] if state < len(found) else None

    return complete


def is_terminal() -> bool:
    """Say whether somebody types."""
    return sys.stdin.isatty() and sys.stdout.isatty()
