"""What a sink is: records in, sentences out when something is wrong. Owns the words that all sinks share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One record on its way out."""

    tick: int  # the last tick it speaks of
    kind: str  # its payload_type
    data: bytes  # one JSON object in UTF-8, without a newline


class SinkError(Exception):
    """A sink cannot do what it was asked; the text is one sentence for the user.

    `lasting` says that trying again soon is of no use (a wrong token, a bad certificate, a place that cannot be
    written); `refused` says that the sink works, but these records cannot be sent.
    """

    def __init__(self, text: str, *, lasting: bool = False, refused: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting
        self.refused = refused


class Sink(Protocol):
    """One way out, used by one thread at a time; every method raises nothing but `SinkError`."""

    @property
    def name(self) -> str:
        """Return what it is called in messages."""

    def open(self) -> None:
        """Get ready to write; called again after each failure."""

    def write(self, items: Sequence[Item]) -> None:
        """Send all of the records, in order, and return when they have arrived."""

    def close(self) -> None:
        """Finish what was written; may be called when nothing is open."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a channel is doing; counters are of records since it was made, unless they say otherwise."""

    name: str
    connected: bool
    sent: int
    dropped: int
    bytes: int  # sent, without newlines
    queue: int  # bytes waiting now
    peak: int  # most bytes that ever waited
    retries: int  # tries after a failure
    restarts: int  # how often the sink was opened anew after it had been open
    last_error: str | None
    last_success_tick: int | None
