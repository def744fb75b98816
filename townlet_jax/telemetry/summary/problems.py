"""What is wrong with what was read: the first few with their place, the rest as a number."""

from collections import Counter
from dataclasses import dataclass

MOST_KEPT = 5


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A line that is no record. `line` counts from 1; of a table it is the row."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.why}"


class Problems:
    """Bounded memory of what could not be read."""

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        self.first: list[Problem] = []
        self.count = 0
        self.unfinished: list[str] = []  # files whose last line has no end yet
        self.newer: Counter[str] = Counter()  # records of newer minor versions, by version
        self._most = most_kept

    def add(self, file: str, line: int, why: str) -> None:
        """Note a line."""
        self.count += 1
        if len(self.first) < self._most:
            self.first.append(Problem(file=file, line=line, why=why))

    @property
    def more(self) -> int:
        """Return how many are not among the first few."""
        return self.count - len(self.first)

    def sentences(self) -> list[str]:
        """Return what a person has to know, a sentence each."""
        said = [f"{problem}." for problem in self.first]
        if self.more:
            said.append(f"{self.more:,} more lines could not be read either.")
        return said + self.remarks()

    def remarks(self) -> list[str]:
        """Return what is odd without being wrong."""
        said = [
            f"{count:,} records have schema_version {version}, which is newer than this program; what it does not know "
            f"was passed over."
            for version, count in sorted(self.newer.items())
        ]
        return said + [
            f"{name} ends in the middle of a line: it is being written, or was cut off." for name in self.unfinished
        ]
