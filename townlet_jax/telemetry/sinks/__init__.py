"""Ways out for records: each sink has a bounded buffer and a thread of its own, and never slows the town."""

from townlet_jax.telemetry.sinks.channel import Channel
from townlet_jax.telemetry.sinks.contracts import Item, Sink, SinkError, Status
from townlet_jax.telemetry.sinks.exits import close_all, flushed
from townlet_jax.telemetry.sinks.files import FileSink, MemorySink, StdoutSink
from townlet_jax.telemetry.sinks.opening import open_channels

__all__ = [
    "Channel",
    "FileSink",
    "Item",
    "MemorySink",
    "Sink",
    "SinkError",
    "Status",
    "StdoutSink",
    "close_all",
    "flushed",
    "open_channels",
]
