"""From configuration to running channels. What cannot work is said before a run; what may work later is tried on.

Owns which keys of the configuration belong to which kind of sink.
"""

import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.channel import Channel
from townlet_jax.telemetry.sinks.contracts import Sink, SinkError
from townlet_jax.telemetry.sinks.files import FileSink, MemorySink, StdoutSink
from townlet_jax.telemetry.sinks.http import HttpSink
from townlet_jax.telemetry.sinks.meters import PrometheusSink, TensorboardSink
from townlet_jax.telemetry.sinks.parquet import ParquetSink
from townlet_jax.telemetry.sinks.sentences import shown
from townlet_jax.telemetry.sinks.targets import sink_of
from townlet_jax.telemetry.sinks.tcp import TcpSink
from townlet_jax.telemetry.sinks.websocket import WebsocketSink
from townlet_jax.telemetry.tokens import VARIABLE, token_from

if TYPE_CHECKING:
    from townlet_jax.config.schema import shell

MEMORY_RECORDS = 100_000  # that a memory sink of the configuration keeps
FILE = ("rotate_bytes", "keep_files")
REMOTE = ("ca", "token_env", "token_file")
NEEDED = {
    "file": ("path",),
    "jsonl": ("path",),
    "parquet": ("path",),
    "tcp": ("host", "port"),
    "http": ("url",),
    "websocket": ("url",),
    "tensorboard": ("path",),
}
ALLOWED = {
    "file": FILE,
    "jsonl": FILE,
    "tcp": ("allow_plaintext", *REMOTE),
    "http": REMOTE,
    "websocket": REMOTE,
    "prometheus": ("path", "host", "port"),
}


def open_channels(
    section: "shell.TelemetrySection", extra: Sequence[str] = (), *, say: Callable[[str], None] = lambda _: None
) -> list[Channel]:
    """Open every sink of the configuration, and those named by strings.

    Raises `SinkError` for the first one that cannot work, with everything closed again. One that cannot be reached now
    is told to `say`, and tried again while the run goes on.
    """
    wanted = [(f"telemetry.sinks[{index}]", sink) for index, sink in enumerate(section.sinks)]
    wanted += [(f"sink {shown(text)}", sink_of(text)) for text in extra]
    sinks = [sink_from(keys, where) for where, keys in wanted]
    _demand_different(sinks)
    channels: list[Channel] = []
    try:
        for sink in sinks:
            trouble = _opened(sink)
            if trouble is not None:
                say(f"{str(trouble).rstrip('.')}; records wait meanwhile, and it is tried again.")
            channels.append(Channel(sink, section.buffer, trouble=trouble))
    except SinkError:
        for channel in channels:
            channel.close()
        raise
    return channels


def sink_from(keys: "shell.Sink", where: str) -> Sink:
    """Make a sink, not opened yet; raises `SinkError` if keys are missing, or do not belong to its kind."""
    _demand_keys(keys, where)
    path = Path(keys.path).expanduser() if keys.path is not None else Path()
    match keys.kind:
        case "stdout":
            return StdoutSink()
        case "memory":
            return MemorySink(MEMORY_RECORDS)
        case "file" | "jsonl":
            return FileSink(path, rotate_bytes=keys.rotate_bytes, keep=keys.keep_files)
        case "parquet":
            return ParquetSink(path)
        case "tensorboard":
            return TensorboardSink(path)
        case "prometheus":
            target = path if keys.path is not None else None
            return PrometheusSink(target, host=keys.host or "127.0.0.1", port=keys.port)
        case "tcp":
            context = None if keys.allow_plaintext else _context(keys)
            return TcpSink(keys.host or "", keys.port or 0, _token(keys) or "", context)
        case "http":
            return HttpSink(keys.url or "", _token(keys), _context(keys))
        case "websocket":
            return WebsocketSink(keys.url or "", _token(keys), _context(keys))


def _demand_keys(keys: "shell.Sink", where: str) -> None:
    """Raise `SinkError` unless exactly the keys of the kind are given."""
    needed = NEEDED.get(keys.kind, ())
    missing = [name for name in needed if getattr(keys, name) is None]
    if keys.kind == "prometheus" and keys.path is None and keys.port is None:
        missing = ["path or port"]
    if missing:
        raise SinkError(f"{where} of kind {keys.kind} needs {' and '.join(missing)}; add it.", lasting=True)
    known = {"kind", *needed, *ALLOWED.get(keys.kind, ())}
    foreign = sorted(keys.model_fields_set - known)
    if foreign:
        raise SinkError(f"{where} of kind {keys.kind} has no use for {', '.join(foreign)}; delete it.", lasting=True)


def _context(keys: "shell.Sink") -> ssl.SSLContext:
    return network.client_context(Path(keys.ca).expanduser() if keys.ca is not None else None)


def _token(keys: "shell.Sink") -> str | None:
    """Return the token of a sink; one for the web may go without, unless a place is named."""
    is_named = keys.token_env is not None or keys.token_file is not None
    if keys.kind != "tcp" and not is_named and VARIABLE not in os.environ:
        return None
    file = Path(keys.token_file).expanduser() if keys.token_file is not None else None
    return token_from(variable=keys.token_env, file=file)


def _demand_different(sinks: Sequence[Sink]) -> None:
    names = [sink.name for sink in sinks]
    for name in names:
        if names.count(name) > 1:
            raise SinkError(f"The sink {name} is given twice; delete one.", lasting=True)


def _opened(sink: Sink) -> SinkError | None:
    """Open a sink; raises `SinkError` if that can never work, returns it if it may work later."""
    try:
        sink.open()
    except SinkError as error:
        sink.close()
        if error.lasting:
            raise
        return error
    return None
