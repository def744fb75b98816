"""Addresses of web services: which ones records may go to, and what is shown of them."""

from urllib.parse import SplitResult, urlsplit

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.sentences import reason, shown

PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
SECURE = frozenset({"https", "wss"})
NOT_ALLOWED = frozenset({401, 403, 407})  # answers about the token


def parsed(url: str, schemes: tuple[str, ...]) -> SplitResult:
    """Take an address apart; raises `SinkError` if records must not, or cannot, go there."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SinkError(f"The address {shown(url)} is none ({reason(error)}).", lasting=True) from error
    if parts.scheme not in schemes or not host or not url.isascii() or not url.isprintable() or " " in url:
        allowed = " or ".join(f"{scheme}://HOST:PORT/PATH" for scheme in schemes)
        raise SinkError(f"The address {shown(url)} is none; write {allowed}.", lasting=True)
    if parts.username is not None or parts.password is not None:
        raise SinkError(f"The address of {host} holds a password; put a token into token_env instead.", lasting=True)
    if parts.scheme not in SECURE and not network.is_local(host):
        raise SinkError(
            f"{name_of(parts)} is not this host, and {parts.scheme} without TLS goes to this host only; use "
            f"{parts.scheme}s.",
            lasting=True,
        )
    return parts._replace(fragment="")


def host_and_port(url: SplitResult) -> tuple[str, int]:
    """Return where an address is."""
    return url.hostname or "", url.port or PORTS[url.scheme]


def name_of(url: SplitResult) -> str:
    """Return an address for messages, without its query, which may hold secrets."""
    return shown(url._replace(query="", fragment="").geturl())


def bearer(token: str | None) -> dict[str, str]:
    """Return the header that carries a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}
