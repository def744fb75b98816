"""The frames of a run as a reader sees them: numbers followed, differences applied. Ties are passed over.

After a gap a town's frame is not whole until it sends a whole one: what a difference does not speak of may be old.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from townlet_jax.telemetry.summary.found import Found
from townlet_jax.telemetry.summary.transport import Sequences

MOST_TOWNS = 1_000  # watched
PASSED_OVER = frozenset({"relationships", "objects", "policy"})  # what nobody here looks at


@dataclass
class Frame:
    """A watched town as of its last frame."""

    sections: dict[str, Any] = field(default_factory=dict)
    is_whole: bool = False
    tick: int = -1
    before: int = -1  # tick of the frame before it


class Stream:
    """The numbers and frames of one run."""

    def __init__(self) -> None:
        self.sequences = Sequences()
        self.left_out = 0  # frames of towns beyond `MOST_TOWNS`
        self._frames: dict[int, Frame] = {}

    def is_new(self, found: Found) -> bool:
        """Follow the numbers: a record that came before is not new. Rows of tables have none to be followed."""
        if not found.is_counted:
            return True
        resumed = found.kind == "run" and found.data["resumed"]
        is_new, lost = self.sequences.take(found.data["sequence"], resumed=resumed, file=found.file, line=found.line)
        if lost:
            for frame in self._frames.values():
                frame.is_whole = False
        return is_new

    def frame(self, found: Found) -> tuple[Frame, Mapping[str, Any]] | None:
        """Take a snapshot or a diff and return the town with what is fresh of it; None for a town too many."""
        data = found.data
        town: int = data["town"]
        if town not in self._frames and len(self._frames) >= MOST_TOWNS:
            self.left_out += 1
            return None
        frame = self._frames.setdefault(town, Frame())
        is_snapshot = found.kind == "snapshot"
        fresh: Mapping[str, Any] = data if is_snapshot else data["changes"]
        if is_snapshot:
            frame.is_whole = True
        frame.sections |= {name: value for name, value in fresh.items() if name not in PASSED_OVER}
        for name in () if is_snapshot else data["removed"]:
            frame.sections.pop(name, None)
        frame.before, frame.tick = frame.tick, data["tick"]
        return frame, fresh
