"""Reaching another host: connections, TLS 1.3, and what their failures mean. Plaintext goes to this host only."""

import ipaddress
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.sentences import reason, shown

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0


def is_local(host: str) -> bool:
    """Say whether a host is this one, by its name or its address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def place(host: str, port: int) -> str:
    """Write an address as it stands in a URL."""
    return shown(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def client_context(ca: Path | None) -> ssl.SSLContext:
    """Return TLS 1.3 that checks certificate and host name, against `ca` alone where one is given."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        raise SinkError(
            f"The CA file {shown(ca or '')} cannot be used ({reason(error)}); give certificates in PEM form.",
            lasting=True,
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return TLS 1.3 for a server with this certificate."""
    for path, what in ((certificate, "certificate"), (key, "key")):
        try:
            path.read_bytes()
        except (OSError, ValueError) as error:
            raise SinkError(f"The {what} {shown(path)} cannot be read ({reason(error)}).", lasting=True) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise SinkError(
            f"The certificate {shown(certificate)} and the key {shown(key)} cannot be used ({reason(error)}); give a "
            "chain and its own unencrypted key in PEM form.",
            lasting=True,
        ) from error
    return context


def _no_password() -> NoReturn:
    raise ValueError("the key is encrypted")


def connect(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Connect to a host, with TLS unless `context` is None; raises `SinkError`. One thread may use it at a time."""
    connection = reach(host, port, is_secured=context is not None)
    if context is None:
        return connection
    where = place(host, port)
    try:
        secured = context.wrap_socket(connection, server_hostname=host)
    except ssl.SSLError as error:
        connection.close()
        raise distrusted(where, error) from error
    except OSError as error:
        connection.close()
        raise SinkError(f"{where} did not set up TLS ({unreached(error)}); it is tried again.") from error
    secured.settimeout(ANSWER_SECONDS)
    return secured


def reach(host: str, port: int, *, is_secured: bool) -> socket.socket:
    """Connect to a host, which is this one unless TLS `is_secured` to follow; raises `SinkError`."""
    where = place(host, port)
    try:
        connection = socket.create_connection((host, port), CONNECT_SECONDS)
    except socket.gaierror as error:
        raise SinkError(f"There is no host {shown(host)} ({reason(error)}); check the name.") from error
    except (OSError, ValueError) as error:
        raise SinkError(f"{where} cannot be reached ({unreached(error)}); start what should listen there.") from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if not is_secured and not ipaddress.ip_address(connection.getpeername()[0]).is_loopback:
        connection.close()
        raise SinkError(
            f"{shown(host)} is not this host, and without TLS records go to this host only; use TLS.", lasting=True
        )
    if not is_secured:
        connection.settimeout(ANSWER_SECONDS)
    return connection


def distrusted(where: str, error: ssl.SSLError) -> SinkError:
    """Return the sentence about a TLS handshake that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = shown(error.verify_message).rstrip(".")
        return SinkError(
            f"The certificate of {where} is not trusted ({why}); check the host name, or name its CA with ca.",
            lasting=True,
        )
    why = shown((error.reason or type(error).__name__).lower().replace("_", " "))
    return SinkError(f"{where} does not speak TLS 1.3 ({why}); nothing was sent to it.", lasting=True)


def unreached(error: BaseException) -> str:
    """Return why there is no connection."""
    return "no answer in time" if isinstance(error, TimeoutError) else reason(error)


def hang_up(connection: socket.socket | None) -> None:
    """Close a connection, whatever state it is in."""
    if connection is not None:
        with suppress(OSError):
            connection.close()
