"""What the dashboard asks of a source of records."""

from typing import Any, NamedTuple, Protocol

from townlet_jax.telemetry import schema
from townlet_jax.ui.dashboard.control import Wish
from townlet_jax.ui.dashboard.look import Standing
from townlet_jax.ui.dashboard.model import Model


class SourceError(Exception):
    """There is nothing to look at; the text is one sentence."""


class Answer(NamedTuple):
    """What came of a wish, for the line of messages."""

    text: str
    is_bad: bool = False
    wish: Wish | None = None


class Source(Protocol):
    """Where records come from, and what can be asked of it. Nothing of it waits."""

    @property
    def model(self) -> Model:
        """Return the run as far as it was told."""

    def advance(self, now: float) -> None:
        """Take in what is there by now, in seconds of a clock that only goes on."""

    def standing(self) -> Standing:
        """Return how it does."""

    def grant(self, wish: Wish, now: float) -> None:
        """Do what is asked for, now or later."""

    def answers(self) -> list[Answer]:
        """Return what came of wishes since the last call."""

    def close(self) -> None:
        """Let go of everything."""


def checked(record: Any) -> Any:
    """Return a record if the schema allows it; raises `SchemaError`."""
    schema.check(record)
    return record
