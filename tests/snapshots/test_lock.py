"""One writer, any number of readers, and no save that is lost without a word."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.snapshots.trees import IDENTITY, is_sentence
from townlet_jax.snapshots import LockedError, Store

TREE = {"value": np.zeros(4, np.int64)}


@pytest.fixture
def holder(root: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run another program that holds the store."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.snapshots.holder", str(tmp_path)]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=root, env=environment, text=True, **pipes) as other:
        yield other
        other.kill()


def test_a_second_writer_is_told_who_the_first_is(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    with pytest.raises(LockedError, match=rf"is being written by process {pid} on \S+ since 2") as refusal:
        Store(tmp_path, identity=IDENTITY)
    assert is_sentence(str(refusal.value))
    with Store(tmp_path, identity=None, read_only=True) as reader:
        np.testing.assert_array_equal(reader.restore(TREE).tree["value"], np.arange(4))
    holder.kill()
    holder.wait()
    with Store(tmp_path, identity=None) as writer:  # the kernel gave the lock back
        writer.save(2, TREE)


def test_a_program_that_ends_without_closing_its_store_says_what_it_lost(
    holder: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    _, complaint = holder.communicate("\n", timeout=60)
    sentence = f"Snapshot 2 in {tmp_path} was lost, because the program ended without closing its store."
    with Store(tmp_path, identity=None) as store:
        assert (store.steps() == [1, 2]) == (sentence not in complaint)
        assert store.verify(1).step == 1


def test_the_same_process_is_a_second_writer_too(tmp_path: Path) -> None:
    with Store(tmp_path, identity=None):
        with pytest.raises(LockedError, match=r"is being written by this process on"):
            Store(tmp_path, identity=None)
        with pytest.raises(LockedError):
            Store(f"{tmp_path}/../{tmp_path.name}", identity=None)
    with Store(tmp_path, identity=None) as again:
        assert again.steps() == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "\\u001b[31m", "host": 1, "since": 2}'])
def test_the_name_of_the_writer_is_only_a_hint(tmp_path: Path, content: str) -> None:
    with Store(tmp_path, identity=None):
        (tmp_path / ".writer.json").write_text(content)
        with pytest.raises(LockedError, match=r"is being written by (another )?process") as refusal:
            Store(tmp_path, identity=None)
    assert "\x1b" not in str(refusal.value)


def test_a_reader_is_never_wrong_while_snapshots_come_and_go(tmp_path: Path) -> None:
    seen: list[int] = []
    is_over = threading.Event()

    def read() -> None:
        with Store(tmp_path, identity=None, read_only=True) as reader:
            while not is_over.is_set():
                restored = reader.restore(TREE)
                assert restored.refused == ()
                np.testing.assert_array_equal(restored.tree["value"], np.full(4, restored.manifest.step))
                seen.append(restored.manifest.step)

    with Store(tmp_path, identity=None, keep_latest=1) as writer:
        writer.save(0, {"value": np.full(4, 0)})
        writer.wait()
        thread = threading.Thread(target=read)
        thread.start()
        for step in range(1, 16):
            writer.save(step, {"value": np.full(4, step)})
        writer.wait()
        is_over.set()
        thread.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
