"""A program that saves, deletes and starts until it is killed, again and again. Run by `test_kills`.

    python -m tests.snapshots.victim FOLDER SEED

It loads everything once and then forks a life for each line it reads: the life saves rising steps and writes each into
FOLDER/acknowledged when the store says that it is safe. At a random moment it is killed with SIGKILL.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from townlet_jax.snapshots import Store

LONGEST = 0.8  # seconds of a life


def tree(step: int) -> dict[str, Any]:
    """Return a tree that says in every number which step it is; sizes differ, so that moments do."""
    return {"number": np.full(7, step, np.int64), "bulk": np.full(200_000 * (1 + step % 5), step, np.int32)}


def live(folder: Path) -> None:
    """Save without end; the newest only is kept, so that every save deletes."""
    acknowledged = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Store(folder / "store", identity=None, keep_latest=1) as store:
        newest = store.latest()
        if newest is not None:
            newest = store.restore(tree(newest)).manifest.step
        while True:
            newest = 0 if newest is None else newest + 1
            store.save(newest, tree(newest))
            store.wait()
            os.write(acknowledged, f"{newest}\n".encode())


def main() -> None:
    """Fork, wait a random time, kill; then say so and wait to be asked for another life."""
    folder, draw = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    assert ocp.CheckpointManager, "loaded before the fork, so that lives are short"
    for _ in sys.stdin:
        life = os.fork()
        if life == 0:
            live(folder)
        time.sleep(draw.uniform(0, LONGEST))
        os.kill(life, signal.SIGKILL)
        _, status = os.waitpid(life, 0)
        sys.stdout.write(f"{os.WTERMSIG(status) if os.WIFSIGNALED(status) else status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
