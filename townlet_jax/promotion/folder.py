"""A folder about releases: who sits where, what the gate said, what happened, and the goldens of the past.

Owns `state.json`, `history.jsonl`, `gate.json`, `goldens/`. One process at a time writes there: a session or a command.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from townlet_jax import files
from townlet_jax.plans import RunError
from townlet_jax.promotion import machine
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.promotion.history import History
from townlet_jax.promotion.machine import Office, State
from townlet_jax.promotion.seats import Seat
from townlet_jax.report import printable

STATE, HISTORY, GATE, GOLDENS, LOCK = "state.json", "history.jsonl", "gate.json", "goldens", ".lock"


class _Seat(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    name: str
    step: int
    policy_hash: str


class _State(BaseModel):
    """The part of a status that a folder goes on from."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    state: State
    release: _Seat | None
    shadow: _Seat | None
    previous: _Seat | None


def _seat(said: _Seat | None) -> Seat | None:
    return None if said is None else Seat(**said.model_dump())


class Folder:
    """Releases in a folder, without a session: the gate alone makes a candidate ready."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shown = printable(str(root))

    @property
    def goldens(self) -> tuple[Path, ...]:
        """Return the goldens that every candidate is held against."""
        return tuple(sorted((self.root / GOLDENS).glob("*.json")))

    @property
    def log(self) -> Path:
        """Return the file of the history."""
        return self.root / HISTORY

    @contextmanager
    def held(self) -> Iterator["Folder"]:
        """Keep others from writing; raises `RunError` if somebody writes there or nobody can."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / LOCK, timeout=0):
                yield self
        except Timeout:
            raise RunError(
                f"{self._shown} is used by a session that runs; ask that one with --console ADDRESS."
            ) from None
        except OSError as error:
            raise RunError(f"{self._shown} cannot be used ({error.strerror}); give a folder that can be.") from error

    def office(self) -> Office:
        """Return who sits where; raises `PromotionError` for a file that says nothing."""
        path = self.root / STATE
        if not path.exists():
            return Office()
        try:
            said = _State.model_validate(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError, ValidationError) as error:
            raise PromotionError(
                "rejected", f"{printable(str(path))} cannot be read ({type(error).__name__}); move it away."
            ) from error
        return Office(
            state=said.state,
            candidate_ready=said.state == "ready",
            release=_seat(said.release),
            shadow=_seat(said.shadow),
            previous=_seat(said.previous),
        )

    def save(self, status: Mapping[str, Any]) -> None:
        """Write a status down; raises `RunError`."""
        self._write(STATE, status)

    def judge(self, release: Seat, candidate: Seat, report: Mapping[str, Any]) -> Office:
        """Write down what the gate says of a candidate, which is ready if it passed."""
        office = machine.shadowed(Office(release=release, previous=self.office().previous), candidate)
        office = machine.observed(office, ready_share=float(report["status"] == "pass"), least=1.0, tick=0)
        self._write(GATE, report)
        self.save(published(office))
        return office

    def promote(self, reason: str | None) -> Office:
        """Make the candidate the release; raises `PromotionError` unless it has passed the gate."""
        office = self.office()
        if office.shadow is not None and office.state != "ready":
            report = self._gate()
            said = "; ".join(report.get("reasons", ()))
            raise PromotionError("rejected", f"The candidate did not pass the gate: {said}.", report)
        return self._become("promoted", machine.promoted(office), reason)

    def rollback(self, reason: str | None) -> Office:
        """Make the release before the release again; raises `PromotionError` if nothing was promoted."""
        return self._become("rollback", machine.rolled_back(self.office()), reason)

    def _become(self, event: Any, office: Office, reason: str | None) -> Office:
        self.save(published(office))
        hashes = {
            name: None if (seat := getattr(office, name)) is None else seat.policy_hash
            for name in ("release", "previous")
        }
        History(self.log).add(event, tick=0, state=office.state, metadata={"reason": reason}, gate=None, **hashes)
        return office

    def _gate(self) -> dict[str, Any]:
        try:
            found = json.loads((self.root / GATE).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, name: str, document: Mapping[str, Any]) -> None:
        with files.replacing(self.root / name) as file:
            file.write((json.dumps(document, indent=1, allow_nan=False) + "\n").encode())


def published(office: Office) -> dict[str, Any]:
    """Return who sits where, as JSON."""
    seats = {
        name: None if (seat := getattr(office, name)) is None else seat.published
        for name in ("release", "shadow", "previous")
    }
    return {"state": office.state, **seats}
