"""From configuration and strings to channels; what cannot work is one sentence before the run."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wires import OTHER_TOKEN, TOKEN, Certified, Listen, record

from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.telemetry.sinks import SinkError, close_all, open_channels
from townlet_jax.telemetry.sinks.targets import sink_of
from townlet_jax.telemetry.tokens import VARIABLE


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def section(*sinks: dict[str, Any], **buffer: Any) -> TelemetrySection:
    return TelemetrySection(sinks=sinks, buffer={"retry_backoff_seconds": 0.02, **buffer})


def test_sinks_of_the_configuration_and_of_strings(
    tmp_path: Path, certified: Certified, capfd: pytest.CaptureFixture[str]
) -> None:
    with Listen(certified.server()) as listen:
        tcp = {"kind": "tcp", "host": "localhost", "port": listen.port, "ca": str(certified.ca)}
        channels = open_channels(
            section({"kind": "file", "path": str(tmp_path / "a.jsonl")}, {"kind": "memory"}, tcp),
            [str(tmp_path / "b.jsonl"), "-", f"prometheus:{tmp_path / 'c.prom'}", str(tmp_path / "d.parquet")],
        )
        assert [channel.status().connected for channel in channels] == [True] * 7
        for channel in channels:
            channel.put(record(0))
        close_all(channels)
        assert [channel.status().sent for channel in channels] == [1] * 7
        assert listen.sequences == [0]
    for name in ("a.jsonl", "b.jsonl"):
        assert json.loads((tmp_path / name).read_text())["sequence"] == 0
    assert json.loads(capfd.readouterr().out)["sequence"] == 0
    assert "townlet_measures_tick" in (tmp_path / "c.prom").read_text()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("-", {"kind": "stdout"}),
        ("out/run.jsonl", {"kind": "file", "path": "out/run.jsonl"}),
        ("run.parquet", {"kind": "parquet", "path": "run.parquet"}),
        ("tcp://town.example:7411", {"kind": "tcp", "host": "town.example", "port": 7411}),
        ("tcp://[::1]:7411?allow_plaintext=true&token_env=MINE",
         {"kind": "tcp", "host": "::1", "port": 7411, "allow_plaintext": True, "token_env": "MINE"}),
        ("https://town.example/in?x=1", {"kind": "http", "url": "https://town.example/in?x=1"}),
        ("wss://town.example/in", {"kind": "websocket", "url": "wss://town.example/in"}),
        ("tensorboard:out/board", {"kind": "tensorboard", "path": "out/board"}),
        ("prometheus:town.prom", {"kind": "prometheus", "path": "town.prom"}),
    ],
)  # fmt: skip
def test_strings(text: str, keys: dict[str, Any]) -> None:
    found = sink_of(text).model_dump()
    assert {key: found[key] for key in keys} == keys


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "An empty string names no sink; write FILE.jsonl"),
        ("run.csv", "run.csv names no sink"),
        (".jsonl", "names no sink"),
        ("udp://a:1", "names no sink"),
        ("tensorboard:", "names no sink"),
        ("tcp://town.example", "write tcp://HOST:PORT"),
        ("tcp://town.example:0", "write tcp://HOST:PORT"),
        ("tcp://town.example:99999", "Port out of range"),
        ("tcp://me:secret@town.example:1", "The address tcp://town.example:1 is none"),
        ("tcp://town.example:1?token=secret", "has options that cannot be used; allowed are ca=…"),
        ("tcp://town.example:1?allow_plaintext=yes", "has options that cannot be used"),
        ("tcp://town.example:1?x", "is none"),
        ("x" * 2000 + ".jsonl", "cannot be used (path:"),
    ],
)
def test_strings_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(SinkError) as refusal:
        open_channels(section(), [text])
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "file"}, "telemetry.sinks[0] of kind file needs path; add it."),
        ({"kind": "tcp", "host": "a"}, "telemetry.sinks[0] of kind tcp needs port; add it."),
        ({"kind": "prometheus"}, "telemetry.sinks[0] of kind prometheus needs path or port; add it."),
        ({"kind": "stdout", "path": "x"}, "telemetry.sinks[0] of kind stdout has no use for path; delete it."),
        ({"kind": "parquet", "path": "x", "rotate_bytes": 5000}, "of kind parquet has no use for rotate_bytes"),
        ({"kind": "file", "path": "/nowhere/at/all.jsonl"}, "cannot be written (No such file or directory)"),
        ({"kind": "tensorboard", "path": "/dev/null/board"}, "cannot be written (Not a directory)"),
        ({"kind": "prometheus", "path": "/nowhere/town.prom"}, "cannot be written (No such file or directory)"),
        ({"kind": "tcp", "host": "a", "port": 1, "ca": "/nowhere.pem"}, "The CA file /nowhere.pem cannot be used"),
        ({"kind": "tcp", "host": "a", "port": 1, "token_env": "NOT_THERE"}, "There is no token in the environment"),
        ({"kind": "http", "url": "https://a/", "token_file": "/nowhere"}, "The token in the file /nowhere cannot be"),
        ({"kind": "tcp", "host": "10.0.0.1", "port": 1, "allow_plaintext": True}, "is not this host"),
        ({"kind": "websocket", "url": "ws://10.0.0.1/"}, "is not this host"),
    ],
)
def test_configurations_that_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(SinkError) as refusal:
        open_channels(section(keys))
    assert said in str(refusal.value)


def test_a_ca_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(
        SinkError, match=r"The CA file .*ca\.pem cannot be used \(.*\); give certificates in PEM form\."
    ):
        open_channels(section({"kind": "tcp", "host": "localhost", "port": 1, "ca": str(tmp_path / "ca.pem")}))


def test_an_endpoint_that_is_not_there_is_said_and_tried_again(certified: Certified) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    said: list[str] = []
    tcp = {"kind": "tcp", "host": "127.0.0.1", "port": port, "ca": str(certified.ca)}
    (channel,) = open_channels(section(tcp, retry_attempts=0), say=said.append)
    assert said == [
        f"127.0.0.1:{port} cannot be reached (Connection refused); start what should listen there; "
        "records wait meanwhile, and it is tried again."
    ]
    channel.put(record(0))
    assert not channel.status().connected
    with Listen(certified.server(), port=port) as listen:
        channel.close(5)
        assert listen.sequences == [0]
    assert channel.status().dropped == 0


def test_a_name_nobody_knows_is_said(certified: Certified) -> None:
    said: list[str] = []
    channels = open_channels(section({"kind": "tcp", "host": "no-town.invalid", "port": 1}), say=said.append)
    assert said[0].startswith("There is no host no-town.invalid (")
    close_all(channels, 0.2)


def test_a_bad_certificate_and_a_wrong_token_are_refused_and_the_rest_is_closed(
    tmp_path: Path, certified: Certified, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.jsonl"
    with Listen(certified.server()) as listen:
        tcp = {"kind": "tcp", "host": "localhost", "port": listen.port}
        with pytest.raises(SinkError, match="is not trusted"):
            open_channels(section({"kind": "file", "path": str(path)}, tcp))
        monkeypatch.setenv(VARIABLE, OTHER_TOKEN)
        with pytest.raises(SinkError, match="wrong token"):
            open_channels(section({"kind": "file", "path": str(path)}, {**tcp, "ca": str(certified.ca)}))
    open_channels(section({"kind": "file", "path": str(path)}))[0].close()  # nobody holds it


def test_the_same_sink_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"The sink file .*run\.jsonl is given twice; delete one"):
        open_channels(section({"kind": "file", "path": str(tmp_path / "run.jsonl")}), [str(tmp_path / "run.jsonl")])


def test_a_missing_extra_is_one_sentence_and_jax_is_never_needed(root: Path, tmp_path: Path) -> None:
    script = f"""
import sys
for name in ("pyarrow", "tensorboardX", "prometheus_client", "websockets"):
    sys.modules[name] = None
from townlet_jax.config.schema.shell import TelemetrySection
from townlet_jax.telemetry.sinks import SinkError, open_channels
for target in ("a.parquet", "tensorboard:b", "prometheus:c.prom", "ws://127.0.0.1:1/"):
    try:
        open_channels(TelemetrySection(), [target])
    except SinkError as error:
        print(error)
open_channels(TelemetrySection(), [{str(tmp_path / "d.jsonl")!r}])[0].close()
assert "jax" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{what} needs the package {package}, which is not installed; pip install 'townlet_jax[{extra}]'."
        for what, package, extra in (
            ("Parquet", "pyarrow", "parquet"),
            ("TensorBoard", "tensorboardX", "tensorboard"),
            ("Prometheus", "prometheus_client", "prometheus"),
            ("A websocket", "websockets", "web"),
        )
    ]
