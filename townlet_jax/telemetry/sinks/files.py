"""Records on this machine: a file of JSON lines, standard output, and memory."""

import os
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.lines import LineFile
from townlet_jax.telemetry.sinks.sentences import reason, shown


class FileSink:
    """One record a line, appended; see `lines` for what holds after a kill."""

    def __init__(self, path: Path, *, rotate_bytes: int | None = None, keep: int = 5) -> None:
        self.name = f"file {shown(path)}"
        self._file = LineFile(path, rotate_bytes=rotate_bytes, keep=keep)

    def open(self) -> None:
        """Open the file and repair its end."""
        self._file.open()

    def write(self, items: Sequence[Item]) -> None:
        """Append the records, all of them or none."""
        self._file.append([item.data for item in items])

    def close(self) -> None:
        """Bring everything to the disk."""
        self._file.close()


class StdoutSink:
    """One record a line on standard output."""

    def __init__(self) -> None:
        self.name = "stdout"

    def open(self) -> None:
        """Do nothing: it is open."""

    def write(self, items: Sequence[Item]) -> None:
        """Print the records after what was printed before."""
        left = memoryview(b"".join(item.data + b"\n" for item in items))
        try:
            sys.stdout.flush()
            while left:
                left = left[os.write(sys.stdout.fileno(), left) :]
        except (OSError, ValueError) as error:
            raise SinkError(f"Nobody reads standard output ({reason(error)}).", lasting=True) from error

    def close(self) -> None:
        """Leave it open: it belongs to the process."""


class MemorySink:
    """Keeps the newest records in `items`, all of them if `most` is None."""

    def __init__(self, most: int | None = None) -> None:
        self.name = "memory"
        self.items: deque[Item] = deque(maxlen=most)

    def open(self) -> None:
        """Do nothing."""

    def write(self, items: Sequence[Item]) -> None:
        """Keep the records."""
        self.items.extend(items)

    def close(self) -> None:
        """Keep what there is, to be read."""
