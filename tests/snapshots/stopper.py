"""A program that runs in chunks and saves when it is asked to stop. Run by `test_signals`.

python -m tests.snapshots.stopper FOLDER polite|deaf
"""

import hashlib
import sys
import time
from pathlib import Path

import numpy as np

from townlet_jax.snapshots import StopRequest, Store


def main() -> None:
    """Run chunks, or a call of many seconds that never comes back to the interpreter."""
    with StopRequest() as stop, Store(Path(sys.argv[1]), identity=None) as store:
        sys.stdout.write("running\n")
        sys.stdout.flush()
        if sys.argv[2] == "deaf":
            hashlib.pbkdf2_hmac("sha256", b"", b"", 200_000_000)
        tick = 0
        while not stop.is_made:
            tick += 100
            time.sleep(0.05)
        store.save(tick, {"tick": np.int64(tick)})
        store.wait()
    sys.exit(stop.exit_code)


if __name__ == "__main__":
    main()
