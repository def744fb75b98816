"""Files of JSON lines: whole lines, whatever happened before."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from wires import limits, record

from townlet_jax.telemetry.sinks import Channel, FileSink, SinkError, StdoutSink
from townlet_jax.telemetry.sinks.lines import LineFile


def sequences(path: Path) -> list[int]:
    return [json.loads(line)["sequence"] for line in path.read_bytes().splitlines()]


def test_records_are_appended_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    for start in (0, 3):
        sink = FileSink(path)
        sink.open()
        sink.write([record(start + offset) for offset in range(3)])
        sink.close()
    assert sequences(path) == [0, 1, 2, 3, 4, 5]
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (b'{"sequence": 0}\n{"sequence": 1', [0]),
        (b'{"sequence": 0}\n{"sequence": 1}', [0, 1]),  # only the newline was missing
        (b'{"sequence": 0}\n', [0]),
        (b'{"seq', []),
        (b"", []),
        (b'{"sequence": 0}\n{"sequence": 1, "pad": "' + b"x" * 200_000, [0]),
    ],
)
def test_a_half_line_is_never_glued_to_a_record(tmp_path: Path, before: bytes, kept: list[int]) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(before)
    sink = FileSink(path)
    sink.open()
    sink.write([record(7)])
    sink.close()
    assert sequences(path) == [*kept, 7]


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(b"shopping: milk")
    with pytest.raises(SinkError, match="exists and holds no JSON lines; give another file"):
        FileSink(path).open()
    assert path.read_bytes() == b"shopping: milk"


def test_files_rotate_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    channel = _opened(FileSink(path, rotate_bytes=1000, keep=2))
    for sequence in range(40):
        channel.put(record(sequence, size=100))
        time.sleep(0.001)
    channel.close()
    files = [path, tmp_path / "run.jsonl.1", tmp_path / "run.jsonl.2"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    found = [sequences(file) for file in files]
    together = [sequence for part in reversed(found) for sequence in part]
    assert together == list(range(together[0], 40))
    assert all(file.stat().st_size <= 1000 for file in files)
    assert all(len(part) > 2 for part in found[1:])


def _opened(sink: FileSink) -> Channel:
    sink.open()
    return Channel(sink, limits(max_batch=1, max_bytes=1_000_000))


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first, second = FileSink(path), FileSink(path)
    first.open()
    with pytest.raises(SinkError, match="is being written by another process; give another file"):
        second.open()
    first.write([record(0)])
    first.close()
    second.open()
    second.write([record(1)])
    second.close()
    assert sequences(path) == [0, 1]


@pytest.mark.parametrize("place", ["missing/run.jsonl", "folder", "file/run.jsonl", "bad\0name.jsonl"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"cannot be written \(.*\); give a file in a folder that can be\.") as refusal:
        FileSink(tmp_path / place).open()
    assert refusal.value.lasting
    assert "\n" not in str(refusal.value)


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(SinkError, match="is no file; give the name of a file"):
        FileSink(tmp_path / "pipe.jsonl").open()


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """Half of a batch that did not fit is taken back, so that the batch can be offered again."""
    file = LineFile(tmp_path / "run.jsonl")
    file.open()
    file.append([b'{"sequence": 0}'])
    script = f"""
import resource, signal, sys
from pathlib import Path
from townlet_jax.telemetry.sinks.lines import LineFile
from townlet_jax.telemetry.sinks import SinkError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
file = LineFile(Path({str(tmp_path / "full.jsonl")!r}))
file.open()
file.append([b'{{"sequence": 0}}'])
try:
    file.append([b'{{"sequence": 1}}', b'{{"sequence": 2, "pad": "' + b"x" * 200 + b'"}}'])
except SinkError as error:
    print(error)
file.append([b'{{"sequence": 3}}'])
file.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert os.strerror(errno.EFBIG) in done.stdout
    assert sequences(tmp_path / "full.jsonl") == [0, 3]
    file.close()


def test_stdout_gets_lines_after_what_was_printed(capfd: pytest.CaptureFixture[str]) -> None:
    print("first")
    sink = StdoutSink()
    sink.open()
    sink.write([record(0), record(1)])
    sink.close()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "first"
    assert [json.loads(line)["sequence"] for line in lines[1:]] == [0, 1]
