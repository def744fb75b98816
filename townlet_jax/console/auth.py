"""Who may do what: keys, roles, and the count of wrong tokens (MECHANICS 12.1, ECOSYSTEM R12)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from townlet_jax.config.schema.shell import ConsoleAuth, Token
from townlet_jax.console.envelope import Role
from townlet_jax.console.errors import ConsoleError
from townlet_jax.plans import RunError
from townlet_jax.report import printable
from townlet_jax.telemetry.sinks.sentences import shown
from townlet_jax.telemetry.tokens import ADVICE, Guard, flaw_of, is_same

LOCAL = "local"  # the issuer of those who need no token


@dataclass(frozen=True)
class Caller:
    """Who asks: what they are called and what they may do."""

    issuer: str
    role: Role


@dataclass(frozen=True)
class Key:
    """A token and what it opens."""

    caller: Caller
    token: str

    def __repr__(self) -> str:
        return f"Key({self.caller})"


class Door:
    """Lets callers in: by token where the configuration says so, else as viewers, or admins of a local session."""

    def __init__(self, auth: ConsoleAuth, *, is_admin: bool, environment: Mapping[str, str] = os.environ) -> None:
        listed = auth.tokens if auth.enabled else ()
        self._keys = [_key(token, environment) for token in listed]
        self._is_open = not auth.enabled
        self._free = Caller(LOCAL, "admin" if is_admin else "viewer") if self._is_open else None
        if auth.enabled and not auth.require_auth_for_viewer:
            self._free = Caller(LOCAL, "viewer")
        if auth.enabled and not self._keys and self._free is None:
            raise RunError("console.auth is enabled but lists no tokens, so nobody could come in; add one.")
        self._guard = Guard()

    @property
    def has_keys(self) -> bool:
        """Say whether anybody comes in by a token."""
        return bool(self._keys)

    def caller(self, token: str | None, address: str) -> Caller:
        """Return who shows a token, or none; raises `ConsoleError`. Wrong ones are counted by address."""
        seconds = self._guard.locked_seconds(address)
        if seconds:
            raise ConsoleError("unauthorized", f"Too many wrong tokens came from here; wait {seconds} s.")
        if token is None:
            if self._free is None:
                raise ConsoleError("unauthorized", "This console asks for a token; give one.")
            return self._free
        if self._is_open and self._free is not None:
            return self._free
        found = [key.caller for key in self._keys if is_same(token, key.token)]  # every key is compared
        if not found:
            self._guard.note_wrong(address)
            raise ConsoleError("unauthorized", "The token is wrong.")
        return found[0]


def _key(token: Token, environment: Mapping[str, str]) -> Key:
    """Return a key with its secret; raises `RunError` if that is missing or weak."""
    where = f"console.auth.tokens, '{printable(token.label)}'"
    if (token.token is None) == (token.token_env is None):
        raise RunError(f"{where}: give either token or token_env.")
    found = token.token or environment.get(str(token.token_env), "").strip()
    if not found:
        raise RunError(f"{where}: the variable {shown(str(token.token_env))} holds no token; {ADVICE}.")
    flaw = flaw_of(found)
    if flaw is not None:
        raise RunError(f"{where}: the token {flaw}; {ADVICE}.")
    return Key(Caller(printable(token.label), token.role), found)
