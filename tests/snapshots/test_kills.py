"""Killed at random moments (R1): while it saves, while it deletes, while it starts."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.snapshots.victim import tree
from townlet_jax.snapshots import Store

KILLED = 9


def survive(root: Path, folder: Path, kills: int, seed: int) -> int:
    """Kill that many lives; after each all that is listed must be whole and nothing acknowledged lost."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.snapshots.victim", str(folder), str(seed)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    with subprocess.Popen(
        command, cwd=root, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as victim:
        assert victim.stdin is not None
        assert victim.stdout is not None
        for _ in range(kills):
            victim.stdin.write("\n")
            victim.stdin.flush()
            assert int(victim.stdout.readline()) == KILLED
            look(folder)
        victim.stdin.close()
        assert victim.wait(60) == 0
    return acknowledged(folder)


def acknowledged(folder: Path) -> int:
    """Return the last step that the store called safe, -1 if there is none."""
    file = folder / "acknowledged"
    return int(file.read_text().split()[-1]) if file.exists() and file.read_text().split() else -1


def look(folder: Path) -> None:
    """Check what is left."""
    if not (folder / "store").exists():
        return
    with Store(folder / "store", identity=None, read_only=True) as store:
        steps = store.steps()
        for step in steps:
            restored = store.restore(tree(step), step=step)
            np.testing.assert_array_equal(restored.tree["number"], tree(step)["number"])
            np.testing.assert_array_equal(restored.tree["bulk"], tree(step)["bulk"])
        assert max(steps, default=-1) >= acknowledged(folder)


def test_twenty_kills(root: Path, tmp_path: Path) -> None:
    saves = survive(root, tmp_path, 20, seed=1)
    assert saves > 5
    with Store(tmp_path / "store", identity=None) as store:
        store.save(saves + 10, tree(3))
    left = sorted(path.name for path in (tmp_path / "store").iterdir() if not path.name.startswith("."))
    assert left == [str(step) for step in sorted(Store(tmp_path / "store", identity=None, read_only=True).steps())]
    assert list((tmp_path / "store" / ".trash").iterdir()) == []


@pytest.mark.slow
def test_two_hundred_kills(root: Path, tmp_path: Path) -> None:
    assert survive(root, tmp_path, 200, seed=2) > 100
