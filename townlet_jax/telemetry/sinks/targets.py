"""Sinks as people write them on a command line, turned into what stands in a configuration.

`run.jsonl`, `run.parquet`, `-` (standard output), `tcp://HOST:PORT`, `https://…`, `wss://…`, `tensorboard:FOLDER` and
`prometheus:FILE`. After `tcp://HOST:PORT` options may follow, `?ca=FILE&token_env=NAME&allow_plaintext=true`.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from townlet_jax.telemetry.sinks.contracts import SinkError
from townlet_jax.telemetry.sinks.sentences import reason, shown

if TYPE_CHECKING:
    from townlet_jax.config.schema.shell import Sink

FORMS = "FILE.jsonl, FILE.parquet, -, tcp://HOST:PORT, https://…, wss://…, tensorboard:FOLDER or prometheus:FILE"
SUFFIXES = {".jsonl": "file", ".parquet": "parquet"}
URLS = {"http": "http", "https": "http", "ws": "websocket", "wss": "websocket"}
PLACES = ("tensorboard", "prometheus")
TCP_OPTIONS = ("ca", "token_env", "token_file")


def sink_of(text: str) -> "Sink":
    """Return the configuration that a string stands for; raises `SinkError`."""
    from pydantic import ValidationError

    from townlet_jax.config.schema.shell import Sink

    try:
        return Sink(**_keys(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SinkError(f"The sink {shown(text)} cannot be used ({where}: {first['msg']}).", lasting=True) from error


def _keys(text: str) -> dict[str, Any]:
    if text == "-":
        return {"kind": "stdout"}
    scheme, _, rest = text.partition(":")
    if rest.startswith("//"):
        if scheme in URLS:
            return {"kind": URLS[scheme], "url": text}
        if scheme == "tcp":
            return _tcp(text)
    elif scheme in PLACES and rest:
        return {"kind": scheme, "path": rest}
    for suffix, kind in SUFFIXES.items():
        if text.endswith(suffix) and len(text) > len(suffix) and "://" not in text:
            return {"kind": kind, "path": text}
    raise SinkError(f"{shown(text) or 'An empty string'} names no sink; write {FORMS}.", lasting=True)


def _tcp(text: str) -> dict[str, Any]:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise SinkError(f"The address {shown(text)} is none ({reason(error)}).", lasting=True) from error
    if not host or not port or parts.path not in ("", "/") or "@" in parts.netloc:
        raise SinkError(f"The address {_bare(parts)} is none; write tcp://HOST:PORT.", lasting=True)
    plaintext = options.pop("allow_plaintext", "false")
    unknown = [name for name in options if name not in TCP_OPTIONS]
    if unknown or plaintext not in ("true", "false"):
        raise SinkError(
            f"The address {_bare(parts)} has options that cannot be used; allowed are "
            f"{', '.join(f'{name}=…' for name in TCP_OPTIONS)} and allow_plaintext=true.",
            lasting=True,
        )
    return {"kind": "tcp", "host": host, "port": port, "allow_plaintext": plaintext == "true", **options}


def _bare(parts: SplitResult) -> str:
    """Return an address without what may be secret."""
    return shown(f"tcp://{parts.netloc.rpartition('@')[2]}")
