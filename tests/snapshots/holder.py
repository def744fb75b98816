"""A program that holds a store and then leaves without closing it. Run by `test_lock`.

python -m tests.snapshots.holder FOLDER
"""

import os
import sys
from pathlib import Path

import numpy as np

from townlet_jax.snapshots import Store


def main() -> None:
    """Save, say so, wait to be told, begin another save and end."""
    store = Store(Path(sys.argv[1]), identity=None)
    store.save(1, {"value": np.arange(4)})
    store.wait()
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    sys.stdin.readline()
    store.save(2, {"value": np.random.default_rng(0).integers(0, 256, 50_000_000, np.uint8)})


if __name__ == "__main__":
    main()
