"""How the console says no: a code for programs and one sentence for people (MECHANICS 12.1)."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, get_args

from townlet_jax.policy.arguments import CommandError
from townlet_jax.report import printable

Code = Literal[
    "usage", "unknown_command", "unauthorized", "forbidden", "cmd_id_mismatch", "invalid_args", "not_found", "conflict",
    "occupied", "unsupported", "not_ready", "rejected", "throttled", "forbidden_path", "read_failed",
    "migration_failed", "internal",
]  # fmt: skip
CODES: tuple[str, ...] = get_args(Code)
LIKENESS = 0.75  # of two names, from which one may be meant for the other
SHOWN = 80  # characters of somebody else's text that a message repeats
_HIDDEN = re.compile(r"\s+")


class ConsoleError(CommandError):
    """A command is refused; the text is one sentence, `details` is JSON."""

    def __init__(self, code: Code, text: str, **details: Any) -> None:
        super().__init__(text, code=code)
        self.details: Mapping[str, Any] = details


def shown(value: object) -> str:
    """Write somebody else's value on one printable line, shortened."""
    text = value if isinstance(value, str) else repr(value)
    line = printable(_HIDDEN.sub(" ", text))
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three names that somebody may have meant."""
    return get_close_matches(name[:SHOWN], list(names), n=3, cutoff=LIKENESS)


def one_of(names: list[str]) -> str:
    """Join names: 'a', 'b' or 'c'."""
    quoted = [f"'{name}'" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
