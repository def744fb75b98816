"""Two processes and one store: saved together, restored together, and on any other number of devices."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tests.snapshots import pair
from townlet_jax.core import batch
from townlet_jax.snapshots import Store, processes


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_two_processes_share_a_store(root: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    programs = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.snapshots.pair", str(tmp_path), str(port), str(rank)],
            cwd=root,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in (0, 1)
    ]
    try:
        said = [program.communicate(timeout=60) for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.communicate()
    assert [program.returncode for program in programs] == [0, 0], said
    first, second = ((tmp_path / f"said-{rank}").read_text() for rank in (0, 1))
    assert first.startswith("Snapshot 1 was not saved, because steps must rise")
    assert second == "Another process of this run has refused it."
    mesh = batch.town_mesh(jax.devices())  # eight devices of one process
    towns = batch.shard(mesh, jnp.zeros((pair.TOWNS, 3)))
    keys = batch.shard(mesh, jax.random.split(jax.random.key(0), pair.TOWNS))
    with Store(tmp_path, identity=None) as store:
        assert store.steps() == [1, 3]
        restored = store.restore({"towns": towns, "shared": jnp.zeros(5, jnp.int32), "keys": keys}).tree
    np.testing.assert_array_equal(restored["towns"], pair.whole()["towns"] + 3)
    np.testing.assert_array_equal(restored["shared"], pair.whole()["shared"])
    assert jax.random.key_data(restored["keys"][1]).tolist() == jax.random.key_data(jax.random.key(4)).tolist()


def test_one_process_talks_to_nobody() -> None:
    assert processes.is_alone()
    assert processes.is_primary()
    assert [processes.same(value) for value in (-1, 0, 10**12)] == [-1, 0, 10**12]
    assert processes.all_agree(True)
    assert not processes.all_agree(False)
