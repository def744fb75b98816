"""What commands act on: a session and what stands around it. Owns the way from a console's thread to the session's."""

from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from townlet_jax.config.schema.shell import SnapshotSection
from townlet_jax.console.errors import ConsoleError
from townlet_jax.console.figures import Figures
from townlet_jax.failing import FAILURES
from townlet_jax.plans import RunError
from townlet_jax.policy.arguments import CommandError
from townlet_jax.session import Session
from townlet_jax.snapshots import StoreError
from townlet_jax.telemetry.naming import Words
from townlet_jax.telemetry.publisher import Publisher

PATIENCE = 30.0  # seconds for the session to get to a command
Answer = TypeVar("Answer")


class Promotion(Protocol):
    """The manager of releases and candidates; every method raises `PromotionError`."""

    def status(self) -> Mapping[str, Any]: ...
    def load_shadow(self, path: str) -> Mapping[str, Any]: ...
    def swap(self, path: str) -> Mapping[str, Any]: ...
    def promote(self, reason: str) -> Mapping[str, Any]: ...
    def rollback(self, reason: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class Host:
    """A session with what knows about it. `is_admin`: who needs no token may do everything, not just look."""

    session: Session
    section: SnapshotSection
    figures: Figures
    publisher: Publisher | None = None
    promotion: Promotion | None = None
    is_admin: bool = False
    policy_hash: str | None = None
    words: Words = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", Words(self.session.built))

    def between(self, action: Callable[[], Answer], *, patience: float = PATIENCE) -> Answer:
        """Do something between two ticks and return what it returned.

        Raises what it raised: `CommandError`, `RunError`, `StoreError`; `ConsoleError` for anything else, so that a
        mistake in a command is the command's failure and not the session's.
        """
        if self.session.is_own_thread:
            return _guarded(action)
        if not self.session.is_ready:
            raise ConsoleError("not_ready", "The session is being compiled, which takes up to a minute; ask again.")
        answer = self.session.ask(lambda: _guarded(action))
        try:
            return answer.result(patience)
        except NoAnswer:
            if answer.cancel():
                raise ConsoleError(
                    "not_ready", f"The session was busy for {patience:g} s and did nothing; ask again later."
                ) from None
            return answer.result()  # it has begun

    def town(self, given: int | None) -> int:
        """Return the town that is meant: the one named, or else the first that is watched."""
        session = self.session
        if given is None:
            return session.watched[0] if session.watched else 0
        if not 0 <= given < session.plan.towns:
            raise ConsoleError(
                "not_found", f"There is no town {given}; choose one of 0 to {session.plan.towns - 1}.", town=given
            )
        return given

    def told(self) -> Publisher:
        """Return the publisher; raises `ConsoleError` where there is none."""
        if self.publisher is None:
            raise ConsoleError("unsupported", "This session publishes nothing; start it with telemetry.")
        return self.publisher

    def frame(self, given: int | None) -> tuple[int, int, dict[str, Any]]:
        """Return a watched town, the tick of its last frame, and that frame; raises `ConsoleError`."""
        town, publisher = self.town(given), self.told()
        if town not in publisher.watched:
            watched = ", ".join(map(str, publisher.watched)) or "none"
            raise ConsoleError("unsupported", f"Town {town} is not watched, so it has no frames; watched: {watched}.")
        found = publisher.last_frame(town)
        if found is None:
            raise ConsoleError("not_ready", "There is no frame before the first tick; let the towns live a tick.")
        return town, *found


def _guarded(action: Callable[[], Answer]) -> Answer:
    try:
        return action()
    except (CommandError, RunError, StoreError):
        raise
    except FAILURES as error:
        raise ConsoleError("internal", f"The command failed ({type(error).__name__}); the run goes on.") from error
