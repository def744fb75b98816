"""How often things happened in each stretch of time, in bounded memory: days, or more days where a run is long."""

from collections import Counter

MOST_SPANS = 400
MOST_NAMES = 500
OTHER = "(other)"  # where names beyond these are counted


class Spans:
    """Counts by name and stretch. Stretches are `width` ticks; they double when there are too many."""

    def __init__(self, width: int) -> None:
        self.width = max(1, width)
        self.totals: Counter[str] = Counter()
        self._counts: dict[int, Counter[str]] = {}

    def add(self, tick: int, name: str) -> None:
        """Count something."""
        if name not in self.totals and len(self.totals) >= MOST_NAMES:
            name = OTHER
        self.totals[name] += 1
        self._counts.setdefault(tick // self.width, Counter())[name] += 1
        if len(self._counts) > MOST_SPANS:
            self._double()

    def table(self) -> dict[int, Counter[str]]:
        """Return the counts by the first tick of each stretch, in order."""
        return {index * self.width: self._counts[index] for index in sorted(self._counts)}

    def _double(self) -> None:
        joined: dict[int, Counter[str]] = {}
        for index, counts in self._counts.items():
            joined.setdefault(index // 2, Counter()).update(counts)
        self._counts, self.width = joined, self.width * 2
        if len(joined) > MOST_SPANS:
            self._double()
