"""Which file said what: turns a path of the merged configuration into a place to look at.

Owns `Source` and `Origin`. Places are searched only when an error is told, by reading the text once more.
"""

from dataclasses import dataclass
from typing import Any

from townlet_jax.config.errors import ConfigError, Path, ProblemError, dotted, follow, printable
from townlet_jax.config.reader import locate


@dataclass(frozen=True)
class Source:
    """One file, mapping or override that took part; `text` is None where there is none."""

    name: str
    data: Any
    text: str | None = None


@dataclass(frozen=True)
class Origin:
    """The sources of a configuration, the strongest first."""

    sources: tuple[Source, ...]

    def place(self, path: Path) -> str:
        """Name the source that holds the longest part of the path, with line and column where it is a file."""
        best = max(self.sources, key=lambda source: follow(source.data, path)[1], default=None)
        if best is None:
            return "configuration"
        found = locate(best.text, path) if best.text is not None else None
        return f"{printable_name(best.name)}:{found[0]}:{found[1]}" if found else printable_name(best.name)

    def error(self, problem: ProblemError) -> ConfigError:
        """Make the sentence: place, path, what is wrong."""
        path = dotted(problem.path)
        return ConfigError(f"{self.place(problem.path)}: {path}: {problem.text.rstrip('.')}.{problem.note}")


def printable_name(name: str) -> str:
    """Make a file name safe to print without cutting it short."""
    return "".join(printable(c) for c in name[:200])
