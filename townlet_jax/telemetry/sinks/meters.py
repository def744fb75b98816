"""The newest figures where people watch them: TensorBoard curves, Prometheus gauges."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from townlet_jax.telemetry.sinks import network
from townlet_jax.telemetry.sinks.contracts import Item, SinkError
from townlet_jax.telemetry.sinks.flat import record_of, scalars
from townlet_jax.telemetry.sinks.sentences import extra, reason, shown

ENVELOPE = frozenset({"schema_version", "payload_type", "run_id", "sequence"})
KINDS = ("measures", "health")
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


class TensorboardSink:
    """Writes the numbers of measures records as curves over ticks; the tags are their paths, `kpis/need_mean/p50`."""

    def __init__(self, folder: Path) -> None:
        self.name = f"tensorboard {shown(folder)}"
        self._folder = folder
        self._library = extra("tensorboardX", "tensorboard", "TensorBoard")
        self._writer: Any = None

    def open(self) -> None:
        """Begin an event file in the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = self._library.SummaryWriter(logdir=str(self._folder))
        except (OSError, ValueError) as error:
            raise SinkError(f"{self.name} cannot be written ({reason(error)}); give a folder.", lasting=True) from error

    def write(self, items: Sequence[Item]) -> None:
        """Add the figures of each measures record."""
        try:
            for item in items:
                if item.kind == "measures":
                    for path, value in figures(record_of(item)):
                        self._writer.add_scalar(path.replace(".", "/"), value, global_step=item.tick)
            self._writer.flush()
        except OSError as error:
            raise SinkError(f"{self.name} cannot be written ({reason(error)}); make room.") from error

    def close(self) -> None:
        """Finish the event file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


class PrometheusSink:
    """Shows the newest numbers of measures and health records: in a file, at an HTTP port of this host, or both.

    A gauge is named by its path, `townlet_measures_kpis_need_mean_p50`, and labelled with the run.
    """

    def __init__(self, path: Path | None = None, *, host: str = "127.0.0.1", port: int | None = None) -> None:
        if port is not None and not network.is_local(host):
            raise SinkError(
                f"prometheus {network.place(host, port)} is not this host, and its port has no TLS; use a local host, "
                "and a proxy in front of it.",
                lasting=True,
            )
        self.name = f"prometheus {shown(path) if path is not None else network.place(host, port or 0)}"
        self._path, self._host, self._port = path, host, port
        self._library = extra("prometheus_client", "prometheus", "Prometheus")
        self._families = extra("prometheus_client.core", "prometheus", "Prometheus")
        self._registry = self._library.CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._newest: dict[str, dict[str, float]] = {}
        self._run = ""
        self._server: Any = None

    def collect(self) -> list[Any]:
        """Return the gauges; called by the library for each reading."""
        gauges = []
        for kind, values in list(self._newest.items()):
            for path, value in values.items():
                name = "townlet_" + NOT_IN_NAMES.sub("_", f"{kind}_{path}")
                gauge = self._families.GaugeMetricFamily(name, f"{path} of {kind} records", labels=["run_id"])
                gauge.add_metric([self._run], value)
                gauges.append(gauge)
        return gauges

    def open(self) -> None:
        """Write the file once, and listen."""
        self._publish()
        if self._port is None:
            return
        try:
            self._server, _ = self._library.start_http_server(self._port, self._host, self._registry)
        except (OSError, ValueError) as error:
            raise SinkError(
                f"prometheus cannot listen at {network.place(self._host, self._port)} ({reason(error)}); choose "
                "another port.",
                lasting=True,
            ) from error

    def write(self, items: Sequence[Item]) -> None:
        """Take the newest figures of each kind."""
        for item in items:
            if item.kind in KINDS:
                record = record_of(item)
                self._run = str(record.get("run_id", ""))
                self._newest[item.kind] = dict(figures(record))
        self._publish()

    def close(self) -> None:
        """Stop listening; the file stays."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _publish(self) -> None:
        """Replace the file, whole or not at all."""
        if self._path is None:
            return
        try:
            self._library.write_to_textfile(str(self._path), self._registry)
        except (OSError, ValueError) as error:
            raise SinkError(
                f"{self.name} cannot be written ({reason(error)}); give a file in a folder that can be.", lasting=True
            ) from error


def figures(record: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the numbers of a record, without what only says which record it is."""
    return list(scalars({key: value for key, value in record.items() if key not in ENVELOPE}))
