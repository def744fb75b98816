"""`python -m train.ppo` with checkpoints, as processes: stopped, killed, continued, refused."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import yaml
from core.worlds import HAMLET
from hamlet import TINY

from townlet_jax import cli
from townlet_jax.snapshots import Store, sources
from townlet_jax.snapshots.reading import whole
from train import arguments, export, logging, ppo, reading, writers

CLOCKS = ["seconds", "agent_steps_per_s"]
UPDATES = 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return settings of a tiny run in a hamlet with options and time limits."""
    town = tmp_path / "hamlet.yaml"
    town.write_text(yaml.safe_dump(HAMLET | {"spec": {"num_agents": 6}, "perturbations": {"specs": {}}}))
    chosen = TINY | {"town": {"config": str(town), "horizon": 6}, "towns": 2, "steps": 4, "updates": UPDATES}
    path = tmp_path / "train.yaml"
    path.write_text(yaml.safe_dump(chosen))
    return path


def start(root: Path, *words: str) -> "subprocess.Popen[str]":
    """Start a training process."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "train.ppo", *words, "-q"]
    return subprocess.Popen(command, cwd=root, env=environment, text=True, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for a process; return its exit code and what it complained of."""
    _, complaint = process.communicate(timeout=600)
    return process.returncode, complaint


def lines(out: Path) -> list[dict[str, Any]]:
    """Return the whole lines of the log without what the clock decides."""
    path = out / logging.FILE
    found = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [{name: value for name, value in json.loads(line).items() if name not in CLOCKS} for line in found]


def content(folder: Path) -> dict[Any, bytes]:
    """Return the bytes of every array of the newest checkpoint."""
    newest = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    return {path: leaf.array.tobytes() for path, leaf in whole(folder, newest).leaves.items()}


@pytest.mark.slow
@pytest.mark.parametrize("population", [0, 2])
def test_runs_that_were_stopped_and_killed_end_like_one_that_was_not(root: Path, file: Path, population: int) -> None:
    out, words = file.parent / "whole", [str(file), f"--population={population}", "--save-every", "3"]
    assert finish(start(root, *words, "--out", str(out), "--log", "parquet")) == (0, "")
    cut = file.parent / "cut"
    again = [*words, "--out", str(cut), "--log", "parquet", "--resume", "auto"]
    for number, (asked, code) in enumerate(
        [(signal.SIGTERM, 143), (signal.SIGKILL, -9), (signal.SIGINT, 130)], start=1
    ):
        process = start(root, *again)
        while len(lines(cut)) < (10 * number) * max(1, population) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(asked)
        began = time.monotonic()
        assert finish(process) == (code, "")
        assert time.monotonic() - began < 30
        if asked != signal.SIGKILL:
            done = lines(cut)[-1]["update"] + 1
            with Store(cut / "checkpoints", identity=None, read_only=True) as store:
                assert store.latest() == done
    assert finish(start(root, *again)) == (0, "")
    assert lines(cut) == lines(out)
    assert [line["update"] for line in lines(cut)[:: max(1, population)]] == list(range(UPDATES))
    tables = [pyarrow.parquet.read_table(folder / writers.PARQUET).drop_columns(CLOCKS) for folder in (cut, out)]
    assert tables[0].equals(tables[1])
    assert tables[0].num_rows == len(lines(out))
    assert content(cut / "checkpoints") == content(out / "checkpoints")
    said = json.loads((cut / ppo.SUMMARY).read_text())
    assert said["updates"] == UPDATES
    assert said["began_after"] > 0
    if population:
        assert export.main([str(cut), str(cut / "policy.safetensors")]) == 2
        one, other = (sources.read(f"{cut}#{member}") for member in range(2))
        assert one.parameters["policy"]["kernel"].shape == other.parameters["policy"]["kernel"].shape
        assert not np.array_equal(one.parameters["policy"]["kernel"], other.parameters["policy"]["kernel"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--resume"], "--resume needs to know where"),
        (["--resume", "{}/nowhere"], "There is nothing at"),
        (["--resume", "--checkpoints", "{}/none"], "There are no checkpoints in"),
        (["--resume", "--init-from", "x"], "both say what to begin with"),
        (["--save-every", "5"], "--save-every needs a folder"),
        (["--save-every", "0", "--out", "{}/out"], "--save-every is 0, but must be 1 or more"),
        (["--keep", "0"], "--keep is 0, but must be 1 or more"),
        (["--keep-best", "most:loss"], "must be a figure of the log, min:FIGURE or max:FIGURE"),
        (["--log", "csv"], "--log is 'csv'"),
        (["--checkpoints", "{}/train.yaml"], "is a file, but a store is a folder"),
    ],
)
def test_wrong_wishes_are_refused_in_one_sentence(
    words: list[str], said: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ppo.main([str(file), *(word.format(file.parent) for word in words)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_second_writer_is_refused(root: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del root
    with Store(file.parent / "busy", identity=None):
        assert ppo.main([str(file), "--checkpoints", str(file.parent / "busy")]) == 2
    assert "is being written by this process" in capsys.readouterr().err


def commands(root: Path) -> list[list[str]]:
    """Return the command lines of the page on training."""
    blocks = re.findall(r"```sh\n(.*?)```", (root / "docs/training.md").read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.strip().splitlines()]


def test_command_lines_of_the_page_are_understood(root: Path) -> None:
    understood = {"train.ppo": 0, "train.export": 0, "townlet": 0}
    for words in commands(root):
        if words[:2] == ["python", "-m"] and words[2] == "train.ppo":
            given = arguments.checked(arguments.parser("ppo", "", summary="").parse_intermixed_args(words[3:]))
            reading.load(root / given.config, given.overrides)
            understood["train.ppo"] += 1
        else:
            understood["townlet" if words[0] == "townlet" else words[2]] += 1
    assert understood == {"train.ppo": 4, "train.export": 1, "townlet": 2}
    page = (root / "docs/training.md").read_text(encoding="utf-8")
    for action in arguments.parser("ppo", "", summary="")._actions:
        for option in action.option_strings:
            assert option in ("-h", "--help") or f"`{option}" in page, f"the page lacks {option}"
    for kind in writers.EXTRAS:
        assert f"| `{kind}` |" in page


@pytest.mark.slow
def test_command_lines_of_the_page_do_what_it_says(
    root: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, in a hamlet: train, stop, go on, export, evaluate."""
    monkeypatch.chdir(file.parent)
    town = yaml.safe_load(file.read_text())["town"]["config"]
    for words in commands(root):
        if words[0] == "townlet":
            asked = words[2:-4]  # without --towns and --days
            assert cli.execute(["evaluate", "--config", town, "--towns", "2", "--ticks", "12", "--json", *asked]) == 0
            told = json.loads(capsys.readouterr().out)
            assert [one["policy"] for one in told["policies"]] == asked[1::2]
        elif words[2] == "train.export":
            assert export.main(words[3:]) == 0
        elif "--save-every" in words:
            assert ppo.main([str(file), f"updates={8 if '--resume' in words else 4}", "-q", *words[4:]]) == 0
    assert json.loads(Path("runs/first", ppo.SUMMARY).read_text())["began_after"] == 4
