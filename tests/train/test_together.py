"""Several devices and several processes learn what one learns, and take over each other's checkpoints."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from core.worlds import HAMLET
from hamlet import TINY

from train import logging, ppo

ON_ONE = ["ppo.minibatches=1", "--save-every", "3", "-q"]
RTOL = 1e-4  # sums in another order, through a few steps of Adam


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the settings of a tiny run in which all towns are one minibatch."""
    made = tmp_path_factory.mktemp("together")
    town = made / "hamlet.yaml"
    town.write_text(yaml.safe_dump(HAMLET | {"spec": {"num_agents": 6}, "perturbations": {"specs": {}}}))
    chosen = TINY | {"town": {"config": str(town), "horizon": 6}, "towns": 8, "steps": 4, "updates": 6}
    (made / "train.yaml").write_text(yaml.safe_dump(chosen))
    return made


def start(root: Path, folder: Path, devices: int, *words: str) -> "subprocess.Popen[str]":
    """Start a training process with a number of devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-m", "train.ppo", str(folder / "train.yaml"), *words, *ON_ONE],
        cwd=root,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(*started: "subprocess.Popen[str]") -> list[tuple[int, str, str]]:
    """Wait for processes; return exit code, stdout and stderr of each."""
    try:
        said = [process.communicate(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
    return [(process.returncode, *words) for process, words in zip(started, said, strict=True)]


def pair(root: Path, folder: Path, *words: str) -> list[tuple[int, str, str]]:
    """Run two processes with two devices each."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    meeting = ["--distributed", "--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--wait", "120"]
    return finish(*(start(root, folder, 2, *words, *meeting, "--process", str(which)) for which in (0, 1)))


def log(out: Path) -> list[dict[str, Any]]:
    """Return the log without what the clock decides."""
    lines = (out / logging.FILE).read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "agent_steps_per_s")} for line in lines]


def demand_alike(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Assert that two logs say the same but for the last digits."""
    assert [line["update"] for line in found] == [line["update"] for line in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        for name in other:
            np.testing.assert_allclose(one[name], other[name], rtol=RTOL, atol=RTOL, err_msg=name)


def test_processes_and_devices_learn_what_one_device_learns(root: Path, folder: Path) -> None:
    alone, eight, two = (folder / name for name in ("alone", "eight", "two"))
    assert [code for code, _, _ in finish(start(root, folder, 1, "--out", str(alone)))] == [0]
    assert [code for code, _, _ in finish(start(root, folder, 8, "--out", str(eight)))] == [0]
    first, second = pair(root, folder, "--out", str(two), "--json")
    assert (first[0], second[0]) == (0, 0), (first[2], second[2])
    summary = json.loads(first[1].splitlines()[-1])
    assert (summary["updates"], summary["devices"]) == (6, 4)
    assert "update" not in second[1], "only the first process speaks"
    wanted = log(alone)
    assert len(wanted) == 6
    demand_alike(log(eight), wanted)
    demand_alike(log(two), wanted)
    assert sorted(path.name for path in (two / "checkpoints").iterdir() if path.name.isdigit()) == ["3", "6"]


@pytest.mark.slow
def test_a_run_goes_on_with_other_processes_and_devices(root: Path, folder: Path) -> None:
    alone, moved = folder / "alone-long", folder / "moved"
    assert finish(start(root, folder, 1, "--out", str(alone), "updates=9", "ppo.anneal=false"))[0][0] == 0
    assert [code for code, _, _ in pair(root, folder, "updates=3", "--out", str(moved))] == [0, 0]
    (one,) = finish(start(root, folder, 1, "updates=6", "--out", str(moved), "--resume"))
    assert one[0] == 0, one[2]
    assert [code for code, _, _ in pair(root, folder, "updates=9", "--out", str(moved), "--resume")] == [0, 0]
    same = [{k: v for k, v in line.items() if k != "entropy_weight"} for line in log(moved)]
    demand_alike(same, [{k: v for k, v in line.items() if k != "entropy_weight"} for line in log(alone)])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--process", "0"], "--process is for several processes; add --distributed"),
        (["--distributed", "--process", "0"], "--coordinator is missing"),
        (
            ["--distributed", "--coordinator", "here", "--processes", "2", "--process", "0"],
            "--coordinator must be HOST:PORT",
        ),
        (
            ["--distributed", "--coordinator", "localhost:1", "--processes", "2", "--process", "2"],
            "--process is 2, but must be 0 to 1",
        ),
        (["--distributed", "--coordinator", "localhost:1", "--processes", "0", "--process", "0"], "--processes is 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ppo.main([str(folder / "train.yaml"), *words]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: ")
    assert sentence in said
