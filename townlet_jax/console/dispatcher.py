"""From a command to its answer. Owns the order in which a command is checked (MECHANICS 12.1).

Parse, name, token, role, command id, what was asked before, arguments, and only then the command itself.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any, cast

from townlet_jax.console import envelope
from townlet_jax.console.audit import Audit
from townlet_jax.console.auth import Caller, Door
from townlet_jax.console.envelope import Command
from townlet_jax.console.errors import Code, ConsoleError, shown
from townlet_jax.console.host import Host
from townlet_jax.console.replays import Replays
from townlet_jax.console.rows import Row
from townlet_jax.console.table import row_named
from townlet_jax.failing import FAILURES
from townlet_jax.plans import RunError
from townlet_jax.policy.arguments import CommandError
from townlet_jax.promotion.errors import PromotionError
from townlet_jax.snapshots import StoreError

NOT_KEPT = frozenset({"usage", "unauthorized", "not_ready"})  # answers after which the same id may be used again
LARGEST_TOLD = 4_096  # characters of a result that telemetry repeats
_log = logging.getLogger(__name__)


class Dispatcher:
    """Carries commands out, for any number of threads."""

    def __init__(self, host: Host, door: Door, replays: Replays, audit: Audit) -> None:
        self._host, self._door = host, door
        self._replays, self._audit = replays, audit

    def answer(self, data: Any, caller: Caller, *, address: str = "local") -> dict[str, Any]:
        """Carry out a command that arrived as plain data, and return its result; never raises."""
        began = time.perf_counter()
        name = str(data.get("name", "")) if isinstance(data, Mapping) else ""
        command: Command | None = None
        try:
            command = envelope.command_of(data)
            row = row_named(command.name)
            caller = self._role(command, row, caller, address)
            result = self._once(command, row, caller, began)
        except ConsoleError as error:
            result = self._result(shown(name), command, caller, began, error=error)
        sent = {} if command is None else {"args": command.args, "kwargs": command.kwargs}
        self._audit.note(sent, result, address=address, role=caller.role)
        if command is not None and not result.get("replayed"):
            self._tell(result)
        return result

    def refuse(self, error: ConsoleError, caller: Caller, *, address: str) -> dict[str, Any]:
        """Return, and write down, the answer to what was not even read."""
        result = self._result("", None, caller, time.perf_counter(), error=error)
        self._audit.note({}, result, address=address, role=caller.role)
        return result

    def _role(self, command: Command, row: Row, caller: Caller, address: str) -> Caller:
        """Return as whom a command is carried out; raises `ConsoleError`."""
        if command.token is not None:
            caller = self._door.caller(command.token, address)
        role = "viewer" if command.mode == "viewer" else caller.role
        if row.role == "admin" and role != "admin":
            raise ConsoleError("forbidden", f"{row.name} is for admins, and you are a viewer; use an admin's token.")
        return caller

    def _once(self, command: Command, row: Row, caller: Caller, began: float) -> dict[str, Any]:
        """Carry out a command, unless one with its id was carried out already."""
        if command.cmd_id is None:
            if row.needs_id:
                raise ConsoleError("usage", f"{row.name} changes the town, so it needs a cmd_id; make one up.")
            return self._carried_out(command, row, caller, began)
        asked = {"name": row.name, "args": command.args, "kwargs": command.kwargs}
        entry, known = self._replays.claim(command.cmd_id, asked)
        if known is not None:
            return known | {"replayed": True}
        result = self._carried_out(command, row, caller, began)
        is_kept = result.get("error", {}).get("code") not in NOT_KEPT
        self._replays.settle(command.cmd_id, entry, result, is_kept=is_kept)
        return result

    def _carried_out(self, command: Command, row: Row, caller: Caller, began: float) -> dict[str, Any]:
        try:
            arguments = row.read(command.args, command.kwargs)
            value = json.loads(json.dumps(dict(row.function(self._host, arguments)), allow_nan=False))
        except PromotionError as error:
            flaw = ConsoleError(error.code, error.sentence, **error.details)
            return self._result(row.name, command, caller, began, error=flaw)
        except (CommandError, RunError, StoreError) as error:
            return self._result(row.name, command, caller, began, error=_refusal(error))
        except FAILURES as error:
            _log.error("The command %s failed.", row.name, exc_info=error)
            flaw = ConsoleError("internal", f"{row.name} failed ({type(error).__name__}); the run goes on.")
            return self._result(row.name, command, caller, began, error=flaw)
        return self._result(row.name, command, caller, began, value=value)

    def _result(
        self,
        name: str,
        command: Command | None,
        caller: Caller,
        began: float,
        *,
        value: Mapping[str, Any] | None = None,
        error: ConsoleError | None = None,
    ) -> dict[str, Any]:
        tick = None if value is None else value.get("tick")
        return envelope.result(
            name,
            cmd_id=None if command is None else command.cmd_id,
            issuer=caller.issuer,
            tick=self._host.session.tick if tick is None else tick,
            latency_ms=1e3 * (time.perf_counter() - began),
            value=value,
            error=error,
        )

    def _tell(self, result: Mapping[str, Any]) -> None:
        """Publish a result in the frames of the town it is about; what is long is left out of it."""
        publisher = self._host.publisher
        if publisher is None or not publisher.watched:
            return
        told = dict(result)
        if len(json.dumps(told.get("result", {}))) > LARGEST_TOLD:
            told["result"] = {}
        town = result.get("result", {}).get("town")
        is_here = isinstance(town, int) and town in publisher.watched
        publisher.tell("console.result", tick=result["tick"], town=town if is_here else None, data=told)


def _refusal(error: CommandError | RunError | StoreError) -> ConsoleError:
    """Return an error of another part of the program as one of the console."""
    if isinstance(error, ConsoleError):
        return error
    code = "rejected" if isinstance(error, RunError) else error.code
    return ConsoleError(cast(Code, code), str(error).removeprefix("command "))
